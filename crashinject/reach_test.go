package crashinject

import (
	"reflect"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// A word that never happens is no pass: the point says which word, and what there is.
func TestWordsThatNeverHappenAreUnreached(t *testing.T) {
	for _, row := range []struct{ guest, plan, says string }{
		{"tls", "after 99999999", "cut 1: the program exited with status 0"},
		{"tls", "after 10; after 99999999", "cut 2: the program exited"},
		{"tls", "after 30 step 5000", "stores, not 5000"},
		{"tls", "after 30 rep 1", "before a string instruction"},
		{"tls", "after 100 recovery 9999", "the recovery makes 3 stores, not 9999"},
		{"tls", "after 100 recovery 1 recovery 9999", "the recovery makes"},
		{"tls", "after 100 keep 9999", "stores are buffered, not 9999"},
		{"tls", "after 100 keep 0:9999", "stores of core 0 are buffered, not 9999"},
		{"tls", "after 100 skew 0:1", "core 0 has 0 more instructions"},
		{"tls", "after 100; after 200 step 1; after 3 keep 9999", "cut 3: "},
		{"strings", "after 30 rep 65000", "iterations, not 65000"},
		{"hello", "after 36 step 2; after 5", "cut 2: the program ended in the call of the cut before"},
	} {
		c := Case{Setup: guestSetup(t, row.guest), Plan: parse(t, row.plan), Tail: true}
		p, err := c.Judge()
		if err != nil || p.Verdict != result.Unreached || !strings.Contains(p.Reason, row.says) {
			t.Errorf("%s, %s: %v %q, %v: expected unreached, with %q", row.guest, row.plan, p.Verdict, p.Reason, err, row.says)
		}
	}
}

// "The call that comes next" and the string instruction that comes next are looked for to
// the program's end: a cut there is one at its place.
func TestWordsRunOnToTheirPlace(t *testing.T) {
	for _, row := range []struct {
		guest, plan string
		kind        result.Kind
	}{
		{"tls", "after 30 step 2", result.AtRuntime},
		{"list", "after 100 step 3; after 1000 step 2", result.AtRuntime},
		{"strings", "after 30 rep 2", result.AtREP},
		{"tls", "after 100 keep 0 recovery 3", result.AtRecovery},
	} {
		c := Case{Setup: guestSetup(t, row.guest), Plan: parse(t, row.plan), Tail: true}
		if p, err := c.Judge(); err != nil || p.Kind != row.kind || p.Verdict == result.Unreached {
			t.Errorf("%s, %s: %v at %s %q, %v: expected a cut at %s",
				row.guest, row.plan, p.Verdict, p.Kind, p.Reason, err, row.kind)
		}
	}
	r := newRig(t, guestSetup(t, "tls"))
	next := 0
	for i, c := range r.base.calls {
		if c.at > 30 {
			next = i
			break
		}
	}
	here, there := At(30), At(r.base.calls[next].at)
	here.Cuts[0].Step, there.Cuts[0].Step = 2, 2
	a, b := r.plan(here), r.plan(there)
	if a.RecoverySteps != b.RecoverySteps || a.DirtyLines != b.DirtyLines || a.Step != b.Step || a.Verdict != b.Verdict {
		t.Errorf("step 2 of the next call is judged %+v, the same named by its place %+v", a, b)
	}
}

// What a campaign draws is reached as it is written, and says how often it was drawn again.
func TestFuzzedPlansAreReachedAsWritten(t *testing.T) {
	for _, guest := range []string{"tls", "strings"} {
		for _, kind := range []StrategyKind{Fuzz, Recovery} {
			c := Campaign{Setup: guestSetup(t, guest), Strategy: Strategy{Kind: kind, Points: 40, Seed: 3}}
			res := c.mustRun(t)
			allPass(t, res)
			if res.Redrawn == 0 || res.Counts.Unreached != 0 {
				t.Errorf("%s, %s: %d drawn again, %d unreached", guest, kind, res.Redrawn, res.Counts.Unreached)
			}
			for _, p := range res.Samples {
				cs := Case{Setup: c.Setup, Plan: parse(t, p.Plan), Tail: p.Tail}
				q, err := cs.Judge()
				if q.Index, q.Redrawn = p.Index, p.Redrawn; err != nil || !reflect.DeepEqual(p, q) {
					t.Errorf("%s: the campaign judged %+v, a replay %+v, %v", p.Plan, p, q, err)
				}
			}
		}
	}
}
