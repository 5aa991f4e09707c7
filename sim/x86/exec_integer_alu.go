package x86

// The eight two-operand ALU instructions at 32 and 64 bits, one handler for each
// shape: RR register←register, RM register←memory, RI register←immediate, MR
// memory←register, MI memory←immediate. Bytes and words take the generic way of
// exec_integer.go. Written out, because a shared body behind a function value or
// a type parameter costs the interpreter a second call.

// aluShapes is one ALU instruction's handlers, [0] for 32 bits and [1] for 64.
type aluShapes struct{ rr, rm, ri, mr, mi [2]handler }

var aluTable = [8]aluShapes{
	{rr: [2]handler{addRR32, addRR64}, rm: [2]handler{addRM32, addRM64}, ri: [2]handler{addRI32, addRI64}, mr: [2]handler{addMR32, addMR64}, mi: [2]handler{addMI32, addMI64}},
	{rr: [2]handler{orRR32, orRR64}, rm: [2]handler{orRM32, orRM64}, ri: [2]handler{orRI32, orRI64}, mr: [2]handler{orMR32, orMR64}, mi: [2]handler{orMI32, orMI64}},
	{rr: [2]handler{adcRR32, adcRR64}, rm: [2]handler{adcRM32, adcRM64}, ri: [2]handler{adcRI32, adcRI64}, mr: [2]handler{adcMR32, adcMR64}, mi: [2]handler{adcMI32, adcMI64}},
	{rr: [2]handler{sbbRR32, sbbRR64}, rm: [2]handler{sbbRM32, sbbRM64}, ri: [2]handler{sbbRI32, sbbRI64}, mr: [2]handler{sbbMR32, sbbMR64}, mi: [2]handler{sbbMI32, sbbMI64}},
	{rr: [2]handler{andRR32, andRR64}, rm: [2]handler{andRM32, andRM64}, ri: [2]handler{andRI32, andRI64}, mr: [2]handler{andMR32, andMR64}, mi: [2]handler{andMI32, andMI64}},
	{rr: [2]handler{subRR32, subRR64}, rm: [2]handler{subRM32, subRM64}, ri: [2]handler{subRI32, subRI64}, mr: [2]handler{subMR32, subMR64}, mi: [2]handler{subMI32, subMI64}},
	{rr: [2]handler{xorRR32, xorRR64}, rm: [2]handler{xorRM32, xorRM64}, ri: [2]handler{xorRI32, xorRI64}, mr: [2]handler{xorMR32, xorMR64}, mi: [2]handler{xorMI32, xorMI64}},
	{rr: [2]handler{cmpRR32, cmpRR64}, rm: [2]handler{cmpRM32, cmpRM64}, ri: [2]handler{cmpRI32, cmpRI64}, mr: [2]handler{cmpMR32, cmpMR64}, mi: [2]handler{cmpMI32, cmpMI64}},
}

func addRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a + b
	c.R[in.rm&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func addRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a + b
	c.R[in.reg&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func addRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a + b
	c.R[in.rm&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func addMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a + b
	c.Port.Store32(addr, r)
	c.flagsAdd32(a, b, r)
}

func addMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a + b
	c.Port.Store32(addr, r)
	c.flagsAdd32(a, b, r)
}

func addRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a + b
	c.R[in.rm&15] = r
	c.flagsAdd64(a, b, r)
}

func addRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a + b
	c.R[in.reg&15] = r
	c.flagsAdd64(a, b, r)
}

func addRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a + b
	c.R[in.rm&15] = r
	c.flagsAdd64(a, b, r)
}

func addMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a + b
	c.Port.Store64(addr, r)
	c.flagsAdd64(a, b, r)
}

func addMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a + b
	c.Port.Store64(addr, r)
	c.flagsAdd64(a, b, r)
}

func orRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a | b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func orRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a | b
	c.R[in.reg&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func orRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a | b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func orMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a | b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func orMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a | b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func orRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a | b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func orRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a | b
	c.R[in.reg&15] = r
	c.flagsLogic(int64(r))
}

func orRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a | b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func orMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a | b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func orMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a | b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func adcRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a + b + uint32(c.flagAux>>63)
	c.R[in.rm&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func adcRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a + b + uint32(c.flagAux>>63)
	c.R[in.reg&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func adcRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a + b + uint32(c.flagAux>>63)
	c.R[in.rm&15] = uint64(r)
	c.flagsAdd32(a, b, r)
}

func adcMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a + b + uint32(c.flagAux>>63)
	c.Port.Store32(addr, r)
	c.flagsAdd32(a, b, r)
}

func adcMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a + b + uint32(c.flagAux>>63)
	c.Port.Store32(addr, r)
	c.flagsAdd32(a, b, r)
}

func adcRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a + b + c.flagAux>>63
	c.R[in.rm&15] = r
	c.flagsAdd64(a, b, r)
}

func adcRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a + b + c.flagAux>>63
	c.R[in.reg&15] = r
	c.flagsAdd64(a, b, r)
}

func adcRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a + b + c.flagAux>>63
	c.R[in.rm&15] = r
	c.flagsAdd64(a, b, r)
}

func adcMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a + b + c.flagAux>>63
	c.Port.Store64(addr, r)
	c.flagsAdd64(a, b, r)
}

func adcMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a + b + c.flagAux>>63
	c.Port.Store64(addr, r)
	c.flagsAdd64(a, b, r)
}

func sbbRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a - b - uint32(c.flagAux>>63)
	c.R[in.rm&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func sbbRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a - b - uint32(c.flagAux>>63)
	c.R[in.reg&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func sbbRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a - b - uint32(c.flagAux>>63)
	c.R[in.rm&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func sbbMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a - b - uint32(c.flagAux>>63)
	c.Port.Store32(addr, r)
	c.flagsSub32(a, b, r)
}

func sbbMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a - b - uint32(c.flagAux>>63)
	c.Port.Store32(addr, r)
	c.flagsSub32(a, b, r)
}

func sbbRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a - b - c.flagAux>>63
	c.R[in.rm&15] = r
	c.flagsSub64(a, b, r)
}

func sbbRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a - b - c.flagAux>>63
	c.R[in.reg&15] = r
	c.flagsSub64(a, b, r)
}

func sbbRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a - b - c.flagAux>>63
	c.R[in.rm&15] = r
	c.flagsSub64(a, b, r)
}

func sbbMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a - b - c.flagAux>>63
	c.Port.Store64(addr, r)
	c.flagsSub64(a, b, r)
}

func sbbMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a - b - c.flagAux>>63
	c.Port.Store64(addr, r)
	c.flagsSub64(a, b, r)
}

func andRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a & b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func andRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a & b
	c.R[in.reg&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func andRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a & b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func andMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a & b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func andMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a & b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func andRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a & b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func andRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a & b
	c.R[in.reg&15] = r
	c.flagsLogic(int64(r))
}

func andRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a & b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func andMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a & b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func andMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a & b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func subRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a - b
	c.R[in.rm&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func subRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a - b
	c.R[in.reg&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func subRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a - b
	c.R[in.rm&15] = uint64(r)
	c.flagsSub32(a, b, r)
}

func subMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a - b
	c.Port.Store32(addr, r)
	c.flagsSub32(a, b, r)
}

func subMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a - b
	c.Port.Store32(addr, r)
	c.flagsSub32(a, b, r)
}

func subRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a - b
	c.R[in.rm&15] = r
	c.flagsSub64(a, b, r)
}

func subRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a - b
	c.R[in.reg&15] = r
	c.flagsSub64(a, b, r)
}

func subRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a - b
	c.R[in.rm&15] = r
	c.flagsSub64(a, b, r)
}

func subMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a - b
	c.Port.Store64(addr, r)
	c.flagsSub64(a, b, r)
}

func subMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a - b
	c.Port.Store64(addr, r)
	c.flagsSub64(a, b, r)
}

func xorRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a ^ b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func xorRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a ^ b
	c.R[in.reg&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func xorRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a ^ b
	c.R[in.rm&15] = uint64(r)
	c.flagsLogic(int64(int32(r)))
}

func xorMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a ^ b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func xorMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a ^ b
	c.Port.Store32(addr, r)
	c.flagsLogic(int64(int32(r)))
}

func xorRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a ^ b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func xorRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a ^ b
	c.R[in.reg&15] = r
	c.flagsLogic(int64(r))
}

func xorRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a ^ b
	c.R[in.rm&15] = r
	c.flagsLogic(int64(r))
}

func xorMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a ^ b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func xorMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a ^ b
	c.Port.Store64(addr, r)
	c.flagsLogic(int64(r))
}

func cmpRR32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(c.R[in.reg&15])
	r := a - b
	c.flagsSub32(a, b, r)
}

func cmpRM32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.reg&15]), c.Port.Load32(c.ea(in))
	r := a - b
	c.flagsSub32(a, b, r)
}

func cmpRI32(c *CPU, in *Inst) {
	a, b := uint32(c.R[in.rm&15]), uint32(in.imm)
	r := a - b
	c.flagsSub32(a, b, r)
}

func cmpMR32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(c.R[in.reg&15])
	r := a - b
	c.flagsSub32(a, b, r)
}

func cmpMI32(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load32(addr), uint32(in.imm)
	r := a - b
	c.flagsSub32(a, b, r)
}

func cmpRR64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], c.R[in.reg&15]
	r := a - b
	c.flagsSub64(a, b, r)
}

func cmpRM64(c *CPU, in *Inst) {
	a, b := c.R[in.reg&15], c.Port.Load64(c.ea(in))
	r := a - b
	c.flagsSub64(a, b, r)
}

func cmpRI64(c *CPU, in *Inst) {
	a, b := c.R[in.rm&15], in.imm
	r := a - b
	c.flagsSub64(a, b, r)
}

func cmpMR64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), c.R[in.reg&15]
	r := a - b
	c.flagsSub64(a, b, r)
}

func cmpMI64(c *CPU, in *Inst) {
	addr := c.ea(in)
	a, b := c.Port.Load64(addr), in.imm
	r := a - b
	c.flagsSub64(a, b, r)
}
