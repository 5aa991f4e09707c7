package x86

import "math/bits"

// Exact IEEE 754 arithmetic for the cases that the host's operators do not
// cover: other rounding modes, DAZ and FTZ, NaNs, denormals, and the exception
// flags. Every function takes MXCSR and returns the result's bits and the
// exception flags; none changes state.
//
// Sources: SDM volume 1, chapters 4.8 and 11.5, appendix E.

// Bits of MXCSR.
const (
	mxIE  = 1 << 0
	mxDE  = 1 << 1
	mxZE  = 1 << 2
	mxOE  = 1 << 3
	mxUE  = 1 << 4
	mxPE  = 1 << 5
	mxDAZ = 1 << 6
	mxOM  = 1 << 10
	mxUM  = 1 << 11
	mxFTZ = 1 << 15

	mxFlags       = 0x3F
	mxMaskShift   = 7
	mxRoundShift  = 13
	mxImplemented = 0xFFFF // MXCSR_MASK
)

// Rounding modes, as in MXCSR and the x87 control word.
const (
	roundNearest = iota
	roundDown
	roundUp
	roundZero
)

func rounding(mx uint32) uint32 { return mx >> mxRoundShift & 3 }

// format is a binary interchange format of IEEE 754.
type format struct {
	frac uint // bits of the fraction
	bias int
	emax int // exponent field of infinities and NaNs
}

var (
	single = format{frac: 23, bias: 127, emax: 255}
	double = format{frac: 52, bias: 1023, emax: 2047}
)

type class uint8

const (
	zero class = iota
	finite
	infinite
	quietNaN
	signalNaN
)

// number is an unpacked operand. A finite one is mant/2^63 * 2^exp with bit 63
// of mant set.
type number struct {
	class  class
	sign   uint64 // 0 or 1
	exp    int
	mant   uint64
	denorm uint32 // mxDE when the operand is denormal and DAZ is off
}

func (n *number) nan() bool { return n.class >= quietNaN }

func (f *format) unpack(x uint64, mx uint32) (n number) {
	n.sign = x >> (f.signBit()) & 1
	e := int(x>>f.frac) & f.emax
	m := x & (1<<f.frac - 1)
	switch {
	case e == f.emax && m == 0:
		n.class = infinite
	case e == f.emax && m>>(f.frac-1) != 0:
		n.class = quietNaN
	case e == f.emax:
		n.class = signalNaN
	case e != 0:
		n.class, n.exp, n.mant = finite, e-f.bias, (m|1<<f.frac)<<(63-f.frac)
	case m == 0 || mx&mxDAZ != 0:
		n.class = zero
	default:
		lead := uint(bits.LeadingZeros64(m))
		n.class, n.mant, n.denorm = finite, m<<lead, mxDE
		n.exp = 1 - f.bias - int(lead-(63-f.frac))
	}
	return n
}

func (f *format) signBit() uint           { return f.frac + uint(bits.Len(uint(f.emax))) }
func (f *format) zero(sign uint64) uint64 { return sign << f.signBit() }
func (f *format) inf(sign uint64) uint64  { return sign<<f.signBit() | uint64(f.emax)<<f.frac }
func (f *format) quiet(x uint64) uint64   { return x | 1<<(f.frac-1) }
func (f *format) indefinite() uint64      { return f.inf(1) | 1<<(f.frac-1) }

// nan returns the result of an operation of which an operand is a NaN: the
// first one that is, made quiet.
func (f *format) nan(a, b uint64, x, y *number) (uint64, uint32) {
	var fl uint32
	if x.class == signalNaN || y.class == signalNaN {
		fl = mxIE
	}
	if x.nan() {
		return f.quiet(a), fl
	}
	return f.quiet(b), fl
}

