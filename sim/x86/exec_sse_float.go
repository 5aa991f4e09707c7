package x86

import "math"

// Floating-point arithmetic, comparison and conversion on XMM registers. Each
// operation has a fast path through the host's operators, taken when they give
// the same bits and no new exception flag, and the exact one of
// exec_sse_soft.go for everything else.

// In fastMode, MXCSR rounds to nearest, masks everything, has neither DAZ nor
// FTZ, and has PE already set: inexactness need not be found out.
const (
	fastMask = 0xFFE0
	fastMode = 0x1F80 | mxPE
)

// plain64 reports that the exponent is that of a normal number, away from both
// ends of the range, so that neither a denormal nor an overflow is near.
func plain64(x uint64) bool { return x<<1>>53-2 < 2044 }
func plain32(x uint64) bool { return uint32(x)<<1>>24-2 < 252 }

func f64(x uint64) float64  { return math.Float64frombits(x) }
func f32(x uint64) float32  { return math.Float32frombits(uint32(x)) }
func b64(x float64) uint64  { return math.Float64bits(x) }
func b32(x float32) uint64  { return uint64(math.Float32bits(x)) }
func low32(x uint64) uint64 { return x & math.MaxUint32 }

// lane is an operation on one element; it returns the exception flags it sets.
type lane = func(mx uint32, a, b uint64) (uint64, uint32)

func add64(mx uint32, a, b uint64) (uint64, uint32) {
	r := b64(f64(a) + f64(b))
	if mx&fastMask == fastMode && plain64(a) && plain64(b) && plain64(r) {
		return r, 0
	}
	return double.add(a, b, 0, mx)
}

func sub64(mx uint32, a, b uint64) (uint64, uint32) {
	r := b64(f64(a) - f64(b))
	if mx&fastMask == fastMode && plain64(a) && plain64(b) && plain64(r) {
		return r, 0
	}
	return double.add(a, b, 1, mx)
}

func mul64(mx uint32, a, b uint64) (uint64, uint32) {
	r := b64(f64(a) * f64(b))
	if mx&fastMask == fastMode && plain64(a) && plain64(b) && plain64(r) {
		return r, 0
	}
	return double.mul(a, b, mx)
}

func div64(mx uint32, a, b uint64) (uint64, uint32) {
	r := b64(f64(a) / f64(b))
	if mx&fastMask == fastMode && plain64(a) && plain64(b) && plain64(r) {
		return r, 0
	}
	return double.div(a, b, mx)
}

func sqrt64(mx uint32, _, b uint64) (uint64, uint32) {
	if mx&fastMask == fastMode && plain64(b) && int64(b) > 0 {
		return b64(math.Sqrt(f64(b))), 0
	}
	return double.sqrt(b, mx)
}

func min64(mx uint32, a, b uint64) (uint64, uint32) {
	if plain64(a) && plain64(b) {
		if f64(a) < f64(b) {
			return a, 0
		}
		return b, 0
	}
	return double.pick(a, b, less, mx)
}

func max64(mx uint32, a, b uint64) (uint64, uint32) {
	if plain64(a) && plain64(b) {
		if f64(a) > f64(b) {
			return a, 0
		}
		return b, 0
	}
	return double.pick(a, b, greater, mx)
}

func add32(mx uint32, a, b uint64) (uint64, uint32) {
	r := b32(f32(a) + f32(b))
	if mx&fastMask == fastMode && plain32(a) && plain32(b) && plain32(r) {
		return r, 0
	}
	return single.add(a, b, 0, mx)
}

func sub32(mx uint32, a, b uint64) (uint64, uint32) {
	r := b32(f32(a) - f32(b))
	if mx&fastMask == fastMode && plain32(a) && plain32(b) && plain32(r) {
		return r, 0
	}
	return single.add(a, b, 1, mx)
}

func mul32(mx uint32, a, b uint64) (uint64, uint32) {
	r := b32(f32(a) * f32(b))
	if mx&fastMask == fastMode && plain32(a) && plain32(b) && plain32(r) {
		return r, 0
	}
	return single.mul(a, b, mx)
}

func div32(mx uint32, a, b uint64) (uint64, uint32) {
	r := b32(f32(a) / f32(b))
	if mx&fastMask == fastMode && plain32(a) && plain32(b) && plain32(r) {
		return r, 0
	}
	return single.div(a, b, mx)
}

