package x86

import "testing"

// Branches that compiled code rarely uses; each case starts with RCX and flags
// as given and must end at testCode+rip with RCX and RSP as given.
func TestBranches(t *testing.T) {
	for _, c := range []struct {
		name  string
		code  string
		rcx   uint64
		flags uint64
		rip   int64
		after uint64 // RCX
		sp    int64  // change of RSP
	}{
		{"jrcxz taken", "\xE3\x10", 0, 0, 0x12, 0, 0},
		{"jrcxz not taken", "\xE3\x10", 1 << 32, 0, 2, 1 << 32, 0},
		{"jecxz looks at ecx", "\x67\xE3\x10", 1 << 32, 0, 0x13, 1 << 32, 0},
		{"loop", "\xE2\xF0", 2, 0, 2 - 0x10, 1, 0},
		{"loop ends", "\xE2\xF0", 1, 0, 2, 0, 0},
		{"loop wraps", "\xE2\x10", 0, 0, 0x12, ^uint64(0), 0},
		{"loop with ecx", "\x67\xE2\x10", 1<<32 | 1, 0, 3, 0, 0},
		{"loope", "\xE1\x10", 2, ZF, 0x12, 1, 0},
		{"loope leaves", "\xE1\x10", 2, 0, 2, 1, 0},
		{"loopne", "\xE0\x10", 2, 0, 0x12, 1, 0},
		{"loopne leaves", "\xE0\x10", 2, ZF, 2, 1, 0},
		{"jmp memory", "\xFF\x24\x24", 0, 0, 0x40, 0, 0},
		{"jmp register", "\xFF\xE1", testCode + 0x50, 0, 0x50, testCode + 0x50, 0},
		{"call register", "\xFF\xD1", testCode + 0x50, 0, 0x50, testCode + 0x50, -8},
		{"call through the stack's top", "\xFF\x14\x24", 0, 0, 0x40, 0, -8},
		{"call relative", "\xE8\x10\x00\x00\x00", 0, 0, 0x15, 0, -8},
		{"ret", "\xC3", 0, 0, 0x40, 0, 8},
		{"ret that pops", "\xC2\xF8\xFF", 0, 0, 0x40, 0, 8 + 0xFFF8},
		{"ret with rep", "\xF3\xC3", 0, 0, 0x40, 0, 8},
	} {
		m := newMachine([]byte(c.code))
		m.R[RCX] = c.rcx
		m.SetRFlags(c.flags)
		sp := m.R[RSP]
		m.Port.Store64(sp, testCode+0x40)
		m.step(t, 1)
		if m.RIP != testCode+uint64(c.rip) {
			t.Errorf("%s: rip %#x, want %#x", c.name, m.RIP, testCode+uint64(c.rip))
		}
		if m.R[RCX] != c.after || m.R[RSP] != sp+uint64(c.sp) || m.RFlags() != c.flags|flagsFixed {
			t.Errorf("%s: rcx %#x, rsp moved by %d, flags %#x", c.name, m.R[RCX], int64(m.R[RSP]-sp), m.RFlags())
		}
		if c.sp == -8 {
			if back := m.Port.Load64(m.R[RSP]); back != testCode+uint64(len(c.code)) {
				t.Errorf("%s: return address %#x", c.name, back)
			}
		}
	}
}
