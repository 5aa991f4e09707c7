// Package testrig has what tests of several packages run guests with.
package testrig

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"zhuque/cachemodel"
	"zhuque/eadr"
	_ "zhuque/internal/start" // programs that tests run natively start alike
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
)

// EmptyRoot returns a file tree of nothing but an empty /tmp, the same in every
// process and at every time.
func EmptyRoot(t testing.TB) string {
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

// Config is a machine for an embedded guest under the Zhuque runtime, in an
// [EmptyRoot], with a console that captures.
func Config(t testing.TB, guest string) *sim.Config {
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
		Seed: 1, WallBase: 1_700_000_000_000_000_000,
		Files: vfs.Options{Root: EmptyRoot(t)}, Preload: map[string][]byte{name: elf}}
	var in []byte
	if guest == "upper" {
		in = bytes.Repeat([]byte("the quick brown fox "), 1000)
	}
	cfg.Console = kernel.NewConsole(bytes.NewReader(in), nil, nil)
	cfg.Console.Capture()
	return cfg
}

// Compiler returns the host's C compiler. Without one the test fails in CI and is
// skipped elsewhere.
func Compiler(t testing.TB) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return gcc
}
