package crashinject

import (
	"context"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/runtime/wpp"
)

// The last step of a call lies behind its commit, also where it changes no table: a restart
// there reads the recorded result. A runtime that drops it is caught at the last step of
// every call whose result is not what RAX held before.
func TestBeforeReturn(t *testing.T) {
	s := guestSetup(t, "files")
	s.Mutant = "result-not-recorded"
	broken := newRig(t, s)
	s.Mutant = ""
	sound := newRig(t, s)
	calls, caught := sound.base.calls, 0
	if len(calls) < 10 {
		t.Fatalf("%d calls", len(calls))
	}
	for _, c := range calls {
		plan := At(c.at)
		plan.Cuts[0].Step = c.steps
		if p := sound.judge(sound.at(c.at), plan, false); p.Verdict != result.Pass || p.Kind != result.AtRuntime {
			t.Errorf("%s: %v at %v: %s", plan, p.Verdict, p.Kind, p.Reason)
		}
		if p := broken.judge(broken.at(c.at), plan, false); p.Verdict == result.Violation {
			caught++
		}
	}
	if caught < len(calls)*3/4 {
		t.Errorf("a lost result is caught at the last step of %d of %d calls", caught, len(calls))
	}
}

// Fuzzed plans find what only a failure of a recovery finds, and only one step of a call.
func TestFuzzIsAimed(t *testing.T) {
	for _, name := range []string{"recovery-not-idempotent",
		"result-not-recorded", "descriptor-recorded-late", "pipe-bytes-lost"} {
		m, err := wpp.FindMutant(name)
		if err != nil {
			t.Fatal(err)
		}
		c, err := Exposing(m, guestSetup(t, m.Guest))
		if err != nil {
			t.Fatal(err)
		}
		c.Strategy = Strategy{Kind: Fuzz, Points: 200, Seed: 1}
		r, err := c.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d of %d", name, r.Counts.Violation, r.Points)
		if r.Counts.Violation < 2 {
			t.Errorf("%s: fuzz finds %d of %d", name, r.Counts.Violation, r.Points)
		}
	}
}

// Behind each call of each guest a restart from the records finds the live objects.
func TestEveryCallIsRecorded(t *testing.T) {
	for _, name := range []string{"bulk", "files", "handlers", "maps",
		"pipes", "processes", "shared", "signals", "threads", "tls"} {
		r := newRig(t, guestSetup(t, name))
		m, judged := r.at(0), 0
		for _, c := range r.base.calls {
			if stop := m.RunUntil(c.at + 1); !stop.Ended() && m.Retired() == c.at+1 {
				if p := r.judge(m, At(m.Retired()), false); p.Verdict != result.Pass {
					t.Fatalf("%s: %s: %v: %s", name, p.Plan, p.Verdict, p.Reason)
				}
				judged++
			}
		}
		if judged == 0 {
			t.Errorf("%s: no call was judged", name)
		}
	}
}
