package x86

import (
	"math"
	"math/bits"
)

// add returns a+b.
func (e *fpEnv) add(a, b F80) F80 { return e.addSigned(a, b, b.neg()) }

// sub returns a-b. A NaN keeps its sign.
func (e *fpEnv) sub(a, b F80) F80 { return e.addSigned(a, b, !b.neg()) }

// addSigned adds a and the value of b's magnitude with the sign nb.
func (e *fpEnv) addSigned(a, b F80, nb bool) F80 {
	if r, done := e.nan2(a, b); done {
		return r
	}
	na := a.neg()
	ca, cb := a.class(), b.class()
	if ca == fpInf && cb == fpInf && na != nb {
		return e.invalid()
	}
	e.noteDenormal(a, b)
	switch {
	case ca == fpInf:
		return a
	case cb == fpInf:
		return f80Inf(nb)
	case ca == fpZero && cb == fpZero:
		return f80Zero(na && nb || na != nb && e.rc == rcDown)
	case ca == fpZero:
		x, m := b.split()
		return e.round(nb, x, m, 0, e.prec)
	case cb == fpZero:
		x, m := a.split()
		return e.round(na, x, m, 0, e.prec)
	}
	xa, ma := a.split()
	xb, mb := b.split()
	if xa < xb || xa == xb && ma < mb {
		xa, ma, na, xb, mb, nb = xb, mb, nb, xa, ma, na
	}
	hi, lo := shiftJam128(mb, 0, uint32(xa-xb))
	if na == nb {
		hi, carry := bits.Add64(ma, hi, 0)
		if carry != 0 {
			hi, lo = shiftJam128(hi, lo, 1)
			hi |= 1 << 63
			xa++
		}
		return e.round(na, xa, hi, lo, e.prec)
	}
	lo, borrow := bits.Sub64(0, lo, 0)
	hi, _ = bits.Sub64(ma, hi, borrow)
	if hi|lo == 0 {
		return f80Zero(e.rc == rcDown)
	}
	hi, lo, n := normalize128(hi, lo)
	return e.round(na, xa-n, hi, lo, e.prec)
}

// normalize128 shifts hi:lo, not zero, left until bit 63 of hi is set.
func normalize128(hi, lo uint64) (uint64, uint64, int32) {
	var n int32
	if hi == 0 {
		hi, lo, n = lo, 0, 64
	}
	s := bits.LeadingZeros64(hi)
	return hi<<s | lo>>(64-s), lo << s, n + int32(s)
}

// mul returns a·b.
func (e *fpEnv) mul(a, b F80) F80 {
	if r, done := e.nan2(a, b); done {
		return r
	}
	ca, cb := a.class(), b.class()
	neg := a.neg() != b.neg()
	if ca == fpInf && cb == fpZero || ca == fpZero && cb == fpInf {
		return e.invalid()
	}
	e.noteDenormal(a, b)
	switch {
	case ca == fpInf || cb == fpInf:
		return f80Inf(neg)
	case ca == fpZero || cb == fpZero:
		return f80Zero(neg)
	}
	x, ma := a.split()
	y, mb := b.split()
	hi, lo := bits.Mul64(ma, mb)
	hi, lo, n := normalize128(hi, lo)
	return e.round(neg, x+y+1-n, hi, lo, e.prec)
}

// div returns a/b.
func (e *fpEnv) div(a, b F80) F80 {
	if r, done := e.nan2(a, b); done {
		return r
	}
	ca, cb := a.class(), b.class()
	neg := a.neg() != b.neg()
	switch {
	case ca == cb && (ca == fpInf || ca == fpZero):
		return e.invalid()
	case cb == fpZero && ca == fpFinite:
		e.exc |= fpZE
		return f80Inf(neg)
	}
	e.noteDenormal(a, b)
	switch {
	case ca == fpInf || cb == fpZero:
		return f80Inf(neg)
	case ca == fpZero || cb == fpInf:
		return f80Zero(neg)
	}
	x, ma := a.split()
	y, mb := b.split()
	hi, lo, x := divide128(x, ma, y, mb)
	return e.round(neg, x, hi, lo, e.prec)
}

