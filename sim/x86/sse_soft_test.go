package x86

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// A deliberately dumb second implementation of the soft arithmetic: exact
// rational numbers, rounded by comparing with multiples of the last place.

// softRef is a rounded result with its exceptions.
type softRef struct {
	bits  uint64
	flags uint32
}

// ratOf returns the value of finite bits.
func ratOf(f *format, x uint64) *big.Rat {
	e := int(x>>f.frac) & f.emax
	m := x & (1<<f.frac - 1)
	if e == 0 {
		e = 1
	} else {
		m |= 1 << f.frac
	}
	v := new(big.Rat).SetInt(new(big.Int).SetUint64(m))
	v.Mul(v, pow2(e-f.bias-int(f.frac)))
	if x>>f.signBit()&1 != 0 {
		v.Neg(v)
	}
	return v
}

func pow2(n int) *big.Rat {
	one := big.NewInt(1)
	if n >= 0 {
		return new(big.Rat).SetInt(new(big.Int).Lsh(one, uint(n)))
	}
	return new(big.Rat).SetFrac(one, new(big.Int).Lsh(one, uint(-n)))
}

// multiple rounds v to an integer multiple of ulp.
func multiple(v, ulp *big.Rat, rc uint32) *big.Rat {
	q := new(big.Rat).Quo(v, ulp)
	floor := new(big.Int).Div(q.Num(), q.Denom()) // Euclidean: towards minus infinity
	rest := new(big.Rat).Sub(q, new(big.Rat).SetInt(floor))
	up := false
	switch rc {
	case roundNearest:
		c := rest.Cmp(big.NewRat(1, 2))
		up = c > 0 || c == 0 && floor.Bit(0) == 1
	case roundUp:
		up = rest.Sign() > 0
	case roundZero:
		up = rest.Sign() > 0 && v.Sign() < 0
	}
	if up {
		floor.Add(floor, big.NewInt(1))
	}
	return new(big.Rat).Mul(new(big.Rat).SetInt(floor), ulp)
}

// exponent returns e with 2^e <= |v| < 2^(e+1).
func exponent(v *big.Rat) int {
	a := new(big.Rat).Abs(v)
	e := a.Num().BitLen() - a.Denom().BitLen()
	if a.Cmp(pow2(e)) < 0 {
		e--
	}
	return e
}

// roundRat rounds a value that is not zero; everything is masked.
func roundRat(f *format, v *big.Rat, mx uint32) softRef {
	rc := rounding(mx)
	var sign uint64
	if v.Sign() < 0 {
		sign = 1
	}
	emin := 1 - f.bias
	full := multiple(v, pow2(exponent(v)-int(f.frac)), rc)
	if full.Sign() == 0 || exponent(full) < emin {
		if mx&mxFTZ != 0 {
			return softRef{f.zero(sign), mxUE | mxPE}
		}
		ulp := pow2(emin - int(f.frac))
		r := multiple(v, ulp, rc)
		n := new(big.Rat).Quo(new(big.Rat).Abs(r), ulp).Num().Uint64()
		if r.Cmp(v) != 0 {
			return softRef{f.zero(sign) | n, mxUE | mxPE}
		}
		return softRef{f.zero(sign) | n, 0}
	}
	var fl uint32
	if full.Cmp(v) != 0 {
		fl = mxPE
	}
	e := exponent(full)
	if e > f.bias {
		largest := f.inf(sign) - 1
		if rc == roundNearest || rc == roundUp && sign == 0 || rc == roundDown && sign == 1 {
			largest++
		}
		return softRef{largest, mxOE | mxPE}
	}
	n := new(big.Rat).Quo(new(big.Rat).Abs(full), pow2(e-int(f.frac))).Num().Uint64()
	return softRef{f.zero(sign) | uint64(e+f.bias)<<f.frac | n&(1<<f.frac-1), fl}
}

