package x86

import (
	"math"
	"math/bits"
)

// Fused multiplication and addition, rounded once.

// fused says what is negated before the sum: 1 or 0.
type fused struct{ product, addend uint64 }

// fma computes a*b+c with the signs of n. Of several NaNs the first is the result.
func (f *format) fma(a, b, c uint64, n fused, mx uint32) (uint64, uint32) {
	x, y, z := f.unpack(a, mx), f.unpack(b, mx), f.unpack(c, mx)
	invalid := x.class == infinite && y.class == zero || x.class == zero && y.class == infinite
	if x.nan() || y.nan() || z.nan() {
		return f.fusedNaN([3]uint64{a, b, c}, [3]*number{&x, &y, &z})
	}
	if invalid {
		return f.indefinite(), mxIE
	}
	fl := x.denorm | y.denorm | z.denorm
	sign := x.sign ^ y.sign ^ n.product
	z.sign ^= n.addend
	switch {
	case x.class == infinite || y.class == infinite:
		if z.class == infinite && z.sign != sign {
			return f.indefinite(), mxIE
		}
		return f.inf(sign), fl
	case z.class == infinite:
		return f.inf(z.sign), fl
	case x.class == zero || y.class == zero:
		if z.class == zero {
			if z.sign != sign {
				return f.exactZero(mx), fl
			}
			return f.zero(sign), fl
		}
		r, rf := f.round(z.sign, z.exp, z.mant, mx)
		return r, fl | rf
	}
	hi, lo := bits.Mul64(x.mant, y.mant)
	p := wideFloat{sign, x.exp + y.exp + 1, hi, lo}
	p.normalize()
	if z.class != zero {
		if p.add(wideFloat{z.sign, z.exp, z.mant, 0}); p.hi|p.lo == 0 {
			return f.exactZero(mx), fl
		}
	}
	if p.lo != 0 {
		p.hi |= 1
	}
	r, rf := f.round(p.sign, p.exp, p.hi, mx)
	return r, fl | rf
}

// fusedNaN returns the first of three operands that is a NaN, made quiet.
func (f *format) fusedNaN(x [3]uint64, n [3]*number) (r uint64, fl uint32) {
	for i := 2; i >= 0; i-- {
		if n[i].nan() {
			r = f.quiet(x[i])
		}
		if n[i].class == signalNaN {
			fl = mxIE
		}
	}
	return r, fl
}

// wideFloat is hi:lo/2^127 * 2^exp. The product of two significands of at most 53 bits
// leaves so many bits free below that a one lost in aligning can be kept in the
// lowest: where bits cancel by more than one place, none was lost.
type wideFloat struct {
	sign   uint64
	exp    int
	hi, lo uint64
}

func (w *wideFloat) normalize() {
	lead := bits.LeadingZeros64(w.hi)
	if w.hi == 0 {
		lead = 64 + bits.LeadingZeros64(w.lo)
	}
	w.exp -= lead
	if lead >= 64 {
		w.hi, w.lo, lead = w.lo, 0, lead-64
	}
	w.hi, w.lo = w.hi<<lead|w.lo>>(64-lead), w.lo<<lead
}

// jam shifts right and keeps in the lowest bit whether a one was lost.
func (w *wideFloat) jam(n uint) {
	if n >= 64 {
		low := w.lo
		w.hi, w.lo, n = 0, w.hi, n-64
		if n >= 64 {
			low, w.lo, n = low|w.lo, 0, 0
		}
		if low != 0 {
			w.lo |= 1
		}
	}
	lost := w.lo & (1<<n - 1)
	w.hi, w.lo = w.hi>>n, w.lo>>n|w.hi<<(64-n)
	if lost != 0 {
		w.lo |= 1
	}
}

