// Package x86 is the user-mode x86-64 processor: an instruction table, the
// decoder and the interpreter that are driven by it. Memory is reached through
// mem.Port only; the package knows nothing of Linux, Zhuque or crashes.
//
// Sources: Intel SDM volumes 1 and 2, AMD64 APM volume 3; the processor of the
// host is the oracle (see hwtest).
package x86

import (
	"fmt"
	"math/bits"

	"zhuque/sim/mem"
)

// Numbers of the general registers in CPU.R.
const (
	RAX = iota
	RCX
	RDX
	RBX
	RSP
	RBP
	RSI
	RDI
	R8
	R9
	R10
	R11
	R12
	R13
	R14
	R15
	RZero // always zero: an absent base or index
)

// Bits of RFLAGS.
const (
	CF uint64 = 1 << 0
	PF uint64 = 1 << 2
	AF uint64 = 1 << 4
	ZF uint64 = 1 << 6
	SF uint64 = 1 << 7
	TF uint64 = 1 << 8
	IF uint64 = 1 << 9
	DF uint64 = 1 << 10
	OF uint64 = 1 << 11
	NT uint64 = 1 << 14
	AC uint64 = 1 << 18
	ID uint64 = 1 << 21

	StatusFlags = CF | PF | AF | ZF | SF | OF
	flagsFixed  = 1<<1 | IF // read as one in user mode
)

// Segment bases in CPU.SegBase; every other segment has base zero.
const (
	SegNone = iota
	SegFS
	SegGS
)

// Vec is a vector register, low quadword first. The upper half belongs to AVX.
type Vec [4]uint64

// F80 is an x87 extended-precision number: sign and exponent, 64-bit significand.
type F80 struct {
	Mant uint64
	SE   uint16 // sign in bit 15, biased exponent below
}

// X87 is the floating-point unit's state. ST(i) is Reg[(top+i)&7] with top in SW bits 11..13.
type X87 struct {
	Reg    [8]F80
	CW, SW uint16
	Tag    uint8 // bit i set: physical register i is not empty (FXSAVE's abridged form)
	Op     uint16
	IP, DP uint64
}

// State is everything architectural that a program can see of a core, except
// memory. It is what Zhuque saves at a power failure and what is compared.
type State struct {
	R      [16]uint64
	RIP    uint64
	RFlags uint64
	FSBase uint64
	GSBase uint64
	Sel    Selectors
	V      [16]Vec
	MXCSR  uint32
	FPU    X87

	// Trap tells of a single step of the program's (TF) whose #DB is still to come: what
	// processors call a pending debug exception.
	Trap bool
}

// Selectors are the segment registers that a program may load: ES, DS, FS, GS.
type Selectors [4]uint16

// Indexes into Selectors.
const (
	SelES = iota
	SelDS
	SelFS
	SelGS
)

// CPU is one core. Its hot fields are laid out for the interpreter; State and
// SetState convert.
type CPU struct {
	R       [32]uint64 // general registers; R[RZero] is zero; the rest is unused
	SegBase [4]uint64  // indexed by SegNone, SegFS, SegGS

	// Status flags are kept lazily. flagRes is the last result, sign-extended;
	// flagAux holds CF in bit 63, CF^OF in bit 62, AF in bit 3, an inversion of
	// SF in bit 16 and a byte in bits 8..15 that is XORed into the result byte
	// before parity (the technique is from the Bochs project's papers).
	flagRes int64
	flagAux uint64
	rest    uint64 // TF, DF, NT, AC, ID and other flags outside StatusFlags

	V     [16]Vec
	MXCSR uint32
	FPU   X87

	RIP     uint64
	Retired uint64 // instructions completed since the program's first; a REP string instruction counts once

	// Elsewhere is how many of them other cores completed: those of the machine's one order
	// that are none of this core's time.
	Elsewhere uint64

	Entropy uint64 // what RDRAND and RDSEED draw from, besides Retired: see draw

	Port *mem.Port

	level Level // see SetLevel

	// The interpreter's own state: nothing of it is architectural.
	code    *codeCache // decoded blocks, shared between clones
	gen     uint64     // blocks with this number are known to be current
	at      uint64     // instructions completed of the block that is being executed
	until   uint64     // Run returns when Retired has reached it; SYSCALL sets it to 0
	rep     uint64     // iterations a REP string instruction may still execute
	entry   Reason     // the block ended with SYSCALL or INT 0x80
	partial bool       // a REP string instruction ran out of iterations
	in      position   // what execute has come to

	// What few instructions need lies behind what all need.
	ModelTSC bool   // the time-stamp counter is the cache model's time of the core
	TSCAux   uint32 // what RDTSCP and RDPID return: the core's number, on Linux
	sel      Selectors
	trap     bool // State.Trap

	// Mark is told of zhuque_mark (runtime/zhuque.h), with its argument; nil for nobody.
	Mark func(n uint64)
}

