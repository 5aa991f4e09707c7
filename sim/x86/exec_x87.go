package x86

import "zhuque/sim/mem"

// The x87 unit's registers, exceptions and arithmetic instructions.
//
// An instruction that finds IE, DE or ZE unmasked leaves its operands alone; one
// that finds OE, UE or PE unmasked has delivered its result. Either way the
// exception is pending in SW and the next waiting instruction raises #MF.
//
// FOP, FIP and FDP are recorded by an instruction that raises an unmasked
// exception and by nothing else. FXSAVE writes them only while one is pending,
// as on AMD processors (zero otherwise). A real FNSTENV shows the last
// non-control instruction instead; what it shows there does not survive a
// context switch on AMD.

// Bits of the status word.
const (
	swC0  = 1 << 8
	swC1  = 1 << 9
	swC2  = 1 << 10
	swC3  = 1 << 14
	swB   = 1 << 15
	swCC  = swC0 | swC1 | swC2 | swC3
	swTop = 7 << 11
)

const fpPre = fpIE | fpDE | fpZE | fpSF // raised before a result is made

func (f *X87) st(i uint8) F80         { return f.Reg[(uint8(f.SW>>11)+i)&7] }
func (f *X87) empty(i uint8) bool     { return f.Tag>>((uint8(f.SW>>11)+i)&7)&1 == 0 }
func (f *X87) rotate(n uint16)        { f.SW = f.SW&^swTop | (f.SW+n<<11)&swTop }
func (f *X87) put(i uint8, v F80)     { f.putPhys((uint8(f.SW>>11)+i)&7, v) }
func (f *X87) putPhys(n uint8, v F80) { f.Reg[n] = v; f.Tag |= 1 << n }

func (f *X87) free(i uint8) { f.Tag &^= 1 << ((uint8(f.SW>>11) + i) & 7) }

func (f *X87) pop() {
	f.free(0)
	f.rotate(1)
}

func (f *X87) push(v F80) {
	f.rotate(7)
	f.put(0, v)
}

// fresh returns the unit to the state that FNINIT makes. The registers' bits stay.
func (f *X87) fresh() {
	f.CW, f.SW, f.Tag = 0x37f, 0, 0
	f.Op, f.IP, f.DP = 0, 0, 0
}

// pend sets or clears ES and B by the exceptions that are flagged and not masked.
func (f *X87) pend() {
	f.SW &^= fpES | swB
	if f.SW&^f.CW&fpAll != 0 {
		f.SW |= fpES | swB
	}
}

var fpPrecision = [4]uint8{24, 64, 53, 64} // by bits 8..9 of CW; 1 is reserved

func (f *X87) env() fpEnv {
	return fpEnv{rc: uint8(f.CW>>10) & 3, prec: fpPrecision[f.CW>>8&3], masks: f.CW & fpAll}
}

// underflow and overflow note a stack fault and return the masked response.
func (e *fpEnv) underflow() F80 {
	e.exc |= fpIE | fpSF
	return f80Indefinite
}

func (e *fpEnv) overflow() F80 {
	e.up = true // C1
	return e.underflow()
}

// fpWait raises #MF when an exception is pending.
func (c *CPU) fpWait() {
	if c.FPU.SW&fpES != 0 {
		c.raise(MF, 0)
	}
}

// settle moves an operation's exceptions and C1 into SW. stop tells that an
// unmasked one forbids the result.
func (c *CPU) settle(in *Inst, e *fpEnv) (stop bool) {
	f := &c.FPU
	unmasked := e.exc &^ e.masks & fpAll
	if unmasked&fpPre != 0 {
		stop = true
		e.exc &= fpPre
		e.up = e.up && e.exc&fpSF != 0
	}
	f.SW = f.SW&^swC1 | e.exc
	if e.up {
		f.SW |= swC1
	}
	if unmasked != 0 {
		f.SW |= fpES | swB
		c.fpPointers(in)
	}
	return stop
}

