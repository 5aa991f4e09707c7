package sim_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// What a signal handler learns of every kind of processor exception is what it
// learns on this machine: signal, si_code, si_addr, trap number, error code,
// fault address, flags.
func TestFaultsAsNative(t *testing.T) {
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	path := filepath.Join(t.TempDir(), "faults")
	build := exec.Command(gcc, "-O1", "-nostdlib", "-static", "-fno-pie", "-no-pie", "-ffreestanding", "-fno-stack-protector",
		"-fno-asynchronous-unwind-tables", "-fno-tree-vectorize", "-mgeneral-regs-only", "-o", path, "testdata/faults.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	native, err := exec.Command(path).Output()
	if err != nil {
		t.Fatal(err)
	}
	elf, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		cfg := testrig.Config(t, "hello")
		cfg.Memory, cfg.Program, cfg.Args = memory, "/faults", []string{"/faults"}
		cfg.Preload = map[string][]byte{"/faults": elf}
		cfg.Console = kernel.NewConsole(bytes.NewReader(nil), nil, nil)
		cfg.Console.Capture()
		stop := start(t, cfg).Run()
		stdout, _ := cfg.Console.Output()
		got, want := strings.Split(string(stdout), "\n"), strings.Split(string(native), "\n")
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