// At returns the address of the instruction that is being executed, RIP between two.
func (c *CPU) At() uint64 {
	b := c.in.block
	if b == nil {
		return c.RIP
	}
	in := &b.insts[c.at]
	return in.next - uint64(in.length)
}

// Inst is one decoded instruction, laid out flat for the hot path.
type Inst struct {
	fn   func(c *CPU, in *Inst)
	imm  uint64 // immediate, sign-extended; a relative branch's target
	disp uint64 // displacement, sign-extended; RIP-relative ones are resolved
	next uint64 // address of the following instruction

	base, index, scale, seg uint8 // effective address: R[base]+R[index]<<scale+disp, SegBase[seg]
	reg, rm                 uint8 // ModRM.reg and, with a register operand, ModRM.rm, with REX applied
	width                   uint8 // operand size in bytes
	cc                      uint8 // condition code of Jcc, SETcc, CMOVcc
	prefix                  uint8 // prefix bits below
	length                  uint8
	at                      uint8  // index in its block
	row                     uint16 // index into the instruction table
	vvvv                    uint8  // the register that a VEX prefix names
	long                    uint8  // VEX.L: 1 for vectors of 256 bits
}

// Bits of Inst.prefix.
const (
	prefixREX     = 1 << iota // any REX: byte registers 4..7 are SPL..DIL, not AH..BH
	prefixRep                 // F3
	prefixRepne               // F2
	prefixLock                // F0
	prefixAddr32              // 67
	prefixOpsize              // 66
	prefixRegForm             // ModRM.mod == 3
)

// ea returns the effective address of the memory operand.
func (c *CPU) ea(in *Inst) uint64 {
	a := c.R[in.base&31] + c.R[in.index&31]<<(in.scale&3) + in.disp
	if in.prefix&prefixAddr32 != 0 {
		a = uint64(uint32(a))
	}
	return a + c.SegBase[in.seg&3]
}

// Exception is a processor exception that an instruction raised. Execution
// stops with RIP at the instruction and no state changed, unless Vector is a trap.
type Exception struct {
	Vector Vector
	RIP    uint64
	Code   uint64     // error code, where the vector has one
	Fault  *mem.Fault // set for memory accesses
	Step   bool       // DB: of a single step, RIP is the next instruction
}

// IsTrap reports whether the exception's instruction is complete: INT1, INT3 or INT 4.
func (e *Exception) IsTrap() bool {
	return e.Vector == BP || e.Vector == Overflow || e.Vector == DB && !e.Step
}

func (e *Exception) Error() string {
	if e.Fault != nil {
		return fmt.Sprintf("%s at rip %#x: %v", e.Vector, e.RIP, e.Fault)
	}
	return fmt.Sprintf("%s at rip %#x", e.Vector, e.RIP)
}

// Vector is an exception's number in the SDM.
type Vector uint8

const (
	DE              Vector = 0  // divide error
	DB              Vector = 1  // debug: INT1, single step
	BP              Vector = 3  // breakpoint: INT3
	Overflow        Vector = 4  // overflow: INT 4, as INTO does not exist in 64-bit mode
	UD              Vector = 6  // invalid opcode
	GP              Vector = 13 // general protection
	SS              Vector = 12 // stack segment
	PageFaultVector Vector = 14
	MF              Vector = 16 // x87 floating point
	AlignmentCheck  Vector = 17 // a misaligned operand under AC
	XM              Vector = 19 // SIMD floating point
)

