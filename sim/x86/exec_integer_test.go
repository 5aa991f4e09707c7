package x86

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"testing"

	"zhuque/sim/det"
)

// A second, deliberately dumb implementation: one bit at a time, flags by their
// definition.

type dumb struct {
	bits  int
	flags uint64
}

func bit(v uint64, i int) uint64 { return v >> i & 1 }

func (d *dumb) set(f uint64, v uint64) {
	d.flags &^= f
	if v != 0 {
		d.flags |= f
	}
}

// result sets SF, ZF and PF.
func (d *dumb) result(r uint64) {
	ones, zero := 0, uint64(1)
	for i := range d.bits {
		if bit(r, i) == 1 {
			zero = 0
			if i < 8 {
				ones++
			}
		}
	}
	d.set(SF, bit(r, d.bits-1))
	d.set(ZF, zero)
	d.set(PF, uint64(1-ones%2))
}

// add adds bit by bit; sub inverts b and the carries.
func (d *dumb) add(a, b, carry uint64, sub bool) (r uint64) {
	if sub {
		carry ^= 1
	}
	into := uint64(0)
	for i := range d.bits {
		x, y := bit(a, i), bit(b, i)
		if sub {
			y ^= 1
		}
		into = carry
		s := x + y + carry
		r |= s & 1 << i
		carry = s >> 1
		if i == 3 {
			d.set(AF, carry^uint64(map[bool]uint64{true: 1}[sub]))
		}
	}
	d.set(OF, into^carry)
	if sub {
		carry ^= 1
	}
	d.set(CF, carry)
	d.result(r)
	return r
}

func (d *dumb) logic(a, b uint64, f func(x, y uint64) uint64) (r uint64) {
	for i := range d.bits {
		r |= f(bit(a, i), bit(b, i)) << i
	}
	d.set(CF|OF|AF, 0)
	d.result(r)
	return r
}

// alu performs the operation with the number of its opcode row.
func (d *dumb) alu(op int, a, b uint64) uint64 {
	cf := uint64(0)
	if d.flags&CF != 0 {
		cf = 1
	}
	switch op {
	case 0:
		return d.add(a, b, 0, false)
	case 1:
		return d.logic(a, b, func(x, y uint64) uint64 { return x | y })
	case 2:
		return d.add(a, b, cf, false)
	case 3:
		return d.add(a, b, cf, true)
	case 4:
		return d.logic(a, b, func(x, y uint64) uint64 { return x & y })
	case 6:
		return d.logic(a, b, func(x, y uint64) uint64 { return x ^ y })
	}
	r := d.add(a, b, 0, true)
	if op == 7 {
		return a
	}
	return r
}

// shift performs the operation with the number of ModRM.reg, one bit at a time.
func (d *dumb) shift(op int, a uint64, count uint64) uint64 {
	if d.bits == 64 {
		count %= 64
	} else {
		count %= 32
	}
	mask := ^uint64(0) >> (64 - d.bits)
	first := a
	for range count {
		cf, top := uint64(0), bit(a, d.bits-1)
		if d.flags&CF != 0 {
			cf = 1
		}
		low := a & 1
		switch op {
		case 0:
			a = a<<1 | top
			cf = top
		case 1:
			a = a>>1 | low<<(d.bits-1)
			cf = low
		case 2:
			a = a<<1 | cf
			cf = top
		case 3:
			a = a>>1 | cf<<(d.bits-1)
			cf = low
		case 4, 6:
			a <<= 1
			cf = top
		case 5:
			a >>= 1
			cf = low
		case 7:
			a = a>>1 | top<<(d.bits-1)
			cf = low
		}
		a &= mask
		d.set(CF, cf)
	}
	if count == 1 {
		switch op {
		case 0, 2, 4, 6:
			d.set(OF, bit(a, d.bits-1)^bit(d.flags, 0))
		case 1, 3, 5, 7:
			d.set(OF, bit(a, d.bits-1)^bit(first, d.bits-1))
		}
	}
	if count > 0 && op >= 4 {
		d.result(a)
	}
	return a
}

// shape is where an instruction's operands are: registers (with the byte
// registers that only REX reaches, or only its absence), memory, immediate.
type shape struct {
	name     string
	dst, src int // registers; -1 memory at RBX; -2 immediate
	rex      bool
}

var shapes = []shape{
	{"rr", RDX, RSI, true}, {"rr ah..bh", 4, 7, false}, {"rr same", RBP, RBP, true}, {"rr high", R13, R12, true},
	{"mr", -1, R9, true}, {"mr ah", -1, 4, false}, {"rm", R10, -1, true}, {"ri", R11, -2, true}, {"ri ah", 6, -2, false}, {"mi", -1, -2, true},
	{"al", RAX, -2, false},
}

