package sim_test

import (
	"reflect"
	"testing"

	"zhuque/cachemodel"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// The model watches; it does not change the machine. Where memory lies, and
// whether a runtime stands in between, does not change the program either.
func TestModelDoesNotChangeTheMachine(t *testing.T) {
	for _, guest := range []string{"list", "maps", "fpu", "strings", "files", "signals", "tls", "nt", "upper"} {
		var want, wantHalf string
		for _, kind := range []struct {
			memory sim.Memory
			model  bool
		}{{sim.Zhuque, true}, {sim.Zhuque, false}, {sim.Native, true}, {sim.PMEM, false}} {
			cfg := testrig.Config(t, guest)
			cfg.Memory, cfg.Model = kind.memory, kind.model
			m := start(t, cfg)
			to(t, m, 150)
			half := account(t, m)
			got := ends(t, m)
			if (m.Hierarchy() != nil) != kind.model || (m.Cycles() != 0) != kind.model {
				t.Errorf("%s, %+v: cache model %v, %d cycles", guest, kind, m.Hierarchy() != nil, m.Cycles())
			}
			if want == "" {
				want, wantHalf = got, half
			}
			if got != want {
				t.Errorf("%s, %+v: ends with\n%s\ninstead of\n%s", guest, kind, got, want)
			}
			if half != wantHalf {
				t.Errorf("%s, %+v: after 150 instructions\n%s\ninstead of\n%s", guest, kind, half, wantHalf)
			}
		}
	}
}

// Where a run is interrupted leaves no trace, in the machine or in the model.
func TestSmallStepsAndOneRunAgree(t *testing.T) {
	for _, guest := range []string{"signals", "maps", "strings", "fpu", "upper"} {
		end := uint64(9000)
		if guest == "upper" {
			end = 180
		}
		r := det.Stream(1, guest)
		steps := start(t, testrig.Config(t, guest))
		one := start(t, testrig.Config(t, guest))
		for next := end / 10; next <= end; next += end / 10 {
			for steps.Retired() < next {
				to(t, steps, min(next, steps.Retired()+1+r.Uint64N(7)))
			}
			to(t, one, next)
			fresh := start(t, testrig.Config(t, guest))
			to(t, fresh, next)
			a, b, c := account(t, steps), account(t, one), account(t, fresh)
			if a != b || b != c {
				t.Fatalf("%s after %d: in steps\n%s\nin runs\n%s\nin one run\n%s", guest, next, a, b, c)
			}
			if x, y := steps.Cycles(), fresh.Cycles(); x != y {
				t.Errorf("%s after %d: %d cycles in steps, %d in one run", guest, next, x, y)
			}
		}
	}
}

// A fork and its origin are two machines: neither sees what the other does.
func TestForkDisturbsNeither(t *testing.T) {
	for _, guest := range []string{"maps", "files", "signals", "upper"} {
		m := start(t, testrig.Config(t, guest))
		plain := start(t, testrig.Config(t, guest))
		want := map[uint64]string{}
		points := []uint64{5000, 9000, 12000}
		if guest == "upper" {
			points = []uint64{60, 110, 180}
		}
		for _, n := range points {
			to(t, plain, n)
			want[n] = account(t, plain)
		}
		end, cycles := ends(t, plain), plain.Cycles()
		to(t, m, points[0])
		c := m.Fork()
		c.Detach()
		to(t, c, points[2])
		if got := account(t, m); got != want[points[0]] {
			t.Errorf("%s: the origin became\n%s\ninstead of\n%s", guest, got, want[points[0]])
		}
		to(t, m, points[1])
		d := m.Fork() // a fork of the origin while the first fork is ahead
		if got := ends(t, m); got != end || m.Cycles() != cycles {
			t.Errorf("%s: the origin ends with\n%s, %d cycles\ninstead of\n%s, %d cycles", guest, got, m.Cycles(), end, cycles)
		}
		for _, f := range []struct {
			m *sim.Machine
			n uint64
		}{{c, points[2]}, {d, points[1]}} {
			if got := account(t, f.m); got != want[f.n] {
				t.Errorf("%s: the fork at %d became\n%s\ninstead of\n%s", guest, f.n, got, want[f.n])
			}
			if got := ends(t, f.m); got != end || f.m.Cycles() != cycles {
				t.Errorf("%s: the fork from %d ends with\n%s, %d cycles\ninstead of\n%s, %d cycles",
					guest, f.n, got, f.m.Cycles(), end, cycles)
			}
		}
	}
}

// A power cut takes an image and leaves the machine, its model included, as it was.
func TestPowerCutLeavesTheMachineUnchanged(t *testing.T) {
	cuts := []sim.Cut{{}, {Cut: cachemodel.Cut{Keep: phys.Some(0), LoseWC: true}}, {Cut: cachemodel.Cut{Keep: phys.Some(2)}},
		{Energy: phys.Some[phys.NanoJoules](70_000_000)}, {Energy: phys.Some[phys.NanoJoules](78_000_000)}}
	for _, guest := range []string{"list", "nt", "files", "signals"} {
		plain, m := start(t, testrig.Config(t, guest)), start(t, testrig.Config(t, guest))
		for i := range 40 {
			n := uint64(i)*211 + 37
			to(t, plain, n)
			to(t, m, n)
			before := account(t, m)
			d, rep := m.PowerCut(cuts[i%len(cuts)])
			if rep.Power.Clean {
				got := boot(t, d, m.Config())
				got.RunUntil(n + 500) // the survivor does as it likes
			}
			d.Release()
			if after := account(t, m); after != before {
				t.Fatalf("%s: the cut after %d made\n%s\nof\n%s", guest, n, after, before)
			}
			if a, b := m.Counters(), plain.Counters(); !reflect.DeepEqual(a, b) || m.Cycles() != plain.Cycles() {
				t.Fatalf("%s after %d: counters %+v instead of %+v", guest, n, a, b)
			}
		}
		if a, b := ends(t, m), ends(t, plain); a != b || m.Cycles() != plain.Cycles() {
			t.Errorf("%s ends with\n%s\ninstead of\n%s", guest, a, b)
		}
	}
}

// A limit on instructions stops a run, and the same machine does not go on.
func TestInstructionLimit(t *testing.T) {
	cfg := testrig.Config(t, "list")
	cfg.MaxInstructions = 1000
	m := start(t, cfg)
	if stop := m.Run(); stop.Reason != sim.OutOfBudget || m.Retired() != 1000 {
		t.Errorf("%v after %d instructions", stop, m.Retired())
	}
}

func TestNoRuntimeNoRestart(t *testing.T) {
	cfg := testrig.Config(t, "list")
	cfg.Memory = sim.PMEM
	m := start(t, cfg)
	to(t, m, 1000)
	d, _ := m.PowerCut(sim.Cut{})
	if _, err := sim.Boot(d, cfg, nil, sim.BootOptions{}); detected(err) == "" {
		t.Errorf("a process without a runtime restarts: %v", err)
	}
}