func (v Vector) String() string {
	switch v {
	case DE:
		return "#DE"
	case DB:
		return "#DB"
	case BP:
		return "#BP"
	case Overflow:
		return "#OF"
	case UD:
		return "#UD"
	case SS:
		return "#SS"
	case GP:
		return "#GP"
	case PageFaultVector:
		return "#PF"
	case MF:
		return "#MF"
	case AlignmentCheck:
		return "#AC"
	case XM:
		return "#XM"
	}
	return fmt.Sprintf("#%d", uint8(v))
}

// Unsupported stops a run: the guest needs something the simulator does not model.
type Unsupported struct {
	What string // instruction bytes or feature
	RIP  uint64
}

func (u *Unsupported) Error() string { return fmt.Sprintf("unsupported: %s at rip %#x", u.What, u.RIP) }

// raise aborts the current instruction with an exception.
func (c *CPU) raise(v Vector, code uint64) { panic(&Exception{Vector: v, Code: code}) }

// Lazy flags.

const (
	auxCF  = 1 << 63
	auxPO  = 1 << 62 // CF xor OF
	auxSFD = 1 << 16
	auxAF  = 1 << 3
)

func (c *CPU) cf() bool { return c.flagAux>>63 != 0 }
func (c *CPU) of() bool { return (c.flagAux>>63^c.flagAux>>62)&1 != 0 }
func (c *CPU) zf() bool { return c.flagRes == 0 }
func (c *CPU) sf() bool { return (uint64(c.flagRes)>>63^c.flagAux>>16)&1 != 0 }
func (c *CPU) af() bool { return c.flagAux>>3&1 != 0 }
func (c *CPU) pf() bool {
	return bits.OnesCount8(uint8(c.flagRes)^uint8(c.flagAux>>8))&1 == 0
}

// flags returns the status flags as bits of RFLAGS.
func (c *CPU) flags() (f uint64) {
	if c.cf() {
		f |= CF
	}
	if c.pf() {
		f |= PF
	}
	if c.af() {
		f |= AF
	}
	if c.zf() {
		f |= ZF
	}
	if c.sf() {
		f |= SF
	}
	if c.of() {
		f |= OF
	}
	return f
}

// setFlags sets all six status flags from bits of RFLAGS.
func (c *CPU) setFlags(f uint64) {
	var aux uint64
	if f&CF != 0 {
		aux |= auxCF
	}
	if (f&CF != 0) != (f&OF != 0) {
		aux |= auxPO
	}
	if f&AF != 0 {
		aux |= auxAF
	}
	c.flagRes = 1 // parity odd, not zero, not negative
	if f&ZF != 0 {
		c.flagRes = 0 // parity even
	}
	if f&SF != 0 {
		aux |= auxSFD
	}
	if even := f&ZF != 0; even != (f&PF != 0) {
		aux |= 1 << 8
	}
	c.flagAux = aux
}

// RFlags returns the whole flags register.
func (c *CPU) RFlags() uint64 { return c.flags() | c.rest | flagsFixed }

// SetRFlags sets the flags a user program may change, as POPF does.
func (c *CPU) SetRFlags(f uint64) {
	c.setFlags(f)
	c.rest = f & (DF | TF | NT | AC | ID)
}

// State returns the architectural state.
func (c *CPU) State() (s State) {
	c.SaveState(&s)
	return s
}

// SaveState is State for a place that is there already.
func (c *CPU) SaveState(s *State) {
	copy(s.R[:], c.R[:16])
	s.RIP, s.RFlags, s.FSBase, s.GSBase = c.RIP, c.RFlags(), c.SegBase[SegFS], c.SegBase[SegGS]
	s.V, s.MXCSR, s.FPU = c.V, c.MXCSR, c.FPU
	s.Sel, s.Trap = c.sel, c.trap
}

// SetState replaces the architectural state.
func (c *CPU) SetState(s *State) {
	copy(c.R[:16], s.R[:])
	c.RIP, c.V, c.MXCSR, c.FPU = s.RIP, s.V, s.MXCSR, s.FPU
	c.SegBase[SegFS], c.SegBase[SegGS] = s.FSBase, s.GSBase
	c.sel, c.trap = s.Sel, s.Trap
	c.SetRFlags(s.RFlags)
}
