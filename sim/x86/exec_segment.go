package x86

import "zhuque/sim/mem"

// Segments as a 64-bit program on Linux meets them: a flat descriptor table of
// four entries, CS and SS loaded from it, the other selectors null at first. ES, DS,
// FS and GS may be loaded with any of the four; for FS and GS that sets the base to
// zero. Far transfers stay in 64-bit code: to 32-bit code they stop the run.

const (
	selectorRPL = 3    // privilege that the selector asks for
	user32      = 0x23 // 32-bit code
	cpuNode     = 0x7B // data; its limit is the number of processor and node

	segmentCode     = 1 << 11 // type bits in access rights
	segmentWritable = 1 << 9
)

// descriptor returns the access rights and the limit of the segment that a
// selector names; ok is false for one that user mode has no access to.
func (c *CPU) descriptor(selector uint16) (access, limit uint32, ok bool) {
	switch selector | selectorRPL {
	case user32:
		return 0xCFFB00, 0xFFFFFFFF, true
	case userDS:
		return 0xCFF300, 0xFFFFFFFF, true
	case userCS:
		return 0xAFFB00, 0xFFFFFFFF, true
	case cpuNode:
		return 0x40F500, c.TSCAux, true
	}
	return 0, 0, false
}

// Segment registers as instructions number them.
const (
	regES = iota
	regCS
	regSS
	regDS
	regFS
	regGS
)

// selectorAt leads from a segment register's number to its place in Selectors.
var selectorAt = [8]uint8{regES: SelES, regDS: SelDS, regFS: SelFS, regGS: SelGS}

// readSelector returns the content of a segment register.
func (c *CPU) readSelector(reg uint8) uint16 {
	switch reg {
	case regCS:
		return userCS
	case regSS:
		return userDS
	}
	return c.sel[selectorAt[reg&7]]
}

// badSelector raises the exception of a selector that cannot be loaded.
func (c *CPU) badSelector(selector uint16) { c.raise(GP, uint64(selector&^selectorRPL)) }

// loadSegment loads segment register reg, not CS.
func (c *CPU) loadSegment(reg uint8, selector uint16) {
	null := selector&^selectorRPL == 0
	_, _, ok := c.descriptor(selector)
	switch {
	case reg == regSS && selector == userDS:
		return
	case reg == regSS, !null && !ok:
		c.badSelector(selector)
	case reg == regFS:
		c.SegBase[SegFS] = 0
	case reg == regGS:
		c.SegBase[SegGS] = 0
	}
	c.sel[selectorAt[reg&7]] = selector
}

// checkCode raises the exception of a selector that CS cannot be loaded with by
// a far transfer. A return asks for the program's own privilege exactly.
func (c *CPU) checkCode(selector uint16, isReturn bool) {
	want := selector
	if !isReturn {
		want |= selectorRPL
	}
	switch want {
	case userCS:
	case user32:
		panic(&Unsupported{What: "32-bit code"})
	default:
		c.badSelector(selector)
	}
}

// SetSegment gives FS or GS a base, as Linux does for a program: with a null selector.
func (c *CPU) SetSegment(seg int, base uint64) {
	c.SegBase[seg] = base
	c.sel[[...]int{SegFS: SelFS, SegGS: SelGS}[seg]] = 0
}

func movES(c *CPU, in *Inst) {
	if in.isReg() {
		c.setReg(in.rm, in, uint64(c.readSelector(in.reg&7)))
		return
	}
	c.Port.Store16(c.ea(in), c.readSelector(in.reg&7))
}

func movSE(c *CPU, in *Inst) { c.loadSegment(in.reg&7, c.selector(in)) }

// selector reads the 16-bit operand of an instruction of any width.
func (c *CPU) selector(in *Inst) uint16 {
	if in.isReg() {
		return uint16(c.R[in.rm&15])
	}
	return c.Port.Load16(c.ea(in))
}

// pushSegment and popSegment are PUSH and POP of FS and GS; Inst.cc is the
// opcode's low half, 0 or 1 for FS, 8 or 9 for GS.
func pushSegment(c *CPU, in *Inst) {
	sp := c.R[RSP] - uint64(in.width)
	c.store(sp, in.width, uint64(c.readSelector(regFS+in.cc>>3)))
	c.R[RSP] = sp
}

func popSegment(c *CPU, in *Inst) {
	c.loadSegment(regFS+in.cc>>3, uint16(c.load(c.R[RSP], in.width)))
	c.R[RSP] += uint64(in.width)
}

