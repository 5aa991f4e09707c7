package crashinject

import (
	"context"

	"zhuque/crashinject/result"
	"zhuque/sim"
)

// Oracle says whether what comes back after a power cut is right.
type Oracle interface {
	// Baseline is given the program's uncut run, at its end, and takes of it what it needs. Its
	// error, *BaselineFails, says that what it is to judge by fails without any cut.
	Baseline(ctx context.Context, uncut *sim.Machine, stop sim.Stop) error
	// Twin reports whether it watches a machine that never fails beside the one that does.
	Twin() bool
	// Cut takes a run to one power cut, where it stands already if first is set, and
	// brings it back. It reports whether the run goes on: otherwise it is over or judged.
	Cut(s *survivor, c *Cut, first bool) bool
	// End judges a run that has survived its cuts; with tail it runs on to its end.
	End(s *survivor, tail bool)
}

// Identity is the oracle of whole-process persistence: after each cut the same process
// goes on, the same in every respect as one that never failed.
type Identity struct{}

// Baseline implements Oracle. The end of the uncut run is kept for all oracles.
func (Identity) Baseline(context.Context, *sim.Machine, sim.Stop) error { return nil }

// Twin implements Oracle.
func (Identity) Twin() bool { return true }

// Cut implements Oracle.
func (Identity) Cut(s *survivor, c *Cut, first bool) bool {
	if s.m == nil {
		return s.buffered(c, s.ref) && s.restart(s.borrow(c), nil) && s.compare()
	}
	return s.cut(c, first)
}

// End implements Oracle.
func (Identity) End(s *survivor, tail bool) {
	s.p.Verdict = result.Pass
	if tail && !s.p.Tail {
		s.p.Tail = true
		s.tail()
	}
}
