package x86

import (
	"math/big"
	"math/bits"
	"sync"
)

// Transcendental functions. Each result is the exact one rounded once, computed
// in a few hundred bits with math/big, so it is the same on every host. A real
// unit may differ in the last bit of the significand.
//
// Arguments of the trigonometric functions are reduced by a π of 66 bits, as
// Intel's and AMD's units do (FSIN(FLDPI) is -2^-64).

const (
	workBits = 192 // first attempt
	moreBits = 704 // when the first attempt cannot be rounded
)

// transcendental constants in more than moreBits.
type bigConsts struct{ pi, ln2 *big.Float }

var bigConstants = sync.OnceValue(func() bigConsts {
	const p = moreBits + 64
	// Machin: π = 16 atan(1/5) - 4 atan(1/239)
	at := func(n int64) *big.Float {
		return oddSeries(new(big.Float).SetPrec(p).Quo(bigInt(1, p), bigInt(n, p)), -1)
	}
	pi := new(big.Float).SetPrec(p).Mul(bigInt(16, p), at(5))
	pi.Sub(pi, new(big.Float).SetPrec(p).Mul(bigInt(4, p), at(239)))
	third := new(big.Float).SetPrec(p).Quo(bigInt(1, p), bigInt(3, p))
	ln2 := oddSeries(third, 1) // ln 2 = 2 atanh(1/3)
	return bigConsts{pi, ln2.Mul(ln2, bigInt(2, p))}
})

// pi66 is π cut to 66 bits, times 2^64.
var pi66 = func() *big.Int {
	v := new(big.Int).SetUint64(0xc90fdaa22168c234)
	return v.Add(v.Lsh(v, 2), big.NewInt(3))
}()

func bigInt(n int64, prec uint) *big.Float { return new(big.Float).SetPrec(prec).SetInt64(n) }

// bigF80 is the exact value of a finite operand.
func bigF80(a F80, prec uint) *big.Float {
	if a.class() == fpZero {
		return bigInt(0, prec)
	}
	x, m := a.split()
	v := new(big.Float).SetPrec(prec).SetUint64(m)
	v.SetMantExp(v, int(x)-63)
	if a.neg() {
		v.Neg(v)
	}
	return v
}

// seriesDone tells that a term no longer changes a sum.
func seriesDone(term, sum *big.Float) bool {
	return term.Sign() == 0 || term.MantExp(nil) < sum.MantExp(nil)-int(sum.Prec())-2
}

// oddSeries returns z + s·z³/3 + z⁵/5 + s·z⁷/7 …: atan for s = -1, atanh for s = 1.
func oddSeries(z *big.Float, s int64) *big.Float {
	p := z.Prec()
	sum := new(big.Float).Copy(z)
	if z.Sign() == 0 {
		return sum
	}
	z2 := new(big.Float).SetPrec(p).Mul(z, z)
	z2.Mul(z2, bigInt(s, p))
	pow, term := new(big.Float).Copy(z), new(big.Float).SetPrec(p)
	for n := int64(3); ; n += 2 {
		pow.Mul(pow, z2)
		term.Quo(pow, bigInt(n, p))
		if seriesDone(term, sum) {
			return sum
		}
		sum.Add(sum, term)
	}
}

// powerSeries returns first + first·k/((a+1)(a+2)) + …, where each term is the
// last one times k over the next step factorial factors.
func powerSeries(first, k *big.Float, a, step int64) *big.Float {
	p := first.Prec()
	sum, term := new(big.Float).Copy(first), new(big.Float).Copy(first)
	if first.Sign() == 0 {
		return sum
	}
	for n := a; ; n += step {
		term.Mul(term, k)
		div := n + 1
		if step == 2 {
			div *= n + 2
		}
		term.Quo(term, bigInt(div, p))
		if seriesDone(term, sum) {
			return sum
		}
		sum.Add(sum, term)
	}
}

func bigSin(r *big.Float) *big.Float { return powerSeries(r, minusSquare(r), 1, 2) }
func bigCos(r *big.Float) *big.Float {
	return powerSeries(bigInt(1, r.Prec()), minusSquare(r), 0, 2)
}

