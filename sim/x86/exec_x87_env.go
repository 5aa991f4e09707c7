package x86

import "zhuque/sim/mem"

// FNSTENV, FLDENV, FNSAVE and FRSTOR: the protected-mode layouts of 28 bytes, or
// 14 with an operand-size prefix, as they are in 64-bit mode.

// Selectors that Linux gives a 64-bit program. They stand beside the pointers
// once one has been recorded.
const (
	userCS = 0x33
	userDS = 0x2b
)

// tagWord widens the abridged tags: 00 valid, 01 zero, 10 special, 11 empty.
func (f *X87) tagWord() (tw uint16) {
	for i := range f.Reg {
		t := uint16(0)
		r := f.Reg[i]
		switch cl := r.class(); {
		case f.Tag>>i&1 == 0:
			t = 3
		case cl == fpZero:
			t = 1
		case cl != fpFinite || r.denormal():
			t = 2
		}
		tw |= t << (2 * i)
	}
	return tw
}

func (f *X87) setTagWord(tw uint16) {
	f.Tag = 0
	for i := range f.Reg {
		if tw>>(2*i)&3 != 3 {
			f.Tag |= 1 << i
		}
	}
}

func (f *X87) selectors() (cs, ds uint16) {
	if f.IP != 0 {
		cs = userCS
	}
	if f.DP != 0 {
		ds = userDS
	}
	return cs, ds
}

// environment returns the seven fields as stored: 32 bits each, or 16.
func (f *X87) environment(short bool) [7]uint32 {
	cs, ds := f.selectors()
	const high = 0xffff0000
	e := [7]uint32{
		high | uint32(f.CW), high | uint32(f.SW), high | uint32(f.tagWord()),
		uint32(f.IP), uint32(f.Op)<<16 | uint32(cs), uint32(f.DP), high | uint32(ds),
	}
	if short {
		e[4] = uint32(cs)
	}
	return e
}

func (c *CPU) storeEnv(in *Inst) (size uint64) {
	a := c.ea(in)
	short := in.width == 2
	for i, v := range c.FPU.environment(short) {
		if short {
			c.Port.Store16(a+uint64(i)*2, uint16(v))
		} else {
			c.Port.Store32(a+uint64(i)*4, v)
		}
	}
	return envSize(in)
}

// envWord is the size of an environment's words, envSize that of all seven.
func envWord(in *Inst) uint {
	if in.width == 2 {
		return 2
	}
	return 4
}

func envSize(in *Inst) uint64 { return 7 * uint64(envWord(in)) }

func execFNSTENV(c *CPU, in *Inst) {
	c.Port.Align(c.ea(in), envWord(in), mem.Write)
	c.Port.Check(c.ea(in), envSize(in), mem.Write)
	c.storeEnv(in)
	c.FPU.CW |= fpAll
	c.FPU.pend()
}

// loadEnv reads an environment into f.
func (c *CPU) loadEnv(in *Inst, f *X87) {
	a := c.ea(in)
	var e [7]uint32
	short := in.width == 2
	for i := range e {
		if short {
			e[i] = uint32(c.Port.Load16(a + uint64(i)*2))
		} else {
			e[i] = c.Port.Load32(a + uint64(i)*4)
		}
	}
	f.SW = uint16(e[1])
	f.setCW(uint16(e[0]))
	f.setTagWord(uint16(e[2]))
	f.IP, f.DP, f.Op = uint64(e[3]), uint64(e[5]), 0
	if !short {
		f.Op = uint16(e[4]>>16) & 0x7ff
	}
}

func execFLDENV(c *CPU, in *Inst) {
	c.fpWait()
	f := c.FPU
	c.loadEnv(in, &f)
	c.FPU = f
}

func execFNSAVE(c *CPU, in *Inst) {
	a := c.ea(in)
	c.Port.Align(a, envWord(in), mem.Write)
	c.Port.Check(a, envSize(in)+80, mem.Write)
	a += c.storeEnv(in)
	c.Port.CheckAlignment(false) // the registers behind it lie as they lie
	f := &c.FPU
	for i := range uint8(8) {
		r := f.st(i)
		c.Port.Store64(a, r.Mant)
		c.Port.Store16(a+8, r.SE)
		a += 10
	}
	f.fresh()
}

func execFRSTOR(c *CPU, in *Inst) {
	c.fpWait()
	f := c.FPU
	c.loadEnv(in, &f)
	a := c.ea(in) + envSize(in)
	c.Port.CheckAlignment(false)
	for i := range uint8(8) {
		f.Reg[(uint8(f.SW>>11)+i)&7] = F80{c.Port.Load64(a), c.Port.Load16(a + 8)}
		a += 10
	}
	c.FPU = f
}
