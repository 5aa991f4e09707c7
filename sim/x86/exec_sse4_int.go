package x86

import "math/bits"

// SSE4.1 on integers: blends, extensions, minima, insertions and extractions.

// choose takes the elements of b whose top bit in mask is set, the others of a.
func choose(a, b, mask, high uint64, width uint) uint64 {
	m := fill(mask&high, width)
	return a&^m | b&m
}

// blendVariable is PBLENDVB, BLENDVPS and BLENDVPD; the mask is XMM0.
func blendVariable(high uint64, width uint) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d, m := &c.V[in.reg&15], c.V[0]
		d[0], d[1] = choose(d[0], lo, m[0], high, width), choose(d[1], hi, m[1], high, width)
	}
}

// blendImmediate takes the elements of b that the immediate selects; there are
// 64/width to a quadword.
func blendImmediate(width uint) op128 {
	element := ^uint64(0) >> (64 - width)
	return func(a, b x128, imm uint64) x128 {
		blend := func(a, b uint64) uint64 {
			for sh := uint(0); sh < 64; sh += width {
				if imm&1 != 0 {
					a = a&^(element<<sh) | b&(element<<sh)
				}
				imm >>= 1
			}
			return a
		}
		lo := blend(a.lo, b.lo)
		return x128{lo, blend(a.hi, b.hi)}
	}
}

func ptest(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	var f uint64
	if lo&d[0]|hi&d[1] == 0 {
		f = ZF
	}
	if lo&^d[0]|hi&^d[1] == 0 {
		f |= CF
	}
	c.setFlags(f)
}

// extendQuad extends the lowest elements of v from from bits to to bits, as many
// as fill a quadword.
func extendQuad(v uint64, from, to uint, signed bool) (r uint64) {
	for at := uint(0); at < 64; at += to {
		x := v << (64 - from)
		if signed {
			x = uint64(int64(x) >> (64 - from))
		} else {
			x >>= 64 - from
		}
		r |= x << (64 - to) >> (64 - to) << at
		v >>= from
	}
	return r
}

// lowBits reads the lowest size bits of the source operand, 16 to 64.
func (c *CPU) lowBits(in *Inst, size uint) uint64 {
	switch {
	case in.isReg():
		return c.V[in.rm&15][0]
	case size == 64:
		return c.Port.Load64(c.ea(in))
	case size == 32:
		return uint64(c.Port.Load32(c.ea(in)))
	}
	return uint64(c.Port.Load16(c.ea(in)))
}

// extend is PMOVSX and PMOVZX from elements of from bits to those of to bits.
func extend(from, to uint, signed bool) handler {
	half := 64 * from / to // bits of the source that fill a quadword
	return func(c *CPU, in *Inst) {
		v := c.lowBits(in, 2*half)
		c.setX(in.reg, extendQuad(v, from, to, signed), extendQuad(v>>half, from, to, signed))
	}
}

func mulLow32(a, b uint64) uint64 { return low32(a*b) | (a>>32)*(b>>32)<<32 }

func mulSigned32(a, b uint64) uint64 { return uint64(int64(int32(a)) * int64(int32(b))) }

func equal64(a, b uint64) uint64 {
	if a == b {
		return ^uint64(0)
	}
	return 0
}

func greater64(a, b uint64) uint64 {
	if int64(a) > int64(b) {
		return ^uint64(0)
	}
	return 0
}

func packUnsigned32(lo, hi uint64) (r uint64) {
	for i, x := range [4]uint64{lo, lo >> 32, hi, hi >> 32} {
		r |= uint64(uint16(min(max(int32(x), 0), 65535))) << (16 * i)
	}
	return r
}

// minPosition16 finds the smallest word and the first place where it stands.
func minPosition16(_, b x128, _ uint64) x128 {
	best := uint64(1 << 32) // the word in the upper half, its index in the lower
	for i := range uint64(4) {
		best = min(best, b.lo>>(16*i)&0xFFFF<<16|i, b.hi>>(16*i)&0xFFFF<<16|i|4)
	}
	return x128{best>>16 | best&7<<16, 0}
}

// multipleDifferences is MPSADBW: it adds up the differences of four bytes of b
// and four of a, at eight successive places of the latter.
func multipleDifferences(a, b x128, imm uint64) x128 {
	block := b.word32(imm & 3)
	from := imm >> 2 & 1 * 4
	var r [2]uint64
	for i := range uint64(8) {
		x := low32(alignRight(a.hi, a.lo, from+i))
		r[i>>2] |= sumDifferences(x, block) << (i & 3 * 16)
	}
	return x128{r[0], r[1]}
}