// add adds a normalized v; the sum is normalized unless it is zero.
func (w *wideFloat) add(v wideFloat) {
	if w.exp < v.exp || w.exp == v.exp && (w.hi < v.hi || w.hi == v.hi && w.lo < v.lo) {
		*w, v = v, *w
	}
	v.jam(uint(w.exp - v.exp))
	if w.sign != v.sign {
		var borrow uint64
		w.lo, borrow = bits.Sub64(w.lo, v.lo, 0)
		w.hi, _ = bits.Sub64(w.hi, v.hi, borrow)
		if w.hi|w.lo != 0 {
			w.normalize()
		}
		return
	}
	var carry uint64
	w.lo, carry = bits.Add64(w.lo, v.lo, 0)
	if w.hi, carry = bits.Add64(w.hi, v.hi, carry); carry != 0 {
		w.jam(1)
		w.hi |= 1 << 63
		w.exp++
	}
}

func fma64(mx uint32, a, b, c uint64, n fused) (uint64, uint32) {
	if mx&fastMask == fastMode && plain64(a) && plain64(b) && plain64(c) {
		r := b64(math.FMA(f64(a^n.product<<63), f64(b), f64(c^n.addend<<63)))
		if plain64(r) {
			return r, 0
		}
	}
	return double.fma(a, b, c, n, mx)
}

// fma32 rounds the sum of the exact product and the addend to an odd double
// first: its 53 bits are enough for the second rounding to be the only one.
func fma32(mx uint32, a, b, c uint64, n fused) (uint64, uint32) {
	if mx&fastMask == fastMode && plain32(a) && plain32(b) && plain32(c) {
		p, z := float64(float64(f32(a^n.product<<31))*float64(f32(b))), float64(f32(c^n.addend<<31))
		s := p + z
		v := s - p
		lost := (p - (s - v)) + (z - v)
		if x := b64(s); lost != 0 && x&1 == 0 {
			if x++; lost > 0 != (s > 0) {
				x -= 2
			}
			s = f64(x)
		}
		if r := b32(float32(s)); plain32(r) {
			return r, 0
		}
	}
	return single.fma(a, b, c, n, mx)
}

// fusedLane is fma64 or fma32.
type fusedLane = func(mx uint32, a, b, c uint64, n fused) (uint64, uint32)

// Operands by the digits in the mnemonic: the first two are multiplied; 1 is
// ModRM.reg, 2 VEX.vvvv and 3 the source operand.
type fusedOrder [3]uint8

// fusedPacked makes a handler for elements of width bits; even ones take the
// signs of n[0], odd ones those of n[1].
func fusedPacked(f fusedLane, width uint, order fusedOrder, n [2]fused) handler {
	element := ^uint64(0) >> (64 - width)
	return func(c *CPU, in *Inst) {
		var b, r Vec
		c.sourceV(in, &b)
		from := [4]*Vec{1: &c.V[in.reg&15], 2: &c.V[in.vvvv&15], 3: &b}
		x, y, z := from[order[0]], from[order[1]], from[order[2]]
		var flags uint32
		for i := range 128 << in.long / width {
			q, sh := i*width>>6, i*width&63
			v, fl := f(c.MXCSR, x[q]>>sh&element, y[q]>>sh&element, z[q]>>sh&element, n[i&1])
			r[q], flags = r[q]|v<<sh, flags|fl
		}
		c.fpFlags(flags)
		c.V[in.reg&15] = r
	}
}

// fusedScalar keeps the rest of the destination.
func fusedScalar(f fusedLane, width uint, order fusedOrder, n fused) handler {
	element := ^uint64(0) >> (64 - width)
	return func(c *CPU, in *Inst) {
		var b uint64
		if width == 32 {
			b = c.source32(in)
		} else {
			b = c.source64(in)
		}
		d := &c.V[in.reg&15]
		from := [4]uint64{1: d[0] & element, 2: c.V[in.vvvv&15][0] & element, 3: b}
		r, fl := f(c.MXCSR, from[order[0]], from[order[1]], from[order[2]], n)
		c.fpFlags(fl)
		*d = Vec{d[0]&^element | r, d[1]}
	}
}