func minusSquare(r *big.Float) *big.Float {
	k := new(big.Float).SetPrec(r.Prec()).Mul(r, r)
	return k.Neg(k)
}

// bigLog2 returns log2 of x > 0.
func bigLog2(x *big.Float) *big.Float {
	p := x.Prec()
	m := new(big.Float).SetPrec(p)
	k := x.MantExp(m) // m in [1/2, 1)
	if m.Cmp(new(big.Float).SetFloat64(0.7)) < 0 {
		m.Mul(m, bigInt(2, p))
		k--
	}
	num := new(big.Float).SetPrec(p).Sub(m, bigInt(1, p))
	r := log2Ratio(num, m.Add(m, bigInt(1, p)))
	return r.Add(r, bigInt(int64(k), p))
}

// log2Ratio returns 2·atanh(num/den)/ln 2.
func log2Ratio(num, den *big.Float) *big.Float {
	p := num.Prec()
	r := oddSeries(new(big.Float).SetPrec(p).Quo(num, den), 1)
	r.Mul(r, bigInt(2, p))
	return r.Quo(r, bigConstants().ln2)
}

// bigAtan returns atan(q) for 0 <= q <= 1.
func bigAtan(q *big.Float) *big.Float {
	p := q.Prec()
	q = new(big.Float).Copy(q)
	n := 0
	for ; q.MantExp(nil) > -3 && q.Sign() != 0; n++ { // atan q = 2 atan(q/(1+√(1+q²)))
		t := new(big.Float).SetPrec(p).Mul(q, q)
		t.Add(t, bigInt(1, p))
		t.Sqrt(t)
		t.Add(t, bigInt(1, p))
		q.Quo(q, t)
	}
	r := oddSeries(q, -1)
	return r.SetMantExp(r, n)
}

// roundBig rounds an irrational value that f computes in a given precision with
// an error of some thousand units in its last place.
func (e *fpEnv) roundBig(f func(prec uint) *big.Float) F80 {
	v := f(workBits)
	neg, x, hi, lo := topBits(v)
	if lo == 0 || lo == ^uint64(0) || lo<<1 == 0 || lo == 1<<63-1 {
		neg, x, hi, lo = topBits(f(moreBits))
	}
	return e.round(neg, x, hi, lo|1, 64)
}

// topBits cuts v to 128 bits.
func topBits(v *big.Float) (neg bool, exp int32, hi, lo uint64) {
	var m big.Float
	x := v.MantExp(&m)
	i, _ := m.SetMantExp(m.Abs(&m), 128).Int(nil)
	lo = new(big.Int).And(i, new(big.Int).SetUint64(^uint64(0))).Uint64()
	return v.Sign() < 0, int32(x - 1), i.Rsh(i, 64).Uint64(), lo
}

// nudge rounds a value whose distance from hi.lo·2^exp is less than half a unit
// of lo: above it, or below it in magnitude.
func (e *fpEnv) nudge(neg bool, exp int32, hi, lo uint64, below bool) F80 {
	if !below {
		return e.round(neg, exp, hi, lo|1, 64)
	}
	lo, borrow := bits.Sub64(lo, 1, 0)
	hi -= borrow
	if hi&f80J == 0 {
		hi, lo, exp = hi<<1|lo>>63, lo<<1, exp-1
	}
	return e.round(neg, exp, hi, lo|1, 64)
}

// exp2m1 returns 2^a - 1, inexact even for a = ±1, as units do. Outside [-1, 1], where the manual defines nothing, a
// comes back unchanged and inexact, as on AMD's units.
func (e *fpEnv) exp2m1(a F80) F80 {
	if r, done := e.operand(a); done {
		return r
	}
	switch a.class() {
	case fpZero:
		return a
	case fpInf:
		if a.neg() {
			return F80{f80J, f80Sign | f80Bias}
		}
		return a
	}
	if x, m := a.split(); x >= 0 {
		e.exc |= fpPE
		if x == 0 && m == f80J && a.neg() {
			return F80{f80J, f80Sign | (f80Bias - 1)}
		}
		return a
	}
	return e.roundBig(func(p uint) *big.Float {
		t := bigF80(a, p)
		t.Mul(t, bigConstants().ln2)
		return powerSeries(t, t, 1, 1)
	})
}

