package x86

import (
	"zhuque/cachemodel"
)

// Operands, for the handlers that serve every width. Hot shapes of 32 and 64
// bits index CPU.R themselves.

// highByte reports whether byte register n of in is AH, CH, DH or BH.
func highByte(n uint8, in *Inst) bool { return n&^3 == 4 && in.prefix&prefixREX == 0 }

// byteReg returns byte register n.
func (c *CPU) byteReg(n uint8, in *Inst) uint8 {
	if highByte(n, in) {
		return uint8(c.R[n&3] >> 8)
	}
	return uint8(c.R[n&15])
}

// setByteReg sets byte register n and leaves the rest of its register alone.
func (c *CPU) setByteReg(n uint8, in *Inst, v uint8) {
	if highByte(n, in) {
		c.R[n&3] = c.R[n&3]&^0xFF00 | uint64(v)<<8
		return
	}
	c.R[n&15] = c.R[n&15]&^0xFF | uint64(v)
}

// reg returns register n at in's width, zero-extended.
func (c *CPU) reg(n uint8, in *Inst) uint64 {
	switch in.width {
	case 1:
		return uint64(c.byteReg(n, in))
	case 2:
		return uint64(uint16(c.R[n&15]))
	case 4:
		return uint64(uint32(c.R[n&15]))
	}
	return c.R[n&15]
}

// setReg sets register n at in's width; 32 bits clear the upper half.
func (c *CPU) setReg(n uint8, in *Inst, v uint64) {
	switch in.width {
	case 1:
		c.setByteReg(n, in, uint8(v))
	case 2:
		c.R[n&15] = c.R[n&15]&^0xFFFF | v&0xFFFF
	case 4:
		c.R[n&15] = uint64(uint32(v))
	default:
		c.R[n&15] = v
	}
}

// load reads width bytes at addr, zero-extended.
func (c *CPU) load(addr uint64, width uint8) uint64 {
	switch width {
	case 1:
		return uint64(c.Port.Load8(addr))
	case 2:
		return uint64(c.Port.Load16(addr))
	case 4:
		return uint64(c.Port.Load32(addr))
	}
	return c.Port.Load64(addr)
}

// store writes the low width bytes of v at addr.
func (c *CPU) store(addr uint64, width uint8, v uint64) {
	switch width {
	case 1:
		c.Port.Store8(addr, uint8(v))
	case 2:
		c.Port.Store16(addr, uint16(v))
	case 4:
		c.Port.Store32(addr, uint32(v))
	default:
		c.Port.Store64(addr, v)
	}
}

func (in *Inst) isReg() bool { return in.prefix&prefixRegForm != 0 }

// loadRM returns the r/m operand at in's width.
func (c *CPU) loadRM(in *Inst) uint64 {
	if in.isReg() {
		return c.reg(in.rm, in)
	}
	return c.load(c.ea(in), in.width)
}

// storeRM sets the r/m operand, which was not read before.
func (c *CPU) storeRM(in *Inst, v uint64) {
	if in.isReg() {
		c.setReg(in.rm, in, v)
		return
	}
	c.store(c.ea(in), in.width, v)
}

// operand is an r/m operand that is read, then written.
type operand struct {
	addr uint64
	val  uint64
}

func (c *CPU) openRM(in *Inst) operand {
	if in.isReg() {
		return operand{val: c.reg(in.rm, in)}
	}
	addr := c.ea(in)
	return operand{addr: addr, val: c.load(addr, in.width)}
}

func (c *CPU) closeRM(in *Inst, o operand, v uint64) {
	if in.isReg() {
		c.setReg(in.rm, in, v)
		return
	}
	c.store(o.addr, in.width, v)
}

// Flags. A carry vector holds in bit i the carry (borrow) out of bit i.

const auxArith = auxCF | auxPO | auxAF

func carries(a, b, r uint64) uint64 { return a&b | (a|b)&^r }
func borrows(a, b, r uint64) uint64 { return ^a&b | ^(a^b)&r }

func (c *CPU) flagsAdd64(a, b, r uint64) {
	c.flagRes = int64(r)
	c.flagAux = (a&b | (a|b)&^r) & auxArith
}

func (c *CPU) flagsSub64(a, b, r uint64) {
	c.flagRes = int64(r)
	c.flagAux = (^a&b | ^(a^b)&r) & auxArith
}

func (c *CPU) flagsAdd32(a, b, r uint32) {
	k := a&b | (a|b)&^r
	c.flagRes = int64(int32(r))
	c.flagAux = uint64(k)<<32&(auxCF|auxPO) | uint64(k&auxAF)
}

