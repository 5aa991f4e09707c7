package x86

import "slices"

// avxInt makes the rows of an integer instruction, of 128 bits since AVX and of
// 256 since AVX2.
func avxInt(enc, name, args string, h handler) []Row {
	return both("AVX", "AVX2", enc, name, args, h)
}

// avx2 makes the rows of an instruction that came with AVX2 in both lengths.
func avx2(enc, name, args string, h handler) []Row {
	return both("AVX2", "AVX2", enc, name, args, h)
}

func avxIntegers() (t []Row) {
	op := func(enc, name string, h handler) {
		opmap, opcode := "0F", enc
		if len(enc) > 2 {
			opmap, opcode = "0F38", enc[3:]
		}
		t = append(t, avxInt("66."+opmap+".WIG "+opcode+" /r", name, "Vx,Hx,Wx", h)...)
	}
	op("FC", "VPADDB", lanesV(high8, plain(addLanes)))
	op("FD", "VPADDW", lanesV(high16, plain(addLanes)))
	op("FE", "VPADDD", vpaddd)
	op("D4", "VPADDQ", quadsV(func(a, b uint64) uint64 { return a + b }))
	op("F8", "VPSUBB", lanesV(high8, plain(subLanes)))
	op("F9", "VPSUBW", lanesV(high16, plain(subLanes)))
	op("FA", "VPSUBD", lanesV(high32, plain(subLanes)))
	op("FB", "VPSUBQ", quadsV(func(a, b uint64) uint64 { return a - b }))
	op("EC", "VPADDSB", lanesV(high8, addSignedSat))
	op("ED", "VPADDSW", lanesV(high16, addSignedSat))
	op("DC", "VPADDUSB", lanesV(high8, addUnsignedSat))
	op("DD", "VPADDUSW", lanesV(high16, addUnsignedSat))
	op("E8", "VPSUBSB", lanesV(high8, subSignedSat))
	op("E9", "VPSUBSW", lanesV(high16, subSignedSat))
	op("D8", "VPSUBUSB", lanesV(high8, subUnsignedSat))
	op("D9", "VPSUBUSW", lanesV(high16, subUnsignedSat))

	op("D5", "VPMULLW", quadsV(mulLow16))
	op("E5", "VPMULHW", quadsV(mulHigh16))
	op("E4", "VPMULHUW", quadsV(mulHighUnsigned16))
	op("F4", "VPMULUDQ", quadsV(func(a, b uint64) uint64 { return low32(a) * low32(b) }))
	op("F5", "VPMADDWD", quadsV(mulAdd16))
	op("F6", "VPSADBW", quadsV(sumDifferences))
	op("E0", "VPAVGB", quadsV(func(a, b uint64) uint64 { return average(a, b, high8) }))
	op("E3", "VPAVGW", quadsV(func(a, b uint64) uint64 { return average(a, b, high16) }))
	op("38 04", "VPMADDUBSW", quadsV(mulAdd8))
	op("38 0B", "VPMULHRSW", quadsV(mulHighRound16))
	op("38 28", "VPMULDQ", quadsV(mulSigned32))
	op("38 40", "VPMULLD", quadsV(mulLow32))

	op("DA", "VPMINUB", vpminub)
	op("DE", "VPMAXUB", lanesV(high8, maxUnsigned))
	op("EA", "VPMINSW", lanesV(high16, minSigned))
	op("EE", "VPMAXSW", lanesV(high16, maxSigned))
	op("38 38", "VPMINSB", lanesV(high8, minSigned))
	op("38 39", "VPMINSD", lanesV(high32, minSigned))
	op("38 3A", "VPMINUW", lanesV(high16, minUnsigned))
	op("38 3B", "VPMINUD", lanesV(high32, minUnsigned))
	op("38 3C", "VPMAXSB", lanesV(high8, maxSigned))
	op("38 3D", "VPMAXSD", lanesV(high32, maxSigned))
	op("38 3E", "VPMAXUW", lanesV(high16, maxUnsigned))
	op("38 3F", "VPMAXUD", lanesV(high32, maxUnsigned))

	op("74", "VPCMPEQB", vpcmpeqb)
	op("75", "VPCMPEQW", lanesV(high16, equalLanes))
	op("76", "VPCMPEQD", lanesV(high32, equalLanes))
	op("64", "VPCMPGTB", lanesV(high8, greaterSigned))
	op("65", "VPCMPGTW", lanesV(high16, greaterSigned))
	op("66", "VPCMPGTD", lanesV(high32, greaterSigned))
	op("38 29", "VPCMPEQQ", quadsV(equal64))
	op("38 37", "VPCMPGTQ", quadsV(greater64))

	op("DB", "VPAND", vpand)
	op("DF", "VPANDN", quadsV(andn64))
	op("EB", "VPOR", vpor)
	op("EF", "VPXOR", vpxor)

	op("38 01", "VPHADDW", onV(pack(addPairs16)))
	op("38 02", "VPHADDD", onV(pack(addPairs32)))
	op("38 03", "VPHADDSW", onV(pack(addPairsSat16)))
	op("38 05", "VPHSUBW", onV(pack(subPairs16)))
	op("38 06", "VPHSUBD", onV(pack(subPairs32)))
	op("38 07", "VPHSUBSW", onV(pack(subPairsSat16)))
	op("38 08", "VPSIGNB", lanesV(high8, signLanes))
	op("38 09", "VPSIGNW", lanesV(high16, signLanes))
	op("38 0A", "VPSIGND", lanesV(high32, signLanes))

	op("F1", "VPSLLW", logicalLeft16.byRegisterV())
	op("F2", "VPSLLD", logicalLeft32.byRegisterV())
	op("F3", "VPSLLQ", logicalLeft64.byRegisterV())
	op("D1", "VPSRLW", logicalRight16.byRegisterV())
	op("D2", "VPSRLD", logicalRight32.byRegisterV())
	op("D3", "VPSRLQ", logicalRight64.byRegisterV())
	op("E1", "VPSRAW", arithRight16.byRegisterV())
	op("E2", "VPSRAD", arithRight32.byRegisterV())
	return slices.Concat(t, avxImmediateShifts,
		avx2("66.0F38.W0 47 /r", "VPSLLVD", "Vx,Hx,Wx", quadsV(logicalLeft32.variable32)),
		avx2("66.0F38.W1 47 /r", "VPSLLVQ", "Vx,Hx,Wx", quadsV(logicalLeft64.variable64)),
		avx2("66.0F38.W0 45 /r", "VPSRLVD", "Vx,Hx,Wx", quadsV(logicalRight32.variable32)),
		avx2("66.0F38.W1 45 /r", "VPSRLVQ", "Vx,Hx,Wx", quadsV(logicalRight64.variable64)),
		avx2("66.0F38.W0 46 /r", "VPSRAVD", "Vx,Hx,Wx", quadsV(arithRight32.variable32)),
		avxInt("66.0F38.WIG 1C /r", "VPABSB", "Vx,Wx", lanesV(high8, absLanes)),
		avxInt("66.0F38.WIG 1D /r", "VPABSW", "Vx,Wx", lanesV(high16, absLanes)),
		avxInt("66.0F38.WIG 1E /r", "VPABSD", "Vx,Wx", lanesV(high32, absLanes)),
		avxExtensions())
}

