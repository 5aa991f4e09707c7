package x86

import "math/bits"

// Shifts and rotates. AF, undefined after a shift, is set, as on AMD's processors.
// Inst.cc holds the operation, in the order of ModRM.reg.
const (
	shROL = iota
	shROR
	shRCL
	shRCR
	shSHL
	shSHR
	shSAL // the undocumented twin of SHL
	shSAR
)

func shiftEI(c *CPU, in *Inst)  { c.shift(in, uint(in.imm)) }
func shiftECL(c *CPU, in *Inst) { c.shift(in, uint(c.R[RCX])) }

// shift performs Inst.cc on the r/m operand. A count of zero after masking leaves
// the flags alone but still writes a register, which clears its upper half at 32 bits.
func (c *CPU) shift(in *Inst, n uint) {
	w := uint(in.width) * 8
	if w == 64 {
		n &= 63
	} else {
		n &= 31
	}
	o := c.openRM(in)
	if n == 0 {
		if in.isReg() {
			c.setReg(in.rm, in, o.val)
		}
		return
	}
	switch in.cc {
	case shROL, shROR, shRCL, shRCR:
		r, cf, of := rotate(in.cc, o.val, n, w, c.flagAux>>63)
		c.closeRM(in, o, r)
		c.setCFOF(cf, of)
		return
	}
	r, cf, of := shiftBits(in.cc, o.val, n, w)
	c.closeRM(in, o, r)
	c.flagRes, c.flagAux = signExtend(r, in.width), auxAF
	c.setCFOF(cf, of)
}

// rotate returns the result and the new CF and OF of a rotation of the low w bits
// of v by n > 0. OF, defined for n = 1 only, follows the same formula for every n.
func rotate(op uint8, v uint64, n, w uint, carry uint64) (r, cf, of uint64) {
	mask := ^uint64(0) >> (64 - w)
	top := func(x uint64) uint64 { return x >> (w - 1) & 1 }
	switch op {
	case shROL:
		k := n % w
		r = (v<<k | v>>(w-k)) & mask
		return r, r & 1, top(r) ^ r&1
	case shROR:
		k := n % w
		r = (v>>k | v<<(w-k)) & mask
		return r, top(r), top(r) ^ top(r<<1)
	case shRCL:
		k := n % (w + 1)
		if k == 0 {
			return v, carry, top(v) ^ carry
		}
		r = v<<k | carry<<(k-1)
		if k > 1 {
			r |= v >> (w + 1 - k)
		}
		r &= mask
		cf = v >> (w - k) & 1
		return r, cf, top(r) ^ cf
	}
	k := n % (w + 1)
	if k == 0 {
		return v, carry, top(v) ^ top(v<<1)
	}
	r = v>>k | carry<<(w-k)
	if k > 1 {
		r |= v << (w + 1 - k)
	}
	r &= mask
	return r, v >> (k - 1) & 1, top(r) ^ top(r<<1)
}

// shiftBits returns the result and the new CF and OF of a shift of the low w bits
// of v by n > 0.
func shiftBits(op uint8, v uint64, n, w uint) (r, cf, of uint64) {
	mask := ^uint64(0) >> (64 - w)
	switch op {
	case shSHR:
		r = v >> n
		return r, v >> (n - 1) & 1, (r>>(w-1) ^ r>>(w-2)) & 1
	case shSAR:
		s := int64(v<<(64-w)) >> (64 - w)
		return uint64(s>>n) & mask, uint64(s>>(n-1)) & 1, 0
	}
	r = v << n & mask
	if n <= w {
		cf = v >> (w - n) & 1
	}
	return r, cf, r>>(w-1)&1 ^ cf
}

// Hot shapes: shifts of registers by a constant that is not zero.

func shlRI64(c *CPU, in *Inst) {
	n := in.imm & 63
	d := &c.R[in.rm&15]
	v := *d
	r := v << n
	*d = r
	cf := v >> ((64 - n) & 63) & 1
	c.flagRes = int64(r)
	c.flagAux = cf<<63 | (r>>63)<<62 | auxAF
}

func shrRI64(c *CPU, in *Inst) {
	n := in.imm & 63
	d := &c.R[in.rm&15]
	v := *d
	r := v >> n
	*d = r
	cf := v >> ((n - 1) & 63) & 1
	of := (r>>63 ^ r>>62) & 1
	c.flagRes = int64(r)
	c.flagAux = cf<<63 | (cf^of)<<62 | auxAF
}

func sarRI64(c *CPU, in *Inst) {
	n := in.imm & 63
	d := &c.R[in.rm&15]
	v := int64(*d)
	r := v >> n
	*d = uint64(r)
	cf := uint64(v>>((n-1)&63)) & 1
	c.flagRes = r
	c.flagAux = cf<<63 | cf<<62 | auxAF
}

