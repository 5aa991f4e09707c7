package x86

import (
	"fmt"
	"slices"
)

const (
	allFlags = "oszapc"
	store    = "store"
)

// integerRows are the general-purpose instructions.
var integerRows = slices.Concat(aluRows(), moveRows, stackRows, arithRows, shiftRows(), bitRows, bmiRows, conditionRows(), flowRows, flagRows, stringRows, nopRows)

// lockable gives h its LOCK form when the prefix is there.
func lockable(pick func(in *Inst) handler) func(in *Inst) handler {
	return func(in *Inst) handler {
		h := pick(in)
		if h != nil && in.prefix&prefixLock != 0 {
			return locked(h)
		}
		return h
	}
}

// wide picks handler [0] at 32 and [1] at 64 bits, and slow at 8 and 16.
func wide(in *Inst, h [2]handler, slow handler) handler {
	switch in.width {
	case 4:
		return h[0]
	case 8:
		return h[1]
	}
	return slow
}

// registers picks r32 or r64 for a register operand of that width, and slow otherwise.
func registers(r32, r64, slow handler) func(in *Inst) handler {
	return func(in *Inst) handler {
		if !in.isReg() {
			return slow
		}
		return wide(in, [2]handler{r32, r64}, slow)
	}
}

// aluRows are ADD, OR, ADC, SBB, AND, SUB, XOR and CMP in their nine encodings.
func aluRows() (t []Row) {
	for op, name := range [...]string{"ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"} {
		op, s := uint8(op), &aluTable[op]
		undef, effect := "", store
		if op == aluOR || op == aluAND || op == aluXOR {
			undef = "a"
		}
		if op == aluCMP {
			effect = ""
		}
		eg := func(in *Inst) handler {
			in.cc = op
			switch {
			case !in.isReg():
				return wide(in, s.mr, aluEG)
			case (op == aluXOR || op == aluSUB) && in.rm == in.reg && in.width >= 4:
				return zeroing
			}
			return wide(in, s.rr, aluEG)
		}
		ge := func(in *Inst) handler {
			in.cc = op
			if !in.isReg() {
				return wide(in, s.rm, aluGE)
			}
			if in.width >= 4 {
				in.reg, in.rm = in.rm, in.reg
				return eg(in)
			}
			return aluGE
		}
		ei := func(in *Inst) handler {
			in.cc = op
			switch {
			case in.isReg():
				return wide(in, s.ri, aluEI)
			case op == aluCMP && in.width == 1:
				return cmpByteMI
			}
			return wide(in, s.mi, aluEI)
		}
		acc := func(in *Inst) handler {
			in.rm, in.prefix = RAX, in.prefix|prefixRegForm
			return ei(in)
		}
		row := func(enc, args, effect string, lock bool, pick func(*Inst) handler) {
			t = append(t, Row{Enc: enc, Name: name, Args: args, Flags: allFlags, Undef: undef, Effect: effect, Lock: lock && op != aluCMP, Pick: lockable(pick)})
		}
		base := op << 3
		row(fmt.Sprintf("%02X /r", base), "Eb,Gb", effect, true, eg)
		row(fmt.Sprintf("%02X /r", base+1), "Ev,Gv", effect, true, eg)
		row(fmt.Sprintf("%02X /r", base+2), "Gb,Eb", "", false, ge)
		row(fmt.Sprintf("%02X /r", base+3), "Gv,Ev", "", false, ge)
		row(fmt.Sprintf("%02X ib", base+4), "AL,Ib", "", false, acc)
		row(fmt.Sprintf("%02X iz", base+5), "rAX,Iz", "", false, acc)
		row(fmt.Sprintf("80 /%d ib", op), "Eb,Ib", effect, true, ei)
		row(fmt.Sprintf("81 /%d iz", op), "Ev,Iz", effect, true, ei)
		row(fmt.Sprintf("83 /%d ib", op), "Ev,Ib", effect, true, ei)
	}
	return t
}

