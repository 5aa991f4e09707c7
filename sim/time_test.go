package sim_test

import (
	"fmt"
	"reflect"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// near is within 2 %.
func near(a, b phys.Cycles) bool { return a*100 < b*102 && b*100 < a*102 }

// Where the time went is the same however a run was stopped, stepped and forked. With the timed
// model nearly: which load needs which is known within a block, and a stop begins one.
func TestTimeIsTheSameHoweverARunIsStopped(t *testing.T) {
	for _, guest := range []string{"nt", "threads"} {
		for _, how := range []struct {
			cores        int
			timed, clock bool
		}{{1, false, false}, {3, false, false}, {1, true, false}, {3, true, false}, {3, true, true}} {
			cores := how.cores
			cfg := testrig.Config(t, guest)
			cfg.Cores, cfg.Cache.Timing.On, cfg.ModelClock = cores, how.timed, how.clock
			whole := start(t, cfg)
			whole.Run()
			want := whole.Time()
			for _, step := range []uint64{7, 1000} {
				m := start(t, cfg)
				for n := uint64(0); n < 20_000 && m.RunUntil(m.Retired()+step).Reason == 0; n++ {
					if n%50 == 0 {
						f := m.Fork()
						m.Free()
						m = f
					}
				}
				m.Run()
				if got := m.Time(); how.timed {
					if step == 1000 && !near(got.ElapsedCycles, want.ElapsedCycles) {
						t.Errorf("%s on %d cores in steps of %d: %d cycles elapse, in one go %d",
							guest, cores, step, got.ElapsedCycles, want.ElapsedCycles)
					}
				} else if !reflect.DeepEqual(got, want) {
					t.Errorf("%s on %d cores in steps of %d:\n got %+v\nwant %+v", guest, cores, step, got, want)
				}
			}
			if !how.timed {
				checkTime(t, guest, cores, whole.Retired(), whole.Cycles())
			}
		}
	}
}

// checkTime runs a guest and checks that its time adds up.
func checkTime(t *testing.T, guest string, cores int, retired uint64, cycles phys.Cycles) {
	t.Helper()
	cfg := testrig.Config(t, guest)
	cfg.Cores = cores
	m := start(t, cfg)
	m.Run()
	var busy, stalls phys.Cycles
	d := m.Time()
	for _, c := range d.CoreCycles {
		busy += c
	}
	for _, c := range d.Stalls {
		stalls += c
	}
	if busy != cycles || busy != phys.Cycles(retired)+stalls {
		t.Errorf("%s on %d cores: %d cycles by core, %d in all, %d instructions and %d stalls",
			guest, cores, busy, cycles, retired, stalls)
	}
	if d.ElapsedCycles > busy || d.ElapsedCycles*phys.Cycles(cores) < busy || d.Hits.L1D == 0 || d.Hits.L1D > 4*retired {
		t.Errorf("%s on %d cores: %+v", guest, cores, d)
	}
}

// Devices and overlapping misses change times only: registers, memory, output and what a
// power cut leaves are the same with the model full and timed, and the first three without it.
func TestTimedModelChangesTimesOnly(t *testing.T) {
	for _, guest := range []string{"nt", "threads", "list", "shared", "litmus"} {
		for _, cores := range []int{1, 2} {
			var ends [3]string
			var cuts [3]string
			for i := range ends {
				cfg := testrig.Config(t, guest)
				cfg.Cores, cfg.Model, cfg.Cache.Timing.On = cores, i > 0, i == 2
				m := start(t, cfg)
				m.RunUntil(30_000)
				_, rep := m.PowerCut(sim.Cut{})
				cuts[i] = fmt.Sprintf("%+v", rep.Inventory)
				m = start(t, cfg)
				m.Run()
				ends[i] = account(t, m)
			}
			if ends[0] != ends[1] || ends[1] != ends[2] {
				t.Errorf("%s on %d cores differs:\n%s\n%s\n%s", guest, cores, ends[0], ends[1], ends[2])
			}
			if cuts[1] != cuts[2] {
				t.Errorf("%s on %d cores: a cut finds %s with the full model, %s with the timed", guest, cores, cuts[1], cuts[2])
			}
		}
	}
}

// clocks runs the guest clocks on the timed model with its own time and returns what it
// printed and the nanoseconds between its marks.
func clocks(t *testing.T, cores int, change func(*sim.Config), args ...string) (out string, took phys.Nanos) {
	t.Helper()
	cfg := testrig.Config(t, "clocks")
	cfg.Args, cfg.Cores = append([]string{"clocks"}, args...), cores
	cfg.Cache.Timing.On, cfg.ModelClock, cfg.Kernel = true, true, kernel.DefaultCosts()
	cfg.OnMark = func(m *sim.Machine, n uint64) { took = m.Time().ElapsedNanos - took }
	change(cfg)
	m := start(t, cfg)
	if stop := m.Run(); stop.Reason != sim.Exited || stop.Status != 0 {
		t.Fatalf("clocks %v: %v", args, stop)
	}
	text, _ := m.Output()
	return string(text), took
}

// A thread that counts while another one reads from persistent memory counts more, the longer
// each read takes.
func TestWhoWaitsLongerIsCountedLonger(t *testing.T) {
	last := uint64(0)
	for _, read := range []phys.Nanos{10, 305, 3050} {
		text, _ := clocks(t, 2, func(cfg *sim.Config) { cfg.Memory, cfg.Cache.PMEMRead = sim.PMEM, read }, "count", "500")
		var n uint64
		if _, err := fmt.Sscanf(text, "clocks: counted %d", &n); err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if n <= last*5/4 {
			t.Errorf("with reads of %d ns it counts %d rounds, with shorter ones %d", read, n, last)
		}
		last = n
	}
}

// What a lock costs does not follow the quantum, which is no time of the machine's.
func TestALockTakesAsLongForEveryQuantum(t *testing.T) {
	var first phys.Nanos
	for _, quantum := range []uint64{1, 60, 200, 5000, 1 << 40} {
		_, took := clocks(t, 2, func(cfg *sim.Config) { cfg.Quantum = quantum }, "lock", "500")
		if first == 0 {
			first = took
		}
		if took == 0 || took > first*110/100 || first > took*110/100 {
			t.Errorf("with a quantum of %d it takes %d ns, first %d", quantum, took, first)
		}
	}
}

// Who naps wakes when its own clock says so, on one core, several, and beside a thread that computes.
func TestNapsLastAsLongAsTheyShould(t *testing.T) {
	for _, cores := range []int{1, 2} {
		clocks(t, cores, func(*sim.Config) {}, "sleep", "20")
	}
}

// The kernel's work takes time in the timed model only, for each cause; and nothing but time.
func TestTheKernelsWorkTakesTime(t *testing.T) {
	run := func(change func(*sim.Config)) (sim.Time, string) {
		cfg := testrig.Config(t, "processes")
		cfg.Cache.Timing.On, cfg.Kernel = true, kernel.DefaultCosts()
		change(cfg)
		m := start(t, cfg)
		m.Run()
		return m.Time(), account(t, m)
	}
	timed, text := run(func(*sim.Config) {})
	free, same := run(func(cfg *sim.Config) { cfg.Kernel = kernel.CostNanos{} })
	full, alike := run(func(cfg *sim.Config) { cfg.Cache.Timing.On = false })
	if text != same || text != alike {
		t.Errorf("costs change more than time:\n%s\n%s\n%s", text, same, alike)
	}
	sum := phys.Cycles(0)
	for c := range kernel.Costs {
		cause := c.Cause()
		if free.Stalls[cause] >= timed.Stalls[cause] && cause != kernel.CausePacket ||
			cause != kernel.CauseCall && full.Stalls[cause] != 0 {
			t.Errorf("%s: %d cycles, without costs %d, in the full model %d",
				cause, timed.Stalls[cause], free.Stalls[cause], full.Stalls[cause])
		}
	}
	for _, n := range timed.Stalls {
		sum += n
	}
	if timed.CoreCycles[0] < sum {
		t.Errorf("%d stalls in %d cycles", sum, timed.CoreCycles[0])
	}
}
