package x86

import (
	"zhuque/cachemodel"
	"zhuque/sim/mem"
)

// Data movement.

func nop(*CPU, *Inst) {}

// markDisp is the displacement by which zhuque_mark is known: "quhz".
const markDisp = 0x7a687571

// longNOP does nothing; as zhuque_mark it tells who wants to know, too.
func longNOP(c *CPU, in *Inst) {
	if in.disp == markDisp && c.Mark != nil {
		c.Mark(c.R[in.base])
	}
}

func movEG(c *CPU, in *Inst) { c.storeRM(in, c.reg(in.reg, in)) }
func movGE(c *CPU, in *Inst) { c.setReg(in.reg, in, c.loadRM(in)) }
func movEI(c *CPU, in *Inst) { c.storeRM(in, in.imm) }

func movRR32(c *CPU, in *Inst) { c.R[in.rm&15] = uint64(uint32(c.R[in.reg&15])) }
func movRR64(c *CPU, in *Inst) { c.R[in.rm&15] = c.R[in.reg&15] }
func movRI32(c *CPU, in *Inst) { c.R[in.rm&15] = uint64(uint32(in.imm)) }
func movRI64(c *CPU, in *Inst) { c.R[in.rm&15] = in.imm }
func movRM8(c *CPU, in *Inst)  { c.setByteReg(in.reg, in, c.Port.Load8(c.ea(in))) }
func movRM32(c *CPU, in *Inst) { c.R[in.reg&15] = uint64(c.Port.Load32(c.ea(in))) }
func movRM64(c *CPU, in *Inst) { c.R[in.reg&15] = c.Port.Load64(c.ea(in)) }
func movMR8(c *CPU, in *Inst)  { c.Port.Store8(c.ea(in), c.byteReg(in.reg, in)) }
func movMR32(c *CPU, in *Inst) { c.Port.Store32(c.ea(in), uint32(c.R[in.reg&15])) }
func movMR64(c *CPU, in *Inst) { c.Port.Store64(c.ea(in), c.R[in.reg&15]) }
func movMI8(c *CPU, in *Inst)  { c.Port.Store8(c.ea(in), uint8(in.imm)) }
func movMI32(c *CPU, in *Inst) { c.Port.Store32(c.ea(in), uint32(in.imm)) }
func movMI64(c *CPU, in *Inst) { c.Port.Store64(c.ea(in), in.imm) }

// Shapes without index, segment or 67: a base register, or none, plus a displacement.
func movRMBase32(c *CPU, in *Inst) {
	c.R[in.reg&15] = uint64(c.Port.Load32(c.R[in.base&31] + in.disp))
}
func movRMBase64(c *CPU, in *Inst) { c.R[in.reg&15] = c.Port.Load64(c.R[in.base&31] + in.disp) }
func movMRBase32(c *CPU, in *Inst) {
	c.Port.Store32(c.R[in.base&31]+in.disp, uint32(c.R[in.reg&15]))
}
func movMRBase64(c *CPU, in *Inst) { c.Port.Store64(c.R[in.base&31]+in.disp, c.R[in.reg&15]) }

// plainBase reports whether the effective address is a register plus a displacement.
func (in *Inst) plainBase() bool {
	return in.index == RZero && in.seg == SegNone && in.prefix&prefixAddr32 == 0
}

// movOA and movAO use the absolute address in disp.
func movAO(c *CPU, in *Inst) { c.setReg(RAX, in, c.load(c.ea(in), in.width)) }
func movOA(c *CPU, in *Inst) { c.store(c.ea(in), in.width, c.reg(RAX, in)) }

func movzxByte(c *CPU, in *Inst) {
	if in.isReg() {
		c.setReg(in.reg, in, uint64(c.byteReg(in.rm, in)))
		return
	}
	c.setReg(in.reg, in, uint64(c.Port.Load8(c.ea(in))))
}

func movzxByteM32(c *CPU, in *Inst) { c.R[in.reg&15] = uint64(c.Port.Load8(c.ea(in))) }
func movzxByteR32(c *CPU, in *Inst) { c.R[in.reg&15] = uint64(c.byteReg(in.rm, in)) }

