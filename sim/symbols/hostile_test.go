package symbols_test

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"math/rand/v2"
	"testing"

	"zhuque/sim/symbols"
)

// ask asks all that can be asked of a file.
func ask(t testing.TB, p *symbols.Process) {
	t.Helper()
	p.Memory = func(addr uint64, buf []byte) int {
		for i := range buf {
			buf[i] = byte((addr + uint64(i)) * 37)
		}
		return len(buf)
	}
	for _, m := range p.Mappings {
		for a := m.Start; a < m.End && a < m.Start+1<<14; a += 37 {
			p.At(a)
		}
		for a := m.Start; a < m.End && a < m.Start+1<<13; a += 211 {
			r := symbols.Registers{RIP: a}
			r.R[4], r.R[5] = 0x7fff_0000, 0x7fff_0100
			if s := p.Unwind(r); len(s) == 0 {
				t.Fatalf("no frame at %#x", a)
			}
		}
	}
}

// Files that lie are without symbols, and nothing else happens: no panic, no endless
// work, no memory beyond the bounds.
func TestFilesThatLie(t *testing.T) {
	good := read(t, build(t, "gcc", "stack.c", "-O2", "-g"))
	f, err := elf.NewFile(bytes.NewReader(good))
	if err != nil {
		t.Fatal(err)
	}
	var targets [][2]uint64
	for _, name := range []string{".debug_info", ".debug_abbrev", ".debug_line", ".debug_rnglists", ".debug_str",
		".debug_line_str", ".eh_frame", ".symtab", ".strtab", ".dynsym", ".rela.plt", ".note.gnu.build-id"} {
		if s := f.Section(name); s != nil {
			targets = append(targets, [2]uint64{s.Offset, s.FileSize})
		}
	}
	targets = append(targets, [2]uint64{0, 64}, [2]uint64{64, 800},
		[2]uint64{binary.LittleEndian.Uint64(good[40:]), uint64(len(f.Sections)) * 64})
	rounds := 300
	if testing.Short() {
		rounds = 30
	}
	r := rand.New(rand.NewPCG(1, 2))
	for range rounds {
		bad := bytes.Clone(good)
		at := targets[r.IntN(len(targets))]
		for range 1 + r.IntN(8) {
			i := at[0] + r.Uint64N(at[1])
			switch r.IntN(4) {
			case 0:
				bad[i] = 0xff
			case 1:
				bad[i] = 0
			case 2:
				bad[i] ^= 1 << r.IntN(8)
			default:
				for j := i; j < min(i+8, uint64(len(bad))); j++ {
					bad[j] = 0xff
				}
			}
		}
		if r.IntN(10) == 0 {
			bad = bad[:r.IntN(len(bad))]
		}
		p := mapped(t, good, 0x1000_0000, &symbols.Cache{}, tree{})
		for i := range p.Mappings {
			p.Mappings[i].File = fileOf(bad)
		}
		ask(t, p)
	}
}

// What is no ELF file, or is empty, has no symbols.
func TestNoSymbols(t *testing.T) {
	for _, data := range [][]byte{nil, {0x7f}, []byte("\x7fELF"),
		[]byte("#!/bin/sh\n"), bytes.Repeat([]byte{0xff}, 8192)} {
		p := &symbols.Process{Mappings: []symbols.Mapping{{Start: 0x1000,
			End: 0x3000, Exec: true, Name: "/bin/x", File: fileOf(data)}}}
		l := p.At(0x1234)
		if l.Symbol != "" || l.HasLine() || l.Module != "/bin/x" || l.Offset != 0x234 {
			t.Errorf("%.10q: %+v", data, l)
		}
		if got := l.String(); got != "0x1234 (x+0x234)" {
			t.Errorf("%.10q: %s", data, got)
		}
	}
	if got := (&symbols.Process{}).At(5).String(); got != "0x5 (no symbols)" {
		t.Errorf("nothing is mapped: %s", got)
	}
}