// divide128 returns 128 bits of a quotient, the last one sticky.
func divide128(xa int32, ma uint64, xb int32, mb uint64) (hi, lo uint64, exp int32) {
	exp = xa - xb
	var rem uint64
	if ma < mb {
		exp--
		hi, rem = bits.Div64(ma, 0, mb)
	} else {
		hi, rem = bits.Div64(ma>>1, ma<<63, mb)
	}
	lo, rem = bits.Div64(rem, 0, mb)
	if rem != 0 {
		lo |= 1
	}
	return hi, lo, exp
}

// sqrt returns the square root of a.
func (e *fpEnv) sqrt(a F80) F80 {
	if r, done := e.root(a); done {
		return r
	}
	x, m := a.split()
	hi, lo := m, uint64(0)
	if x&1 == 0 {
		hi, lo = m>>1, m<<63
	}
	s := isqrt128(hi, lo)
	ph, pl := bits.Mul64(s, s)
	rl, borrow := bits.Sub64(lo, pl, 0)
	rh, _ := bits.Sub64(hi, ph, borrow)
	var frac uint64
	switch {
	case rh != 0 || rl > s:
		frac = 1<<63 | 1
	case rl != 0:
		frac = 1
	}
	return e.round(false, x>>1, s, frac, e.prec)
}

// root settles the special operands of sqrt.
func (e *fpEnv) root(a F80) (r F80, done bool) {
	c := a.class()
	if c == fpFinite && a.neg() || c == fpInf && a.neg() {
		return e.invalid(), true
	}
	if r, done := e.operand(a); done {
		return r, true
	}
	return a, c == fpZero || c == fpInf
}

// isqrt128 returns the integer square root of hi:lo, one of whose two top bits is set.
func isqrt128(hi, lo uint64) uint64 {
	s := ^uint64(0)
	if f := math.Sqrt(float64(hi)) * (1 << 32); f < 1<<64 {
		s = uint64(f)
	}
	s |= 1 << 63
	for range 2 { // Newton's step doubles the 53 good bits of the estimate
		if s <= hi {
			s = ^uint64(0)
			break
		}
		q, _ := bits.Div64(hi, lo, s)
		sum, carry := bits.Add64(s, q, 0)
		s = sum>>1 | carry<<63
	}
	for {
		ph, pl := bits.Mul64(s, s)
		if ph > hi || ph == hi && pl > lo {
			s--
			continue
		}
		if s == ^uint64(0) {
			return s
		}
		ph, pl = bits.Mul64(s+1, s+1)
		if ph > hi || ph == hi && pl > lo {
			return s
		}
		s++
	}
}

// cmpResult is the outcome of a comparison.
type cmpResult uint8

const (
	cmpLess cmpResult = iota
	cmpEqual
	cmpGreater
	cmpUnordered
)

// compare orders a and b. quiet makes a quiet NaN no reason for IE.
func (e *fpEnv) compare(a, b F80, quiet bool) cmpResult {
	ca, cb := a.class(), b.class()
	if ca >= fpQNaN || cb >= fpQNaN {
		if !quiet || ca > fpQNaN || cb > fpQNaN {
			e.exc |= fpIE
		}
		return cmpUnordered
	}
	e.noteDenormal(a, b)
	if ca == fpZero && cb == fpZero {
		return cmpEqual
	}
	if a.neg() != b.neg() {
		if a.neg() {
			return cmpLess
		}
		return cmpGreater
	}
	less, greater := cmpLess, cmpGreater
	if a.neg() {
		less, greater = greater, less
	}
	xa, xb := a.SE&f80ExpMask, b.SE&f80ExpMask
	if xa == 0 && a.Mant&f80J != 0 {
		xa = 1
	}
	if xb == 0 && b.Mant&f80J != 0 {
		xb = 1
	}
	switch {
	case xa == xb && a.Mant == b.Mant:
		return cmpEqual
	case xa < xb || xa == xb && a.Mant < b.Mant:
		return less
	}
	return greater
}

// rint rounds to an integer in the same format.
func (e *fpEnv) rint(a F80) F80 {
	if r, done := e.operand(a); done {
		return r
	}
	if a.class() != fpFinite {
		return a
	}
	x, m := a.split()
	if x >= 63 {
		return a
	}
	neg := a.neg()
	v, inexact, up := e.toUint(neg, x, m)
	if inexact {
		e.exc |= fpPE
	}
	e.up = up
	if v == 0 {
		return f80Zero(neg)
	}
	n := bits.LeadingZeros64(v)
	return F80{v << n, signBit(neg) | uint16(63-n+f80Bias)}
}

