package sim_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// restartable is a machine for testdata/restart.c.
func restartable(t *testing.T, memory sim.Memory) *sim.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "restart")
	if out, err := exec.Command(testrig.Compiler(t), "-O1", "-static",
		"-o", path, "testdata/restart.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	elf, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	cfg := built(t, elf)
	cfg.Memory, cfg.Outage = memory, 100e9
	return cfg
}

// says runs a machine until it has written a line beyond what before holds, and a bit on.
func says(t *testing.T, m *sim.Machine, before string) string {
	t.Helper()
	for range 200 {
		to(t, m, m.Retired()+10_000)
		if out, _ := m.Output(); len(out) > len(before) {
			to(t, m, m.Retired()+777)
			return strings.TrimPrefix(string(out), before)
		}
	}
	t.Fatal("the program says nothing")
	return ""
}

func restart(t *testing.T, d *sim.Durable, cfg *sim.Config, p sim.Program) *sim.Machine {
	t.Helper()
	m, err := sim.Restart(d, cfg, runtimeOf(t, cfg), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A new process finds the files as the cut left them and nothing else of the dead one:
// once, and again after the next cut. Clocks and random numbers are those of a machine
// that was switched on again.
func TestRestart(t *testing.T) {
	for _, memory := range []sim.Memory{sim.Zhuque, sim.Native, sim.PMEM} {
		cfg := restartable(t, memory)
		m := start(t, cfg)
		own := m.Durable().PMEM.Touched()
		var before string
		var wall int64 = 1_700_000_000
		random := map[string]bool{}
		mono := 3 // the first run sleeps
		for cycle := uint64(0); cycle < 4; cycle++ {
			out := says(t, m, before)
			var pool0, pool1, plain, cell, lock, record, args int
			var rnd string
			var at, up, cpu int64
			if _, err := fmt.Sscanf(strings.ReplaceAll(out, ",", ""),
				"run %d %d plain %d cell %d lock %d %d random %s wall %d mono %d cpu %d args %d",
				&pool0, &pool1, &plain, &cell, &lock, &record, &rnd, &at, &up, &cpu, &args); err != nil {
				t.Fatalf("%s: %v: %q", memory, err, out)
			}
			n := int(cycle) + 1
			if pool0 != n || pool1 != 10*n || plain != int(cycle) || cell != 1 ||
				lock != 0 || record != 0 || int(up) != mono || cpu != 1 || args != 1+int(cycle) {
				t.Errorf("%s, power cycle %d: %s", memory, cycle, out)
			}
			if at != wall+int64(mono) {
				t.Errorf("%s, power cycle %d: the wall clock is %d s after the start of this one", memory, cycle, at-wall)
			}
			if random[rnd] {
				t.Errorf("%s, power cycle %d has the random numbers of another: %s", memory, cycle, rnd)
			}
			random[rnd] = true
			wall, mono = at+100, 0
			before += out
			nodes := m.Durable().Files.Statfs().Nodes
			d, _ := m.PowerCut(sim.Cut{})
			if d.PowerCycles != cycle+1 {
				t.Errorf("%s: %d power cycles after cut %d", memory, d.PowerCycles, cycle+1)
			}
			m = restart(t, d, cfg, sim.Program{Args: append([]string{"/built"}, make([]string, cycle+1)...)})
			pages := int64(0)
			m.Durable().PMEM.Each(phys.PMEMBase.Frame(), vfs.FrameBase.Frame(),
				func(phys.Frame, *mem.Page) bool { pages++; return true })
			if pages != own {
				t.Errorf("%s: %d pages of persistent memory belong to the new process, expected %d: does the old one keep some?",
					memory, pages, own)
			}
			if left := m.Durable().Files.Statfs().Nodes; left != nodes-1 {
				t.Errorf("%s: %d nodes of %d are left, expected that the deleted one goes", memory, left, nodes)
			}
		}
	}
}

// A call that is cut in half has happened or it has not, as its commit says.
func TestRestartResolvesTheCallInFlight(t *testing.T) {
	cfg := restartable(t, sim.Zhuque)
	m := start(t, cfg)
	var sizes []int64
	size := func(m *sim.Machine) int64 {
		id, err := m.Durable().Files.Walk(vfs.Root, "/tmp/plain", true)
		if err != nil {
			return -1
		}
		return m.Durable().Files.Size(id)
	}
	for size(m) < 0 { // the call that creates the file comes with this step
		to(t, m, m.Retired()+1)
	}
	for {
		ahead := m.Fork()
		to(t, ahead, m.Retired()+1)
		if size(ahead) == 1 {
			break
		}
		to(t, m, m.Retired()+1)
	}
	for step := uint64(1); ; step++ {
		dying := m.Fork()
		dying.ArmStep(step)
		stop := dying.RunUntil(m.Retired() + 1)
		d, _ := dying.PowerCut(sim.Cut{})
		sizes = append(sizes, size(restart(t, d, cfg, sim.Program{})))
		if stop.Reason != sim.PowerLost {
			break
		}
	}
	if len(sizes) < 20 || sizes[0] != 0 || !slices.IsSorted(sizes) ||
		sizes[len(sizes)-1] != 1 || sizes[len(sizes)-3] != 1 {
		t.Errorf("sizes of a file by the store of the runtime before which the power goes: %v", sizes)
	}
}
