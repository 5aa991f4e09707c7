package x86

import "zhuque/sim/phys"

// String instructions. One with REP retires once, when its last iteration is
// done; between iterations it can be interrupted (RunRep), with RSI, RDI and RCX
// telling how far it came. Bytes are moved eight at a time where source,
// destination and direction allow (the fast-string operation that CPUID's ERMS
// promises): the destination is then written by aligned 8-byte stores.

// isString reports whether REP has a meaning for the row.
func (r *Row) isString() bool {
	switch r.Name {
	case "MOVS", "CMPS", "STOS", "LODS", "SCAS":
		return true
	}
	return false
}

// index returns a string index register's value under the address size.
func (c *CPU) index(in *Inst, r int) uint64 {
	if in.prefix&prefixAddr32 != 0 {
		return uint64(uint32(c.R[r]))
	}
	return c.R[r]
}

// advance moves a string index register by n bytes in the direction of DF.
func (c *CPU) advance(in *Inst, r int, n uint64) {
	if c.rest&DF != 0 {
		n = -n
	}
	v := c.R[r] + n
	if in.prefix&prefixAddr32 != 0 {
		v = uint64(uint32(v))
	}
	c.R[r] = v
}

func (c *CPU) source(in *Inst) uint64 { return c.index(in, RSI) + c.SegBase[in.seg&3] }

func movsOne(c *CPU, in *Inst) {
	c.store(c.index(in, RDI), in.width, c.load(c.source(in), in.width))
	c.advance(in, RSI, uint64(in.width))
	c.advance(in, RDI, uint64(in.width))
}

func stosOne(c *CPU, in *Inst) {
	c.store(c.index(in, RDI), in.width, c.R[RAX])
	c.advance(in, RDI, uint64(in.width))
}

func lodsOne(c *CPU, in *Inst) {
	c.setReg(RAX, in, c.load(c.source(in), in.width))
	c.advance(in, RSI, uint64(in.width))
}

// cmpsOne reads the second operand first: when neither can be read, its fault is
// the one that is met.
func cmpsOne(c *CPU, in *Inst) {
	b := c.load(c.index(in, RDI), in.width)
	a := c.load(c.source(in), in.width)
	c.flagsCarry(borrows(a, b, a-b), a-b, in.width)
	c.advance(in, RSI, uint64(in.width))
	c.advance(in, RDI, uint64(in.width))
}

func scasOne(c *CPU, in *Inst) {
	a, b := c.reg(RAX, in), c.load(c.index(in, RDI), in.width)
	c.flagsCarry(borrows(a, b, a-b), a-b, in.width)
	c.advance(in, RDI, uint64(in.width))
}

// repeat runs one iteration until the count is zero, or the iterations that
// RunRep allows are used up.
func (c *CPU) repeat(in *Inst, one handler) {
	for n := c.counter(in); n != 0; n-- {
		if !c.takeIterations(1) {
			return
		}
		one(c, in)
		c.setCounter(in, n-1)
	}
}

// takeIterations takes n from the iterations that may still be executed.
func (c *CPU) takeIterations(n uint64) bool {
	if c.rep < n {
		c.partial = true
		return false
	}
	c.rep -= n
	return true
}

func repMovs(c *CPU, in *Inst) {
	c.fastMovs(in)
	c.repeat(in, movsOne)
}

func repStos(c *CPU, in *Inst) {
	c.fastStos(in)
	c.repeat(in, stosOne)
}

func repLods(c *CPU, in *Inst) { c.repeat(in, lodsOne) }

// repWhile is REPE (want true) and REPNE of CMPS and SCAS.
func (c *CPU) repWhile(in *Inst, one handler, want bool) {
	for n := c.counter(in); n != 0; n-- {
		if !c.takeIterations(1) {
			return
		}
		one(c, in)
		c.setCounter(in, n-1)
		if c.zf() != want {
			return
		}
	}
}

func repCmps(c *CPU, in *Inst)   { c.repWhile(in, cmpsOne, true) }
func repneCmps(c *CPU, in *Inst) { c.repWhile(in, cmpsOne, false) }
func repScas(c *CPU, in *Inst)   { c.repWhile(in, scasOne, true) }
func repneScas(c *CPU, in *Inst) { c.repWhile(in, scasOne, false) }

// words returns how many aligned 8-byte stores can be made at dst for the
// iterations left, and iterations per store; zero when the slow way must be taken.
func (c *CPU) words(in *Inst, dst uint64) (n, per uint64) {
	per = 8 / uint64(in.width)
	if c.rest&DF != 0 || in.prefix&prefixAddr32 != 0 || dst&7 != 0 {
		return 0, per
	}
	return min(c.R[RCX], c.rep) / per, per
}

// alignTo8 runs single iterations until RDI is a multiple of 8, when that is possible.
func (c *CPU) alignTo8(in *Inst, one handler) {
	w := uint64(in.width)
	for c.R[RDI]&7 != 0 && c.R[RDI]&(w-1) == 0 && c.R[RCX] > 32 &&
		c.rest&DF == 0 && c.rep > 0 && in.prefix&prefixAddr32 == 0 {
		c.rep--
		one(c, in)
		c.R[RCX]--
	}
}

func (c *CPU) fastStos(in *Inst) {
	c.alignTo8(in, stosOne)
	v := c.R[RAX]
	switch in.width {
	case 1:
		v = v & 0xFF * 0x0101010101010101
	case 2:
		v = v & 0xFFFF * 0x0001000100010001
	case 4:
		v = v&0xFFFFFFFF | v<<32
	}
	for {
		n, per := c.words(in, c.R[RDI])
		if n == 0 {
			return
		}
		for range n {
			c.Port.Store64(c.R[RDI], v)
			c.R[RDI] += 8
			c.R[RCX] -= per
			c.rep -= per
		}
	}
}

// singly runs n iterations of MOVS one by one, so that a fault in the second of
// two source pages comes after what the first one holds.
func (c *CPU) singly(in *Inst, n uint64) {
	for range n {
		movsOne(c, in)
		c.R[RCX]--
		c.rep--
	}
}

func (c *CPU) fastMovs(in *Inst) {
	c.alignTo8(in, movsOne)
	for {
		n, per := c.words(in, c.R[RDI])
		if n == 0 {
			return
		}
		for range n {
			src := c.source(in)
			if c.R[RDI]-src < 8 {
				return // a store would change bytes that it should have read
			}
			if src&phys.PageMask > phys.PageSize-8 {
				c.singly(in, per)
				break
			}
			c.Port.Store64(c.R[RDI], c.Port.Load64(src))
			c.R[RSI] += 8
			c.R[RDI] += 8
			c.R[RCX] -= per
			c.rep -= per
		}
	}
}
