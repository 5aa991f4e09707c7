package x86

import "slices"

// The rows of SSE and SSE2 for XMM registers. Departures from the manual:
// RCP* and RSQRT* use our own approximation (see rcp32); the forms with MMX
// registers are left out.

var sseRows = slices.Concat(sseMoves, sseArithmetic, sseConversions, sseIntegers, sseShuffles)

func sse(enc, name, args string, h handler) Row {
	return Row{Enc: enc, Name: name, Args: args, Feature: "SSE", Pick: only(h)}
}

func sse2(enc, name, args string, h handler) Row {
	return Row{Enc: enc, Name: name, Args: args, Feature: "SSE2", Pick: only(h)}
}

// forms replaces the handler by one for registers and one for memory.
func (r Row) forms(reg, mem handler) Row {
	r.Pick = regmem(reg, mem)
	return r
}

func (r Row) effect(e string) Row {
	r.Effect = e
	return r
}

func (r Row) writesFlags(f string) Row {
	r.Flags = f
	return r
}

var sseMoves = []Row{
	sse("NP 0F 10 /r", "MOVUPS", "Vps,Wps", nil).forms(movxReg, movuLoad),
	sse("NP 0F 11 /r", "MOVUPS", "Wps,Vps", nil).forms(movxRegBack, movuStore).effect("store"),
	sse2("66 0F 10 /r", "MOVUPD", "Vpd,Wpd", nil).forms(movxReg, movuLoad),
	sse2("66 0F 11 /r", "MOVUPD", "Wpd,Vpd", nil).forms(movxRegBack, movuStore).effect("store"),
	sse("F3 0F 10 /r", "MOVSS", "Vss,Wss", nil).forms(movssReg, movdLoad),
	sse("F3 0F 11 /r", "MOVSS", "Wss,Vss", nil).forms(movssRegBack, storeLow32).effect("store"),
	sse2("F2 0F 10 /r", "MOVSD", "Vsd,Wsd", nil).forms(movsdReg, movqLoad),
	sse2("F2 0F 11 /r", "MOVSD", "Wsd,Vsd", nil).forms(movsdRegBack, storeLow64).effect("store"),
	sse("NP 0F 28 /r", "MOVAPS", "Vps,Wps", nil).forms(movxReg, movaLoad),
	sse("NP 0F 29 /r", "MOVAPS", "Wps,Vps", nil).forms(movxRegBack, movaStore).effect("store"),
	sse2("66 0F 28 /r", "MOVAPD", "Vpd,Wpd", nil).forms(movxReg, movaLoad),
	sse2("66 0F 29 /r", "MOVAPD", "Wpd,Vpd", nil).forms(movxRegBack, movaStore).effect("store"),
	sse2("66 0F 6F /r", "MOVDQA", "Vx,Wx", nil).forms(movxReg, movaLoad),
	sse2("66 0F 7F /r", "MOVDQA", "Wx,Vx", nil).forms(movxRegBack, movaStore).effect("store"),
	sse2("F3 0F 6F /r", "MOVDQU", "Vx,Wx", nil).forms(movxReg, movuLoad),
	sse2("F3 0F 7F /r", "MOVDQU", "Wx,Vx", nil).forms(movxRegBack, movuStore).effect("store"),

	sse("NP 0F 12 /r mem", "MOVLPS", "Vq,Mq", movlpLoad),
	sse("NP 0F 12 /r reg", "MOVHLPS", "Vq,Uq", movhlps),
	sse("NP 0F 13 /r mem", "MOVLPS", "Mq,Vq", storeLow64).effect("store"),
	sse("NP 0F 16 /r mem", "MOVHPS", "Vq,Mq", movhpLoad),
	sse("NP 0F 16 /r reg", "MOVLHPS", "Vq,Uq", movlhps),
	sse("NP 0F 17 /r mem", "MOVHPS", "Mq,Vq", storeHigh).effect("store"),
	sse2("66 0F 12 /r mem", "MOVLPD", "Vq,Mq", movlpLoad),
	sse2("66 0F 13 /r mem", "MOVLPD", "Mq,Vq", storeLow64).effect("store"),
	sse2("66 0F 16 /r mem", "MOVHPD", "Vq,Mq", movhpLoad),
	sse2("66 0F 17 /r mem", "MOVHPD", "Mq,Vq", storeHigh).effect("store"),

	sse2("66 W0 0F 6E /r", "MOVD", "Vd,Ed", movdLoad),
	sse2("66 REX.W 0F 6E /r", "MOVQ", "Vq,Eq", movqLoad),
	sse2("66 W0 0F 7E /r", "MOVD", "Ed,Vd", nil).forms(movdBack, storeLow32).effect("store"),
	sse2("66 REX.W 0F 7E /r", "MOVQ", "Eq,Vq", nil).forms(movqgBack, storeLow64).effect("store"),
	sse2("F3 0F 7E /r", "MOVQ", "Vq,Wq", movq),
	sse2("66 0F D6 /r", "MOVQ", "Wq,Vq", nil).forms(movqBack, storeLow64).effect("store"),

	sse("NP 0F 50 /r reg", "MOVMSKPS", "Gd,Ups", movmskps),
	sse2("66 0F 50 /r reg", "MOVMSKPD", "Gd,Upd", movmskpd),
	sse2("66 0F D7 /r reg", "PMOVMSKB", "Gd,Ux", pmovmskb),

	sse("NP 0F 2B /r mem", "MOVNTPS", "Mps,Vps", movntStore).effect("nt-store"),
	sse2("66 0F 2B /r mem", "MOVNTPD", "Mpd,Vpd", movntStore).effect("nt-store"),
	sse2("66 0F E7 /r mem", "MOVNTDQ", "Mx,Vx", movntStore).effect("nt-store"),
	sse2("66 0F F7 /r reg", "MASKMOVDQU", "Vdq,Udq", maskmovdqu).effect("nt-store"),

	sse("NP 0F AE /2 mem", "LDMXCSR", "Md", ldmxcsr),
	sse("NP 0F AE /3 mem", "STMXCSR", "Md", stmxcsr).effect("store"),
}