// roundBits drops the low bits of m and rounds what remains.
func roundBits(m uint64, drop uint, sign uint64, rc uint32) (sig uint64, inexact bool) {
	low, half := m&(1<<drop-1), uint64(1)<<(drop-1)
	sig = m >> drop
	up := false
	switch rc {
	case roundNearest:
		up = low > half || low == half && sig&1 != 0
	case roundDown:
		up = sign != 0 && low != 0
	case roundUp:
		up = sign == 0 && low != 0
	}
	if up {
		sig++
	}
	return sig, low != 0
}

// shiftJam shifts right and keeps in the lowest bit whether a one was lost.
func shiftJam(m uint64, n uint) uint64 {
	if n >= 64 {
		if m != 0 {
			return 1
		}
		return 0
	}
	r := m >> n
	if r<<n != m {
		r |= 1
	}
	return r
}

// round packs mant/2^63 * 2^exp, whose lowest bit also stands for all bits below it.
func (f *format) round(sign uint64, exp int, mant uint64, mx uint32) (uint64, uint32) {
	drop, rc := 63-f.frac, rounding(mx)
	e := exp + f.bias
	sig, inexact := roundBits(mant, drop, sign, rc)
	e += int(sig >> (f.frac + 1)) // the carry; sig is then a power of two
	if e < 1 {
		return f.tiny(sign, exp, mant, inexact, mx)
	}
	var fl uint32
	if inexact {
		fl = mxPE
	}
	if e >= f.emax {
		fl |= mxOE
		if mx&mxOM != 0 {
			fl |= mxPE
		}
		if rc == roundNearest || rc == roundDown && sign != 0 || rc == roundUp && sign == 0 {
			return f.inf(sign), fl
		}
		return f.inf(sign) - 1, fl
	}
	return f.zero(sign) | uint64(e)<<f.frac | sig&(1<<f.frac-1), fl
}

// tiny packs a result that is below the normal range after rounding to the full
// precision; inexact is whether that rounding lost something.
func (f *format) tiny(sign uint64, exp int, mant uint64, inexact bool, mx uint32) (uint64, uint32) {
	if mx&mxUM == 0 {
		fl := uint32(mxUE)
		if inexact {
			fl |= mxPE
		}
		return f.zero(sign), fl
	}
	if mx&mxFTZ != 0 {
		return f.zero(sign), mxUE | mxPE
	}
	m := shiftJam(mant, uint(1-exp-f.bias))
	sig, lost := roundBits(m, 63-f.frac, sign, rounding(mx))
	if lost {
		return f.zero(sign) | sig, mxUE | mxPE
	}
	return f.zero(sign) | sig, 0
}

// add computes a+b, or a-b when negate is 1.
func (f *format) add(a, b, negate uint64, mx uint32) (uint64, uint32) {
	x, y := f.unpack(a, mx), f.unpack(b, mx)
	if x.nan() || y.nan() {
		return f.nan(a, b, &x, &y)
	}
	y.sign ^= negate
	fl := x.denorm | y.denorm
	switch {
	case x.class == infinite && y.class == infinite && x.sign != y.sign:
		return f.indefinite(), mxIE
	case x.class == infinite:
		return f.inf(x.sign), fl
	case y.class == infinite:
		return f.inf(y.sign), fl
	case x.class == zero && y.class == zero:
		if x.sign != y.sign {
			return f.exactZero(mx), fl
		}
		return f.zero(x.sign), fl
	case x.class == zero:
		x = y
	case y.class == zero:
	default:
		if x.exp < y.exp || x.exp == y.exp && x.mant < y.mant {
			x, y = y, x
		}
		y.mant = shiftJam(y.mant, uint(x.exp-y.exp))
		if x.sign != y.sign {
			x.mant -= y.mant
			if x.mant == 0 {
				return f.exactZero(mx), fl
			}
			lead := bits.LeadingZeros64(x.mant)
			x.mant, x.exp = x.mant<<lead, x.exp-lead
			break
		}
		sum, carry := bits.Add64(x.mant, y.mant, 0)
		if carry != 0 {
			sum = shiftJam(sum, 1) | 1<<63
			x.exp++
		}
		x.mant = sum
	}
	r, rf := f.round(x.sign, x.exp, x.mant, mx)
	return r, fl | rf
}