var avxImmediateShifts = slices.Concat(
	avxInt("66.0F.WIG 71 /6 reg ib", "VPSLLW", "Hx,Ux,Ib", logicalLeft16.byImmediateV()),
	avxInt("66.0F.WIG 72 /6 reg ib", "VPSLLD", "Hx,Ux,Ib", logicalLeft32.byImmediateV()),
	avxInt("66.0F.WIG 73 /6 reg ib", "VPSLLQ", "Hx,Ux,Ib", logicalLeft64.byImmediateV()),
	avxInt("66.0F.WIG 71 /2 reg ib", "VPSRLW", "Hx,Ux,Ib", logicalRight16.byImmediateV()),
	avxInt("66.0F.WIG 72 /2 reg ib", "VPSRLD", "Hx,Ux,Ib", logicalRight32.byImmediateV()),
	avxInt("66.0F.WIG 73 /2 reg ib", "VPSRLQ", "Hx,Ux,Ib", logicalRight64.byImmediateV()),
	avxInt("66.0F.WIG 71 /4 reg ib", "VPSRAW", "Hx,Ux,Ib", arithRight16.byImmediateV()),
	avxInt("66.0F.WIG 72 /4 reg ib", "VPSRAD", "Hx,Ux,Ib", arithRight32.byImmediateV()),
	avxInt("66.0F.WIG 73 /7 reg ib", "VPSLLDQ", "Hx,Ux,Ib", toVVVV(shiftBytesLeft)),
	avxInt("66.0F.WIG 73 /3 reg ib", "VPSRLDQ", "Hx,Ux,Ib", toVVVV(shiftBytesRight)))