// direct replaces the handler of the scalar double-precision row.
func direct(rows []Row, packed, scalar handler) []Row {
	rows[2].Pick, rows[3].Pick = only(packed), only(scalar)
	return rows
}

// arithmetic makes the four rows of an operation that exists packed and scalar,
// in single and double precision.
func arithmetic(opcode, name string, single, double lane) []Row {
	return []Row{
		sse("NP 0F "+opcode+" /r", name+"PS", "Vps,Wps", packed32(single)),
		sse("F3 0F "+opcode+" /r", name+"SS", "Vss,Wss", scalar32(single)),
		sse2("66 0F "+opcode+" /r", name+"PD", "Vpd,Wpd", packed64(double)),
		sse2("F2 0F "+opcode+" /r", name+"SD", "Vsd,Wsd", scalar64(double)),
	}
}

var sseArithmetic = slices.Concat(
	arithmetic("51", "SQRT", sqrt32, sqrt64),
	direct(arithmetic("58", "ADD", add32, add64), addpd, addsd),
	direct(arithmetic("59", "MUL", mul32, mul64), mulpd, mulsd),
	direct(arithmetic("5C", "SUB", sub32, sub64), subpd, subsd),
	arithmetic("5D", "MIN", min32, min64),
	arithmetic("5E", "DIV", div32, div64),
	arithmetic("5F", "MAX", max32, max64),
	[]Row{
		sse("NP 0F 52 /r", "RSQRTPS", "Vps,Wps", packed32(rsqrt32)),
		sse("F3 0F 52 /r", "RSQRTSS", "Vss,Wss", scalar32(rsqrt32)),
		sse("NP 0F 53 /r", "RCPPS", "Vps,Wps", packed32(rcp32)),
		sse("F3 0F 53 /r", "RCPSS", "Vss,Wss", scalar32(rcp32)),

		sse("NP 0F 54 /r", "ANDPS", "Vps,Wps", andx),
		sse2("66 0F 54 /r", "ANDPD", "Vpd,Wpd", andx),
		sse("NP 0F 55 /r", "ANDNPS", "Vps,Wps", andnx),
		sse2("66 0F 55 /r", "ANDNPD", "Vpd,Wpd", andnx),
		sse("NP 0F 56 /r", "ORPS", "Vps,Wps", orx),
		sse2("66 0F 56 /r", "ORPD", "Vpd,Wpd", orx),
		sse("NP 0F 57 /r", "XORPS", "Vps,Wps", xorx),
		sse2("66 0F 57 /r", "XORPD", "Vpd,Wpd", xorx),

		sse("NP 0F C2 /r ib", "CMPPS", "Vps,Wps,Ib", byPredicate(&single, packed32)),
		sse("F3 0F C2 /r ib", "CMPSS", "Vss,Wss,Ib", byPredicate(&single, scalar32)),
		sse2("66 0F C2 /r ib", "CMPPD", "Vpd,Wpd,Ib", byPredicate(&double, packed64)),
		sse2("F2 0F C2 /r ib", "CMPSD", "Vsd,Wsd,Ib", byPredicate(&double, scalar64)),

		sse("NP 0F 2E /r", "UCOMISS", "Vss,Wss", comparison(&single, false)).writesFlags("oszapc"),
		sse("NP 0F 2F /r", "COMISS", "Vss,Wss", comparison(&single, true)).writesFlags("oszapc"),
		sse2("66 0F 2E /r", "UCOMISD", "Vsd,Wsd", comisd(comparison(&double, false))).writesFlags("oszapc"),
		sse2("66 0F 2F /r", "COMISD", "Vsd,Wsd", comisd(comparison(&double, true))).writesFlags("oszapc"),
	})

