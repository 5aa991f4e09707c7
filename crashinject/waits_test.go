package crashinject

import (
	"testing"

	"zhuque/crashinject/result"
)

// Guests with several threads or processes.
var several = []string{"threads", "fase", "processes"}

// Wherever a system call, a turn or the end of a wait is cut, everybody goes on as if
// nothing had been: also with the restart cut, and under several failures. (It found that
// sigsuspend, which enters the handler itself, lost the vector registers.)
func TestWaitsAreCutEverywhere(t *testing.T) {
	for _, guest := range several {
		for _, s := range []Strategy{{Kind: Calls, Points: 700}, {Kind: Recovery, Points: 300},
			{Kind: Fuzz, Points: 150, Seed: 5}, {Kind: Random, Points: 300, Seed: 5}} {
			t.Run(guest+" "+s.String(), func(t *testing.T) {
				allPass(t, (&Campaign{Setup: guestSetup(t, guest), Strategy: s, Tails: 30}).mustRun(t))
			})
		}
	}
}

// A call that waits leaves the core to another thread. When the power fails behind its
// commit, the waiting thread's registers stand nowhere but in the call area, and must
// outlast a second failure at once.
func TestTwoFailuresInOneWait(t *testing.T) {
	for i, guest := range append(several, several...) {
		s := guestSetup(t, guest)
		s.Cores = 1 + i/len(several)
		r := newRig(t, s)
		main, calls := r.at(0), r.base.calls
		for i := 0; i < len(calls); i += 1 + len(calls)/40 {
			c := calls[i]
			main.RunUntil(c.at)
			for step := uint64(1); step <= min(c.steps, 90); step += 4 {
				p := At(c.at)
				p.Cuts[0].Step = step
				p.Cuts = append(p.Cuts, At(0).Cuts...)
				// After the program's last call there is no second failure: it is drawn again.
				if got, p := r.judgeDrawn(main, p, false); got.Verdict != result.Pass {
					t.Fatalf("%s on %d cores: %v: %v: %s", guest, s.Cores, p, got.Verdict, got.Reason)
				}
			}
		}
	}
}
