package x86

import "slices"

// The rows of SSE3 (without MONITOR and MWAIT, which have a CPUID bit of their
// own and no use in user mode) and of SSSE3. FISTTP stands with the x87 rows.

var sse3Rows = slices.Concat([]Row{
	sse("F2 0F D0 /r", "ADDSUBPS", "Vps,Wps", onXFloat(addSub32)).feature("SSE3"),
	sse("66 0F D0 /r", "ADDSUBPD", "Vpd,Wpd", onXFloat(addSub64)).feature("SSE3"),
	sse("F2 0F 7C /r", "HADDPS", "Vps,Wps", onXFloat(horizontal32(add32))).feature("SSE3"),
	sse("66 0F 7C /r", "HADDPD", "Vpd,Wpd", onXFloat(horizontal64(add64))).feature("SSE3"),
	sse("F2 0F 7D /r", "HSUBPS", "Vps,Wps", onXFloat(horizontal32(sub32))).feature("SSE3"),
	sse("66 0F 7D /r", "HSUBPD", "Vpd,Wpd", onXFloat(horizontal64(sub64))).feature("SSE3"),
	sse("F2 0F 12 /r", "MOVDDUP", "Vpd,Wq", movddup).feature("SSE3"),
	sse("F3 0F 12 /r", "MOVSLDUP", "Vps,Wps", onX(duplicateEven32)).feature("SSE3"),
	sse("F3 0F 16 /r", "MOVSHDUP", "Vps,Wps", onX(duplicateOdd32)).feature("SSE3"),
	sse("F2 0F F0 /r mem", "LDDQU", "Vx,Mx", movuLoad).feature("SSE3"),
},
	ssse3("00", "PSHUFB", onMM(pshufb64), onX(shuffleBytes)),
	ssse3("01", "PHADDW", onMM(addPairs16), onX(pack(addPairs16))),
	ssse3("02", "PHADDD", onMM(addPairs32), onX(pack(addPairs32))),
	ssse3("03", "PHADDSW", onMM(addPairsSat16), onX(pack(addPairsSat16))),
	ssse3("04", "PMADDUBSW", onMM(mulAdd8), halves(mulAdd8)),
	ssse3("05", "PHSUBW", onMM(subPairs16), onX(pack(subPairs16))),
	ssse3("06", "PHSUBD", onMM(subPairs32), onX(pack(subPairs32))),
	ssse3("07", "PHSUBSW", onMM(subPairsSat16), onX(pack(subPairsSat16))),
	ssse3("08", "PSIGNB", onMM(eachLane(high8, signLanes)), lanes(high8, signLanes)),
	ssse3("09", "PSIGNW", onMM(eachLane(high16, signLanes)), lanes(high16, signLanes)),
	ssse3("0A", "PSIGND", onMM(eachLane(high32, signLanes)), lanes(high32, signLanes)),
	ssse3("0B", "PMULHRSW", onMM(mulHighRound16), halves(mulHighRound16)),
	ssse3("1C", "PABSB", onMM(eachLane(high8, absLanes)), lanes(high8, absLanes)),
	ssse3("1D", "PABSW", onMM(eachLane(high16, absLanes)), lanes(high16, absLanes)),
	ssse3("1E", "PABSD", onMM(eachLane(high32, absLanes)), lanes(high32, absLanes)),
	[]Row{
		sse("NP 0F 3A 0F /r ib", "PALIGNR", "Pq,Qq,Ib", palignrMM).feature("SSSE3"),
		sse("66 0F 3A 0F /r ib", "PALIGNR", "Vx,Wx,Ib", onX(alignBytes)).feature("SSSE3"),
	})

// ssse3 makes the two rows of an instruction that exists for both kinds of register.
func ssse3(opcode, name string, mm, xmm handler) []Row {
	return []Row{
		sse("NP 0F 38 "+opcode+" /r", name, "Pq,Qq", mm).feature("SSSE3"),
		sse("66 0F 38 "+opcode+" /r", name, "Vx,Wx", xmm).feature("SSSE3"),
	}
}
