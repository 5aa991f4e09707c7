package x86

import (
	"math"
	"zhuque/sim/mem"
)

// MMX. The eight 64-bit registers are the significands of the x87 registers,
// named by physical number. Every instruction but EMMS that touches one leaves
// the x87 unit with TOP 0 and every register in use; writing one makes its sign
// and exponent all ones. An x87 exception that is pending comes before everything
// else, a fault of the memory operand before the change to the x87 unit.

func (c *CPU) mm(n uint8) uint64 { return c.FPU.Reg[n&7].Mant }

// enterMMX makes the change to the x87 unit; nothing may fault after it.
func (c *CPU) enterMMX() {
	c.FPU.SW &^= swTop
	c.FPU.Tag = 0xFF
}

func (c *CPU) setMM(n uint8, v uint64) {
	c.enterMMX()
	c.FPU.Reg[n&7] = F80{Mant: v, SE: 0xFFFF}
}

// sourceMM waits for the x87 unit and reads the source operand: a register or
// eight bytes of memory, which need no alignment.
func (c *CPU) sourceMM(in *Inst) uint64 {
	c.fpWait()
	if in.isReg() {
		return c.mm(in.rm)
	}
	return c.Port.Load64(c.ea(in))
}

// onMM applies an operation on quadwords to MMX operands.
func onMM(f func(a, b uint64) uint64) handler {
	return func(c *CPU, in *Inst) {
		b := c.sourceMM(in)
		c.setMM(in.reg, f(c.mm(in.reg), b))
	}
}

func emms(c *CPU, _ *Inst) {
	c.fpWait()
	c.FPU.SW &^= swTop
	c.FPU.Tag = 0
}

// Moves.

func movdToMM(c *CPU, in *Inst) {
	c.fpWait()
	c.setMM(in.reg, uint64(c.general32(in)))
}

func movqToMM(c *CPU, in *Inst) {
	c.fpWait()
	c.setMM(in.reg, c.general64(in))
}

func movdFromMM(c *CPU, in *Inst) {
	c.fpWait()
	v := low32(c.mm(in.reg))
	if in.isReg() {
		c.R[in.rm&15] = v
	} else {
		c.Port.Store32(c.ea(in), uint32(v))
	}
	c.enterMMX()
}

func movqFromMM(c *CPU, in *Inst) {
	c.fpWait()
	v := c.mm(in.reg)
	if in.isReg() {
		c.R[in.rm&15] = v
	} else {
		c.Port.Store64(c.ea(in), v)
	}
	c.enterMMX()
}

func movqMM(c *CPU, in *Inst) { c.setMM(in.reg, c.sourceMM(in)) }

func movqMMBack(c *CPU, in *Inst) {
	c.fpWait()
	c.setMM(in.rm, c.mm(in.reg))
}

func movntq(c *CPU, in *Inst) {
	c.fpWait()
	c.Port.StoreNT(c.ea(in), 8, c.mm(in.reg), 0)
	c.enterMMX()
}

func movdq2q(c *CPU, in *Inst) {
	c.fpWait()
	c.setMM(in.reg, c.V[in.rm&15][0])
}

func movq2dq(c *CPU, in *Inst) {
	c.fpWait()
	c.setX(in.reg, c.mm(in.rm), 0)
	c.enterMMX()
}

// maskmovq stores the selected bytes of eight. Unlike MASKMOVDQU it faults
// whatever is selected: the manual leaves that to the implementation.
func maskmovq(c *CPU, in *Inst) {
	c.fpWait()
	a := c.R[RDI]
	if in.prefix&prefixAddr32 != 0 {
		a = uint64(uint32(a))
	}
	a += c.SegBase[in.seg&3]
	data, selected := c.mm(in.reg), signs8(c.mm(in.rm))
	c.Port.Align(a, 8, mem.Write)
	c.Port.Check(a, 8, mem.Write)
	for i := range uint64(8) {
		if selected>>i&1 != 0 {
			c.Port.StoreNT(a+i, 1, data>>(i*8)&0xFF, 0)
		}
	}
	c.enterMMX()
}