// settleKeep is settle for the instructions that leave C1 alone but for stack faults.
func (c *CPU) settleKeep(in *Inst, e *fpEnv) (stop bool) {
	c1 := c.FPU.SW & swC1
	stop = c.settle(in, e)
	if e.exc&fpSF == 0 {
		c.FPU.SW |= c1
	}
	return stop
}

// fpPointers records the instruction that raised an unmasked exception.
func (c *CPU) fpPointers(in *Inst) {
	f := &c.FPU
	f.IP = in.next - uint64(in.length)
	if in.prefix&prefixRegForm == 0 {
		f.DP = c.ea(in) - c.SegBase[in.seg&3]
	}
	for at := f.IP; at != in.next; at++ {
		if b := c.codeByte(at); b&^7 == 0xd8 {
			f.Op = uint16(b&7)<<8 | uint16(c.codeByte(at+1))
			return
		}
	}
}

// codeByte reads a byte of an instruction that is being executed.
func (c *CPU) codeByte(va uint64) uint8 {
	page, _ := c.Port.FetchPage(va)
	return page[va%uint64(len(page))]
}

// fpOp is an arithmetic operation, numbered as ModRM.reg of D8.
type fpOp uint8

const (
	fpAdd fpOp = iota
	fpMul
	fpCom
	fpComP
	fpSub
	fpSubR
	fpDiv
	fpDivR
)

func (e *fpEnv) do(op fpOp, a, b F80) F80 {
	switch op {
	case fpAdd:
		return e.add(a, b)
	case fpMul:
		return e.mul(a, b)
	case fpSub:
		return e.sub(a, b)
	case fpSubR:
		return e.sub(b, a)
	case fpDiv:
		return e.div(a, b)
	}
	return e.div(b, a)
}

// fpSource is a memory operand's type.
type fpSource uint8

const (
	srcF32 fpSource = iota
	srcF64
	srcI16
	srcI32
	srcI64
)

// fpLoad loads and widens a memory operand; its exceptions go to e.
func (c *CPU) fpLoad(in *Inst, e *fpEnv, src fpSource) F80 {
	a := c.ea(in)
	switch src {
	case srcF32:
		return e.fromF32(c.Port.Load32(a))
	case srcF64:
		return e.fromF64(c.Port.Load64(a))
	case srcI16:
		return f80FromInt(int64(int16(c.Port.Load16(a))))
	case srcI32:
		return f80FromInt(int64(int32(c.Port.Load32(a))))
	}
	return f80FromInt(int64(c.Port.Load64(a)))
}

// arithMem is ST0 = ST0 op memory.
func arithMem(op fpOp, src fpSource) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		var wide fpEnv
		b := c.fpLoad(in, &wide, src)
		if f.empty(0) {
			f.finish(c, in, &e, e.underflow())
			return
		}
		r := e.doMem(op, f.st(0), b, &wide)
		f.finish(c, in, &e, r)
	}
}

// doMem is do with a widened memory operand, whose denormal or signalling form
// counts as if the operation had seen it.
func (e *fpEnv) doMem(op fpOp, a, b F80, wide *fpEnv) F80 {
	if wide.exc&fpIE != 0 {
		b.Mant &^= f80Quiet // the signalling NaN that it was
	}
	r := e.do(op, a, b)
	if wide.exc&fpDE != 0 && a.class() < fpQNaN && e.exc&(fpIE|fpZE) == 0 {
		e.exc |= fpDE
	}
	return r
}

// finish delivers a result to ST0.
func (f *X87) finish(c *CPU, in *Inst, e *fpEnv, r F80) {
	if !c.settle(in, e) {
		f.put(0, r)
	}
}

// arithReg is ST0 = ST0 op STi, or with toI STi = STi op ST0, then perhaps a pop.
func arithReg(op fpOp, toI, pop bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		dst, src := uint8(0), in.rm&7
		if toI {
			dst, src = src, dst
		}
		var r F80
		if f.empty(dst) || f.empty(src) {
			r = e.underflow()
		} else {
			r = e.do(op, f.st(dst), f.st(src))
		}
		if c.settle(in, &e) {
			return
		}
		f.put(dst, r)
		if pop {
			f.pop()
		}
	}
}