// moveRows move data and compute addresses.
var moveRows = []Row{
	{Enc: "88 /r", Name: "MOV", Args: "Eb,Gb", Effect: store, Pick: regmem(movEG, movMR8)},
	{Enc: "89 /r", Name: "MOV", Args: "Ev,Gv", Effect: store, Pick: pickMovEG},
	{Enc: "8A /r", Name: "MOV", Args: "Gb,Eb", Pick: regmem(movGE, movRM8)},
	{Enc: "8B /r", Name: "MOV", Args: "Gv,Ev", Pick: pickMovGE},
	{Enc: "A0 mo", Name: "MOV", Args: "AL,Ob", Pick: only(movAO)},
	{Enc: "A1 mo", Name: "MOV", Args: "rAX,Ov", Pick: only(movAO)},
	{Enc: "A2 mo", Name: "MOV", Args: "Ob,AL", Effect: store, Pick: only(movOA)},
	{Enc: "A3 mo", Name: "MOV", Args: "Ov,rAX", Effect: store, Pick: only(movOA)},
	{Enc: "B0+r ib", Name: "MOV", Args: "Zb,Ib", Pick: only(movEI)},
	{Enc: "B8+r iv", Name: "MOV", Args: "Zv,Iv", Pick: pickMovEI},
	{Enc: "C6 /0 ib", Name: "MOV", Args: "Eb,Ib", Effect: store, Pick: regmem(movEI, movMI8)},
	{Enc: "C7 /0 iz", Name: "MOV", Args: "Ev,Iz", Effect: store, Pick: pickMovEI},
	{Enc: "8C /r", Name: "MOV", Args: "Ev,Sw", Effect: store, Pick: pickSegment(movES)},
	{Enc: "8E /r", Name: "MOV", Args: "Sw,Ew", Pick: pickSegment(movSE)},

	{Enc: "0F B6 /r", Name: "MOVZX", Args: "Gv,Eb", Pick: pickMovzxByte},
	{Enc: "0F B7 /r", Name: "MOVZX", Args: "Gv,Ew", Pick: only(movzxWord)},
	{Enc: "0F BE /r", Name: "MOVSX", Args: "Gv,Eb", Pick: only(movsxByte)},
	{Enc: "0F BF /r", Name: "MOVSX", Args: "Gv,Ew", Pick: only(movsxWord)},
	{Enc: "63 /r", Name: "MOVSXD", Args: "Gv,Ed", Pick: pickMovsxd},
	{Enc: "8D /r", Name: "LEA", Args: "Gv,M", Pick: pickLea},
	{Enc: "86 /r", Name: "XCHG", Args: "Eb,Gb", Effect: "locked store", Lock: true, Pick: regmem(xchgRR, xchgMR)},
	{Enc: "87 /r", Name: "XCHG", Args: "Ev,Gv", Effect: "locked store", Lock: true, Pick: regmem(xchgRR, xchgMR)},
	{Enc: "90+r", Name: "XCHG", Args: "Zv,rAX", Pick: pickXchgA},
	{Enc: "D7", Name: "XLAT", Pick: only(xlat)},
	{Enc: "0F C8+r", Name: "BSWAP", Args: "Zv", Pick: func(in *Inst) handler { return wide(in, [2]handler{bswap32, bswap64}, bswap16) }},
}

func pickMovEG(in *Inst) handler {
	switch {
	case in.isReg():
		return wide(in, [2]handler{movRR32, movRR64}, movEG)
	case in.plainBase():
		return wide(in, [2]handler{movMRBase32, movMRBase64}, movEG)
	}
	return wide(in, [2]handler{movMR32, movMR64}, movEG)
}

func pickMovGE(in *Inst) handler {
	switch {
	case in.isReg() && in.width >= 4:
		in.reg, in.rm = in.rm, in.reg
		return pickMovEG(in)
	case in.isReg():
		return movGE
	case in.plainBase():
		return wide(in, [2]handler{movRMBase32, movRMBase64}, movGE)
	}
	return wide(in, [2]handler{movRM32, movRM64}, movGE)
}

func pickMovEI(in *Inst) handler {
	if in.isReg() {
		return wide(in, [2]handler{movRI32, movRI64}, movEI)
	}
	return wide(in, [2]handler{movMI32, movMI64}, movEI)
}

func pickMovzxByte(in *Inst) handler {
	switch {
	case in.width == 2:
		return movzxByte
	case in.isReg():
		return movzxByteR32
	}
	return movzxByteM32
}

func pickMovsxd(in *Inst) handler {
	if in.width == 4 {
		return pickMovGE(in)
	}
	return movsxd
}