// softNumber draws finite bits, biased to where rounding is delicate.
func softNumber(r *rand.Rand, f *format) uint64 {
	frac := r.Uint64() & (1<<f.frac - 1)
	switch r.IntN(4) {
	case 0:
		frac = 0
	case 1:
		frac = 1<<f.frac - 1 - uint64(r.IntN(3))
	}
	e := uint64(f.bias) + uint64(r.IntN(2*int(f.frac)+8)) - uint64(f.frac) - 4
	switch r.IntN(6) {
	case 5: // one, the smallest normal number, and that of single precision, within a few last places
		least := [...]uint64{1, uint64(f.bias), uint64(f.bias) - 126}[r.IntN(3)]
		return f.zero(r.Uint64N(2)) | (least<<f.frac + r.Uint64N(5) - 2)
	case 0:
		e = uint64(r.IntN(int(f.frac) + 8))
	case 1:
		e = uint64(f.emax - 1 - r.IntN(4))
	case 2:
		e = uint64(f.bias/2 + r.IntN(20) - 10)
	}
	return f.zero(r.Uint64N(2)) | e<<f.frac | frac
}

// TestSoftArithmetic would catch a wrong sticky bit, tie, tininess rule,
// overflow result or flag in any rounding mode.
func TestSoftArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for i := range 12000 {
		f := &single
		if i%2 == 0 {
			f = &double
		}
		a, b := softNumber(r, f), softNumber(r, f)
		mx := uint32(0x1F80) | uint32(r.IntN(4))<<mxRoundShift | uint32(r.IntN(2))*mxFTZ
		x, y := ratOf(f, a), ratOf(f, b)
		if x.Sign() == 0 || y.Sign() == 0 {
			continue
		}
		var in uint32
		if x := f.unpack(a, mx); x.denorm != 0 {
			in = mxDE
		}
		if y := f.unpack(b, mx); y.denorm != 0 {
			in = mxDE
		}
		check := func(op string, exact *big.Rat, got uint64, fl uint32) {
			want := softRef{}
			if exact.Sign() == 0 {
				want.bits = f.exactZero(mx)
			} else {
				want = roundRat(f, exact, mx)
			}
			if want.flags |= in; got != want.bits || fl != want.flags {
				t.Fatalf("%#x %s %#x, mxcsr %#x: %#x flags %#x, want %#x flags %#x", a, op, b, mx, got, fl, want.bits, want.flags)
			}
		}
		got, fl := f.add(a, b, 0, mx)
		check("+", new(big.Rat).Add(x, y), got, fl)
		got, fl = f.add(a, b, 1, mx)
		check("-", new(big.Rat).Sub(x, y), got, fl)
		got, fl = f.mul(a, b, mx)
		check("*", new(big.Rat).Mul(x, y), got, fl)
		got, fl = f.div(a, b, mx)
		check("/", new(big.Rat).Quo(x, y), got, fl)
	}
}

// TestSoftSqrt checks that the square of the root brackets the operand as the
// rounding mode says: the definition, not an algorithm.
func TestSoftSqrt(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 20000 {
		f := &single
		if i%2 == 0 {
			f = &double
		}
		a := softNumber(r, f) &^ f.zero(1)
		if i%5 == 0 { // the square of a short number: an exact root
			n := uint64(r.IntN(1 << 11))
			a, _ = f.fromInt(int64(n*n), 0x1F80)
		}
		v := ratOf(f, a)
		if v.Sign() == 0 {
			continue
		}
		mx := uint32(0x1F80) | uint32(r.IntN(4))<<mxRoundShift
		root, fl := f.sqrt(a, mx)
		square := func(bits uint64) *big.Rat { x := ratOf(f, bits); return x.Mul(x, x) }
		exact := square(root).Cmp(v) == 0
		if exact == (fl&mxPE != 0) {
			t.Fatalf("sqrt %#x = %#x: exact %v, flags %#x", a, root, exact, fl)
		}
		half := func(lo, hi uint64) *big.Rat {
			x := new(big.Rat).Add(ratOf(f, lo), ratOf(f, hi))
			x.Mul(x, big.NewRat(1, 2))
			return x.Mul(x, x)
		}
		ok := true
		switch rounding(mx) {
		case roundNearest:
			ok = half(root-1, root).Cmp(v) <= 0 && half(root, root+1).Cmp(v) >= 0
		case roundUp:
			ok = square(root).Cmp(v) >= 0 && square(root-1).Cmp(v) < 0
		default:
			ok = square(root).Cmp(v) <= 0 && square(root+1).Cmp(v) > 0
		}
		if !ok {
			t.Fatalf("sqrt %#x = %#x, mxcsr %#x: not the right neighbour", a, root, mx)
		}
	}
}

