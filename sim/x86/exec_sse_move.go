package x86

import (
	"math"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Operands of SSE instructions, and the instructions that only move data.

// aligned returns the address of a 16-byte operand that must be aligned.
func (c *CPU) aligned(in *Inst) uint64 {
	a := c.ea(in)
	if a&15 != 0 {
		c.raise(GP, 0)
	}
	return a
}

// source128 reads the 16-byte source operand: a register or aligned memory.
func (c *CPU) source128(in *Inst) (lo, hi uint64) {
	if in.prefix&prefixRegForm != 0 {
		v := &c.V[in.rm&15]
		return v[0], v[1]
	}
	return c.Port.Load128(c.aligned(in))
}

// source64 reads the low quadword of the source operand, source32 the low doubleword.
func (c *CPU) source64(in *Inst) uint64 {
	if in.prefix&prefixRegForm != 0 {
		return c.V[in.rm&15][0]
	}
	return c.Port.Load64(c.ea(in))
}

func (c *CPU) source32(in *Inst) uint64 {
	if in.prefix&prefixRegForm != 0 {
		return low32(c.V[in.rm&15][0])
	}
	return uint64(c.Port.Load32(c.ea(in)))
}

// general64 reads the source operand that is a general register or memory.
func (c *CPU) general64(in *Inst) uint64 {
	if in.prefix&prefixRegForm != 0 {
		return c.R[in.rm&15]
	}
	return c.Port.Load64(c.ea(in))
}

func (c *CPU) general32(in *Inst) uint32 {
	if in.prefix&prefixRegForm != 0 {
		return uint32(c.R[in.rm&15])
	}
	return c.Port.Load32(c.ea(in))
}

// setX writes an XMM register; the upper half of the vector register stays.
func (c *CPU) setX(reg uint8, lo, hi uint64) {
	v := &c.V[reg&15]
	v[0], v[1] = lo, hi
}

func movxReg(c *CPU, in *Inst) { // MOVAPS and its like, xmm to xmm
	s := &c.V[in.rm&15]
	c.setX(in.reg, s[0], s[1])
}

func movxRegBack(c *CPU, in *Inst) {
	s := &c.V[in.reg&15]
	c.setX(in.rm, s[0], s[1])
}

func movaLoad(c *CPU, in *Inst) {
	lo, hi := c.Port.Load128(c.aligned(in))
	c.setX(in.reg, lo, hi)
}

func movuLoad(c *CPU, in *Inst) {
	lo, hi := c.Port.Load128(c.ea(in))
	c.setX(in.reg, lo, hi)
}

func movaStore(c *CPU, in *Inst) {
	s := &c.V[in.reg&15]
	c.Port.Store128(c.aligned(in), s[0], s[1])
}

func movuStore(c *CPU, in *Inst) {
	s := &c.V[in.reg&15]
	c.Port.Store128(c.ea(in), s[0], s[1])
}

func movntStore(c *CPU, in *Inst) {
	s := &c.V[in.reg&15]
	c.Port.StoreNT(c.aligned(in), 16, s[0], s[1])
}

func movssReg(c *CPU, in *Inst) {
	d := &c.V[in.reg&15]
	d[0] = d[0]&^math.MaxUint32 | low32(c.V[in.rm&15][0])
}

func movssRegBack(c *CPU, in *Inst) {
	d := &c.V[in.rm&15]
	d[0] = d[0]&^math.MaxUint32 | low32(c.V[in.reg&15][0])
}

func movdLoad(c *CPU, in *Inst)  { c.setX(in.reg, uint64(c.general32(in)), 0) }
func movqLoad(c *CPU, in *Inst)  { c.setX(in.reg, c.general64(in), 0) }
func movq(c *CPU, in *Inst)      { c.setX(in.reg, c.source64(in), 0) }
func movqBack(c *CPU, in *Inst)  { c.setX(in.rm, c.V[in.reg&15][0], 0) }
func movdBack(c *CPU, in *Inst)  { c.R[in.rm&15] = low32(c.V[in.reg&15][0]) }
func movqgBack(c *CPU, in *Inst) { c.R[in.rm&15] = c.V[in.reg&15][0] }

func storeLow32(c *CPU, in *Inst) { c.Port.Store32(c.ea(in), uint32(c.V[in.reg&15][0])) }
func storeLow64(c *CPU, in *Inst) { c.Port.Store64(c.ea(in), c.V[in.reg&15][0]) }
func storeHigh(c *CPU, in *Inst)  { c.Port.Store64(c.ea(in), c.V[in.reg&15][1]) }

func movsdReg(c *CPU, in *Inst)     { c.V[in.reg&15][0] = c.V[in.rm&15][0] }
func movsdRegBack(c *CPU, in *Inst) { c.V[in.rm&15][0] = c.V[in.reg&15][0] }
func movlpLoad(c *CPU, in *Inst)    { c.V[in.reg&15][0] = c.Port.Load64(c.ea(in)) }
func movhpLoad(c *CPU, in *Inst)    { c.V[in.reg&15][1] = c.Port.Load64(c.ea(in)) }
func movhlps(c *CPU, in *Inst)      { c.V[in.reg&15][0] = c.V[in.rm&15][1] }
func movlhps(c *CPU, in *Inst)      { c.V[in.reg&15][1] = c.V[in.rm&15][0] }

func movmskps(c *CPU, in *Inst) {
	s := &c.V[in.rm&15]
	c.R[in.reg&15] = s[0]>>31&1 | s[0]>>63<<1 | s[1]>>31&1<<2 | s[1]>>63<<3
}

func movmskpd(c *CPU, in *Inst) {
	s := &c.V[in.rm&15]
	c.R[in.reg&15] = s[0]>>63 | s[1]>>63<<1
}

func pmovmskb(c *CPU, in *Inst) {
	s := &c.V[in.rm&15]
	c.R[in.reg&15] = signs8(s[0]) | signs8(s[1])<<8
}

// signs8 gathers the sign bits of eight bytes.
func signs8(x uint64) uint64 { return (x >> 7 & 0x0101010101010101) * 0x0102040810204080 >> 56 }

// checkSelected faults unless the selected of 16 bytes from a on may be written.
// A page without a selected byte cannot fault; the fault of another is at the
// first byte of the operand in it, selected or not.
func (c *CPU) checkSelected(a, selected uint64) {
	first := min(phys.PageSize-a&phys.PageMask, 16) // bytes in the first page
	if selected&(1<<first-1) != 0 {
		c.Port.Check(a, 1, mem.Write)
	}
	if selected>>first != 0 {
		c.Port.Check(a+first, 1, mem.Write)
	}
}

// maskmovdqu stores the selected bytes at RDI past the caches. All are checked
// before the first is written.
func maskmovdqu(c *CPU, in *Inst) {
	a := c.R[RDI]
	if in.prefix&prefixAddr32 != 0 {
		a = uint64(uint32(a))
	}
	a += c.SegBase[in.seg&3]
	data, mask := c.V[in.reg&15], c.V[in.rm&15]
	selected := signs8(mask[0]) | signs8(mask[1])<<8
	c.Port.Align(a, 8, mem.Write)
	c.checkSelected(a, selected)
	for i := range uint64(16) {
		if selected>>i&1 != 0 {
			c.Port.StoreNT(a+i, 1, data[i>>3]>>(i&7*8)&0xFF, 0)
		}
	}
}

func pextrw(c *CPU, in *Inst) {
	i := in.imm & 7
	c.R[in.reg&15] = c.V[in.rm&15][i>>2] >> (i & 3 * 16) & 0xFFFF
}

func pinsrw(c *CPU, in *Inst) {
	var v uint64
	if in.prefix&prefixRegForm != 0 {
		v = c.R[in.rm&15] & 0xFFFF
	} else {
		v = uint64(c.Port.Load16(c.ea(in)))
	}
	i := in.imm & 7
	d, sh := &c.V[in.reg&15][i>>2], i&3*16
	*d = *d&^(0xFFFF<<sh) | v<<sh
}
