package crashinject

import (
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// A campaign with several strategies judges the points of all of them in one run, and finds
// what only one of them can find.
func TestStrategiesInOneRun(t *testing.T) {
	c := Campaign{Setup: guestSetup(t, "maps"), Strategy: Strategy{Kind: Random, Points: 20, Seed: 1},
		Also: []Strategy{{Kind: Recovery, Points: 400}, {Kind: Fuzz, Points: 10, Reach: 5000}}}
	r := c.mustRun(t)
	if allPass(t, r); r.Points != 430 || r.Strategy != "random 20, recovery 400, fuzz 10" {
		t.Errorf("%d points of %s", r.Points, r.Strategy)
	}
	c.Setup.Mutant = "recovery-not-idempotent"
	if p := firstViolation(t, c.mustRun(t)); p.Kind != result.AtRecovery || !strings.Contains(p.Plan, "recovery") {
		t.Errorf("found by %s", p.Plan)
	}
	c.Also[0] = Strategy{Kind: Every}
	if _, err := c.Run(t.Context()); err == nil || !strings.Contains(err.Error(), "every") {
		t.Errorf("%v", err)
	}
}

// The failures of fuzzed plans lie anywhere in the program, and not far from one another
// where that is asked for.
func TestReachOfFuzzedPlans(t *testing.T) {
	base := &baseline{first: newRig(t, guestSetup(t, "hello")).at(0), instructions: 100_000_000}
	const reach = 1000
	p, err := Strategy{Kind: Fuzz, Points: 200, Seed: 1, Reach: reach}.points(base)
	if err != nil {
		t.Fatal(err)
	}
	low, high := 0, 0
	for _, plan := range p.plans {
		for i, c := range plan.Cuts {
			switch {
			case i > 0 && c.After > reach:
				t.Errorf("%s: expected at most %d", plan, reach)
			case i == 0 && c.After < base.instructions/2:
				low++
			case i == 0:
				high++
			}
		}
	}
	if low < 60 || high < 60 {
		t.Errorf("%d plans begin in the first half, %d in the second", low, high)
	}
}
