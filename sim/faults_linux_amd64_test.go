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
	"zhuque/sim/x86/hwtest"
)

// build compiles a program of testdata and returns it with what it prints natively.
func build(t *testing.T, name string) (elf []byte, output string) {
	t.Helper()
	gcc := testrig.Compiler(t)
	path := filepath.Join(t.TempDir(), name)
	build := exec.Command(gcc, "-O1", "-nostdlib", "-static",
		"-fno-pie", "-no-pie", "-ffreestanding", "-fno-stack-protector",
		"-fno-asynchronous-unwind-tables", "-fno-tree-vectorize", "-mgeneral-regs-only", "-o", path, "testdata/"+name+".c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	run := exec.Command(path)
	run.Env = []string{}
	native, err := run.Output()
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

// cases divides a transcript: a line that begins with a space belongs to the one before.
func cases(text string) []string {
	return strings.Split(strings.ReplaceAll(text, "\n ", "\x00 "), "\n")
}

// recorded returns the transcript of a program of testdata, written on a host that has
// everything, after comparing it with what this host's processor and kernel did: but for the
// cases that they cannot do, which absent names.
func recorded(t *testing.T, name, native string, absent func(recorded string) bool) string {
	t.Helper()
	want, err := os.ReadFile("testdata/" + name + ".txt")
	if err != nil {
		t.Fatal(err)
	}
	list, here := cases(string(want)), cases(native)
	if len(list) != len(here) {
		t.Fatalf("%s: %d cases are recorded, natively there are %d", name, len(list), len(here))
	}
	left := 0
	for i := range list {
		switch {
		case absent(list[i]):
			left++
		case list[i] != here[i]:
			t.Errorf("recorded: %s\nnatively: %s", list[i], here[i])
		}
	}
	if left > 0 {
		t.Logf("%d of %d cases are not compared with this host, which lacks what they need or does them otherwise",
			left, len(list))
	}
	return string(want)
}

// ofAMD reports whether a case is one in which Intel's processors do otherwise than AMD's, on
// which the transcript was written: RF between the iterations of a string instruction, a second
// load of SS in a row, #AC of 16 bytes.
func ofAMD(recorded string) bool {
	return strings.HasPrefix(recorded, "steps and a string") || strings.HasPrefix(recorded, "steps and two loads of ss") ||
		strings.HasPrefix(recorded, "misaligned movups")
}

// What a signal handler learns of every kind of processor exception is what it
// learns on this machine: signal, si_code, si_addr, trap number, error code,
// fault address, flags.
func TestFaultsAsNative(t *testing.T) {
	elf, native := build(t, "faults")
	// A kernel without 32-bit programs has neither their calls nor their code segment.
	only64 := strings.Contains(native, "int 0x80: close: signal b")
	want := strings.Split(recorded(t, "faults", native, func(of string) bool {
		return hwtest.Intel() && ofAMD(of) || only64 &&
			(strings.Contains(of, "int 0x80") || strings.HasPrefix(of, "segment: ") && strings.Contains(of, " rax 23 "))
	}), "\n")
	if len(want) < 300 {
		t.Errorf("only %d lines are recorded", len(want))
	}
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		cfg := built(t, elf)
		cfg.Memory = memory
		stop := start(t, cfg).Run()
		stdout, _ := cfg.Console.Output()
		got := strings.Split(string(stdout), "\n")
		if len(got) != len(want) {
			t.Fatalf("%d lines, recorded are %d; %v", len(got), len(want), stop)
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("the simulator: %s\nrecorded: %s", got[i], want[i])
			}
		}
	}
}

// Breakpoints and single steps come once each, wherever the power fails: behind any
// instruction and before any store of the runtime. A core's number is the same for
// getcpu, RDTSCP, RDPID and LSL.
func TestTrapsAsNative(t *testing.T) {
	elf, native := build(t, "traps")
	flags, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	want := recorded(t, "traps", native, func(string) bool {
		lines++
		return lines == 5 && !bytes.Contains(flags, []byte(" rdpid")) // its kernel tells no program the core's number
	})
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
			t.Fatalf("%d cores: %v\n%s\nrecorded\n%s", cores, stop, out, want)
		}
		length, end := m.Retired(), check.EndOf(m, stop)
		survives := func(m *sim.Machine, what string, args ...any) {
			d, _ := m.PowerCut(sim.Cut{})
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
