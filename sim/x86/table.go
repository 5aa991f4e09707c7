package x86

import "slices"

// handler executes one decoded instruction.
type handler = func(c *CPU, in *Inst)

// Row is one instruction form: the only place where facts about it stand. The
// decoder, the disassembly, the list of supported instructions and the CPUID
// feature bits come from the rows.
type Row struct {
	// Enc is the encoding in the SDM's notation: optional mandatory prefix
	// (NP, 66, F3, F2), optional REX.W or W0, opcode bytes in hexadecimal, or a VEX
	// prefix such as VEX.256.66.0F38.W1 (LIG and WIG: any L or W) and the opcode;
	// then /r or /0../7, a restriction "reg" or "mem" when only that form exists,
	// vsib for a vector of indices, /is4 for a register in an immediate, and the immediates ib iw id iz iv io cb cd mo. +r is a register in the low
	// three opcode bits, +i an x87 register in the low bits of the second byte; a
	// second byte of C0 or more after D8..DF stands for itself.
	Enc   string
	Name  string // mnemonic
	Args  string // operand codes in the SDM's letters: "Vps,Hps,Wps", "Ev,Gv", "Eb,Ib"; H and By are VEX.vvvv
	Flags string // status flags written: "oszapc"
	Undef string // status flags that the manual leaves undefined
	// Size is the SDM's superscript: "d64" when the operand size defaults to 64
	// bits, "f64" when no prefix changes it; "" for 32.
	Size    string
	Feature string // CPUID feature: "" for the base, "SSE2", "FPU", "POPCNT", "CLWB"
	Effect  string // what it does to persistence beyond a load: "store", "nt-store", "clwb", "sfence"
	Lock    bool   // the memory form may carry a LOCK prefix
	Ends    bool   // ends a block: RIP afterwards is not simply the next instruction

	// Pick chooses the handler at decode time, by width, prefixes and register or
	// memory form. nil means #UD.
	Pick func(in *Inst) handler
}

var rows = slices.Concat(integerRows, systemRows, mmxRows, sseRows, sse3Rows, sse4Rows, cryptoRows, x87Rows, avxRows)

// regmem picks by ModRM.mod; nil stands for a form that is #UD.
func regmem(reg, mem handler) func(*Inst) handler {
	return func(in *Inst) handler {
		if in.prefix&prefixRegForm != 0 {
			return reg
		}
		return mem
	}
}

// only picks the same handler for every form.
func only(h handler) func(*Inst) handler { return func(*Inst) handler { return h } }
