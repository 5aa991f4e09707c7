package x86

// Integer instructions on XMM registers, computed on the two quadwords with the
// elements side by side. A constant with the top bit of every element set (high8,
// high16, high32) tells the element's width.

const (
	high8  = 0x8080808080808080
	high16 = 0x8000800080008000
	high32 = 0x8000000080000000
)

func addLanes(a, b, high uint64) uint64 { return (a&^high + b&^high) ^ (a^b)&high }
func subLanes(a, b, high uint64) uint64 { return ((a | high) - b&^high) ^ ^(a^b)&high }

// fill turns top bits into elements of all ones; width is the element's in bits.
func fill(top uint64, width uint) uint64 { return top - top>>(width-1) | top }

// atLeast returns the top bits of the elements where a >= b, unsigned.
func atLeast(a, b, high uint64) uint64 {
	d := (a | high) - b&^high
	return (a&^b | ^(a^b)&d) & high
}

func equalLanes(a, b, high uint64, width uint) uint64 {
	t := a ^ b
	return fill(^((t&^high+^uint64(high))|t)&high, width)
}

func minUnsigned(a, b, high uint64, width uint) uint64 {
	m := fill(atLeast(a, b, high), width)
	return b&m | a&^m
}

func maxUnsigned(a, b, high uint64, width uint) uint64 {
	m := fill(atLeast(a, b, high), width)
	return a&m | b&^m
}

func minSigned(a, b, high uint64, width uint) uint64 {
	return minUnsigned(a^high, b^high, high, width) ^ high
}

func maxSigned(a, b, high uint64, width uint) uint64 {
	return maxUnsigned(a^high, b^high, high, width) ^ high
}

func greaterSigned(a, b, high uint64, width uint) uint64 {
	return ^fill(atLeast(b^high, a^high, high), width)
}

func addUnsignedSat(a, b, high uint64, width uint) uint64 {
	s := addLanes(a, b, high)
	return s | fill((a&b|(a|b)&^s)&high, width)
}

func subUnsignedSat(a, b, high uint64, width uint) uint64 {
	return subLanes(a, b, high) & fill(atLeast(a, b, high), width)
}

// saturate replaces the elements whose top bit in over is set by the largest
// number of a's sign.
func saturate(r, a, over, high uint64, width uint) uint64 {
	m := fill(over&high, width)
	limit := ^high + (a&high)>>(width-1)
	return r&^m | limit&m
}

func addSignedSat(a, b, high uint64, width uint) uint64 {
	s := addLanes(a, b, high)
	return saturate(s, a, ^(a^b)&(a^s), high, width)
}

func subSignedSat(a, b, high uint64, width uint) uint64 {
	d := subLanes(a, b, high)
	return saturate(d, a, (a^b)&(a^d), high, width)
}

// average rounds up; the element's lowest bit must not be shifted into its neighbour.
func average(a, b, high uint64) uint64 { return subLanes(a|b, (a^b)>>1&^high, high) }

func mulLow16(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		r |= uint64(uint16(a>>sh)*uint16(b>>sh)) << sh
	}
	return r
}

func mulHigh16(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		r |= uint64(uint16(int32(int16(a>>sh))*int32(int16(b>>sh))>>16)) << sh
	}
	return r
}

func mulHighUnsigned16(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		r |= uint64(uint32(uint16(a>>sh))*uint32(uint16(b>>sh))>>16) << sh
	}
	return r
}

func mulAdd16(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 32 {
		p := int32(int16(a>>sh)) * int32(int16(b>>sh))
		q := int32(int16(a>>(sh+16))) * int32(int16(b>>(sh+16)))
		r |= uint64(uint32(p+q)) << sh
	}
	return r
}

func sumDifferences(a, b uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 8 {
		d := int(a>>sh&0xFF) - int(b>>sh&0xFF)
		r += uint64(max(d, -d))
	}
	return r
}

// halves applies an operation to both quadwords.
func halves(f func(a, b uint64) uint64) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		d[0], d[1] = f(d[0], lo), f(d[1], hi)
	}
}