func movzxWord(c *CPU, in *Inst) {
	if in.isReg() {
		c.setReg(in.reg, in, uint64(uint16(c.R[in.rm&15])))
		return
	}
	c.setReg(in.reg, in, uint64(c.Port.Load16(c.ea(in))))
}

func movsxByte(c *CPU, in *Inst) {
	if in.isReg() {
		c.setReg(in.reg, in, uint64(int8(c.byteReg(in.rm, in))))
		return
	}
	c.setReg(in.reg, in, uint64(int8(c.Port.Load8(c.ea(in)))))
}

func movsxWord(c *CPU, in *Inst) {
	if in.isReg() {
		c.setReg(in.reg, in, uint64(int16(c.R[in.rm&15])))
		return
	}
	c.setReg(in.reg, in, uint64(int16(c.Port.Load16(c.ea(in)))))
}

// movsxd is MOVSXD; without REX.W it is a plain move of 32 or 16 bits.
func movsxd(c *CPU, in *Inst) {
	switch {
	case in.width == 2 && in.isReg():
		c.setReg(in.reg, in, c.R[in.rm&15])
	case in.width == 2:
		c.setReg(in.reg, in, uint64(c.Port.Load16(c.ea(in))))
	case in.isReg():
		c.setReg(in.reg, in, uint64(int32(c.R[in.rm&15])))
	default:
		c.setReg(in.reg, in, uint64(int32(c.Port.Load32(c.ea(in)))))
	}
}

func leaGM(c *CPU, in *Inst)   { c.setReg(in.reg, in, c.ea(in)) }
func lea32(c *CPU, in *Inst)   { c.R[in.reg&15] = uint64(uint32(c.ea(in))) }
func lea64(c *CPU, in *Inst)   { c.R[in.reg&15] = c.ea(in) }
func leaDisp(c *CPU, in *Inst) { c.R[in.reg&15] = c.R[in.base&31] + in.disp }
func leaFull(c *CPU, in *Inst) {
	c.R[in.reg&15] = c.R[in.base&31] + c.R[in.index&31]<<(in.scale&3) + in.disp
}

func xchgRR(c *CPU, in *Inst) {
	a, b := c.reg(in.rm, in), c.reg(in.reg, in)
	c.setReg(in.rm, in, b)
	c.setReg(in.reg, in, a)
}

// xchgMR is locked with or without the prefix.
func xchgMR(c *CPU, in *Inst) {
	addr := c.ea(in)
	c.Port.Fence(cachemodel.Locked)
	v := c.load(addr, in.width)
	c.store(addr, in.width, c.reg(in.reg, in))
	c.Port.Fence(cachemodel.Locked)
	c.setReg(in.reg, in, v)
}

// xchgA is the one-byte form; with RAX itself it is NOP and keeps the upper half.
func xchgA(c *CPU, in *Inst) {
	a, b := c.reg(RAX, in), c.reg(in.rm, in)
	c.setReg(RAX, in, b)
	c.setReg(in.rm, in, a)
}

// Stack. RSP changes only after the memory access succeeded.

func (c *CPU) push(v uint64) {
	sp := c.R[RSP] - 8
	c.Port.Store64(sp, v)
	c.R[RSP] = sp
}

func (c *CPU) pop() uint64 {
	v := c.Port.Load64(c.R[RSP])
	c.R[RSP] += 8
	return v
}

func (c *CPU) pushWidth(v uint64, width uint8) {
	sp := c.R[RSP] - uint64(width)
	c.store(sp, width, v)
	c.R[RSP] = sp
}

func pushR64(c *CPU, in *Inst) { c.push(c.R[in.rm&15]) }
func pushI64(c *CPU, in *Inst) { c.push(in.imm) }
func pushI(c *CPU, in *Inst)   { c.pushWidth(in.imm, in.width) }
func pushE(c *CPU, in *Inst)   { c.pushWidth(c.loadRM(in), in.width) }

func popR64(c *CPU, in *Inst) { c.R[in.rm&15] = c.pop() }

// popE computes a memory operand's address with RSP already incremented.
func popE(c *CPU, in *Inst) {
	v := c.load(c.R[RSP], in.width)
	if in.isReg() {
		c.R[RSP] += uint64(in.width)
		c.setReg(in.rm, in, v)
		return
	}
	at := *in
	if in.base == RSP {
		at.disp += uint64(in.width)
	}
	c.store(c.ea(&at), in.width, v)
	c.R[RSP] += uint64(in.width)
}

