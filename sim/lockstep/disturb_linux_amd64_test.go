package lockstep

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/cpu"

	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

func startGuest(t *testing.T, name string) func() (*sim.Machine, error) {
	t.Helper()
	return startGuestOn(t, x86.V2, name)
}

func startGuestOn(t *testing.T, level x86.Level, name string) func() (*sim.Machine, error) {
	t.Helper()
	elf, err := guests.Guest(name)
	if err != nil {
		t.Fatal(err)
	}
	root := t.TempDir()
	return func() (*sim.Machine, error) {
		path := "/guest/" + name
		cfg := &sim.Config{Program: path, Args: []string{name}, Memory: sim.Native, Level: level, Seed: 1, Files: vfs.Options{Root: root},
			Preload: map[string][]byte{path: elf}, Console: kernel.NewConsole(bytes.NewReader(nil), nil, nil)}
		cfg.Console.Capture()
		return sim.New(cfg, nil)
	}
}

// A model that goes wrong in one bit, once, is found at the instruction that did
// it, whatever the bit belongs to.
func TestDisturbedModelIsFound(t *testing.T) {
	const at = 12_345 // retired when the model is disturbed, by its last instruction
	type write = func(uint64, []byte) error
	stack := func(m *sim.Machine, off uint64) phys.Addr {
		va := m.CPU().R[x86.RSP] - off
		v, ok := m.Kernel().MM.Find(va)
		if !ok {
			t.Fatal("no stack")
		}
		return v.Phys + phys.Addr(va-v.Start)
	}
	flip := func(m *sim.Machine, a phys.Addr) {
		var b [1]byte
		m.Store(a).Read(a, b[:])
		b[0] ^= 4
		m.Store(a).Write(a, b[:])
		m.Port().FlushTLB()
	}
	for _, c := range []struct {
		name, field string
		disturb     func(m *sim.Machine, w write)
	}{
		{"register", "r13: model", func(m *sim.Machine, _ write) { m.CPU().R[x86.R13] ^= 1 << 40 }},
		{"flag", "flags: model", func(m *sim.Machine, _ write) { m.CPU().SetRFlags(m.CPU().RFlags() ^ x86.SF) }},
		{"direction flag", "flags: model", func(m *sim.Machine, _ write) { m.CPU().SetRFlags(m.CPU().RFlags() ^ x86.DF) }},
		{"rip", "rip: model", func(m *sim.Machine, _ write) { m.CPU().RIP++ }},
		{"fs base", "fs base: model", func(m *sim.Machine, _ write) { m.CPU().SegBase[x86.SegFS] ^= 1 << 12 }},
		{"sse", "xmm11: model", func(m *sim.Machine, _ write) { m.CPU().V[11][1] ^= 1 }},
		{"mxcsr", "mxcsr: model", func(m *sim.Machine, _ write) { m.CPU().MXCSR ^= 1 << 5 }},
		{"x87 register", "st(", func(m *sim.Machine, _ write) { m.CPU().FPU.Reg[3].Mant ^= 1 }},
		{"x87 status", "x87 status word: model", func(m *sim.Machine, _ write) { m.CPU().FPU.SW ^= 1 << 8 }},
		{"memory", "memory at", func(m *sim.Machine, _ write) { flip(m, stack(m, 64)) }},
		{"memory never used before", "memory at", func(m *sim.Machine, _ write) { flip(m, stack(m, 1<<20)) }},
		{"missed store", "memory at", func(m *sim.Machine, w write) {
			if err := w(m.CPU().R[x86.RSP]-1<<20, []byte{1}); err != nil {
				t.Error(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			done := 0
			r, err := Run(Options{Start: startGuest(t, "fpu"), Max: 20_000, disturb: func(m *sim.Machine, w func(uint64, []byte) error) {
				if m.Retired() == at {
					c.disturb(m, w)
					done++
				}
			}})
			var notHere *NotHere
			if errors.As(err, &notHere) && os.Getenv("CI") != "true" {
				t.Skip(err)
			}
			if err != nil {
				t.Fatal(err)
			}
			d := r.Difference
			if done == 0 || d == nil {
				t.Fatalf("disturbed %d times and not found: %+v", done, r)
			}
			if d.Instruction != at-1 || d.Window != 1 || !strings.Contains(strings.Join(d.Fields, "\n"), c.field) {
				t.Errorf("disturbed at instruction %d; found\n%s", at-1, d)
			}
			for _, part := range []string{"before:\n  rax", "model:\n  rax", "processor:\n  rax", c.field} {
				if !strings.Contains(d.String(), part) {
					t.Errorf("the text lacks %q:\n%s", part, d)
				}
			}
		})
	}
}

// On a v3 processor all 256 bits of the vector registers are compared.
func TestDisturbedUpperHalfIsFound(t *testing.T) {
	if !cpu.X86.HasAVX2 {
		t.Skip("the host lacks AVX2")
	}
	const at = 90_000 // retired when the model is disturbed: in the loop of vectors
	r, err := Run(Options{Start: startGuestOn(t, x86.V3, "ymm"), From: at - 5000, Max: 10_000, disturb: func(m *sim.Machine, _ func(uint64, []byte) error) {
		if m.Retired() == at {
			m.CPU().V[3][3] ^= 1 << 63
		}
	}})
	var notHere *NotHere
	if errors.As(err, &notHere) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	if d := r.Difference; d == nil || d.Instruction != at-1 || !strings.Contains(d.String(), "ymm3, upper half: model") {
		t.Errorf("disturbed at instruction %d; found\n%v", at-1, d)
	}
}

// An exception that one side only has is a difference.
func TestExceptionOnOneSide(t *testing.T) {
	r, err := Run(Options{Start: startGuest(t, "fpu"), Max: 20_000, disturb: func(m *sim.Machine, w func(uint64, []byte) error) {
		if m.Retired() == 5000 {
			// UD2 in the process, where the model goes on.
			if err := w(m.CPU().RIP, []byte{0x0f, 0x0b}); err != nil {
				t.Error(err)
			}
		}
	}})
	if errors.As(err, new(*NotHere)) && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	d := r.Difference
	if d == nil || d.Instruction != 5000 || !strings.Contains(d.String(), "signal illegal instruction") ||
		!strings.Contains(d.String(), "the model: no exception") {
		t.Errorf("%+v\n%s", r, d)
	}
}
