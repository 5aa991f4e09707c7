package x86

import "slices"

// The rows of AVX and AVX2; those of FMA and F16C stand in table_fma.go. A
// departure from the manual: see exec_avx.go on stores of 256 bits.

var avxRows = slices.Concat(avxMoves, avxFloats, avxConversions, avxIntegers(), avxShuffles(), avxMasked(), fmaRows(), f16cRows)

// vex makes a row of AVX; enc is what follows "VEX.".
func vex(enc, name, args string, h handler) Row {
	return Row{Enc: "VEX." + enc, Name: name, Args: args, Feature: "AVX", Pick: only(h)}
}

// both makes the rows of 128 and of 256 bits, of the features given.
func both(narrow, wide, enc, name, args string, h handler) []Row {
	return []Row{vex("128."+enc, name, args, h).feature(narrow), vex("256."+enc, name, args, h).feature(wide)}
}

func avx(enc, name, args string, h handler) []Row { return both("AVX", "AVX", enc, name, args, h) }

func (r Row) picks(pick func(*Inst) handler) Row {
	r.Pick = pick
	return r
}

// each applies a change to every row.
func each(rows []Row, change func(Row) Row) []Row {
	for i := range rows {
		rows[i] = change(rows[i])
	}
	return rows
}

func avxLoad(enc, name, args string, reg, mem handler) []Row {
	return each(avx(enc, name, args, nil), func(r Row) Row { return r.forms(reg, mem) })
}

func avxStore(enc, name, args string, reg, mem handler) []Row {
	return each(avxLoad(enc, name, args, reg, mem), func(r Row) Row { return r.effect("store") })
}

func avxNT(enc, name, args string) []Row {
	return each(avx(enc+" mem", name, args, vmovntStore), func(r Row) Row { return r.effect("nt-store") })
}