// exactZero is the sum of two numbers that cancel.
func (f *format) exactZero(mx uint32) uint64 {
	if rounding(mx) == roundDown {
		return f.zero(1)
	}
	return 0
}

func (f *format) mul(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := f.unpack(a, mx), f.unpack(b, mx)
	if x.nan() || y.nan() {
		return f.nan(a, b, &x, &y)
	}
	sign, fl := x.sign^y.sign, x.denorm|y.denorm
	switch {
	case x.class == infinite && y.class == zero, x.class == zero && y.class == infinite:
		return f.indefinite(), mxIE
	case x.class == infinite || y.class == infinite:
		return f.inf(sign), fl
	case x.class == zero || y.class == zero:
		return f.zero(sign), fl
	}
	hi, lo := bits.Mul64(x.mant, y.mant)
	exp := x.exp + y.exp + 1
	if hi>>63 == 0 {
		hi, lo, exp = hi<<1|lo>>63, lo<<1, exp-1
	}
	if lo != 0 {
		hi |= 1
	}
	r, rf := f.round(sign, exp, hi, mx)
	return r, fl | rf
}

func (f *format) div(a, b uint64, mx uint32) (uint64, uint32) {
	x, y := f.unpack(a, mx), f.unpack(b, mx)
	if x.nan() || y.nan() {
		return f.nan(a, b, &x, &y)
	}
	sign, fl := x.sign^y.sign, x.denorm|y.denorm
	switch {
	case x.class == y.class && x.class != finite:
		return f.indefinite(), mxIE
	case x.class == infinite:
		return f.inf(sign), fl
	case y.class == zero:
		return f.inf(sign), mxZE
	case x.class == zero || y.class == infinite:
		return f.zero(sign), fl
	}
	q, rem := bits.Div64(x.mant>>1, x.mant<<63, y.mant)
	exp := x.exp - y.exp
	if q>>63 == 0 {
		q, exp = q<<1, exp-1 // the next bit of the quotient is below every format's precision
	}
	if rem != 0 {
		q |= 1
	}
	r, rf := f.round(sign, exp, q, mx)
	return r, fl | rf
}

func (f *format) sqrt(a uint64, mx uint32) (uint64, uint32) {
	x := f.unpack(a, mx)
	switch {
	case x.nan():
		return f.nan(a, a, &x, &x)
	case x.class == zero:
		return f.zero(x.sign), 0
	case x.sign != 0:
		return f.indefinite(), mxIE
	case x.class == infinite:
		return f.inf(0), 0
	}
	// The radicand is the significand times 2^63, or 2^64 with an odd exponent.
	hi, lo := x.mant>>1, x.mant<<63
	if x.exp&1 != 0 {
		hi, lo = x.mant, 0
	}
	m, exact := isqrt(hi, lo)
	if !exact {
		m |= 1
	}
	r, fl := f.round(0, x.exp>>1, m, mx)
	return r, x.denorm | fl
}

// isqrt returns the integer square root of hi:lo.
func isqrt(hi, lo uint64) (root uint64, exact bool) {
	for bit := uint64(1) << 63; bit != 0; bit >>= 1 {
		t := root | bit
		if h, l := bits.Mul64(t, t); h < hi || h == hi && l <= lo {
			root = t
		}
	}
	h, l := bits.Mul64(root, root)
	return root, h == hi && l == lo
}

// order is the outcome of a comparison.
type order uint8

const (
	less order = iota
	equal
	greater
	unordered
)

