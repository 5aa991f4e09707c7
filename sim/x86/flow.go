package x86

import (
	"strings"

	"zhuque/cachemodel"
)

// flow is what one instruction's memory address depends on, and what depends on what it loads:
// as far as general registers tell, within its block.
type flow struct {
	from uint64 // loads of the block, by index
	regs uint32 // registers at the block's beginning
	out  uint32 // registers at the block's end that depend on the instruction's load
}

// Access tells the cache model about the memory access of the present instruction; its zero
// value where there is none in a block.
func (c *CPU) Access() (a cachemodel.Access) {
	b := c.in.block
	if b == nil || c.at >= uint64(len(b.insts)) {
		return a
	}
	if b.flows == nil {
		b.flows = flows(b.insts)
	}
	f := &b.flows[c.at]
	return cachemodel.Access{Run: c.Retired - c.Elsewhere + 1, At: uint8(c.at), From: f.from, Regs: f.regs, Out: f.out}
}

// taint is what a register's value depends on.
type taint struct {
	from uint64
	regs uint32
}

func (t taint) or(u taint) taint { return taint{t.from | u.from, t.regs | u.regs} }

// flows follows the general registers through a block.
func flows(insts []Inst) []flow {
	var now [16]taint
	for r := range now {
		now[r].regs = 1 << r
	}
	list := make([]flow, len(insts))
	for i := range insts {
		in := &insts[i]
		address, value := operands(in, &now)
		list[i].from, list[i].regs = address.from, address.regs
		if in.loads() {
			value = value.or(address)
			value.from |= 1 << i
		}
		for r, written := uint(0), in.writes(); r < 16; r++ {
			if written>>r&1 != 0 {
				now[r] = value
			}
		}
	}
	for i := range insts {
		for r := range now {
			if now[r].from>>i&1 != 0 {
				list[i].out |= 1 << r
			}
		}
	}
	return list
}

// operands returns what the address and the register operands of an instruction depend on.
func operands(in *Inst, now *[16]taint) (address, value taint) {
	f := &forms[in.row]
	name := f.row.Name
	if f.modrm && !in.isReg() {
		for _, r := range [2]uint8{in.base, in.index} {
			if r < 16 {
				address = address.or(now[r])
			}
		}
	}
	if name == "LEA" {
		return taint{}, address
	}
	for i, arg := range strings.Split(f.row.Args, ",") {
		if r := in.register(arg); r >= 0 && (i > 0 || !overwrites(name)) {
			value = value.or(now[r])
		}
	}
	if n := strings.TrimPrefix(name, "I"); n == "MUL" || n == "DIV" {
		value = value.or(now[RAX])
	}
	return address, value
}

// overwrites reports whether an instruction's result does not depend on its first operand.
func overwrites(name string) bool {
	return strings.HasPrefix(name, "MOV") || name == "POP" ||
		strings.HasPrefix(name, "POPCNT") || strings.HasSuffix(name, "ZCNT") || name == "LEA"
}

// register returns the general register that an operand code names, -1 for none.
func (in *Inst) register(arg string) int {
	if arg == "" {
		return -1
	}
	r := -1
	switch arg[0] {
	case 'E', 'R':
		if in.isReg() {
			r = int(in.rm)
		}
	case 'G':
		r = int(in.reg)
	case 'Z':
		r = int(in.rm)
	case 'B':
		r = int(in.vvvv)
	case 'r', 'A':
		if arg == "rAX" || arg == "AL" {
			r = RAX
		}
	case 'C':
		if arg == "CL" {
			r = RCX
		}
	}
	if r > 15 {
		return -1
	}
	return r
}

// loads reports whether an instruction reads memory into registers.
func (in *Inst) loads() bool {
	f := &forms[in.row]
	switch f.row.Name {
	case "POP", "LEAVE", "LODS":
		return true
	case "LEA", "NOP":
		return false
	}
	return f.modrm && !in.isReg() && (f.row.Effect == "" || f.row.modifies())
}

// writes returns the general registers that an instruction writes, the stack pointer left out.
func (in *Inst) writes() (set uint32) {
	f := &forms[in.row]
	args := strings.Split(f.row.Args, ",")
	switch name := f.row.Name; name {
	case "CMP", "TEST", "PUSH", "BT", "NOP", "CALL", "JMP", "RET":
		return 0
	case "XCHG", "XADD":
		for _, a := range args {
			if r := in.register(a); r >= 0 {
				set |= 1 << r
			}
		}
		return set
	case "MUL", "DIV", "IDIV":
		return 1<<RAX | 1<<RDX
	case "IMUL":
		if len(args) == 1 {
			return 1<<RAX | 1<<RDX
		}
	case "SYSCALL", "CPUID", "RDTSC", "RDTSCP":
		return 1<<RAX | 1<<RCX | 1<<RDX | 1<<RBX
	}
	if r := in.register(args[0]); r >= 0 && r != RSP {
		set = 1 << r
	}
	return set
}