// farPointer reads the memory operand: an offset of the operand size and a selector.
func (c *CPU) farPointer(in *Inst) (offset uint64, selector uint16) {
	a := c.ea(in)
	offset = c.load(a, in.width)
	return offset, c.Port.Load16(a + uint64(in.width))
}

// loadFar makes the handler of LSS, LFS or LGS.
func loadFar(reg uint8) handler {
	return func(c *CPU, in *Inst) {
		offset, selector := c.farPointer(in)
		c.loadSegment(reg, selector)
		c.setReg(in.reg, in, offset)
	}
}

func jmpFar(c *CPU, in *Inst) {
	to, selector := c.farPointer(in)
	c.checkCode(selector, false)
	c.RIP = c.target(to)
}

func callFar(c *CPU, in *Inst) {
	to, selector := c.farPointer(in)
	c.checkCode(selector, false)
	w := uint64(in.width)
	sp := c.R[RSP] - 2*w
	c.Port.Check(sp, 2*w, mem.Write)
	c.target(to)
	c.store(sp+w, in.width, userCS)
	c.store(sp, in.width, in.next)
	c.R[RSP], c.RIP = sp, to
}

func retFar(c *CPU, in *Inst) {
	w := uint64(in.width)
	to, selector := c.load(c.R[RSP], in.width), c.load(c.R[RSP]+w, in.width)
	c.checkCode(uint16(selector), true)
	c.RIP = c.target(to)
	c.R[RSP] += 2*w + in.imm
}

// iret returns to the program's own privilege; in 64-bit mode it always takes
// the stack pointer too.
func iret(c *CPU, in *Inst) {
	if c.rest&NT != 0 {
		c.raise(GP, 0)
	}
	var frame [5]uint64                         // RIP, CS, flags, RSP, SS
	for _, i := range [...]int{2, 0, 1, 3, 4} { // the host's processor looks at the flags first
		frame[i] = c.load(c.R[RSP]+uint64(i)*uint64(in.width), in.width)
	}
	c.checkCode(uint16(frame[1]), true)
	if ss := uint16(frame[4]); ss != userDS {
		c.badSelector(ss)
	}
	f := frame[2]
	if in.width == 2 {
		f |= c.rest &^ 0xFFFF
	}
	to := c.target(frame[0])
	c.SetRFlags(f)
	c.R[RSP], c.RIP = frame[3], to
	c.leaveIfSlow(to)
}

// lar and lsl return what a selector's descriptor says, verr and verw test it.

func lar(c *CPU, in *Inst) {
	access, _, ok := c.descriptor(c.selector(in))
	c.describe(in, access, ok)
}

func lsl(c *CPU, in *Inst) {
	_, limit, ok := c.descriptor(c.selector(in))
	c.describe(in, limit, ok)
}

func (c *CPU) describe(in *Inst, v uint32, ok bool) {
	if ok {
		c.setReg(in.reg, in, uint64(v))
	}
	c.setZF(ok)
}

func verr(c *CPU, in *Inst) {
	_, _, ok := c.descriptor(c.selector(in))
	c.setZF(ok)
}

func verw(c *CPU, in *Inst) {
	access, _, ok := c.descriptor(c.selector(in))
	c.setZF(ok && access&(segmentCode|segmentWritable) == segmentWritable)
}

// SGDT, SIDT, SLDT, SMSW and STR fault in user mode on a processor with UMIP, and
// Linux then stores fixed values in their place. Here the processor stores them:
// a program sees the same. Like Linux's, a doubleword in a register leaves the
// upper half alone.

func sgdt(c *CPU, in *Inst) { c.storeTable(in, 0xFFFFFFFFFFFE0000) }
func sidt(c *CPU, in *Inst) { c.storeTable(in, 0xFFFFFFFFFFFF0000) }
func sldt(c *CPU, in *Inst) { c.storeSystem(in, 0) }
func str(c *CPU, in *Inst)  { c.storeSystem(in, 0x40) }
func smsw(c *CPU, in *Inst) { c.storeSystem(in, 0x80050033) }

// storeTable stores a limit of zero and a base.
func (c *CPU) storeTable(in *Inst, base uint64) {
	a := c.ea(in)
	c.Port.CheckAlignment(false) // it is Linux that stores
	c.Port.Check(a, 10, mem.Write)
	c.Port.Store16(a, 0)
	c.Port.Store64(a+2, base)
}

func (c *CPU) storeSystem(in *Inst, v uint64) {
	if !in.isReg() {
		c.Port.CheckAlignment(false)
		c.Port.Store16(c.ea(in), uint16(v))
		return
	}
	mask := ^uint64(0) >> (64 - 8*uint(in.width))
	r := &c.R[in.rm&15]
	*r = *r&^mask | v&mask
}