var avxMoves = slices.Concat(
	avx("0F.WIG 10 /r", "VMOVUPS", "Vps,Wps", vmovLoad),
	avxStore("0F.WIG 11 /r", "VMOVUPS", "Wps,Vps", vmovBack, vmovuStore),
	avx("66.0F.WIG 10 /r", "VMOVUPD", "Vpd,Wpd", vmovLoad),
	avxStore("66.0F.WIG 11 /r", "VMOVUPD", "Wpd,Vpd", vmovBack, vmovuStore),
	avxLoad("0F.WIG 28 /r", "VMOVAPS", "Vps,Wps", vmovLoad, vmovaLoad),
	avxStore("0F.WIG 29 /r", "VMOVAPS", "Wps,Vps", vmovBack, vmovaStore),
	avxLoad("66.0F.WIG 28 /r", "VMOVAPD", "Vpd,Wpd", vmovLoad, vmovaLoad),
	avxStore("66.0F.WIG 29 /r", "VMOVAPD", "Wpd,Vpd", vmovBack, vmovaStore),
	avxLoad("66.0F.WIG 6F /r", "VMOVDQA", "Vx,Wx", vmovLoad, vmovaLoad),
	avxStore("66.0F.WIG 7F /r", "VMOVDQA", "Wx,Vx", vmovBack, vmovaStore),
	avx("F3.0F.WIG 6F /r", "VMOVDQU", "Vx,Wx", vmovLoad),
	avxStore("F3.0F.WIG 7F /r", "VMOVDQU", "Wx,Vx", vmovBack, vmovuStore),
	avx("F2.0F.WIG F0 /r mem", "VLDDQU", "Vx,Mx", vmovLoad),
	avxNT("0F.WIG 2B /r", "VMOVNTPS", "Mps,Vps"),
	avxNT("66.0F.WIG 2B /r", "VMOVNTPD", "Mpd,Vpd"),
	avxNT("66.0F.WIG E7 /r", "VMOVNTDQ", "Mx,Vx"),
	both("AVX", "AVX2", "66.0F38.WIG 2A /r mem", "VMOVNTDQA", "Vx,Mx", vmovaLoad),
	avx("F2.0F.WIG 12 /r", "VMOVDDUP", "Vpd,Wpd", vmovddup),
	avx("F3.0F.WIG 12 /r", "VMOVSLDUP", "Vps,Wps", onV(duplicateEven32)),
	avx("F3.0F.WIG 16 /r", "VMOVSHDUP", "Vps,Wps", onV(duplicateOdd32)),
	avx("0F.WIG 50 /r reg", "VMOVMSKPS", "Gd,Ups", movemask(32)),
	avx("66.0F.WIG 50 /r reg", "VMOVMSKPD", "Gd,Upd", movemask(64)),
	both("AVX", "AVX2", "66.0F.WIG D7 /r reg", "VPMOVMSKB", "Gd,Ux", vpmovmskb),

	[]Row{
		vex("LIG.F3.0F.WIG 10 /r reg", "VMOVSS", "Vss,Hss,Uss", vmovss),
		vex("LIG.F3.0F.WIG 10 /r mem", "VMOVSS", "Vss,Md", zeroUpper(movdLoad)),
		vex("LIG.F3.0F.WIG 11 /r reg", "VMOVSS", "Uss,Hss,Vss", vmovssBack),
		vex("LIG.F3.0F.WIG 11 /r mem", "VMOVSS", "Md,Vss", storeLow32).effect("store"),
		vex("LIG.F2.0F.WIG 10 /r reg", "VMOVSD", "Vsd,Hsd,Usd", vmovsd),
		vex("LIG.F2.0F.WIG 10 /r mem", "VMOVSD", "Vsd,Mq", zeroUpper(movqLoad)),
		vex("LIG.F2.0F.WIG 11 /r reg", "VMOVSD", "Usd,Hsd,Vsd", vmovsdBack),
		vex("LIG.F2.0F.WIG 11 /r mem", "VMOVSD", "Mq,Vsd", storeLow64).effect("store"),

		vex("128.0F.WIG 12 /r mem", "VMOVLPS", "Vdq,Hdq,Mq", vmovlp),
		vex("128.0F.WIG 12 /r reg", "VMOVHLPS", "Vdq,Hdq,Udq", vmovhlps),
		vex("128.0F.WIG 13 /r mem", "VMOVLPS", "Mq,Vq", storeLow64).effect("store"),
		vex("128.0F.WIG 16 /r mem", "VMOVHPS", "Vdq,Hdq,Mq", vmovhp),
		vex("128.0F.WIG 16 /r reg", "VMOVLHPS", "Vdq,Hdq,Udq", vmovlhps),
		vex("128.0F.WIG 17 /r mem", "VMOVHPS", "Mq,Vq", storeHigh).effect("store"),
		vex("128.66.0F.WIG 12 /r mem", "VMOVLPD", "Vdq,Hdq,Mq", vmovlp),
		vex("128.66.0F.WIG 13 /r mem", "VMOVLPD", "Mq,Vq", storeLow64).effect("store"),
		vex("128.66.0F.WIG 16 /r mem", "VMOVHPD", "Vdq,Hdq,Mq", vmovhp),
		vex("128.66.0F.WIG 17 /r mem", "VMOVHPD", "Mq,Vq", storeHigh).effect("store"),

		vex("128.66.0F.W0 6E /r", "VMOVD", "Vdq,Ed", zeroUpper(movdLoad)),
		vex("128.66.0F.W1 6E /r", "VMOVQ", "Vdq,Eq", zeroUpper(movqLoad)),
		vex("128.66.0F.W0 7E /r", "VMOVD", "Ed,Vdq", nil).forms(movdBack, storeLow32).effect("store"),
		vex("128.66.0F.W1 7E /r", "VMOVQ", "Eq,Vdq", nil).forms(movqgBack, storeLow64).effect("store"),
		vex("128.F3.0F.WIG 7E /r", "VMOVQ", "Vdq,Wq", zeroUpper(movq)),
		vex("128.66.0F.WIG D6 /r", "VMOVQ", "Wq,Vdq", nil).forms(vmovqBack, storeLow64).effect("store"),

		vex("128.66.0F.WIG F7 /r reg", "VMASKMOVDQU", "Vdq,Udq", maskmovdqu).effect("nt-store"),
		vex("LZ.0F.WIG AE /2 mem", "VLDMXCSR", "Md", ldmxcsr),
		vex("LZ.0F.WIG AE /3 mem", "VSTMXCSR", "Md", stmxcsr).effect("store"),
		vex("128.0F.WIG 77", "VZEROUPPER", "", vzeroupper),
		vex("256.0F.WIG 77", "VZEROALL", "", vzeroall),
	})

