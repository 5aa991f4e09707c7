package crashinject

import (
	"context"
	"errors"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/scenarios/guests"
	"zhuque/sim"
)

// guestSetup runs an embedded guest in a file tree of its own: nothing but an
// empty /tmp, the same for every process.
func guestSetup(t testing.TB, name string) Setup {
	t.Helper()
	s := DefaultSetup()
	s.Program = GuestPrefix + name
	s.Guest = guests.Guest
	s.Root = testrig.EmptyRoot(t)
	return s
}

func (c *Campaign) mustRun(t testing.TB) *result.Campaign {
	t.Helper()
	r, err := c.Run(context.Background())
	if err != nil {
		t.Fatalf("%s, %s: %v", c.Setup.Program, c.Strategy, err)
	}
	return r
}

// allPass fails the test unless every point of a campaign passed.
func allPass(t testing.TB, r *result.Campaign) {
	t.Helper()
	if r.Points == 0 {
		t.Fatalf("%s, %s: no point was judged", r.Program, r.Strategy)
	}
	if p, failed := r.FirstFailure(); failed || r.Counts.Pass != r.Points {
		t.Errorf("%s, %s: %+v, the first: %s: %v: %s", r.Program, r.Strategy, r.Counts, p.Plan, p.Verdict, p.Reason)
	}
}

// rig is a program that is ready to be judged.
type rig struct {
	*verifier
	t testing.TB
}

func newRig(t testing.TB, s Setup) rig {
	t.Helper()
	base, cfg, err := (&Campaign{Setup: s}).baseline(context.Background())
	if err != nil {
		t.Fatalf("%s: %v", s.Program, err)
	}
	return rig{&verifier{setup: &s, cfg: cfg, base: base}, t}
}

// at returns the program after n instructions.
func (r rig) at(n uint64) *sim.Machine {
	r.t.Helper()
	m, err := r.start()
	if err != nil {
		r.t.Fatal(err)
	}
	if stop := m.RunUntil(n); n != 0 && stop.Reason != sim.Reached {
		r.t.Fatalf("%s %v after %d instructions, expected to reach %d", r.setup.Program, stop, m.Retired(), n)
	}
	return m
}

// drawn judges a plan whose words are drawn again where they are not reached, to the end.
func (r rig) drawn(main *sim.Machine, plan Plan) (result.Point, Plan) {
	v := r.alone()
	v.ahead = searched
	return v.judgeDrawn(main, plan, true)
}

// restarted returns main's like that lost power where main stands, and was restarted.
func (r rig) restarted(main *sim.Machine) *sim.Machine {
	r.t.Helper()
	d, _ := main.Fork().PowerCut(sim.Cut{})
	return r.boot(d)
}

// boot restarts what a power failure left.
func (r rig) boot(d *sim.Durable) *sim.Machine {
	r.t.Helper()
	rt, err := r.setup.runtime()
	if err != nil {
		r.t.Fatal(err)
	}
	m, err := sim.Boot(d, r.cfg, rt, sim.BootOptions{})
	if err != nil {
		r.t.Fatalf("%s: %v", r.setup.Program, err)
	}
	return m
}

// plan judges a plan to the program's end.
func (r rig) plan(p Plan) result.Point {
	r.t.Helper()
	return r.judge(r.at(p.Cuts[0].After), p, true)
}

func parse(t testing.TB, s string) Plan {
	t.Helper()
	p, err := ParsePlan(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func isDetected(err error) bool {
	var d *sim.Detected
	return errors.As(err, &d) && d.Reason != ""
}

// refusedOrPassed fails the test when a point is anything but a pass or a
// refusal, or when there is no refusal at all.
func refusedOrPassed(t testing.TB, r *result.Campaign) {
	t.Helper()
	if c := r.Counts; c.Pass+c.Detected != r.Points || c.Detected == 0 {
		p, _ := r.FirstFailure()
		t.Errorf("%s, %s: %+v: expected passes and refusals only; the first: %s: %v: %s",
			r.Program, r.Strategy, c, p.Plan, p.Verdict, p.Reason)
	}
}

func firstViolation(t testing.TB, r *result.Campaign) result.Point {
	t.Helper()
	p, ok := r.First(result.Violation)
	if !ok {
		t.Fatalf("%s, %s: %+v: the record has no sample of a violation", r.Program, r.Strategy, r.Counts)
	}
	return p
}
