package x86

import "math/bits"

// BMI1 and BMI2. Operands are 32 or 64 bits wide; a result of 32 bits clears the
// upper half of its register. Undefined flags are cleared.

// vvvv returns the general register that VEX.vvvv names.
func (c *CPU) vvvv(in *Inst) uint64 { return c.reg(in.vvvv, in) }

// size returns the operand size in bits.
func (in *Inst) size() uint64 { return 8 * uint64(in.width) }

// bmiResult sets register reg, and SF, ZF and CF.
func (c *CPU) bmiResult(reg uint8, in *Inst, r uint64, carry bool) {
	c.setReg(reg, in, r)
	r = c.reg(reg, in)
	var f uint64
	if carry {
		f = CF
	}
	if r == 0 {
		f |= ZF
	}
	f |= r >> (in.size() - 1) << 7 // SF
	c.setFlags(f)
}

func andn(c *CPU, in *Inst) { c.bmiResult(in.reg, in, c.loadRM(in)&^c.vvvv(in), false) }

func blsr(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.bmiResult(in.vvvv, in, v&(v-1), v == 0)
}

func blsmsk(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.bmiResult(in.vvvv, in, v^(v-1), v == 0)
}

func blsi(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.bmiResult(in.vvvv, in, v&-v, v != 0)
}

// bextr extracts the bits that a start in the lowest byte and a length in the
// next choose.
func bextr(c *CPU, in *Inst) {
	v, control := c.loadRM(in), c.vvvv(in)
	v >>= control & 0xFF // what was loaded has no bits above the operand size
	if n := control >> 8 & 0xFF; n < 64 {
		v &= 1<<n - 1
	}
	c.bmiResult(in.reg, in, v, false)
}

func bzhi(c *CPU, in *Inst) {
	v, n := c.loadRM(in), c.vvvv(in)&0xFF
	beyond := n >= in.size()
	if !beyond {
		v &= 1<<n - 1
	}
	c.bmiResult(in.reg, in, v, beyond)
}

// pdep scatters the low bits of a number to the places of a mask, pext gathers
// them from there.

func pdep(c *CPU, in *Inst) {
	v, mask, r := c.vvvv(in), c.loadRM(in), uint64(0)
	for ; mask != 0; mask &= mask - 1 {
		r |= mask & -mask & -(v & 1)
		v >>= 1
	}
	c.setReg(in.reg, in, r)
}

func pext(c *CPU, in *Inst) {
	v, mask, r := c.vvvv(in), c.loadRM(in), uint64(0)
	for i := 0; mask != 0; i++ {
		r |= v >> bits.TrailingZeros64(mask) & 1 << i
		mask &= mask - 1
	}
	c.setReg(in.reg, in, r)
}

// mulx multiplies by RDX without flags. Of equal destinations the upper half stays.
func mulx(c *CPU, in *Inst) {
	hi, lo := bits.Mul64(c.reg(RDX, in), c.loadRM(in))
	if in.width == 4 {
		hi = lo >> 32
	}
	c.setReg(in.vvvv, in, lo)
	c.setReg(in.reg, in, hi)
}

func rorx(c *CPU, in *Inst) {
	v, n := c.loadRM(in), in.imm&(in.size()-1)
	c.setReg(in.reg, in, v>>n|v<<(in.size()-n))
}

func shlx(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.setReg(in.reg, in, v<<(c.vvvv(in)&(in.size()-1)))
}

func shrx(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.setReg(in.reg, in, v>>(c.vvvv(in)&(in.size()-1)))
}

func sarx(c *CPU, in *Inst) {
	v := signExtend(c.loadRM(in), in.width)
	c.setReg(in.reg, in, uint64(v>>(c.vvvv(in)&(in.size()-1))))
}