// pickLea drops the segment, which LEA ignores.
func pickLea(in *Inst) handler {
	if in.isReg() {
		return nil
	}
	in.seg = SegNone
	switch {
	case in.width == 4:
		return lea32
	case in.width == 2:
		return leaGM
	case in.prefix&prefixAddr32 != 0:
		return lea64
	case in.index == RZero:
		return leaDisp
	}
	return leaFull
}

// pickXchgA makes 90 without REX.B a NOP; F3 90, PAUSE, is the same row.
func pickXchgA(in *Inst) handler {
	if in.rm == RAX {
		return nop
	}
	return xchgA
}

// pickSegment refuses segment registers that do not exist, and CS as a destination.
func pickSegment(h handler) func(*Inst) handler {
	return func(in *Inst) handler {
		in.reg &= 7
		if in.reg > 5 || in.reg == 1 && forms[in.row].row.Args[0] == 'S' {
			return nil
		}
		return h
	}
}

// stackRows use RSP.
var stackRows = []Row{
	{Enc: "50+r", Name: "PUSH", Args: "Zv", Size: "d64", Effect: store, Pick: pickPush},
	{Enc: "58+r", Name: "POP", Args: "Zv", Size: "d64", Pick: pickPop},
	{Enc: "68 iz", Name: "PUSH", Args: "Iz", Size: "d64", Effect: store, Pick: pickPushI},
	{Enc: "6A ib", Name: "PUSH", Args: "Ib", Size: "d64", Effect: store, Pick: pickPushI},
	{Enc: "FF /6", Name: "PUSH", Args: "Ev", Size: "d64", Effect: store, Pick: only(pushE)},
	{Enc: "8F /0", Name: "POP", Args: "Ev", Size: "d64", Effect: store, Pick: only(popE)},
	{Enc: "9C", Name: "PUSHF", Size: "d64", Effect: store, Pick: only(pushfE)},
	{Enc: "9D", Name: "POPF", Size: "d64", Flags: allFlags, Pick: only(popfE)},
	{Enc: "C8 iw ib", Name: "ENTER", Args: "Iw,Ib", Size: "d64", Effect: store, Pick: only(enter)},
	{Enc: "C9", Name: "LEAVE", Size: "d64", Pick: only(leave)},
}

func pickPush(in *Inst) handler {
	if in.width == 8 {
		return pushR64
	}
	return pushE
}

func pickPop(in *Inst) handler {
	if in.width == 8 {
		return popR64
	}
	return popE
}

func pickPushI(in *Inst) handler {
	if in.width == 8 {
		return pushI64
	}
	return pushI
}

