package x86

import "zhuque/sim/mem"

// Floating-point arithmetic and conversion of AVX and F16C, from the lanes of SSE.

// packedV64 applies f to all double-precision elements, packedV32 to all
// single-precision ones. The exceptions of all elements count at once.
func packedV64(f lane) handler {
	return func(c *CPU, in *Inst) {
		var b, r Vec
		c.sourceV(in, &b)
		a, flags := &c.V[in.vvvv&15], uint32(0)
		for i := range 2 << in.long {
			x, fl := f(c.MXCSR, a[i], b[i])
			r[i], flags = x, flags|fl
		}
		c.fpFlags(flags)
		c.V[in.reg&15] = r
	}
}

func packedV32(f lane) handler {
	return packedV64(func(mx uint32, a, b uint64) (uint64, uint32) { return pair32(f, mx, a, b) })
}

// scalarV64 applies f to the lowest elements; the rest is the first operand's.
func scalarV64(f lane) handler {
	return func(c *CPU, in *Inst) {
		b := c.source64(in)
		a := &c.V[in.vvvv&15]
		r, fl := f(c.MXCSR, a[0], b)
		c.fpFlags(fl)
		c.setXV(in.reg, r, a[1])
	}
}

func scalarV32(f lane) handler {
	return func(c *CPU, in *Inst) {
		b := c.source32(in)
		a := &c.V[in.vvvv&15]
		r, fl := f(c.MXCSR, low32(a[0]), b)
		c.fpFlags(fl)
		c.setXV(in.reg, a[0]&^0xFFFFFFFF|r, a[1])
	}
}

// floatsV applies an operation within 128 bits to each half.
func floatsV(f float128) handler {
	return func(c *CPU, in *Inst) {
		var b Vec
		c.sourceV(in, &b)
		a, hi := &c.V[in.vvvv&15], x128{}
		lo, flags := f(c.MXCSR, a.low(), b.low())
		if in.long != 0 {
			var fl uint32
			hi, fl = f(c.MXCSR, a.high(), b.high())
			flags |= fl
		}
		c.fpFlags(flags)
		c.V[in.reg&15] = Vec{lo.lo, lo.hi, hi.lo, hi.hi}
	}
}

// byPredicateV makes the shapes of VCMPccPS; hardware reads five bits.
func byPredicateV(f *format, shape func(lane) handler) handler {
	var h [32]handler
	for p := range h {
		h[p] = shape(func(mx uint32, a, b uint64) (uint64, uint32) { return f.predicate(a, b, uint8(p), mx) })
	}
	return func(c *CPU, in *Inst) { h[in.imm&31](c, in) }
}

func vdpps(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	c.V[in.reg&15] = c.dotSingles(&c.V[in.vvvv&15], &b, 1+in.long, in.imm)
}

func vdppd(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	c.V[in.reg&15] = c.dotDoubles(&c.V[in.vvvv&15], &b, in.imm)
}

// Conversions.

func vcvtsi2sd(c *CPU, in *Inst) {
	v := c.fromGeneral(in, &double)
	c.setXV(in.reg, v, c.V[in.vvvv&15][1])
}

func vcvtsi2ss(c *CPU, in *Inst) {
	v := c.fromGeneral(in, &single)
	a := &c.V[in.vvvv&15]
	c.setXV(in.reg, a[0]&^0xFFFFFFFF|v, a[1])
}

func vcvtsd2ss(c *CPU, in *Inst) {
	r, fl := toSingle(c.MXCSR, c.source64(in))
	c.fpFlags(fl)
	a := &c.V[in.vvvv&15]
	c.setXV(in.reg, a[0]&^0xFFFFFFFF|r, a[1])
}

func vcvtss2sd(c *CPU, in *Inst) {
	r, fl := toDouble(c.MXCSR, c.source32(in))
	c.fpFlags(fl)
	c.setXV(in.reg, r, c.V[in.vvvv&15][1])
}

// conversion is one element's, with the flags that it sets.
type conversion = func(mx uint32, b uint64) (uint64, uint32)

