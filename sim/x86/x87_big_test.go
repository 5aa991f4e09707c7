package x86

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"
)

// A second implementation of the 80-bit arithmetic, as dumb as can be: exact
// rational numbers, rounded by the definition of rounding.

// ratF80 is the exact value of a finite operand.
func ratF80(a F80) *big.Rat {
	e := int(a.SE & f80ExpMask)
	if e == 0 {
		e = 1
	}
	v := new(big.Rat).SetInt(new(big.Int).SetUint64(a.Mant))
	v.Mul(v, ratPower2(e-f80Bias-63))
	if a.neg() {
		v.Neg(v)
	}
	return v
}

func ratPower2(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Lsh(big.NewInt(1), uint(max(n, -n))))
	if n < 0 {
		p.Inv(p)
	}
	return p
}

// ratLog2 returns the k with 2^k <= v < 2^(k+1) of v > 0.
func ratLog2(v *big.Rat) int {
	k := v.Num().BitLen() - v.Denom().BitLen()
	if v.Cmp(ratPower2(k)) < 0 {
		k--
	}
	return k
}

// ratQuantize rounds |v| to a multiple of 2^q. frac is compared with one half to round.
func ratQuantize(v *big.Rat, q int, rc uint8) (n *big.Int, inexact, up bool) {
	m := new(big.Rat).Abs(v)
	m.Mul(m, ratPower2(-q))
	n = new(big.Int).Quo(m.Num(), m.Denom())
	rest := m.Sub(m, new(big.Rat).SetInt(n))
	if rest.Sign() == 0 {
		return n, false, false
	}
	half := rest.Cmp(big.NewRat(1, 2))
	neg := v.Sign() < 0
	up = rc == rcNearest && (half > 0 || half == 0 && n.Bit(0) == 1) || rc == rcUp && !neg || rc == rcDown && neg
	if up {
		n.Add(n, big.NewInt(1))
	}
	return n, true, up
}

// refRound rounds v to a format with all exceptions masked. inf tells overflow to
// infinity; otherwise n·2^q is the magnitude.
func refRound(v *big.Rat, f fpFormat, rc uint8) (n *big.Int, q int, inf bool, exc uint16, up bool) {
	k := ratLog2(new(big.Rat).Abs(v))
	p := int(f.prec)
	free, inexact, up := ratQuantize(v, k-p+1, rc)
	after := k
	if free.BitLen() > p {
		after++
	}
	if after > int(f.max) {
		exc = fpOE | fpPE
		neg := v.Sign() < 0
		if rc == rcNearest || rc == rcUp && !neg || rc == rcDown && neg {
			return nil, 0, true, exc, true
		}
		n = new(big.Int).Lsh(big.NewInt(1), uint(p))
		return n.Sub(n, big.NewInt(1)), int(f.max) - p + 1, false, exc, false
	}
	q = k - p + 1
	n = free
	if k < int(f.min) {
		q = int(f.min) - p + 1
		n, inexact, up = ratQuantize(v, q, rc)
		if inexact && after < int(f.min) {
			exc |= fpUE
		}
	}
	if inexact {
		exc |= fpPE
	}
	return n, q, false, exc, up
}

// refF80 is the F80 that v rounds to.
func refF80(v *big.Rat, prec, rc uint8) (F80, uint16, bool) {
	neg := v.Sign() < 0
	n, q, inf, exc, up := refRound(v, fpFormat{prec, f80Min, f80Max}, rc)
	if inf {
		return f80Inf(neg), exc, up
	}
	if n.Sign() == 0 {
		return f80Zero(neg), exc, up
	}
	r := F80{SE: signBit(neg)}
	for q > f80Min-63 && n.BitLen() < 64 {
		n.Lsh(n, 1)
		q--
	}
	for n.BitLen() > 64 { // 2^64 after rounding up
		n.Rsh(n, 1)
		q++
	}
	r.Mant = n.Uint64()
	if r.Mant&f80J != 0 {
		r.SE |= uint16(q + 63 + f80Bias)
	}
	return r, exc, up
}

// finiteF80 draws operands whose exponents are mostly near one another.
func finiteF80(r *rand.Rand) F80 {
	for {
		if a := edgeOperand(r); a.class() == fpFinite {
			return a
		}
	}
}

func edgeOperand(r *rand.Rand) F80 {
	bases := []int{f80Bias, 1, 60, 0x7ffe - 60, f80Bias - 126, f80Bias + 127,
		f80Bias - 1022, f80Bias + 1023, f80Bias / 2, f80Bias * 3 / 2}
	e := bases[r.IntN(len(bases))] + r.IntN(141) - 70
	a := F80{r.Uint64() | f80J, uint16(min(max(e, 0), 0x7ffe))}
	switch r.IntN(4) {
	case 0:
		n := r.IntN(64)
		a.Mant = a.Mant>>n<<n | f80J
	case 1:
		n := r.IntN(64)
		a.Mant |= 1<<n - 1
	}
	if a.SE == 0 {
		a.Mant >>= r.IntN(64)
	}
	a.SE |= uint16(r.IntN(2)) << 15
	return a
}

