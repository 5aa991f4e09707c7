package crashinject

import (
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/sim"
)

// Under ADR the memory of a process is lost with the caches, and every restart refuses it.
// Where the runtime writes its own lines back, its tables are whole wherever the power fails,
// and the refusal says so.
func TestRuntimeWritesItsTablesBack(t *testing.T) {
	for _, guest := range []string{"maps", "files", "threads", "pipes", "processes"} {
		s := guestSetup(t, guest)
		s.Domain, s.Flush = eadr.ADR, FlushRuntime
		r := newRig(t, s)
		main, calls, points := r.at(0), r.base.calls, 0
		for i := 2; i < len(calls); i += 1 + len(calls)/60 {
			c := calls[i]
			main.RunUntil(c.at)
			for step := uint64(0); step <= c.steps; step += 1 + c.steps/40 {
				plan := At(c.at)
				plan.Cuts[0].Step = step
				points++
				if p := r.judge(main, plan, false); p.Verdict != result.Detected ||
					!strings.Contains(p.Reason, "its tables are whole: ") {
					t.Fatalf("%s: %v: %v: %s", guest, plan, p.Verdict, p.Reason)
				}
			}
		}
		if points < 500 {
			t.Errorf("%s: only %d points", guest, points)
		}
	}
}

// Without that they are not whole, so there is something to be seen.
func TestTablesAreLostWithTheCaches(t *testing.T) {
	torn := 0
	for _, guest := range []string{"maps", "files", "threads"} {
		s := guestSetup(t, guest)
		s.Domain = eadr.ADR
		r := newRig(t, s)
		main := r.at(0)
		for n := r.base.instructions / 20; n < r.base.instructions; n += r.base.instructions / 20 {
			main.RunUntil(n)
			d, _ := main.Fork().PowerCut(sim.Cut{})
			rt, err := wpp.New("")
			if err != nil {
				t.Fatal(err)
			}
			rt.WriteBack()
			if _, err = sim.Boot(d, r.cfg, rt, sim.BootOptions{}); !isDetected(err) {
				t.Fatalf("%s: %v", guest, err)
			}
			if !strings.Contains(err.Error(), "its tables are whole") {
				torn++
			}
		}
	}
	if torn == 0 {
		t.Error("the tables survived without being written back")
	}
}

// With the caches flushed by the power-fail handler a process survives under ADR as it does
// under eADR, as long as the energy lasts, and is refused when it does not.
func TestPowerFailHandlerFlushes(t *testing.T) {
	for _, guest := range []string{"list", "threads", "files"} {
		s := guestSetup(t, guest)
		s.Domain, s.Flush = eadr.ADR, FlushPowerFail
		for _, strategy := range []Strategy{{Kind: Random, Points: 60, Seed: 1},
			{Kind: Calls, Points: 100}, {Kind: Fuzz, Points: 40, Seed: 2}} {
			allPass(t, (&Campaign{Setup: s, Strategy: strategy, Tails: 5}).mustRun(t))
		}
		refusedOrPassed(t, (&Campaign{Setup: s, Strategy: Strategy{Kind: Energy, Points: 60, Seed: 1}}).mustRun(t))
	}
}

// Writing lines back changes nothing but timing where the caches are protected.
func TestWritingBackIsHarmless(t *testing.T) {
	s := guestSetup(t, "maps")
	s.Flush = FlushRuntime
	allPass(t, (&Campaign{Setup: s, Strategy: Strategy{Kind: Fuzz, Points: 60, Seed: 3}, Tails: 20}).mustRun(t))
}
