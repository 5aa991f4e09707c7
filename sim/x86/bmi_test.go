package x86

import (
	"testing"

	"zhuque/sim/det"
)

// BMI is part of both levels; the register that VEX.vvvv names is the second
// operand of the disassembly or the last.
func TestBMI(t *testing.T) {
	const src, control, low = 0xF0F0_1234_0000_8000, 0x0C04, 0x1234_5678_9ABC_DEF0
	for _, c := range []struct {
		code, text string
		rax, rbx   uint64
		flags      uint64
	}{
		{"\xC4\xE2\xF0\xF2\xC2", "andn rax, rcx, rdx", low &^ control, 3, 0},
		{"\xC4\xE2\x70\xF2\xC2", "andn eax, ecx, edx", low & 0xFFFFFFFF &^ control, 3, SF},
		{"\xC4\xE2\xE0\xF3\xCE", "blsr rbx, rsi", 1, 0xF0F0_1234_0000_0000, SF},
		{"\xC4\xE2\x60\xF3\xD6", "blsmsk ebx, esi", 1, 0xFFFF, 0},
		{"\xC4\xE2\xE0\xF3\xDE", "blsi rbx, rsi", 1, 0x8000, CF},
		{"\xC4\xE2\xF0\xF7\xC6", "bextr rax, rsi, rcx", 0x800, 3, 0},
		{"\xC4\xE2\xF0\xF5\xC6", "bzhi rax, rsi, rcx", 0, 3, ZF},
		{"\xC4\xE2\xE3\xF6\xC6", "mulx rax, rbx, rsi", mulHigh(low, src), mulLow(low, src), 0},
		{"\xC4\xE2\xFB\xF6\xC6", "mulx rax, rax, rsi", mulHigh(low, src), 3, 0},
		{"\xC4\xE3\xFB\xF0\xC6\x10", "rorx rax, rsi, 0x10", 0x8000_F0F0_1234_0000, 3, 0},
		{"\xC4\xE2\xF1\xF7\xC6", "shlx rax, rsi, rcx", 0x0F01_2340_0008_0000, 3, 0},
		{"\xC4\xE2\xF3\xF7\xC6", "shrx rax, rsi, rcx", 0x0F0F_0123_4000_0800, 3, 0},
		{"\xC4\xE2\xF2\xF7\xC6", "sarx rax, rsi, rcx", 0xFF0F_0123_4000_0800, 3, 0},
		{"\xF3\x48\x0F\xBC\xC6", "tzcnt rax, rsi", 15, 3, 0},
		{"\xF3\x48\x0F\xBD\xC6", "lzcnt rax, rsi", 0, 3, ZF},
	} {
		for l := range levels {
			m := newMachine([]byte(c.code))
			m.SetLevel(l)
			m.R[RAX], m.R[RBX], m.R[RCX], m.R[RDX], m.R[RSI] = 1, 3, control, low, src
			m.step(t, 1)
			if m.R[RAX] != c.rax || m.R[RBX] != c.rbx || m.flags()&(CF|ZF|SF|OF) != c.flags {
				t.Errorf("%s on %v: rax %#x rbx %#x flags %#x, want %#x %#x %#x",
					c.text, l, m.R[RAX], m.R[RBX], m.flags(), c.rax, c.rbx, c.flags)
			}
		}
		if text, _ := Disasm([]byte(c.code), testCode); text != c.text {
			t.Errorf("%q, want %q", text, c.text)
		}
	}
}

// mulHigh is the upper half of a product, by quarters.
func mulHigh(a, b uint64) uint64 {
	al, ah, bl, bh := a&0xFFFFFFFF, a>>32, b&0xFFFFFFFF, b>>32
	middle := al*bh + al*bl>>32
	return ah*bh + middle>>32 + (middle&0xFFFFFFFF+ah*bl)>>32
}

// PDEP and PEXT as the manual tells them, one bit at a time.
func TestDepositExtract(t *testing.T) {
	r := det.Stream(1, "deposit")
	for range 500 {
		v, mask := r.Uint64(), r.Uint64()&(r.Uint64()|r.Uint64())>>r.IntN(64)
		var deposited, extracted uint64
		k := 0
		for i := range 64 {
			if mask>>i&1 != 0 {
				deposited |= v >> k & 1 << i
				extracted |= v >> i & 1 << k
				k++
			}
		}
		m := newMachine([]byte("\xC4\xE2\xF3\xF5\xC2\xC4\xE2\xF2\xF5\xDA")) // pdep rax, rcx, rdx; pext rbx, rcx, rdx
		m.R[RCX], m.R[RDX] = v, mask
		m.step(t, 2)
		if m.R[RAX] != deposited || m.R[RBX] != extracted {
			t.Fatalf("%#x with mask %#x: %#x and %#x, want %#x and %#x", v, mask, m.R[RAX], m.R[RBX], deposited, extracted)
		}
	}
}

func mulLow(a, b uint64) uint64 { return a * b }
