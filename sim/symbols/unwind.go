package symbols

import (
	"fmt"
	"slices"
)

// columns is how many registers call frame information is followed for: the general
// ones and the return address.
const columns = 17

// Columns of the System V ABI's table 3.36 that have names here.
const (
	columnRBP = 6
	columnRSP = 7
	columnRIP = 16
)

// Registers are the general registers in the order of the instruction set (RAX, RCX,
// RDX, RBX, RSP, RBP, RSI, RDI, R8 to R15).
type Registers struct {
	R   [16]uint64
	RIP uint64
}

// abi gives the register of each of the first eight columns.
var abi = [8]int{0, 2, 1, 3, 6, 7, 5, 4}

func (r *Registers) column(n uint64) uint64 { return *r.at(n) }

func (r *Registers) at(n uint64) *uint64 {
	switch {
	case n == columnRIP:
		return &r.RIP
	case n < 8:
		return &r.R[abi[n]]
	}
	return &r.R[n]
}

// How says how a frame was found from the one inside it.
type How uint8

const (
	Innermost  How = iota // by the thread's registers
	ByInlining            // the compiler inlined the frame before into this one
	ByCFI                 // call frame information
	BySignal              // what the kernel saved when it delivered a signal
	ByPrologue            // what the function pushed at its beginning
	ByPointer             // the chain of frame pointers
)

// Frame is a function that is active.
type Frame struct {
	Location
	How How
	// Signal: the frame is the trampoline to which a signal's handler returns; what
	// comes next was interrupted and not left by a call.
	Signal bool
	SP     uint64 // the stack pointer in the frame
}

// Stack is a thread's stack, the innermost frame first.
type Stack []Frame

// Line returns the innermost frame with a source line.
func (s Stack) Line() (f Frame, ok bool) {
	i := slices.IndexFunc(s, func(f Frame) bool { return f.HasLine() })
	if i < 0 {
		return Frame{}, false
	}
	return s[i], true
}

// String is "list.c:41 (push), in pmem_persist+0x1c (libpmem.so.1): mov …": the
// innermost frame with a line and, where another one is the innermost, that.
func (s Stack) String() string {
	if len(s) == 0 {
		return "(no stack)"
	}
	f, ok := s.Line()
	switch {
	case !ok:
		return s[0].Location.String()
	case s[0].HasLine():
		return f.Location.String()
	}
	return fmt.Sprintf("%v, in %v", f.Location, s[0].Location)
}

// maxDepth bounds the frames of a stack; recursion is deeper at times, and then the
// outermost are left out.
const maxDepth = 256

// Unwind returns the stack of a thread with these registers. There is always one frame.
func (p *Process) Unwind(r Registers) (s Stack) {
	how, back := Innermost, uint64(0)
	for len(s) < maxDepth {
		next, trampoline, found := p.step(&r, back)
		if trampoline {
			back = 0
		}
		list := p.at(r.RIP, back)
		for i, l := range list {
			f := Frame{Location: l, How: how, SP: r.R[4], Signal: trampoline && i == len(list)-1}
			if i > 0 {
				f.How = ByInlining
			}
			s = append(s, f)
		}
		if found == Innermost || next.RIP == 0 || p.mapping(next.RIP) == nil {
			break
		}
		if next.R[4] <= r.R[4] && !trampoline { // a caller's frame lies above; a handler may have a stack of its own
			break
		}
		back = 1 // a return address lies behind the call
		if trampoline {
			back = 0
		}
		r, how = next, found
	}
	return s
}

// load reads size bytes of memory, at most 8.
func (p *Process) load(addr, size uint64) (uint64, bool) {
	var b [8]byte
	if p.Memory == nil || p.Memory(addr, b[:size]) < int(size) {
		return 0, false
	}
	r := reader{data: b[:]}
	return r.uint(8), true
}

// step returns the registers of the caller, whether the frame is a signal's trampoline,
// and how the caller was found: Innermost for not at all.
func (p *Process) step(r *Registers, back uint64) (next Registers, trampoline bool, how How) {
	// A handler returns to the trampoline without having been called from it.
	if o, vaddr := p.object(p.mapping(r.RIP), r.RIP); o != nil {
		if f := o.frameAt(vaddr); f != nil && f.cie.signal {
			if next, ok := p.byRules(r, f, vaddr); ok {
				return next, true, ByCFI
			}
		}
	}
	if next, ok := p.bySignal(r); ok {
		return next, true, BySignal
	}
	o, vaddr := p.object(p.mapping(r.RIP-back), r.RIP-back)
	if o != nil {
		if f := o.frameAt(vaddr); f != nil {
			if next, ok := p.byRules(r, f, vaddr); ok {
				return next, false, ByCFI
			}
			return next, false, Innermost // says itself that it is the last, or cannot be followed
		}
		if next, ok := p.byPrologue(r, o, vaddr, back); ok {
			return next, false, ByPrologue
		}
	}
	if next, ok := p.byPointer(r); ok {
		return next, false, ByPointer
	}
	return next, false, Innermost
}

