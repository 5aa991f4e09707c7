"""Runs test modules of Python's own and prints what each test did, without times.

Usage: unittests.py [--without processes,threads,sockets] MODULE...
Tests that need what is left out are skipped, natively too.
"""
import sys, unittest
from test import support

without = sys.argv[2].split(",") if sys.argv[1:2] == ["--without"] else []
modules = sys.argv[3:] if without else sys.argv[1:]


def absent(what):
    def call(*args, **kwargs):
        raise unittest.SkipTest("without " + what)
    return call


if "processes" in without:
    import os, subprocess
    subprocess.Popen.__init__ = absent("processes")
    subprocess.Popen.__del__ = lambda self: None
    os.fork = absent("processes")
if "threads" in without:
    import _thread, threading
    _thread.start_new_thread = threading._start_new_thread = absent("threads")
if "sockets" in without:
    import socket
    socket.socket.__init__ = absent("sockets")
    socket.socket.__del__ = lambda self: None


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