// arithRows are the one-operand and multiplying instructions, TEST, XADD and CMPXCHG.
var arithRows = []Row{
	{Enc: "84 /r", Name: "TEST", Args: "Eb,Gb", Flags: allFlags, Undef: "a", Pick: pickTestEG},
	{Enc: "85 /r", Name: "TEST", Args: "Ev,Gv", Flags: allFlags, Undef: "a", Pick: pickTestEG},
	{Enc: "A8 ib", Name: "TEST", Args: "AL,Ib", Flags: allFlags, Undef: "a", Pick: pickTestAcc},
	{Enc: "A9 iz", Name: "TEST", Args: "rAX,Iz", Flags: allFlags, Undef: "a", Pick: pickTestAcc},
	{Enc: "F6 /0 ib", Name: "TEST", Args: "Eb,Ib", Flags: allFlags, Undef: "a", Pick: pickTestEI},
	{Enc: "F6 /1 ib", Name: "TEST", Args: "Eb,Ib", Flags: allFlags, Undef: "a", Pick: pickTestEI},
	{Enc: "F7 /0 iz", Name: "TEST", Args: "Ev,Iz", Flags: allFlags, Undef: "a", Pick: pickTestEI},
	{Enc: "F7 /1 iz", Name: "TEST", Args: "Ev,Iz", Flags: allFlags, Undef: "a", Pick: pickTestEI},
	{Enc: "F6 /2", Name: "NOT", Args: "Eb", Effect: store, Lock: true, Pick: lockable(only(notE))},
	{Enc: "F7 /2", Name: "NOT", Args: "Ev", Effect: store, Lock: true, Pick: lockable(only(notE))},
	{Enc: "F6 /3", Name: "NEG", Args: "Eb", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(negE))},
	{Enc: "F7 /3", Name: "NEG", Args: "Ev", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(negE))},
	{Enc: "F6 /4", Name: "MUL", Args: "Eb", Flags: allFlags, Undef: "szap", Pick: only(mulE)},
	{Enc: "F7 /4", Name: "MUL", Args: "Ev", Flags: allFlags, Undef: "szap", Pick: only(mulE)},
	{Enc: "F6 /5", Name: "IMUL", Args: "Eb", Flags: allFlags, Undef: "szap", Pick: only(imulE)},
	{Enc: "F7 /5", Name: "IMUL", Args: "Ev", Flags: allFlags, Undef: "szap", Pick: only(imulE)},
	{Enc: "F6 /6", Name: "DIV", Args: "Eb", Flags: allFlags, Undef: allFlags, Pick: only(divE)},
	{Enc: "F7 /6", Name: "DIV", Args: "Ev", Flags: allFlags, Undef: allFlags, Pick: only(divE)},
	{Enc: "F6 /7", Name: "IDIV", Args: "Eb", Flags: allFlags, Undef: allFlags, Pick: only(idivE)},
	{Enc: "F7 /7", Name: "IDIV", Args: "Ev", Flags: allFlags, Undef: allFlags, Pick: only(idivE)},
	{Enc: "0F AF /r", Name: "IMUL", Args: "Gv,Ev", Flags: allFlags, Undef: "szap", Pick: only(imulGE)},
	{Enc: "69 /r iz", Name: "IMUL", Args: "Gv,Ev,Iz", Flags: allFlags, Undef: "szap", Pick: only(imulGEI)},
	{Enc: "6B /r ib", Name: "IMUL", Args: "Gv,Ev,Ib", Flags: allFlags, Undef: "szap", Pick: only(imulGEI)},
	{Enc: "FE /0", Name: "INC", Args: "Eb", Flags: "oszap", Effect: store, Lock: true, Pick: lockable(only(incE))},
	{Enc: "FF /0", Name: "INC", Args: "Ev", Flags: "oszap", Effect: store, Lock: true, Pick: lockable(registers(incR32, incR64, incE))},
	{Enc: "FE /1", Name: "DEC", Args: "Eb", Flags: "oszap", Effect: store, Lock: true, Pick: lockable(only(decE))},
	{Enc: "FF /1", Name: "DEC", Args: "Ev", Flags: "oszap", Effect: store, Lock: true, Pick: lockable(registers(decR32, decR64, decE))},
	{Enc: "98", Name: "CBW", Args: "", Pick: only(cbw)},
	{Enc: "99", Name: "CWD", Args: "", Pick: only(cwd)},
	{Enc: "0F C0 /r", Name: "XADD", Args: "Eb,Gb", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(xaddE))},
	{Enc: "0F C1 /r", Name: "XADD", Args: "Ev,Gv", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(xaddE))},
	{Enc: "0F B0 /r", Name: "CMPXCHG", Args: "Eb,Gb", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(cmpxchgE))},
	{Enc: "0F B1 /r", Name: "CMPXCHG", Args: "Ev,Gv", Flags: allFlags, Effect: store, Lock: true, Pick: lockable(only(cmpxchgE))},
	{Enc: "0F C7 /1 mem", Name: "CMPXCHG8B", Args: "Mq", Flags: "z", Feature: "CX8", Effect: store, Lock: true, Pick: lockable(only(cmpxchg8b))},
	{Enc: "REX.W 0F C7 /1 mem", Name: "CMPXCHG16B", Args: "Mdq", Flags: "z", Feature: "CX16", Effect: store, Lock: true, Pick: lockable(only(cmpxchg16b))},
}

func pickTestEG(in *Inst) handler {
	if in.isReg() {
		return wide(in, [2]handler{testRR32, testRR64}, testEG)
	}
	return testEG
}

func pickTestEI(in *Inst) handler {
	if in.isReg() {
		return wide(in, [2]handler{testRI32, testRI64}, testEI)
	}
	return testEI
}

func pickTestAcc(in *Inst) handler {
	in.rm, in.prefix = RAX, in.prefix|prefixRegForm
	return pickTestEI(in)
}

