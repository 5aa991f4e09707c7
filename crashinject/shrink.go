package crashinject

import (
	"context"

	"zhuque/sim"
)

func reached(s sim.Stop) bool { return s.Reason == sim.Reached }

// Shrink looks for a smaller plan with the same verdict: fewer failures, plainer
// ones, earlier ones. It judges at most budget plans and returns the smallest
// that still fails alike, with its reason: the smallest so far when ctx ends.
func (c Case) Shrink(ctx context.Context, budget int) (Case, error) {
	if budget <= 0 {
		return c, nil
	}
	camp := Campaign{Setup: c.Setup, Restart: c.Restart}
	base, cfg, err := camp.baseline(ctx)
	if err != nil {
		return c, err
	}
	v := &verifier{setup: &c.Setup, cfg: cfg, base: base, oracle: base.oracle}
	for progress := true; progress && budget > 0 && ctx.Err() == nil; {
		progress = false
		for _, plan := range c.Plan.weaken() {
			if budget--; budget < 0 || ctx.Err() != nil {
				break
			}
			p, err := v.fromStart(plan, c.Tail)
			if err != nil || p.Verdict != c.Verdict {
				continue
			}
			c.Plan, c.Reason, progress = plan, p.Reason, true
			break
		}
	}
	return c, nil
}
