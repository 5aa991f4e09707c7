package x86

// bmiRows are BMI1 and BMI2, but for TZCNT all with a VEX prefix. They work on
// general registers and need none of the state management that AVX needs.
var bmiRows = []Row{
	{Enc: "F3 0F BC /r", Name: "TZCNT", Args: "Gv,Ev", Flags: allFlags, Undef: "osap", Feature: "BMI1", Pick: only(tzcntGE)},
	bmi1("LZ.0F38 F2 /r", "ANDN", "Gy,By,Ey", "ap", andn),
	bmi1("LZ.0F38 F3 /1", "BLSR", "By,Ey", "ap", blsr),
	bmi1("LZ.0F38 F3 /2", "BLSMSK", "By,Ey", "ap", blsmsk),
	bmi1("LZ.0F38 F3 /3", "BLSI", "By,Ey", "ap", blsi),
	bmi1("LZ.0F38 F7 /r", "BEXTR", "Gy,Ey,By", "sap", bextr),
	bmi2("LZ.0F38 F5 /r", "BZHI", "Gy,Ey,By", bzhi).writesFlags(allFlags).undefined("ap"),
	bmi2("LZ.F2.0F38 F5 /r", "PDEP", "Gy,By,Ey", pdep),
	bmi2("LZ.F3.0F38 F5 /r", "PEXT", "Gy,By,Ey", pext),
	bmi2("LZ.F2.0F38 F6 /r", "MULX", "Gy,By,Ey", mulx),
	bmi2("LZ.F2.0F3A F0 /r ib", "RORX", "Gy,Ey,Ib", rorx),
	bmi2("LZ.66.0F38 F7 /r", "SHLX", "Gy,Ey,By", shlx),
	bmi2("LZ.F2.0F38 F7 /r", "SHRX", "Gy,Ey,By", shrx),
	bmi2("LZ.F3.0F38 F7 /r", "SARX", "Gy,Ey,By", sarx),
}

func bmi1(enc, name, args, undef string, h handler) Row {
	return vex(enc, name, args, h).feature("BMI1").writesFlags(allFlags).undefined(undef)
}

func bmi2(enc, name, args string, h handler) Row { return vex(enc, name, args, h).feature("BMI2") }

func (r Row) undefined(flags string) Row {
	r.Undef = flags
	return r
}
