package x86

import "math/bits"

// 80-bit extended arithmetic of the x87 unit, in integers only: no operation
// here depends on the floating point of the host.
//
// A finite non-zero value is held as m/2^63 · 2^exp with bit 63 of m set. An
// operation first makes the exact result, or 128 significant bits of it whose
// last one is sticky, and rounds once.

// Exception bits of the x87 status word; the low six are also the masks of the
// control word.
const (
	fpIE = 1 << 0 // invalid operation
	fpDE = 1 << 1 // denormal operand
	fpZE = 1 << 2 // division by zero
	fpOE = 1 << 3 // overflow
	fpUE = 1 << 4 // underflow
	fpPE = 1 << 5 // inexact
	fpSF = 1 << 6 // stack fault
	fpES = 1 << 7 // an unmasked exception is pending

	fpAll = fpIE | fpDE | fpZE | fpOE | fpUE | fpPE
)

// Rounding modes, as in bits 10..11 of the control word.
const (
	rcNearest = iota
	rcDown
	rcUp
	rcZero
)

const (
	f80Bias    = 16383
	f80Min     = 1 - f80Bias // exponent of the smallest normal number
	f80Max     = f80Bias
	f80Rebias  = 24576 // added to or taken from the exponent when underflow or overflow is not masked
	f80Sign    = 0x8000
	f80ExpMask = 0x7fff
	f80J       = 1 << 63 // explicit integer bit
	f80Quiet   = 1 << 62
)

var (
	f80Indefinite = F80{0xc000000000000000, 0xffff} // the default NaN
	f80One        = F80{f80J, f80Bias}
)

// fpEnv is the environment of one operation: modes in, exceptions out.
type fpEnv struct {
	rc    uint8  // rounding mode
	prec  uint8  // bits of significand that add, sub, mul, div and sqrt keep: 24, 53 or 64
	masks uint16 // exceptions that are masked
	exc   uint16 // exceptions raised
	up    bool   // the last rounding increased the magnitude
}

// fpClass is what a bit pattern means.
type fpClass uint8

const (
	fpFinite fpClass = iota // normal, denormal or pseudo-denormal, not zero
	fpZero
	fpInf
	fpQNaN
	fpSNaN
	fpUnsupported // unnormal, pseudo-NaN, pseudo-infinity: invalid operands since the 80387
)

func (a F80) neg() bool { return a.SE&f80Sign != 0 }

func (a F80) class() fpClass {
	e := a.SE & f80ExpMask
	switch {
	case e == 0 && a.Mant == 0:
		return fpZero
	case e == 0:
		return fpFinite
	case a.Mant&f80J == 0:
		return fpUnsupported
	case e != f80ExpMask:
		return fpFinite
	case a.Mant == f80J:
		return fpInf
	case a.Mant&f80Quiet != 0:
		return fpQNaN
	}
	return fpSNaN
}

// denormal tells whether the operand raises DE; pseudo-denormals do.
func (a F80) denormal() bool { return a.SE&f80ExpMask == 0 && a.Mant != 0 }

// split returns exponent and normalized significand of a finite non-zero value.
func (a F80) split() (exp int32, m uint64) {
	e := int32(a.SE & f80ExpMask)
	if e == 0 {
		n := bits.LeadingZeros64(a.Mant)
		return f80Min - int32(n), a.Mant << n
	}
	return e - f80Bias, a.Mant
}

func signBit(neg bool) uint16 {
	if neg {
		return f80Sign
	}
	return 0
}

func f80Zero(neg bool) F80 { return F80{0, signBit(neg)} }
func f80Inf(neg bool) F80  { return F80{f80J, signBit(neg) | f80ExpMask} }

func (a F80) quiet() F80 { a.Mant |= f80Quiet; return a }

// operand notes the exceptions of a sole operand: a NaN or unsupported one
// is the end of the operation, with the result returned.
func (e *fpEnv) operand(a F80) (r F80, done bool) {
	switch a.class() {
	case fpUnsupported:
		e.exc |= fpIE
		return f80Indefinite, true
	case fpSNaN:
		e.exc |= fpIE
		return a.quiet(), true
	case fpQNaN:
		return a, true
	case fpFinite:
		if a.denormal() {
			e.exc |= fpDE
		}
	}
	return F80{}, false
}

// nan2 settles an operation of which at least one operand is a NaN or
// unsupported (SDM vol. 1, table 4-7).
func (e *fpEnv) nan2(a, b F80) (r F80, done bool) {
	ca, cb := a.class(), b.class()
	if ca < fpQNaN && cb < fpQNaN {
		return F80{}, false
	}
	if ca == fpUnsupported || cb == fpUnsupported {
		e.exc |= fpIE
		return f80Indefinite, true
	}
	if ca == fpSNaN || cb == fpSNaN {
		e.exc |= fpIE
	}
	switch {
	case cb < fpQNaN:
		return a.quiet(), true
	case ca < fpQNaN:
		return b.quiet(), true
	case ca == fpSNaN && cb == fpQNaN:
		return b, true
	case ca == fpQNaN && cb == fpSNaN:
		return a, true
	case a.Mant > b.Mant, a.Mant == b.Mant && !a.neg():
		return a.quiet(), true
	}
	return b.quiet(), true
}

