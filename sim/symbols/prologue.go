package symbols

import (
	"encoding/binary"

	"zhuque/sim/x86"
)

// maxPrologue bounds the bytes of a function's beginning that are looked at.
const maxPrologue = 256

// byPrologue finds the caller of a function without call frame information: what it has
// pushed up to its first branch, or up to r.RIP, lies above the stack pointer, and above
// that the return address. The result counts only when it lies behind a call.
func (p *Process) byPrologue(r *Registers, o *object, vaddr, back uint64) (next Registers, ok bool) {
	s, ok := o.symbol(vaddr)
	if !ok || p.Memory == nil {
		return next, false
	}
	start := r.RIP - back - (vaddr - s.addr)
	code := make([]byte, maxPrologue)
	code = code[:p.Memory(start, code)]
	if now := r.RIP - start; now < uint64(len(code)) && code[now] == 0xc3 && back == 0 { // RET
		return p.popped(r, prologue{})
	}
	f, ok := readPrologue(code, r.RIP-start)
	if !ok {
		return next, false
	}
	if next, ok := p.popped(r, f); ok {
		return next, true
	}
	// Arguments of a call may be on the stack beside that. Then the return address must
	// lie behind a call of this very function.
	for range maxArguments {
		f.depth += 8
		if next, ok := p.popped(r, f); ok && p.calls(next.RIP, start) {
			return next, true
		}
	}
	return next, false
}

// maxArguments bounds the words that a call's arguments take on the stack.
const maxArguments = 16

// calls reports whether the instruction before ret calls the function at start directly,
// or one that begins with a jump to it.
func (p *Process) calls(ret, start uint64) bool {
	target, ok := p.branch(ret-5, 0xe8)
	if !ok {
		return false
	}
	if target == start {
		return true
	}
	code := make([]byte, maxPrologue)
	code = code[:p.Memory(target, code)]
	for at := 0; at < len(code); {
		if branches(code[at:]) {
			to, ok := p.branch(target+uint64(at), 0xe9)
			return ok && to == start
		}
		_, n := x86.Disasm(code[at:min(at+maxInstruction, len(code))], 0)
		at += max(n, 1)
	}
	return false
}

// branch returns where the instruction with this opcode and a 32-bit displacement goes.
func (p *Process) branch(at uint64, opcode byte) (uint64, bool) {
	var b [5]byte
	if p.Memory(at, b[:]) < len(b) || b[0] != opcode {
		return 0, false
	}
	return at + 5 + uint64(int64(int32(binary.LittleEndian.Uint32(b[1:])))), true
}

// prologue is what a function has put on the stack.
type prologue struct {
	depth uint64         // bytes below the return address
	saved map[int]uint64 // where registers were pushed: depth behind the push
}

// readPrologue follows the code of a function from its beginning to offset now, or to
// the first branch. It is not ok for a function that sets up a frame pointer: the chain of
// those says more.
func readPrologue(code []byte, now uint64) (f prologue, ok bool) {
	f.saved = map[int]uint64{}
	for at := uint64(0); at < now && at < uint64(len(code)); {
		c := code[at:]
		_, n := x86.Disasm(c[:min(len(c), maxInstruction)], 0)
		if n == 0 {
			return f, false
		}
		at += uint64(n)
		switch {
		case c[0]>>3 == 0x50>>3: // PUSH r64
			f.push(int(c[0] & 7))
		case n == 2 && c[0] == 0x41 && c[1]>>3 == 0x50>>3:
			f.push(int(c[1]&7) + 8)
		case n == 3 && f.depth == 8 && f.saved[5] == 8 &&
			(string(c[:3]) == "\x48\x89\xe5" || string(c[:3]) == "\x48\x8b\xec"):
			return f, false // PUSH RBP; MOV RBP, RSP
		case n == 4 && string(c[:3]) == "\x48\x83\xec": // SUB RSP, imm8
			f.depth += uint64(int64(int8(c[3])))
		case n == 7 && string(c[:3]) == "\x48\x81\xec": // SUB RSP, imm32
			f.depth += uint64(int64(int32(binary.LittleEndian.Uint32(c[3:]))))
		case branches(c):
			return f, true
		}
	}
	return f, true
}

func (f *prologue) push(reg int) {
	f.depth += 8
	f.saved[reg] = f.depth
}

// branches reports whether an instruction may go elsewhere than to the next.
func branches(c []byte) bool {
	switch op := c[0]; {
	case op>>4 == 7, op >= 0xe0 && op <= 0xe3, op == 0xe8, op == 0xe9, op == 0xeb, op == 0xc2, op == 0xc3, op == 0xff:
		return true
	case op == 0x0f && len(c) > 1:
		return c[1]>>4 == 8
	}
	return false
}

// popped returns the registers of the caller.
func (p *Process) popped(r *Registers, f prologue) (next Registers, ok bool) {
	cfa := r.R[4] + f.depth + 8
	ret, ok := p.load(cfa-8, 8)
	if !ok || !p.behindCall(ret) {
		return next, false
	}
	next = *r
	for reg, depth := range f.saved {
		if v, ok := p.load(cfa-8-depth, 8); ok {
			next.R[reg] = v
		}
	}
	next.R[4], next.RIP = cfa, ret
	return next, true
}