// encodeALU assembles ALU operation op.
func (s shape) encodeALU(op int, width int, imm int32, short bool) []byte {
	var code []byte
	if width == 2 {
		code = append(code, 0x66)
	}
	rm, reg, opcode := s.dst, s.src, byte(op<<3)
	switch {
	case s.src == -1:
		rm, reg, opcode = s.src, s.dst, opcode+2
	case s.src == -2:
		reg, opcode = op, 0x80
		if short && width > 1 {
			opcode = 0x82
		}
	}
	rex := byte(0x40)
	if width == 8 {
		rex |= 8
	}
	if reg >= 8 {
		rex |= 4
	}
	modrm := byte(reg&7)<<3 | RBX
	if rm >= 0 {
		modrm = 0xC0 | byte(reg&7)<<3 | byte(rm&7)
		if rm >= 8 {
			rex |= 1
		}
	}
	if s.rex || rex != 0x40 {
		code = append(code, rex)
	}
	if width > 1 {
		opcode++
	}
	if s.name == "al" && !short {
		code = append(code, byte(op<<3)+4+opcode&1)
	} else {
		code = append(code, opcode, modrm)
	}
	switch {
	case s.src != -2:
	case width == 1 || short:
		code = append(code, byte(imm))
	case width == 2:
		code = binary.LittleEndian.AppendUint16(code, uint16(imm))
	default:
		code = binary.LittleEndian.AppendUint32(code, uint32(imm))
	}
	return code
}

// value returns an operand with the interesting ones in front.
func value(r *rand.Rand) uint64 {
	switch r.IntN(4) {
	case 0:
		return []uint64{0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0x7FFFFFFF,
			0x80000000, 1<<63 - 1, 1 << 63, ^uint64(0)}[r.IntN(12)]
	case 1:
		return uint64(int64(int8(r.Uint32())))
	}
	return r.Uint64() >> r.IntN(64)
}

// getReg and putReg reach a register as the manual describes, independently of
// the accessors under test.
func (s shape) getReg(m *machine, n, width int) uint64 {
	v := m.R[n]
	if width == 1 && !s.rex && n >= 4 && n < 8 {
		v = m.R[n-4] >> 8
	}
	return v & (^uint64(0) >> (64 - 8*width))
}

func (s shape) putReg(regs *[32]uint64, n, width int, v uint64) {
	switch {
	case width == 1 && !s.rex && n >= 4 && n < 8:
		regs[n-4] = regs[n-4]&^0xFF00 | v<<8
	case width == 4:
		regs[n] = v
	default:
		mask := ^uint64(0) >> (64 - 8*width)
		regs[n] = regs[n]&^mask | v
	}
}

// run executes one instruction and compares registers, memory and the flags in
// defined with what the dumb implementation gives.
func (s shape) run(t *testing.T, m *machine, what string, code []byte, width int,
	defined uint64, want func(a, b uint64, d *dumb) uint64, imm int32) {
	t.Helper()
	r := det.Stream(uint64(imm), what)
	m.write(testCode, code)
	for i := range 16 {
		m.R[i] = value(r)
	}
	m.R[RSP], m.R[RBX] = testStack-4096, testData+64
	cell := value(r)
	m.Port.Store64(testData+64, cell)
	m.SetRFlags(r.Uint64() & StatusFlags)
	d := dumb{bits: 8 * width, flags: m.RFlags() & StatusFlags}
	mask := ^uint64(0) >> (64 - 8*width)
	get := func(n int) uint64 {
		switch n {
		case -1:
			return cell & mask
		case -2:
			return uint64(int64(imm)) & mask
		}
		return s.getReg(m, n, width)
	}
	regs, flags := m.R, d.flags
	a, b := get(s.dst), get(s.src)
	result := want(a, b, &d)
	if s.dst == -1 {
		cell = cell&^mask | result
	} else if what[:3] != "CMP" {
		s.putReg(&regs, s.dst, width, result)
	}
	m.RIP = testCode
	m.step(t, 1)
	if got := m.RFlags() & defined; got != d.flags&defined {
		t.Fatalf("%s % x: a=%#x b=%#x flags %#x: flags %#x, want %#x", what, code, a, b, flags, got, d.flags&defined)
	}
	if m.R != regs || m.Port.Load64(testData+64) != cell {
		t.Fatalf("%s % x: a=%#x b=%#x flags %#x: registers %x memory %#x, want %x %#x",
			what, code, a, b, flags, m.R[:16], m.Port.Load64(testData+64), regs[:16], cell)
	}
	if m.RIP != testCode+uint64(len(code)) {
		t.Fatalf("%s % x: rip advanced by %d", what, code, m.RIP-testCode)
	}
}

