"""Runs test modules of Python's own and prints what each test did, without times.

Usage: unittests.py [--without udplite,netlink,hops] MODULE...
Tests that need what the machine does not have are skipped, natively too.
"""
import socket, sys, unittest
from test import support

without = sys.argv[2].split(",") if sys.argv[1:2] == ["--without"] else []
modules = sys.argv[3:] if without else sys.argv[1:]

# The tests look for these names.
if "udplite" in without:
    del socket.IPPROTO_UDPLITE
if "netlink" in without:
    del socket.if_nameindex
if "hops" in without:  # ancillary data of IPv6
    del socket.IPV6_RECVHOPLIMIT, socket.IPV6_RECVTCLASS


class Result(unittest.TestResult):
    def say(self, word, test, more=""):
        print(f"{word:5} {test.id()}{more}", flush=True)

    def addSuccess(self, test):
        super().addSuccess(test)
        self.say("ok", test)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.say("skip", test, ": " + reason)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.say("FAIL", test, f": {err[0].__name__}: {err[1]}")

    def addError(self, test, err):
        super().addError(test, err)
        self.say("ERROR", test, f": {err[0].__name__}: {err[1]}")

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.say("FAIL", subtest, f": {err[0].__name__}: {err[1]}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.say("xfail", test)


support.use_resources = []
support.verbose = False
result = Result()
for name in modules:
    unittest.defaultTestLoader.loadTestsFromName("test." + name).run(result)
print("ran", result.testsRun, "skipped", len(result.skipped), "failures", len(result.failures), "errors", len(result.errors))
sys.exit(not result.wasSuccessful())