func pmovmskbMM(c *CPU, in *Inst) {
	c.fpWait()
	c.R[in.reg&15] = signs8(c.mm(in.rm))
	c.enterMMX()
}

func pextrwMM(c *CPU, in *Inst) {
	c.fpWait()
	c.R[in.reg&15] = c.mm(in.rm) >> (in.imm & 3 * 16) & 0xFFFF
	c.enterMMX()
}

func pinsrwMM(c *CPU, in *Inst) {
	c.fpWait()
	var v uint64
	if in.isReg() {
		v = c.R[in.rm&15] & 0xFFFF
	} else {
		v = uint64(c.Port.Load16(c.ea(in)))
	}
	sh := in.imm & 3 * 16
	c.setMM(in.reg, c.mm(in.reg)&^(0xFFFF<<sh)|v<<sh)
}

func pshufw(c *CPU, in *Inst) { c.setMM(in.reg, shuffle16(c.sourceMM(in), in.imm)) }

// unpackLowMM reads only four bytes of a memory operand.
func unpackLowMM(width uint, spread func(uint64) uint64) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		var b uint64
		if in.isReg() {
			b = c.mm(in.rm)
		} else {
			b = uint64(c.Port.Load32(c.ea(in)))
		}
		c.setMM(in.reg, spread(c.mm(in.reg))|spread(b)<<width)
	}
}

func unpackHighMM(width uint, spread func(uint64) uint64) handler {
	return onMM(func(a, b uint64) uint64 { return spread(a>>32) | spread(b>>32)<<width })
}

// immediateMM shifts by the immediate.
func (s shift) immediateMM() handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		c.setMM(in.rm, s.apply(c.mm(in.rm), in.imm&0xFF))
	}
}

// Conversions.

// With a memory operand CVTPI2PS and CVTPI2PD have nothing to do with MMX and
// leave the x87 unit alone, even when an exception is pending there.

func cvtpi2psMem(c *CPU, in *Inst) { c.singlesFrom(in, c.Port.Load64(c.ea(in))) }

// cvtpi2psReg has changed the x87 unit when it raises #XM.
func cvtpi2psReg(c *CPU, in *Inst) {
	c.fpWait()
	c.enterMMX()
	c.singlesFrom(in, c.mm(in.rm))
}

func (c *CPU) singlesFrom(in *Inst, b uint64) {
	r0, fl0 := single.fromInt(int64(int32(b)), c.MXCSR)
	r1, fl1 := single.fromInt(int64(int32(b>>32)), c.MXCSR)
	c.fpFlags(fl0 | fl1)
	c.V[in.reg&15][0] = r0 | r1<<32
}

func cvtpi2pdMem(c *CPU, in *Inst) {
	b := c.Port.Load64(c.ea(in))
	c.setX(in.reg, b64(float64(int32(b))), b64(float64(int32(b>>32))))
}

func cvtpi2pdReg(c *CPU, in *Inst) {
	c.fpWait()
	b := c.mm(in.rm)
	c.setX(in.reg, b64(float64(int32(b))), b64(float64(int32(b>>32))))
	c.enterMMX()
}

// toMM is CVTPS2PI, CVTPD2PI and their truncating forms. Like
// cvtpi2psReg it has changed the x87 unit when it raises #XM.
func toMM(f *format, truncate bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		rc := rounding(c.MXCSR)
		if truncate {
			rc = roundZero
		}
		var a, b uint64
		if f == &double {
			a, b = c.source128(in)
		} else {
			b = c.source64(in)
			a, b = b&math.MaxUint32, b>>32
		}
		r0, fl0 := f.toInt(a, 32, rc, c.MXCSR)
		r1, fl1 := f.toInt(b, 32, rc, c.MXCSR)
		c.enterMMX()
		c.fpFlags(fl0 | fl1)
		c.setMM(in.reg, low32(r0)|r1<<32)
	}
}
