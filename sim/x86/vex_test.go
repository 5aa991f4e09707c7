package x86

import (
	"testing"

	"zhuque/sim/phys"
)

// What a VEX prefix may not be combined with, and what may be around it.
func TestDecodeVEX(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       decodeStatus
	}{
		{"vzeroupper", "\xC5\xF8\x77", decoded},
		{"the long prefix, W=1", "\xC4\xE1\xF8\x77", decoded},
		{"after an address size and a segment", "\x67\x64\xC5\xF8\x77", decoded},
		{"vvvv in use", "\xC5\xF0\x77", decodeUD},
		{"after 66", "\x66\xC5\xF8\x77", decodeUD},
		{"after F2", "\xF2\xC5\xF8\x77", decodeUD},
		{"after F3", "\xF3\xC5\xF8\x77", decodeUD},
		{"after LOCK", "\xF0\xC5\xF8\x77", decodeUD},
		{"after REX", "\x40\xC5\xF8\x77", decodeUD},
		{"map 0", "\xC4\xE0\x78\x77", decodeUD},
		{"map 4", "\xC4\xE4\x78\x77", decodeUD},
		{"no such opcode", "\xC5\xF8\x05", decodeUD},
		{"no such mandatory prefix", "\xC5\xF9\x77", decodeUD},
		{"cut in the prefix", "\xC4\xE1", decodeShort},
		{"cut before the opcode", "\xC5\xF8", decodeShort},
	} {
		var in Inst
		if st := V3.decode([]byte(c.code), testCode, &in); st != c.want || st == decoded && int(in.length) != len(c.code) {
			t.Errorf("%s: % x: status %d, want %d", c.name, c.code, st, c.want)
		}
		if st := V2.decode([]byte(c.code), testCode, &in); st != decodeUD && st != decodeShort {
			t.Errorf("%s: % x: status %d on a processor without AVX, want #UD", c.name, c.code, st)
		}
	}
}

// The level decides what CPUID reports and what is #UD, in a program's eyes.
func TestLevels(t *testing.T) {
	for l, want := range map[Level]Reason{V2: StopException, V3: StopCount} {
		m := newMachine([]byte{0xC5, 0xF8, 0x77})
		m.SetLevel(l)
		if s := m.Run(1); s.Reason != want || s.Reason == StopException && s.Exc.Vector != UD {
			t.Errorf("%v: stop %v %v, want %v", l, s.Reason, s.Exc, want)
		}
		const avx = 1 << 28
		if got := l.cpuidValues(1, 0)[RCX]&avx != 0; got != (l == V3) {
			t.Errorf("%v: CPUID reports AVX: %v", l, got)
		}
		if got := l.cpuidValues(0x0D, 0)[RBX]; got != map[Level]uint32{V2: 0, V3: xsaveSize}[l] {
			t.Errorf("%v: the XSAVE area has %d bytes", l, got)
		}
		if p, err := ParseLevel(l.String()); p != l || err != nil {
			t.Errorf("%v parses as %v, %v", l, p, err)
		}
	}
	if _, err := ParseLevel("v4"); err == nil {
		t.Error("v4 was accepted")
	}
}

// VEX operands in the disassembly: lengths, the register in vvvv, in an immediate
// and in a SIB byte.
func TestDisasmVEX(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"\xC5\xF4\x58\xC2", "vaddps ymm0, ymm1, ymm2"},
		{"\xC5\xF0\x58\x00", "vaddps xmm0, xmm1, [rax]"},
		{"\xC4\x41\x33\x58\xC2", "vaddsd xmm8, xmm9, xmm10"},
		{"\xC4\xE3\x75\x4A\xC2\x30", "vblendvps ymm0, ymm1, ymm2, ymm3"},
		{"\xC4\xE3\x7D\x19\xC8\x01", "vextractf128 xmm0, ymm1, 0x1"},
		{"\xC5\xED\x71\xD3\x07", "vpsrlw ymm2, ymm3, 0x7"},
		{"\xC4\xE2\xF5\x92\x44\x90\x08", "vgatherdpd ymm0, [rax+xmm2*4+0x8], ymm1"},
		{"\xC4\xE2\x75\x93\x04\x90", "vgatherqps xmm0, [rax+ymm2*4], xmm1"},
		{"\xC4\xE2\xE9\xB8\xCB", "vfmadd231pd xmm1, xmm2, xmm3"},
		{"\xC5\xFC\x77", "vzeroall"},
	} {
		if text, n := Disasm([]byte(c.code), testCode); text != c.want || n != len(c.code) {
			t.Errorf("% x: %q of %d bytes, want %q", c.code, text, n, c.want)
		}
	}
}

