package crashinject

import (
	"fmt"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/runtime/wpp"
)

// Every planted bug is caught by the campaign that its row names, and the same
// campaign finds nothing in the runtime without it.
func TestEveryMutantIsCaught(t *testing.T) {
	seen := map[string]*result.Campaign{}
	for _, m := range wpp.Mutants() {
		t.Run(m.Name, func(t *testing.T) {
			c, err := Exposing(m, guestSetup(t, m.Guest))
			if err != nil {
				t.Fatal(err)
			}
			strategy := c.Strategy
			c.Setup.Mutant = ""
			plain := c.Setup
			plain.Root = ""
			key := fmt.Sprint(plain.Program, plain.Fields(), strategy)
			if seen[key] == nil {
				seen[key] = c.mustRun(t)
			}
			if strategy.Kind == Energy {
				refusedOrPassed(t, seen[key])
			} else {
				allPass(t, seen[key])
			}
			c.Setup.Mutant = m.Name
			r := c.mustRun(t)
			if r.Counts.SimBug+r.Counts.Unsupported+r.Counts.Timeout != 0 {
				p, _ := r.FirstFailure()
				t.Errorf("%+v: a broken runtime must not break the simulator: %s: %s", r.Counts, p.Plan, p.Reason)
			}
			if r.Counts.Violation == 0 {
				t.Fatalf("%s, %s: %+v: not caught", m.Guest, strategy, r.Counts)
			}
			p := firstViolation(t, r)
			t.Logf("%-24s %-8s %-14s caught after %3d of %d points (%d in all)", m.Name, m.Guest, strategy, p.Index+1, r.Points, r.Counts.Violation)
		})
	}
}
