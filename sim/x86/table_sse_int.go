package x86

// packedInt makes the row of an integer instruction on two XMM operands.
func packedInt(opcode, name string, h handler) Row {
	return sse2("66 0F "+opcode+" /r", name, "Vx,Wx", h)
}

// Lanes by the name of the element: byte, word, doubleword.
var (
	logicalLeft16  = shift{high: high16, width: 16, left: true}
	logicalLeft32  = shift{high: high32, width: 32, left: true}
	logicalLeft64  = shift{high: 1 << 63, width: 64, left: true}
	logicalRight16 = shift{high: high16, width: 16}
	logicalRight32 = shift{high: high32, width: 32}
	logicalRight64 = shift{high: 1 << 63, width: 64}
	arithRight16   = shift{high: high16, width: 16, arith: true}
	arithRight32   = shift{high: high32, width: 32, arith: true}
)

var sseIntegers = []Row{
	packedInt("FC", "PADDB", add(high8)),
	packedInt("FD", "PADDW", add(high16)),
	packedInt("FE", "PADDD", paddd),
	packedInt("D4", "PADDQ", paddq),
	packedInt("F8", "PSUBB", sub(high8)),
	packedInt("F9", "PSUBW", sub(high16)),
	packedInt("FA", "PSUBD", sub(high32)),
	packedInt("FB", "PSUBQ", halves(func(a, b uint64) uint64 { return a - b })),
	packedInt("EC", "PADDSB", lanes(high8, addSignedSat)),
	packedInt("ED", "PADDSW", lanes(high16, addSignedSat)),
	packedInt("DC", "PADDUSB", lanes(high8, addUnsignedSat)),
	packedInt("DD", "PADDUSW", lanes(high16, addUnsignedSat)),
	packedInt("E8", "PSUBSB", lanes(high8, subSignedSat)),
	packedInt("E9", "PSUBSW", lanes(high16, subSignedSat)),
	packedInt("D8", "PSUBUSB", lanes(high8, subUnsignedSat)),
	packedInt("D9", "PSUBUSW", lanes(high16, subUnsignedSat)),

	packedInt("D5", "PMULLW", halves(mulLow16)),
	packedInt("E5", "PMULHW", halves(mulHigh16)),
	packedInt("E4", "PMULHUW", halves(mulHighUnsigned16)),
	packedInt("F4", "PMULUDQ", halves(func(a, b uint64) uint64 { return low32(a) * low32(b) })),
	packedInt("F5", "PMADDWD", halves(mulAdd16)),
	packedInt("F6", "PSADBW", halves(sumDifferences)),
	packedInt("E0", "PAVGB", halves(func(a, b uint64) uint64 { return average(a, b, high8) })),
	packedInt("E3", "PAVGW", halves(func(a, b uint64) uint64 { return average(a, b, high16) })),
	packedInt("DA", "PMINUB", pminub),
	packedInt("DE", "PMAXUB", lanes(high8, maxUnsigned)),
	packedInt("EA", "PMINSW", lanes(high16, minSigned)),
	packedInt("EE", "PMAXSW", lanes(high16, maxSigned)),

	packedInt("74", "PCMPEQB", pcmpeqb),
	packedInt("75", "PCMPEQW", lanes(high16, equalLanes)),
	packedInt("76", "PCMPEQD", lanes(high32, equalLanes)),
	packedInt("64", "PCMPGTB", lanes(high8, greaterSigned)),
	packedInt("65", "PCMPGTW", lanes(high16, greaterSigned)),
	packedInt("66", "PCMPGTD", lanes(high32, greaterSigned)),

	packedInt("DB", "PAND", andx),
	packedInt("DF", "PANDN", andnx),
	packedInt("EB", "POR", orx),
	packedInt("EF", "PXOR", xorx),

	packedInt("F1", "PSLLW", logicalLeft16.byRegister()),
	packedInt("F2", "PSLLD", logicalLeft32.byRegister()),
	packedInt("F3", "PSLLQ", logicalLeft64.byRegister()),
	packedInt("D1", "PSRLW", logicalRight16.byRegister()),
	packedInt("D2", "PSRLD", logicalRight32.byRegister()),
	packedInt("D3", "PSRLQ", logicalRight64.byRegister()),
	packedInt("E1", "PSRAW", arithRight16.byRegister()),
	packedInt("E2", "PSRAD", arithRight32.byRegister()),
	sse2("66 0F 71 /6 reg ib", "PSLLW", "Ux,Ib", logicalLeft16.byImmediate()),
	sse2("66 0F 72 /6 reg ib", "PSLLD", "Ux,Ib", logicalLeft32.byImmediate()),
	sse2("66 0F 73 /6 reg ib", "PSLLQ", "Ux,Ib", logicalLeft64.byImmediate()),
	sse2("66 0F 71 /2 reg ib", "PSRLW", "Ux,Ib", logicalRight16.byImmediate()),
	sse2("66 0F 72 /2 reg ib", "PSRLD", "Ux,Ib", logicalRight32.byImmediate()),
	sse2("66 0F 73 /2 reg ib", "PSRLQ", "Ux,Ib", logicalRight64.byImmediate()),
	sse2("66 0F 71 /4 reg ib", "PSRAW", "Ux,Ib", arithRight16.byImmediate()),
	sse2("66 0F 72 /4 reg ib", "PSRAD", "Ux,Ib", arithRight32.byImmediate()),
	sse2("66 0F 73 /7 reg ib", "PSLLDQ", "Ux,Ib", bytesByImmediate(shiftBytesLeft)),
	sse2("66 0F 73 /3 reg ib", "PSRLDQ", "Ux,Ib", bytesByImmediate(shiftBytesRight)),
}

