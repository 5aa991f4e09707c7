package crashinject

import (
	"context"
	"errors"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim/kernel"
)

// A program whose threads wait for each other for ever has hung: that is a timeout, with
// who waits for what, and not something that the simulator cannot do.
func TestDeadlockIsATimeout(t *testing.T) {
	const lost = "rt_sigaction 30 {handler 0x04000000 restorer 0} 0 8; pipe2 buf 0;" // told of a failure, nanosleep ends early
	for text, want := range map[string]string{
		"clone: clone 0x10f00 stack 0 0 0 (futex buf+8 0 0 0 0 0); " + lost + "nanosleep {0 90000} 0; read 3 buf+16 1":                       "thread 1000 of process 1000 waits for a pipe (descriptor 3) to have something to read; thread 1001 of process 1000 waits for a wake-up of the futex at 0x420008",
		"fork: fork (rt_sigsuspend {0} 8); " + lost + "writev 4 {buf 65536} 1; nanosleep {0 90000} 0; poll {0x400000004} 1 -1; exit_group 0": "thread 1000 of process 1000 waits for a pipe (descriptor 4) to have room; thread 1001 of process 1001 waits for a signal",
		"wait4: fork (socketpair 1 1 0 buf; read 3 buf 1); wait4 1001 0 0 0":                                                                 "thread 1000 of process 1000 waits for the end of process 1001; thread 1001 of process 1001 waits for a socket (descriptor 3) to have something to read",
	} {
		s, err := parseSituation(text, "")
		if err != nil {
			t.Fatal(err)
		}
		_, err = (&Campaign{Setup: s.setup(t), Strategy: Strategy{Kind: Every}}).Run(context.Background())
		var unsound *Unsound
		var deadlock *kernel.Deadlock
		if !errors.As(err, &unsound) || !errors.As(unsound.Stop.Err, &deadlock) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, expected that %s", text, err, want)
		}
	}
}

// hangsWhenTold is a program that does not look whether its read was interrupted.
func hangsWhenTold(t *testing.T) Setup {
	t.Helper()
	s, err := parseSituation("read: rt_sigaction 30 {handler 0x04000000 restorer 0} 0 8; pipe2 buf 0;"+
		"fork (rt_sigprocmask 0 {0x20000000} 0 8; spin 20000; write 4 buf 60000; exit 0); read 3 buf 60000; write 4 buf 60000; wait4 -1 0 0 0", "")
	if err != nil {
		t.Fatal(err)
	}
	return s.setup(t)
}

// A program that does not look whether its read was interrupted hangs when it is told of
// a failure then, recovered or not.
func TestProgramThatHangsWhenItIsTold(t *testing.T) {
	r := newRig(t, hangsWhenTold(t))
	main, hung := r.at(0), 0
	for n := uint64(1000); n < r.base.instructions; n += 1000 {
		main.RunUntil(n)
		got := r.judge(main, At(n), true)
		if got.Verdict == result.Timeout && strings.Contains(got.Reason,
			"the end of a child; thread 1001 of process 1001 waits for a pipe (descriptor 4) to have room") {
			hung++
		} else if got.Verdict != result.Pass {
			t.Errorf("at %d: %v: %s", n, got.Verdict, got.Reason)
		}
	}
	if hung == 0 {
		t.Error("it never hung")
	}
}

// The case of a failure that only a run to the program's end shows repeats it.
func TestCaseOfAFailureInATail(t *testing.T) {
	var failed Case
	c := Campaign{Setup: hangsWhenTold(t), Strategy: Strategy{Kind: Random, Points: 10, Seed: 1}, Tails: 10,
		Replay: func(c Case) (string, error) { failed = c; return "", nil }}
	if r := c.mustRun(t); r.Counts.Timeout == 0 {
		t.Fatalf("%+v", r.Counts)
	}
	again, err := ParseCase("first-timeout.case", failed.String())
	if err != nil {
		t.Fatal(err)
	}
	again.Setup.Guest = failed.Setup.Guest
	if p, err := again.Judge(); err != nil || p.Verdict != failed.Verdict || p.Reason != failed.Reason {
		t.Errorf("%v: %s, %v, expected %v: %s", p.Verdict, p.Reason, err, failed.Verdict, failed.Reason)
	}
}