// byRules applies call frame information.
func (p *Process) byRules(r *Registers, f *frameEntry, vaddr uint64) (next Registers, ok bool) {
	row, ok := f.rowAt(vaddr)
	if !ok {
		return next, false
	}
	x := expression{regs: r, load: p.load}
	var cfa uint64
	switch row.cfa.kind {
	case cfaOffset:
		cfa = r.column(row.cfaReg) + row.cfa.num
	case isExpr:
		if cfa, ok = x.run(row.cfa.code); !ok {
			return next, false
		}
	default:
		return next, false
	}
	next = *r
	next.R[4] = cfa
	for n := range uint64(columns) {
		v, known := r.column(n), true
		switch rl := row.reg[n]; rl.kind {
		case sameValue:
			if n == columnRSP {
				v = cfa
			}
			known = n != f.cie.returnColumn
		case undefined:
			v, known = 0, n != f.cie.returnColumn
		case atOffset:
			v, known = p.load(cfa+rl.num, 8)
		case isOffset:
			v = cfa + rl.num
		case inReg:
			if known = rl.num < columns; known {
				v = r.column(rl.num)
			}
		case atExpr:
			if v, known = x.run(rl.code, cfa); known {
				v, known = p.load(v, 8)
			}
		case isExpr:
			v, known = x.run(rl.code, cfa)
		}
		if !known {
			if n == f.cie.returnColumn {
				return next, false
			}
			v = 0
		}
		*next.at(n) = v
	}
	if f.cie.returnColumn != columnRIP {
		next.RIP = next.column(f.cie.returnColumn)
	}
	return next, true
}

// sigreturn are the two ways in which C libraries call rt_sigreturn.
var sigreturn = [...]string{"\x48\xc7\xc0\x0f\x00\x00\x00\x0f\x05", "\xb8\x0f\x00\x00\x00\x0f\x05"}

// gregs is the offset of the saved registers in the signal frame to which the stack
// pointer points in the trampoline (struct ucontext), and their order there.
const gregs = 40

var gregOrder = [...]int{8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4} // then RIP

// bySignal leaves a signal's trampoline that has no call frame information (musl's).
func (p *Process) bySignal(r *Registers) (next Registers, ok bool) {
	var code [9]byte
	if p.Memory == nil {
		return next, false
	}
	n := p.Memory(r.RIP, code[:])
	if !slices.ContainsFunc(sigreturn[:], func(s string) bool { return n >= len(s) && string(code[:len(s)]) == s }) {
		return next, false
	}
	for i, reg := range gregOrder {
		if next.R[reg], ok = p.load(r.R[4]+gregs+8*uint64(i), 8); !ok {
			return next, false
		}
	}
	next.RIP, ok = p.load(r.R[4]+gregs+8*uint64(len(gregOrder)), 8)
	return next, ok
}

// byPointer follows the frame pointer, where it points to what looks like a frame: above
// the stack pointer, with an address behind a call in it.
func (p *Process) byPointer(r *Registers) (next Registers, ok bool) {
	fp := r.R[5]
	if fp < r.R[4] || fp&7 != 0 {
		return next, false
	}
	saved, ok := p.load(fp, 8)
	ret, ok2 := p.load(fp+8, 8)
	if !ok || !ok2 || !p.behindCall(ret) {
		return next, false
	}
	next = *r
	next.R[5], next.R[4], next.RIP = saved, fp+16, ret
	return next, true
}

// behindCall reports whether the instruction before addr can be a call.
func (p *Process) behindCall(addr uint64) bool {
	m := p.mapping(addr - 1)
	if m == nil || !m.Exec || addr-m.Start < 7 {
		return false
	}
	var b [7]byte
	if p.Memory(addr-7, b[:]) < len(b) {
		return false
	}
	if b[2] == 0xe8 {
		return true // CALL rel32
	}
	for n := 2; n <= 7; n++ { // CALL r/m64: FF /2
		if b[7-n] == 0xff && b[8-n]>>3&7 == 2 {
			return true
		}
	}
	return false
}