var fpCondition = [...]uint16{cmpLess: swC0, cmpEqual: swC3, cmpGreater: 0, cmpUnordered: swC0 | swC2 | swC3}

// judge sets the condition codes after a comparison, whatever exceptions are
// unmasked, and pops where none forbids it.
func (c *CPU) judge(in *Inst, e *fpEnv, r cmpResult, pops int) {
	f := &c.FPU
	stop := c.settle(in, e)
	f.SW = f.SW&^swCC | fpCondition[r]
	if stop {
		return
	}
	for range pops {
		f.pop()
	}
}

func compareMem(src fpSource, pops int) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		b := c.fpLoad(in, &e, src)
		if f.empty(0) {
			e.exc = 0
			e.underflow()
			c.judge(in, &e, cmpUnordered, pops)
			return
		}
		a := f.st(0)
		r := e.compare(a, b, false)
		if r == cmpUnordered {
			e.exc &^= fpDE
		}
		c.judge(in, &e, r, pops)
	}
}

func (f *X87) compareST(e *fpEnv, i uint8, quiet bool) cmpResult {
	if f.empty(0) || f.empty(i) {
		e.underflow()
		return cmpUnordered
	}
	return e.compare(f.st(0), f.st(i), quiet)
}

func compareReg(quiet bool, pops int) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		e := c.FPU.env()
		i := in.rm & 7
		if pops == 2 {
			i = 1
		}
		r := c.FPU.compareST(&e, i, quiet)
		c.judge(in, &e, r, pops)
	}
}

var flagsOfCompare = [...]uint64{cmpLess: CF, cmpEqual: ZF, cmpGreater: 0, cmpUnordered: ZF | PF | CF}

// compareFlags is FCOMI and its family.
func compareFlags(quiet, pop bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		r := f.compareST(&e, in.rm&7, quiet)
		stop := c.settleKeep(in, &e)
		c.setFlags(flagsOfCompare[r])
		if pop && !stop {
			f.pop()
		}
	}
}

func execFTST(c *CPU, in *Inst) {
	c.fpWait()
	e := c.FPU.env()
	r := cmpUnordered
	if c.FPU.empty(0) {
		e.underflow()
	} else {
		r = e.compare(c.FPU.st(0), F80{}, false)
	}
	c.judge(in, &e, r, 0)
}

func execFXAM(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	a := f.st(0)
	var cc uint16
	switch {
	case f.empty(0):
		cc = swC3 | swC0
	case a.denormal():
		cc = swC3 | swC2
	default:
		cc = [...]uint16{fpFinite: swC2, fpZero: swC3, fpInf: swC2 | swC0,
			fpQNaN: swC0, fpSNaN: swC0, fpUnsupported: 0}[a.class()]
	}
	if a.neg() {
		cc |= swC1
	}
	f.SW = f.SW&^swCC | cc
}

// loadMem is FLD or FILD.
func loadMem(src fpSource) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		e := c.FPU.env()
		v := c.fpLoad(in, &e, src)
		c.fpPush(in, &e, v)
	}
}

// fpPush delivers a loaded value to a new top of stack.
func (c *CPU) fpPush(in *Inst, e *fpEnv, v F80) {
	if !c.FPU.empty(7) {
		e.exc = 0
		v = e.overflow()
	}
	c.fpPushed(in, e, v)
}

// fpPushed pushes unless IE forbids it; an unmasked DE does not stop a load.
func (c *CPU) fpPushed(in *Inst, e *fpEnv, v F80) {
	c.settle(in, e)
	if e.exc&^e.masks&fpIE == 0 {
		c.FPU.push(v)
	}
}

func execFLDm80(c *CPU, in *Inst) {
	c.fpWait()
	e := c.FPU.env()
	a := c.ea(in)
	c.Port.Align(a, 8, mem.Read)
	c.Port.Check(a, 10, mem.Read)
	c.fpPush(in, &e, F80{c.Port.Load64(a), c.Port.Load16(a + 8)})
}

func execFBLD(c *CPU, in *Inst) {
	c.fpWait()
	e := c.FPU.env()
	a := c.ea(in)
	c.Port.Align(a, 8, mem.Read)
	c.Port.Check(a, 10, mem.Read)
	c.fpPush(in, &e, fromBCD(c.Port.Load64(a), c.Port.Load16(a+8)))
}