func TestALUAgainstDumbImplementation(t *testing.T) {
	m := newMachine(nil)
	names := []string{"ADD", "OR", "ADC", "SBB", "AND", "SUB", "XOR", "CMP"}
	n := 0
	for op, name := range names {
		defined := StatusFlags
		if op == aluOR || op == aluAND || op == aluXOR {
			defined &^= AF
		}
		for _, width := range []int{1, 2, 4, 8} {
			for _, s := range shapes {
				for i := range int32(60) {
					r := det.Stream(uint64(i), "immediate")
					imm := int32(value(r))
					short := i%2 == 0
					if width == 1 || short {
						imm = int32(int8(imm))
					} else if width == 2 {
						imm = int32(int16(imm))
					}
					what := fmt.Sprintf("%s %s %d #%d", name, s.name, width, i)
					s.run(t, m, what, s.encodeALU(op, width, imm, short), width, defined,
						func(a, b uint64, d *dumb) uint64 { return d.alu(op, a, b) }, imm)
					n++
				}
			}
		}
	}
	t.Logf("%d cases", n)
}

func TestShiftsAgainstDumbImplementation(t *testing.T) {
	m := newMachine(nil)
	names := []string{"ROL", "ROR", "RCL", "RCR", "SHL", "SHR", "SAL", "SAR"}
	for op, name := range names {
		for _, width := range []int{1, 2, 4, 8} {
			for _, s := range shapes {
				if s.src != -2 || s.name == "al" {
					continue
				}
				for count := range int32(256) {
					code := s.encodeALU(op, width, 0, true)
					at := len(code) - 2 - map[bool]int{true: 1}[s.src == -2]
					code[at+1] = code[at+1]&^0x38 | byte(op)<<3
					code[at] = 0xC0 + min(byte(width-1), 1)
					code[len(code)-1] = byte(count)
					if count == 1 {
						code[at] += 0x10
						code = code[:len(code)-1]
					}
					masked := uint64(count) % 32
					if width == 8 {
						masked = uint64(count) % 64
					}
					defined := StatusFlags &^ AF
					if masked == 0 {
						defined = StatusFlags
					} else if masked > 1 {
						defined &^= OF
					}
					if op == shSHL || op == shSHR || op == shSAL {
						if masked > uint64(8*width) {
							defined &^= CF
						}
					}
					what := fmt.Sprintf("%s %s %d by %d", name, s.name, width, count)
					s.run(t, m, what, code, width, defined,
						func(a, _ uint64, d *dumb) uint64 { return d.shift(op, a, uint64(count)) }, count)
				}
			}
		}
	}
}

// The lazily kept flags give back what was put in, in all 64 combinations.
func TestSetFlags(t *testing.T) {
	var c CPU
	for i := range uint64(64) {
		f := i&1*CF | i>>1&1*PF | i>>2&1*AF | i>>3&1*ZF | i>>4&1*SF | i>>5&1*OF
		c.setFlags(f)
		if c.flags() != f {
			t.Errorf("put %#x, got %#x", f, c.flags())
		}
		c.setCF(1)
		if c.flags() != f|CF {
			t.Errorf("%#x and CF gives %#x", f, c.flags())
		}
		for cc := range uint8(16) {
			sf, of, zf, cf, pf := f&SF != 0, f&OF != 0, f&ZF != 0, true, f&PF != 0
			want := []bool{of, cf, zf, cf || zf, sf, pf, sf != of, zf || sf != of}[cc/2] != (cc%2 == 1)
			c.RIP = 0
			jcc[cc](&c, &Inst{imm: 1})
			if c.condition(cc) != want || c.RIP == 1 != want {
				t.Errorf("condition %d of %#x: condition %t, jump %t, want %t", cc, f|CF, c.condition(cc), c.RIP == 1, want)
			}
		}
		c.setCF(0)
		for cc := range uint8(16) {
			want := []bool{f&OF != 0, false, f&ZF != 0, f&ZF != 0}
			if cc < 8 {
				c.RIP = 0
				jcc[cc](&c, &Inst{imm: 1})
				if w := want[cc/2] != (cc%2 == 1); c.condition(cc) != w || c.RIP == 1 != w {
					t.Errorf("condition %d of %#x without CF is not %t", cc, f, w)
				}
			}
		}
	}
}
