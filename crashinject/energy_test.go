package crashinject

import (
	"testing"

	"zhuque/crashinject/result"
	"zhuque/eadr"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// The less energy is left, the less is saved: a point passes down to some energy
// and is refused below it, in every drain order, after one failure and after two.
func TestLessEnergyIsRefusedNeverWrong(t *testing.T) {
	for _, order := range []eadr.DrainOrder{eadr.LevelOrder, eadr.AddressOrder, eadr.LRUFirstOrder} {
		for _, text := range []string{"after 700", "after 60000", "after 20000; after 300"} {
			r := newRig(t, guestSetup(t, "files"))
			cfg := *r.cfg
			cfg.Power.DrainOrder = order
			r.cfg = &cfg
			r.base.first = withConfig(t, r, &cfg)
			plan := parse(t, text)
			at := &plan.Cuts[len(plan.Cuts)-1]
			need := r.plan(plan).EnergyNJ + phys.NanoJoules(eadr.NumStates) // each state's is rounded down
			refused, passed := false, 0
			for missing := phys.NanoJoules(0); missing < need; missing += 1 + min(missing, need/12) {
				at.Energy = phys.Some(need - missing)
				p := r.plan(plan)
				switch {
				case p.Verdict == result.Detected:
					refused = true
				case p.Verdict == result.Pass && !refused:
					passed++
				default:
					t.Errorf("%s, %s: %v: %s (refused with more energy: %v)", order, plan, p.Verdict, p.Reason, refused)
				}
			}
			if passed == 0 || !refused {
				t.Errorf("%s, %s: %d energies passed, refused below: %v", order, text, passed, refused)
			}
		}
	}
}

// withConfig starts the rig's program on a machine with another configuration.
func withConfig(t *testing.T, r rig, cfg *sim.Config) *sim.Machine {
	t.Helper()
	m, err := r.setup.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestEnergyStrategyFindsNoViolation(t *testing.T) {
	c := Campaign{Setup: guestSetup(t, "files"), Strategy: Strategy{Kind: Energy, Points: 80, Seed: 5}}
	refusedOrPassed(t, c.mustRun(t))
}

// Without eADR the caches are lost, and every restart says so.
func TestADRIsAlwaysRefused(t *testing.T) {
	for _, guest := range []string{"list", "nt", "files"} {
		c := Campaign{Setup: guestSetup(t, guest), Strategy: Strategy{Kind: Random, Points: 25, Seed: 1}}
		c.Setup.Domain = eadr.ADR
		if r := c.mustRun(t); r.Counts.Detected != r.Points || r.Points != 25 {
			t.Errorf("%s under adr: %+v", guest, r.Counts)
		}
	}
}

// The DIMMs count a failure whose sequence did not end, and only such a one; a
// restart that is refused does not clear the count.
func TestDirtyShutdownCount(t *testing.T) {
	r := newRig(t, guestSetup(t, "list"))
	m := r.at(5000)
	rt := func() sim.Runtime {
		rt, err := r.setup.runtime()
		if err != nil {
			t.Fatal(err)
		}
		return rt
	}
	d, rep := m.PowerCut(sim.Cut{})
	if d.DirtyShutdowns != 0 || !rep.Power.Complete {
		t.Fatalf("after a clean failure the count is %d, complete %v", d.DirtyShutdowns, rep.Power.Complete)
	}
	m2, err := sim.Boot(d, r.cfg, rt(), sim.BootOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m2.RunUntil(6000)
	short, _ := m2.PowerCut(sim.Cut{Energy: phys.Some(rep.Power.EnergyUsed / 2)})
	if short.DirtyShutdowns != 1 {
		t.Errorf("after a failure without energy the count is %d", short.DirtyShutdowns)
	}
	for range 2 {
		again := *short
		if _, err := sim.Boot(&again, r.cfg, rt(), sim.BootOptions{}); !isDetected(err) {
			t.Errorf("restart after a dirty shutdown: %v", err)
		}
	}
	// The energy may last for the caches and end before the mark: refused too.
	full, rep := m2.PowerCut(sim.Cut{})
	full.Release()
	almost, _ := m2.PowerCut(sim.Cut{Energy: phys.Some(rep.Power.EnergyUsed - 1)})
	if _, err := sim.Boot(almost, r.cfg, rt(), sim.BootOptions{}); !isDetected(err) || almost.DirtyShutdowns != 1 {
		t.Errorf("restart without the complete mark: %v, dirty shutdowns %d", err, almost.DirtyShutdowns)
	}
}
