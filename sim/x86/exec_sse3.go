package x86

import "math"

// SSE3: horizontal and alternating arithmetic, duplicating moves, and the x87
// store that truncates.

// horizontal32 is HADDPS or HSUBPS: neighbours are combined, those of the
// destination into the lower half, those of the source into the upper.
func horizontal32(f lane) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		var r [4]uint64
		var flags uint32
		for i, q := range [4]uint64{d[0], d[1], lo, hi} {
			x, fl := f(c.MXCSR, low32(q), q>>32)
			r[i], flags = x, flags|fl
		}
		c.fpFlags(flags)
		d[0], d[1] = r[0]|r[1]<<32, r[2]|r[3]<<32
	}
}

func horizontal64(f lane) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		r0, fl0 := f(c.MXCSR, d[0], d[1])
		r1, fl1 := f(c.MXCSR, lo, hi)
		c.fpFlags(fl0 | fl1)
		d[0], d[1] = r0, r1
	}
}

func addsubps(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	r0, fl0 := sub32(c.MXCSR, low32(d[0]), low32(lo))
	r1, fl1 := add32(c.MXCSR, d[0]>>32, lo>>32)
	r2, fl2 := sub32(c.MXCSR, low32(d[1]), low32(hi))
	r3, fl3 := add32(c.MXCSR, d[1]>>32, hi>>32)
	c.fpFlags(fl0 | fl1 | fl2 | fl3)
	d[0], d[1] = r0|r1<<32, r2|r3<<32
}

func addsubpd(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	r0, fl0 := sub64(c.MXCSR, d[0], lo)
	r1, fl1 := add64(c.MXCSR, d[1], hi)
	c.fpFlags(fl0 | fl1)
	d[0], d[1] = r0, r1
}

func movddup(c *CPU, in *Inst) {
	v := c.source64(in)
	c.setX(in.reg, v, v)
}

func movsldup(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	c.setX(in.reg, low32(lo)*(1<<32+1), low32(hi)*(1<<32+1))
}

func movshdup(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	c.setX(in.reg, lo&^math.MaxUint32|lo>>32, hi&^math.MaxUint32|hi>>32)
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
