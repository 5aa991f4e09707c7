package x86

import "slices"

// The rows with MMX registers up to SSE2; those of SSSE3 stand in table_ssse3.go.
// Departures from the manual: CVTPI2PS with a memory operand leaves the x87 unit
// alone, as CVTPI2PD does and as on the host's processor (Intel's manual has it
// change that too).

var mmxRows = slices.Concat(mmxMoves, mmxIntegers, mmxShifts, mmxConversions)

// feature says to which CPUID feature a row belongs.
func (r Row) feature(f string) Row {
	r.Feature = f
	return r
}

// mmx makes the row of an instruction of two MMX operands.
func mmx(opcode, name string, f func(a, b uint64) uint64) Row {
	return Row{Enc: "NP 0F " + opcode + " /r", Name: name, Args: "Pq,Qq", Feature: "MMX", Pick: only(onMM(f))}
}

// mmxRow makes a row that has an encoding and operands of its own.
func mmxRow(enc, name, args string, h handler) Row {
	return Row{Enc: "NP " + enc, Name: name, Args: args, Feature: "MMX", Pick: only(h)}
}

var mmxMoves = []Row{
	mmxRow("0F 77", "EMMS", "", emms),
	mmxRow("W0 0F 6E /r", "MOVD", "Pd,Ed", movdToMM),
	mmxRow("REX.W 0F 6E /r", "MOVQ", "Pq,Eq", movqToMM),
	mmxRow("W0 0F 7E /r", "MOVD", "Ed,Pd", movdFromMM).effect("store"),
	mmxRow("REX.W 0F 7E /r", "MOVQ", "Eq,Pq", movqFromMM).effect("store"),
	mmxRow("0F 6F /r", "MOVQ", "Pq,Qq", movqMM),
	mmxRow("0F 7F /r", "MOVQ", "Qq,Pq", nil).forms(movqMMBack, movqFromMM).effect("store"),
	sse("NP 0F E7 /r mem", "MOVNTQ", "Mq,Pq", movntq).effect("nt-store"),
	sse("NP 0F F7 /r reg", "MASKMOVQ", "Pq,Nq", maskmovq).effect("nt-store"),
	sse2("F2 0F D6 /r reg", "MOVDQ2Q", "Pq,Uq", movdq2q),
	sse2("F3 0F D6 /r reg", "MOVQ2DQ", "Vdq,Nq", movq2dq),

	sse("NP 0F D7 /r reg", "PMOVMSKB", "Gd,Nq", pmovmskbMM),
	sse("NP 0F C5 /r reg ib", "PEXTRW", "Gd,Nq,Ib", pextrwMM),
	sse("NP 0F C4 /r ib", "PINSRW", "Pq,Ew,Ib", pinsrwMM),
	sse("NP 0F 70 /r ib", "PSHUFW", "Pq,Qq,Ib", pshufw),
}