// avxArithmetic makes the rows of an operation that exists packed and scalar, in
// single and double precision. source is "H" when a packed form has two sources.
func avxArithmetic(opcode, name, source string, single, double lane) []Row {
	h := func(kind string) string {
		if source == "" {
			return ""
		}
		return source + kind + ","
	}
	return slices.Concat(
		avx("0F.WIG "+opcode+" /r", name+"PS", "Vps,"+h("ps")+"Wps", packedV32(single)),
		avx("66.0F.WIG "+opcode+" /r", name+"PD", "Vpd,"+h("pd")+"Wpd", packedV64(double)),
		[]Row{
			vex("LIG.F3.0F.WIG "+opcode+" /r", name+"SS", "Vss,Hss,Wss", scalarV32(single)),
			vex("LIG.F2.0F.WIG "+opcode+" /r", name+"SD", "Vsd,Hsd,Wsd", scalarV64(double)),
		})
}

// avxLogic makes the rows of an operation on bits for both kinds of numbers.
func avxLogic(opcode, name string, f func(a, b uint64) uint64) []Row {
	return append(avx("0F.WIG "+opcode+" /r", name+"PS", "Vps,Hps,Wps", quadsV(f)),
		avx("66.0F.WIG "+opcode+" /r", name+"PD", "Vpd,Hpd,Wpd", quadsV(f))...)
}

func and64(a, b uint64) uint64  { return a & b }
func andn64(a, b uint64) uint64 { return b &^ a }
func or64(a, b uint64) uint64   { return a | b }
func xor64(a, b uint64) uint64  { return a ^ b }

var avxFloats = slices.Concat(
	avxArithmetic("51", "VSQRT", "", sqrt32, sqrt64),
	avxArithmetic("58", "VADD", "H", add32, add64),
	avxArithmetic("59", "VMUL", "H", mul32, mul64),
	avxArithmetic("5C", "VSUB", "H", sub32, sub64),
	avxArithmetic("5D", "VMIN", "H", min32, min64),
	avxArithmetic("5E", "VDIV", "H", div32, div64),
	avxArithmetic("5F", "VMAX", "H", max32, max64),
	avxLogic("54", "VAND", and64),
	avxLogic("55", "VANDN", andn64),
	avxLogic("56", "VOR", or64),
	avxLogic("57", "VXOR", xor64),
	avx("0F.WIG 52 /r", "VRSQRTPS", "Vps,Wps", packedV32(rsqrt32)),
	avx("0F.WIG 53 /r", "VRCPPS", "Vps,Wps", packedV32(rcp32)),
	avx("F2.0F.WIG D0 /r", "VADDSUBPS", "Vps,Hps,Wps", floatsV(addSub32)),
	avx("66.0F.WIG D0 /r", "VADDSUBPD", "Vpd,Hpd,Wpd", floatsV(addSub64)),
	avx("F2.0F.WIG 7C /r", "VHADDPS", "Vps,Hps,Wps", floatsV(horizontal32(add32))),
	avx("66.0F.WIG 7C /r", "VHADDPD", "Vpd,Hpd,Wpd", floatsV(horizontal64(add64))),
	avx("F2.0F.WIG 7D /r", "VHSUBPS", "Vps,Hps,Wps", floatsV(horizontal32(sub32))),
	avx("66.0F.WIG 7D /r", "VHSUBPD", "Vpd,Hpd,Wpd", floatsV(horizontal64(sub64))),
	avx("0F.WIG C2 /r ib", "VCMPPS", "Vps,Hps,Wps,Ib", byPredicateV(&single, packedV32)),
	avx("66.0F.WIG C2 /r ib", "VCMPPD", "Vpd,Hpd,Wpd,Ib", byPredicateV(&double, packedV64)),
	avx("66.0F3A.WIG 08 /r ib", "VROUNDPS", "Vps,Wps,Ib", byRounding(&single, packedV32)),
	avx("66.0F3A.WIG 09 /r ib", "VROUNDPD", "Vpd,Wpd,Ib", byRounding(&double, packedV64)),
	avx("66.0F3A.WIG 40 /r ib", "VDPPS", "Vps,Hps,Wps,Ib", vdpps),
	[]Row{
		vex("128.66.0F3A.WIG 41 /r ib", "VDPPD", "Vpd,Hpd,Wpd,Ib", vdppd),
		vex("LIG.F3.0F.WIG 52 /r", "VRSQRTSS", "Vss,Hss,Wss", scalarV32(rsqrt32)),
		vex("LIG.F3.0F.WIG 53 /r", "VRCPSS", "Vss,Hss,Wss", scalarV32(rcp32)),
		vex("LIG.F3.0F.WIG C2 /r ib", "VCMPSS", "Vss,Hss,Wss,Ib", byPredicateV(&single, scalarV32)),
		vex("LIG.F2.0F.WIG C2 /r ib", "VCMPSD", "Vsd,Hsd,Wsd,Ib", byPredicateV(&double, scalarV64)),
		vex("LIG.66.0F3A.WIG 0A /r ib", "VROUNDSS", "Vss,Hss,Wss,Ib", byRounding(&single, scalarV32)),
		vex("LIG.66.0F3A.WIG 0B /r ib", "VROUNDSD", "Vsd,Hsd,Wsd,Ib", byRounding(&double, scalarV64)),
		vex("LIG.0F.WIG 2E /r", "VUCOMISS", "Vss,Wss", comparison(&single, false)).writesFlags("oszapc"),
		vex("LIG.0F.WIG 2F /r", "VCOMISS", "Vss,Wss", comparison(&single, true)).writesFlags("oszapc"),
		vex("LIG.66.0F.WIG 2E /r", "VUCOMISD", "Vsd,Wsd", comisd(comparison(&double, false))).writesFlags("oszapc"),
		vex("LIG.66.0F.WIG 2F /r", "VCOMISD", "Vsd,Wsd", comisd(comparison(&double, true))).writesFlags("oszapc"),
	})

