package x86

import (
	"strings"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/mem"
)

// cpuidOf executes CPUID and returns EAX, EBX, ECX, EDX.
func cpuidOf(t *testing.T, leaf, sub uint64) [4]uint32 {
	m := newMachine([]byte{0x0F, 0xA2})
	m.R[RAX], m.R[RCX] = leaf|0xFFFF<<32, sub
	m.step(t, 1)
	return [4]uint32{uint32(m.R[RAX]), uint32(m.R[RBX]), uint32(m.R[RCX]), uint32(m.R[RDX])}
}

func TestCPUID(t *testing.T) {
	text := func(words ...uint32) string {
		var b []byte
		for _, w := range words {
			b = append(b, byte(w), byte(w>>8), byte(w>>16), byte(w>>24))
		}
		return strings.TrimRight(string(b), "\x00")
	}
	v := cpuidOf(t, 0, 0)
	if got := text(v[1], v[3], v[2]); got != "GenuineIntel" {
		t.Errorf("vendor %q", got)
	}
	var name string
	for leaf := uint64(0x80000002); leaf <= 0x80000004; leaf++ {
		v := cpuidOf(t, leaf, 0)
		name += text(v[:]...)
	}
	if name != brand {
		t.Errorf("brand %q, want %q", name, brand)
	}
	// The x86-64 baseline that glibc's loader demands: FPU, CX8, CMOV, MMX, FXSR, SSE, SSE2.
	const baseline = 1<<0 | 1<<8 | 1<<15 | 1<<23 | 1<<24 | 1<<25 | 1<<26
	v = cpuidOf(t, 1, 0)
	if v[3]&baseline != baseline {
		t.Errorf("leaf 1 EDX %#x lacks part of the baseline %#x", v[3], baseline)
	}
	// The rest of x86-64-v2: SSE3, SSSE3, CX16, SSE4.1, SSE4.2, POPCNT, and LAHF.
	const v2 = 1<<0 | 1<<9 | 1<<13 | 1<<19 | 1<<20 | 1<<23
	if v[2]&v2 != v2 {
		t.Errorf("leaf 1 ECX %#x lacks part of x86-64-v2 %#x", v[2], v2)
	}
	if v := cpuidOf(t, 0x80000001, 0); v[2]&1 == 0 {
		t.Errorf("leaf 80000001 ECX %#x lacks LAHF", v[2])
	}
	const more = 1<<1 | 1<<22 | 1<<25 | 1<<30
	if v[2]&more != more {
		t.Errorf("leaf 1 ECX %#x lacks PCLMULQDQ, MOVBE, AES or RDRAND", v[2])
	}
	if avx := uint32(1<<28 | 1<<27 | 1<<26 | 1<<12); v[2]&avx != 0 {
		t.Errorf("leaf 1 ECX %#x advertises XSAVE, AVX or FMA", v[2])
	}
	if v := cpuidOf(t, 7, 0); v[1]>>23&3 != 3 || v[1]>>9&1 != 1 {
		t.Errorf("leaf 7 EBX %#x lacks CLFLUSHOPT, CLWB or ERMS", v[1])
	}
	if v := cpuidOf(t, 7, 1); v != [4]uint32{} {
		t.Errorf("leaf 7.1 is %x", v)
	}
	if v := cpuidOf(t, 4, 4); v[0]&31 != 0 {
		t.Errorf("leaf 4 does not end: %x", v)
	}
}

// Every feature of a row is one that CPUID reports, and no leaf has bits that
// neither a row nor extraFeatures accounts for.
func TestFeaturesHaveBits(t *testing.T) {
	for l := range levels {
		featuresHaveBits(t, l)
	}
}

func featuresHaveBits(t *testing.T, l Level) {
	want := map[uint32]cpuidLeaf{1: {}, 7: {}, 0x80000001: {}}
	names := append([]string{}, extraFeatures...)
	for _, f := range ISA() {
		if f.Feature != "" {
			names = append(names, f.Feature)
		}
	}
	for _, n := range names {
		b, ok := featureBits[n]
		if !ok {
			t.Errorf("feature %q has no CPUID bit", n)
			continue
		}
		if featureLevel[n] > l {
			continue
		}
		w := want[b.leaf]
		w[b.reg] |= 1 << b.bit
		want[b.leaf] = w
	}
	for leaf, w := range want {
		sub, regs := uint32(0), []int{RCX, RDX}
		if leaf == 0x0D {
			sub, regs = 1, []int{RAX, RCX, RDX}
		}
		got := l.cpuidValues(leaf, sub)
		for _, reg := range regs {
			if got[reg] != w[reg] {
				t.Errorf("%v: leaf %#x register %d is %#x, the table has %#x", l, leaf, reg, got[reg], w[reg])
			}
		}
	}
}

// The time-stamp counter counts retired instructions, also inside a block.
func TestRDTSC(t *testing.T) {
	m := newMachine([]byte{0x90, 0x90, 0x90, 0x0F, 0x31, 0x90, 0x0F, 0x01, 0xF9})
	m.step(t, 4)
	if m.R[RAX] != 3 || m.R[RDX] != 0 {
		t.Errorf("TSC %d after 3 instructions", m.R[RAX])
	}
	m.Retired, m.R[RCX] = 1<<33|7, 99
	m.step(t, 2)
	if m.R[RAX] != 8 || m.R[RDX] != 2 || m.R[RCX] != 0 {
		t.Errorf("RDTSCP gives %d:%d, rcx %d", m.R[RDX], m.R[RAX], m.R[RCX])
	}
}

