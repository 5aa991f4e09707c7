package x86

import (
	"math"
	"math/bits"
)

// SSE4.1 on floating-point numbers: rounding to integers, dot products.

// integral rounds to an integral value with rounding mode rc. It sets PE when
// that changes the value, but never DE.
func (f *format) integral(a uint64, rc, mx uint32) (uint64, uint32) {
	x := f.unpack(a, mx)
	switch {
	case x.nan():
		return f.nan(a, a, &x, &x)
	case x.class == zero:
		return f.zero(x.sign), 0
	case x.class == infinite || x.exp >= int(f.frac):
		return a, 0
	}
	drop := uint(63 - x.exp)
	if drop > 64 {
		x.mant, drop = shiftJam(x.mant, drop-64), 64
	}
	v, inexact := roundBits(x.mant, drop, x.sign, rc)
	var fl uint32
	if inexact {
		fl = mxPE
	}
	if v == 0 {
		return f.zero(x.sign), fl
	}
	lead := bits.LeadingZeros64(v)
	r, _ := f.round(x.sign, 63-lead, v<<lead, mx)
	return r, fl
}

// rounded is the lane of ROUNDPS and its family for an immediate: bits 0 and 1
// are the rounding mode unless bit 2 asks for that of MXCSR; bit 3 suppresses PE.
func rounded(f *format, imm uint64) lane {
	return func(mx uint32, _, b uint64) (uint64, uint32) {
		rc := uint32(imm & 3)
		if imm&4 != 0 {
			rc = rounding(mx)
		}
		r, fl := f.integral(b, rc, mx)
		if imm&8 != 0 {
			fl &^= mxPE
		}
		return r, fl
	}
}

// byRounding makes ROUNDPS, ROUNDPD, ROUNDSS and ROUNDSD.
func byRounding(f *format, shape func(lane) handler) handler {
	var h [16]handler
	for i := range h {
		h[i] = shape(rounded(f, uint64(i)))
	}
	return func(c *CPU, in *Inst) { h[in.imm&15](c, in) }
}

// dotSingles multiplies the elements that the immediate's high half selects, adds
// the products by pairs, and puts the sum where the low half says, in each of the
// lanes of 128 bits. The exceptions of every step come before the next step.
func (c *CPU) dotSingles(a, b *Vec, lanes uint8, imm uint64) (r Vec) {
	var p [8]uint64
	step := func(n uint8, f func(i uint8) uint32) {
		var flags uint32
		for i := range n {
			flags |= f(i)
		}
		c.fpFlags(flags)
	}
	step(4*lanes, func(i uint8) (fl uint32) {
		if imm>>(4+i&3)&1 != 0 {
			sh := i & 1 * 32
			p[i], fl = mul32(c.MXCSR, low32(a[i>>1]>>sh), low32(b[i>>1]>>sh))
		}
		return fl
	})
	step(2*lanes, func(i uint8) (fl uint32) {
		p[i], fl = add32(c.MXCSR, p[2*i], p[2*i+1])
		return fl
	})
	step(lanes, func(i uint8) (fl uint32) {
		p[i], fl = add32(c.MXCSR, p[2*i], p[2*i+1])
		return fl
	})
	mask := func(i uint64) uint64 { return i&1*math.MaxUint32 | i>>1&1*math.MaxUint32<<32 }
	for i := range lanes {
		s := p[i] | p[i]<<32
		r[2*i], r[2*i+1] = s&mask(imm), s&mask(imm>>2)
	}
	return r
}

// dotDoubles is the same for two elements.
func (c *CPU) dotDoubles(a, b *Vec, imm uint64) Vec {
	var p0, p1 uint64
	var fl0, fl1 uint32
	if imm&0x10 != 0 {
		p0, fl0 = mul64(c.MXCSR, a[0], b[0])
	}
	if imm&0x20 != 0 {
		p1, fl1 = mul64(c.MXCSR, a[1], b[1])
	}
	c.fpFlags(fl0 | fl1)
	s, fl := add64(c.MXCSR, p0, p1)
	c.fpFlags(fl)
	return Vec{s & -(imm & 1), s & -(imm >> 1 & 1)}
}

func dpps(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	r := c.dotSingles(&c.V[in.reg&15], &Vec{lo, hi}, 1, in.imm)
	c.setX(in.reg, r[0], r[1])
}

func dppd(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	r := c.dotDoubles(&c.V[in.reg&15], &Vec{lo, hi}, in.imm)
	c.setX(in.reg, r[0], r[1])
}
