package sim_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
)

// config is a machine for an embedded guest, in a file tree of nothing but an
// empty /tmp, with a console that captures.
func config(t testing.TB, guest string) *sim.Config {
	t.Helper()
	cache, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	elf, err := guests.Guest(guest)
	if err != nil {
		t.Fatal(err)
	}
	name := "/guest/" + guest
	cfg := &sim.Config{Program: name, Args: []string{guest}, Memory: sim.Zhuque, Model: true, Cache: cache, Power: eadr.Default(eadr.EADR),
		Seed: 1, WallBase: 1_700_000_000_000_000_000, Files: vfs.Options{Root: emptyRoot(t)}, Preload: map[string][]byte{name: elf}}
	var in []byte
	if guest == "upper" {
		in = bytes.Repeat([]byte("the quick brown fox "), 1000)
	}
	cfg.Console = kernel.NewConsole(bytes.NewReader(in), nil, nil)
	cfg.Console.Capture()
	return cfg
}

func emptyRoot(t testing.TB) string {
	t.Helper()
	root := t.TempDir()
	tmp := filepath.Join(root, "tmp")
	if err := os.Mkdir(tmp, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{tmp, root} {
		if err := os.Chtimes(dir, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// runtimeOf returns a fresh runtime for a configuration, nil where it has none.
func runtimeOf(t testing.TB, cfg *sim.Config) sim.Runtime {
	t.Helper()
	if cfg.Memory != sim.Zhuque {
		return nil
	}
	rt, err := wpp.New("")
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

func start(t testing.TB, cfg *sim.Config) *sim.Machine {
	t.Helper()
	m, err := sim.New(cfg, runtimeOf(t, cfg))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func boot(t testing.TB, d *sim.Durable, cfg *sim.Config) *sim.Machine {
	t.Helper()
	m, err := sim.Boot(d, cfg, runtimeOf(t, cfg), sim.BootOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// to runs a machine to n instructions.
func to(t testing.TB, m *sim.Machine, n uint64) {
	t.Helper()
	if stop := m.RunUntil(n); stop.Reason != sim.Reached {
		t.Fatalf("%v after %d instructions, expected to reach %d", stop, m.Retired(), n)
	}
}

// account is all that can be told of a machine, the model's counters aside.
func account(t testing.TB, m *sim.Machine) string {
	t.Helper()
	files, err := m.Durable().Files.Digest()
	if err != nil {
		t.Fatal(err)
	}
	out, errs := m.Output()
	return fmt.Sprintf("%d instructions, %s, kernel %+v, files %s, output %q, %q", m.Retired(), m.Digest(), m.Kernel().Objects(), files, out, errs)
}

// ends runs a machine to its end and accounts for it.
func ends(t testing.TB, m *sim.Machine) string {
	t.Helper()
	stop := m.Run()
	if !stop.Ended() {
		t.Fatalf("%v after %d instructions, expected the program to end", stop, m.Retired())
	}
	return fmt.Sprint(stop, " ", account(t, m))
}

// detected returns the reason of a refusal, "" for any other answer.
func detected(err error) string {
	var d *sim.Detected
	if errors.As(err, &d) {
		return d.Reason
	}
	return ""
}
