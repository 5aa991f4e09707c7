package x86

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
)

// Cases of the instructions that go elsewhere: branches, traps, POPF, which may
// set what the host's own code must not run with, and what loads segment
// registers or their bases, of which Go uses one. They are executed under the trap flag.

// hwFlow reports whether a row's cases are single steps.
func hwFlow(row *Row) bool {
	if row.Args == "FS" || row.Args == "GS" || row.Args == "Sw,Ew" {
		return true
	}
	switch name := row.Name; name {
	case "LFS", "LGS", "JMP", "CALL", "RET", "LOOP", "LOOPE", "LOOPNE", "POPF",
		"INT", "INT1", "INT3", "RDFSBASE", "RDGSBASE", "WRFSBASE", "WRGSBASE":
		return true
	default:
		return name[0] == 'J' && name != "JMPF"
	}
}

// draw makes a case of a form; ok is false when it cannot be run.
func (p *hwPair) draw(r *rand.Rand, f *form) (c *hwCase, ok bool) {
	slot := p.slot
	if hwFlow(f.row) {
		slot = p.flow + 0xC00 + r.Uint64N(64)
	}
	c, ok = newHWCase(r, f, slot, p.scratch, p.size)
	if !ok {
		return nil, false
	}
	ok = c.adaptSystem() && (slot == p.slot || c.adaptFlow(&p.hwLayout))
	return c, ok && len(c.code) <= maxLength
}

// goal draws where a branch leads: mostly to code, sometimes to a page that is
// not there, seldom to an address that is none.
func (c *hwCase) goal(l *hwLayout) uint64 {
	switch c.r.IntN(16) {
	case 0:
		return hwEdge(c.r)
	case 1:
		return l.flow + l.flowLen + c.r.Uint64N(64)
	case 2:
		return 1<<47 - 2 + c.r.Uint64N(4) // the last canonical addresses of user mode
	}
	return l.flow + c.r.Uint64N(l.flowLen)
}

// stack makes RSP point into scratch memory and sets what lies there; false when
// the operand's address needs RSP.
func (c *hwCase) stack(top uint64) bool {
	if c.used>>RSP&1 != 0 {
		return false
	}
	c.gpr[RSP] = c.scratch + 2048 + c.r.Uint64N(4096)
	if c.r.IntN(32) == 0 {
		c.gpr[RSP] = c.scratch + c.r.Uint64N(16) - 8 // near the guard page
	}
	if c.operand == 0 {
		c.operand = max(c.gpr[RSP], c.scratch)
		binary.LittleEndian.PutUint64(c.memory[c.operand&15:], top)
	}
	return true
}

// adaptFlow gives the operands of instructions that go elsewhere useful values.
func (c *hwCase) adaptFlow(l *hwLayout) bool {
	r, name := c.r, c.form.row.Name
	c.fs, c.gs = uint64(int64(hwEdge(r)<<16)>>16), uint64(int64(hwEdge(r)<<16)>>16)
	var in Inst
	if V3.decode(c.code, c.slot, &in) == decoded && in.odd() {
		return false // processors disagree, see odd
	}
	switch c.form.imm {
	case immCd, immIz:
		binary.LittleEndian.PutUint32(c.code[len(c.code)-4:], uint32(c.goal(l)-c.slot-uint64(len(c.code))))
	}
	if strings.HasPrefix(name, "LOOP") || strings.HasSuffix(name, "CXZ") {
		if r.IntN(2) == 0 {
			c.gpr[RCX] = r.Uint64N(3)
		}
		if r.IntN(4) == 0 {
			c.gpr[RCX] |= r.Uint64() << 32
		}
	}
	switch {
	case name == "CALL" || name == "JMP":
		if name == "CALL" && !c.stack(c.goal(l)) {
			return false
		}
		c.indirect(&in, c.goal(l))
	case name == "RET":
		return c.stack(c.goal(l))
	case name == "POPF":
		return c.stack(r.Uint64())
	case c.form.row.Args == "FS" || c.form.row.Args == "GS":
		return c.stack(c.selector())
	case name == "LFS" || name == "LGS":
		binary.LittleEndian.PutUint16(c.memory[c.operand&15+4:], uint16(c.selector()))
	case name == "INT":
		return c.code[len(c.code)-1] != 0x80 // a system call
	case strings.HasPrefix(name, "WR") && r.IntN(8) != 0:
		v := &c.gpr[in.rm&15]
		*v = uint64(int64(*v<<16) >> 16)
	}
	return true
}

// selector draws what a segment register is loaded with.
func (c *hwCase) selector() uint64 {
	s := uint64(hwSelectors[c.r.IntN(len(hwSelectors))])
	switch c.r.IntN(8) {
	case 0:
		s = user32
	case 1:
		s = cpuNode
	case 2, 3:
		s = 0
	}
	return s | c.r.Uint64()<<16
}

// refusedBySS reports that a load of SS faults: behind one that does not, the processor
// does not stop for a single step.
func (c *hwCase) refusedBySS(modrm int) bool {
	selector := binary.LittleEndian.Uint16(c.memory[c.operand&15:])
	if c.code[modrm] >= 0xC0 {
		selector = uint16(c.gpr[c.code[modrm]&7|c.rexByte()<<3&8])
	}
	return selector != userDS
}

// indirect sets the register or memory from which a branch takes its target.
func (c *hwCase) indirect(in *Inst, to uint64) {
	switch {
	case !c.form.modrm:
	case in.isReg():
		if in.rm != RSP || c.form.row.Name == "JMP" {
			c.gpr[in.rm&15] = to
		}
	default:
		binary.LittleEndian.PutUint64(c.memory[c.operand&15:], to)
	}
}

// adaptSystem does the same for the system call and for loads of segment
// registers.
func (c *hwCase) adaptSystem() bool {
	r, row := c.r, c.form.row
	switch {
	case row.Name == "SYSCALL":
		c.gpr[RAX] = 1<<28 + r.Uint64N(1<<20) // no such call
		return !slices.Contains(c.code, 0xF0)
	case row.Args == "Sw,Ew":
		i := slices.Index(c.code, 0x8E) + 1
		if r.IntN(4) != 0 {
			c.code[i] = c.code[i]&^0x38 | [...]byte{0, 0x18, 0x20, 0x28}[r.IntN(4)]
		}
		if c.code[i] >= 0xC0 {
			rm := c.code[i]&7 | c.rexByte()<<3&8
			c.gpr[rm] = c.selector()
		}
		for i := 0; i+2 <= len(c.memory); i += 2 {
			binary.LittleEndian.PutUint16(c.memory[i:], uint16(c.selector()))
		}
		if c.code[i]>>3&7 == regSS {
			return c.refusedBySS(i)
		}
	}
	return true
}