// avxExtensions are VPMOVSX and VPMOVZX.
func avxExtensions() (t []Row) {
	for i, e := range [...]struct {
		name     string
		from, to uint
	}{{"BW", 8, 16}, {"BD", 8, 32}, {"BQ", 8, 64}, {"WD", 16, 32}, {"WQ", 16, 64}, {"DQ", 32, 64}} {
		opcode := "012345"[i : i+1]
		t = append(t, avxInt("66.0F38.WIG 2"+opcode+" /r", "VPMOVSX"+e.name, "Vx,Wdq", extendV(e.from, e.to, true))...)
		t = append(t, avxInt("66.0F38.WIG 3"+opcode+" /r", "VPMOVZX"+e.name, "Vx,Wdq", extendV(e.from, e.to, false))...)
	}
	return t
}

// avxShuffles move elements about.
func avxShuffles() []Row {
	return slices.Concat(avxInterleaved(), avxPermutations(), avxBroadcasts(), avxElements)
}

func avxInterleaved() []Row {
	return slices.Concat(
		avx("0F.WIG C6 /r ib", "VSHUFPS", "Vps,Hps,Wps,Ib", onV(shuffleSingles)),
		avx("66.0F.WIG C6 /r ib", "VSHUFPD", "Vpd,Hpd,Wpd,Ib", halvesV(shuffleDoubles, 2)),
		avxInt("66.0F.WIG 70 /r ib", "VPSHUFD", "Vx,Wx,Ib", onV(shuffle32)),
		avxInt("F3.0F.WIG 70 /r ib", "VPSHUFHW", "Vx,Wx,Ib", onV(shuffleHigh16)),
		avxInt("F2.0F.WIG 70 /r ib", "VPSHUFLW", "Vx,Wx,Ib", onV(shuffleLow16)),
		avxInt("66.0F38.WIG 00 /r", "VPSHUFB", "Vx,Hx,Wx", onV(shuffleBytes)),
		avxInt("66.0F3A.WIG 0F /r ib", "VPALIGNR", "Vx,Hx,Wx,Ib", onV(alignBytes)),
		avxInt("66.0F3A.WIG 42 /r ib", "VMPSADBW", "Vx,Hx,Wx,Ib", halvesV(multipleDifferences, 3)),

		avx("0F.WIG 14 /r", "VUNPCKLPS", "Vps,Hps,Wps", onV(unpack(false, 32, spread32))),
		avx("0F.WIG 15 /r", "VUNPCKHPS", "Vps,Hps,Wps", onV(unpack(true, 32, spread32))),
		avx("66.0F.WIG 14 /r", "VUNPCKLPD", "Vpd,Hpd,Wpd", onV(unpackLow64)),
		avx("66.0F.WIG 15 /r", "VUNPCKHPD", "Vpd,Hpd,Wpd", onV(unpackHigh64)),
		avxInt("66.0F.WIG 60 /r", "VPUNPCKLBW", "Vx,Hx,Wx", onV(unpack(false, 8, spread8))),
		avxInt("66.0F.WIG 61 /r", "VPUNPCKLWD", "Vx,Hx,Wx", onV(unpack(false, 16, spread16))),
		avxInt("66.0F.WIG 62 /r", "VPUNPCKLDQ", "Vx,Hx,Wx", onV(unpack(false, 32, spread32))),
		avxInt("66.0F.WIG 6C /r", "VPUNPCKLQDQ", "Vx,Hx,Wx", onV(unpackLow64)),
		avxInt("66.0F.WIG 68 /r", "VPUNPCKHBW", "Vx,Hx,Wx", onV(unpack(true, 8, spread8))),
		avxInt("66.0F.WIG 69 /r", "VPUNPCKHWD", "Vx,Hx,Wx", onV(unpack(true, 16, spread16))),
		avxInt("66.0F.WIG 6A /r", "VPUNPCKHDQ", "Vx,Hx,Wx", onV(unpack(true, 32, spread32))),
		avxInt("66.0F.WIG 6D /r", "VPUNPCKHQDQ", "Vx,Hx,Wx", onV(unpackHigh64)),
		avxInt("66.0F.WIG 63 /r", "VPACKSSWB", "Vx,Hx,Wx", onV(pack(packSigned16))),
		avxInt("66.0F.WIG 67 /r", "VPACKUSWB", "Vx,Hx,Wx", onV(pack(packUnsigned16))),
		avxInt("66.0F.WIG 6B /r", "VPACKSSDW", "Vx,Hx,Wx", onV(pack(packSigned32))),
		avxInt("66.0F38.WIG 2B /r", "VPACKUSDW", "Vx,Hx,Wx", onV(pack(packUnsigned32))))
}

