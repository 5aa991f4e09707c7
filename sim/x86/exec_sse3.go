package x86

import "math"

// SSE3: horizontal and alternating arithmetic, duplicating moves, and the x87
// store that truncates.

// float128 is an operation of floating-point elements within 128 bits.
type float128 = func(mx uint32, a, b x128) (x128, uint32)

// onXFloat applies one to XMM operands.
func onXFloat(f float128) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		r, fl := f(c.MXCSR, x128{d[0], d[1]}, x128{lo, hi})
		c.fpFlags(fl)
		d[0], d[1] = r.lo, r.hi
	}
}

// horizontal32 is HADDPS or HSUBPS: neighbours are combined, those of the
// first operand into the lower half, those of the second into the upper.
func horizontal32(f lane) float128 {
	return func(mx uint32, a, b x128) (x128, uint32) {
		r0, fl0 := f(mx, low32(a.lo), a.lo>>32)
		r1, fl1 := f(mx, low32(a.hi), a.hi>>32)
		r2, fl2 := f(mx, low32(b.lo), b.lo>>32)
		r3, fl3 := f(mx, low32(b.hi), b.hi>>32)
		return x128{r0 | r1<<32, r2 | r3<<32}, fl0 | fl1 | fl2 | fl3
	}
}

func horizontal64(f lane) float128 {
	return func(mx uint32, a, b x128) (x128, uint32) {
		r0, fl0 := f(mx, a.lo, a.hi)
		r1, fl1 := f(mx, b.lo, b.hi)
		return x128{r0, r1}, fl0 | fl1
	}
}

func addSub32(mx uint32, a, b x128) (x128, uint32) {
	r0, fl0 := sub32(mx, low32(a.lo), low32(b.lo))
	r1, fl1 := add32(mx, a.lo>>32, b.lo>>32)
	r2, fl2 := sub32(mx, low32(a.hi), low32(b.hi))
	r3, fl3 := add32(mx, a.hi>>32, b.hi>>32)
	return x128{r0 | r1<<32, r2 | r3<<32}, fl0 | fl1 | fl2 | fl3
}

func addSub64(mx uint32, a, b x128) (x128, uint32) {
	r0, fl0 := sub64(mx, a.lo, b.lo)
	r1, fl1 := add64(mx, a.hi, b.hi)
	return x128{r0, r1}, fl0 | fl1
}

func movddup(c *CPU, in *Inst) {
	v := c.source64(in)
	c.setX(in.reg, v, v)
}

func duplicateEven32(_, b x128, _ uint64) x128 {
	return x128{low32(b.lo) * (1<<32 + 1), low32(b.hi) * (1<<32 + 1)}
}

func duplicateOdd32(_, b x128, _ uint64) x128 {
	return x128{b.lo&^math.MaxUint32 | b.lo>>32, b.hi&^math.MaxUint32 | b.hi>>32}
}

// fisttp is FISTP that rounds towards zero whatever RC says.
func fisttp(size uint8) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		e.rc = rcZero
		v := f.st(0)
		if f.empty(0) {
			v = e.underflow()
		}
		out := uint64(e.toInt(v, uint(size)*8))
		c.storeAndPop(in, &e, size, out, true)
	}
}