// shiftRows are the shifts and rotates. The flags of a zero count are unchanged.
func shiftRows() (t []Row) {
	fast := [8][2]handler{
		shROL: {rolRI32, rolRI64}, shROR: {rorRI32, rorRI64},
		shSHL: {shlRI32, shlRI64}, shSHR: {shrRI32, shrRI64}, shSAL: {shlRI32, shlRI64}, shSAR: {sarRI32, sarRI64},
	}
	for op, name := range [...]string{"ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAL", "SAR"} {
		op, flags, undef := uint8(op), allFlags, "oa"
		if op < shSHL {
			flags, undef = "oc", "o"
		}
		pick := func(h handler) func(*Inst) handler {
			return func(in *Inst) handler {
				in.cc = op
				return h
			}
		}
		imm := func(in *Inst) handler {
			in.cc = op
			count := in.imm & 31
			if in.width == 8 {
				count = in.imm & 63
			}
			if h := wide(in, fast[op], nil); h != nil && in.isReg() && count != 0 {
				return h
			}
			return shiftEI
		}
		one := func(in *Inst) handler {
			in.imm = 1
			return imm(in)
		}
		row := func(enc, args string, pick func(*Inst) handler) {
			t = append(t, Row{Enc: fmt.Sprintf(enc, op), Name: name, Args: args, Flags: flags, Undef: undef, Effect: store, Pick: pick})
		}
		row("C0 /%d ib", "Eb,Ib", imm)
		row("C1 /%d ib", "Ev,Ib", imm)
		row("D0 /%d", "Eb,1", one)
		row("D1 /%d", "Ev,1", one)
		row("D2 /%d", "Eb,CL", pick(shiftECL))
		row("D3 /%d", "Ev,CL", pick(shiftECL))
	}
	return append(t,
		Row{Enc: "0F A4 /r ib", Name: "SHLD", Args: "Ev,Gv,Ib", Flags: allFlags, Undef: "oa", Effect: store, Pick: only(shldE)},
		Row{Enc: "0F A5 /r", Name: "SHLD", Args: "Ev,Gv,CL", Flags: allFlags, Undef: "oa", Effect: store, Pick: only(shldECL)},
		Row{Enc: "0F AC /r ib", Name: "SHRD", Args: "Ev,Gv,Ib", Flags: allFlags, Undef: "oa", Effect: store, Pick: only(shrdE)},
		Row{Enc: "0F AD /r", Name: "SHRD", Args: "Ev,Gv,CL", Flags: allFlags, Undef: "oa", Effect: store, Pick: only(shrdECL)},
	)
}

// bitRows test, change, find and count bits.
var bitRows = []Row{
	{Enc: "0F A3 /r", Name: "BT", Args: "Ev,Gv", Flags: "c", Undef: "osap", Pick: pickBit(bitEG, bitTest)},
	{Enc: "0F AB /r", Name: "BTS", Args: "Ev,Gv", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEG, bitSet))},
	{Enc: "0F B3 /r", Name: "BTR", Args: "Ev,Gv", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEG, bitReset))},
	{Enc: "0F BB /r", Name: "BTC", Args: "Ev,Gv", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEG, bitComplement))},
	{Enc: "0F BA /4 ib", Name: "BT", Args: "Ev,Ib", Flags: "c", Undef: "osap", Pick: pickBit(bitEI, bitTest)},
	{Enc: "0F BA /5 ib", Name: "BTS", Args: "Ev,Ib", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEI, bitSet))},
	{Enc: "0F BA /6 ib", Name: "BTR", Args: "Ev,Ib", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEI, bitReset))},
	{Enc: "0F BA /7 ib", Name: "BTC", Args: "Ev,Ib", Flags: "c", Undef: "osap", Effect: store, Lock: true, Pick: lockable(pickBit(bitEI, bitComplement))},
	{Enc: "0F BC /r", Name: "BSF", Args: "Gv,Ev", Flags: "z", Undef: "osapc", Pick: only(bsfGE)},
	{Enc: "0F BD /r", Name: "BSR", Args: "Gv,Ev", Flags: "z", Undef: "osapc", Pick: only(bsrGE)},
	{Enc: "F3 0F BD /r", Name: "LZCNT", Args: "Gv,Ev", Flags: allFlags, Undef: "osap", Feature: "LZCNT", Pick: only(lzcntGE)},
	{Enc: "66 0F 38 F6 /r", Name: "ADCX", Args: "Gy,Ey", Flags: "c", Feature: "ADX", Pick: only(adcx)},
	{Enc: "F3 0F 38 F6 /r", Name: "ADOX", Args: "Gy,Ey", Flags: "o", Feature: "ADX", Pick: only(adox)},
	{Enc: "0F C7 /6 reg", Name: "RDRAND", Args: "Rv", Flags: allFlags, Feature: "RDRAND", Pick: noRep(rdrand)},
	{Enc: "0F C7 /7 reg", Name: "RDSEED", Args: "Rv", Flags: allFlags, Feature: "RDSEED", Pick: noRep(rdseed)},
	{Enc: "F3 0F C7 /7 reg", Name: "RDPID", Args: "Rq", Size: "f64", Feature: "RDPID", Pick: only(rdpid)},
	{Enc: "F3 0F B8 /r", Name: "POPCNT", Args: "Gv,Ev", Flags: allFlags, Feature: "POPCNT", Pick: only(popcntGE)},
	{Enc: "F2 0F 38 F0 /r", Name: "CRC32", Args: "Gd,Eb", Feature: "SSE4.2", Pick: only(crc32E8)},
	{Enc: "F2 0F 38 F1 /r", Name: "CRC32", Args: "Gd,Ev", Feature: "SSE4.2", Pick: only(crc32E)},
	{Enc: "0F 38 F0 /r mem", Name: "MOVBE", Args: "Gv,Mv", Feature: "MOVBE", Pick: noRep(movbeLoad)},
	{Enc: "0F 38 F1 /r mem", Name: "MOVBE", Args: "Mv,Gv", Feature: "MOVBE", Effect: store, Pick: noRep(movbeStore)},
}