// extract is PEXTRB, PEXTRW, PEXTRD and EXTRACTPS, PEXTRQ by width in bits.
func extract(c *CPU, in *Inst, width uint64) uint64 {
	i := in.imm & (128/width - 1) * width
	return c.V[in.reg&15][i>>6] >> (i & 63) << (64 - width) >> (64 - width)
}

func pextrbReg(c *CPU, in *Inst)  { c.R[in.rm&15] = extract(c, in, 8) }
func pextrbMem(c *CPU, in *Inst)  { c.Port.Store8(c.ea(in), uint8(extract(c, in, 8))) }
func pextrwBack(c *CPU, in *Inst) { c.R[in.rm&15] = extract(c, in, 16) }
func pextrwMem(c *CPU, in *Inst)  { c.Port.Store16(c.ea(in), uint16(extract(c, in, 16))) }
func pextrdReg(c *CPU, in *Inst)  { c.R[in.rm&15] = extract(c, in, 32) }
func pextrdMem(c *CPU, in *Inst)  { c.Port.Store32(c.ea(in), uint32(extract(c, in, 32))) }
func pextrqReg(c *CPU, in *Inst)  { c.R[in.rm&15] = extract(c, in, 64) }
func pextrqMem(c *CPU, in *Inst)  { c.Port.Store64(c.ea(in), extract(c, in, 64)) }

// insert puts v into the element that the immediate names.
func insert(c *CPU, in *Inst, width, v uint64) {
	i := in.imm & (128/width - 1) * width
	d, element := &c.V[in.reg&15][i>>6], ^uint64(0)>>(64-width)
	*d = *d&^(element<<(i&63)) | v&element<<(i&63)
}

func pinsrbReg(c *CPU, in *Inst) { insert(c, in, 8, c.R[in.rm&15]) }
func pinsrbMem(c *CPU, in *Inst) { insert(c, in, 8, uint64(c.Port.Load8(c.ea(in)))) }
func pinsrd(c *CPU, in *Inst)    { insert(c, in, 32, uint64(c.general32(in))) }
func pinsrq(c *CPU, in *Inst)    { insert(c, in, 64, c.general64(in)) }

// insertSingle also clears the elements that the lowest four bits of the
// immediate select.
func insertSingle(d x128, v, imm uint64) x128 {
	q := [2]uint64{d.lo, d.hi}
	to := imm >> 4 & 3
	sh := to & 1 * 32
	q[to>>1] = q[to>>1]&^(0xFFFFFFFF<<sh) | v<<sh
	for i := range uint64(4) {
		if imm>>i&1 != 0 {
			q[i>>1] &^= 0xFFFFFFFF << (i & 1 * 32)
		}
	}
	return x128{q[0], q[1]}
}

// singleToInsert reads the source operand of INSERTPS.
func (c *CPU) singleToInsert(in *Inst) uint64 {
	if in.isReg() {
		s := &c.V[in.rm&15]
		return x128{s[0], s[1]}.word32(in.imm >> 6)
	}
	return uint64(c.Port.Load32(c.ea(in)))
}

func insertps(c *CPU, in *Inst) {
	v := c.singleToInsert(in)
	d := &c.V[in.reg&15]
	r := insertSingle(x128{d[0], d[1]}, v, in.imm)
	d[0], d[1] = r.lo, r.hi
}

// crcTable advances CRC-32C, bit-reflected, by one byte.
var crcTable = func() (t [256]uint32) {
	poly := bits.Reverse32(0x1EDC6F41)
	for i := range t {
		v := uint32(i)
		for range 8 {
			v = v>>1 ^ poly&-(v&1)
		}
		t[i] = v
	}
	return t
}()

func crc32c(crc uint32, data uint64, size uint8) uint64 {
	for range size {
		crc = crcTable[uint8(crc)^uint8(data)] ^ crc>>8
		data >>= 8
	}
	return uint64(crc)
}

func crc32E8(c *CPU, in *Inst) {
	var v uint8
	if in.isReg() {
		v = c.byteReg(in.rm, in)
	} else {
		v = c.Port.Load8(c.ea(in))
	}
	c.R[in.reg&15] = crc32c(uint32(c.R[in.reg&15]), uint64(v), 1)
}

func crc32E(c *CPU, in *Inst) {
	v := c.loadRM(in)
	c.R[in.reg&15] = crc32c(uint32(c.R[in.reg&15]), v, in.width)
}
