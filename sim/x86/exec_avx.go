package x86

import (
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Operands of VEX instructions, and the shapes that make handlers of operations
// on elements and on vectors of 128 bits: those that SSE has, with a destination
// of its own, on one or two halves. Inst.long tells how many; the rest of a
// destination becomes zero. A store of 256 bits is two of 128, since no processor
// promises more to be seen, or kept, at once.

func (c *CPU) load256(a uint64, v *Vec) {
	v[0], v[1] = c.Port.Load128(a)
	v[2], v[3] = c.Port.Load128(a + 16)
}

// sourceV reads the source operand, a vector register or memory of any alignment.
func (c *CPU) sourceV(in *Inst, v *Vec) {
	switch {
	case in.prefix&prefixRegForm != 0:
		*v = c.V[in.rm&15]
	case in.long != 0:
		c.load256(c.ea(in), v)
	default:
		v[0], v[1] = c.Port.Load128(c.ea(in))
	}
}

// alignedV is the address of an operand that must be aligned to its size.
func (c *CPU) alignedV(in *Inst) uint64 {
	a := c.ea(in)
	if a&(16<<in.long-1) != 0 {
		c.raise(GP, 0)
	}
	return a
}

// setV writes the destination, whose upper half is zero unless in is long.
func (c *CPU) setV(in *Inst, v *Vec) {
	d := &c.V[in.reg&15]
	d[0], d[1], d[2], d[3] = v[0], v[1], 0, 0
	if in.long != 0 {
		d[2], d[3] = v[2], v[3]
	}
}

// setXV writes a destination of 128 bits and clears the upper half.
func (c *CPU) setXV(reg uint8, lo, hi uint64) { c.V[reg&15] = Vec{lo, hi} }

func (v *Vec) low() x128  { return x128{v[0], v[1]} }
func (v *Vec) high() x128 { return x128{v[2], v[3]} }

// quadsV applies an operation to all quadwords.
func quadsV(f func(a, b uint64) uint64) handler {
	return func(c *CPU, in *Inst) {
		var b Vec
		c.sourceV(in, &b)
		a, d := &c.V[in.vvvv&15], &c.V[in.reg&15]
		d[0], d[1] = f(a[0], b[0]), f(a[1], b[1])
		if in.long != 0 {
			d[2], d[3] = f(a[2], b[2]), f(a[3], b[3])
		} else {
			d[2], d[3] = 0, 0
		}
	}
}

func lanesV(high uint64, f func(a, b, high uint64, width uint) uint64) handler {
	return quadsV(eachLane(high, f))
}

// halvesV applies an operation within 128 bits to each half; the upper one sees
// the immediate without its lowest skip bits.
func halvesV(f op128, skip uint) handler {
	return func(c *CPU, in *Inst) {
		var b Vec
		c.sourceV(in, &b)
		a, d := c.V[in.vvvv&15], &c.V[in.reg&15]
		r := f(a.low(), b.low(), in.imm)
		*d = Vec{r.lo, r.hi}
		if in.long != 0 {
			r = f(a.high(), b.high(), in.imm>>skip)
			d[2], d[3] = r.lo, r.hi
		}
	}
}

// onV is halvesV with the whole immediate for both halves.
func onV(f op128) handler { return halvesV(f, 0) }

// zeroUpper makes a handler of VEX.128 from one of SSE that writes all of the
// XMM register in ModRM.reg and has no operand that must be aligned.
func zeroUpper(h handler) handler {
	return func(c *CPU, in *Inst) {
		h(c, in)
		d := &c.V[in.reg&15]
		d[2], d[3] = 0, 0
	}
}

// Moves.

func vmovLoad(c *CPU, in *Inst) {
	var v Vec
	c.sourceV(in, &v)
	c.setV(in, &v)
}

// vmovBack copies to the register in ModRM.rm.
func vmovBack(c *CPU, in *Inst) {
	v := c.V[in.reg&15]
	if in.long == 0 {
		v[2], v[3] = 0, 0
	}
	c.V[in.rm&15] = v
}

func vmovaLoad(c *CPU, in *Inst) {
	c.alignedV(in)
	vmovLoad(c, in)
}

func (c *CPU) storeV(a uint64, v *Vec, long uint8) {
	if long == 0 {
		c.Port.Store128(a, v[0], v[1])
		return
	}
	if a&phys.PageMask > phys.PageSize-32 {
		c.Port.Align(a, 16, mem.Write)
		c.Port.Check(a, 32, mem.Write)
	}
	c.Port.Store128(a, v[0], v[1])
	c.Port.Store128(a+16, v[2], v[3])
}

func vmovuStore(c *CPU, in *Inst) { c.storeV(c.ea(in), &c.V[in.reg&15], in.long) }
func vmovaStore(c *CPU, in *Inst) { c.storeV(c.alignedV(in), &c.V[in.reg&15], in.long) }

func vmovntStore(c *CPU, in *Inst) {
	a, v := c.alignedV(in), &c.V[in.reg&15]
	c.Port.StoreNT(a, 16, v[0], v[1]) // aligned: both halves are in one page
	if in.long != 0 {
		c.Port.StoreNT(a+16, 16, v[2], v[3])
	}
}

// Moves of a part, the rest from the register that VEX.vvvv names.

func vmovss(c *CPU, in *Inst) {
	a := &c.V[in.vvvv&15]
	c.setXV(in.reg, a[0]&^0xFFFFFFFF|low32(c.V[in.rm&15][0]), a[1])
}

func vmovssBack(c *CPU, in *Inst) {
	a := &c.V[in.vvvv&15]
	c.setXV(in.rm, a[0]&^0xFFFFFFFF|low32(c.V[in.reg&15][0]), a[1])
}

func vmovsd(c *CPU, in *Inst)     { c.setXV(in.reg, c.V[in.rm&15][0], c.V[in.vvvv&15][1]) }
func vmovsdBack(c *CPU, in *Inst) { c.setXV(in.rm, c.V[in.reg&15][0], c.V[in.vvvv&15][1]) }
func vmovlp(c *CPU, in *Inst)     { c.setXV(in.reg, c.Port.Load64(c.ea(in)), c.V[in.vvvv&15][1]) }
func vmovhp(c *CPU, in *Inst)     { v := c.Port.Load64(c.ea(in)); c.setXV(in.reg, c.V[in.vvvv&15][0], v) }
func vmovhlps(c *CPU, in *Inst)   { c.setXV(in.reg, c.V[in.rm&15][1], c.V[in.vvvv&15][1]) }
func vmovlhps(c *CPU, in *Inst)   { c.setXV(in.reg, c.V[in.vvvv&15][0], c.V[in.rm&15][0]) }
func vmovqBack(c *CPU, in *Inst)  { c.setXV(in.rm, c.V[in.reg&15][0], 0) }

// vmovddup reads eight bytes of memory, or 32 when it is long.
func vmovddup(c *CPU, in *Inst) {
	if in.long == 0 {
		v := c.source64(in)
		c.setXV(in.reg, v, v)
		return
	}
	var v Vec
	c.sourceV(in, &v)
	c.V[in.reg&15] = Vec{v[0], v[0], v[2], v[2]}
}

// insertV puts what load reads into the element that the immediate names.
func insertV(width uint64, load func(c *CPU, in *Inst) uint64) handler {
	return func(c *CPU, in *Inst) {
		v := load(c, in)
		a := c.V[in.vvvv&15]
		i, element := in.imm&(128/width-1)*width, ^uint64(0)>>(64-width)
		a[i>>6] = a[i>>6]&^(element<<(i&63)) | v&element<<(i&63)
		c.setXV(in.reg, a[0], a[1])
	}
}

// generalV reads the lowest size bytes of a general register, or memory.
func generalV(size uint8) func(c *CPU, in *Inst) uint64 {
	return func(c *CPU, in *Inst) uint64 {
		switch {
		case in.isReg():
			return c.R[in.rm&15]
		case size == 1:
			return uint64(c.Port.Load8(c.ea(in)))
		case size == 2:
			return uint64(c.Port.Load16(c.ea(in)))
		case size == 4:
			return uint64(c.Port.Load32(c.ea(in)))
		}
		return c.Port.Load64(c.ea(in))
	}
}

func vinsertps(c *CPU, in *Inst) {
	v := c.singleToInsert(in)
	r := insertSingle(c.V[in.vvvv&15].low(), v, in.imm)
	c.setXV(in.reg, r.lo, r.hi)
}

// movemask gathers the sign bits of elements of width bits.
func movemask(width uint) handler {
	return func(c *CPU, in *Inst) {
		s, n, r := &c.V[in.rm&15], 64/width, uint64(0)
		for i := range uint(2) << in.long {
			q := s[i]
			for k := range n {
				r |= q >> (width*(k+1) - 1) & 1 << (i*n + k)
			}
		}
		c.R[in.reg&15] = r
	}
}

func vpmovmskb(c *CPU, in *Inst) {
	s := &c.V[in.rm&15]
	r := signs8(s[0]) | signs8(s[1])<<8
	if in.long != 0 {
		r |= signs8(s[2])<<16 | signs8(s[3])<<24
	}
	c.R[in.reg&15] = r
}

func vzeroupper(c *CPU, _ *Inst) {
	for i := range c.V {
		c.V[i][2], c.V[i][3] = 0, 0
	}
}

func vzeroall(c *CPU, _ *Inst) { clear(c.V[:]) }

// testV sets ZF when b AND a, and CF when b AND NOT a, is zero in the bits of
// mask: PTEST with all bits, VTESTPS and VTESTPD with signs.
func testV(mask uint64) handler {
	return func(c *CPU, in *Inst) {
		var b Vec
		c.sourceV(in, &b)
		a := &c.V[in.reg&15]
		var and, andNot uint64
		for i := range 2 << in.long {
			and, andNot = and|b[i]&a[i], andNot|b[i]&^a[i]
		}
		var f uint64
		if and&mask == 0 {
			f = ZF
		}
		if andNot&mask == 0 {
			f |= CF
		}
		c.setFlags(f)
	}
}
