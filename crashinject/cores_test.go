package crashinject

import (
	"fmt"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim"
)

// Campaigns of every kind on programs with threads pass on several cores, to the end.
func TestCampaignsOnSeveralCores(t *testing.T) {
	for _, c := range []struct {
		guest    string
		cores    int
		strategy Strategy
	}{
		{"threads", 2, Strategy{Kind: Every, From: 12_000, To: 12_400}},
		{"threads", 4, Strategy{Kind: Every, From: 21_000, To: 21_400}},
		{"threads", 2, Strategy{Kind: Random, Points: 150, Seed: 1}},
		{"threads", 4, Strategy{Kind: Random, Points: 150, Seed: 2}},
		{"threads", 2, Strategy{Kind: Fuzz, Points: 60, Seed: 3}},
		{"threads", 4, Strategy{Kind: Fuzz, Points: 60, Seed: 4}},
		{"threads", 2, Strategy{Kind: Calls, Points: 200}},
		{"threads", 4, Strategy{Kind: Calls, Points: 200}},
		{"threads", 2, Strategy{Kind: Recovery, Points: 100}},
		{"threads", 4, Strategy{Kind: Recovery, Points: 100}},
		{"litmus", 2, Strategy{Kind: Every}}, // a thread that visits another's core
		{"litmus", 2, Strategy{Kind: Calls}},
		{"litmus", 2, Strategy{Kind: Fuzz, Points: 60, Seed: 5}},
	} {
		t.Run(fmt.Sprint(c.guest, " on ", c.cores, " cores, ", c.strategy), func(t *testing.T) {
			camp := Campaign{Setup: guestSetup(t, c.guest), Strategy: c.strategy, Tails: 8}
			camp.Setup.Cores = c.cores
			r := camp.mustRun(t)
			allPass(t, r)
			if c.strategy.Kind == Fuzz && !strings.Contains(plans(r), "skew") {
				t.Error("no fuzzed plan skews a core")
			}
		})
	}
}

func plans(r *result.Campaign) string {
	var b strings.Builder
	for _, p := range r.Samples {
		b.WriteString(p.Plan + "\n")
	}
	return b.String()
}

// Fuzzed skew of all cores at places all over a run, with a second failure soon after.
func TestSkewedCutsPass(t *testing.T) {
	for _, cores := range []int{2, 3, 8} {
		s := guestSetup(t, "threads")
		s.Cores = cores
		r := newRig(t, s)
		for i := range uint64(25) {
			plan := At(r.base.instructions * (i + 1) / 27)
			plan.Cuts = append(plan.Cuts, Cut{After: 40 * i})
			for j := range plan.Cuts {
				for core := range cores {
					plan.Cuts[j].Skew = append(plan.Cuts[j].Skew, sim.CoreCount{Core: core, N: i + uint64(core*7)%31})
				}
			}
			if p, plan := r.drawn(r.at(plan.Cuts[0].After), plan); p.Verdict != result.Pass || !p.Tail {
				t.Errorf("%d cores: %s: %v: %s", cores, plan, p.Verdict, p.Reason)
			}
		}
	}
}

// What the platform or the runtime fails to save is missed on several cores too, whichever
// core it was on.
func TestMutantsAreCaughtOnSeveralCores(t *testing.T) {
	for _, mutant := range []string{"store-buffer-not-drained",
		"other-buffers-lost", "other-registers-lost", "callee-saved-only"} {
		for _, cores := range []int{2, 4} {
			camp := Campaign{Setup: guestSetup(t, "crowd"), Strategy: Strategy{Kind: Random, Points: 60, Seed: 1}}
			camp.Setup.Cores, camp.Setup.Mutant = cores, mutant
			r := camp.mustRun(t)
			if c := r.Counts; c.Violation < 10 || c.Violation+c.Pass+c.Detected != r.Points {
				t.Errorf("%s on %d cores: %+v", mutant, cores, r.Counts)
			}
			t.Logf("%s on %d cores: %d of %d", mutant, cores, r.Counts.Violation, r.Points)
		}
	}
}

// A plan that keeps some of another core's stores loses the others, and the restarted
// process is not the same; a plan for cores that are not there is refused.
func TestKeepOfAnotherCore(t *testing.T) {
	s := guestSetup(t, "threads")
	s.Cores = 2
	r := newRig(t, s)
	lost, all := 0, 0
	m := r.at(10_000)
	for n := uint64(10_000); n < 20_000; n += 11 {
		m.RunUntil(n)
		other := 1 - m.Executing()
		if m.Hierarchy().Core(other).BufferedStores() < 2 {
			continue
		}
		all++
		if p := r.judge(m, parse(t, fmt.Sprintf("after %d keep %d:1", n, other)), false); p.Verdict == result.Violation {
			lost++
		}
		if p := r.judge(m, parse(t, fmt.Sprintf("after %d keep %d:%d", n, other, m.Buffered(other))),
			false); p.Verdict != result.Pass {
			t.Errorf("all stores of core %d kept after %d instructions: %v: %s", other, n, p.Verdict, p.Reason)
		}
	}
	if lost < all/2 || lost < 5 {
		t.Errorf("%d violations in %d places by stores that another core lost, expected more", lost, all)
	}
	c := Case{Setup: s, Plan: parse(t, "after 100 keep 2:1")}
	if _, err := c.Judge(); err == nil || !strings.Contains(err.Error(), "core 2") {
		t.Errorf("a plan for core 2 of two cores: %v", err)
	}
}