func (c *CPU) flagsSub32(a, b, r uint32) {
	k := ^a&b | ^(a^b)&r
	c.flagRes = int64(int32(r))
	c.flagAux = uint64(k)<<32&(auxCF|auxPO) | uint64(k&auxAF)
}

// flagsLogic sets the flags of AND, OR, XOR and TEST; AF, undefined, is cleared.
func (c *CPU) flagsLogic(r int64) {
	c.flagRes = r
	c.flagAux = 0
}

// flagsCarry sets all flags from a carry vector and a result of width bytes.
func (c *CPU) flagsCarry(k, r uint64, width uint8) {
	c.flagRes = signExtend(r, width)
	c.flagAux = k<<((64-8*uint(width))&63)&(auxCF|auxPO) | k&auxAF
}

// setCFOF replaces CF and OF and leaves the other flags alone.
func (c *CPU) setCFOF(cf, of uint64) {
	c.flagAux = c.flagAux&^(auxCF|auxPO) | cf<<63 | (cf^of)<<62
}

// setCF replaces CF and leaves the other flags alone.
func (c *CPU) setCF(cf uint64) {
	of := c.flagAux>>63 ^ c.flagAux>>62&1
	c.setCFOF(cf, of)
}

func signExtend(v uint64, width uint8) int64 {
	s := (64 - 8*uint(width)) & 63
	return int64(v<<s) >> s
}

// ALU instructions of any width. Inst.cc holds the operation, in the order of
// the opcodes.
const (
	aluADD = iota
	aluOR
	aluADC
	aluSBB
	aluAND
	aluSUB
	aluXOR
	aluCMP
)

// alu returns the result of operation op, not truncated.
func (c *CPU) alu(op uint8, a, b uint64) uint64 {
	switch op {
	case aluADD:
		return a + b
	case aluOR:
		return a | b
	case aluADC:
		return a + b + c.flagAux>>63
	case aluSBB:
		return a - b - c.flagAux>>63
	case aluAND:
		return a & b
	case aluXOR:
		return a ^ b
	}
	return a - b
}

// aluFlags sets the flags of operation op.
func (c *CPU) aluFlags(op uint8, a, b, r uint64, width uint8) {
	switch op {
	case aluADD, aluADC:
		c.flagsCarry(carries(a, b, r), r, width)
	case aluOR, aluAND, aluXOR:
		c.flagsLogic(signExtend(r, width))
	default:
		c.flagsCarry(borrows(a, b, r), r, width)
	}
}

func (c *CPU) aluE(in *Inst, b uint64) {
	o := c.openRM(in)
	r := c.alu(in.cc, o.val, b)
	if in.cc != aluCMP {
		c.closeRM(in, o, r)
	}
	c.aluFlags(in.cc, o.val, b, r, in.width)
}

func aluEG(c *CPU, in *Inst) { c.aluE(in, c.reg(in.reg, in)) }
func aluEI(c *CPU, in *Inst) { c.aluE(in, in.imm) }

func aluGE(c *CPU, in *Inst) {
	a, b := c.reg(in.reg, in), c.loadRM(in)
	r := c.alu(in.cc, a, b)
	if in.cc != aluCMP {
		c.setReg(in.reg, in, r)
	}
	c.aluFlags(in.cc, a, b, r, in.width)
}

// zeroing is XOR or SUB of a register with itself.
func zeroing(c *CPU, in *Inst) {
	c.R[in.rm&15] = 0
	c.flagsLogic(0)
}

func testEG(c *CPU, in *Inst) {
	c.flagsLogic(signExtend(c.loadRM(in)&c.reg(in.reg, in), in.width))
}

func testEI(c *CPU, in *Inst) { c.flagsLogic(signExtend(c.loadRM(in)&in.imm, in.width)) }

func testRR32(c *CPU, in *Inst) { c.flagsLogic(int64(int32(c.R[in.rm&15] & c.R[in.reg&15]))) }
func testRR64(c *CPU, in *Inst) { c.flagsLogic(int64(c.R[in.rm&15] & c.R[in.reg&15])) }
func testRI32(c *CPU, in *Inst) { c.flagsLogic(int64(int32(c.R[in.rm&15] & in.imm))) }
func testRI64(c *CPU, in *Inst) { c.flagsLogic(int64(c.R[in.rm&15] & in.imm)) }

// cmpByteMI is CMP of a byte in memory with an immediate.
func cmpByteMI(c *CPU, in *Inst) {
	a, b := uint64(c.Port.Load8(c.ea(in))), in.imm
	r := a - b
	c.flagsCarry(borrows(a, b, r), r, 1)
}

// INC and DEC keep CF.

func (c *CPU) flagsKeepCF(k, r uint64, width uint8) {
	cf := c.flagAux >> 63
	c.flagsCarry(k, r, width)
	c.setCF(cf)
}