func sqrt32(mx uint32, _, b uint64) (uint64, uint32) {
	if mx&fastMask == fastMode && plain32(b) && int32(b) > 0 {
		return b32(float32(math.Sqrt(float64(f32(b))))), 0
	}
	return single.sqrt(b, mx)
}

func min32(mx uint32, a, b uint64) (uint64, uint32) { return single.pick(a, b, less, mx) }
func max32(mx uint32, a, b uint64) (uint64, uint32) { return single.pick(a, b, greater, mx) }

// fpFlags records exception flags and raises #XM for an unmasked one. As in
// hardware, an unmasked exception that is found before the computation (IE, DE,
// ZE) keeps the flags found after it (OE, UE, PE) from being set.
func (c *CPU) fpFlags(fl uint32) {
	if fl == 0 {
		return
	}
	masks := c.MXCSR >> mxMaskShift & mxFlags
	if pre := fl & (mxIE | mxDE | mxZE); pre&^masks != 0 {
		fl = pre
	}
	c.MXCSR |= fl
	if fl&^masks != 0 {
		c.raise(XM, 0)
	}
}

func scalar64(f lane) handler {
	return func(c *CPU, in *Inst) {
		b := c.source64(in)
		d := &c.V[in.reg&15]
		r, fl := f(c.MXCSR, d[0], b)
		if fl != 0 {
			c.fpFlags(fl)
		}
		d[0] = r
	}
}

// The three that numerical loops consist of, without the detour through a lane.

var addsdSlow, subsdSlow, mulsdSlow = scalar64(add64), scalar64(sub64), scalar64(mul64)

func addsd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15][0], c.V[in.rm&15][0]
		if r := b64(f64(*d) + f64(b)); plain64(*d) && plain64(b) && plain64(r) {
			*d = r
			return
		}
	}
	addsdSlow(c, in)
}

func subsd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15][0], c.V[in.rm&15][0]
		if r := b64(f64(*d) - f64(b)); plain64(*d) && plain64(b) && plain64(r) {
			*d = r
			return
		}
	}
	subsdSlow(c, in)
}

func mulsd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15][0], c.V[in.rm&15][0]
		if r := b64(f64(*d) * f64(b)); plain64(*d) && plain64(b) && plain64(r) {
			*d = r
			return
		}
	}
	mulsdSlow(c, in)
}

// The same three on both elements.

var addpdSlow, subpdSlow, mulpdSlow = packed64(add64), packed64(sub64), packed64(mul64)

// plainPair reports that neither half is near the ends of its range.
func plainPair(lo, hi uint64) bool { return plain64(lo) && plain64(hi) }

func addpd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15], &c.V[in.rm&15]
		r0, r1 := b64(f64(d[0])+f64(b[0])), b64(f64(d[1])+f64(b[1]))
		if plainPair(d[0], d[1]) && plainPair(b[0], b[1]) && plainPair(r0, r1) {
			d[0], d[1] = r0, r1
			return
		}
	}
	addpdSlow(c, in)
}

func subpd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15], &c.V[in.rm&15]
		r0, r1 := b64(f64(d[0])-f64(b[0])), b64(f64(d[1])-f64(b[1]))
		if plainPair(d[0], d[1]) && plainPair(b[0], b[1]) && plainPair(r0, r1) {
			d[0], d[1] = r0, r1
			return
		}
	}
	subpdSlow(c, in)
}

func mulpd(c *CPU, in *Inst) {
	if in.prefix&prefixRegForm != 0 && c.MXCSR&fastMask == fastMode {
		d, b := &c.V[in.reg&15], &c.V[in.rm&15]
		r0, r1 := b64(f64(d[0])*f64(b[0])), b64(f64(d[1])*f64(b[1]))
		if plainPair(d[0], d[1]) && plainPair(b[0], b[1]) && plainPair(r0, r1) {
			d[0], d[1] = r0, r1
			return
		}
	}
	mulpdSlow(c, in)
}

func scalar32(f lane) handler {
	return func(c *CPU, in *Inst) {
		b := c.source32(in)
		d := &c.V[in.reg&15]
		r, fl := f(c.MXCSR, low32(d[0]), b)
		if fl != 0 {
			c.fpFlags(fl)
		}
		d[0] = d[0]&^math.MaxUint32 | r
	}
}

func packed64(f lane) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		r0, fl0 := f(c.MXCSR, d[0], lo)
		r1, fl1 := f(c.MXCSR, d[1], hi)
		c.fpFlags(fl0 | fl1)
		d[0], d[1] = r0, r1
	}
}