func shlRI32(c *CPU, in *Inst) {
	n := in.imm & 31
	d := &c.R[in.rm&15]
	v := uint64(uint32(*d)) << n
	r := uint32(v)
	*d = uint64(r)
	cf := v >> 32 & 1
	c.flagRes = int64(int32(r))
	c.flagAux = cf<<63 | uint64(r>>31)<<62 | auxAF
}

func shrRI32(c *CPU, in *Inst) {
	n := in.imm & 31
	d := &c.R[in.rm&15]
	v := uint32(*d)
	r := v >> n
	*d = uint64(r)
	cf := uint64(v >> ((n - 1) & 31) & 1)
	of := uint64(r>>31 ^ r>>30&1)
	c.flagRes = int64(int32(r))
	c.flagAux = cf<<63 | (cf^of)<<62 | auxAF
}

func sarRI32(c *CPU, in *Inst) {
	n := in.imm & 31
	d := &c.R[in.rm&15]
	v := int32(uint32(*d))
	r := v >> n
	*d = uint64(uint32(r))
	cf := uint64(v>>((n-1)&31)) & 1
	c.flagRes = int64(r)
	c.flagAux = cf<<63 | cf<<62 | auxAF
}

func rolRI32(c *CPU, in *Inst) {
	d := &c.R[in.rm&15]
	r := bits.RotateLeft32(uint32(*d), int(in.imm&31))
	*d = uint64(r)
	cf := uint64(r & 1)
	c.flagAux = c.flagAux&^(auxCF|auxPO) | cf<<63 | uint64(r>>31)<<62
}

func rorRI32(c *CPU, in *Inst) {
	d := &c.R[in.rm&15]
	r := bits.RotateLeft32(uint32(*d), -int(in.imm&31))
	*d = uint64(r)
	c.flagAux = c.flagAux&^(auxCF|auxPO) | uint64(r>>31)<<63 | uint64(r>>30&1)<<62
}

func rolRI64(c *CPU, in *Inst) {
	d := &c.R[in.rm&15]
	r := bits.RotateLeft64(*d, int(in.imm&63))
	*d = r
	c.flagAux = c.flagAux&^(auxCF|auxPO) | r<<63 | (r>>63)<<62
}

func rorRI64(c *CPU, in *Inst) {
	d := &c.R[in.rm&15]
	r := bits.RotateLeft64(*d, -int(in.imm&63))
	*d = r
	c.flagAux = c.flagAux&^(auxCF|auxPO) | r>>63<<63 | (r>>62&1)<<62
}

// SHLD and SHRD. At 16 bits a count above 16 is undefined; as on AMD's processors
// the source is then shifted in twice and CF is clear (Intel's shift in the destination again).

func shldE(c *CPU, in *Inst) { c.doubleShift(in, uint(in.imm), true) }
func shrdE(c *CPU, in *Inst) { c.doubleShift(in, uint(in.imm), false) }

func shldECL(c *CPU, in *Inst) { c.doubleShift(in, uint(c.R[RCX]), true) }
func shrdECL(c *CPU, in *Inst) { c.doubleShift(in, uint(c.R[RCX]), false) }

func (c *CPU) doubleShift(in *Inst, n uint, left bool) {
	w := uint(in.width) * 8
	if w == 64 {
		n &= 63
	} else {
		n &= 31
	}
	o, src := c.openRM(in), c.reg(in.reg, in)
	if n == 0 {
		if in.isReg() {
			c.setReg(in.rm, in, o.val)
		}
		return
	}
	mask := ^uint64(0) >> (64 - w)
	var r, cf uint64
	switch {
	case w == 16 && left:
		wide := o.val<<32 | src<<16 | src
		r, cf = wide>>(32-n)&mask, wide>>(48-n)&1
	case w == 16:
		wide := src<<32 | src<<16 | o.val
		r, cf = wide>>n&mask, wide>>(n-1)&1
	case left:
		r, cf = (o.val<<n|src>>(w-n))&mask, o.val>>(w-n)&1
	default:
		r, cf = (o.val>>n|src<<(w-n))&mask, o.val>>(n-1)&1
	}
	c.closeRM(in, o, r)
	c.flagRes, c.flagAux = signExtend(r, in.width), auxAF
	of := (r>>(w-1) ^ cf) & 1
	if !left {
		of = (r>>(w-1) ^ r>>(w-2)) & 1
	}
	if n > w {
		cf = 0
	}
	c.setCFOF(cf, of)
}