func incE(c *CPU, in *Inst) {
	o := c.openRM(in)
	r := o.val + 1
	c.closeRM(in, o, r)
	c.flagsKeepCF(carries(o.val, 1, r), r, in.width)
}

func decE(c *CPU, in *Inst) {
	o := c.openRM(in)
	r := o.val - 1
	c.closeRM(in, o, r)
	c.flagsKeepCF(borrows(o.val, 1, r), r, in.width)
}

// flagsStep sets the flags of INC and DEC of a register: r is the result, sign-
// extended, changed has the bits that differ from the operand, of is OF.
func (c *CPU) flagsStep(r int64, changed, of uint64) {
	cf := c.flagAux >> 63
	c.flagRes = r
	c.flagAux = cf<<63 | (cf^of)<<62 | changed>>1&auxAF
}

func incR32(c *CPU, in *Inst) {
	a := uint32(c.R[in.rm&15])
	r := a + 1
	c.R[in.rm&15] = uint64(r)
	c.flagsStep(int64(int32(r)), uint64(a^r), uint64((r&^a)>>31))
}

func incR64(c *CPU, in *Inst) {
	a := c.R[in.rm&15]
	r := a + 1
	c.R[in.rm&15] = r
	c.flagsStep(int64(r), a^r, (r&^a)>>63)
}

func decR32(c *CPU, in *Inst) {
	a := uint32(c.R[in.rm&15])
	r := a - 1
	c.R[in.rm&15] = uint64(r)
	c.flagsStep(int64(int32(r)), uint64(a^r), uint64((a&^r)>>31))
}

func decR64(c *CPU, in *Inst) {
	a := c.R[in.rm&15]
	r := a - 1
	c.R[in.rm&15] = r
	c.flagsStep(int64(r), a^r, (a&^r)>>63)
}

func negE(c *CPU, in *Inst) {
	o := c.openRM(in)
	r := -o.val
	c.closeRM(in, o, r)
	c.flagsCarry(borrows(0, o.val, r), r, in.width)
}

func notE(c *CPU, in *Inst) {
	o := c.openRM(in)
	c.closeRM(in, o, ^o.val)
}

// locked makes a LOCK form of h: the store buffer drains before the read and the
// result is visible before the next instruction.
func locked(h handler) handler {
	return func(c *CPU, in *Inst) {
		c.Port.Fence(cachemodel.Locked)
		h(c, in)
		c.Port.Fence(cachemodel.Locked)
	}
}

func xaddE(c *CPU, in *Inst) {
	o, b := c.openRM(in), c.reg(in.reg, in)
	r := o.val + b
	if in.isReg() {
		c.setReg(in.reg, in, o.val)
		c.setReg(in.rm, in, r)
	} else {
		c.closeRM(in, o, r)
		c.setReg(in.reg, in, o.val)
	}
	c.flagsCarry(carries(o.val, b, r), r, in.width)
}

// cmpxchgE always writes its destination, as the manual says of the bus cycle.
func cmpxchgE(c *CPU, in *Inst) {
	o, src := c.openRM(in), c.reg(in.reg, in)
	acc := c.reg(RAX, in)
	r := acc - o.val
	if acc == o.val {
		c.closeRM(in, o, src)
	} else {
		if !in.isReg() {
			c.closeRM(in, o, o.val)
		}
		c.setReg(RAX, in, o.val)
	}
	c.flagsCarry(borrows(acc, o.val, r), r, in.width)
}

func cmpxchg8b(c *CPU, in *Inst) {
	addr := c.ea(in)
	old := c.Port.Load64(addr)
	want := uint64(uint32(c.R[RDX]))<<32 | uint64(uint32(c.R[RAX]))
	if old == want {
		c.Port.Store64(addr, uint64(uint32(c.R[RCX]))<<32|uint64(uint32(c.R[RBX])))
	} else {
		c.Port.Store64(addr, old)
		c.R[RAX], c.R[RDX] = uint64(uint32(old)), old>>32
	}
	c.setZF(old == want)
}

func cmpxchg16b(c *CPU, in *Inst) {
	addr := c.ea(in)
	if addr&15 != 0 {
		c.raise(GP, 0)
	}
	lo, hi := c.Port.Load128(addr)
	equal := lo == c.R[RAX] && hi == c.R[RDX]
	if equal {
		c.Port.Store128(addr, c.R[RBX], c.R[RCX])
	} else {
		c.Port.Store128(addr, lo, hi)
		c.R[RAX], c.R[RDX] = lo, hi
	}
	c.setZF(equal)
}

// setZF replaces ZF and leaves the other flags alone.
func (c *CPU) setZF(z bool) {
	f := c.flags() &^ ZF
	if z {
		f |= ZF
	}
	c.setFlags(f)
}