func TestSegmentBases(t *testing.T) {
	m := newMachine([]byte{
		0xF3, 0x48, 0x0F, 0xAE, 0xD0, // wrfsbase rax
		0xF3, 0x48, 0x0F, 0xAE, 0xC3, // rdfsbase rbx
		0x64, 0x8B, 0x0C, 0x25, 8, 0, 0, 0, // mov ecx, fs:[8]
		0xF3, 0x48, 0x0F, 0xAE, 0xDA, // wrgsbase rdx: not canonical
	})
	m.R[RAX], m.R[RDX] = testData, 1<<62
	m.Port.Store32(testData+8, 0x1234)
	m.step(t, 3)
	if s := m.State(); s.FSBase != testData || s.R[RBX] != testData || s.R[RCX] != 0x1234 {
		t.Errorf("fs base %#x rbx %#x rcx %#x", s.FSBase, s.R[RBX], s.R[RCX])
	}
	if s := m.Run(100); s.Reason != StopException || s.Exc.Vector != GP || m.SegBase[SegGS] != 0 {
		t.Errorf("wrgsbase of a non-canonical address: %v %v", s.Reason, s.Exc)
	}
}

// POPF changes what user mode may change.
func TestPopf(t *testing.T) {
	for _, c := range []struct {
		code  []byte
		value uint64
		want  uint64
	}{
		{[]byte{0x9D}, ^uint64(0), StatusFlags | DF | TF | NT | AC | ID | IF | 2},
		{[]byte{0x9D}, 0, IF | 2},
		{[]byte{0x66, 0x9D}, 0x8D5, StatusFlags | IF | 2},
		{[]byte{0x66, 0x9D}, TF, TF | IF | 2},
	} {
		m := newMachine(c.code)
		m.Port.Store64(m.R[RSP], c.value)
		sp := m.R[RSP]
		s := m.Run(1)
		if s.Reason != StopCount || m.RIP != testCode+uint64(len(c.code)) || m.Retired != 1 {
			t.Errorf("%#x: stopped by %v at %#x after %d", c.value, s.Reason, m.RIP, m.Retired)
			continue
		}
		if width := uint64(map[bool]int{true: 2, false: 8}[len(c.code) == 2]); m.RFlags() != c.want || m.R[RSP] != sp+width {
			t.Errorf("%#x: flags %#x, want %#x; rsp moved by %d", c.value, m.RFlags(), c.want, m.R[RSP]-sp)
		}
	}
}

// Locked instructions, fences, flushes and NT stores reach the cache model: its
// counters see each exactly as often as it was executed.
func TestOrderingReachesCacheModel(t *testing.T) {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		code string
		get  func(s cachemodel.Stats) uint64
		want uint64
	}{
		{"lock add", "\xF0\x48\x01\x03", func(s cachemodel.Stats) uint64 { return s.Locked }, 2},
		{"add", "\x48\x01\x03", func(s cachemodel.Stats) uint64 { return s.Locked }, 0},
		{"xchg memory", "\x48\x87\x03", func(s cachemodel.Stats) uint64 { return s.Locked }, 2},
		{"xchg registers", "\x48\x87\xC3", func(s cachemodel.Stats) uint64 { return s.Locked }, 0},
		{"lock cmpxchg16b", "\xF0\x48\x0F\xC7\x0B", func(s cachemodel.Stats) uint64 { return s.Locked }, 2},
		{"lock bts", "\xF0\x0F\xAB\x03", func(s cachemodel.Stats) uint64 { return s.Locked }, 2},
		{"sfence", "\x0F\xAE\xF8", func(s cachemodel.Stats) uint64 { return s.SFENCE }, 1},
		{"lfence", "\x0F\xAE\xE8", func(s cachemodel.Stats) uint64 { return s.LFENCE }, 1},
		{"mfence", "\x0F\xAE\xF0", func(s cachemodel.Stats) uint64 { return s.MFENCE }, 1},
		{"cpuid", "\x0F\xA2", func(s cachemodel.Stats) uint64 { return s.Serialize }, 1},
		{"clflush", "\x0F\xAE\x3B\x0F\xAE\xF0", func(s cachemodel.Stats) uint64 { return s.CLFLUSH }, 1},
		{"clflushopt", "\x66\x0F\xAE\x3B\x0F\xAE\xF0", func(s cachemodel.Stats) uint64 { return s.CLFLUSHOPT }, 1},
		{"clwb", "\x66\x0F\xAE\x33\x0F\xAE\xF0", func(s cachemodel.Stats) uint64 { return s.CLWB }, 1},
		{"movnti", "\x48\x0F\xC3\x03", func(s cachemodel.Stats) uint64 { return s.NTStores }, 1},
		{"vmovntps xmm", "\xC5\xF8\x2B\x03", func(s cachemodel.Stats) uint64 { return s.NTStores }, 2},
		{"vmovntdq ymm", "\xC5\xFD\xE7\x03", func(s cachemodel.Stats) uint64 { return s.NTStores }, 4},
		{"vmovdqu ymm", "\xC5\xFE\x7F\x03", func(s cachemodel.Stats) uint64 { return s.NTStores }, 0},
	} {
		h, err := cachemodel.New(cfg, storeLines{mem.NewStore()})
		if err != nil {
			t.Fatal(err)
		}
		m := newMachineOn([]byte(c.code+"\x0F\x05"), h.Core(0))
		m.SetLevel(V3)
		m.R[RBX] = testData + 64
		if s := m.Run(10); s.Reason != StopSyscall {
			t.Fatalf("%s: stopped by %v %v", c.name, s.Reason, s.Exc)
		}
		if got := c.get(h.Stats()); got != c.want {
			t.Errorf("%s: counted %d times, want %d", c.name, got, c.want)
		}
	}
}
