package x86

import (
	"fmt"
	"strings"
)

// Disassembly for messages and listings, in Intel's operand order, from the same
// rows that the interpreter executes.

// Disasm returns the text and the length in bytes of the instruction at rip. What
// the table does not know is given as bytes, with length 1.
func Disasm(code []byte, rip uint64) (text string, length int) {
	var in Inst
	if len(code) == 0 {
		return "(no bytes)", 0
	}
	if V3.decodeFields(code, rip, &in) != decoded {
		return fmt.Sprintf("(bad) %02x", code[0]), 1
	}
	row := forms[in.row].row
	var b strings.Builder
	for _, p := range []struct {
		bit  uint8
		text string
	}{{prefixLock, "lock "}, {prefixRep, "rep "}, {prefixRepne, "repne "}} {
		if in.prefix&p.bit != 0 && (p.bit == prefixLock || row.isString()) {
			b.WriteString(p.text)
		}
	}
	name := in.mnemonic()
	b.WriteString(name)
	if name == "endbr64" || name == "nop" && !row.hasModRM() || name == "pause" {
		return b.String(), int(in.length)
	}
	for i, arg := range strings.Split(row.Args, ",") {
		if arg == "" {
			continue
		}
		if i == 0 {
			b.WriteByte(' ')
		} else {
			b.WriteString(", ")
		}
		b.WriteString(in.operand(arg))
	}
	return b.String(), int(in.length)
}

func (r *Row) hasModRM() bool { return strings.Contains(r.Enc, "/r") }

// mnemonic returns the row's name, with the spellings that depend on size or
// prefixes.
func (in *Inst) mnemonic() string {
	name := forms[in.row].row.Name
	switch {
	case name == "XCHG" && forms[in.row].regInOp && in.rm == RAX:
		if in.prefix&prefixRep != 0 {
			return "pause"
		}
		return "nop"
	case name == "NOP" && in.prefix&prefixRep != 0 && in.isReg() && in.reg == 7 && in.rm == 2:
		return "endbr64"
	case name == "CBW":
		return map[uint8]string{2: "cbw", 4: "cwde", 8: "cdqe"}[in.width]
	case name == "CWD":
		return map[uint8]string{2: "cwd", 4: "cdq", 8: "cqo"}[in.width]
	}
	return strings.ToLower(name)
}

var (
	names64 = strings.Fields("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15")
	names32 = strings.Fields("eax ecx edx ebx esp ebp esi edi r8d r9d r10d r11d r12d r13d r14d r15d")
	names16 = strings.Fields("ax cx dx bx sp bp si di r8w r9w r10w r11w r12w r13w r14w r15w")
	names8  = strings.Fields("al cl dl bl spl bpl sil dil r8b r9b r10b r11b r12b r13b r14b r15b")
	names8h = strings.Fields("ah ch dh bh")
	sizes   = map[uint8]string{1: "byte ptr ", 2: "word ptr ", 4: "dword ptr ", 8: "qword ptr "}
)

func registerName(n, width uint8, in *Inst) string {
	n &= 15
	switch width {
	case 1:
		if highByte(n, in) {
			return names8h[n&3]
		}
		return names8[n]
	case 2:
		return names16[n]
	case 4:
		return names32[n]
	}
	return names64[n]
}

// operandWidth returns the bytes that an operand code's second letter means.
func (in *Inst) operandWidth(arg string) uint8 {
	if len(arg) < 2 {
		return 0
	}
	switch arg[1:] {
	case "b":
		return 1
	case "w":
		return 2
	case "d":
		return 4
	case "q":
		return 8
	case "v", "y":
		return in.width
	case "z":
		return min(in.width, 4)
	}
	return 0
}

