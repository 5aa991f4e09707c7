package x86

import (
	"encoding/binary"
	"testing"
)

// Segment loads and far transfers: what Linux's table refuses is #GP with the
// selector, and what leaves 64-bit code stops the run.
func TestSegmentLoads(t *testing.T) {
	const words = testData // an offset of 8 bytes, then the selector
	for _, c := range []struct {
		name, code string
		selector   uint64
		want       Reason
		errorCode  uint64
	}{
		{"mov ds, ax", "\x8E\xD8", 0, StopCount, 0},
		{"mov es, ax", "\x8E\xC0", 0, StopCount, 0},
		{"mov ds, ax", "\x8E\xD8", userDS, StopCount, 0},
		{"mov es, ax", "\x8E\xC0", user32, StopCount, 0},
		{"mov fs, ax", "\x8E\xE0", userCS, StopCount, 0},
		{"mov ds, ax", "\x8E\xD8", 0x10, StopException, 0x10},
		{"mov ds, ax", "\x8E\xD8", 0x67, StopException, 0x64},
		{"mov ss, ax", "\x8E\xD0", userDS, StopCount, 0},
		{"mov ss, ax", "\x8E\xD0", 0x28, StopException, 0x28},
		{"mov ss, ax", "\x8E\xD0", 0, StopException, 0},
		{"mov fs, ax", "\x8E\xE0", 0, StopCount, 0},
		{"mov gs, ax", "\x8E\xE8", cpuNode, StopCount, 0},
		{"pop fs", "\x0F\xA1", 0, StopCount, 0},
		{"pop gs", "\x0F\xA9", 0x1B, StopException, 0x18},
		{"lfs rcx, [rdi]", "\x48\x0F\xB4\x0F", 0, StopCount, 0},
		{"lgs rcx, [rdi]", "\x48\x0F\xB5\x0F", 0x80, StopException, 0x80},
		{"lss rcx, [rdi]", "\x48\x0F\xB2\x0F", userDS, StopCount, 0},
		{"jmp far [rdi]", "\x48\xFF\x2F", 0x30, StopCount, 0},
		{"jmp far [rdi]", "\x48\xFF\x2F", user32, StopUnsupported, 0},
		{"jmp far [rdi]", "\x48\xFF\x2F", userDS, StopException, userDS &^ 3},
		{"call far [rdi]", "\x48\xFF\x1F", userCS, StopCount, 0},
		{"int 0x21", "\xCD\x21", 0, StopException, 0x21<<3 | 2},
		{"in al, dx", "\xEC", 0, StopException, 0},
		{"rep outsb", "\xF3\x6E", 0, StopException, 0},
		{"hlt", "\xF4", 0, StopException, 0},
		{"wrmsr", "\x0F\x30", 0, StopException, 0},
		{"swapgs", "\x0F\x01\xF8", 0, StopException, 0},
	} {
		m := newMachine([]byte(c.code))
		m.SegBase[SegFS], m.SegBase[SegGS] = 0x1000, 0x2000
		m.R[RAX], m.R[RDI] = c.selector, words
		m.Port.Store64(words, testCode+8)
		m.Port.Store64(words+8, c.selector)
		m.Port.Store64(m.R[RSP], c.selector)
		before := m.State()
		s := m.Run(1)
		switch {
		case s.Reason != c.want:
			t.Errorf("%s with %#x: stop %v %v %v", c.name, c.selector, s.Reason, s.Exc, s.Unsup)
		case s.Reason == StopException && (s.Exc.Vector != GP || s.Exc.Code != c.errorCode):
			t.Errorf("%s with %#x: %v code %#x, want #GP code %#x", c.name, c.selector, s.Exc, s.Exc.Code, c.errorCode)
		case s.Reason != StopCount && m.State() != before:
			t.Errorf("%s with %#x: state changed", c.name, c.selector)
		}
		if base := m.State().FSBase; c.want == StopCount &&
			(base == 0) != (c.name == "mov fs, ax" || c.name == "pop fs" || c.name[:3] == "lfs") {
			t.Errorf("%s: FS base %#x", c.name, base)
		}
	}
}