func add(high uint64) handler {
	return halves(func(a, b uint64) uint64 { return addLanes(a, b, high) })
}

func sub(high uint64) handler {
	return halves(func(a, b uint64) uint64 { return subLanes(a, b, high) })
}

// eachLane makes an operation on quadwords of one on elements, whose width
// follows from high.
func eachLane(high uint64, f func(a, b, high uint64, width uint) uint64) func(a, b uint64) uint64 {
	width := uint(8)
	switch high {
	case high16:
		width = 16
	case high32:
		width = 32
	}
	return func(a, b uint64) uint64 { return f(a, b, high, width) }
}

// plain gives an operation that needs no width the signature of those that do.
func plain(f func(a, b, high uint64) uint64) func(a, b, high uint64, width uint) uint64 {
	return func(a, b, high uint64, _ uint) uint64 { return f(a, b, high) }
}

func lanes(high uint64, f func(a, b, high uint64, width uint) uint64) handler {
	return halves(eachLane(high, f))
}

// The ones that every memory and string function of a C library leans on.

func pcmpeqb(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = equalLanes(d[0], lo, high8, 8), equalLanes(d[1], hi, high8, 8)
}

func pminub(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = minUnsigned(d[0], lo, high8, 8), minUnsigned(d[1], hi, high8, 8)
}

func andx(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = d[0]&lo, d[1]&hi
}

func andnx(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = lo&^d[0], hi&^d[1]
}

func orx(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = d[0]|lo, d[1]|hi
}

func xorx(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = d[0]^lo, d[1]^hi
}

func paddd(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = addLanes(d[0], lo, high32), addLanes(d[1], hi, high32)
}

func paddq(c *CPU, in *Inst) {
	lo, hi := c.source128(in)
	d := &c.V[in.reg&15]
	d[0], d[1] = d[0]+lo, d[1]+hi
}

// shift is one of PSLLW..PSRAD.
type shift struct {
	high  uint64 // top bits of the elements
	width uint
	left  bool
	arith bool
}

func (s *shift) apply(x, count uint64) uint64 {
	w := uint64(s.width)
	if count >= w {
		if s.arith {
			return fill(x&s.high, s.width)
		}
		return 0
	}
	ones := s.high >> (w - 1) // one in every element
	if s.left {
		return x << count &^ (ones * (1<<count - 1))
	}
	r := x >> count & (ones * (1<<(w-count) - 1))
	if s.arith {
		sign := s.high >> count
		r = subLanes(r^sign, sign, s.high)
	}
	return r
}

// byRegister takes the count from the low quadword of the source operand.
func (s shift) byRegister() handler {
	return func(c *CPU, in *Inst) {
		count, _ := c.source128(in)
		d := &c.V[in.reg&15]
		d[0], d[1] = s.apply(d[0], count), s.apply(d[1], count)
	}
}

func (s shift) byImmediate() handler {
	return func(c *CPU, in *Inst) {
		d := &c.V[in.rm&15]
		d[0], d[1] = s.apply(d[0], in.imm&0xFF), s.apply(d[1], in.imm&0xFF)
	}
}

func shiftBytesLeft(x x128, n uint64) x128 {
	if n *= 8; n >= 64 {
		return x128{0, x.lo << (n - 64)}
	}
	return x128{x.lo << n, x.hi<<n | x.lo>>(64-n)}
}

func shiftBytesRight(x x128, n uint64) x128 {
	if n *= 8; n >= 64 {
		return x128{x.hi >> (n - 64), 0}
	}
	return x128{x.lo>>n | x.hi<<(64-n), x.hi >> n}
}

// bytesByImmediate is PSLLDQ and PSRLDQ.
func bytesByImmediate(f func(x x128, n uint64) x128) handler {
	return func(c *CPU, in *Inst) {
		d := &c.V[in.rm&15]
		r := f(x128{d[0], d[1]}, in.imm&0xFF)
		d[0], d[1] = r.lo, r.hi
	}
}

// x128 is a vector of 128 bits: an XMM register, or a half of a YMM register,
// within which most instructions on the latter work.
type x128 struct{ lo, hi uint64 }

