package x86

import (
	"encoding/binary"
	"math"
	"math/rand/v2"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// elements cuts 16 bytes into signed or unsigned elements of width bits.
func elements(v Vec, width int, signed bool) (e []int64) {
	for i := 0; i < 128; i += width {
		x := v[i/64] >> (i % 64) & (1<<width - 1)
		if signed {
			e = append(e, int64(x<<(64-width))>>(64-width))
		} else {
			e = append(e, int64(x))
		}
	}
	return e
}

func join(e []int64, width int) (v Vec) {
	for i, x := range e {
		v[i*width/64] |= uint64(x) & (1<<width - 1) << (i * width % 64)
	}
	return v
}

func clamp(x, lo, hi int64) int64 { return max(lo, min(x, hi)) }

func truth(b bool) int64 {
	if b {
		return -1
	}
	return 0
}

// rowHandler returns the register form of a row.
func rowHandler(t *testing.T, name string) handler {
	t.Helper()
	for i := range sseRows {
		if sseRows[i].Name == name {
			return sseRows[i].Pick(&Inst{prefix: prefixRegForm})
		}
	}
	t.Fatalf("no row %s", name)
	return nil
}

// TestIntegerLanes compares the side-by-side arithmetic with loops over elements:
// a carry into the neighbour or a wrong saturation would show.
func TestIntegerLanes(t *testing.T) {
	const s8, s16 = math.MaxInt8, math.MaxInt16
	cases := []struct {
		name   string
		width  int
		signed bool
		f      func(a, b int64) int64
	}{
		{"PADDB", 8, false, func(a, b int64) int64 { return a + b }},
		{"PADDW", 16, false, func(a, b int64) int64 { return a + b }},
		{"PADDD", 32, false, func(a, b int64) int64 { return a + b }},
		{"PSUBB", 8, false, func(a, b int64) int64 { return a - b }},
		{"PSUBW", 16, false, func(a, b int64) int64 { return a - b }},
		{"PSUBD", 32, false, func(a, b int64) int64 { return a - b }},
		{"PADDSB", 8, true, func(a, b int64) int64 { return clamp(a+b, -s8-1, s8) }},
		{"PADDSW", 16, true, func(a, b int64) int64 { return clamp(a+b, -s16-1, s16) }},
		{"PADDUSB", 8, false, func(a, b int64) int64 { return clamp(a+b, 0, 255) }},
		{"PADDUSW", 16, false, func(a, b int64) int64 { return clamp(a+b, 0, 65535) }},
		{"PSUBSB", 8, true, func(a, b int64) int64 { return clamp(a-b, -s8-1, s8) }},
		{"PSUBSW", 16, true, func(a, b int64) int64 { return clamp(a-b, -s16-1, s16) }},
		{"PSUBUSB", 8, false, func(a, b int64) int64 { return clamp(a-b, 0, 255) }},
		{"PSUBUSW", 16, false, func(a, b int64) int64 { return clamp(a-b, 0, 65535) }},
		{"PAVGB", 8, false, func(a, b int64) int64 { return (a + b + 1) / 2 }},
		{"PAVGW", 16, false, func(a, b int64) int64 { return (a + b + 1) / 2 }},
		{"PMINUB", 8, false, func(a, b int64) int64 { return min(a, b) }},
		{"PMAXUB", 8, false, func(a, b int64) int64 { return max(a, b) }},
		{"PMINSW", 16, true, func(a, b int64) int64 { return min(a, b) }},
		{"PMAXSW", 16, true, func(a, b int64) int64 { return max(a, b) }},
		{"PCMPEQB", 8, true, func(a, b int64) int64 { return truth(a == b) }},
		{"PCMPEQW", 16, true, func(a, b int64) int64 { return truth(a == b) }},
		{"PCMPEQD", 32, true, func(a, b int64) int64 { return truth(a == b) }},
		{"PCMPGTB", 8, true, func(a, b int64) int64 { return truth(a > b) }},
		{"PCMPGTW", 16, true, func(a, b int64) int64 { return truth(a > b) }},
		{"PCMPGTD", 32, true, func(a, b int64) int64 { return truth(a > b) }},
		{"PMULLW", 16, true, func(a, b int64) int64 { return a * b }},
		{"PMULHW", 16, true, func(a, b int64) int64 { return a * b >> 16 }},
		{"PMULHUW", 16, false, func(a, b int64) int64 { return a * b >> 16 }},
	}
	r := rand.New(rand.NewPCG(1, 1))
	draw := func() uint64 {
		v := r.Uint64()
		switch r.IntN(4) {
		case 0:
			v &= high8 | high16 | 0x0101010101010101
		case 1:
			v |= 0x7F7F7F7F7F7F7F7F
		}
		return v
	}
	c := &CPU{}
	for _, k := range cases {
		h := rowHandler(t, k.name)
		for range 2000 {
			c.V[1], c.V[2] = Vec{draw(), draw(), 7, 8}, Vec{draw(), draw()}
			if r.IntN(4) == 0 {
				c.V[2][0] = c.V[1][0]
			}
			a, b := elements(c.V[1], k.width, k.signed), elements(c.V[2], k.width, k.signed)
			for i := range a {
				a[i] = k.f(a[i], b[i])
			}
			want := join(a, k.width)
			want[2], want[3] = 7, 8 // the upper half of the register stays
			before := c.V[1]
			h(c, &Inst{prefix: prefixRegForm, reg: 1, rm: 2})
			if c.V[1] != want {
				t.Fatalf("%s %x, %x = %x, want %x", k.name, before, c.V[2], c.V[1], want)
			}
		}
	}
}

// TestShifts compares every count from 0 to 70 with loops over elements.
func TestShifts(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	c := &CPU{}
	for _, k := range []struct {
		name  string
		width int
		arith bool
		left  bool
	}{
		{"PSLLW", 16, false, true}, {"PSLLD", 32, false, true}, {"PSRLW", 16, false, false}, {"PSRLD", 32, false, false},
		{"PSRAW", 16, true, false}, {"PSRAD", 32, true, false},
	} {
		h := rowHandler(t, k.name)
		for n := range 71 {
			c.V[1], c.V[2] = Vec{r.Uint64(), r.Uint64()}, Vec{uint64(n), r.Uint64()}
			e := elements(c.V[1], k.width, k.arith)
			for i := range e {
				if k.left {
					e[i] <<= n
				} else {
					e[i] >>= n
				}
			}
			before, want := c.V[1], join(e, k.width)
			h(c, &Inst{prefix: prefixRegForm, reg: 1, rm: 2})
			if c.V[1] != want {
				t.Fatalf("%s %x by %d = %x, want %x", k.name, before, n, c.V[1], want)
			}
		}
	}
}

// TestUnmaskedExceptionIsPrecise: a division by zero in one element raises #XM
// with only the flags found before the computation, and the destination and the
// flags of a comparison stay as they were.
func TestUnmaskedExceptionIsPrecise(t *testing.T) {
	m := newMachine([]byte{0x66, 0x0F, 0x5E, 0xC1}) // divpd xmm0, xmm1
	one, three := b64(1), b64(3)
	m.V[0], m.V[1] = Vec{one, one}, Vec{0, three}
	m.MXCSR = 0x1F80 &^ (mxZE << mxMaskShift)
	s := m.Run(1)
	if s.Exc == nil || s.Exc.Vector != XM || m.RIP != testCode || m.Retired != 0 {
		t.Fatalf("stop %+v at %#x", s, m.RIP)
	}
	if m.V[0] != (Vec{one, one}) {
		t.Errorf("destination %x changed", m.V[0])
	}
	if m.MXCSR&mxFlags != mxZE {
		t.Errorf("flags %#x, want ZE alone: 1/3 is not computed", m.MXCSR&mxFlags)
	}

	m = newMachine([]byte{0x66, 0x0F, 0x2F, 0xC1}) // comisd xmm0, xmm1
	m.V[0] = Vec{double.indefinite()}
	m.MXCSR = 0x1F80 &^ (mxIE << mxMaskShift)
	m.SetRFlags(OF | CF)
	if s := m.Run(1); s.Exc == nil || s.Exc.Vector != XM {
		t.Fatalf("stop %+v", s)
	}
	if f := m.RFlags() & StatusFlags; f != OF|CF {
		t.Errorf("status flags %#x changed", f)
	}
}

// TestAlignment: aligned forms fault with #GP before they change anything,
// unaligned ones do not.
func TestAlignment(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   []byte
		faults bool
	}{
		{"movaps load", []byte{0x0F, 0x28, 0x00}, true},
		{"movaps store", []byte{0x0F, 0x29, 0x00}, true},
		{"movntdq", []byte{0x66, 0x0F, 0xE7, 0x00}, true},
		{"paddb", []byte{0x66, 0x0F, 0xFC, 0x00}, true},
		{"movups store", []byte{0x0F, 0x11, 0x00}, false},
		{"addsd", []byte{0xF2, 0x0F, 0x58, 0x00}, false},
		{"cvtps2pd", []byte{0x0F, 0x5A, 0x00}, false},
	} {
		m := newMachine(c.code)
		m.R[RAX] = testData + 8
		m.V[0] = Vec{1, 2}
		s := m.Run(1)
		if got := s.Exc != nil && s.Exc.Vector == GP; got != c.faults {
			t.Errorf("%s at a multiple of 8: %+v", c.name, s)
		}
		if c.faults && (m.V[0] != Vec{1, 2} || binary.LittleEndian.Uint64(m.read(testData+8, 8)) != 0) {
			t.Errorf("%s changed something before it faulted", c.name)
		}
	}
}

