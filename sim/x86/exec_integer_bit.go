package x86

import "math/bits"

// Bit instructions. Inst.cc holds the operation of BT, BTS, BTR and BTC.
const (
	bitTest = iota
	bitSet
	bitReset
	bitComplement
)

// bitEI takes the bit number modulo the operand size.
func bitEI(c *CPU, in *Inst) {
	n := in.imm & uint64(in.width*8-1)
	o := c.openRM(in)
	if r := bitOp(in.cc, o.val, n); in.cc != bitTest {
		c.closeRM(in, o, r)
	}
	c.setCF(o.val >> n & 1)
}

// bitEG addresses a bit string: a memory operand's bit number is signed and may
// lie outside the addressed word.
func bitEG(c *CPU, in *Inst) {
	w := uint64(in.width) * 8
	n := c.reg(in.reg, in)
	if in.isReg() {
		n &= w - 1
		v := c.reg(in.rm, in)
		if in.cc != bitTest {
			c.setReg(in.rm, in, bitOp(in.cc, v, n))
		}
		c.setCF(v >> n & 1)
		return
	}
	word := signExtend(n, in.width) >> bits.TrailingZeros64(w)
	at := *in
	at.disp += uint64(word) * uint64(in.width)
	addr := c.ea(&at)
	n &= w - 1
	v := c.load(addr, in.width)
	if in.cc != bitTest {
		c.store(addr, in.width, bitOp(in.cc, v, n))
	}
	c.setCF(v >> n & 1)
}

func bitOp(op uint8, v, n uint64) uint64 {
	switch op {
	case bitSet:
		return v | 1<<n
	case bitReset:
		return v &^ (1 << n)
	}
	return v ^ 1<<n
}

// BSF and BSR leave the destination, even its upper half, alone when the source is zero.

func bsfGE(c *CPU, in *Inst) {
	v := c.loadRM(in)
	if v != 0 {
		c.setReg(in.reg, in, uint64(bits.TrailingZeros64(v)))
	}
	c.setZF(v == 0)
}

func bsrGE(c *CPU, in *Inst) {
	v := c.loadRM(in)
	if v != 0 {
		c.setReg(in.reg, in, uint64(63-bits.LeadingZeros64(v)))
	}
	c.setZF(v == 0)
}

// TZCNT and LZCNT count the whole operand when it is zero, and say so in CF.

func tzcntGE(c *CPU, in *Inst) {
	c.counted(in, uint64(bits.TrailingZeros64(c.loadRM(in))))
}

func lzcntGE(c *CPU, in *Inst) {
	c.counted(in, uint64(bits.LeadingZeros64(c.loadRM(in)<<((64-8*uint(in.width))&63))))
}

// counted stores a count of zeros, cut off at the operand size, and its flags.
func (c *CPU) counted(in *Inst, n uint64) {
	var f uint64
	if n >= 8*uint64(in.width) {
		n, f = 8*uint64(in.width), CF
	}
	if n == 0 {
		f = ZF
	}
	c.setReg(in.reg, in, n)
	c.setFlags(f)
}

func popcntGE(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.setReg(in.reg, in, uint64(bits.OnesCount64(v)))
	c.setFlags(0)
	if v == 0 {
		c.setFlags(ZF)
	}
}

// swapped reverses the bytes of a number as wide as in's operands.
func swapped(in *Inst, v uint64) uint64 { return bits.ReverseBytes64(v) >> (64 - 8*uint(in.width)) }

func movbeLoad(c *CPU, in *Inst) { c.setReg(in.reg, in, swapped(in, c.load(c.ea(in), in.width))) }
func movbeStore(c *CPU, in *Inst) {
	c.store(c.ea(in), in.width, swapped(in, c.reg(in.reg, in)))
}

func bswap32(c *CPU, in *Inst) { c.R[in.rm&15] = uint64(bits.ReverseBytes32(uint32(c.R[in.rm&15]))) }
func bswap64(c *CPU, in *Inst) { c.R[in.rm&15] = bits.ReverseBytes64(c.R[in.rm&15]) }

// bswap16 is undefined by the manuals; processors clear the register's low half.
func bswap16(c *CPU, in *Inst) { c.R[in.rm&15] &^= 0xFFFF }