// compare orders a and b. IE is set for signalling NaNs, and for quiet ones
// when signal is set.
func (f *format) compare(a, b uint64, signal bool, mx uint32) (order, uint32) {
	x, y := f.unpack(a, mx), f.unpack(b, mx)
	if x.nan() || y.nan() {
		if signal || x.class == signalNaN || y.class == signalNaN {
			return unordered, mxIE
		}
		return unordered, 0
	}
	fl := x.denorm | y.denorm
	if x.class == zero && y.class == zero {
		return equal, fl
	}
	// The formats order like sign and magnitude; a zero may stand for a denormal.
	key := func(n *number, bits uint64) int64 {
		mag := int64(bits & (1<<f.signBit() - 1))
		if n.class == zero {
			mag = 0
		}
		if n.sign != 0 {
			return -mag
		}
		return mag
	}
	switch ka, kb := key(&x, a), key(&y, b); {
	case ka < kb:
		return less, fl
	case ka > kb:
		return greater, fl
	}
	return equal, fl
}

// pick is MIN (want less) and MAX (want greater): a when it compares so, else b
// as it is, NaN or not.
func (f *format) pick(a, b uint64, want order, mx uint32) (uint64, uint32) {
	o, fl := f.compare(a, b, true, mx)
	r := b
	if o == want {
		r = a
	}
	if n := f.unpack(r, mx); n.class == zero {
		r = f.zero(n.sign)
	}
	return r, fl
}

// predicate evaluates a predicate of VCMPPS, of which CMPPS has the first eight:
// all ones or zero. Bit 3 inverts the outcome of an unordered comparison, bit 4
// whether a quiet NaN is invalid.
func (f *format) predicate(a, b uint64, p uint8, mx uint32) (uint64, uint32) {
	o, fl := f.compare(a, b, (p&3 == 1 || p&3 == 2) != (p&16 != 0), mx)
	var yes bool
	switch p & 3 {
	case 0:
		yes = o == equal
	case 1:
		yes = o == less
	case 2:
		yes = o == less || o == equal
	case 3:
		yes = o == unordered
	}
	if p&8 != 0 && o == unordered {
		yes = !yes
	}
	if yes != (p&4 != 0) {
		return 1<<(f.signBit()+1) - 1, fl
	}
	return 0, fl
}

// toInt converts to a signed integer of size bits with rounding mode rc; what
// does not fit becomes the integer indefinite.
func (f *format) toInt(a uint64, size uint, rc, mx uint32) (uint64, uint32) {
	x := f.unpack(a, mx)
	limit := uint64(1) << (size - 1)
	if x.class == zero {
		return 0, 0
	}
	if x.class != finite || x.exp > 63 {
		return limit, mxIE
	}
	drop := uint(63 - x.exp)
	if drop > 64 {
		x.mant, drop = shiftJam(x.mant, drop-64), 64
	}
	v, inexact := x.mant, false
	if drop > 0 {
		v, inexact = roundBits(x.mant, drop, x.sign, rc)
	}
	if v > limit || v == limit && x.sign == 0 {
		return limit, mxIE
	}
	if x.sign != 0 {
		v = -v
	}
	if inexact {
		return v, mxPE
	}
	return v, 0
}

// fromInt converts a signed integer.
func (f *format) fromInt(v int64, mx uint32) (uint64, uint32) {
	if v == 0 {
		return 0, 0
	}
	sign, mag := uint64(v)>>63, uint64(v)
	if v < 0 {
		mag = -mag
	}
	lead := bits.LeadingZeros64(mag)
	return f.round(sign, 63-lead, mag<<lead, mx)
}

// convert rounds a number of format f to format to.
func (f *format) convert(a uint64, to *format, mx uint32) (uint64, uint32) {
	x := f.unpack(a, mx)
	switch x.class {
	case zero:
		return to.zero(x.sign), 0
	case infinite:
		return to.inf(x.sign), 0
	case finite:
		r, fl := to.round(x.sign, x.exp, x.mant, mx)
		return r, fl | x.denorm
	}
	var fl uint32
	if x.class == signalNaN {
		fl = mxIE
	}
	payload := f.quiet(a) << (63 - f.frac) & (1<<63 - 1)
	return to.inf(x.sign) | payload>>(63-to.frac), fl
}