// pair32 applies f to both single-precision elements of a quadword.
func pair32(f lane, mx uint32, a, b uint64) (uint64, uint32) {
	lo, fl0 := f(mx, low32(a), low32(b))
	hi, fl1 := f(mx, a>>32, b>>32)
	return lo | hi<<32, fl0 | fl1
}

func packed32(f lane) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		r0, fl0 := pair32(f, c.MXCSR, d[0], lo)
		r1, fl1 := pair32(f, c.MXCSR, d[1], hi)
		c.fpFlags(fl0 | fl1)
		d[0], d[1] = r0, r1
	}
}

// byPredicate makes the four shapes of CMPccPS from the predicate in the
// immediate, of which hardware reads three bits.
func byPredicate(f *format, shape func(lane) handler) handler {
	var h [8]handler
	for p := range h {
		h[p] = shape(func(mx uint32, a, b uint64) (uint64, uint32) { return f.predicate(a, b, uint8(p), mx) })
	}
	return func(c *CPU, in *Inst) { h[in.imm&7](c, in) }
}

// comparison is COMISS, COMISD (signal) and UCOMISS, UCOMISD.
func comparison(f *format, signal bool) handler {
	return func(c *CPU, in *Inst) {
		var a, b uint64
		if f == &double {
			a, b = c.V[in.reg&15][0], c.source64(in)
		} else {
			a, b = low32(c.V[in.reg&15][0]), c.source32(in)
		}
		o, fl := f.compare(a, b, signal, c.MXCSR)
		c.fpFlags(fl)
		c.setFlags([...]uint64{less: CF, equal: ZF, greater: 0, unordered: ZF | PF | CF}[o])
	}
}

// comisd is the hot comparison, with ordinary numbers decided at once.
func comisd(slow handler) handler {
	return func(c *CPU, in *Inst) {
		if in.prefix&prefixRegForm != 0 {
			a, b := c.V[in.reg&15][0], c.V[in.rm&15][0]
			if plain64(a) && plain64(b) {
				var fl uint64
				if f64(a) < f64(b) {
					fl = CF
				} else if a == b {
					fl = ZF
				}
				c.setFlags(fl)
				return
			}
		}
		slow(c, in)
	}
}

// RCPPS and RSQRTPS: manufacturers' tables differ within the relative error of
// 1.5 * 2^-12 that the manual allows. Here the result is the exact one rounded
// to 12 fraction bits, ties away from zero, an error of at most 2^-13. MXCSR has
// no influence; denormal operands count as zero and tiny results become zero.

func approximate(exact float64) uint64 {
	const drop = 52 - 12
	if math.Abs(exact) < 0x1p-126 {
		return b64(exact) >> 63 << 31
	}
	x := (b64(exact) + 1<<(drop-1)) &^ (1<<drop - 1)
	return b32(float32(f64(x)))
}

func rcp32(_ uint32, _, b uint64) (uint64, uint32) {
	n := single.unpack(b, mxDAZ)
	switch n.class {
	case zero:
		return single.inf(n.sign), 0
	case infinite:
		return single.zero(n.sign), 0
	case finite:
		return approximate(1 / float64(f32(b))), 0
	}
	return single.quiet(b), 0
}

func rsqrt32(_ uint32, _, b uint64) (uint64, uint32) {
	n := single.unpack(b, mxDAZ)
	switch {
	case n.nan():
		return single.quiet(b), 0
	case n.class == zero:
		return single.inf(n.sign), 0
	case n.sign != 0:
		return single.indefinite(), 0
	case n.class == infinite:
		return 0, 0
	}
	return approximate(1 / math.Sqrt(float64(f32(b)))), 0
}

// Conversions.

func toSingle(mx uint32, b uint64) (uint64, uint32) {
	r := b32(float32(f64(b)))
	if mx&fastMask == fastMode && plain64(b) && plain32(r) {
		return r, 0
	}
	return double.convert(b, &single, mx)
}

func toDouble(mx uint32, b uint64) (uint64, uint32) {
	if plain32(b) {
		return b64(float64(f32(b))), 0
	}
	return single.convert(b, &double, mx)
}

func cvtsd2ss(c *CPU, in *Inst) {
	r, fl := toSingle(c.MXCSR, c.source64(in))
	c.fpFlags(fl)
	d := &c.V[in.reg&15]
	d[0] = d[0]&^math.MaxUint32 | r
}