// sqrtRat returns a number that rounds as the square root of v in every mode:
// the root cut to many bits, and a bit below when it was inexact.
func sqrtRat(v *big.Rat) *big.Rat {
	k := ratLog2(v)
	shift := 400 - k/2
	m := new(big.Rat).Mul(v, ratPower2(2*shift))
	n := new(big.Int).Quo(m.Num(), m.Denom())
	exact := new(big.Rat).SetInt(n).Cmp(m) == 0
	s := new(big.Int).Sqrt(n)
	exact = exact && new(big.Int).Mul(s, s).Cmp(n) == 0
	s.Lsh(s, 1)
	if !exact {
		s.Add(s, big.NewInt(1))
	}
	return new(big.Rat).Mul(new(big.Rat).SetInt(s), ratPower2(-shift-1))
}

func TestArithmeticAgainstRationals(t *testing.T) {
	const seed, cases = 3, 20000
	r := rand.New(rand.NewPCG(seed, 0))
	ops := []struct {
		name string
		do   func(*fpEnv, F80, F80) F80
		ref  func(a, b *big.Rat) *big.Rat
	}{
		{"add", (*fpEnv).add, func(a, b *big.Rat) *big.Rat { return a.Add(a, b) }},
		{"sub", (*fpEnv).sub, func(a, b *big.Rat) *big.Rat { return a.Sub(a, b) }},
		{"mul", (*fpEnv).mul, func(a, b *big.Rat) *big.Rat { return a.Mul(a, b) }},
		{"div", (*fpEnv).div, func(a, b *big.Rat) *big.Rat { return a.Quo(a, b) }},
		{"sqrt", func(e *fpEnv, a, _ F80) F80 { return e.sqrt(a) }, func(a, _ *big.Rat) *big.Rat { return sqrtRat(a) }},
	}
	for range cases {
		op := ops[r.IntN(len(ops))]
		a, b := finiteF80(r), finiteF80(r)
		if r.IntN(2) == 0 {
			b.SE = b.SE&f80Sign | uint16(min(max(int(a.SE&f80ExpMask)+r.IntN(140)-70, 1), 0x7ffe))
			b.Mant |= f80J
		}
		if r.IntN(8) == 0 { // at the border between normal and denormal results
			a = F80{^uint64(0) >> r.IntN(2) << r.IntN(14), uint16(1 + r.IntN(3))}
			a.Mant |= f80J
			b = F80{f80J, f80Bias - 2 + uint16(r.IntN(5))}
		}
		if op.name == "sqrt" {
			a.SE &^= f80Sign
			b = f80One
		}
		e := fpEnv{rc: uint8(r.IntN(4)), prec: []uint8{24, 53, 64}[r.IntN(3)], masks: fpAll}
		got := op.do(&e, a, b)
		exact := op.ref(ratF80(a), ratF80(b))
		want, exc, up := f80Zero(e.rc == rcDown), uint16(0), false
		if exact.Sign() != 0 {
			want, exc, up = refF80(exact, e.prec, e.rc)
		}
		if a.denormal() || b.denormal() {
			exc |= fpDE
		}
		if got != want || e.exc != exc || e.up != up {
			t.Fatalf("%s %x, %x rc %d prec %d: got %x exc %#x up %v, want %x exc %#x up %v",
				op.name, a, b, e.rc, e.prec, got, e.exc, e.up, want, exc, up)
		}
	}
}

func TestConversionsAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 0))
	for range 20000 {
		a := finiteF80(r)
		if r.IntN(4) == 0 { // just below a smallest normal number
			a = F80{^uint64(0) << r.IntN(50), f80Bias - 127}
			if r.IntN(2) == 0 {
				a.SE = f80Bias - 1023
			}
			a.SE |= uint16(r.IntN(2)) << 15
		}
		rc := uint8(r.IntN(4))
		exact := ratF80(a)
		for _, f := range []struct {
			fpFormat
			expBits int
		}{{formatF32, 8}, {formatF64, 11}} {
			e := fpEnv{rc: rc, masks: fpAll}
			got := e.toSmall(a, f.fpFormat, f.expBits)
			n, q, inf, exc, up := refRound(exact, f.fpFormat, rc)
			want := math.Inf(1)
			if !inf {
				want, _ = new(big.Float).SetMantExp(new(big.Float).SetInt(n), q).Float64()
			}
			if a.neg() {
				want = -want
			}
			value := math.Float64frombits(got)
			if f.prec == 24 {
				value = float64(math.Float32frombits(uint32(got)))
			}
			if math.Float64bits(value) != math.Float64bits(want) || e.exc != exc || e.up != up {
				t.Fatalf("to %d bits: %x rc %d: got %v exc %#x up %v, want %v exc %#x up %v",
					f.prec, a, rc, value, e.exc, e.up, want, exc, up)
			}
		}
		testToInteger(t, a, exact, rc)
	}
}

