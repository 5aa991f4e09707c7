package crashinject

import (
	"context"
	"fmt"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// Outcome is a run under a plan, as somebody at the machine would have seen it.
type Outcome struct {
	Point    result.Point
	Stop     sim.Stop // how the program ended, when it did
	Failures int      // power failures survived
	Machine  *sim.Machine
	Left     *sim.Durable // what the last cut left, where no process survived
}

// CrashRestart is Crash with a command that is run after each cut, on a machine that is
// switched on again. Its exit status judges. Errors: *BaselineFails too.
func CrashRestart(setup Setup, plan Plan, r *Restart, console *kernel.Console) (out Outcome, err error) {
	if err := r.fits(plan); err != nil {
		return out, err
	}
	s, err := observed(setup, plan, console, &out)
	if err != nil {
		return out, err
	}
	defer caughtBug(&out)
	o := r.oracle(&setup, s.v.cfg)
	uncut := s.ref
	stop := uncut.Run()
	if !stop.Ended() {
		return out, &Unsound{Stop: stop}
	}
	if err := o.Baseline(context.Background(), uncut, stop); err != nil {
		return out, err
	}
	s.ref = nil
	s.twin = false
	for i := range plan.Cuts {
		if s.at = i; !o.Cut(s, &plan.Cuts[i], false) {
			break
		}
		out.Failures++
	}
	out.Machine = s.m
	if out.Point.Verdict == 0 {
		o.End(s, true)
	}
	out.Stop = s.m.Ended()
	return out, nil
}

// Crash runs the program on the given console, lets the power fail as planned,
// restarts it each time, and runs it to its end. After each restart and at the
// end it is compared with a twin that never failed.
func Crash(setup Setup, plan Plan, console *kernel.Console) (out Outcome, err error) {
	s, err := observed(setup, plan, console, &out)
	if err != nil {
		return out, err
	}
	defer caughtBug(&out)
	for i := range plan.Cuts {
		going := false
		if s.at, going = i, s.cut(&plan.Cuts[i], false); going || s.p.Verdict == 0 {
			out.Failures++ // of one in the program's last call too
		}
		if !going {
			break
		}
	}
	s.over(plan)
	out.Machine, out.Point.At = s.m, s.ref.Retired()
	if out.Point.Verdict != 0 {
		if out.Machine == nil {
			out.Left = s.left
		}
		return out, nil
	}
	want, got := s.ref.Run(), s.m.Run()
	out.Stop = got
	if s.ends(want, got); out.Point.Verdict != 0 {
		return out, nil
	}
	out.Point.Verdict = result.Pass
	return out, nil
}

// observed starts a program whose output and failures somebody sees.
func observed(setup Setup, plan Plan, console *kernel.Console, out *Outcome) (*survivor, error) {
	if err := plan.fits(max(setup.Cores, 1)); err != nil {
		return nil, err
	}
	console.Capture() // to compare it with the twin's
	cfg, err := setup.Config(console)
	if err != nil {
		return nil, err
	}
	m, err := setup.Start(cfg)
	if err != nil {
		return nil, err
	}
	out.Point = result.Point{Kind: result.AtInstruction, Plan: plan.String()}
	return &survivor{v: &verifier{setup: &setup, cfg: cfg}, p: &out.Point,
		ref: m.Fork(), m: m, twin: true, power: (*sim.Machine).Die}, nil
}

// caughtBug turns a panic into a verdict.
func caughtBug(out *Outcome) {
	if r := recover(); r != nil {
		out.Point.Verdict, out.Point.Reason = result.SimBug, fmt.Sprint(r)
	}
}