func pushfE(c *CPU, in *Inst) { c.pushWidth(c.RFlags(), in.width) }

// popfE changes what user mode may change.
func popfE(c *CPU, in *Inst) {
	f := c.load(c.R[RSP], in.width)
	if in.width == 2 {
		f |= c.rest &^ 0xFFFF
	}
	c.R[RSP] += uint64(in.width)
	c.SetRFlags(f)
	c.leaveIfSlow(in.next)
}

func leave(c *CPU, in *Inst) {
	sp := c.R[RBP]
	v := c.load(sp, in.width)
	c.setReg(RBP, in, v)
	c.R[RSP] = sp + uint64(in.width)
}

func enter(c *CPU, in *Inst) {
	w := uint64(in.width)
	sp := c.R[RSP] - w
	frame := sp
	level := in.disp & 31
	c.store(sp, in.width, c.reg(RBP, in))
	bp := c.R[RBP]
	for i := uint64(1); i < level; i++ {
		bp -= w
		sp -= w
		c.store(sp, in.width, c.load(bp, in.width))
	}
	if level > 0 {
		sp -= w
		c.store(sp, in.width, frame)
	}
	sp -= in.imm
	c.Port.Align(sp, uint(w), mem.Write)
	c.Port.Check(sp, 1, mem.Write) // the new top of the stack must be writable
	c.setReg(RBP, in, frame)
	c.R[RSP] = sp
}

// Conversions of the accumulator.

func cbw(c *CPU, in *Inst) {
	half := in.width / 2
	c.setReg(RAX, in, uint64(signExtend(c.R[RAX], half)))
}

func cwd(c *CPU, in *Inst) {
	c.setReg(RDX, in, uint64(signExtend(c.R[RAX], in.width)>>63))
}

func xlat(c *CPU, in *Inst) {
	addr := c.R[RBX] + c.R[RAX]&0xFF
	if in.prefix&prefixAddr32 != 0 {
		addr = uint64(uint32(addr))
	}
	v := c.Port.Load8(addr + c.SegBase[in.seg&3])
	c.R[RAX] = c.R[RAX]&^0xFF | uint64(v)
}

func lahf(c *CPU, _ *Inst) {
	c.R[RAX] = c.R[RAX]&^0xFF00 | (c.flags()&0xFF|2)<<8
}

func sahf(c *CPU, _ *Inst) {
	const low = SF | ZF | AF | PF | CF
	c.setFlags(c.flags()&OF | c.R[RAX]>>8&low)
}

func clc(c *CPU, _ *Inst) { c.setCF(0) }
func stc(c *CPU, _ *Inst) { c.setCF(1) }
func cmc(c *CPU, _ *Inst) { c.setCF(c.flagAux>>63 ^ 1) }
func cld(c *CPU, _ *Inst) { c.rest &^= DF }
func std(c *CPU, _ *Inst) { c.rest |= DF }

// Conditions, numbered as in the opcodes.

// condition evaluates condition code cc.
func (c *CPU) condition(cc uint8) bool {
	var v bool
	switch cc >> 1 & 7 {
	case 0:
		v = c.of()
	case 1:
		v = c.cf()
	case 2:
		v = c.zf()
	case 3:
		v = c.cf() || c.zf()
	case 4:
		v = c.sf()
	case 5:
		v = c.pf()
	case 6:
		v = c.sf() != c.of()
	case 7:
		v = c.zf() || c.sf() != c.of()
	}
	return v != (cc&1 != 0)
}

func setcc(c *CPU, in *Inst) {
	var v uint8
	if c.condition(in.cc) {
		v = 1
	}
	if in.isReg() {
		c.setByteReg(in.rm, in, v)
		return
	}
	c.Port.Store8(c.ea(in), v)
}

// cmov reads its source, and at 32 bits clears the upper half, whatever the condition.
func cmov(c *CPU, in *Inst) {
	v := c.loadRM(in)
	if !c.condition(in.cc) {
		v = c.reg(in.reg, in)
	}
	c.setReg(in.reg, in, v)
}

func movnti(c *CPU, in *Inst) {
	c.Port.StoreNT(c.ea(in), uint(in.width), c.reg(in.reg, in), 0)
}