func execFLDreg(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	if i := in.rm & 7; f.empty(i) {
		c.fpPushed(in, &e, e.underflow())
	} else {
		c.fpPush(in, &e, f.st(i))
	}
}

// loadConst pushes one of the constants, rounded as RC says: up is added to the
// truncated significand when the rounding mode asks for the larger neighbour.
func loadConst(v F80, nearestUp bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		e := c.FPU.env()
		r := v
		if e.rc == rcUp && v.Mant<<1 != 0 || e.rc == rcNearest && nearestUp {
			r.Mant++
		}
		c.fpPush(in, &e, r)
	}
}

// storeReal is FST or FSTP to a float of 4 or 8 bytes.
func storeReal(size uint8, pop bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		v := f.st(0)
		if f.empty(0) {
			v = e.underflow()
		}
		var out uint64
		if size == 4 {
			out = uint64(e.toF32(v))
		} else {
			out = e.toF64(v)
		}
		if e.exc&^e.masks&(fpOE|fpUE) != 0 { // not rounded, as nothing is stored
			e.exc &^= fpPE
			e.up = false
		}
		c.storeAndPop(in, &e, size, out, pop)
	}
}

// storeInt is FIST or FISTP.
func storeInt(size uint8, pop bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		v := f.st(0)
		if f.empty(0) {
			v = e.underflow()
		}
		out := uint64(e.toInt(v, uint(size)*8))
		c.storeAndPop(in, &e, size, out, pop)
	}
}

// storeAndPop writes a converted value unless an unmasked exception forbids it:
// to memory, overflow and underflow do so too.
func (c *CPU) storeAndPop(in *Inst, e *fpEnv, size uint8, v uint64, pop bool) {
	stop := e.exc&^e.masks&(fpIE|fpOE|fpUE) != 0
	switch a := c.ea(in); {
	case stop: // the fault of the access still comes first
		c.Port.Align(a, uint(size), mem.Write)
		c.Port.Check(a, uint64(size), mem.Write)
	case size == 2:
		c.Port.Store16(a, uint16(v))
	case size == 4:
		c.Port.Store32(a, uint32(v))
	default:
		c.Port.Store64(a, v)
	}
	c.settle(in, e)
	if pop && !stop {
		c.FPU.pop()
	}
}

// store80 writes ten bytes and pops.
func (c *CPU) store80(in *Inst, e *fpEnv, lo uint64, hi uint16) {
	a := c.ea(in)
	c.Port.Align(a, 8, mem.Write)
	c.Port.Check(a, 10, mem.Write)
	if e.exc&^e.masks&fpIE == 0 {
		c.Port.Store64(a, lo)
		c.Port.Store16(a+8, hi)
	}
	if !c.settle(in, e) {
		c.FPU.pop()
	}
}

func execFSTPm80(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	v := f.st(0)
	if f.empty(0) {
		v = e.underflow()
	}
	c.store80(in, &e, v.Mant, v.SE)
}

func execFBSTP(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	e := f.env()
	v := f.st(0)
	if f.empty(0) {
		v = e.underflow()
	}
	lo, hi := e.toBCD(v)
	c.store80(in, &e, lo, hi)
}

// storeReg is FST or FSTP to a register.
func storeReg(pop bool) handler {
	return func(c *CPU, in *Inst) {
		c.fpWait()
		f := &c.FPU
		e := f.env()
		v := f.st(0)
		if f.empty(0) {
			v = e.underflow()
		}
		if c.settle(in, &e) {
			return
		}
		f.put(in.rm&7, v)
		if pop {
			f.pop()
		}
	}
}

// execFSTPNCE is D9 D8: FSTP that raises nothing and stores nothing when ST0 is empty.
func execFSTPNCE(c *CPU, in *Inst) {
	c.fpWait()
	f := &c.FPU
	f.SW &^= swC1
	if !f.empty(0) {
		f.put(in.rm&7, f.st(0))
	}
	f.pop()
}