func avxPermutations() []Row {
	return slices.Concat(
		avx("66.0F3A.WIG 0C /r ib", "VBLENDPS", "Vps,Hps,Wps,Ib", halvesV(blendImmediate(32), 4)),
		avx("66.0F3A.WIG 0D /r ib", "VBLENDPD", "Vpd,Hpd,Wpd,Ib", halvesV(blendImmediate(64), 2)),
		avxInt("66.0F3A.WIG 0E /r ib", "VPBLENDW", "Vx,Hx,Wx,Ib", onV(blendImmediate(16))),
		avx2("66.0F3A.W0 02 /r ib", "VPBLENDD", "Vx,Hx,Wx,Ib", halvesV(blendImmediate(32), 4)),
		avx("66.0F3A.W0 4A /r /is4", "VBLENDVPS", "Vps,Hps,Wps,Lps", blendVariableV(high32, 32)),
		avx("66.0F3A.W0 4B /r /is4", "VBLENDVPD", "Vpd,Hpd,Wpd,Lpd", blendVariableV(1<<63, 64)),
		avxInt("66.0F3A.W0 4C /r /is4", "VPBLENDVB", "Vx,Hx,Wx,Lx", blendVariableV(high8, 8)),
		avx("66.0F38.W0 0C /r", "VPERMILPS", "Vps,Hps,Wps", onV(permuteSingles)),
		avx("66.0F38.W0 0D /r", "VPERMILPD", "Vpd,Hpd,Wpd", onV(permuteDoubles)),
		avx("66.0F3A.W0 04 /r ib", "VPERMILPS", "Vps,Wps,Ib", onV(shuffle32)),
		avx("66.0F3A.W0 05 /r ib", "VPERMILPD", "Vpd,Wpd,Ib", halvesV(permuteDoublesImmediate, 2)),
		[]Row{
			vex("256.66.0F3A.W0 06 /r ib", "VPERM2F128", "Vx,Hx,Wx,Ib", vperm2f128),
			vex("256.66.0F3A.W0 46 /r ib", "VPERM2I128", "Vx,Hx,Wx,Ib", vperm2f128).feature("AVX2"),
			vex("256.66.0F38.W0 16 /r", "VPERMPS", "Vps,Hps,Wps", vpermd).feature("AVX2"),
			vex("256.66.0F38.W0 36 /r", "VPERMD", "Vx,Hx,Wx", vpermd).feature("AVX2"),
			vex("256.66.0F3A.W1 00 /r ib", "VPERMQ", "Vx,Wx,Ib", vpermq).feature("AVX2"),
			vex("256.66.0F3A.W1 01 /r ib", "VPERMPD", "Vpd,Wpd,Ib", vpermq).feature("AVX2"),
			vex("256.66.0F3A.W0 18 /r ib", "VINSERTF128", "Vx,Hx,Wdq,Ib", vinsertf128),
			vex("256.66.0F3A.W0 38 /r ib", "VINSERTI128", "Vx,Hx,Wdq,Ib", vinsertf128).feature("AVX2"),
			vex("256.66.0F3A.W0 19 /r ib", "VEXTRACTF128", "Wdq,Vx,Ib", vextractf128).effect("store"),
			vex("256.66.0F3A.W0 39 /r ib", "VEXTRACTI128", "Wdq,Vx,Ib", vextractf128).effect("store").feature("AVX2"),
		})
}

