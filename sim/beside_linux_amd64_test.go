package sim_test

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"zhuque/eadr"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Under ADR a synchronization makes durable what was stored to the pages that it names, and a
// write makes durable its own bytes and no other.
func TestCallsBesideMappings(t *testing.T) {
	gcc := testrig.Compiler(t)
	path := filepath.Join(t.TempDir(), "beside")
	build := exec.Command(gcc, "-O1", "-nostdlib", "-static", "-fno-stack-protector",
		"-fcf-protection=none", "-o", path, "testdata/beside.c")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	elf, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		mode, what  string
		x, far      uint64 // what was stored to the first and the second page
		at, written uint64 // a word of the call's own, and its value
	}{
		{mode: "0", what: "nothing"},
		{mode: "p", what: "pwrite", at: 1024, written: 1},
		{mode: "l", what: "pwrite to the same line", at: 8, written: 1},
		{mode: "o", what: "pwrite with O_SYNC to the other page", at: 5120, written: 1, far: 43},
		{mode: "c", what: "copy_file_range", at: 1024, written: 1},
		{mode: "h", what: "a punched hole"},
		{mode: "t", what: "ftruncate"},
		{mode: "m", what: "msync of the first page", x: 42},
		{mode: "n", what: "msync of the second page", far: 43},
		{mode: "a", what: "msync MS_ASYNC"},
		{mode: "f", what: "fsync", x: 42, far: 43},
		{mode: "d", what: "fdatasync", x: 42, far: 43},
		{mode: "s", what: "sync", x: 42, far: 43},
		{mode: "y", what: "syncfs", x: 42, far: 43},
		{mode: "g", what: "fsync of another file"},
	} {
		for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
			cfg := built(t, elf)
			cfg.Args = append(cfg.Args, tc.mode)
			cfg.Memory, cfg.Power = sim.Native, eadr.Default(domain)
			whole := start(t, cfg)
			if stop := whole.Run(); !stop.Ended() || stop.ExitCode() != 0 {
				t.Fatalf("%s: %v", tc.what, stop)
			}
			again := built(t, elf)
			again.Args, again.Memory, again.Power = cfg.Args, cfg.Memory, cfg.Power
			m := start(t, again)
			to(t, m, whole.Retired()-100)
			d, _ := m.PowerCut(sim.Cut{})
			x, far, own := word(t, d, 0), word(t, d, 4096+8), word(t, d, int64(tc.at))
			if domain == eadr.EADR {
				if x != 42 {
					t.Errorf("%s: eADR leaves %d", tc.what, x)
				}
				continue
			}
			if x != tc.x || tc.mode != "t" && far != tc.far || tc.at != 0 && own != tc.written {
				t.Errorf("%s: ADR leaves %d and %d, and %d of its own; expected %d, %d, %d",
					tc.what, x, far, own, tc.x, tc.far, tc.written)
			}
		}
	}
}

// word returns a word of the file as a power cut left it.
func word(t *testing.T, d *sim.Durable, off int64) uint64 {
	t.Helper()
	id, err := d.Files.Walk(vfs.Root, "/mnt/pmem/f", true)
	if err != nil {
		t.Fatal(err)
	}
	var b [8]byte
	if _, err := d.Files.ReadAt(id, b[:], off); err != nil {
		t.Fatal(err)
	}
	return binary.LittleEndian.Uint64(b[:])
}

// What a core still buffers is lost or kept for its own sake: not for that of a line that
// somebody else has made dirty, nor without the energy to drain it.
func TestBuffersDrainIntoTheDomain(t *testing.T) {
	for _, tc := range []struct {
		name     string
		domain   eadr.Domain
		energy   phys.Opt[phys.NanoJoules]
		survives bool
	}{
		{"adr", eadr.ADR, phys.Opt[phys.NanoJoules]{}, false},
		{"eadr", eadr.EADR, phys.Opt[phys.NanoJoules]{}, true},
		{"eadr without energy", eadr.EADR, phys.Some[phys.NanoJoules](0), false},
	} {
		cfg := testrig.Config(t, "litmus")
		cfg.Memory, cfg.Power = sim.PMEM, eadr.Default(tc.domain)
		m := start(t, cfg)
		at := uint64(0)
		for n := uint64(1); at == 0; n++ {
			to(t, m, n)
			inv := m.Hierarchy().Inventory()
			if inv.BufferedStores > 0 && inv.DirtyPMEM == [3]int{} {
				at = n
			}
			if n > 1_000_000 {
				t.Fatal("no instruction has buffered stores and clean caches")
			}
		}
		before := m.Digest()
		d, rep := m.PowerCut(sim.Cut{Energy: tc.energy})
		same := true
		d.PMEM.Each(0, 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, p *mem.Page) bool {
			same = same && *p == *m.Store(f.Addr()).ReadPage(f)
			return true
		})
		if same != tc.survives {
			t.Errorf("%s: at instruction %d with %d buffered stores: all of them survived: %v",
				tc.name, at, rep.Inventory.BufferedStores, same)
		}
		d.Release()
		if m.Digest() != before {
			t.Errorf("%s: the cut changed the machine", tc.name)
		}
	}
}