// What was decoded for one level is not executed on another.
func TestLevelsShareNoBlocks(t *testing.T) {
	m := newMachine([]byte{0xC5, 0xF8, 0x77, 0x90})
	m.SetLevel(V3)
	if s := m.Run(1); s.Reason != StopCount {
		t.Fatalf("%v %v", s.Reason, s.Exc)
	}
	other := NewSharing(m.Port, m.CPU)
	other.RIP = testCode
	if s := other.Run(1); s.Reason != StopCount || other.Level() != V3 {
		t.Errorf("sharing: %v %v on %v", s.Reason, s.Exc, other.Level())
	}
	other.SetLevel(V2)
	other.RIP = testCode
	if s := other.Run(2); s.Reason != StopException || s.Exc.Vector != UD {
		t.Errorf("v2 after v3: %v %v", s.Reason, s.Exc)
	}
}

// run3 executes one VEX or SSE instruction on a v3 machine.
func run3(t *testing.T, m *machine, code string) Stop {
	t.Helper()
	m.write(testCode, []byte(code))
	m.SetLevel(V3)
	m.RIP = testCode
	return m.Run(m.Retired + 1)
}

// SSE leaves the upper half of a register alone, VEX.128 clears it.
func TestUpperHalves(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       Vec
	}{
		{"paddq", "\x66\x0F\xD4\xC1", Vec{11, 22, 3, 4}},
		{"vpaddq xmm", "\xC5\xF9\xD4\xC1", Vec{11, 22, 0, 0}},
		{"vpaddq ymm", "\xC5\xFD\xD4\xC1", Vec{11, 22, 33, 44}},
		{"movq", "\xF3\x0F\x7E\xC1", Vec{10, 0, 3, 4}},
		{"vmovq", "\xC5\xFA\x7E\xC1", Vec{10, 0, 0, 0}},
		{"vzeroupper", "\xC5\xF8\x77", Vec{1, 2, 0, 0}},
		{"vzeroall", "\xC5\xFC\x77", Vec{}},
	} {
		m := newMachine(nil)
		m.V[0], m.V[1] = Vec{1, 2, 3, 4}, Vec{10, 20, 30, 40}
		if s := run3(t, m, c.code); s.Reason != StopCount || m.V[0] != c.want {
			t.Errorf("%s: %v %v, ymm0 %v, want %v", c.name, s.Reason, s.Exc, m.V[0], c.want)
		}
	}
}

// A masked move does not touch what its mask leaves out, be it not mapped; a
// store that faults in the last element has changed nothing.
func TestMaskedMoves(t *testing.T) {
	const end = testData + 16*phys.PageSize
	m := newMachine(nil)
	m.write(end-16, []byte{1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0})
	m.R[RAX] = end - 16
	m.V[1] = Vec{1 << 63, 1 << 63, 1, 0}
	m.V[0] = Vec{7, 8, 9, 10}
	if s := run3(t, m, "\xC4\xE2\x75\x2D\x10"); s.Reason != StopCount || m.V[2] != (Vec{1, 2}) { // vmaskmovpd ymm2, ymm1, [rax]
		t.Errorf("load: %v %v, %v", s.Reason, s.Exc, m.V[2])
	}
	if s := run3(t, m, "\xC4\xE2\x75\x2F\x00"); s.Reason != StopCount ||
		string(m.read(end-16, 16)) != "\x07\x00\x00\x00\x00\x00\x00\x00\x08\x00\x00\x00\x00\x00\x00\x00" {
		t.Errorf("store: %v %v, % x", s.Reason, s.Exc, m.read(end-16, 16))
	}
	m.V[1][2], m.V[0] = 1<<63, Vec{70, 80, 90, 100}
	if s := run3(t, m, "\xC4\xE2\x75\x2F\x00"); s.Reason != StopException ||
		s.Exc.Vector != PageFaultVector || s.Exc.Fault.Addr != end || m.read(end-16, 1)[0] != 7 {
		t.Errorf("store past the end: %v %v, % x", s.Reason, s.Exc, m.read(end-16, 16))
	}
}