// operand formats the operand with code arg.
func (in *Inst) operand(arg string) string {
	width := in.operandWidth(arg)
	switch arg {
	case "AL", "CL", "DX", "AX", "1":
		return strings.ToLower(arg)
	case "rAX":
		return registerName(RAX, in.width, in)
	case "eAX":
		return registerName(RAX, min(in.width, 4), in)
	case "ST0":
		return "st"
	case "STi":
		return fmt.Sprintf("st(%d)", in.rm&7)
	}
	switch arg[0] {
	case 'G':
		return registerName(in.reg, width, in)
	case 'E', 'M', 'R':
		if in.isReg() {
			return registerName(in.rm, width, in)
		}
		return sizes[width] + in.memory()
	case 'Z':
		return registerName(in.rm, width, in)
	case 'V':
		return in.vector(in.reg, arg)
	case 'H':
		return in.vector(in.vvvv, arg)
	case 'L':
		return in.vector(uint8(in.imm)>>4, arg)
	case 'B':
		return registerName(in.vvvv, width, in)
	case 'W', 'U':
		if in.isReg() {
			return in.vector(in.rm, arg)
		}
		return in.memory()
	case 'P':
		return fmt.Sprintf("mm%d", in.reg&7)
	case 'Q', 'N':
		if in.isReg() {
			return fmt.Sprintf("mm%d", in.rm&7)
		}
		return in.memory()
	case 'I':
		if arg == "Ib" && forms[in.row].imm == immIwIb {
			return fmt.Sprintf("%#x", in.disp)
		}
		return signedHex(in.imm)
	case 'J':
		return fmt.Sprintf("%#x", in.imm)
	case 'O':
		return in.memory()
	case 'X':
		return sizes[width] + segment(in.seg) + "[rsi]"
	case 'Y':
		return sizes[width] + "es:[rdi]"
	case 'S':
		return [...]string{"es", "cs", "ss", "ds", "fs", "gs", "?", "?"}[in.reg&7]
	case 'C':
		return fmt.Sprintf("cr%d", in.reg)
	case 'D':
		return fmt.Sprintf("dr%d", in.reg)
	}
	return strings.ToLower(arg)
}

// vector names a vector register; operand codes with x, ps and pd are as long as
// VEX.L says.
func (in *Inst) vector(n uint8, arg string) string {
	if in.long != 0 && (arg[1:] == "x" || arg[1:] == "ps" || arg[1:] == "pd") {
		return fmt.Sprintf("ymm%d", n)
	}
	return fmt.Sprintf("xmm%d", n)
}

// vectorIndex names a gather's vector of indices: it is half as long as the data
// when four-byte indices lead to eight bytes.
func (in *Inst) vectorIndex() string {
	f := &forms[in.row].enc
	if in.long != 0 && (f.rexW == 0 || f.opcode&1 != 0) {
		return fmt.Sprintf("ymm%d", in.index)
	}
	return fmt.Sprintf("xmm%d", in.index)
}

func segment(seg uint8) string { return [...]string{"", "fs:", "gs:", ""}[seg&3] }

func signedHex(v uint64) string {
	if int64(v) < 0 && int64(v) >= -1<<31 {
		return fmt.Sprintf("-%#x", -v)
	}
	return fmt.Sprintf("%#x", v)
}

// memory formats the memory operand.
func (in *Inst) memory() string {
	width := uint8(8)
	if in.prefix&prefixAddr32 != 0 {
		width = 4
	}
	var parts []string
	if in.base != RZero {
		parts = append(parts, registerName(in.base, width, in))
	}
	if forms[in.row].enc.vsib {
		parts = append(parts, fmt.Sprintf("%s*%d", in.vectorIndex(), 1<<in.scale))
	} else if in.index != RZero {
		parts = append(parts, fmt.Sprintf("%s*%d", registerName(in.index, width, in), 1<<in.scale))
	}
	s := strings.Join(parts, "+")
	switch {
	case len(parts) == 0:
		s = fmt.Sprintf("%#x", in.disp)
	case int64(in.disp) < 0:
		s += fmt.Sprintf("-%#x", -in.disp)
	case in.disp != 0:
		s += fmt.Sprintf("+%#x", in.disp)
	}
	return segment(in.seg) + "[" + s + "]"
}
