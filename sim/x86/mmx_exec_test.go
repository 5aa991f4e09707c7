package x86

import "testing"

// TestMMXIsX87: the registers are the same storage. A value written by MMX is seen
// by the x87 unit in the physical register, TOP and tags change, and EMMS frees.
func TestMMXIsX87(t *testing.T) {
	m := newMachine([]byte{
		0xD9, 0xE8, //                   FLD1: physical register 7
		0x0F, 0x6F, 0x06, //             MOVQ mm0, [rsi]
		0x0F, 0xFC, 0xC7, //             PADDB mm0, mm7: the significand of 1.0
		0x0F, 0x7F, 0x07, //             MOVQ [rdi], mm0
		0x0F, 0x77, //                   EMMS
		0xD9, 0xE8, //                   FLD1 finds a free register
	})
	m.R[RSI], m.R[RDI] = testData, testData+64
	m.write(testData, []byte{1, 2, 3, 4, 5, 6, 7, 0x88})
	m.step(t, 4)
	if got := m.read(testData+64, 8); string(got) != "\x01\x02\x03\x04\x05\x06\x07\x08" {
		t.Errorf("PADDB stored % x", got)
	}
	want := F80{Mant: 0x0807060504030201, SE: 0xFFFF}
	if m.FPU.Reg[0] != want || m.FPU.SW&swTop != 0 || m.FPU.Tag != 0xFF {
		t.Errorf("after MMX: %x", m.FPU)
	}
	m.step(t, 1)
	if m.FPU.Tag != 0 || m.FPU.Reg[0] != want {
		t.Errorf("after EMMS: %x", m.FPU)
	}
	m.step(t, 1)
	if m.FPU.SW&(fpIE|fpSF) != 0 || m.FPU.Tag != 1<<7 {
		t.Errorf("after FLD1: %x", m.FPU)
	}
}

// TestMMXOrder: a pending x87 exception comes before a page fault, and neither
// changes anything; with no exception pending a faulting load leaves TOP alone.
func TestMMXOrder(t *testing.T) {
	for _, c := range []struct {
		sw     uint16
		vector Vector
	}{{fpES | swB | fpIE | 3<<11, MF}, {3 << 11, PageFaultVector}} {
		m := newMachine([]byte{0x0F, 0x6F, 0x06}) // MOVQ mm0, [rsi]
		m.R[RSI] = 0x10
		m.FPU.SW, m.FPU.CW = c.sw, 0x37E
		before := m.State()
		s := m.Run(m.Retired + 1)
		if s.Reason != StopException || s.Exc.Vector != c.vector {
			t.Errorf("SW %#x: %v, want %v", c.sw, s, c.vector)
		}
		if m.State() != before {
			t.Errorf("SW %#x: the state changed", c.sw)
		}
	}
}