// narrowV converts elements of 64 bits to 32.
func narrowV(f conversion) handler {
	return func(c *CPU, in *Inst) {
		var b, r Vec
		c.sourceV(in, &b)
		var flags uint32
		for i := range 2 << in.long {
			x, fl := f(c.MXCSR, b[i])
			r[i>>1], flags = r[i>>1]|x<<(i&1*32), flags|fl
		}
		c.fpFlags(flags)
		c.V[in.reg&15] = r
	}
}

// widenV converts elements of 32 bits to 64; the source is half as long.
func widenV(f conversion) handler {
	return func(c *CPU, in *Inst) {
		b := c.halfSource(in)
		var r Vec
		var flags uint32
		for i := range 2 << in.long {
			x, fl := f(c.MXCSR, low32(b[i>>1]>>(i&1*32)))
			r[i], flags = x, flags|fl
		}
		c.fpFlags(flags)
		c.V[in.reg&15] = r
	}
}

// halfSource reads a source operand that is half as long as the destination.
func (c *CPU) halfSource(in *Inst) (b [2]uint64) {
	switch {
	case in.isReg():
		b[0], b[1] = c.V[in.rm&15][0], c.V[in.rm&15][1]
	case in.long != 0:
		b[0], b[1] = c.Port.Load128(c.ea(in))
	default:
		b[0] = c.Port.Load64(c.ea(in))
	}
	return b
}

func doubleFromInt(_ uint32, b uint64) (uint64, uint32) { return b64(float64(int32(b))), 0 }

func singleFromInt(mx uint32, _, b uint64) (uint64, uint32) {
	return single.fromInt(int64(int32(b)), mx)
}

// intFrom converts to 32-bit integers, truncating or as MXCSR says.
func intFrom(f *format, truncate bool) conversion {
	return func(mx uint32, b uint64) (uint64, uint32) {
		rc := rounding(mx)
		if truncate {
			rc = roundZero
		}
		r, fl := f.toInt(b, 32, rc, mx)
		return low32(r), fl
	}
}

// ofLane gives a conversion the signature of an operation with two operands.
func ofLane(f conversion) lane {
	return func(mx uint32, _, b uint64) (uint64, uint32) { return f(mx, b) }
}

// F16C.

var half = format{frac: 10, bias: 15, emax: 31}

// vcvtph2ps ignores DAZ and does not report denormal operands.
func vcvtph2ps(c *CPU, in *Inst) {
	b := c.halfSource(in)
	var r Vec
	var flags uint32
	for i := range 4 << in.long {
		x, fl := half.convert(b[i>>2]>>(i&3*16)&0xFFFF, &single, c.MXCSR&^mxDAZ)
		r[i>>1], flags = r[i>>1]|x<<(i&1*32), flags|fl&^mxDE
	}
	c.fpFlags(flags)
	c.V[in.reg&15] = r
}

// vcvtps2ph ignores FTZ; the immediate may choose the rounding.
func vcvtps2ph(c *CPU, in *Inst) {
	mx, v := c.MXCSR&^mxFTZ, &c.V[in.reg&15]
	if in.imm&4 == 0 {
		mx = mx&^(3<<mxRoundShift) | uint32(in.imm&3)<<mxRoundShift
	}
	var r [2]uint64
	var flags uint32
	for i := range 4 << in.long {
		x, fl := single.convert(low32(v[i>>1]>>(i&1*32)), &half, mx)
		r[i>>2], flags = r[i>>2]|x<<(i&3*16), flags|fl
	}
	switch {
	case in.isReg():
		c.fpFlags(flags)
		c.setXV(in.rm, r[0], r[1])
	case in.long != 0:
		a := c.ea(in)
		c.Port.Align(a, 16, mem.Write)
		c.Port.Check(a, 16, mem.Write)
		c.fpFlags(flags)
		c.Port.Store128(a, r[0], r[1])
	default:
		a := c.ea(in)
		c.Port.Align(a, 8, mem.Write)
		c.Port.Check(a, 8, mem.Write)
		c.fpFlags(flags)
		c.Port.Store64(a, r[0])
	}
}
