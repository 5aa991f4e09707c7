package sim_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject/check"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// build compiles a program of testdata and returns it with what it prints natively.
func build(t *testing.T, name string) (elf []byte, output string) {
	t.Helper()
	gcc := testrig.Compiler(t)
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command(gcc, "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-ffreestanding", "-fno-stack-protector",
		"-fno-asynchronous-unwind-tables", "-fno-tree-vectorize", "-mgeneral-regs-only", "-o", path, "testdata/"+name+".c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	native, err := exec.Command(path).Output()
	if err != nil {
		t.Fatal(err)
	}
	if elf, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	return elf, string(native)
}

// built is a machine for what build made.
func built(t testing.TB, elf []byte) *sim.Config {
	cfg := testrig.Config(t, "hello")
	cfg.Program, cfg.Args = "/built", []string{"/built"}
	cfg.Preload = map[string][]byte{"/built": elf}
	cfg.Console = kernel.NewConsole(bytes.NewReader(nil), nil, nil)
	cfg.Console.Capture()
	return cfg
}

// What a signal handler learns of every kind of processor exception is what it
// learns on this machine: signal, si_code, si_addr, trap number, error code,
// fault address, flags.
func TestFaultsAsNative(t *testing.T) {
	elf, native := build(t, "faults")
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		cfg := built(t, elf)
		cfg.Memory = memory
		stop := start(t, cfg).Run()
		stdout, _ := cfg.Console.Output()
		got, want := strings.Split(string(stdout), "\n"), strings.Split(native, "\n")
		if len(want) < 300 || len(got) != len(want) {
			t.Fatalf("%d lines, natively %d; %v", len(got), len(want), stop)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("the simulator: %s\nthe processor: %s", got[i], want[i])
			}
		}
	}
}

// Breakpoints and single steps come once each, wherever the power fails: behind any
// instruction and before any store of the runtime. A core's number is the same for
// getcpu, RDTSCP, RDPID and LSL.
func TestTrapsAsNative(t *testing.T) {
	elf, want := build(t, "traps")
	for _, cores := range []int{1, 3} {
		machine := func() *sim.Machine {
			cfg := built(t, elf)
			cfg.Cores = cores
			return start(t, cfg)
		}
		m := machine()
		type call struct{ at, steps uint64 }
		var calls []call
		m.OnCall(func(at, steps uint64) { calls = append(calls, call{at, steps}) })
		stop := m.Run()
		if out, _ := m.Output(); string(out) != want || stop.ExitCode() != 0 {
			t.Fatalf("%d cores: %v\n%s\nnatively\n%s", cores, stop, out, want)
		}
		length, end := m.Retired(), check.EndOf(m, stop)
		survives := func(m *sim.Machine, what string, args ...any) {
			d, _ := m.PowerCut(sim.Cut{KeepStores: sim.Drain})
			b := boot(t, d, m.Config())
			if r := check.Ends(end, check.EndOf(b, b.Run())); !r.OK() {
				t.Errorf("%d cores, cut "+what+": %v", append(append([]any{cores}, args...), r.Differences)...)
			}
		}
		main, cut := machine(), 0
		for n := range length {
			to(t, main, n)
			survives(main.Fork(), "after %d", n)
			for ; len(calls) > 0 && calls[0].at == n; calls = calls[1:] {
				before := cut
				for step := 1 + n%9; step <= calls[0].steps; step += 9 {
					m := main.Fork()
					m.ArmStep(step)
					if stop := m.RunUntil(n + 1); stop.Reason == sim.PowerLost {
						survives(m, "after %d, store %d", n, step)
						cut++
					}
				}
				if cut == before && calls[0].steps >= 9 {
					t.Errorf("%d cores: the call after %d cannot be cut", cores, n)
				}
			}
		}
		t.Logf("%d cores: %d cuts behind instructions, %d inside calls", cores, length, cut)
	}
}