func avxBroadcasts() []Row {
	return slices.Concat(
		avx("66.0F38.W0 18 /r mem", "VBROADCASTSS", "Vps,Md", broadcast(32)),
		avx2("66.0F38.W0 18 /r reg", "VBROADCASTSS", "Vps,Udq", broadcast(32)),
		avx2("66.0F38.W0 78 /r", "VPBROADCASTB", "Vx,Wdq", broadcast(8)),
		avx2("66.0F38.W0 79 /r", "VPBROADCASTW", "Vx,Wdq", broadcast(16)),
		avx2("66.0F38.W0 58 /r", "VPBROADCASTD", "Vx,Wdq", broadcast(32)),
		avx2("66.0F38.W0 59 /r", "VPBROADCASTQ", "Vx,Wdq", broadcast(64)),
		[]Row{
			vex("256.66.0F38.W0 19 /r mem", "VBROADCASTSD", "Vpd,Mq", broadcast(64)),
			vex("256.66.0F38.W0 19 /r reg", "VBROADCASTSD", "Vpd,Udq", broadcast(64)).feature("AVX2"),
			vex("256.66.0F38.W0 1A /r mem", "VBROADCASTF128", "Vx,Mdq", vbroadcastf128),
			vex("256.66.0F38.W0 5A /r mem", "VBROADCASTI128", "Vx,Mdq", vbroadcastf128).feature("AVX2"),
		})
}

// avxElements are insertions, extractions and comparisons, of 128 bits but for tests.
var avxElements = slices.Concat(
	each(avx("66.0F38.WIG 17 /r", "VPTEST", "Vx,Wx", testV(^uint64(0))), writesAll),
	each(avx("66.0F38.W0 0E /r", "VTESTPS", "Vps,Wps", testV(high32)), writesAll),
	each(avx("66.0F38.W0 0F /r", "VTESTPD", "Vpd,Wpd", testV(1<<63)), writesAll),
	[]Row{
		vex("128.66.0F.WIG C4 /r ib", "VPINSRW", "Vdq,Hdq,Ew,Ib", insertV(16, generalV(2))),
		vex("128.66.0F3A.WIG 20 /r reg ib", "VPINSRB", "Vdq,Hdq,Rd,Ib", insertV(8, generalV(1))),
		vex("128.66.0F3A.WIG 20 /r mem ib", "VPINSRB", "Vdq,Hdq,Mb,Ib", insertV(8, generalV(1))),
		vex("128.66.0F3A.WIG 21 /r ib", "VINSERTPS", "Vdq,Hdq,Wss,Ib", vinsertps),
		vex("128.66.0F3A.W0 22 /r ib", "VPINSRD", "Vdq,Hdq,Ed,Ib", insertV(32, generalV(4))),
		vex("128.66.0F3A.W1 22 /r ib", "VPINSRQ", "Vdq,Hdq,Eq,Ib", insertV(64, generalV(8))),
		vex("128.66.0F.WIG C5 /r reg ib", "VPEXTRW", "Gd,Udq,Ib", pextrw),
		vex("128.66.0F3A.WIG 14 /r reg ib", "VPEXTRB", "Rd,Vdq,Ib", pextrbReg),
		vex("128.66.0F3A.WIG 14 /r mem ib", "VPEXTRB", "Mb,Vdq,Ib", pextrbMem).effect("store"),
		vex("128.66.0F3A.WIG 15 /r reg ib", "VPEXTRW", "Rd,Vdq,Ib", pextrwBack),
		vex("128.66.0F3A.WIG 15 /r mem ib", "VPEXTRW", "Mw,Vdq,Ib", pextrwMem).effect("store"),
		vex("128.66.0F3A.W0 16 /r ib", "VPEXTRD", "Ed,Vdq,Ib", nil).forms(pextrdReg, pextrdMem).effect("store"),
		vex("128.66.0F3A.W1 16 /r ib", "VPEXTRQ", "Eq,Vdq,Ib", nil).forms(pextrqReg, pextrqMem).effect("store"),
		vex("128.66.0F3A.WIG 17 /r reg ib", "VEXTRACTPS", "Rd,Vdq,Ib", pextrdReg),
		vex("128.66.0F3A.WIG 17 /r mem ib", "VEXTRACTPS", "Md,Vdq,Ib", pextrdMem).effect("store"),
		vex("128.66.0F38.WIG 41 /r", "VPHMINPOSUW", "Vdq,Wdq", onV(minPosition16)),
		vex("128.66.0F3A 60 /r ib", "VPCMPESTRM", "Vdq,Wdq,Ib", vstringMask(true)).writesFlags("oszapc"),
		vex("128.66.0F3A 61 /r ib", "VPCMPESTRI", "Vdq,Wdq,Ib", stringIndex(true)).writesFlags("oszapc"),
		vex("128.66.0F3A.WIG 62 /r ib", "VPCMPISTRM", "Vdq,Wdq,Ib", vstringMask(false)).writesFlags("oszapc"),
		vex("128.66.0F3A.WIG 63 /r ib", "VPCMPISTRI", "Vdq,Wdq,Ib", stringIndex(false)).writesFlags("oszapc"),
	})