// op128 is an operation on such vectors with an immediate.
type op128 = func(a, b x128, imm uint64) x128

// onX applies an operation to XMM operands.
func onX(f op128) handler {
	return func(c *CPU, in *Inst) {
		lo, hi := c.source128(in)
		d := &c.V[in.reg&15]
		r := f(x128{d[0], d[1]}, x128{lo, hi}, in.imm)
		d[0], d[1] = r.lo, r.hi
	}
}

// Shuffles.

// word32 picks doubleword i.
func (x x128) word32(i uint64) uint64 {
	if i&2 != 0 {
		x.lo = x.hi
	}
	return low32(x.lo >> (i & 1 * 32))
}

func shuffle32(_, b x128, i uint64) x128 {
	return x128{b.word32(i) | b.word32(i>>2)<<32, b.word32(i>>4) | b.word32(i>>6)<<32}
}

func shuffle16(x, i uint64) (r uint64) {
	for sh := uint(0); sh < 64; sh += 16 {
		r |= x >> (i & 3 * 16) & 0xFFFF << sh
		i >>= 2
	}
	return r
}

func shuffleLow16(_, b x128, i uint64) x128  { return x128{shuffle16(b.lo, i), b.hi} }
func shuffleHigh16(_, b x128, i uint64) x128 { return x128{b.lo, shuffle16(b.hi, i)} }

func shuffleSingles(a, b x128, i uint64) x128 {
	return x128{a.word32(i) | a.word32(i>>2)<<32, b.word32(i>>4) | b.word32(i>>6)<<32}
}

// quad picks a quadword by the lowest bit of i.
func (x x128) quad(i uint64) uint64 {
	if i&1 != 0 {
		return x.hi
	}
	return x.lo
}

func shuffleDoubles(a, b x128, i uint64) x128 { return x128{a.quad(i), b.quad(i >> 1)} }

// spread puts the elements of a doubleword into the even places of a quadword.
func spread8(x uint64) uint64 {
	x = low32(x)
	x = (x | x<<16) & 0x0000FFFF0000FFFF
	return (x | x<<8) & 0x00FF00FF00FF00FF
}

func spread16(x uint64) uint64 {
	x = low32(x)
	return (x | x<<16) & 0x0000FFFF0000FFFF
}

func spread32(x uint64) uint64 { return low32(x) }

// unpack interleaves the elements of one half of both operands.
func unpack(high bool, width uint, spread func(uint64) uint64) op128 {
	return func(a, b x128, _ uint64) x128 {
		x, y := a.lo, b.lo
		if high {
			x, y = a.hi, b.hi
		}
		return x128{spread(x) | spread(y)<<width, spread(x>>32) | spread(y>>32)<<width}
	}
}

func unpackLow64(a, b x128, _ uint64) x128  { return x128{a.lo, b.lo} }
func unpackHigh64(a, b x128, _ uint64) x128 { return x128{a.hi, b.hi} }

// pack narrows the elements of both operands with saturation.
func pack(narrow func(lo, hi uint64) uint64) op128 {
	return func(a, b x128, _ uint64) x128 { return x128{narrow(a.lo, a.hi), narrow(b.lo, b.hi)} }
}

func clamp16to8(lo, hi uint64, least, most int16) (r uint64) {
	for i := uint(0); i < 4; i++ {
		r |= uint64(uint8(min(max(int16(lo>>(16*i)), least), most))) << (8 * i)
		r |= uint64(uint8(min(max(int16(hi>>(16*i)), least), most))) << (8*i + 32)
	}
	return r
}

func packSigned16(lo, hi uint64) uint64   { return clamp16to8(lo, hi, -128, 127) }
func packUnsigned16(lo, hi uint64) uint64 { return clamp16to8(lo, hi, 0, 255) }

func packSigned32(lo, hi uint64) (r uint64) {
	for i, x := range [4]uint64{lo, lo >> 32, hi, hi >> 32} {
		r |= uint64(uint16(min(max(int32(x), -32768), 32767))) << (16 * i)
	}
	return r
}
