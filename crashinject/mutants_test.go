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
			t.Logf("%-24s %-8s %-14s caught after %3d of %d points (%d in all)",
				m.Name, m.Guest, strategy, p.Index+1, r.Points, r.Counts.Violation)
		})
	}
}

// The hazards that are known of the published implementation, and the mutant of each.
var hazards = map[string]string{
	"descriptor recorded after the call took effect":         "descriptor-recorded-late",
	"mapping entry's base published before its other fields": "mapping-base-first",
	"file offset lost": "file-offset-lost",
	"descriptors above the highest recorded one forgotten":         "high-descriptors-forgotten",
	"stale owner TID in a recursive mutex":                         "stale-owner-tid",
	"signal dispositions not replayed":                             "dispositions-lost",
	"wrong file offset after an mprotect split":                    "split-offset-wrong",
	"handler before barrier":                                       "handler-before-barrier",
	"no dirty-shutdown check":                                      "no-shutdown-check",
	"registers saved without draining the store buffer":            "store-buffer-not-drained",
	"only callee-saved registers saved":                            "callee-saved-only",
	"FS base not saved":                                            "fs-base-not-saved",
	"x87/MXCSR not saved":                                          "x87-not-saved",
	"kernel-entry frame used although the call had taken effect":   "entry-frame-after-commit",
	"save area torn":                                               "save-area-torn",
	"munmap not recorded":                                          "munmap-not-recorded",
	"pipe bytes lost":                                              "pipe-bytes-lost",
	"recovery not idempotent":                                      "recovery-not-idempotent",
	"two independent descriptions after a dup":                     "dup-makes-two",
	"pending signals lost":                                         "pending-signals-lost",
	"what a call does to files is not undone with the call itself": "files-not-undone",
}

func TestEveryHazardIsAMutant(t *testing.T) {
	for hazard, name := range hazards {
		if _, err := wpp.FindMutant(name); err != nil {
			t.Errorf("%s: %v", hazard, err)
		}
	}
}
