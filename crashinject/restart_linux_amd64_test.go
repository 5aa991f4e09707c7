package crashinject

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim"
)

// transfer compiles testdata/transfer.c into a file tree of its own and is a run of it.
func transfer(t testing.TB, memory sim.Memory, how string) Setup {
	t.Helper()
	s := DefaultSetup()
	s.Root, s.Memory = testrig.EmptyRoot(t), memory
	path := filepath.Join(s.Root, "transfer")
	if out, err := exec.Command(testrig.Compiler(t), "-O1", "-static",
		"-o", path, "testdata/transfer.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	s.Program, s.Args = "/transfer", []string{how}
	return s
}

func command(t testing.TB, words string, status int) *Restart {
	t.Helper()
	r, err := ParseRestart(words, status)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// length is how many instructions an uncut run takes.
func length(t testing.TB, s Setup) uint64 {
	t.Helper()
	return newRig(t, s).base.instructions
}

// reasons counts the points by verdict and the last words of the reason.
func reasons(r *result.Campaign) map[string]int {
	n := map[string]int{}
	for _, p := range r.Samples {
		reason := p.Reason[strings.LastIndex(p.Reason, `" `)+1:]
		n[p.Verdict.String()+reason]++
	}
	return n
}

// A right program passes at every point once its pool is there, a wrong one does not:
// with each kind of memory, where the power fails once or more often.
func TestExitStatusOracle(t *testing.T) {
	const noPool = "violation exited with status 4 instead of exit status 0"
	for _, tc := range []struct {
		memory sim.Memory
		how    string
		kind   StrategyKind
	}{{sim.Native, "run", Random}, {sim.PMEM, "run", Random}, {sim.Zhuque, "run", Random}, {sim.Zhuque, "run", Calls}, {sim.Native, "run", Fuzz}, {sim.Native, "wrong", Random}} {
		setup := transfer(t, tc.memory, tc.how)
		c := Campaign{Setup: setup, Restart: command(t, "/transfer check", 0), Workers: 2,
			Strategy: Strategy{Kind: tc.kind, Points: 60, Seed: 1, From: length(t, setup) - 2500}}
		r := c.mustRun(t)
		sum := 0
		for why, n := range reasons(r) {
			if strings.HasPrefix(why, "violation exited with status 3 instead of exit status 0: the sum is 99990") {
				sum += n
			} else if why != "pass" && why != noPool {
				t.Errorf("%s %s %s: %d times %q", tc.memory, tc.how, tc.kind, n, why)
			}
		}
		if (sum > 0) != (tc.how == "wrong") || r.Counts.Pass == 0 {
			t.Errorf("%s %s %s: %d points with a wrong sum; %+v", tc.memory, tc.how, tc.kind, sum, r.Counts)
		}
	}
}

// The ends that a command can have, each with its verdict.
func TestExitStatusVerdicts(t *testing.T) {
	setup := transfer(t, sim.Native, "run")
	end := length(t, setup)
	for _, tc := range []struct {
		command string
		status  int
		verdict result.Verdict
		reason  string
	}{
		{"check", 0, result.Pass, ""},
		{"hang", 0, result.Timeout, `after the restart "/transfer hang" still runs after`},
		{"abort", 0, result.Violation, `after the restart "/transfer abort" killed by signal 6 instead of exit status 0`},
	} {
		c := Campaign{Setup: setup, Restart: command(t, "/transfer "+tc.command, tc.status),
			Strategy: Strategy{Kind: Every, From: end - 1500, To: end - 1470}}
		var replayed *Case
		c.Replay = func(cs Case) (string, error) { replayed = &cs; return "zhuque replay", nil }
		r := c.mustRun(t)
		if p, ok := r.First(tc.verdict); !ok || !strings.HasPrefix(p.Reason, tc.reason) {
			t.Errorf("%s: %+v, the first %v: %s", tc.command, r.Counts, p.Verdict, p.Reason)
		}
		if r.Counts.Pass == 0 || tc.verdict != result.Pass && r.Counts.Pass+r.Counts.Of(tc.verdict) != r.Points {
			t.Errorf("%s: %+v", tc.command, r.Counts)
		}
		if replayed == nil {
			continue
		}
		again, err := ParseCase("case", replayed.String())
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(again.Restart, replayed.Restart) {
			t.Errorf("restart %+v reads back as %+v", replayed.Restart, again.Restart)
		}
		if p, err := again.Judge(); err != nil || p.Verdict != replayed.Verdict || p.Reason != replayed.Reason {
			t.Errorf("the case says %v %q, judged again %v %q, error %v",
				replayed.Verdict, replayed.Reason, p.Verdict, p.Reason, err)
		}
	}
}

// What fails without a cut says nothing about power cuts.
func TestBaselineOfTheCommand(t *testing.T) {
	setup := transfer(t, sim.Native, "run+fail")
	end := length(t, setup)
	plan := At(end - 1000)
	for _, tc := range []struct {
		command string
		status  int
		fails   bool
	}{{"check", 0, true}, {"check", 3, false}, {"check", 4, true}} {
		r := command(t, "/transfer "+tc.command, tc.status)
		cfg, err := setup.Config(nil)
		if err != nil {
			t.Fatal(err)
		}
		_, crash := CrashRestart(setup, plan, r, cfg.Console)
		_, camp := (&Campaign{Setup: setup, Restart: r,
			Strategy: Strategy{Kind: Every, From: end - 1000, To: end - 999}}).Run(context.Background())
		_, judge := (&Case{Setup: setup, Restart: r, Plan: plan}).Judge()
		for _, err := range []error{crash, camp, judge} {
			var b *BaselineFails
			if errors.As(err, &b) != tc.fails || err != nil && !tc.fails {
				t.Errorf("%s, expected status %d: %v", tc.command, tc.status, err)
			}
		}
	}
}

// A command loses power too, and is run again.
func TestCommandLosesPower(t *testing.T) {
	setup := transfer(t, sim.Zhuque, "run")
	first := fmt.Sprint("after ", length(t, setup)-1000)
	for _, plan := range []string{first + "; after 100; after 8000",
		first + " keep 0; after 7900 step 2", first + "; after 100000"} {
		cfg, err := setup.Config(nil)
		if err != nil {
			t.Fatal(err)
		}
		out, err := CrashRestart(setup, parse(t, plan), command(t, "/transfer check", 0), cfg.Console)
		verdict := result.Pass
		if strings.Contains(plan, "100000") {
			verdict = result.Unreached // the second lies after the command's end
		}
		if err != nil || out.Point.Verdict != verdict || out.Stop.Reason != sim.Exited {
			t.Errorf("%s: %v %v %s, error %v", plan, out.Point.Verdict, out.Stop, out.Point.Reason, err)
		}
		want := strings.Count(plan, "after")
		if strings.Contains(plan, "100000") {
			want = 1 // the second lies after the command's end
		}
		if out.Failures != want {
			t.Errorf("%s: %d failures, expected %d", plan, out.Failures, want)
		}
	}
}

func TestParseRestart(t *testing.T) {
	r := command(t, `/bin/sh -c 'test "$1" = "a b"' x "a b" c\ d ""`, 0)
	if want := []string{"-c", `test "$1" = "a b"`, "x", "a b", "c d", ""}; r.Program != "/bin/sh" ||
		!reflect.DeepEqual(r.Args, want) {
		t.Errorf("%q %q", r.Program, r.Args)
	}
	for _, bad := range []string{"", "  ", `''`, `"open`, "# nothing"} {
		if r, err := ParseRestart(bad, 0); err == nil {
			t.Errorf("%q: %+v, expected an error", bad, r)
		}
	}
	if err := r.fits(parse(t, "after 5; after 6 recovery 7")); err == nil {
		t.Error("recovery steps of a command: expected an error")
	}
	for _, bad := range []string{"restart-arg \"x\"", "restart \"\"", "restart \"a\"\nrestart \"b\"",
		"restart \"a\"\nrestart-status \"256\"", "restart \"a\"\nrestart-status \"-1\"", "restart a"} {
		if _, err := ParseCase("c", caseHeader+"\nprogram \"p\"\ncut after 1\n"+bad+"\n"); err == nil {
			t.Errorf("%q: expected an error", bad)
		}
	}
}