// ylog2x returns y·log2(x).
func (e *fpEnv) ylog2x(x, y F80) F80 {
	if r, done := e.nan2(x, y); done {
		return r
	}
	cx, cy := x.class(), y.class()
	neg := y.neg()
	if x.neg() && cx != fpZero {
		return e.invalid()
	}
	switch cx {
	case fpZero:
		switch cy {
		case fpZero:
			return e.invalid()
		case fpFinite:
			e.exc |= fpZE
		}
		return f80Inf(!neg)
	case fpInf:
		if cy == fpZero {
			return e.invalid()
		}
		e.noteDenormal(x, y)
		return f80Inf(neg)
	}
	xe, xm := x.split()
	one := xe == 0 && xm == f80J
	if one && cy == fpInf {
		return e.invalid()
	}
	e.noteDenormal(x, y)
	switch {
	case cy == fpInf:
		return f80Inf(neg != (xe < 0))
	case cy == fpZero, one:
		return f80Zero(neg != (xe < 0))
	}
	if xm == f80J { // a power of two: the product is rational
		k := f80FromInt(int64(xe))
		ke, km := k.split()
		ye, ym := y.split()
		hi, lo, n := normalize128(bits.Mul64(km, ym))
		r := e.round(neg != (xe < 0), ke+ye+1-n, hi, lo, 64)
		e.exc |= fpPE // units say so even of exact products
		if r.denormal() {
			e.exc |= fpUE
		}
		return r
	}
	return e.roundBig(func(p uint) *big.Float {
		r := bigLog2(bigF80(x, p))
		return r.Mul(r, bigF80(y, p))
	})
}

// ylog2xp1 returns y·log2(x+1). The manual defines it for |x| < 1-√½. Beyond, the
// function is continued (never exact), and x comes back when it is -1 or less,
// as on AMD's units.
func (e *fpEnv) ylog2xp1(x, y F80) F80 {
	if r, done := e.nan2(x, y); done {
		return r
	}
	cx, cy := x.class(), y.class()
	neg := x.neg() != y.neg()
	switch {
	case cx == fpInf && x.neg(),
		cx == fpInf && cy == fpZero,
		cx == fpZero && cy == fpInf:
		return e.invalid()
	}
	e.noteDenormal(x, y)
	switch {
	case cx == fpInf || cy == fpInf:
		return f80Inf(neg)
	case cx == fpZero || cy == fpZero:
		return f80Zero(neg)
	}
	xe, _ := x.split()
	if xe >= 0 && x.neg() {
		e.exc |= fpPE
		return x
	}
	return e.roundBig(func(p uint) *big.Float {
		v := bigF80(x, p)
		var r *big.Float
		if xe < -1 {
			r = log2Ratio(v, new(big.Float).SetPrec(p).Add(v, bigInt(2, p)))
		} else {
			r = bigLog2(v.Add(v, bigInt(1, p)))
		}
		return r.Mul(r, bigF80(y, p))
	})
}

// reduce returns the remainder of a finite a by π/2 (of 66 bits), in
// [-π/4, π/4], and the quotient's low two bits.
func reduce(a F80, prec uint) (r *big.Float, quadrant int) {
	x, m := a.split()
	if x < -1 {
		return bigF80(a, prec), 0
	}
	// In units of 2^-65, half of pi66 is π/2 · 2^64 · 2^1.
	v := new(big.Int).SetUint64(m)
	v.Lsh(v, uint(x+2+63)) // a · 2^(63-63+65+63): exact for every x >= -1
	half := new(big.Int).Lsh(pi66, 63)
	var q big.Int
	q.QuoRem(v, half, v)
	if twice := new(big.Int).Lsh(v, 1); twice.Cmp(half) > 0 {
		v.Sub(v, half)
		q.Add(&q, big.NewInt(1))
	}
	quadrant = int(q.Bit(0) | q.Bit(1)<<1)
	r = new(big.Float).SetPrec(prec).SetInt(v)
	r.SetMantExp(r, -65-63)
	if a.neg() {
		r.Neg(r)
		quadrant = -quadrant & 3
	}
	return r, quadrant
}

// tinyAngle is an exponent below which x³/6 is less than half a unit in 128 bits of x.
const tinyAngle = -70

