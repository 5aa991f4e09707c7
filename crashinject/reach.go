package crashinject

import (
	"fmt"
	"math"
	"slices"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// missing is a word of a plan that the run does not have, and how much of it there is.
type missing struct {
	cut  int    // index of the cut
	word string // of cutWords
	nth  int    // index among the word's arguments
	have uint64 // the largest number that would be reached, 0 for none
}

// unreached is the answer to a plan with a word that does not happen.
func (s *survivor) unreached(word string, nth int, have uint64, format string, a ...any) bool {
	s.missing = missing{s.at, word, nth, have}
	return s.fail(result.Unreached, "cut %d: %s", s.at+1, fmt.Sprintf(format, a...))
}

// overdue judges machines that stopped before a word of the plan happened: nothing was
// cut there, unless the two stopped otherwise than alike. want is of the one that does
// not fail, where there is one.
func (s *survivor) overdue(want, got sim.Stop, word string, have uint64) bool {
	switch {
	case s.twin:
		s.ends(want, got)
	case got.Reason == sim.Stuck || got.Reason == sim.OutOfBudget:
		s.stuck(got)
	}
	if s.p.Verdict == 0 {
		s.unreached(word, 0, have, "the program %v after %d instructions, before %s", got, s.m.Retired(), awaited[word])
	}
	return false
}

// over is the answer to the cuts after one that the program ended in.
func (s *survivor) over(p Plan) {
	if s.p.Verdict == 0 && s.at+1 < len(p.Cuts) {
		s.at++
		s.unreached("after", 0, 0, "the program ended in the call of the cut before")
	}
}

// awaited says what a word of a plan waits for.
var awaited = map[string]string{
	"after": "the cut", "rep": "a string instruction with a REP prefix", "step": "a call", "at": "the event",
}

// place takes the machines to where a cut falls. before is, for one inside a call, how
// many instructions were retired before the call's.
func (s *survivor) place(c *Cut, first bool) (before uint64, ok bool) {
	if !first && !s.reach(c) {
		return 0, false
	}
	if c.At != nil && !s.toEvent(c.At) {
		return 0, false
	}
	if c.Rep != 0 && s.v.ahead != 0 && !s.hasRep() {
		c.Rep, s.p.Redrawn = 0, true
	}
	switch {
	case c.Rep != 0:
		ok = s.toRep(c.Rep) && s.skew(c)
	case c.Step != 0:
		before, ok = s.toStep(c)
	default:
		ok = s.skew(c)
	}
	return before, ok && s.buffered(c, s.m)
}

// leader is the machine that looks for the next place: the one that never fails, where
// there is one.
func (s *survivor) leader() *sim.Machine {
	if s.twin {
		return s.ref
	}
	return s.m
}

// both runs the machines to an instruction.
func (s *survivor) both(to uint64) (want, got sim.Stop) {
	if s.twin {
		want = s.ref.RunUntil(to)
	}
	return want, s.m.RunUntil(to)
}

// reach runs the machines to the instruction of a cut.
func (s *survivor) reach(c *Cut) bool {
	from := s.leader().Retired()
	to := c.behind(from)
	if last := s.horizon(from, 0); to > last {
		// What may take no longer is over before that, or hangs: which it is, the run says.
		to = last
	}
	want, got := s.both(to)
	if reached(want) && reached(got) {
		if to < c.behind(from) {
			return s.fail(result.Timeout, "still running after %d instructions, before cut %d", to, s.at+1)
		}
		return true
	}
	return s.overdue(want, got, "after", s.m.Retired()-from)
}

// horizon is after how many instructions a search of ahead instructions ends, 0 for any
// number of them.
func (s *survivor) horizon(from, ahead uint64) uint64 {
	last := uint64(math.MaxUint64)
	if s.limit != 0 {
		last = s.limit
	}
	if ahead != 0 {
		last = min(last, from+min(ahead, math.MaxUint64-from))
	}
	return last
}

// toEvent runs the machines to an event.
func (s *survivor) toEvent(e *Event) bool {
	lead, there := s.leader(), e.watch()
	for limit := s.horizon(lead.Retired(), 0); !there(lead); {
		if lead.Retired() >= limit {
			return s.fail(result.Timeout, "still running after %d instructions, before %s of cut %d", limit, e, s.at+1)
		}
		if stop := lead.Step(); !reached(stop) {
			return s.overdue(stop, s.m.RunUntil(lead.Retired()+1), "at", 0)
		}
	}
	if want, got := s.both(lead.Retired()); !reached(got) {
		return s.overdue(want, got, "at", 0)
	}
	if s.failures == 0 {
		s.p.At = lead.Retired()
	}
	return true
}

// toRep runs the machines to the string instruction that comes next and into it.
func (s *survivor) toRep(n uint64) bool {
	lead := s.leader()
	for limit := s.horizon(lead.Retired(), s.v.ahead); !lead.CPU().AtRep(); {
		if lead.Retired() >= limit {
			return s.unreached("rep", 0, 0, "no string instruction with a REP prefix before instruction %d", limit)
		}
		if stop := lead.Step(); !reached(stop) {
			return s.overdue(stop, s.m.RunUntil(lead.Retired()+1), "rep", 0)
		}
	}
	if want, got := s.both(lead.Retired()); !reached(got) {
		return s.overdue(want, got, "rep", 0)
	}
	machines := []*sim.Machine{s.m}
	if s.twin {
		machines = append(machines, s.ref)
	}
	for _, m := range machines {
		left := m.CPU().R[x86.RCX]
		done := m.StepRep(n)
		if have := left - m.CPU().R[x86.RCX]; have < n {
			return s.unreached("rep", 0, have, "the string instruction at instruction %d makes %d iterations, not %d",
				m.Retired(), have, n)
		}
		if !done {
			s.p.Kind, s.p.Step = result.AtREP, n
		}
	}
	return true
}

// toStep runs the machine that fails into the call that comes next, before store c.Step
// of the runtime. before is how many instructions were retired before the call's.
func (s *survivor) toStep(c *Cut) (before uint64, ok bool) {
	var seen bool
	var first, stores uint64 // the call that came first, and its stores
	m := s.m
	m.OnCall(func(at, steps uint64) {
		if !seen || at == first {
			seen, first, stores = true, at, steps
		}
	})
	defer m.OnCall(nil)
	m.ArmStep(c.Step)
	limit := s.horizon(m.Retired(), s.v.ahead)
	for stride := uint64(1); ; stride = min(2*stride, 1<<20) {
		stop := m.RunUntil(min(limit, m.Retired()+stride))
		switch {
		case stop.Reason == sim.PowerLost && (!seen || first == m.LostIn()):
			s.p.Kind, s.p.Step = result.AtRuntime, c.Step
			return m.LostIn(), true
		case seen:
			return 0, s.unreached("step", 0, stores, "the call at instruction %d makes %d stores, not %d", first, stores, c.Step)
		case !reached(stop):
			want := stop
			if s.twin {
				want = s.ref.RunUntil(m.Retired() + 1)
			}
			return 0, s.overdue(want, stop, "step", 0)
		case m.Retired() >= limit:
			return 0, s.unreached("step", 0, 0, "no call before instruction %d", limit)
		}
	}
}

// skew runs other cores on.
func (s *survivor) skew(c *Cut) bool {
	for i, k := range c.Skew {
		got := s.m.Skew(k.Core, k.N)
		if s.twin {
			if want := s.ref.Skew(k.Core, k.N); want != got {
				return s.fail(result.Violation, "after the failure core %d runs %d more instructions instead of %d",
					k.Core, got, want)
			}
		}
		if got < k.N {
			return s.unreached("skew", i, got, "core %d has %d more instructions to its next call, not %d", k.Core, got, k.N)
		}
		s.skewed = s.skewed || got > 0
	}
	return true
}

// buffered reports a cut that keeps more stores than a machine's buffers hold.
func (s *survivor) buffered(c *Cut, m *sim.Machine) bool {
	first := 0
	if n, ok := c.Keep.Get(); ok {
		first = 1
		if have := m.Buffered(m.Executing()); n > have {
			return s.unreached("keep", 0, uint64(have), "%d stores are buffered, not %d", have, n)
		}
	}
	for i, k := range c.KeepOn {
		if have := m.Buffered(k.Core); k.N > uint64(have) {
			return s.unreached("keep", first+i, uint64(have), "%d stores of core %d are buffered, not %d", have, k.Core, k.N)
		}
	}
	return true
}

// redrawn is the plan with another number for the word that was missing, one that the run
// has; without the word where it has none.
func (p Plan) redrawn(w missing) Plan {
	if w.word == "after" && w.have == 0 {
		return p.without(w.cut)
	}
	other := func(n uint64) uint64 {
		if w.have == 0 {
			return 0
		}
		return 1 + (n-1)%w.have
	}
	return p.with(w.cut, func(c *Cut) {
		switch w.word {
		case "after":
			c.After %= w.have
		case "rep":
			c.Rep = other(c.Rep)
		case "step":
			c.Step = other(c.Step)
		case "recovery":
			c.Recovery = renumbered(c.Recovery, w.nth, other(c.Recovery[w.nth]))
		case "skew":
			c.Skew = recounted(c.Skew, w.nth, other(c.Skew[w.nth].N))
		case "keep":
			if c.Keep.Given() && w.nth == 0 {
				c.Keep = phys.Some(int(w.have))
				return
			}
			i := w.nth
			if c.Keep.Given() {
				i--
			}
			c.KeepOn = slices.Clone(c.KeepOn)
			c.KeepOn[i].N = w.have
		}
	})
}

// redrawn changes a drawn plan's recovery that is too short, so that the same failure can
// be tried again: judging the plan from its beginning would come to the same.
func (s *survivor) redrawn(c *Cut) bool {
	if s.v.ahead == 0 || s.p.Verdict != result.Unreached || s.missing.word != "recovery" {
		return false
	}
	*c = Plan{Cuts: []Cut{*c}}.redrawn(missing{word: s.missing.word, nth: s.missing.nth, have: s.missing.have}).Cuts[0]
	s.p.Verdict, s.p.Reason, s.p.Redrawn = 0, "", true
	return true
}

// hasRep reports whether a string instruction comes near enough for a drawn plan.
func (s *survivor) hasRep() bool {
	m := s.leader().Fork()
	for limit := s.horizon(m.Retired(), s.v.ahead); !m.CPU().AtRep(); {
		if m.Retired() >= limit || !reached(m.Step()) {
			return false
		}
	}
	return true
}

// renumbered replaces an element, or drops it where n is 0.
func renumbered(list []uint64, i int, n uint64) []uint64 {
	list = slices.Clone(list)
	if n == 0 {
		return slices.Delete(list, i, i+1)
	}
	list[i] = n
	return list
}

func recounted(list []sim.CoreCount, i int, n uint64) []sim.CoreCount {
	list = slices.Clone(list)
	if n == 0 {
		return slices.Delete(list, i, i+1)
	}
	list[i].N = n
	return list
}