// noRep picks h unless there is an F2 or F3 prefix, which is #UD.
func noRep(h handler) func(*Inst) handler {
	return func(in *Inst) handler {
		if in.prefix&(prefixRep|prefixRepne) != 0 {
			return nil
		}
		return h
	}
}

func pickBit(h handler, op uint8) func(*Inst) handler {
	return func(in *Inst) handler {
		in.cc = op
		return h
	}
}

// conditionRows are Jcc, SETcc and CMOVcc.
func conditionRows() (t []Row) {
	for cc, name := range [...]string{"O", "NO", "B", "AE", "E", "NE", "BE", "A", "S", "NS", "P", "NP", "L", "GE", "LE", "G"} {
		t = append(t,
			Row{Enc: fmt.Sprintf("%02X cb", 0x70+cc), Name: "J" + name, Args: "Jb", Size: "f64", Ends: true, Pick: only(jcc[cc])},
			Row{Enc: fmt.Sprintf("0F %02X cd", 0x80+cc), Name: "J" + name, Args: "Jz", Size: "f64", Ends: true, Pick: only(jcc[cc])},
			Row{Enc: fmt.Sprintf("0F %02X /r", 0x90+cc), Name: "SET" + name, Args: "Eb", Effect: store, Pick: only(setcc)},
			Row{Enc: fmt.Sprintf("0F %02X /r", 0x40+cc), Name: "CMOV" + name, Args: "Gv,Ev", Feature: "CMOV", Pick: only(cmov)},
		)
	}
	return t
}

// flowRows change RIP.
var flowRows = []Row{
	{Enc: "EB cb", Name: "JMP", Args: "Jb", Size: "f64", Ends: true, Pick: only(jmpJ)},
	{Enc: "E9 cd", Name: "JMP", Args: "Jz", Size: "f64", Ends: true, Pick: only(jmpJ)},
	{Enc: "FF /4", Name: "JMP", Args: "Ev", Size: "f64", Ends: true, Pick: regmem(jmpR, jmpE)},
	{Enc: "E8 cd", Name: "CALL", Args: "Jz", Size: "f64", Effect: store, Ends: true, Pick: only(callJ)},
	{Enc: "FF /2", Name: "CALL", Args: "Ev", Size: "f64", Effect: store, Ends: true, Pick: only(callE)},
	{Enc: "C3", Name: "RET", Size: "f64", Ends: true, Pick: only(ret)},
	{Enc: "C2 iw", Name: "RET", Args: "Iw", Size: "f64", Ends: true, Pick: only(retI)},
	{Enc: "E3 cb", Name: "JRCXZ", Args: "Jb", Size: "f64", Ends: true, Pick: only(jrcxz)},
	{Enc: "E2 cb", Name: "LOOP", Args: "Jb", Size: "f64", Ends: true, Pick: only(loop)},
	{Enc: "E1 cb", Name: "LOOPE", Args: "Jb", Size: "f64", Ends: true, Pick: only(loope)},
	{Enc: "E0 cb", Name: "LOOPNE", Args: "Jb", Size: "f64", Ends: true, Pick: only(loopne)},
}