// testToInteger compares toInt and rint with the exact value.
func testToInteger(t *testing.T, a F80, exact *big.Rat, rc uint8) {
	n, inexact, up := ratQuantize(exact, 0, rc)
	if a.neg() {
		n.Neg(n)
	}
	for _, size := range []uint{16, 32, 64} {
		e := fpEnv{rc: rc, masks: fpAll}
		got := e.toInt(a, size)
		limit := new(big.Int).Lsh(big.NewInt(1), size-1)
		fits := n.Cmp(limit) < 0 && n.Cmp(new(big.Int).Neg(limit)) >= 0
		want, exc, wantUp := int64(-1)<<(size-1), uint16(fpIE), false
		if fits {
			want, exc, wantUp = n.Int64(), 0, up
			if inexact {
				exc = fpPE
			}
		}
		if got != want || e.exc != exc || e.up != wantUp {
			t.Fatalf("to int%d: %x rc %d: got %d exc %#x up %v, want %d exc %#x up %v",
				size, a, rc, got, e.exc, e.up, want, exc, wantUp)
		}
	}
	e := fpEnv{rc: rc, masks: fpAll}
	got := e.rint(a)
	e.exc &^= fpDE
	if ratF80(got).Cmp(new(big.Rat).SetInt(n)) != 0 || got.neg() != a.neg() || (e.exc == fpPE) != inexact {
		t.Fatalf("rint %x rc %d: got %x exc %#x, want %v inexact %v", a, rc, got, e.exc, n, inexact)
	}
}

func TestRemainderAgainstRationals(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 0))
	for range 5000 {
		a, b := finiteF80(r), finiteF80(r)
		if r.IntN(2) == 0 { // quotients that end in a half
			a, b = f80FromInt(1+r.Int64N(1000)), f80FromInt(1+r.Int64N(20))
		}
		nearest := r.IntN(2) == 0
		x, y := ratF80(a), ratF80(b)
		q := new(big.Rat).Quo(x, y)
		rc := uint8(rcZero)
		if nearest {
			rc = rcNearest
		}
		n := new(big.Int)
		if q.Sign() != 0 {
			n, _, _ = ratQuantize(q, 0, rc)
		}
		if q.Sign() < 0 {
			n.Neg(n)
		}
		want := new(big.Rat).Sub(x, new(big.Rat).Mul(y, new(big.Rat).SetInt(n)))
		got, quo, steps := a, uint64(0), 0
		for kind := remPartial; kind == remPartial; steps++ {
			e := fpEnv{masks: fpAll}
			if steps > f80Bias/16 {
				t.Fatalf("%x rem %x does not end", a, b)
			}
			got, quo, kind = e.rem(got, b, nearest)
			if e.exc&^fpDE != 0 {
				t.Fatalf("%x rem %x: exceptions %#x of an exact operation", a, b, e.exc)
			}
		}
		low := new(big.Int).And(n.Abs(n), big.NewInt(7)).Uint64()
		if ratF80(got).Cmp(want) != 0 || want.Sign() == 0 && got.neg() != a.neg() || quo&7 != low {
			t.Fatalf("%x rem %x (nearest %v): got %x, quotient %d, want %v, %d",
				a, b, nearest, got, quo&7, want.FloatString(3), low)
		}
	}
}

// TestDecimalDigits peels off nine decimal digits at a time, as a libc prints a
// double through the 80-bit format: every step must be exact.
func TestDecimalDigits(t *testing.T) {
	r := rand.New(rand.NewPCG(6, 0))
	billion := f80FromInt(1_000_000_000)
	for range 2000 {
		d := math.Ldexp(1+r.Float64(), 28) // 24 bits of fraction and 30 of the factor fit
		e := fpEnv{rc: rcZero, prec: 64, masks: fpAll}
		y := e.fromF64(math.Float64bits(d))
		exact, _ := new(big.Float).SetFloat64(d).Rat(nil)
		for range 40 {
			whole := e.toInt(y, 64)
			if want := new(big.Int).Quo(exact.Num(), exact.Denom()); want.Int64() != whole {
				t.Fatalf("%v: digits %d, want %d", d, whole, want)
			}
			e.exc &^= fpPE // the conversion truncates
			y = e.mul(billion, e.sub(y, f80FromInt(whole)))
			exact.Sub(exact, new(big.Rat).SetInt64(whole))
			exact.Mul(exact, new(big.Rat).SetInt64(1_000_000_000))
			if y.class() == fpZero {
				break
			}
		}
		if y.class() != fpZero || exact.Sign() != 0 || e.exc != 0 {
			t.Fatalf("%v: rest %x, %v, exceptions %#x", d, y, exact, e.exc)
		}
	}
}

