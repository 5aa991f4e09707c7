package symbols

import "encoding/binary"

// reader takes numbers off a section. Behind its end it gives zeros and is bad.
type reader struct {
	data []byte
	at   uint64 // of the next byte in data
	bad  bool
}

func (r *reader) left() uint64 {
	if r.bad || r.at > uint64(len(r.data)) {
		return 0
	}
	return uint64(len(r.data)) - r.at
}

func (r *reader) take(n uint64) []byte {
	if n > r.left() {
		r.bad = true
		return nil
	}
	b := r.data[r.at : r.at+n]
	r.at += n
	return b
}

// uint reads an unsigned number of n bytes, at most 8.
func (r *reader) uint(n uint64) uint64 {
	var b [8]byte
	copy(b[:], r.take(n))
	return binary.LittleEndian.Uint64(b[:])
}

// int is uint with a sign.
func (r *reader) int(n uint64) uint64 {
	shift := 64 - 8*n
	return uint64(int64(r.uint(n)<<shift) >> shift)
}

func (r *reader) byte() byte { return byte(r.uint(1)) }

// uleb and sleb read LEB128 numbers; bits above the 64th are dropped.
func (r *reader) uleb() (v uint64) {
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 || r.bad {
			return v
		}
	}
}

func (r *reader) sleb() uint64 {
	var v uint64
	for shift := 0; ; shift += 7 {
		b := r.byte()
		if shift < 64 {
			v |= uint64(b&0x7f) << shift
		}
		if b < 0x80 || r.bad {
			if b&0x40 != 0 && shift+7 < 64 {
				v |= ^uint64(0) << (shift + 7)
			}
			return v
		}
	}
}

// Bounds of an expression: steps, for there are backward branches, and depth.
const (
	maxOps   = 1000
	maxStack = 64
)

// expression evaluates DWARF expressions over a frame's registers. Ops that need a
// debugger's knowledge of variables do not occur in call frame information.
type expression struct {
	regs  *Registers
	load  func(addr, size uint64) (uint64, bool)
	stack []uint64
	ok    bool
}

func (x *expression) push(v uint64) {
	if len(x.stack) >= maxStack {
		x.ok = false
		return
	}
	x.stack = append(x.stack, v)
}

func (x *expression) pop() (v uint64) {
	if len(x.stack) == 0 {
		x.ok = false
		return 0
	}
	v = x.stack[len(x.stack)-1]
	x.stack = x.stack[:len(x.stack)-1]
	return v
}

// run evaluates code on a stack that holds first, and returns what is then on top.
func (x *expression) run(code []byte, first ...uint64) (uint64, bool) {
	x.stack, x.ok = append(x.stack[:0], first...), true
	r := &reader{data: code}
	for n := 0; r.left() > 0 && x.ok; n++ {
		if n == maxOps {
			return 0, false
		}
		x.op(r.byte(), r)
	}
	v := x.pop()
	return v, x.ok && !r.bad
}

// op carries out one operation of DWARF 5, chapter 2.5.1.
func (x *expression) op(op byte, r *reader) {
	switch {
	case op >= 0x30 && op <= 0x4f: // lit0 to lit31
		x.push(uint64(op - 0x30))
		return
	case op >= 0x70 && op <= 0x8f: // breg0 to breg31
		x.register(uint64(op-0x70), r.sleb())
		return
	case op >= 0x1a && op <= 0x2e && op != 0x1f && op != 0x20 && op != 0x23 && op != 0x28:
		b, a := x.pop(), x.pop()
		x.binary(op, a, b)
		return
	}
	switch op {
	case 0x03, 0x0e, 0x0f: // addr, const8u, const8s
		x.push(r.uint(8))
	case 0x06: // deref
		x.deref(8)
	case 0x08, 0x0a, 0x0c: // const1u, 2u, 4u
		x.push(r.uint(1 << ((op - 8) / 2)))
	case 0x09, 0x0b, 0x0d: // const1s, 2s, 4s
		x.push(r.int(1 << ((op - 9) / 2)))
	case 0x10:
		x.push(r.uleb())
	case 0x11:
		x.push(r.sleb())
	case 0x12: // dup
		x.pick(0)
	case 0x13: // drop
		x.pop()
	case 0x14: // over
		x.pick(1)
	case 0x15:
		x.pick(uint64(r.byte()))
	case 0x16: // swap
		b, a := x.pop(), x.pop()
		x.push(b)
		x.push(a)
	case 0x17: // rot
		c, b, a := x.pop(), x.pop(), x.pop()
		x.push(c)
		x.push(a)
		x.push(b)
	case 0x19: // abs
		if v := x.pop(); int64(v) < 0 {
			x.push(-v)
		} else {
			x.push(v)
		}
	case 0x1f:
		x.push(-x.pop())
	case 0x20:
		x.push(^x.pop())
	case 0x23: // plus_uconst
		x.push(x.pop() + r.uleb())
	case 0x28, 0x2f: // bra, skip
		by := r.int(2)
		if op == 0x2f || x.pop() != 0 {
			r.at += by // outside: left is 0, or a bad read
			r.bad = r.bad || r.at > uint64(len(r.data))
		}
	case 0x92: // bregx
		n := r.uleb()
		x.register(n, r.sleb())
	case 0x94: // deref_size
		x.deref(uint64(r.byte()))
	case 0x96: // nop
	default:
		x.ok = false
	}
}

func (x *expression) register(n, offset uint64) {
	if n >= columns {
		x.ok = false
		return
	}
	x.push(x.regs.column(n) + offset)
}

func (x *expression) deref(size uint64) {
	if size == 0 || size > 8 {
		x.ok = false
		return
	}
	v, ok := x.load(x.pop(), size)
	x.ok = x.ok && ok
	x.push(v)
}

func (x *expression) pick(n uint64) {
	if n >= uint64(len(x.stack)) {
		x.ok = false
		return
	}
	x.push(x.stack[uint64(len(x.stack))-1-n])
}

func (x *expression) binary(op byte, a, b uint64) {
	is := func(c bool) {
		if c {
			x.push(1)
		} else {
			x.push(0)
		}
	}
	switch op {
	case 0x1a:
		x.push(a & b)
	case 0x1b, 0x1d: // div is signed, mod is not
		switch {
		case b == 0:
			x.ok = false
		case op == 0x1d:
			x.push(a % b)
		default:
			x.push(uint64(int64(a) / int64(b)))
		}
	case 0x1c:
		x.push(a - b)
	case 0x1e:
		x.push(a * b)
	case 0x21:
		x.push(a | b)
	case 0x22:
		x.push(a + b)
	case 0x24:
		x.push(a << b)
	case 0x25:
		x.push(a >> b)
	case 0x26:
		x.push(uint64(int64(a) >> b))
	case 0x27:
		x.push(a ^ b)
	case 0x29:
		is(int64(a) == int64(b))
	case 0x2a:
		is(int64(a) >= int64(b))
	case 0x2b:
		is(int64(a) > int64(b))
	case 0x2c:
		is(int64(a) <= int64(b))
	case 0x2d:
		is(int64(a) < int64(b))
	case 0x2e:
		is(a != b)
	default:
		x.ok = false
	}
}