// TestMaskedStore: MASKMOVDQU writes the selected bytes only, does not fault on
// pages of which no byte is selected, and writes nothing when one byte faults.
func TestMaskedStore(t *testing.T) {
	const end = testData + 16*4096 // the next page is not mapped
	code := []byte{0x66, 0x0F, 0xF7, 0xC1}
	run := func(mask Vec) (*machine, Stop) {
		m := newMachine(code)
		m.R[RDI] = end - 8
		m.V[0], m.V[1] = Vec{0x0807060504030201, 0x100F0E0D0C0B0A09}, mask
		return m, m.Run(1)
	}
	m, s := run(Vec{0x8000000000800080, 0})
	if s.Exc != nil {
		t.Fatalf("%+v", s)
	}
	if got := binary.LittleEndian.Uint64(m.read(end-8, 8)); got != 0x0800000000030001 {
		t.Errorf("memory %#x", got)
	}
	m, s = run(Vec{0x80, 0x80})
	if s.Exc == nil || s.Exc.Fault == nil || s.Exc.Fault.Addr != end {
		t.Fatalf("%+v", s)
	}
	if got := binary.LittleEndian.Uint64(m.read(end-8, 8)); got != 0 {
		t.Errorf("memory %#x was written before the fault", got)
	}
}

// TestReservedMXCSR: LDMXCSR refuses what STMXCSR never shows.
func TestReservedMXCSR(t *testing.T) {
	for _, v := range []uint32{0x1F80, 0xFFFF, 1 << 16, 1 << 17, 1 << 31} {
		m := newMachine([]byte{0x0F, 0xAE, 0x10, 0x0F, 0xAE, 0x18}) // ldmxcsr [rax]; stmxcsr [rax]
		m.R[RAX] = testData
		m.write(testData, binary.LittleEndian.AppendUint32(nil, v))
		s := m.Run(2)
		if reserved := v > 0xFFFF; reserved != (s.Exc != nil && s.Exc.Vector == GP) {
			t.Errorf("%#x: %+v", v, s)
		} else if reserved && m.MXCSR != 0x1F80 || !reserved && m.MXCSR != v {
			t.Errorf("%#x: MXCSR is %#x", v, m.MXCSR)
		}
	}
}

