package crashinject

import (
	"errors"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// CrashPublished is Crash for a program that clients outside the machine talk to. What
// they send comes once only, so that no twin can run beside it: at each cut the
// restarted process is compared with a copy taken at that instruction, whose connections
// to the outside are reset as the failure resets them. What happens later is compared
// with nothing. A cut lies between two instructions, or in the recovery.
func CrashPublished(setup Setup, plan Plan, console *kernel.Console) (out Outcome, err error) {
	for _, c := range plan.Cuts {
		if c.At != nil || c.Rep != 0 || c.Step != 0 || len(c.Skew) != 0 {
			return out, errors.New(
				"with published ports a cut lies between two instructions or in the recovery: expected no at, no step, no rep and no skew")
		}
	}
	s, err := observed(setup, plan, console, &out)
	if err != nil {
		return out, err
	}
	defer caughtBug(&out)
	for i := range plan.Cuts {
		c := &plan.Cuts[i]
		s.at, s.ref = i, s.m
		if out.Stop = s.m.RunUntil(c.behind(s.m.Retired())); out.Stop.Reason != sim.Reached {
			s.overdue(out.Stop, out.Stop, "after", 0)
			break
		}
		if !s.buffered(c, s.m) {
			break
		}
		s.ref = s.m.Fork()
		s.ref.Kernel().LoseOutside()
		d, rep := s.power(s.m, c.Cut)
		s.note(rep)
		if !s.restart(d, c.Recovery) || !s.compare() || !s.survived() {
			break
		}
		out.Failures++
	}
	out.Machine = s.m
	if out.Point.Verdict == 0 && out.Stop.Reason == sim.Reached {
		out.Stop = s.m.Run()
	}
	switch {
	case out.Point.Verdict != 0:
	case out.Stop.Ended():
		out.Point.Verdict = result.Pass
	default:
		s.stuck(out.Stop)
	}
	if s.m != nil {
		out.Point.At = s.m.Retired()
	}
	return out, nil
}