// sinCos returns sine or cosine of a. far tells that |a| >= 2^63 and nothing was done.
func (e *fpEnv) sinCos(a F80, cos bool) (r F80, far bool) {
	if r, done := e.operand(a); done {
		return r, false
	}
	switch a.class() {
	case fpInf:
		return e.invalid(), false
	case fpZero:
		if cos {
			return f80One, false
		}
		return a, false
	}
	x, m := a.split()
	switch {
	case x >= 63:
		return a, true
	case x < tinyAngle && cos:
		return e.nudge(false, 0, f80J, 0, true), false
	case x < tinyAngle:
		return e.nudge(a.neg(), x, m, 0, true), false
	}
	return e.roundBig(func(p uint) *big.Float {
		r, q := reduce(a, p)
		if cos {
			q++
		}
		v := bigSin
		if q&1 != 0 {
			v = bigCos
		}
		s := v(r)
		if q&2 != 0 {
			s.Neg(s)
		}
		return s
	}), false
}

// tan returns the tangent of a, as sinCos does.
func (e *fpEnv) tan(a F80) (r F80, far bool) {
	if r, done := e.operand(a); done {
		return r, false
	}
	switch a.class() {
	case fpInf:
		return e.invalid(), false
	case fpZero:
		return a, false
	}
	x, m := a.split()
	switch {
	case x >= 63:
		return a, true
	case x < tinyAngle:
		return e.nudge(a.neg(), x, m, 0, false), false
	}
	return e.roundBig(func(p uint) *big.Float {
		r, q := reduce(a, p)
		s, c := bigSin(r), bigCos(r)
		if q&1 != 0 {
			s, c = c.Neg(c), s
		}
		return s.Quo(s, c)
	}), false
}

// atan2 returns the angle of the point (x, y).
func (e *fpEnv) atan2(y, x F80) F80 {
	if r, done := e.nan2(y, x); done {
		return r
	}
	e.noteDenormal(x, y)
	cx, cy := x.class(), y.class()
	neg := y.neg()
	switch {
	case cy == fpZero || cx == fpInf && cy != fpInf:
		if !x.neg() {
			return f80Zero(neg)
		}
		return e.piTimes(neg, 1, 1)
	case cx == fpZero || cy == fpInf && cx != fpInf:
		return e.piTimes(neg, 1, 2)
	case cx == fpInf && x.neg():
		return e.piTimes(neg, 3, 4)
	case cx == fpInf:
		return e.piTimes(neg, 1, 4)
	}
	xe, xm := x.split()
	ye, ym := y.split()
	if ye-xe < -2*moreBits/10 && !x.neg() {
		hi, lo, exp := divide128(ye, ym, xe, xm)
		return e.nudge(neg, exp, hi, lo, lo&1 == 0)
	}
	return e.roundBig(func(p uint) *big.Float {
		r := bigAngle(ye-xe, ym, xm, p)
		if x.neg() {
			r.Sub(bigConstants().pi, r)
		}
		if neg {
			r.Neg(r)
		}
		return r
	})
}

// bigAngle returns atan(ym/xm · 2^d), in (0, π/2).
func bigAngle(d int32, ym, xm uint64, p uint) *big.Float {
	const far = 4 * moreBits // beyond, the angle is 0 or π/2 in any precision used
	d = max(min(d, far), -far)
	y, x := new(big.Float).SetPrec(p).SetUint64(ym), new(big.Float).SetPrec(p).SetUint64(xm)
	y.SetMantExp(y, int(d))
	if y.Cmp(x) <= 0 {
		return bigAtan(y.Quo(y, x))
	}
	r := bigAtan(x.Quo(x, y))
	half := new(big.Float).SetPrec(p).SetMantExp(bigConstants().pi, -1)
	return half.Sub(half, r)
}

// piTimes returns ±π·n/d.
func (e *fpEnv) piTimes(neg bool, n, d int64) F80 {
	return e.roundBig(func(p uint) *big.Float {
		v := new(big.Float).SetPrec(p).Mul(bigConstants().pi, bigInt(n, p))
		v.Quo(v, bigInt(d, p))
		if neg {
			v.Neg(v)
		}
		return v
	})
}
