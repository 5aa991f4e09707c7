package x86

import "math/bits"

// f80FromInt is exact.
func f80FromInt(v int64) F80 {
	if v == 0 {
		return F80{}
	}
	m := uint64(v)
	if v < 0 {
		m = -m
	}
	n := bits.LeadingZeros64(m)
	return F80{m << n, signBit(v < 0) | uint16(63-n+f80Bias)}
}

// toInt rounds a to an integer of size bits (16, 32 or 64). What does not fit
// is invalid and gives the most negative integer.
func (e *fpEnv) toInt(a F80, size uint) int64 {
	indefinite := int64(-1) << (size - 1)
	switch a.class() {
	case fpZero:
		return 0
	case fpFinite:
	default:
		e.exc |= fpIE
		return indefinite
	}
	x, m := a.split()
	neg := a.neg()
	if x > 63 {
		e.exc |= fpIE
		return indefinite
	}
	v, inexact, up := e.toUint(neg, x, m)
	limit := uint64(1) << (size - 1)
	if !neg {
		limit--
	}
	if v > limit {
		e.exc |= fpIE
		return indefinite
	}
	if inexact {
		e.exc |= fpPE
	}
	e.up = up
	if neg {
		return -int64(v)
	}
	return int64(v)
}

// fromSmall widens a format with expBits and fracBits, given as its bits. It is exact.
func (e *fpEnv) fromSmall(neg bool, exp, frac uint64, expBits, fracBits int) F80 {
	top := uint64(1)<<expBits - 1
	bias := int(top >> 1)
	m := frac << (63 - fracBits)
	switch {
	case exp == 0 && frac == 0:
		return f80Zero(neg)
	case exp == 0:
		e.exc |= fpDE
		n := bits.LeadingZeros64(m)
		return F80{m << n, signBit(neg) | uint16(1-bias-n+f80Bias)}
	case exp < top:
		return F80{m | f80J, signBit(neg) | uint16(int(exp)-bias+f80Bias)}
	case frac != 0 && m&f80Quiet == 0:
		e.exc |= fpIE
		m |= f80Quiet
	}
	return F80{m | f80J, signBit(neg) | f80ExpMask}
}

func (e *fpEnv) fromF32(v uint32) F80 {
	return e.fromSmall(v>>31 != 0, uint64(v>>23&0xff), uint64(v&(1<<23-1)), 8, 23)
}

func (e *fpEnv) fromF64(v uint64) F80 {
	return e.fromSmall(v>>63 != 0, v>>52&0x7ff, v&(1<<52-1), 11, 52)
}

// toSmall rounds to the format f, whose exponent has expBits.
func (e *fpEnv) toSmall(a F80, f fpFormat, expBits int) uint64 {
	fracBits := int(f.prec) - 1
	sign := uint64(a.SE>>15) << (expBits + fracBits)
	top := (uint64(1)<<expBits - 1) << fracBits
	switch a.class() {
	case fpZero:
		return sign
	case fpInf:
		return sign | top
	case fpUnsupported:
		e.exc |= fpIE
		return 1<<(expBits+fracBits) | top | 1<<(fracBits-1)
	case fpSNaN:
		e.exc |= fpIE
		fallthrough
	case fpQNaN:
		return sign | top | 1<<(fracBits-1) | a.Mant<<1>>(64-fracBits)
	}
	x, m := a.split()
	m, x = e.fit(a.neg(), x, m, 0, f)
	switch {
	case x == fpOverflow:
		return sign | top
	case m&f80J == 0:
		return sign | m>>(63-fracBits)
	}
	return sign | uint64(x-f.min+1)<<fracBits | m<<1>>(64-fracBits)
}

func (e *fpEnv) toF32(a F80) uint32 { return uint32(e.toSmall(a, formatF32, 8)) }
func (e *fpEnv) toF64(a F80) uint64 { return e.toSmall(a, formatF64, 11) }

// bcdIndefinite is the upper 16 bits of the packed BCD result of an invalid FBSTP.
const bcdIndefinite = 0xffff

// fromBCD converts 18 packed digits (lo: 16 of them, hi: two and the sign).
// Digits above nine count with their value, as no CPU checks them.
func fromBCD(lo uint64, hi uint16) F80 {
	var v uint64
	for i := 4; i >= 0; i -= 4 {
		v = v*10 + uint64(hi>>i&15)
	}
	for i := 60; i >= 0; i -= 4 {
		v = v*10 + lo>>i&15
	}
	r := f80FromInt(int64(v))
	r.SE |= hi & f80Sign
	return r
}

// toBCD rounds to 18 packed digits.
func (e *fpEnv) toBCD(a F80) (lo uint64, hi uint16) {
	v := e.toInt(a, 64)
	mag := uint64(v)
	if v < 0 {
		mag = -mag
	}
	if e.exc&fpIE != 0 || mag > 999_999_999_999_999_999 {
		e.exc = e.exc&^fpPE | fpIE
		e.up = false
		return 0xc000000000000000, bcdIndefinite
	}
	for i := 0; i < 64; i += 4 {
		lo |= mag % 10 << i
		mag /= 10
	}
	return lo, uint16(mag/10<<4|mag%10) | a.SE&f80Sign
}