var sseConversions = []Row{
	sse("F3 0F 2A /r", "CVTSI2SS", "Vss,Ey", cvtsi2ss),
	sse2("F2 0F 2A /r", "CVTSI2SD", "Vsd,Ey", cvtsi2sd),
	sse("F3 0F 2C /r", "CVTTSS2SI", "Gy,Wss", toGeneral(&single, true)),
	sse2("F2 0F 2C /r", "CVTTSD2SI", "Gy,Wsd", toGeneral(&double, true)),
	sse("F3 0F 2D /r", "CVTSS2SI", "Gy,Wss", toGeneral(&single, false)),
	sse2("F2 0F 2D /r", "CVTSD2SI", "Gy,Wsd", toGeneral(&double, false)),
	sse2("NP 0F 5A /r", "CVTPS2PD", "Vpd,Wq", cvtps2pd),
	sse2("66 0F 5A /r", "CVTPD2PS", "Vps,Wpd", cvtpd2ps),
	sse2("F3 0F 5A /r", "CVTSS2SD", "Vsd,Wss", cvtss2sd),
	sse2("F2 0F 5A /r", "CVTSD2SS", "Vss,Wsd", cvtsd2ss),
	sse2("NP 0F 5B /r", "CVTDQ2PS", "Vps,Wdq", cvtdq2ps),
	sse2("66 0F 5B /r", "CVTPS2DQ", "Vdq,Wps", toPacked(&single, false)),
	sse2("F3 0F 5B /r", "CVTTPS2DQ", "Vdq,Wps", toPacked(&single, true)),
	sse2("66 0F E6 /r", "CVTTPD2DQ", "Vdq,Wpd", toPacked(&double, true)),
	sse2("F2 0F E6 /r", "CVTPD2DQ", "Vdq,Wpd", toPacked(&double, false)),
	sse2("F3 0F E6 /r", "CVTDQ2PD", "Vpd,Wq", cvtdq2pd),
}
