package x86

// x87 instructions of one operand, transcendental functions, stack control.

// unary is ST0 = fn(ST0) for the operations named by number.
type fpUnary uint8

const (
	unFCHS fpUnary = iota
	unFABS
	unFSQRT
	unFRNDINT
	unF2XM1
)

func (e *fpEnv) one(op fpUnary, a F80) F80 {
	switch op {
	case unFCHS:
		a.SE ^= f80Sign
		return a
	case unFABS:
		a.SE &^= f80Sign
		return a
	case unFSQRT:
		return e.sqrt(a)
	case unFRNDINT:
		return e.rint(a)
	}
	return e.exp2m1(a)
}

func unary(op fpUnary) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		var r F80
		if f.empty(0) {
			r = e.underflow()
		} else {
			r = e.one(op, f.st(0))
		}
		f.finish(c, in, &e, r)
	}
}

func execFSCALE(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	var r F80
	if f.empty(0) || f.empty(1) {
		r = e.underflow()
	} else {
		r = e.scale(f.st(0), f.st(1))
	}
	f.finish(c, in, &e, r)
}

// logLike is ST1 = fn(ST0, ST1), then a pop.
type fpLog uint8

const (
	logFYL2X fpLog = iota
	logFYL2XP1
	logFPATAN
)

func logLike(op fpLog) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		var r F80
		x, y := f.st(0), f.st(1)
		switch {
		case f.empty(0) || f.empty(1):
			r = e.underflow()
		case op == logFYL2X:
			r = e.ylog2x(x, y)
		case op == logFYL2XP1:
			r = e.ylog2xp1(x, y)
		default:
			r = e.atan2(y, x)
		}
		if c.settle(in, &e) {
			return
		}
		f.put(1, r)
		f.pop()
	}
}

// outOfRange sets C2 as the trigonometric instructions do.
func (f *X87) outOfRange(far bool) {
	f.SW &^= swC2
	if far {
		f.SW |= swC2
	}
}

// sine is FSIN or FCOS.
func sine(cos bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		var r F80
		far := false
		if f.empty(0) {
			r = e.underflow()
		} else {
			r, far = e.sinCos(f.st(0), cos)
		}
		f.finish(c, in, &e, r)
		f.outOfRange(far)
	}
}

// pair delivers two results: first replaces ST0, second is pushed.
func (c *CPU) pair(in *Inst, e *fpEnv, first, second F80) {
	f := &c.FPU
	if !c.settle(in, e) {
		f.put(0, first)
		f.push(second)
	}
}

// pairFault tells whether ST0 is empty or a push would overflow.
func (f *X87) pairFault(e *fpEnv) bool {
	switch {
	case f.empty(0):
		e.underflow()
	case !f.empty(7):
		e.overflow()
	default:
		return false
	}
	return true
}

func execFSINCOS(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	f.SW &^= swC2
	if f.pairFault(&e) {
		c.pair(in, &e, f80Indefinite, f80Indefinite)
		return
	}
	a := f.st(0)
	s, far := e.sinCos(a, false)
	if far {
		c.settle(in, &e)
		f.outOfRange(true)
		return
	}
	e.up = false
	cos, _ := e.sinCos(a, true)
	c.pair(in, &e, s, cos)
}

func execFPTAN(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	f.SW &^= swC2
	if f.pairFault(&e) {
		c.pair(in, &e, f80Indefinite, f80Indefinite)
		return
	}
	a := f.st(0)
	t, far := e.tan(a)
	if far {
		c.settle(in, &e)
		f.outOfRange(true)
		return
	}
	one := f80One
	if cl := t.class(); cl >= fpQNaN {
		one = t
	}
	c.pair(in, &e, t, one)
}

func execFXTRACT(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	if f.pairFault(&e) {
		c.pair(in, &e, f80Indefinite, f80Indefinite)
		return
	}
	exp, sig := e.extract(f.st(0))
	c.pair(in, &e, exp, sig)
}

