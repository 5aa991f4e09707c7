package x86

// systemRows are the instructions that order, flush, identify or trap. A row
// without Pick is known but not modelled: executing it stops the run.
var systemRows = []Row{
	{Enc: "0F 05", Name: "SYSCALL", Feature: "SYSCALL", Ends: true, Pick: only(syscallInst)},
	{Enc: "0F A2", Name: "CPUID", Pick: only(cpuid), Effect: "serialize"},
	{Enc: "0F 31", Name: "RDTSC", Feature: "TSC", Pick: only(rdtsc)},
	{Enc: "0F 01 F9", Name: "RDTSCP", Feature: "RDTSCP", Pick: only(rdtscp)},
	{Enc: "NP 0F 01 D0", Name: "XGETBV", Feature: "XSAVE", Pick: only(xgetbv)},
	{Enc: "NP 0F 01 D1", Name: "XSETBV", Feature: "XSAVE", Ends: true, Pick: only(privileged)},
	{Enc: "NP 0F AE /4 mem", Name: "XSAVE", Args: "M", Feature: "XSAVE", Effect: store, Pick: only(xsave)},
	{Enc: "NP 0F AE /5 mem", Name: "XRSTOR", Args: "M", Feature: "XSAVE", Pick: only(xrstor)},
	{Enc: "NP 0F AE /6 mem", Name: "XSAVEOPT", Args: "M", Feature: "XSAVEOPT", Effect: store, Pick: only(xsaveopt)},
	{Enc: "NP 0F C7 /4 mem", Name: "XSAVEC", Args: "M", Feature: "XSAVEC", Effect: store, Pick: only(xsavec)},

	{Enc: "NP 0F AE /5 reg", Name: "LFENCE", Feature: "SSE2", Effect: "lfence", Pick: only(lfence)},
	{Enc: "NP 0F AE /6 reg", Name: "MFENCE", Feature: "SSE2", Effect: "mfence", Pick: only(mfence)},
	{Enc: "NP 0F AE /7 reg", Name: "SFENCE", Feature: "SSE", Effect: "sfence", Pick: only(sfence)},
	{Enc: "NP 0F AE /7 mem", Name: "CLFLUSH", Args: "Mb", Feature: "CLFSH", Effect: "clflush", Pick: only(clflush)},
	{Enc: "66 0F AE /7 mem", Name: "CLFLUSHOPT", Args: "Mb", Feature: "CLFLUSHOPT", Effect: "clflushopt", Pick: only(clflushopt)},
	{Enc: "66 0F AE /6 mem", Name: "CLWB", Args: "Mb", Feature: "CLWB", Effect: "clwb", Pick: only(clwb)},
	{Enc: "NP 0F C3 /r mem", Name: "MOVNTI", Args: "My,Gy", Feature: "SSE2", Effect: "nt-store", Pick: only(movnti)},

	{Enc: "F3 0F AE /0 reg", Name: "RDFSBASE", Args: "Ry", Feature: "FSGSBASE", Pick: only(rdfsbase)},
	{Enc: "F3 0F AE /1 reg", Name: "RDGSBASE", Args: "Ry", Feature: "FSGSBASE", Pick: only(rdgsbase)},
	{Enc: "F3 0F AE /2 reg", Name: "WRFSBASE", Args: "Ry", Feature: "FSGSBASE", Pick: only(wrfsbase)},
	{Enc: "F3 0F AE /3 reg", Name: "WRGSBASE", Args: "Ry", Feature: "FSGSBASE", Pick: only(wrgsbase)},

	{Enc: "CC", Name: "INT3", Ends: true, Pick: only(int3)},
	{Enc: "CD ib", Name: "INT", Args: "Ib", Ends: true, Pick: only(intN)},
	{Enc: "F1", Name: "INT1", Ends: true, Pick: only(int1)},
	{Enc: "0F 0B", Name: "UD2", Ends: true, Pick: only(ud)},
	{Enc: "0F B9 /r", Name: "UD1", Args: "Gv,Ev", Ends: true, Pick: only(ud)},
	{Enc: "0F FF /r", Name: "UD0", Args: "Gv,Ev", Ends: true, Pick: only(ud)},

	{Enc: "F4", Name: "HLT", Ends: true, Pick: only(privileged)},
	{Enc: "FA", Name: "CLI", Ends: true, Pick: only(privileged)},
	{Enc: "FB", Name: "STI", Ends: true, Pick: only(privileged)},
	{Enc: "E4 ib", Name: "IN", Args: "AL,Ib", Ends: true, Pick: only(privileged)},
	{Enc: "E5 ib", Name: "IN", Args: "eAX,Ib", Ends: true, Pick: only(privileged)},
	{Enc: "E6 ib", Name: "OUT", Args: "Ib,AL", Ends: true, Pick: only(privileged)},
	{Enc: "E7 ib", Name: "OUT", Args: "Ib,eAX", Ends: true, Pick: only(privileged)},
	{Enc: "EC", Name: "IN", Args: "AL,DX", Ends: true, Pick: only(privileged)},
	{Enc: "ED", Name: "IN", Args: "eAX,DX", Ends: true, Pick: only(privileged)},
	{Enc: "EE", Name: "OUT", Args: "DX,AL", Ends: true, Pick: only(privileged)},
	{Enc: "EF", Name: "OUT", Args: "DX,eAX", Ends: true, Pick: only(privileged)},
	{Enc: "6C", Name: "INS", Args: "Yb,DX", Ends: true, Pick: only(privileged)},
	{Enc: "6D", Name: "INS", Args: "Yz,DX", Ends: true, Pick: only(privileged)},
	{Enc: "6E", Name: "OUTS", Args: "DX,Xb", Ends: true, Pick: only(privileged)},
	{Enc: "6F", Name: "OUTS", Args: "DX,Xz", Ends: true, Pick: only(privileged)},
	{Enc: "0F 00 /2", Name: "LLDT", Args: "Ew", Ends: true, Pick: only(privileged)},
	{Enc: "0F 00 /3", Name: "LTR", Args: "Ew", Ends: true, Pick: only(privileged)},
	{Enc: "0F 01 /2 mem", Name: "LGDT", Args: "Ms", Ends: true, Pick: only(privileged)},
	{Enc: "0F 01 /3 mem", Name: "LIDT", Args: "Ms", Ends: true, Pick: only(privileged)},
	{Enc: "0F 01 /6", Name: "LMSW", Args: "Ew", Ends: true, Pick: only(privileged)},
	{Enc: "0F 01 /7 mem", Name: "INVLPG", Args: "Mb", Ends: true, Pick: only(privileged)},
	{Enc: "0F 06", Name: "CLTS", Ends: true, Pick: only(privileged)},
	{Enc: "0F 07", Name: "SYSRET", Ends: true, Pick: only(privileged)},
	{Enc: "0F 08", Name: "INVD", Ends: true, Pick: only(privileged)},
	{Enc: "0F 09", Name: "WBINVD", Ends: true, Pick: only(privileged)},
	{Enc: "0F 20 /r", Name: "MOV", Args: "Rd,Cd", Ends: true, Pick: controlRegister},
	{Enc: "0F 21 /r", Name: "MOV", Args: "Rd,Dd", Ends: true, Pick: debugRegister},
	{Enc: "0F 22 /r", Name: "MOV", Args: "Cd,Rd", Ends: true, Pick: controlRegister},
	{Enc: "0F 23 /r", Name: "MOV", Args: "Dd,Rd", Ends: true, Pick: debugRegister},
	{Enc: "0F 30", Name: "WRMSR", Ends: true, Pick: only(privileged)},
	{Enc: "0F 32", Name: "RDMSR", Ends: true, Pick: only(privileged)},
	{Enc: "0F 33", Name: "RDPMC", Ends: true, Pick: only(privileged)},
	{Enc: "0F 35", Name: "SYSEXIT", Ends: true, Pick: only(privileged)},

	{Enc: "CF", Name: "IRET", Flags: allFlags, Ends: true, Pick: only(iret)},
	{Enc: "CA iw", Name: "RETF", Args: "Iw", Ends: true, Pick: only(retFar)},
	{Enc: "CB", Name: "RETF", Ends: true, Pick: only(retFar)},
	{Enc: "FF /3 mem", Name: "CALLF", Args: "Mp", Effect: store, Ends: true, Pick: only(callFar)},
	{Enc: "FF /5 mem", Name: "JMPF", Args: "Mp", Ends: true, Pick: only(jmpFar)},
	{Enc: "0F A0", Name: "PUSH", Args: "FS", Size: "d64", Effect: store, Pick: only(pushSegment)},
	{Enc: "0F A1", Name: "POP", Args: "FS", Size: "d64", Pick: only(popSegment)},
	{Enc: "0F A8", Name: "PUSH", Args: "GS", Size: "d64", Effect: store, Pick: only(pushSegment)},
	{Enc: "0F A9", Name: "POP", Args: "GS", Size: "d64", Pick: only(popSegment)},
	{Enc: "0F B2 /r mem", Name: "LSS", Args: "Gv,Mp", Pick: only(loadFar(2))},
	{Enc: "0F B4 /r mem", Name: "LFS", Args: "Gv,Mp", Pick: only(loadFar(4))},
	{Enc: "0F B5 /r mem", Name: "LGS", Args: "Gv,Mp", Pick: only(loadFar(5))},
	{Enc: "0F 02 /r", Name: "LAR", Args: "Gv,Ew", Flags: "z", Pick: only(lar)},
	{Enc: "0F 03 /r", Name: "LSL", Args: "Gv,Ew", Flags: "z", Pick: only(lsl)},
	{Enc: "0F 00 /0", Name: "SLDT", Args: "Ev", Effect: store, Pick: only(sldt)},
	{Enc: "0F 00 /1", Name: "STR", Args: "Ev", Effect: store, Pick: only(str)},
	{Enc: "0F 00 /4", Name: "VERR", Args: "Ew", Flags: "z", Pick: only(verr)},
	{Enc: "0F 00 /5", Name: "VERW", Args: "Ew", Flags: "z", Pick: only(verw)},
	{Enc: "0F 01 /0 mem", Name: "SGDT", Args: "Ms", Effect: store, Pick: only(sgdt)},
	{Enc: "0F 01 /1 mem", Name: "SIDT", Args: "Ms", Effect: store, Pick: only(sidt)},
	{Enc: "0F 01 /4", Name: "SMSW", Args: "Ev", Effect: store, Pick: only(smsw)},
	{Enc: "0F 01 F8", Name: "SWAPGS", Ends: true, Pick: only(privileged)},
}

// controlRegister is #UD for registers that do not exist, before it is #GP.
func controlRegister(in *Inst) handler {
	switch in.reg {
	case 0, 2, 3, 4, 8:
		return privileged
	}
	return nil
}

func debugRegister(in *Inst) handler {
	if in.reg > 7 {
		return nil
	}
	return privileged
}