func cvtss2sd(c *CPU, in *Inst) {
	r, fl := toDouble(c.MXCSR, c.source32(in))
	c.fpFlags(fl)
	c.V[in.reg&15][0] = r
}

func cvtpd2ps(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	r0, fl0 := toSingle(c.MXCSR, lo)
	r1, fl1 := toSingle(c.MXCSR, hi)
	c.fpFlags(fl0 | fl1)
	c.setX(in.reg, r0|r1<<32, 0)
}

func cvtps2pd(c *CPU, in *Inst) {
	b := c.source64(in)
	r0, fl0 := toDouble(c.MXCSR, low32(b))
	r1, fl1 := toDouble(c.MXCSR, b>>32)
	c.fpFlags(fl0 | fl1)
	c.setX(in.reg, r0, r1)
}

func cvtdq2pd(c *CPU, in *Inst) {
	b := c.source64(in)
	c.setX(in.reg, b64(float64(int32(b))), b64(float64(int32(b>>32))))
}

func cvtdq2ps(c *CPU, in *Inst) {
	conv := func(mx uint32, _, b uint64) (uint64, uint32) { return single.fromInt(int64(int32(b)), mx) }
	lo, hi := c.source128(in)
	r0, fl0 := pair32(conv, c.MXCSR, 0, lo)
	r1, fl1 := pair32(conv, c.MXCSR, 0, hi)
	c.fpFlags(fl0 | fl1)
	c.setX(in.reg, r0, r1)
}

// fromGeneral is CVTSI2SS and CVTSI2SD; REX.W selects a 64-bit source.
func (c *CPU) fromGeneral(in *Inst, f *format) uint64 {
	var v int64
	if in.width == 8 {
		v = int64(c.general64(in))
	} else {
		v = int64(int32(c.general32(in)))
	}
	if f == &double && v == int64(int32(v)) {
		return b64(float64(v))
	}
	r, fl := f.fromInt(v, c.MXCSR)
	c.fpFlags(fl)
	return r
}

func cvtsi2sd(c *CPU, in *Inst) { c.V[in.reg&15][0] = c.fromGeneral(in, &double) }

func cvtsi2ss(c *CPU, in *Inst) {
	r := c.fromGeneral(in, &single)
	d := &c.V[in.reg&15]
	d[0] = d[0]&^math.MaxUint32 | r
}

// toGeneral is CVTSS2SI and CVTSD2SI, with truncation CVTTSS2SI and CVTTSD2SI.
func toGeneral(f *format, truncate bool) handler {
	return func(c *CPU, in *Inst) {
		var b uint64
		if f == &double {
			b = c.source64(in)
		} else {
			b = c.source32(in)
		}
		rc, size := rounding(c.MXCSR), uint(32)
		if truncate {
			rc = roundZero
		}
		if in.width == 8 {
			size = 64
		}
		r, fl := f.toInt(b, size, rc, c.MXCSR)
		c.fpFlags(fl)
		if size == 32 {
			r = low32(r)
		}
		c.R[in.reg&15] = r
	}
}

// toPacked is CVTPS2DQ, CVTPD2DQ and their truncating forms.
func toPacked(f *format, truncate bool) handler {
	return func(c *CPU, in *Inst) {
		rc := rounding(c.MXCSR)
		if truncate {
			rc = roundZero
		}
		conv := func(mx uint32, _, b uint64) (uint64, uint32) {
			r, fl := f.toInt(b, 32, rc, mx)
			return low32(r), fl
		}
		lo, hi := c.source128(in)
		if f == &double {
			r0, fl0 := conv(c.MXCSR, 0, lo)
			r1, fl1 := conv(c.MXCSR, 0, hi)
			c.fpFlags(fl0 | fl1)
			c.setX(in.reg, r0|r1<<32, 0)
			return
		}
		r0, fl0 := pair32(conv, c.MXCSR, 0, lo)
		r1, fl1 := pair32(conv, c.MXCSR, 0, hi)
		c.fpFlags(fl0 | fl1)
		c.setX(in.reg, r0, r1)
	}
}

// ldmxcsr refuses bits that are not implemented, AMD's MM among them.
func ldmxcsr(c *CPU, in *Inst) {
	v := c.Port.Load32(c.ea(in))
	if v&^mxImplemented != 0 {
		c.raise(GP, 0)
	}
	c.MXCSR = v
}

func stmxcsr(c *CPU, in *Inst) { c.Port.Store32(c.ea(in), c.MXCSR) }