func TestBCD(t *testing.T) {
	e := fpEnv{masks: fpAll}
	lo, hi := e.toBCD(f80FromInt(-123456789012345678))
	if lo != 0x3456789012345678 || hi != 0x8012 || e.exc != 0 {
		t.Errorf("toBCD: %x %x exc %#x", hi, lo, e.exc)
	}
	if got := fromBCD(lo, hi); got != f80FromInt(-123456789012345678) {
		t.Errorf("fromBCD: %x", got)
	}
	if lo, hi = e.toBCD(f80FromInt(1_000_000_000_000_000_000)); lo != 0xc000000000000000 || hi != 0xffff || e.exc != fpIE {
		t.Errorf("19 digits: %x %x exc %#x", hi, lo, e.exc)
	}
}

func TestNaNRules(t *testing.T) {
	q1, q2 := F80{0xc000000000000001, 0x7fff}, F80{0xc000000000000002, 0xffff}
	s1, s2 := F80{0x8000000000000001, 0x7fff}, F80{0x8000000000000002, 0xffff}
	q1neg := F80{q1.Mant, 0xffff}
	inf, zero := f80Inf(false), F80{}
	unnormal := F80{1, f80Bias}
	tests := []struct {
		a, b, want F80
		exc        uint16
	}{
		{q1, f80One, q1, 0}, {f80One, q2, q2, 0},
		{q1, q2, q2, 0}, {q2, q1, q2, 0}, // the larger significand
		{q1neg, q1, q1, 0}, {q1, q1neg, q1, 0}, // the positive one
		{s1, f80One, s1.quiet(), fpIE}, {s1, s2, s2.quiet(), fpIE},
		{s2, q1, q1, fpIE}, {q1, s2, q1, fpIE}, // the quiet one
		{unnormal, q1, f80Indefinite, fpIE}, {f80One, unnormal, f80Indefinite, fpIE},
		{inf, f80Inf(true), f80Indefinite, fpIE}, {inf, f80One, inf, 0},
		{zero, f80Zero(true), zero, 0}, {f80Zero(true), f80Zero(true), f80Zero(true), 0},
	}
	for _, tt := range tests {
		e := fpEnv{prec: 64, masks: fpAll}
		if got := e.add(tt.a, tt.b); got != tt.want || e.exc != tt.exc {
			t.Errorf("%x + %x = %x exc %#x, want %x exc %#x", tt.a, tt.b, got, e.exc, tt.want, tt.exc)
		}
	}
	e := fpEnv{prec: 64, rc: rcDown, masks: fpAll}
	if got := e.add(zero, f80Zero(true)); got != f80Zero(true) {
		t.Errorf("0 + -0 rounded down = %x", got)
	}
}

func TestShiftKeepsASticky(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 0))
	for n := range uint32(140) {
		for range 20 {
			hi, lo := r.Uint64()>>r.IntN(64)<<r.IntN(64), r.Uint64()>>r.IntN(64)<<r.IntN(64)
			v := new(big.Int).SetUint64(hi)
			v.Add(v.Lsh(v, 64), new(big.Int).SetUint64(lo))
			want := new(big.Int).Rsh(v, uint(n))
			if new(big.Int).Lsh(want, uint(n)).Cmp(v) != 0 {
				want.SetBit(want, 0, 1)
			}
			gh, gl := shiftJam128(hi, lo, n)
			got := new(big.Int).SetUint64(gh)
			if got.Add(got.Lsh(got, 64), new(big.Int).SetUint64(gl)).Cmp(want) != 0 {
				t.Fatalf("%#x:%#x >> %d = %#x:%#x, want %#x", hi, lo, n, gh, gl, want)
			}
		}
	}
}

// TestTinyAngles: functions that are nearly the identity lie strictly below or
// above their argument, however small it is.
func TestTinyAngles(t *testing.T) {
	for x := uint16(f80Bias - 5000); x < f80Bias-33; x++ {
		a := F80{0xa000000000000000, x}
		below, above := F80{a.Mant - 1, x}, F80{a.Mant + 1, x}
		down, up := fpEnv{rc: rcDown, masks: fpAll}, fpEnv{rc: rcUp, masks: fpAll}
		sin, _ := down.sinCos(a, false)
		tan, _ := up.tan(a)
		if atan := down.atan2(a, f80One); sin != below || tan != above || atan != below {
			t.Fatalf("2^%d: sine %x, tangent %x, arc tangent %x of %x", int(x)-f80Bias, sin, tan, atan, a)
		}
		if x < f80Bias-300 {
			x += 50
		}
	}
}