var sseShuffles = []Row{
	sse("NP 0F C6 /r ib", "SHUFPS", "Vps,Wps,Ib", onX(shuffleSingles)),
	sse2("66 0F C6 /r ib", "SHUFPD", "Vpd,Wpd,Ib", onX(shuffleDoubles)),
	sse2("66 0F 70 /r ib", "PSHUFD", "Vx,Wx,Ib", onX(shuffle32)),
	sse2("F3 0F 70 /r ib", "PSHUFHW", "Vx,Wx,Ib", onX(shuffleHigh16)),
	sse2("F2 0F 70 /r ib", "PSHUFLW", "Vx,Wx,Ib", onX(shuffleLow16)),

	sse("NP 0F 14 /r", "UNPCKLPS", "Vps,Wps", onX(unpack(false, 32, spread32))),
	sse("NP 0F 15 /r", "UNPCKHPS", "Vps,Wps", onX(unpack(true, 32, spread32))),
	sse2("66 0F 14 /r", "UNPCKLPD", "Vpd,Wpd", onX(unpackLow64)),
	sse2("66 0F 15 /r", "UNPCKHPD", "Vpd,Wpd", onX(unpackHigh64)),
	packedInt("60", "PUNPCKLBW", onX(unpack(false, 8, spread8))),
	packedInt("61", "PUNPCKLWD", onX(unpack(false, 16, spread16))),
	packedInt("62", "PUNPCKLDQ", onX(unpack(false, 32, spread32))),
	packedInt("6C", "PUNPCKLQDQ", onX(unpackLow64)),
	packedInt("68", "PUNPCKHBW", onX(unpack(true, 8, spread8))),
	packedInt("69", "PUNPCKHWD", onX(unpack(true, 16, spread16))),
	packedInt("6A", "PUNPCKHDQ", onX(unpack(true, 32, spread32))),
	packedInt("6D", "PUNPCKHQDQ", onX(unpackHigh64)),
	packedInt("63", "PACKSSWB", onX(pack(packSigned16))),
	packedInt("67", "PACKUSWB", onX(pack(packUnsigned16))),
	packedInt("6B", "PACKSSDW", onX(pack(packSigned32))),

	sse2("66 0F C5 /r reg ib", "PEXTRW", "Gd,Ux,Ib", pextrw),
	sse2("66 0F C4 /r ib", "PINSRW", "Vx,Ew,Ib", pinsrw),
}
