package x86

import (
	"bytes"
	"encoding/binary"
	"testing"

	"zhuque/sim/det"
)

const (
	codeXSAVE    = "\x48\x0F\xAE\x27" // on [rdi], 64-bit pointers
	codeXRSTOR   = "\x48\x0F\xAE\x2F"
	codeXSAVEOPT = "\x48\x0F\xAE\x37"
	codeXSAVEC   = "\x48\x0F\xC7\x27"
	codeXGETBV   = "\x0F\x01\xD0"
)

// extendedMachine is a v3 processor with random vectors and x87 registers, and
// RDI at an area full of 0xA5.
func extendedMachine(code string) *machine {
	m := newMachine([]byte(code))
	m.SetLevel(V3)
	r := det.Stream(1, "extended")
	for i := range m.V {
		m.V[i] = Vec{r.Uint64() | 1, r.Uint64(), r.Uint64() | 1, r.Uint64()}
		m.FPU.Reg[i&7] = F80{Mant: r.Uint64() | 1<<63, SE: uint16(16000 + i)}
	}
	m.FPU.Tag, m.FPU.SW, m.MXCSR = 0xF0, 0x2000, 0x1FA0
	m.R[RDI] = testData
	m.write(testData, bytes.Repeat([]byte{0xA5}, 1024))
	m.write(testData+24, []byte{0x80, 0x1F, 0, 0}) // a valid MXCSR
	m.write(testData+xsaveHeader, make([]byte, 64))
	return m
}

func (m *machine) header() (held, layout uint64) {
	b := m.read(testData+xsaveHeader, 16)
	return binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])
}

// Every set of components that is saved comes back, in each format; what is asked
// for and not held becomes initial, and what is not asked for stays.
func TestExtendedStateRoundTrip(t *testing.T) {
	for _, save := range []string{codeXSAVE, codeXSAVEOPT, codeXSAVEC} {
		for saved := uint64(0); saved < 8; saved++ {
			for asked := uint64(0); asked < 8; asked++ {
				m := extendedMachine(save + codeXRSTOR)
				m.R[RAX] = saved | 1<<40
				want := m.State()
				m.step(t, 1)
				if held, layout := m.header(); held != saved ||
					layout != map[bool]uint64{true: compacted | saved}[save == codeXSAVEC] {
					t.Errorf("% x of %d: header %#x %#x", save, saved, held, layout)
				}
				before := State{V: [16]Vec{3: {1, 2, 3, 4}},
					FPU: X87{CW: 0x27F, Tag: 1, Reg: [8]F80{{Mant: 1 << 63, SE: 16383}}}, MXCSR: 0x9FC0}
				m.V, m.FPU, m.MXCSR = before.V, before.FPU, before.MXCSR
				m.R[RAX] = asked
				m.step(t, 1)

				loaded := asked & saved
				initial := asked &^ loaded
				expected := before
				if asked&compX87 != 0 {
					expected.FPU = X87{CW: 0x37F}
				}
				if loaded&compX87 != 0 {
					expected.FPU = want.FPU
				}
				for i := range expected.V {
					for half, comp := range []uint64{compSSE, compAVX} {
						switch d := expected.V[i][2*half:][:2]; {
						case loaded&comp != 0:
							copy(d, want.V[i][2*half:])
						case initial&comp != 0:
							clear(d)
						}
					}
				}
				switch {
				case save == codeXSAVEC && loaded&compSSE != 0,
					save != codeXSAVEC && asked&(compSSE|compAVX) != 0 && saved&(compSSE|compAVX) != 0:
					expected.MXCSR = want.MXCSR
				case save == codeXSAVEC && initial&compSSE != 0, save != codeXSAVEC && asked&(compSSE|compAVX) != 0:
					expected.MXCSR = initialMXCSR
				}
				if got := m.State(); got.V != expected.V || got.FPU != expected.FPU || got.MXCSR != expected.MXCSR {
					t.Errorf("% x of %d, XRSTOR of %d: %+v, want %+v", save, saved, asked, got, expected)
				}
			}
		}
	}
}