// TestApproximations: RCP and RSQRT stay within the manual's relative error.
func TestApproximations(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for range 100000 {
		x := uint64(r.Uint32())&0x007FFFFF | uint64(1+r.IntN(252))<<23
		v := float64(f32(x))
		for _, c := range []struct {
			name  string
			f     lane
			exact float64
		}{{"RCP", rcp32, 1 / v}, {"RSQRT", rsqrt32, 1 / math.Sqrt(v)}} {
			bits, _ := c.f(0, 0, x)
			if got := float64(f32(bits)); math.Abs(got-c.exact) > 1.5/4096*c.exact {
				t.Fatalf("%s %g = %g, exact %g", c.name, v, got, c.exact)
			}
		}
	}
}

// coldLines is memory that a hierarchy may read pre-images from: all zero.
type coldLines struct{}

func (coldLines) ReadLine(phys.LineAddr, *[phys.LineSize]byte) {}

// TestNonTemporalStores: the rows with the effect "nt-store" reach the cache
// model as such, and no other row does.
func TestNonTemporalStores(t *testing.T) {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	h, err := cachemodel.New(cfg, coldLines{})
	if err != nil {
		t.Fatal(err)
	}
	m := newMachineOn(nil, h.Core(0))
	for i := range sseRows {
		row := &sseRows[i]
		if row.Name == "LDMXCSR" {
			continue
		}
		in := &Inst{base: RAX, index: RZero, reg: 1, rm: 2, width: 4}
		if row.Name == "MASKMOVDQU" {
			in.prefix = prefixRegForm
		}
		run := row.Pick(in)
		if run == nil {
			t.Fatalf("%s has no handler", row.Name)
		}
		m.R[RAX], m.R[RDI] = testData, testData
		m.V[2] = Vec{high8, high8}
		before := h.Stats().NTStores
		run(m.CPU, in)
		if got := h.Stats().NTStores > before; got != (row.Effect == "nt-store") {
			t.Errorf("%s with effect %q: non-temporal %v", row.Name, row.Effect, got)
		}
	}
}

