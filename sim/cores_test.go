package sim_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"zhuque/crashinject/check"
	"zhuque/eadr"
	"zhuque/internal/testrig"
	"zhuque/sim"
)

// onCores is a machine with n cores for a guest.
func onCores(t testing.TB, guest string, n int) *sim.Config {
	t.Helper()
	cfg := testrig.Config(t, guest)
	cfg.Cores = n
	return cfg
}

// How many cores there are changes nothing that a program without races sees, whatever
// the order of turns; with the same turns it changes nothing at all, nor does the cache
// model.
func TestCoresDoNotChangeTheProgram(t *testing.T) {
	want := map[string]string{}
	for _, cores := range []int{1, 2, 3, 8} {
		for _, model := range []bool{true, false} {
			cfg := onCores(t, "threads", cores)
			cfg.Model, cfg.Quantum = model, 300
			m := start(t, cfg)
			for _, n := range []uint64{500, 20_001, 40_000, 45_678} {
				to(t, m, n)
				at := fmt.Sprint("digest after ", n)
				if d := m.Digest(); want[at] == "" {
					want[at] = d
				} else if d != want[at] {
					t.Errorf("%d cores, model %t: another %s", cores, model, at)
				}
			}
			if end := ends(t, m); want["end"] == "" {
				want["end"] = end
			} else if end != want["end"] {
				t.Errorf("%d cores, model %t:\n%.300s\nthe first:\n%.300s", cores, model, end, want["end"])
			}
		}
		for _, guest := range []string{"threads", "litmus"} {
			for seed := range uint64(4) {
				cfg := onCores(t, guest, cores)
				cfg.Seed = seed
				m := start(t, cfg)
				stop := m.Run()
				out, errs := m.Output()
				if got := fmt.Sprintf("%v %s%s", stop, out, errs); want[guest] == "" {
					want[guest] = got
				} else if got != want[guest] {
					t.Errorf("%s on %d cores, seed %d: %s", guest, cores, seed, got)
				}
			}
		}
	}
}

// A turn of another core's thread leaves the store buffer of the one before alone.
func TestTurnsDoNotDrainOtherCores(t *testing.T) {
	m := start(t, onCores(t, "threads", 4))
	most := 0
	for n := uint64(20_000); n < 22_000; n++ {
		to(t, m, n)
		buffering := 0
		for core := range m.Cores() {
			if core != m.Executing() && m.Hierarchy().Core(core).BufferedStores() > 0 {
				buffering++
			}
		}
		most = max(most, buffering)
	}
	if most < 2 {
		t.Errorf("at most %d cores hold stores back while another executes, expected several", most)
	}
}

// Another process with the same seed and cores comes to the same digest.
func TestCoresInAnotherProcess(t *testing.T) {
	const child = "SIM_TEST_CORES"
	m := start(t, onCores(t, "threads", 4))
	to(t, m, 30_000)
	line := fmt.Sprintf("digest %s, %d cycles\n", m.Digest(), m.Cycles())
	if os.Getenv(child) != "" {
		fmt.Print(line)
		return
	}
	cmd := exec.Command(os.Args[0], "-test.run=^TestCoresInAnotherProcess$", "-test.count=1")
	cmd.Env = append(os.Environ(), child+"=1")
	if got, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(got), line) {
		t.Errorf("%v: the second process says\n%s\nwithout\n%s", err, got, line)
	}
}

// An image is of a machine with so many cores, and refused by others.
func TestImageOfOtherCoresIsRefused(t *testing.T) {
	file := image(t, onCores(t, "threads", 2), 30_000, "")
	for _, cores := range []int{1, 3, 64} {
		if _, err := resume(t, onCores(t, "threads", cores), file); !strings.Contains(detected(err), "2 cores") {
			t.Errorf("on %d cores: %v", cores, err)
		}
	}
	if m, err := resume(t, onCores(t, "threads", 2), file); err != nil || m.Retired() != 30_000 {
		t.Errorf("on as many cores: %v", err)
	}
	cfg := onCores(t, "threads", 65)
	if _, err := sim.New(cfg, runtimeOf(t, cfg)); err == nil {
		t.Error("a machine with 65 cores starts")
	}
}