// A gather that faults has done the elements before, and goes on after them.
func TestGatherContinues(t *testing.T) {
	const end = testData + 16*phys.PageSize
	m := newMachine(nil)
	m.write(end-8, []byte{5, 0, 0, 0, 6, 0, 0, 0})
	m.R[RAX] = end - 8
	m.V[0], m.V[1], m.V[2] = Vec{^uint64(0), ^uint64(0), 3, 4}, Vec{^uint64(0), ^uint64(0), 5, 6}, Vec{1 << 32, 3<<32 | 2}
	const code = "\xC4\xE2\x71\x90\x04\x90" // vpgatherdd xmm0, [rax+xmm2*4], xmm1
	s := run3(t, m, code)
	if s.Reason != StopException || s.Exc.Fault == nil || s.Exc.Fault.Addr != end {
		t.Fatalf("%v %v", s.Reason, s.Exc)
	}
	if m.V[0] != (Vec{6<<32 | 5, ^uint64(0), 3, 4}) || m.V[1] != (Vec{0, ^uint64(0), 5, 6}) {
		t.Errorf("after the fault: %x, mask %x", m.V[0], m.V[1])
	}
	m.space.mapRange(end, phys.PageSize, true, false)
	m.write(end, []byte{7, 0, 0, 0, 8, 0, 0, 0})
	m.write(end-8, make([]byte, 8)) // not read again
	if s := run3(t, m, code); s.Reason != StopCount || m.V[0] != (Vec{6<<32 | 5, 8<<32 | 7}) || m.V[1] != (Vec{}) {
		t.Errorf("continued: %v %v, %x, mask %x", s.Reason, s.Exc, m.V[0], m.V[1])
	}
}

// BenchmarkVectors is a loop of one 256-bit instruction and a jump.
func BenchmarkVectors(b *testing.B) {
	for _, k := range []struct {
		name, code string
		one        uint64 // the number one in every element
	}{
		{"vpaddd", "\xC5\xFD\xFE\xC1", 1},
		{"vpshufb", "\xC4\xE2\x7D\x00\xC1", 1},
		{"vaddpd", "\xC5\xFD\x58\xC1", b64(1)},
		{"vmulps", "\xC5\xFC\x59\xC1", b32(1) * (1<<32 + 1)},
		{"vfmadd231pd", "\xC4\xE2\xED\xB8\xC1", b64(1)},
		{"vfmadd231ps", "\xC4\xE2\x6D\xB8\xC1", b32(1) * (1<<32 + 1)},
		{"load", "\xC5\xFE\x6F\x03", 1},
		{"store", "\xC5\xFE\x7F\x03", 1},
	} {
		b.Run(k.name, func(b *testing.B) {
			m := newMachine([]byte(k.code + "\xEB" + string([]byte{byte(-2 - len(k.code))})))
			m.SetLevel(V3)
			m.MXCSR = fastMode
			for i := range 3 {
				m.V[i] = Vec{k.one, k.one, k.one, k.one}
			}
			m.R[RBX] = testData
			b.ResetTimer()
			if s := m.Run(m.Retired + 2*uint64(b.N)); s.Reason != StopCount {
				b.Fatalf("%+v", s)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(2*b.N), "ns/instruction")
		})
	}
}

// A row whose first operand may be memory writes it, and says so: whoever watches
// stores asks the row.
func TestVectorStoresSayWhatTheyDo(t *testing.T) {
	stores := 0
	for i := range avxRows {
		r := &avxRows[i]
		destination := r.Args != "" && (r.Args[0] == 'W' || r.Args[0] == 'M' || r.Args[0] == 'E')
		masked := r.Name == "VMASKMOVDQU" // stores at RDI
		if want := (destination || masked) && r.Name != "VLDMXCSR"; want != (r.Effect != "") {
			t.Errorf("%s %s %s has effect %q", r.Enc, r.Name, r.Args, r.Effect)
		} else if want {
			stores++
		}
	}
	if stores < 40 {
		t.Errorf("%d rows that store", stores)
	}
}
