package crashinject

import (
	"errors"
	"fmt"
	"io"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/imagefile"
	"zhuque/sim/kernel"
)

// Save is Crash up to the plan's last failure, whose image it gives to write; a
// failure with recoveries that are cut too leaves the image of the last of them.
// note is the case, as Resume reads it back. What the image boots to is compared
// with the twin as in Crash, but does not go on. Errors: what kept the program
// from starting, *Ended, or what write gave.
func Save(setup Setup, plan Plan, console *kernel.Console,
	write func(image *sim.Durable, note string) error) (out Outcome, err error) {
	s, err := observed(setup, plan, console, &out)
	if err != nil {
		return out, err
	}
	defer caughtBug(&out)
	last := len(plan.Cuts) - 1
	for i := range plan.Cuts[:last] {
		if s.at = i; !s.cut(&plan.Cuts[i], false) {
			return out, s.ended(&out)
		}
		out.Failures++
	}
	written := false
	s.power = func(m *sim.Machine, cut sim.Cut) (*sim.Durable, sim.CutReport) {
		d, rep := m.PowerCut(cut)
		out.Machine = m
		written = true
		if err == nil {
			err = write(d, Case{Setup: setup, Plan: plan}.String())
		}
		return d, rep
	}
	s.at = last
	ok := s.cut(&plan.Cuts[last], false)
	switch {
	case err != nil:
		return out, err // what write gave
	case !written:
		return out, s.ended(&out)
	}
	if s.p.Verdict != result.Unreached {
		out.Failures++
	}
	out.Point.At = s.ref.Retired()
	if ok {
		out.Point.Verdict = result.Pass
	}
	return out, nil
}

// Ended is a program that was over before the failure that was to be saved.
type Ended struct {
	Failures int // power failures before its end
	Retired  uint64
}

func (e *Ended) Error() string {
	return fmt.Sprintf("the program ended after %d instructions and %d power failures, before the last cut: nothing to save", e.Retired, e.Failures)
}

// ended is the answer to a plan that Save could not follow to its last failure.
func (s *survivor) ended(out *Outcome) error {
	out.Machine = s.m
	if out.Point.Verdict != 0 {
		return nil
	}
	return &Ended{out.Failures, s.m.Retired()}
}

// Resume boots an image that Save wrote, in this or another process; the console
// must offer the same input from its beginning. guest delivers embedded guests.
// Errors: *sim.Detected for a damaged or refused image, *SyntaxError for a note
// that is no case, what kept the setup from being used. The host directories that the image
// names are not used: adapt may put others into the setup, which must hold what those did
// at the last checkpoint.
func Resume(r io.Reader, guest func(string) ([]byte, error), console *kernel.Console,
	adapt func(*Setup) error) (*sim.Machine, Setup, error) {
	im, err := sim.ReadDurable(r)
	if err != nil {
		return nil, Setup{}, err
	}
	if im.End != imagefile.Running {
		return nil, Setup{}, errors.New("the image holds no process: its program has ended")
	}
	c, err := ParseNote(im.Note)
	if err != nil {
		return nil, Setup{}, err
	}
	c.Setup.Guest = guest
	if err := adapt(&c.Setup); err != nil {
		return nil, c.Setup, err
	}
	cfg, err := c.Setup.Config(console)
	if err != nil {
		return nil, c.Setup, err
	}
	d, err := im.Open(cfg)
	if err != nil {
		return nil, c.Setup, err
	}
	rt, err := c.Setup.runtime()
	if err != nil {
		return nil, c.Setup, err
	}
	m, err := sim.Boot(d, cfg, rt, sim.BootOptions{})
	if err == nil {
		m.TellPowerFailure(m.Durable().PowerCycles)
	}
	return m, c.Setup, err
}
