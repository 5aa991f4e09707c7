package x86

import (
	"math/big"
	"math/rand/v2"
	"testing"
)

// addendNear returns the rounded product of a and b negated, some last places away:
// what is left then comes from the bits that a product rounded first would lack.
func addendNear(r *rand.Rand, f *format, a, b uint64) uint64 {
	p, _ := f.mul(a, b, 0x1F80)
	if p&(1<<f.signBit()-1) >= f.inf(0)-4 || p&(1<<f.signBit()-1) < 4 {
		return softNumber(r, f)
	}
	p += r.Uint64N(5) - 2
	return p ^ f.zero(1)
}

// TestFusedArithmetic compares with rational numbers, rounded once: a second
// rounding, a lost sticky bit, a wrong sign of zero or a flag too many would show.
func TestFusedArithmetic(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 10))
	for i := range 20000 {
		f := &single
		if i%2 == 0 {
			f = &double
		}
		a, b, c := softNumber(r, f), softNumber(r, f), softNumber(r, f)
		if i%3 == 0 {
			c = addendNear(r, f, a, b)
		}
		mx := uint32(0x1F80) | uint32(r.IntN(4))<<mxRoundShift | uint32(r.IntN(2))*mxFTZ
		n := fused{r.Uint64N(2), r.Uint64N(2)}
		x, y, z := ratOf(f, a), ratOf(f, b), ratOf(f, c)
		if x.Sign() == 0 || y.Sign() == 0 || z.Sign() == 0 {
			continue
		}
		var want softRef
		exact := new(big.Rat).Mul(x, y)
		if n.product != 0 {
			exact.Neg(exact)
		}
		if n.addend != 0 {
			z.Neg(z)
		}
		if exact.Add(exact, z); exact.Sign() == 0 {
			want.bits = f.exactZero(mx)
		} else {
			want = roundRat(f, exact, mx)
		}
		for _, v := range []uint64{a, b, c} {
			u := f.unpack(v, mx)
			want.flags |= u.denorm
		}
		if got, fl := f.fma(a, b, c, n, mx); got != want.bits || fl != want.flags {
			t.Fatalf("%#x * %#x + %#x, negated %v, mxcsr %#x: %#x flags %#x, want %#x flags %#x",
				a, b, c, n, mx, got, fl, want.bits, want.flags)
		}
	}
}

// TestFusedFastPaths: the host's operators give what the exact arithmetic gives.
func TestFusedFastPaths(t *testing.T) {
	r := rand.New(rand.NewPCG(11, 12))
	for _, k := range []struct {
		name string
		f    *format
		op   fusedLane
	}{{"fma64", &double, fma64}, {"fma32", &single, fma32}} {
		for i := range 200000 {
			a, b, c := softNumber(r, k.f), softNumber(r, k.f), softNumber(r, k.f)
			if i%3 == 0 {
				c = addendNear(r, k.f, a, b)
			}
			n := fused{r.Uint64N(2), r.Uint64N(2)}
			slow, fl := k.f.fma(a, b, c, n, 0x1F80)
			fast, ffl := k.op(fastMode, a, b, c, n)
			if fast != slow || fl|mxPE != ffl|mxPE {
				t.Fatalf("%s %#x * %#x + %#x, negated %v: fast %#x flags %#x, slow %#x flags %#x",
					k.name, a, b, c, n, fast, ffl, slow, fl)
			}
		}
	}
}