// A call through a far pointer and the return from it, and IRETQ.
func TestFarTransfers(t *testing.T) {
	m := newMachine([]byte{
		0x48, 0xFF, 0x1F, // call far [rdi]
		0x0F, 0x05, // syscall
		0x48, 0xCF, // iretq
		0x48, 0xCB, // retf, at testCode+7
	})
	m.R[RDI] = testData
	m.Port.Store64(testData, testCode+7)
	m.Port.Store16(testData+8, userCS)
	sp := m.R[RSP]
	if s := m.Run(1); s.Reason != StopCount || m.RIP != testCode+7 || m.R[RSP] != sp-16 {
		t.Fatalf("call far: %v, rip %#x, rsp %#x", s, m.RIP, m.R[RSP])
	}
	if got := m.read(sp-16, 16); binary.LittleEndian.Uint64(got) != testCode+3 ||
		binary.LittleEndian.Uint64(got[8:]) != userCS {
		t.Errorf("call far pushed % x", got)
	}
	if s := m.Run(2); s.Reason != StopCount || m.RIP != testCode+3 || m.R[RSP] != sp {
		t.Fatalf("retf: %v, rip %#x, rsp %#x", s, m.RIP, m.R[RSP])
	}
	m.RIP = testCode + 5
	for i, v := range []uint64{testCode + 3, userCS, CF | DF, testStack - 64, userDS} {
		m.Port.Store64(sp+uint64(8*i), v)
	}
	if s := m.Run(3); s.Reason != StopCount || m.RIP != testCode+3 ||
		m.R[RSP] != testStack-64 || m.RFlags() != CF|DF|flagsFixed {
		t.Fatalf("iretq: %v, rip %#x, rsp %#x, flags %#x", s, m.RIP, m.R[RSP], m.RFlags())
	}
}

// LAR, LSL, VERR and VERW tell what is in Linux's table, and what the kernel
// shows in place of the system registers.
func TestDescriptors(t *testing.T) {
	for _, c := range []struct {
		selector   uint64
		rights     uint64
		read, load bool
	}{{userCS, 0xAFFB00, true, false}, {userDS, 0xCFF300, true, true}, {cpuNode, 0x40F500, true, false}, {0x10, 0, false, false}, {0, 0, false, false}} {
		m := newMachine([]byte("\x0F\x02\xD1\x0F\x94\xC3\x0F\x00\xE1\x0F\x94\xC7\x0F\x00\xE9\x0F\x94\xC5")) // lar edx, ecx; sete bl; verr cx; sete bh; verw cx; sete ch
		m.R[RCX] = c.selector
		m.step(t, 6)
		flag := map[bool]uint64{true: 1}
		if m.R[RDX] != c.rights || m.R[RBX] != flag[c.read]|flag[c.read]<<8 || m.R[RCX]>>8 != flag[c.load] {
			t.Errorf("%#x: rights %#x, readable %#x, writable %#x", c.selector, m.R[RDX], m.R[RBX], m.R[RCX]>>8)
		}
	}
	m := newMachine([]byte("\x0F\x01\x07\x0F\x00\xC8\x48\x0F\x01\xE1")) // sgdt [rdi]; str eax; smsw rcx
	m.R[RDI], m.R[RAX] = testData, 7<<32|7
	m.step(t, 3)
	if got := m.Port.Load64(testData + 2); got != 0xFFFFFFFFFFFE0000 || m.R[RAX] != 7<<32|0x40 || m.R[RCX] != 0x80050033 {
		t.Errorf("GDT at %#x, TR %#x, CR0 %#x", got, m.R[RAX], m.R[RCX])
	}
}

// What RDRAND and RDSEED draw follows from Entropy and the instructions retired:
// the same again from the same point, in blocks or one by one; another number at
// every other point, from another seed, and from the other instruction.
func TestRandomNumbers(t *testing.T) {
	code := []byte{
		0x48, 0x0F, 0xC7, 0xF0, // rdrand rax
		0x48, 0x0F, 0xC7, 0xF1, // rdrand rcx
		0x48, 0x0F, 0xC7, 0xFA, // rdseed rdx
		0x66, 0x0F, 0xC7, 0xF3, // rdrand bx
	}
	run := func(entropy, from uint64, block int) [4]uint64 {
		m := newMachine(code)
		m.SetMaxBlock(block)
		m.Entropy, m.Retired = entropy, from
		m.R[RBX] = 0x1111111111110000
		m.setFlags(StatusFlags &^ CF)
		if s := m.Run(from + 4); s.Reason != StopCount || m.flags() != CF {
			t.Fatalf("stop %v, flags %#x", s, m.flags())
		}
		return [4]uint64(m.R[:4])
	}
	first := run(7, 1000, 64)
	if again := run(7, 1000, 1); again != first {
		t.Errorf("drew %x, then %x", first, again)
	}
	if first[3]>>16 != 0x111111111111 {
		t.Errorf("a 16-bit draw changed the rest of its register: %#x", first[3])
	}
	seen := map[uint64]string{}
	for _, d := range []struct {
		name string
		got  [4]uint64
	}{{"seed 7 at 1000", first}, {"seed 8 at 1000", run(8, 1000, 64)}, {"seed 7 at 1004", run(7, 1004, 64)}} {
		for _, v := range d.got[:3] {
			if old := seen[v]; old != "" || v == 0 {
				t.Errorf("%s drew %#x, as did %s", d.name, v, old)
			}
			seen[v] = d.name
		}
	}
	if shifted := run(7, 1001, 64); shifted[0] != first[1] {
		t.Errorf("at instruction 1001: %#x, before %#x", shifted[0], first[1])
	}
}
