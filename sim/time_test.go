package sim_test

import (
	"reflect"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim/phys"
)

// Where the time went is the same however a run was stopped, stepped and forked.
func TestTimeIsTheSameHoweverARunIsStopped(t *testing.T) {
	for _, guest := range []string{"nt", "threads"} {
		for _, cores := range []int{1, 3} {
			cfg := testrig.Config(t, guest)
			cfg.Cores = cores
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
				if got := m.Time(); !reflect.DeepEqual(got, want) {
					t.Errorf("%s on %d cores in steps of %d:\n got %+v\nwant %+v", guest, cores, step, got, want)
				}
			}
			checkTime(t, guest, cores, whole.Retired(), whole.Cycles())
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
		t.Errorf("%s on %d cores: %d cycles by core, %d in all, %d instructions and %d stalls", guest, cores, busy, cycles, retired, stalls)
	}
	if d.ElapsedCycles > busy || d.ElapsedCycles*phys.Cycles(cores) < busy || d.Hits.L1D == 0 || d.Hits.L1D > 4*retired {
		t.Errorf("%s on %d cores: %+v", guest, cores, d)
	}
}
