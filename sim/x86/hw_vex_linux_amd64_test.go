package x86

import (
	"encoding/binary"
	"strings"
)

// Cases of VEX rows: the prefix in both lengths, seldom with what makes it #UD;
// gathers and masked moves whose accesses fault in the middle; sums that cancel.

// hwOperands are the register numbers in a VEX instruction.
type hwOperands struct {
	reg, vvvv, rm byte
	long          byte
}

// masked reports that the row moves memory under a mask.
func (c *hwCase) masked() bool {
	name := c.form.row.Name
	return strings.Contains(name, "MASKMOV") && c.form.enc.vex && c.form.enc.mod == 0
}

func (c *hwCase) encodeVEX() {
	r, e := c.r, c.form.enc
	var rex byte
	if e.rexW == 1 || e.rexW < 0 && r.IntN(3) == 0 {
		rex = 8
	}
	o := &c.vex
	o.long, o.reg, o.rm = byte(max(e.long, 0)), byte(r.IntN(16)), byte(r.IntN(16))
	if e.long < 0 {
		o.long = byte(r.IntN(2))
	}
	if c.form.vvvv || r.IntN(50) == 0 {
		o.vvvv = byte(r.IntN(16))
	}
	if e.digit >= 0 {
		o.reg = byte(e.digit)
	}
	rex |= o.reg >> 3 << 2
	if r.IntN(16) == 0 {
		c.code = append(c.code, 0x67)
	}
	if r.IntN(60) == 0 {
		c.code = append(c.code, []byte{0x66, 0xF2, 0xF3, 0xF0, 0x40, 0x48}[r.IntN(6)])
	}
	memory := e.modrm && (e.mod == 0 || e.mod < 0 && r.IntN(2) == 0)
	var tail []byte
	switch {
	case e.vsib:
		tail = c.vsibOperand(o.reg&7<<3, &rex)
	case memory:
		tail = c.memoryOperand(o.reg&7<<3, &rex)
	case e.modrm:
		rex |= o.rm >> 3
		tail = []byte{0xC0 | o.reg&7<<3 | o.rm&7}
	}
	last := ^o.vvvv&15<<3 | o.long<<2 | byte(e.class)
	if e.opmap == 1 && rex&0xB == 0 && r.IntN(2) == 0 {
		c.code = append(c.code, 0xC5, ^rex<<5&0x80|last)
	} else {
		c.code = append(c.code, 0xC4, ^rex<<5|byte(e.opmap), rex>>3<<7|last)
	}
	c.code = append(c.code, e.opcode)
	at := len(c.code)
	c.code = append(append(c.code, tail...), c.immediate(rex)...)
	if memory && tail[0]&0xC7 == 5 {
		binary.LittleEndian.PutUint32(c.code[at+1:], uint32(c.operand-c.slot-uint64(len(c.code))))
	}
}

// vsibOperand draws a base and small indices around it, and a mask; the base is
// often so near to a guard page that some elements fault.
func (c *hwCase) vsibOperand(reg byte, rex *byte) []byte {
	r, o := c.r, &c.vex
	index := byte(r.IntN(16))
	for r.IntN(20) != 0 && (index == o.reg || index == o.vvvv || o.reg == o.vvvv) {
		index, o.vvvv = byte(r.IntN(16)), byte(r.IntN(16))
	}
	scale, base := byte(r.IntN(4)), byte(r.IntN(16))
	span := uint64(1) << (4 + r.IntN(6))
	small := func() uint64 { return r.Uint64N(2*span) - span }
	element := func() uint64 {
		if c.form.enc.opcode&1 != 0 {
			return small()
		}
		return small()&0xFFFFFFFF | small()<<32
	}
	c.xmm[index], c.high[index] = [2]uint64{element(), element()}, [2]uint64{element(), element()}
	if r.IntN(4) == 0 { // every element
		c.xmm[o.vvvv], c.high[o.vvvv] = [2]uint64{^uint64(0), ^uint64(0)}, [2]uint64{^uint64(0), ^uint64(0)}
	}
	t := c.scratch + 1024 + r.Uint64N(c.size-2048)
	switch r.IntN(4) {
	case 0:
		t = c.scratch + r.Uint64N(256)
	case 1:
		t = c.scratch + c.size - r.Uint64N(256)
	}
	c.operand = max(t, c.scratch+512) - 512
	c.memory = make([]byte, 1024)
	for i := 0; i < len(c.memory); i += 8 {
		binary.LittleEndian.PutUint64(c.memory[i:], r.Uint64())
	}
	disp := uint64(int8(r.Uint32()))
	c.set(base, t-disp)
	*rex |= index>>3<<1 | base>>3
	return []byte{1<<6 | reg | 4, scale<<6 | index&7<<3 | base&7, byte(disp)}
}

// cancel makes the addend of a fused operation nearly the negated product.
func (c *hwCase) cancel() {
	if c.operand != 0 || c.r.IntN(3) != 0 {
		return
	}
	digits := strings.IndexAny(c.form.row.Name, "123")
	number := func(i int) byte { return [...]byte{c.vex.reg, c.vex.vvvv, c.vex.rm}[c.form.row.Name[digits+i]-'1'] }
	order := [3]byte{number(0), number(2), number(1)} // 132: first times third plus second
	if c.form.row.Name[digits] == '2' {
		order = [3]byte{number(0), number(1), number(2)}
	}
	x, y, z := order[0], order[1], order[2]
	product := func(a, b uint64) uint64 {
		const mx = 0x1F80
		if strings.HasSuffix(c.form.row.Name, "S") {
			lo, _ := single.mul(low32(a), low32(b), mx)
			hi, _ := single.mul(a>>32, b>>32, mx)
			return (lo + c.r.Uint64N(3) - 1) ^ c.r.Uint64N(2)<<31 | (hi+c.r.Uint64N(3)-1)<<32 ^ c.r.Uint64N(2)<<63
		}
		p, _ := double.mul(a, b, mx)
		return (p + c.r.Uint64N(3) - 1) ^ c.r.Uint64N(2)<<63
	}
	for i := range 2 {
		c.xmm[z][i] = product(c.xmm[x][i], c.xmm[y][i])
		c.high[z][i] = product(c.high[x][i], c.high[y][i])
	}
}