var mmxIntegers = []Row{
	mmx("FC", "PADDB", eachLane(high8, plain(addLanes))),
	mmx("FD", "PADDW", eachLane(high16, plain(addLanes))),
	mmx("FE", "PADDD", eachLane(high32, plain(addLanes))),
	mmx("D4", "PADDQ", func(a, b uint64) uint64 { return a + b }).feature("SSE2"),
	mmx("F8", "PSUBB", eachLane(high8, plain(subLanes))),
	mmx("F9", "PSUBW", eachLane(high16, plain(subLanes))),
	mmx("FA", "PSUBD", eachLane(high32, plain(subLanes))),
	mmx("FB", "PSUBQ", func(a, b uint64) uint64 { return a - b }).feature("SSE2"),
	mmx("EC", "PADDSB", eachLane(high8, addSignedSat)),
	mmx("ED", "PADDSW", eachLane(high16, addSignedSat)),
	mmx("DC", "PADDUSB", eachLane(high8, addUnsignedSat)),
	mmx("DD", "PADDUSW", eachLane(high16, addUnsignedSat)),
	mmx("E8", "PSUBSB", eachLane(high8, subSignedSat)),
	mmx("E9", "PSUBSW", eachLane(high16, subSignedSat)),
	mmx("D8", "PSUBUSB", eachLane(high8, subUnsignedSat)),
	mmx("D9", "PSUBUSW", eachLane(high16, subUnsignedSat)),

	mmx("D5", "PMULLW", mulLow16),
	mmx("E5", "PMULHW", mulHigh16),
	mmx("E4", "PMULHUW", mulHighUnsigned16).feature("SSE"),
	mmx("F4", "PMULUDQ", func(a, b uint64) uint64 { return low32(a) * low32(b) }).feature("SSE2"),
	mmx("F5", "PMADDWD", mulAdd16),
	mmx("F6", "PSADBW", sumDifferences).feature("SSE"),
	mmx("E0", "PAVGB", func(a, b uint64) uint64 { return average(a, b, high8) }).feature("SSE"),
	mmx("E3", "PAVGW", func(a, b uint64) uint64 { return average(a, b, high16) }).feature("SSE"),
	mmx("DA", "PMINUB", eachLane(high8, minUnsigned)).feature("SSE"),
	mmx("DE", "PMAXUB", eachLane(high8, maxUnsigned)).feature("SSE"),
	mmx("EA", "PMINSW", eachLane(high16, minSigned)).feature("SSE"),
	mmx("EE", "PMAXSW", eachLane(high16, maxSigned)).feature("SSE"),

	mmx("74", "PCMPEQB", eachLane(high8, equalLanes)),
	mmx("75", "PCMPEQW", eachLane(high16, equalLanes)),
	mmx("76", "PCMPEQD", eachLane(high32, equalLanes)),
	mmx("64", "PCMPGTB", eachLane(high8, greaterSigned)),
	mmx("65", "PCMPGTW", eachLane(high16, greaterSigned)),
	mmx("66", "PCMPGTD", eachLane(high32, greaterSigned)),

	mmx("DB", "PAND", func(a, b uint64) uint64 { return a & b }),
	mmx("DF", "PANDN", func(a, b uint64) uint64 { return b &^ a }),
	mmx("EB", "POR", func(a, b uint64) uint64 { return a | b }),
	mmx("EF", "PXOR", func(a, b uint64) uint64 { return a ^ b }),

	mmxRow("0F 60 /r", "PUNPCKLBW", "Pq,Qd", unpackLowMM(8, spread8)),
	mmxRow("0F 61 /r", "PUNPCKLWD", "Pq,Qd", unpackLowMM(16, spread16)),
	mmxRow("0F 62 /r", "PUNPCKLDQ", "Pq,Qd", unpackLowMM(32, spread32)),
	mmxRow("0F 68 /r", "PUNPCKHBW", "Pq,Qq", unpackHighMM(8, spread8)),
	mmxRow("0F 69 /r", "PUNPCKHWD", "Pq,Qq", unpackHighMM(16, spread16)),
	mmxRow("0F 6A /r", "PUNPCKHDQ", "Pq,Qq", unpackHighMM(32, spread32)),
	mmx("63", "PACKSSWB", packSigned16),
	mmx("67", "PACKUSWB", packUnsigned16),
	mmx("6B", "PACKSSDW", packSigned32),
}

var mmxShifts = []Row{
	mmx("F1", "PSLLW", logicalLeft16.apply),
	mmx("F2", "PSLLD", logicalLeft32.apply),
	mmx("F3", "PSLLQ", logicalLeft64.apply),
	mmx("D1", "PSRLW", logicalRight16.apply),
	mmx("D2", "PSRLD", logicalRight32.apply),
	mmx("D3", "PSRLQ", logicalRight64.apply),
	mmx("E1", "PSRAW", arithRight16.apply),
	mmx("E2", "PSRAD", arithRight32.apply),
	mmxRow("0F 71 /6 reg ib", "PSLLW", "Nq,Ib", logicalLeft16.immediateMM()),
	mmxRow("0F 72 /6 reg ib", "PSLLD", "Nq,Ib", logicalLeft32.immediateMM()),
	mmxRow("0F 73 /6 reg ib", "PSLLQ", "Nq,Ib", logicalLeft64.immediateMM()),
	mmxRow("0F 71 /2 reg ib", "PSRLW", "Nq,Ib", logicalRight16.immediateMM()),
	mmxRow("0F 72 /2 reg ib", "PSRLD", "Nq,Ib", logicalRight32.immediateMM()),
	mmxRow("0F 73 /2 reg ib", "PSRLQ", "Nq,Ib", logicalRight64.immediateMM()),
	mmxRow("0F 71 /4 reg ib", "PSRAW", "Nq,Ib", arithRight16.immediateMM()),
	mmxRow("0F 72 /4 reg ib", "PSRAD", "Nq,Ib", arithRight32.immediateMM()),
}

var mmxConversions = []Row{
	sse("NP 0F 2A /r", "CVTPI2PS", "Vps,Qpi", nil).forms(cvtpi2psReg, cvtpi2psMem),
	sse("NP 0F 2C /r", "CVTTPS2PI", "Ppi,Wps", toMM(&single, true)),
	sse("NP 0F 2D /r", "CVTPS2PI", "Ppi,Wps", toMM(&single, false)),
	sse2("66 0F 2A /r", "CVTPI2PD", "Vpd,Qpi", nil).forms(cvtpi2pdReg, cvtpi2pdMem),
	sse2("66 0F 2C /r", "CVTTPD2PI", "Ppi,Wpd", toMM(&double, true)),
	sse2("66 0F 2D /r", "CVTPD2PI", "Ppi,Wpd", toMM(&double, false)),
}
