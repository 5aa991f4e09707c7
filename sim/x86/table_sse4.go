package x86

import "slices"

// The rows of SSE4.1 and SSE4.2; CRC32 stands with the bit instructions. A
// departure from the manual: MOVNTDQA is an ordinary load, as memory of the
// write-combining type is not modelled.

// sse41 makes a row with operands Vx,Wx in map 0F 38.
func sse41(opcode, name string, h handler) Row {
	return sse("66 0F 38 "+opcode+" /r", name, "Vx,Wx", h).feature("SSE4.1")
}

// sse41Imm makes a row in map 0F 3A; form is "/r" with what restricts it.
func sse41Imm(opcode, name, args string, h handler) Row {
	return sse("66 0F 3A "+opcode+" ib", name, args, h).feature("SSE4.1")
}

var sse4Rows = slices.Concat(extensions(), []Row{
	sse41("10", "PBLENDVB", blendVariable(high8, 8)),
	sse41("14", "BLENDVPS", blendVariable(high32, 32)),
	sse41("15", "BLENDVPD", blendVariable(1<<63, 64)),
	sse41("17", "PTEST", ptest).writesFlags("oszapc"),
	sse41("28", "PMULDQ", halves(mulSigned32)),
	sse41("29", "PCMPEQQ", halves(equal64)),
	sse41("2A", "MOVNTDQA", nil).forms(nil, movaLoad),
	sse41("2B", "PACKUSDW", onX(pack(packUnsigned32))),
	sse41("38", "PMINSB", lanes(high8, minSigned)),
	sse41("39", "PMINSD", lanes(high32, minSigned)),
	sse41("3A", "PMINUW", lanes(high16, minUnsigned)),
	sse41("3B", "PMINUD", lanes(high32, minUnsigned)),
	sse41("3C", "PMAXSB", lanes(high8, maxSigned)),
	sse41("3D", "PMAXSD", lanes(high32, maxSigned)),
	sse41("3E", "PMAXUW", lanes(high16, maxUnsigned)),
	sse41("3F", "PMAXUD", lanes(high32, maxUnsigned)),
	sse41("40", "PMULLD", halves(mulLow32)),
	sse41("41", "PHMINPOSUW", onX(minPosition16)),

	sse41Imm("08 /r", "ROUNDPS", "Vps,Wps,Ib", byRounding(&single, packed32)),
	sse41Imm("09 /r", "ROUNDPD", "Vpd,Wpd,Ib", byRounding(&double, packed64)),
	sse41Imm("0A /r", "ROUNDSS", "Vss,Wss,Ib", byRounding(&single, scalar32)),
	sse41Imm("0B /r", "ROUNDSD", "Vsd,Wsd,Ib", byRounding(&double, scalar64)),
	sse41Imm("0C /r", "BLENDPS", "Vps,Wps,Ib", onX(blendImmediate(32))),
	sse41Imm("0D /r", "BLENDPD", "Vpd,Wpd,Ib", onX(blendImmediate(64))),
	sse41Imm("0E /r", "PBLENDW", "Vx,Wx,Ib", onX(blendImmediate(16))),
	sse41Imm("40 /r", "DPPS", "Vps,Wps,Ib", dpps),
	sse41Imm("41 /r", "DPPD", "Vpd,Wpd,Ib", dppd),
	sse41Imm("42 /r", "MPSADBW", "Vx,Wx,Ib", onX(multipleDifferences)),

	sse41Imm("14 /r reg", "PEXTRB", "Rd,Vx,Ib", pextrbReg),
	sse41Imm("14 /r mem", "PEXTRB", "Mb,Vx,Ib", pextrbMem).effect("store"),
	sse41Imm("15 /r reg", "PEXTRW", "Rd,Vx,Ib", pextrwBack),
	sse41Imm("15 /r mem", "PEXTRW", "Mw,Vx,Ib", pextrwMem).effect("store"),
	sse41Imm("17 /r reg", "EXTRACTPS", "Rd,Vps,Ib", pextrdReg),
	sse41Imm("17 /r mem", "EXTRACTPS", "Md,Vps,Ib", pextrdMem).effect("store"),
	sse41Imm("20 /r reg", "PINSRB", "Vx,Rd,Ib", pinsrbReg),
	sse41Imm("20 /r mem", "PINSRB", "Vx,Mb,Ib", pinsrbMem),
	sse41Imm("21 /r", "INSERTPS", "Vps,Wss,Ib", insertps),
	sse("66 W0 0F 3A 16 /r ib", "PEXTRD", "Ed,Vx,Ib", nil).forms(pextrdReg, pextrdMem).effect("store").feature("SSE4.1"),
	sse("66 REX.W 0F 3A 16 /r ib", "PEXTRQ", "Eq,Vx,Ib", nil).forms(pextrqReg, pextrqMem).effect("store").feature("SSE4.1"),
	sse("66 W0 0F 3A 22 /r ib", "PINSRD", "Vx,Ed,Ib", pinsrd).feature("SSE4.1"),
	sse("66 REX.W 0F 3A 22 /r ib", "PINSRQ", "Vx,Eq,Ib", pinsrq).feature("SSE4.1"),

	sse41("37", "PCMPGTQ", halves(greater64)).feature("SSE4.2"),
	sse41Imm("60 /r", "PCMPESTRM", "Vx,Wx,Ib", stringMask(true)).feature("SSE4.2").writesFlags("oszapc"),
	sse41Imm("61 /r", "PCMPESTRI", "Vx,Wx,Ib", stringIndex(true)).feature("SSE4.2").writesFlags("oszapc"),
	sse41Imm("62 /r", "PCMPISTRM", "Vx,Wx,Ib", stringMask(false)).feature("SSE4.2").writesFlags("oszapc"),
	sse41Imm("63 /r", "PCMPISTRI", "Vx,Wx,Ib", stringIndex(false)).feature("SSE4.2").writesFlags("oszapc"),
})

// extensions are PMOVSX and PMOVZX.
func extensions() (t []Row) {
	opcodes := [...]struct{ signed, unsigned string }{{"20", "30"}, {"21", "31"}, {"22", "32"}, {"23", "33"}, {"24", "34"}, {"25", "35"}}
	for i, e := range [...]struct {
		name     string
		from, to uint
		memory   string
	}{{"BW", 8, 16, "q"}, {"BD", 8, 32, "d"}, {"BQ", 8, 64, "w"}, {"WD", 16, 32, "q"}, {"WQ", 16, 64, "d"}, {"DQ", 32, 64, "q"}} {
		args := "Vx,W" + e.memory
		t = append(t,
			sse("66 0F 38 "+opcodes[i].signed+" /r", "PMOVSX"+e.name, args, extend(e.from, e.to, true)).feature("SSE4.1"),
			sse("66 0F 38 "+opcodes[i].unsigned+" /r", "PMOVZX"+e.name, args, extend(e.from, e.to, false)).feature("SSE4.1"))
	}
	return t
}