func writesAll(r Row) Row { return r.writesFlags("oszapc") }

// vstringMask clears the rest of the register that PCMPESTRM and PCMPISTRM write.
func vstringMask(explicit bool) handler {
	h := stringMask(explicit)
	return func(c *CPU, in *Inst) {
		h(c, in)
		c.V[0][2], c.V[0][3] = 0, 0
	}
}

func avxMasked() []Row {
	store := func(r Row) Row { return r.effect("store") }
	separate := func(r Row) Row { return r.picks(distinct(r.Pick(nil))) }
	return slices.Concat(
		avx("66.0F38.W0 2C /r mem", "VMASKMOVPS", "Vps,Hps,Mps", maskLoad(32)),
		avx("66.0F38.W0 2D /r mem", "VMASKMOVPD", "Vpd,Hpd,Mpd", maskLoad(64)),
		each(avx("66.0F38.W0 2E /r mem", "VMASKMOVPS", "Mps,Hps,Vps", maskStore(32)), store),
		each(avx("66.0F38.W0 2F /r mem", "VMASKMOVPD", "Mpd,Hpd,Vpd", maskStore(64)), store),
		avx2("66.0F38.W0 8C /r mem", "VPMASKMOVD", "Vx,Hx,Mx", maskLoad(32)),
		avx2("66.0F38.W1 8C /r mem", "VPMASKMOVQ", "Vx,Hx,Mx", maskLoad(64)),
		each(avx2("66.0F38.W0 8E /r mem", "VPMASKMOVD", "Mx,Hx,Vx", maskStore(32)), store),
		each(avx2("66.0F38.W1 8E /r mem", "VPMASKMOVQ", "Mx,Hx,Vx", maskStore(64)), store),
		each(avx2("66.0F38.W0 92 /r vsib", "VGATHERDPS", "Vps,Mps,Hps", gather(32, 32)), separate),
		each(avx2("66.0F38.W1 92 /r vsib", "VGATHERDPD", "Vpd,Mpd,Hpd", gather(64, 32)), separate),
		each(avx2("66.0F38.W0 93 /r vsib", "VGATHERQPS", "Vdq,Mdq,Hdq", gather(32, 64)), separate),
		each(avx2("66.0F38.W1 93 /r vsib", "VGATHERQPD", "Vpd,Mpd,Hpd", gather(64, 64)), separate),
		each(avx2("66.0F38.W0 90 /r vsib", "VPGATHERDD", "Vx,Mx,Hx", gather(32, 32)), separate),
		each(avx2("66.0F38.W1 90 /r vsib", "VPGATHERDQ", "Vx,Mx,Hx", gather(64, 32)), separate),
		each(avx2("66.0F38.W0 91 /r vsib", "VPGATHERQD", "Vdq,Mdq,Hdq", gather(32, 64)), separate),
		each(avx2("66.0F38.W1 91 /r vsib", "VPGATHERQQ", "Vx,Mx,Hx", gather(64, 64)), separate))
}