// A component in its initial state is left out by XSAVEOPT and XSAVEC, and stored
// by XSAVE.
func TestInitialStateIsLeftOut(t *testing.T) {
	poison := bytes.Repeat([]byte{0xA5}, xsaveHeader)
	for code, written := range map[string]bool{codeXSAVE: true, codeXSAVEOPT: false, codeXSAVEC: false} {
		m := extendedMachine(code + codeXGETBV)
		m.V, m.FPU, m.MXCSR = [16]Vec{}, X87{CW: 0x37F}, initialMXCSR
		m.R[RAX], m.R[RCX] = 7, 1
		m.step(t, 2)
		image := m.read(testData, xsaveHeader)
		copy(image[24:32], poison) // XSAVEOPT stores MXCSR all the same
		if held, _ := m.header(); held != 0 || m.R[RAX] != 0 {
			t.Errorf("% x: components %#x held, %#x in use", code, held, m.R[RAX])
		}
		if got := !bytes.Equal(image, poison); got != written {
			t.Errorf("% x: stored: %v, want %v", code, got, written)
		}
		m.V[5][1], m.V[7][3], m.RIP, m.R[RAX] = 1, 1, testCode, 7
		m.step(t, 2)
		if held, _ := m.header(); held != compSSE|compAVX || m.R[RAX] != compSSE|compAVX {
			t.Errorf("% x: components %#x held, %#x in use", code, held, m.R[RAX])
		}
	}
}

// What XRSTOR refuses, and who has these instructions at all.
func TestExtendedStateFaults(t *testing.T) {
	for _, c := range []struct {
		name, code string
		at         uint64 // of a byte that is set in the area
		value      byte
		rdi        uint64
		want       bool
	}{
		{"XRSTOR of zeros", codeXRSTOR, 0, 0, testData, true},
		{"a component that XCR0 lacks", codeXRSTOR, xsaveHeader + 1, 2, testData, false},
		{"XCOMP_BV in the standard format", codeXRSTOR, xsaveHeader + 8, 1, testData, false},
		{"a reserved byte behind it", codeXRSTOR, xsaveHeader + 16, 1, testData, false},
		{"a byte that only the compacted format reserves", codeXRSTOR, xsaveHeader + 24, 1, testData, true},
		{"the compacted format", codeXRSTOR, xsaveHeader + 15, 0x80, testData, true},
		{"a reserved bit of MXCSR", codeXRSTOR, 26, 1, testData, false},
		{"XRSTOR of a misaligned area", codeXRSTOR, 0, 0, testData + 32, false},
		{"XSAVE to a misaligned area", codeXSAVE, 0, 0, testData + 16, false},
		{"XSETBV", "\x0F\x01\xD1", 0, 0, testData, false},
	} {
		m := extendedMachine(c.code)
		m.write(testData, make([]byte, xsaveSize))
		m.write(testData+c.at, []byte{c.value})
		m.R[RAX], m.R[RDI] = 7, c.rdi
		before := m.State()
		s := m.Run(1)
		if ok := s.Reason == StopCount; ok != c.want ||
			!ok && (s.Reason != StopException || s.Exc.Vector != GP || m.State() != before) {
			t.Errorf("%s: stop %v %v", c.name, s.Reason, s.Exc)
		}
	}
	for _, code := range []string{codeXSAVE, codeXRSTOR, codeXSAVEOPT, codeXSAVEC, codeXGETBV, "\x0F\x01\xD1"} {
		m := extendedMachine(code)
		m.SetLevel(V2)
		if s := m.Run(1); s.Reason != StopException || s.Exc.Vector != UD {
			t.Errorf("% x on v2: stop %v %v", code, s.Reason, s.Exc)
		}
	}
	m := extendedMachine(codeXGETBV + codeXGETBV)
	m.R[RDX] = 9
	if m.step(t, 1); m.R[RAX] != xcr0 || m.R[RDX] != 0 {
		t.Errorf("XCR0 is %#x:%#x", m.R[RDX], m.R[RAX])
	}
	m.R[RCX] = 2
	if s := m.Run(2); s.Reason != StopException || s.Exc.Vector != GP {
		t.Errorf("XCR2: stop %v %v", s.Reason, s.Exc)
	}
}