// remainder is FPREM or, to nearest, FPREM1.
func remainder(nearest bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		r, quo, kind := f80Indefinite, uint64(0), remNone
		if f.empty(0) || f.empty(1) {
			e.underflow()
		} else {
			r, quo, kind = e.rem(f.st(0), f.st(1), nearest)
		}
		f.finish(c, in, &e, r)
		f.SW &^= swC2
		if kind == remNone || e.exc&^e.masks&fpPre != 0 {
			return // C0 and C3 stay
		}
		f.SW = f.SW&^swCC | quotientBits(quo)
		if kind == remPartial {
			f.SW |= swC2
		}
	}
}

// quotientBits places the low three bits of a quotient into C0, C3 and C1.
func quotientBits(quo uint64) (cc uint16) {
	if quo&1 != 0 {
		cc |= swC1
	}
	if quo&2 != 0 {
		cc |= swC3
	}
	if quo&4 != 0 {
		cc |= swC0
	}
	return cc
}

func execFXCH(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	i := in.rm & 7
	a, b := f.st(0), f.st(i)
	if f.empty(0) {
		a = e.underflow()
	}
	if f.empty(i) {
		b = e.underflow()
	}
	if c.settle(in, &e) {
		return
	}
	f.put(0, b)
	f.put(i, a)
}

// fpIf is a condition of FCMOVcc, as bits of RFLAGS of which one must be set.
type fpIf uint64

const (
	fpIfB  = fpIf(CF)
	fpIfE  = fpIf(ZF)
	fpIfBE = fpIf(CF | ZF)
	fpIfU  = fpIf(PF)
)

// moveIf is FCMOVcc: when a bit of cond is set, or with want false none.
func moveIf(cond fpIf, want bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		i := in.rm & 7
		v := f.st(0)
		switch {
		case f.empty(0) || f.empty(i):
			v = e.underflow()
		case (c.flags()&uint64(cond) != 0) == want:
			v = f.st(i)
		}
		if !c.settleKeep(in, &e) {
			f.put(0, v)
		}
	}
}

func execFFREE(c *CPU, in *Inst) {
	c.fpWait()
	c.FPU.free(in.rm & 7)
	c.FPU.SW &^= swC1
}

// execFFREEP is undocumented but generated by old compilers.
func execFFREEP(c *CPU, in *Inst) {
	execFFREE(c, in)
	c.FPU.pop()
}

// turn is FINCSTP or FDECSTP.
func turn(n uint16) handler {
	return func(c *CPU, _ *Inst) {
		c.fpWait()
		c.FPU.rotate(n)
		c.FPU.SW &^= swC1
	}
}

func execFWAIT(c *CPU, _ *Inst) { c.fpWait() }

func execFNCLEX(c *CPU, _ *Inst) { c.FPU.SW &^= fpAll | fpSF | fpES | swB }

func execFNINIT(c *CPU, _ *Inst) { c.FPU.fresh() }

// execIgnored is FENI, FDISI and FSETPM: instructions of the 8087 and 80287 that do nothing since.
func execIgnored(*CPU, *Inst) {}

func execFLDCW(c *CPU, in *Inst) {
	c.fpWait()
	c.FPU.setCW(c.Port.Load16(c.ea(in)))
}

// setCW loads the control word; reserved bits read as on current processors.
func (f *X87) setCW(v uint16) {
	f.CW = v&0x1f3f | 0x40
	f.pend()
}

func execFNSTCW(c *CPU, in *Inst)  { c.Port.Store16(c.ea(in), c.FPU.CW) }
func execFNSTSW(c *CPU, in *Inst)  { c.Port.Store16(c.ea(in), c.FPU.SW) }
func execFNSTSWAX(c *CPU, _ *Inst) { c.R[RAX] = c.R[RAX]&^0xffff | uint64(c.FPU.SW) }