// BenchmarkScalarDouble is a dependent multiply and add in a loop of the model.
func BenchmarkScalarDouble(b *testing.B) {
	// mulsd xmm0, xmm1; addsd xmm0, xmm2; jmp back
	m := newMachine([]byte{0xF2, 0x0F, 0x59, 0xC1, 0xF2, 0x0F, 0x58, 0xC2, 0xEB, 0xF6})
	m.V[0], m.V[1], m.V[2] = Vec{b64(1)}, Vec{b64(0.3)}, Vec{b64(0.7)}
	b.ResetTimer()
	if s := m.Run(m.Retired + 3*uint64(b.N)); s.Reason != StopCount {
		b.Fatalf("%+v", s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(3*b.N), "ns/instruction")
}

// BenchmarkStringScan is the inner loop of strlen.
func BenchmarkStringScan(b *testing.B) {
	// movdqa xmm1, [rax]; pcmpeqb xmm1, xmm0; pmovmskb ecx, xmm1; jmp back
	m := newMachine([]byte{0x66, 0x0F, 0x6F, 0x08, 0x66, 0x0F, 0x74, 0xC8, 0x66, 0x0F, 0xD7, 0xC9, 0xEB, 0xF2})
	m.R[RAX] = testData
	b.ResetTimer()
	if s := m.Run(m.Retired + 4*uint64(b.N)); s.Reason != StopCount {
		b.Fatalf("%+v", s)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(4*b.N), "ns/instruction")
}
