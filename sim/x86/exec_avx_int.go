package x86

import "zhuque/sim/mem"

// Integer instructions and shuffles of AVX and AVX2 that SSE has no lane for:
// shifts, broadcasts, permutations across halves, masked moves and gathers.

// byRegisterV takes the count from the low quadword of the source operand, which
// has 128 bits.
func (s shift) byRegisterV() handler {
	return func(c *CPU, in *Inst) {
		var count uint64
		if in.isReg() {
			count = c.V[in.rm&15][0]
		} else {
			count, _ = c.Port.Load128(c.ea(in))
		}
		var r Vec
		for i, q := range c.V[in.vvvv&15] {
			r[i] = s.apply(q, count)
		}
		c.setV(in, &r)
	}
}

// byImmediateV shifts ModRM.rm into the register that VEX.vvvv names.
func (s shift) byImmediateV() handler {
	return toVVVV(func(b x128, n uint64) x128 { return x128{s.apply(b.lo, n), s.apply(b.hi, n)} })
}

// toVVVV applies a shift by the immediate; VEX.vvvv names the destination.
func toVVVV(f func(b x128, n uint64) x128) handler {
	return func(c *CPU, in *Inst) {
		b, d := c.V[in.rm&15], &c.V[in.vvvv&15]
		r := f(b.low(), in.imm&0xFF)
		*d = Vec{r.lo, r.hi}
		if in.long != 0 {
			r = f(b.high(), in.imm&0xFF)
			d[2], d[3] = r.lo, r.hi
		}
	}
}

// variable32 and variable64 shift each element by the count in its counterpart.
func (s shift) variable32(a, b uint64) uint64 {
	return low32(s.apply(a, low32(b))) | s.apply(a, b>>32)>>32<<32
}

func (s shift) variable64(a, b uint64) uint64 { return s.apply(a, b) }

func extendV(from, to uint, signed bool) handler {
	part := 64 * from / to // bits of the source that fill a quadword
	return func(c *CPU, in *Inst) {
		var v [2]uint64
		switch size := part * 2 << in.long; {
		case in.isReg():
			v = [2]uint64(c.V[in.rm&15][:2])
		case size == 128:
			v[0], v[1] = c.Port.Load128(c.ea(in))
		default:
			v[0] = c.lowBits(in, size)
		}
		var r Vec
		for i := range uint(2) << in.long {
			at := i * part
			r[i] = extendQuad(v[at>>6]>>(at&63), from, to, signed)
		}
		c.setV(in, &r)
	}
}

// blendVariableV takes the mask from the register in the immediate.
func blendVariableV(high uint64, width uint) handler {
	return func(c *CPU, in *Inst) {
		var b, r Vec
		c.sourceV(in, &b)
		a, m := &c.V[in.vvvv&15], &c.V[in.imm>>4&15]
		for i := range r {
			r[i] = choose(a[i], b[i], m[i], high, width)
		}
		c.setV(in, &r)
	}
}

// permuteSingles is VPERMILPS with a vector of indices, within 128 bits.
func permuteSingles(a, b x128, _ uint64) x128 {
	return x128{a.word32(b.lo) | a.word32(b.lo>>32)<<32, a.word32(b.hi) | a.word32(b.hi>>32)<<32}
}

func permuteDoubles(a, b x128, _ uint64) x128 { return x128{a.quad(b.lo >> 1), a.quad(b.hi >> 1)} }

// permuteDoublesImmediate is VPERMILPD with an immediate.
func permuteDoublesImmediate(_, b x128, imm uint64) x128 { return x128{b.quad(imm), b.quad(imm >> 1)} }

// vpermd picks doublewords of the source by the indices in the first operand.
func vpermd(c *CPU, in *Inst) {
	var b, r Vec
	c.sourceV(in, &b)
	index := &c.V[in.vvvv&15]
	for i := range uint(8) {
		from := index[i>>1] >> (i & 1 * 32) & 7
		r[i>>1] |= low32(b[from>>1]>>(from&1*32)) << (i & 1 * 32)
	}
	c.V[in.reg&15] = r
}

func vpermq(c *CPU, in *Inst) {
	var b, r Vec
	c.sourceV(in, &b)
	for i := range r {
		r[i] = b[in.imm>>(2*i)&3]
	}
	c.V[in.reg&15] = r
}

// vperm2f128 picks each half among the four of both operands, or clears it.
func vperm2f128(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := c.V[in.vvvv&15]
	from := [4]x128{a.low(), a.high(), b.low(), b.high()}
	pick := func(imm uint64) (r x128) {
		if imm&8 == 0 {
			r = from[imm&3]
		}
		return r
	}
	lo, hi := pick(in.imm), pick(in.imm>>4)
	c.V[in.reg&15] = Vec{lo.lo, lo.hi, hi.lo, hi.hi}
}

func vinsertf128(c *CPU, in *Inst) {
	var b x128
	if in.isReg() {
		b = c.V[in.rm&15].low()
	} else {
		b.lo, b.hi = c.Port.Load128(c.ea(in))
	}
	r := c.V[in.vvvv&15]
	at := in.imm & 1 * 2
	r[at], r[at+1] = b.lo, b.hi
	c.V[in.reg&15] = r
}

func vextractf128(c *CPU, in *Inst) {
	s, at := &c.V[in.reg&15], in.imm&1*2
	if in.isReg() {
		c.setXV(in.rm, s[at], s[at+1])
	} else {
		c.Port.Store128(c.ea(in), s[at], s[at+1])
	}
}

