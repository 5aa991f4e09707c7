package x86

import "math/bits"

// Multiplication and division. Products set CF and OF alike; SF, ZF, AF and PF
// are undefined.

// flagsMul sets CF and OF to overflow and leaves the others, all undefined, alone.
func (c *CPU) flagsMul(overflow bool) {
	var o uint64
	if overflow {
		o = 1
	}
	c.setCFOF(o, o)
}

func mulE(c *CPU, in *Inst) {
	b := c.loadRM(in)
	a := c.reg(RAX, in)
	switch in.width {
	case 1:
		p := a * b
		c.R[RAX] = c.R[RAX]&^0xFFFF | p
		c.flagsMul(p>>8 != 0)
	case 8:
		c.R[RDX], c.R[RAX] = bits.Mul64(a, b)
		c.flagsMul(c.R[RDX] != 0)
	default:
		p := a * b
		hi := p >> (8 * uint(in.width))
		c.setReg(RAX, in, p)
		c.setReg(RDX, in, hi)
		c.flagsMul(hi != 0)
	}
}

// ADCX and ADOX add with a carry in CF or OF and leave the other flags alone.

func adcx(c *CPU, in *Inst) { c.setCF(c.addCarry(in, c.flagAux>>63)) }

func adox(c *CPU, in *Inst) {
	of := (c.flagAux>>63 ^ c.flagAux>>62) & 1
	c.setCFOF(c.flagAux>>63, c.addCarry(in, of))
}

// addCarry adds the source and a carry to register reg and returns the carry out.
func (c *CPU) addCarry(in *Inst, carry uint64) uint64 {
	a, b := c.reg(in.reg, in), c.loadRM(in)
	r, out := bits.Add64(a, b, carry)
	c.setReg(in.reg, in, r)
	if in.width == 4 {
		return r >> 32
	}
	return out
}

// signedProduct returns the 128-bit product of a and b.
func signedProduct(a, b int64) (hi, lo uint64) {
	hi, lo = bits.Mul64(uint64(a), uint64(b))
	hi -= uint64(a>>63)&uint64(b) + uint64(b>>63)&uint64(a)
	return hi, lo
}

func imulE(c *CPU, in *Inst) {
	b := signExtend(c.loadRM(in), in.width)
	a := signExtend(c.reg(RAX, in), in.width)
	switch in.width {
	case 1:
		p := a * b
		c.R[RAX] = c.R[RAX]&^0xFFFF | uint64(p)&0xFFFF
		c.flagsMul(int64(int8(p)) != p)
	case 8:
		c.R[RDX], c.R[RAX] = signedProduct(a, b)
		c.flagsMul(c.R[RDX] != uint64(int64(c.R[RAX])>>63))
	default:
		p := a * b
		c.setReg(RAX, in, uint64(p))
		c.setReg(RDX, in, uint64(p)>>(8*uint(in.width)))
		c.flagsMul(signExtend(uint64(p), in.width) != p)
	}
}

// imul sets register reg to a*b, truncated.
func (c *CPU) imul(in *Inst, a, b int64) {
	if in.width == 8 {
		hi, lo := signedProduct(a, b)
		c.R[in.reg&15] = lo
		c.flagsMul(hi != uint64(int64(lo)>>63))
		return
	}
	p := a * b
	c.setReg(in.reg, in, uint64(p))
	c.flagsMul(signExtend(uint64(p), in.width) != p)
}

func imulGE(c *CPU, in *Inst) {
	c.imul(in, signExtend(c.reg(in.reg, in), in.width), signExtend(c.loadRM(in), in.width))
}

func imulGEI(c *CPU, in *Inst) {
	c.imul(in, signExtend(c.loadRM(in), in.width), int64(in.imm))
}

// A quotient that does not fit is #DE. Of the flags, all undefined, division
// sets AF, keeps CF and OF and clears the others, as on AMD's processors.

func (c *CPU) flagsDiv() { c.setFlags(c.flags()&(CF|OF) | AF) }

func divE(c *CPU, in *Inst) {
	d := c.loadRM(in)
	switch in.width {
	case 1:
		n := c.R[RAX] & 0xFFFF
		if d == 0 || n/d > 0xFF {
			c.raise(DE, 0)
		}
		c.R[RAX] = c.R[RAX]&^0xFFFF | n%d<<8 | n/d
	case 8:
		if d <= c.R[RDX] {
			c.raise(DE, 0)
		}
		c.R[RAX], c.R[RDX] = bits.Div64(c.R[RDX], c.R[RAX], d)
	default:
		w := 8 * uint(in.width)
		n := c.reg(RDX, in)<<w | c.reg(RAX, in)
		if d == 0 || n/d>>w != 0 {
			c.raise(DE, 0)
		}
		c.setReg(RAX, in, n/d)
		c.setReg(RDX, in, n%d)
	}
	c.flagsDiv()
}

func idivE(c *CPU, in *Inst) {
	d := signExtend(c.loadRM(in), in.width)
	if d == 0 {
		c.raise(DE, 0)
	}
	switch in.width {
	case 1:
		n := int64(int16(c.R[RAX]))
		q, r := n/d, n%d
		if q != int64(int8(q)) {
			c.raise(DE, 0)
		}
		c.R[RAX] = c.R[RAX]&^0xFFFF | uint64(uint8(r))<<8 | uint64(uint8(q))
	case 8:
		c.idiv128(d)
	default:
		w := 8 * uint(in.width)
		n := signExtend(c.reg(RDX, in)<<w|c.reg(RAX, in), 2*in.width)
		if n == -1<<63 && d == -1 {
			c.raise(DE, 0)
		}
		q, r := n/d, n%d
		if q != signExtend(uint64(q), in.width) {
			c.raise(DE, 0)
		}
		c.setReg(RAX, in, uint64(q))
		c.setReg(RDX, in, uint64(r))
	}
	c.flagsDiv()
}

// idiv128 divides RDX:RAX by d, which is not zero.
func (c *CPU) idiv128(d int64) {
	hi, lo := c.R[RDX], c.R[RAX]
	negative := int64(hi) < 0
	if negative {
		var borrow uint64
		lo, borrow = bits.Sub64(0, lo, 0)
		hi, _ = bits.Sub64(0, hi, borrow)
	}
	ud := uint64(d)
	if d < 0 {
		ud = -ud
	}
	if hi >= ud {
		c.raise(DE, 0)
	}
	q, r := bits.Div64(hi, lo, ud)
	limit := uint64(1)<<63 - 1
	if negative != (d < 0) {
		limit++
		if q > limit {
			c.raise(DE, 0)
		}
		q = -q
	} else if q > limit {
		c.raise(DE, 0)
	}
	if negative {
		r = -r
	}
	c.R[RAX], c.R[RDX] = q, r
}