var avxConversions = slices.Concat(
	[]Row{
		vex("LIG.F3.0F 2A /r", "VCVTSI2SS", "Vss,Hss,Ey", vcvtsi2ss),
		vex("LIG.F2.0F 2A /r", "VCVTSI2SD", "Vsd,Hsd,Ey", vcvtsi2sd),
		vex("LIG.F3.0F 2C /r", "VCVTTSS2SI", "Gy,Wss", toGeneral(&single, true)),
		vex("LIG.F2.0F 2C /r", "VCVTTSD2SI", "Gy,Wsd", toGeneral(&double, true)),
		vex("LIG.F3.0F 2D /r", "VCVTSS2SI", "Gy,Wss", toGeneral(&single, false)),
		vex("LIG.F2.0F 2D /r", "VCVTSD2SI", "Gy,Wsd", toGeneral(&double, false)),
		vex("LIG.F3.0F.WIG 5A /r", "VCVTSS2SD", "Vsd,Hsd,Wss", vcvtss2sd),
		vex("LIG.F2.0F.WIG 5A /r", "VCVTSD2SS", "Vss,Hss,Wsd", vcvtsd2ss),
	},
	avx("0F.WIG 5A /r", "VCVTPS2PD", "Vpd,Wq", widenV(toDouble)),
	avx("66.0F.WIG 5A /r", "VCVTPD2PS", "Vdq,Wpd", narrowV(toSingle)),
	avx("0F.WIG 5B /r", "VCVTDQ2PS", "Vps,Wx", packedV32(singleFromInt)),
	avx("66.0F.WIG 5B /r", "VCVTPS2DQ", "Vx,Wps", packedV32(ofLane(intFrom(&single, false)))),
	avx("F3.0F.WIG 5B /r", "VCVTTPS2DQ", "Vx,Wps", packedV32(ofLane(intFrom(&single, true)))),
	avx("66.0F.WIG E6 /r", "VCVTTPD2DQ", "Vdq,Wpd", narrowV(intFrom(&double, true))),
	avx("F2.0F.WIG E6 /r", "VCVTPD2DQ", "Vdq,Wpd", narrowV(intFrom(&double, false))),
	avx("F3.0F.WIG E6 /r", "VCVTDQ2PD", "Vpd,Wq", widenV(doubleFromInt)))
