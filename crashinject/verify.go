package crashinject

import (
	"errors"
	"fmt"
	"runtime"
	"strings"

	"zhuque/crashinject/check"
	"zhuque/crashinject/result"
	"zhuque/eadr"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// baseline is the uncut run that every tail is compared with.
type baseline struct {
	first        *sim.Machine // before the first instruction; never runs
	instructions uint64
	end          *check.End
	holdUp       uint64     // energy in nanojoules that the power-fail sequence takes at the end
	calls        []callSite // in order
	oracle       Oracle     // that has learnt from it
}

// verifier judges plans against a machine that never fails. It serves one
// goroutine; see alone.
type verifier struct {
	setup *Setup
	cfg   *sim.Config
	base  *baseline

	oracle Oracle // nil for Identity

	compare check.Comparer
	ahead   uint64  // how far the next place of a word is looked for, 0 for to the end
	missing missing // what the plan judged last names and the run does not have
}

// alone returns a verifier for another goroutine.
func (v *verifier) alone() *verifier {
	c := *v
	c.compare = check.Comparer{}
	return &c
}

// start returns the program before its first instruction, with a console of its
// own at the beginning of the input. It is a fork of the baseline's start: both
// see the host's files as they were then, whatever happens to them meanwhile.
func (v *verifier) start() (*sim.Machine, error) {
	if v.base != nil {
		m := v.base.first.Fork()
		m.Detach()
		return m, nil
	}
	cfg := *v.cfg
	cfg.Console = v.cfg.Console.Fork(true)
	return v.setup.Start(&cfg)
}

// tailBudget is how many instructions a recovered program may take to its end
// before it counts as hung.
func (v *verifier) tailBudget() uint64 { return 2*v.base.instructions + 1_000_000 }

// judges returns the oracle.
func (v *verifier) judges() Oracle {
	if v.oracle == nil {
		return Identity{}
	}
	return v.oracle
}

// judge executes a plan from where main stands, which must be the plan's first
// cut, and leaves main unchanged. With tail the survivor runs to the program's end.
func (v *verifier) judge(main *sim.Machine, plan Plan, tail bool) (p result.Point) {
	p.At, p.Kind = main.Retired(), result.AtInstruction
	run := survivor{v: v, p: &p, ref: main, power: (*sim.Machine).PowerCut}
	defer func() {
		run.release()
		v.missing = run.missing
		if r := recover(); r != nil {
			p.Verdict, p.Reason = result.SimBug, bugReport(r)
		}
	}()
	oracle := v.judges()
	if len(plan.Cuts) > 1 || !plan.Cuts[0].plain() {
		run.fork(main, oracle.Twin())
	}
	for i := range plan.Cuts {
		if run.at = i; !oracle.Cut(&run, &plan.Cuts[i], i == 0) {
			break
		}
	}
	if run.over(plan); p.Verdict == 0 {
		oracle.End(&run, tail)
	}
	return p
}

// bugReport describes a panic with the places in our own code that it came through.
func bugReport(r any) string {
	var b strings.Builder
	fmt.Fprint(&b, r)
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for n := 0; n < 6; {
		f, more := frames.Next()
		if strings.HasPrefix(f.Function, "zhuque/") {
			fmt.Fprintf(&b, " < %s:%d", f.Function, f.Line)
			n++
		}
		if !more {
			break
		}
	}
	return b.String()
}

// survivor is one run under a plan: the machine that fails and the one that does not.
type survivor struct {
	v    *verifier
	p    *result.Point
	ref  *sim.Machine // never fails; without a twin, the main line
	m    *sim.Machine // fails and recovers; nil before a plain cut of ref
	held *sim.Durable // borrowed from ref by a plain cut
	left *sim.Durable // what the last cut left

	twin     bool    // ref is a machine of its own that runs beside m
	limit    uint64  // instructions after which it hangs, 0 for no limit
	at       int     // index of the cut that is next
	missing  missing // the word that was not reached
	failures uint64  // survived so far
	told     bool    // the program was sent SIGPWR
	skewed   bool    // cores ran on, so that threads met otherwise than in the uncut run

	power func(*sim.Machine, sim.Cut) (*sim.Durable, sim.CutReport) // how m loses power
}

// release ends the life of a plain cut's survivor.
func (s *survivor) release() {
	if s.held == nil {
		return
	}
	s.held.Release()
	if s.m != nil {
		s.m.Free()
	}
}

// fork makes the survivor, and with twin a reference, machines of their own.
func (s *survivor) fork(main *sim.Machine, twin bool) {
	if s.twin = twin; twin {
		s.ref = main.Fork()
	}
	s.m = main.Fork()
}

func (s *survivor) fail(v result.Verdict, format string, a ...any) bool {
	s.p.Verdict, s.p.Reason = v, Printable(fmt.Sprintf(format, a...))
	return false
}

// borrow cuts the main line between two instructions without disturbing it.
func (s *survivor) borrow(c *Cut) *sim.Durable {
	d, rep := s.ref.PowerCut(c.Cut)
	s.held = d
	s.note(rep)
	return d
}

func (s *survivor) note(rep sim.CutReport) {
	p := s.p
	p.DirtyLines, p.DirtyPMEM, p.BufferedStores = 0, 0, uint64(rep.Inventory.BufferedStores)
	for i, n := range rep.Inventory.DirtyLines {
		p.DirtyLines += uint64(n)
		p.DirtyPMEM += uint64(rep.Inventory.DirtyPMEM[i])
	}
	p.FlushNanos, p.EnergyNJ = rep.Power.Time, rep.Power.EnergyUsed
	if rep.Power.Last < eadr.Off {
		p.Kind = result.AtPowerFail
		p.Step = uint64(rep.Power.Last)
	}
}

// restart boots what a cut left, through the recovery failures asked for.
func (s *survivor) restart(d *sim.Durable, recovery []uint64) bool {
	s.left = d
	for i, step := range recovery {
		m, err := s.boot(d, sim.BootOptions{CutAtStep: step})
		if !errors.Is(err, sim.ErrPowerLost) {
			s.m = m
			return s.booted(err) &&
				s.unreached("recovery", i, m.CallSteps(), "the recovery makes %d stores, not %d", m.CallSteps(), step)
		}
		s.p.Kind, s.p.Step = result.AtRecovery, step
		d, _ = s.power(m, sim.Cut{})
		s.failures++
	}
	m, err := s.boot(d, sim.BootOptions{})
	s.m = m
	return s.booted(err)
}

func (s *survivor) boot(d *sim.Durable, opt sim.BootOptions) (*sim.Machine, error) {
	rt, err := s.v.setup.runtime()
	if err != nil {
		return nil, err
	}
	opt.Blocks = s.ref
	return sim.Boot(d, s.v.cfg, rt, opt)
}

func (s *survivor) booted(err error) bool {
	var refused *sim.Detected
	switch {
	case err == nil:
		s.p.RecoverySteps = s.m.CallSteps()
		return true
	case errors.As(err, &refused):
		return s.fail(result.Detected, "%s", refused.Reason)
	default:
		return s.fail(result.SimBug, "restart: %v", err)
	}
}

// survived sends both machines the signal of the failure, so that they stay
// comparable: the one that never failed gets it as if somebody had sent it.
func (s *survivor) survived() bool {
	s.failures++
	for _, m := range []*sim.Machine{s.ref, s.m} {
		s.told = m.TellPowerFailure(s.failures) || s.told
	}
	return true
}

func (s *survivor) compare() bool {
	r := s.v.compare.Compare(s.ref, s.m)
	s.p.MemoryPagesCompared += r.Pages
	if !r.OK() {
		return s.fail(result.Violation, "after the restart %s", strings.Join(r.Differences, "; "))
	}
	return true
}

// cut takes both machines to a cut, fails one and compares. At the first cut of
// a plan they stand there already.
func (s *survivor) cut(c *Cut, first bool) bool {
	place, ok := s.place(c, first)
	if !ok {
		return false
	}
	dying, failures := s.m, s.failures
	for {
		d, rep := s.power(dying, c.Cut)
		s.note(rep)
		if s.restart(d, c.Recovery) {
			break
		}
		if !s.redrawn(c) {
			return false
		}
		s.failures = failures
	}
	if c.Step != 0 {
		// The survivor stands before the call, and issues it again, or after it. Then both do.
		want, got := s.ref.RunUntil(place+1), s.m.RunUntil(place+1)
		if !reached(want) || !reached(got) {
			return s.ends(want, got)
		}
	}
	return s.compare() && s.survived()
}

// ends judges two machines whose programs stopped.
func (s *survivor) ends(want, got sim.Stop) bool {
	switch {
	case want.Reason == sim.Stuck || want.Limited():
		return s.stuck(want)
	case got.Reason == sim.Stuck || got.Limited():
		return s.stuck(got)
	}
	if r := check.Ends(check.EndOf(s.ref, want), check.EndOf(s.m, got)); !r.OK() {
		return s.fail(result.Violation, "at the end %s", strings.Join(r.Differences, "; "))
	}
	s.p.Tail = true
	return false
}

func (s *survivor) stuck(stop sim.Stop) bool {
	var deadlock *kernel.Deadlock
	if stop.Limited() || errors.As(stop.Err, &deadlock) {
		return s.fail(result.Timeout, "%v", stop)
	}
	return s.fail(result.Unsupported, "%v", stop)
}

// tail runs the survivor to its end and compares what an observer saw with the
// uncut run, or with the reference where both were told of the failure or were skewed.
func (s *survivor) tail() bool {
	limit := s.v.tailBudget()
	want := s.v.base.end
	if s.held != nil && s.m.Kernel().ToldOfPowerFailures() {
		s.ref = s.ref.Fork()
		s.survived()
	}
	if s.told || s.skewed {
		want = check.EndOf(s.ref, s.ref.RunUntil(limit))
	}
	stop := s.m.RunUntil(limit)
	for _, st := range []sim.Stop{want.Stop, stop} {
		switch {
		case st.Reason == sim.OutOfEvents:
			return s.fail(result.Timeout, "%v", st)
		case st.Reason == sim.Reached || st.Reason == sim.OutOfBudget:
			return s.fail(result.Timeout, "the survivor still runs after %d instructions, the baseline run took %d",
				limit, s.v.base.instructions)
		case !st.Ended():
			return s.stuck(st)
		}
	}
	if r := check.Ends(want, check.EndOf(s.m, stop)); !r.OK() {
		return s.fail(result.Violation, "at the end %s", strings.Join(r.Differences, "; "))
	}
	return true
}
