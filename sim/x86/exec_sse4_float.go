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

// dpps multiplies the elements that the immediate's high half selects, adds the
// products by pairs, and puts the sum where the low half says.
func dpps(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	a := [4]uint64{low32(d[0]), d[0] >> 32, low32(d[1]), d[1] >> 32}
	b := [4]uint64{low32(lo), lo >> 32, low32(hi), hi >> 32}
	var p [4]uint64
	var flags uint32
	for i := range p {
		if in.imm>>(4+i)&1 != 0 {
			var fl uint32
			p[i], fl = mul32(c.MXCSR, a[i], b[i])
			flags |= fl
		}
	}
	c.fpFlags(flags)
	s0, fl0 := add32(c.MXCSR, p[0], p[1])
	s1, fl1 := add32(c.MXCSR, p[2], p[3])
	c.fpFlags(fl0 | fl1)
	s, fl := add32(c.MXCSR, s0, s1)
	c.fpFlags(fl)
	mask := func(i uint64) uint64 { return i&1*math.MaxUint32 | i>>1&1*math.MaxUint32<<32 }
	s |= s << 32
	c.setX(in.reg, s&mask(in.imm), s&mask(in.imm>>2))
}

func dppd(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	var p0, p1 uint64
	var fl0, fl1 uint32
	if in.imm&0x10 != 0 {
		p0, fl0 = mul64(c.MXCSR, d[0], lo)
	}
	if in.imm&0x20 != 0 {
		p1, fl1 = mul64(c.MXCSR, d[1], hi)
	}
	c.fpFlags(fl0 | fl1)
	s, fl := add64(c.MXCSR, p0, p1)
	c.fpFlags(fl)
	c.setX(in.reg, s&-(in.imm&1), s&-(in.imm>>1&1))
}