// broadcast copies the source's lowest element of width bits to all places.
func broadcast(width uint) handler {
	ones := ^uint64(0) / (1<<(width-1)<<1 - 1) // one in every element; 1 for width 64
	return func(c *CPU, in *Inst) {
		var v uint64
		switch {
		case width == 8 && in.isReg():
			v = c.V[in.rm&15][0] & 0xFF
		case width == 8:
			v = uint64(c.Port.Load8(c.ea(in)))
		default:
			v = c.lowBits(in, width) << (64 - width) >> (64 - width)
		}
		v *= ones
		c.setV(in, &Vec{v, v, v, v})
	}
}

func vbroadcastf128(c *CPU, in *Inst) {
	lo, hi := c.Port.Load128(c.ea(in))
	c.V[in.reg&15] = Vec{lo, hi, lo, hi}
}

// Masked moves. An element whose top bit in the mask is clear is not accessed and
// cannot fault.

func (v *Vec) selected(i, width uint) bool {
	at := i*width + width - 1
	return v[at>>6]>>(at&63)&1 != 0
}

func maskLoad(width uint) handler {
	return func(c *CPU, in *Inst) {
		a, m := c.ea(in), &c.V[in.vvvv&15]
		c.Port.CheckAlignment(false) // masked moves and gathers have no alignment
		var r Vec
		for i := range 128 << in.long / width {
			if at := i * width; m.selected(i, width) {
				r[at>>6] |= c.loadElement(a+uint64(at/8), width) << (at & 63)
			}
		}
		c.V[in.reg&15] = r
	}
}

func (c *CPU) loadElement(a uint64, width uint) uint64 {
	if width == 32 {
		return uint64(c.Port.Load32(a))
	}
	return c.Port.Load64(a)
}

func maskStore(width uint) handler {
	return func(c *CPU, in *Inst) {
		a, m, v := c.ea(in), &c.V[in.vvvv&15], &c.V[in.reg&15]
		n := 128 << in.long / width
		c.Port.CheckAlignment(false)
		for i := range n {
			if m.selected(i, width) {
				c.Port.Check(a+uint64(i*width/8), uint64(width/8), mem.Write)
			}
		}
		for i := range n {
			if !m.selected(i, width) {
				continue
			}
			at := i * width
			if p := a + uint64(at/8); width == 32 {
				c.Port.Store32(p, uint32(v[at>>6]>>(at&63)))
			} else {
				c.Port.Store64(p, v[at>>6])
			}
		}
	}
}

// gather loads the elements that the mask selects from the addresses that a
// vector of indices gives. Each one that is done, or not selected, clears its
// element of the mask, so that after a fault the instruction continues with the
// rest.
func gather(width, indexWidth uint) handler {
	element := ^uint64(0) >> (64 - width)
	return func(c *CPU, in *Inst) {
		d, m, index := &c.V[in.reg&15], &c.V[in.vvvv&15], &c.V[in.index&15]
		n := 128 << in.long / max(width, indexWidth)
		c.Port.CheckAlignment(false)
		for i := range n {
			q, sh := i*width>>6, i*width&63
			if m.selected(i, width) {
				at := i * indexWidth
				x := index[at>>6] >> (at & 63)
				if indexWidth == 32 {
					x = uint64(int32(x))
				}
				a := c.R[in.base&31] + x<<(in.scale&3) + in.disp
				if in.prefix&prefixAddr32 != 0 {
					a = uint64(uint32(a))
				}
				v := c.loadElement(a+c.SegBase[in.seg&3], width)
				d[q] = d[q]&^(element<<sh) | v<<sh
			}
			m[q] &^= element << sh
		}
		for q := n * width >> 6; q < 4; q++ {
			d[q] = 0
		}
		*m = Vec{}
	}
}

// distinct picks h unless two of a gather's three vectors are the same.
func distinct(h handler) func(*Inst) handler {
	return func(in *Inst) handler {
		if in.reg == in.vvvv || in.reg == in.index || in.vvvv == in.index {
			return nil
		}
		return h
	}
}

// The ones that the string functions and the loops of compilers lean on, without
// the detour through a function for each quadword.

func vpand(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{a[0] & b[0], a[1] & b[1], a[2] & b[2], a[3] & b[3]})
}

func vpor(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{a[0] | b[0], a[1] | b[1], a[2] | b[2], a[3] | b[3]})
}

func vpxor(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{a[0] ^ b[0], a[1] ^ b[1], a[2] ^ b[2], a[3] ^ b[3]})
}

func vpaddd(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{addLanes(a[0], b[0], high32), addLanes(a[1], b[1], high32),
		addLanes(a[2], b[2], high32), addLanes(a[3], b[3], high32)})
}

func vpcmpeqb(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{equalLanes(a[0], b[0], high8, 8), equalLanes(a[1], b[1], high8, 8),
		equalLanes(a[2], b[2], high8, 8), equalLanes(a[3], b[3], high8, 8)})
}

func vpminub(c *CPU, in *Inst) {
	var b Vec
	c.sourceV(in, &b)
	a := &c.V[in.vvvv&15]
	c.setV(in, &Vec{minUnsigned(a[0], b[0], high8, 8), minUnsigned(a[1], b[1], high8, 8),
		minUnsigned(a[2], b[2], high8, 8), minUnsigned(a[3], b[3], high8, 8)})
}