// flagRows read and write the flags register.
var flagRows = []Row{
	{Enc: "F8", Name: "CLC", Flags: "c", Pick: only(clc)},
	{Enc: "F9", Name: "STC", Flags: "c", Pick: only(stc)},
	{Enc: "F5", Name: "CMC", Flags: "c", Pick: only(cmc)},
	{Enc: "FC", Name: "CLD", Pick: only(cld)},
	{Enc: "FD", Name: "STD", Pick: only(std)},
	{Enc: "9F", Name: "LAHF", Feature: "LAHF", Pick: only(lahf)},
	{Enc: "9E", Name: "SAHF", Flags: "szapc", Feature: "LAHF", Pick: only(sahf)},
}

// pickRep picks by REP prefix. For CMPS and SCAS F3 is REPE; the others repeat
// with either prefix.
func pickRep(one, rep, repne handler) func(*Inst) handler {
	return func(in *Inst) handler {
		switch {
		case in.prefix&prefixRep != 0:
			return rep
		case in.prefix&prefixRepne != 0:
			return repne
		}
		return one
	}
}

// stringRows are the string instructions; a segment prefix applies to the source.
var stringRows = []Row{
	{Enc: "A4", Name: "MOVS", Args: "Yb,Xb", Effect: store, Pick: pickRep(movsOne, repMovs, repMovs)},
	{Enc: "A5", Name: "MOVS", Args: "Yv,Xv", Effect: store, Pick: pickRep(movsOne, repMovs, repMovs)},
	{Enc: "A6", Name: "CMPS", Args: "Xb,Yb", Flags: allFlags, Pick: pickRep(cmpsOne, repCmps, repneCmps)},
	{Enc: "A7", Name: "CMPS", Args: "Xv,Yv", Flags: allFlags, Pick: pickRep(cmpsOne, repCmps, repneCmps)},
	{Enc: "AA", Name: "STOS", Args: "Yb,AL", Effect: store, Pick: pickRep(stosOne, repStos, repStos)},
	{Enc: "AB", Name: "STOS", Args: "Yv,rAX", Effect: store, Pick: pickRep(stosOne, repStos, repStos)},
	{Enc: "AC", Name: "LODS", Args: "AL,Xb", Pick: pickRep(lodsOne, repLods, repLods)},
	{Enc: "AD", Name: "LODS", Args: "rAX,Xv", Pick: pickRep(lodsOne, repLods, repLods)},
	{Enc: "AE", Name: "SCAS", Args: "AL,Yb", Flags: allFlags, Pick: pickRep(scasOne, repScas, repneScas)},
	{Enc: "AF", Name: "SCAS", Args: "rAX,Yv", Flags: allFlags, Pick: pickRep(scasOne, repScas, repneScas)},
}

// nopRows do nothing that a program can see: hints, prefetches, the reserved NOPs
// that CET uses (ENDBR64 is F3 0F 1E FA).
var nopRows = []Row{
	{Enc: "0F 0D /r mem", Name: "PREFETCHW", Args: "Mb", Feature: "PREFETCHW", Pick: only(nop)},
	{Enc: "0F 0D /r reg", Name: "PREFETCHW", Args: "Mb", Pick: only(nil)},
	{Enc: "0F 18 /0 mem", Name: "PREFETCHNTA", Args: "Mb", Feature: "SSE", Pick: only(nop)},
	{Enc: "0F 18 /1 mem", Name: "PREFETCHT0", Args: "Mb", Feature: "SSE", Pick: only(nop)},
	{Enc: "0F 18 /2 mem", Name: "PREFETCHT1", Args: "Mb", Feature: "SSE", Pick: only(nop)},
	{Enc: "0F 18 /3 mem", Name: "PREFETCHT2", Args: "Mb", Feature: "SSE", Pick: only(nop)},
	{Enc: "0F 18 /4", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /5", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /6", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /7", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /0 reg", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /1 reg", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /2 reg", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 18 /3 reg", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 19 /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1A /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1B /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1C /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1D /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1E /r", Name: "NOP", Args: "Ev", Pick: only(nop)},
	{Enc: "0F 1F /r", Name: "NOP", Args: "Ev", Pick: only(longNOP)},
}