// A restarted machine holds on each core what the dead one held there.
func TestCoresGetTheirThreadsBack(t *testing.T) {
	for _, cores := range []int{1, 2, 3, 4} {
		cfg := onCores(t, "threads", cores)
		m := start(t, cfg)
		for n := uint64(20_000); n < 30_000; n += 777 {
			to(t, m, n)
			d, rep := m.PowerCut(sim.Cut{})
			b := boot(t, d, cfg)
			if rep.Power.Steps[eadr.SaveRegisters].Items < 13*min(cores, 5) {
				t.Errorf("%d cores save %d lines", cores, rep.Power.Steps[eadr.SaveRegisters].Items)
			}
			for core := range cores {
				want, wr := m.Held(core)
				if m.Kernel().Thread(want) == nil {
					want, wr = b.Held(core) // it has ended, and nobody needs its registers
				}
				if got, gr := b.Held(core); got != want || gr != wr {
					t.Errorf("%d cores, after %d instructions: core %d holds thread %d instead of %d, registers equal: %t",
						cores, n, core, got, want, gr == wr)
				}
			}
			if b.Executing() != m.Executing() {
				t.Errorf("%d cores, after %d instructions: core %d executes instead of %d", cores, n, b.Executing(), m.Executing())
			}
			same(t, m, b)
			d.Release()
		}
	}
}

// Skew moves the threads of other cores on, as far as they get without the kernel, and
// leaves two machines in the same state, one of which is cut and restarted there.
func TestSkew(t *testing.T) {
	cfg := onCores(t, "threads", 4)
	m := start(t, cfg)
	moved, stopped := 0, 0
	for n := uint64(20_000); n < 26_000; n += 111 {
		to(t, m, n)
		a, b := m.Fork(), m.Fork()
		for core := range 5 { // there are four
			const far = 20
			var tid int32
			if core < 4 {
				tid, _ = m.Held(core)
			}
			ran, other := a.Skew(core, far), b.Skew(core, far)
			switch {
			case ran != other:
				t.Fatalf("core %d runs on %d instructions and %d", core, ran, other)
			case ran != 0 && (core == m.Executing() || core == 4):
				t.Errorf("core %d runs on", core)
			case core == 4 || m.Kernel().Thread(tid) == nil || core == m.Executing():
			case ran == far:
				moved++
			default:
				stopped++
				if regs := a.Registers(a.Kernel().Thread(tid)); code(t, a, regs.RIP) != 0x050f {
					t.Errorf("core %d stops after %d instructions at %#x, where no SYSCALL is", core, ran, regs.RIP)
				}
			}
		}
		if a.Digest() != b.Digest() || a.Executing() != m.Executing() || a.Kernel().Current() != m.Kernel().Current() {
			t.Fatalf("after %d instructions and skew the machines differ", n)
		}
		d, _ := a.PowerCut(sim.Cut{})
		restarted := boot(t, d, cfg)
		same(t, b, restarted)
		if x, y := restarted.Run(), b.Run(); x != y || !x.Ended() || restarted.Retired() != b.Retired() {
			t.Fatalf("skew after %d instructions: %v after %d instructions instead of %v after %d",
				n, x, restarted.Retired(), y, b.Retired())
		}
	}
	if moved < 5 || stopped < 5 {
		t.Errorf("%d cores ran all instructions, %d stopped at a system call: expected both", moved, stopped)
	}
}

// same compares all that a program can see.
func same(t testing.TB, want, got *sim.Machine) {
	t.Helper()
	var c check.Comparer
	if r := c.Compare(want, got); !r.OK() {
		t.Fatalf("after %d instructions: %s", want.Retired(), strings.Join(r.Differences, "; "))
	}
}

// code returns the two bytes at rip.
func code(t testing.TB, m *sim.Machine, rip uint64) uint16 {
	t.Helper()
	b := make([]byte, 2)
	if n := m.Kernel().MM.Peek(rip, b); n != 2 {
		t.Fatalf("no code at %#x", rip)
	}
	return uint16(b[0]) | uint16(b[1])<<8
}