// TestSoftConversions compares conversions to and from integers and between the
// formats with rational arithmetic.
func TestSoftConversions(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 20000 {
		f, other := &single, &double
		if i%2 == 0 {
			f, other = other, f
		}
		mx := uint32(0x1F80) | uint32(r.IntN(4))<<mxRoundShift
		a := softNumber(r, f)
		v := ratOf(f, a)
		if v.Sign() == 0 {
			continue
		}
		for _, size := range []uint{32, 64} {
			got, fl := f.toInt(a, size, rounding(mx), mx)
			n := multiple(v, big.NewRat(1, 1), rounding(mx))
			limit := pow2(int(size) - 1)
			want := softRef{}
			if n.Cmp(limit) >= 0 || n.Cmp(new(big.Rat).Neg(limit)) < 0 {
				want = softRef{1 << (size - 1), mxIE}
			} else {
				want.bits = uint64(n.Num().Int64())
				if n.Cmp(v) != 0 {
					want.flags = mxPE
				}
			}
			if got != want.bits || fl != want.flags {
				t.Fatalf("toInt%d %#x, mxcsr %#x: %#x flags %#x, want %#x flags %#x", size, a, mx, got, fl, want.bits, want.flags)
			}
		}
		got, fl := f.convert(a, other, mx)
		want := roundRat(other, v, mx)
		if u := f.unpack(a, mx); got != want.bits || fl != want.flags|u.denorm {
			t.Fatalf("convert %#x, mxcsr %#x: %#x flags %#x, want %#x flags %#x", a, mx, got, fl, want.bits, want.flags)
		}
		if n := int64(r.Uint64()) >> r.IntN(64); n != 0 {
			got, fl = f.fromInt(n, mx)
			if want = roundRat(f, new(big.Rat).SetInt64(n), mx); got != want.bits || fl != want.flags {
				t.Fatalf("fromInt %d, mxcsr %#x: %#x flags %#x, want %#x flags %#x", n, mx, got, fl, want.bits, want.flags)
			}
		}
	}
}

// TestFastPaths: an operation gives the same bits whether PE is already set (the
// host's operators) or not (the soft arithmetic), and the fast path is taken only
// when no other flag is due.
func TestFastPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, c := range []struct {
		name string
		f    *format
		op   lane
	}{
		{"add64", &double, add64}, {"sub64", &double, sub64}, {"mul64", &double, mul64}, {"div64", &double, div64}, {"sqrt64", &double, sqrt64},
		{"min64", &double, min64}, {"max64", &double, max64},
		{"add32", &single, add32}, {"sub32", &single, sub32}, {"mul32", &single, mul32}, {"div32", &single, div32}, {"sqrt32", &single, sqrt32},
		{"toSingle", &double, func(mx uint32, _, b uint64) (uint64, uint32) { return toSingle(mx, b) }},
		{"toDouble", &single, func(mx uint32, _, b uint64) (uint64, uint32) { return toDouble(mx, b) }},
	} {
		for range 20000 {
			a, b := softNumber(r, c.f), softNumber(r, c.f)
			if r.IntN(20) == 0 {
				a = c.f.inf(a & 1)
			}
			slow, fl := c.op(0x1F80, a, b)
			fast, ffl := c.op(fastMode, a, b)
			if fast != slow || fl|mxPE != ffl|mxPE {
				t.Fatalf("%s %#x %#x: fast %#x flags %#x, slow %#x flags %#x", c.name, a, b, fast, ffl, slow, fl)
			}
		}
	}
}