func (e *fpEnv) invalid() F80 {
	e.exc |= fpIE
	return f80Indefinite
}

func (e *fpEnv) noteDenormal(a, b F80) {
	if a.denormal() || b.denormal() {
		e.exc |= fpDE
	}
}

// roundSig rounds hi:lo, read as hi units and lo/2^64 of a unit, to the prec
// leading bits of hi. carry tells that the result wrapped to 2^64.
func roundSig(neg bool, hi, lo uint64, prec, rc uint8) (m uint64, carry, inexact, up bool) {
	unit := uint64(1) << (64 - prec)
	frac := hi&(unit-1)<<prec | lo>>(64-prec)
	if lo<<prec != 0 {
		frac |= 1
	}
	m = hi &^ (unit - 1)
	if frac == 0 {
		return m, false, false, false
	}
	switch rc {
	case rcNearest:
		up = frac > 1<<63 || frac == 1<<63 && m&unit != 0
	case rcDown:
		up = neg
	case rcUp:
		up = !neg
	}
	if up {
		m += unit
	}
	return m, up && m == 0, true, up
}

// shiftJam128 shifts hi:lo right by n and keeps what falls out as a sticky bit.
func shiftJam128(hi, lo uint64, n uint32) (uint64, uint64) {
	var out uint64
	switch {
	case n == 0:
		return hi, lo
	case n < 64:
		out, lo, hi = lo<<(64-n), lo>>n|hi<<(64-n), hi>>n
	case n < 128:
		out, lo, hi = lo|hi<<(128-n), hi>>(n-64), 0
	default:
		out, lo, hi = hi|lo, 0, 0
	}
	if out != 0 {
		lo |= 1
	}
	return hi, lo
}

// fpFormat is a destination format.
type fpFormat struct {
	prec     uint8
	min, max int32 // exponents of the normal numbers
}

var (
	formatF32 = fpFormat{24, -126, 127}
	formatF64 = fpFormat{53, -1022, 1023}
)

// fpOverflow is the exponent that fit returns for an infinity.
const fpOverflow = 1 << 20

// fit rounds the value hi.lo · 2^exp (bit 63 of hi set) into a format and notes
// OE, UE and PE. The result's bit 63 is clear when it is denormal or zero (then
// exp is f.min). Underflow is detected after rounding. When overflow or
// underflow is not masked, the result is the one with the exponent rebiased by
// f80Rebias.
func (e *fpEnv) fit(neg bool, exp int32, hi, lo uint64, f fpFormat) (m uint64, rexp int32) {
	m, carry, inexact, up := roundSig(neg, hi, lo, f.prec, e.rc)
	rexp = exp
	if carry {
		m, rexp = 1<<63, exp+1
	}
	switch {
	case rexp > f.max:
		e.exc |= fpOE
		if e.masks&fpOE == 0 {
			rexp -= f80Rebias
			break
		}
		e.exc |= fpPE
		if e.rc == rcNearest || e.rc == rcUp && !neg || e.rc == rcDown && neg {
			e.up = true
			return 1 << 63, fpOverflow
		}
		e.up = false
		return ^uint64(0) << (64 - f.prec), f.max
	case rexp < f.min && e.masks&fpUE == 0:
		e.exc |= fpUE
		rexp += f80Rebias
	case exp < f.min:
		tiny := rexp < f.min
		hi, lo = shiftJam128(hi, lo, uint32(f.min-exp))
		m, _, inexact, up = roundSig(neg, hi, lo, f.prec, e.rc)
		rexp = f.min
		if tiny && inexact {
			e.exc |= fpUE
		}
	}
	if inexact {
		e.exc |= fpPE
	}
	e.up = up
	return m, rexp
}

// round makes the F80 nearest to hi.lo · 2^exp with prec bits of significand.
func (e *fpEnv) round(neg bool, exp int32, hi, lo uint64, prec uint8) F80 {
	m, x := e.fit(neg, exp, hi, lo, fpFormat{prec, f80Min, f80Max})
	switch {
	case x == fpOverflow:
		return f80Inf(neg)
	case x > f80Max: // FSCALE: too large even when rebiased
		e.exc |= fpPE
		e.up = true
		return f80Inf(neg)
	case x < f80Min:
		e.exc |= fpPE
		e.up = false
		return f80Zero(neg)
	case m == 0:
		return f80Zero(neg)
	case m&f80J == 0:
		return F80{m, signBit(neg)}
	}
	return F80{m, signBit(neg) | uint16(x+f80Bias)}
}