// toUint rounds the magnitude m/2^63 · 2^x, x < 64, to an integer; it is below
// 2^64, as only fractions are rounded.
func (e *fpEnv) toUint(neg bool, x int32, m uint64) (v uint64, inexact, up bool) {
	hi, lo := shiftJam128(m, 0, uint32(63-x))
	v, _, inexact, up = roundSig(neg, hi, lo, 64, e.rc)
	return v, inexact, up
}

// scale returns a·2^trunc(b).
func (e *fpEnv) scale(a, b F80) F80 {
	if r, done := e.nan2(a, b); done {
		return r
	}
	ca, cb := a.class(), b.class()
	switch {
	case cb == fpInf && (b.neg() && ca == fpInf || !b.neg() && ca == fpZero):
		return e.invalid()
	}
	e.noteDenormal(a, b)
	switch {
	case ca == fpInf || ca == fpZero:
		return a
	case cb == fpInf && b.neg():
		return f80Zero(a.neg())
	case cb == fpInf:
		return f80Inf(a.neg())
	}
	x, m := a.split()
	if cb == fpZero {
		return e.round(a.neg(), x, m, 0, 64)
	}
	n := int32(0)
	switch y, mb := b.split(); {
	case y >= 16:
		n = 1 << 16
	case y >= 0:
		n = int32(mb >> (63 - y))
	}
	if b.neg() {
		n = -n
	}
	return e.round(a.neg(), x+n, m, 0, 64)
}

// extract splits a into exponent and significand.
func (e *fpEnv) extract(a F80) (exp, sig F80) {
	if r, done := e.operand(a); done {
		return r, r
	}
	switch a.class() {
	case fpZero:
		e.exc |= fpZE
		return f80Inf(true), a
	case fpInf:
		return f80Inf(false), a
	}
	x, m := a.split()
	return f80FromInt(int64(x)), F80{m, signBit(a.neg()) | f80Bias}
}

// remKind says what rem returned.
type remKind uint8

const (
	remNone    remKind = iota // a NaN: no quotient
	remDone                   // the remainder
	remPartial                // an intermediate result; repeat
)

// rem is the partial remainder of a by b: truncating as FPREM, or to nearest as
// FPREM1. It reduces the exponent by 32 to 63 a time.
// quo holds the low bits of the quotient's magnitude.
func (e *fpEnv) rem(a, b F80, nearest bool) (r F80, quo uint64, kind remKind) {
	if r, done := e.nan2(a, b); done {
		return r, 0, remNone
	}
	ca, cb := a.class(), b.class()
	if ca == fpInf || cb == fpZero {
		return e.invalid(), 0, remNone
	}
	e.noteDenormal(a, b)
	if ca == fpZero {
		return a, 0, remDone
	}
	neg := a.neg()
	xa, ma := a.split()
	if cb == fpInf {
		return e.round(neg, xa, ma, 0, 64), 0, remDone
	}
	xb, mb := b.split()
	d := xa - xb
	switch {
	case d >= 64:
		n := d&31 | 32
		_, m := divShifted(ma, uint8(n), mb)
		return e.remnant(neg, xb+d-n, m), 0, remPartial
	case d >= 0:
		q, m := divShifted(ma, uint8(d), mb)
		if nearest && (m > mb-m || m == mb-m && q&1 != 0) {
			m, q, neg = mb-m, q+1, !neg
		}
		if m == 0 {
			neg = a.neg()
		}
		return e.remnant(neg, xb, m), q, remDone
	case d == -1 && nearest && ma > mb:
		return e.remnant(!neg, xa, mb-(ma-mb)), 1, remDone
	}
	return e.round(neg, xa, ma, 0, 64), 0, remDone
}

// divShifted divides a·2^n by b, n < 64. Both have bit 63 set.
func divShifted(a uint64, n uint8, b uint64) (quo, rem uint64) {
	var top uint64
	if a >= b {
		a, top = a-b, 1
	}
	quo, rem = bits.Div64(a>>(64-n), a<<n, b)
	return quo | top<<n, rem
}

// remnant is m/2^63 · 2^x for any m.
func (e *fpEnv) remnant(neg bool, x int32, m uint64) F80 {
	if m == 0 {
		return f80Zero(neg)
	}
	n := bits.LeadingZeros64(m)
	return e.round(neg, x-int32(n), m<<n, 0, 64)
}
