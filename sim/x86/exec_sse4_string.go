package x86

import "math/bits"

// The string comparisons of SSE4.2. The first operand is a register, the second
// a register or memory without alignment. Sets of elements are bit masks.

// Fields of the immediate.
const (
	strWords    = 1 << 0
	strSigned   = 1 << 1
	strNegative = 1 << 4
	strMasked   = 1 << 5
	strOutput   = 1 << 6 // last index instead of the first; mask of elements instead of bits

	strEqualAny     = 0
	strRanges       = 1
	strEqualEach    = 2
	strEqualOrdered = 3
)

// text is one operand: elements of bytes or words, n of them valid.
type text struct {
	q [2]uint64
	n uint
}

// textFormat is what follows from the immediate's lowest two bits.
type textFormat struct {
	high  uint64 // top bit of every element
	width uint
	count uint   // elements in a register
	flip  uint64 // turns signed order into unsigned order
}

func formatOf(imm uint64) (f textFormat) {
	f = textFormat{high: high8, width: 8, count: 16}
	if imm&strWords != 0 {
		f = textFormat{high: high16, width: 16, count: 8}
	}
	if imm&strSigned != 0 {
		f.flip = f.high
	}
	return f
}

func (f *textFormat) all() uint { return 1<<f.count - 1 }

// gather makes a mask of the elements whose top bits are set.
func (f *textFormat) gather(lo, hi uint64) uint {
	if f.width == 8 {
		return uint(signs8(lo) | signs8(hi)<<8)
	}
	words := func(x uint64) uint64 { return (x >> 15 & 0x0001000100010001) * 0x0001000200040008 >> 48 & 0xF }
	return uint(words(lo) | words(hi)<<4)
}

// splat returns element i in every place of a quadword.
func (f *textFormat) splat(q [2]uint64, i uint) uint64 {
	at := i * f.width
	x := q[at>>6] >> (at & 63) << (64 - f.width) >> (64 - f.width)
	return f.high >> (f.width - 1) * x
}

func (f *textFormat) equalTo(q [2]uint64, x uint64) uint {
	return f.gather(equalLanes(q[0], x, f.high, f.width), equalLanes(q[1], x, f.high, f.width))
}

// between returns the elements from least to most.
func (f *textFormat) between(q [2]uint64, least, most uint64) uint {
	least, most = least^f.flip, most^f.flip
	in := func(x uint64) uint64 {
		x ^= f.flip
		return atLeast(x, least, f.high) & atLeast(most, x, f.high)
	}
	return f.gather(in(q[0]), in(q[1]))
}

// compareTexts returns the elements of b that the aggregation in the immediate
// selects: its intermediate result 1.
func (f *textFormat) compareTexts(a, b *text, imm uint64) (r uint) {
	valid := uint(1)<<b.n - 1
	switch imm >> 2 & 3 {
	case strEqualAny:
		for i := range a.n {
			r |= f.equalTo(b.q, f.splat(a.q, i))
		}
		return r & valid
	case strRanges:
		for i := uint(0); i+1 < a.n; i += 2 {
			r |= f.between(b.q, f.splat(a.q, i), f.splat(a.q, i+1))
		}
		return r & valid
	case strEqualEach:
		r = f.gather(equalLanes(a.q[0], b.q[0], f.high, f.width), equalLanes(a.q[1], b.q[1], f.high, f.width))
		both := valid & (1<<a.n - 1)
		neither := ^valid &^ (1<<a.n - 1)
		return (r&both | neither) & f.all()
	}
	r = f.all()
	for i := range a.n { // a is sought in b; what would lie beyond the register counts as found
		beyond := ^(f.all() >> i)
		r &= f.equalTo(b.q, f.splat(a.q, i))&valid>>i | beyond
	}
	return r
}

// compareStrings does all but deliver the result: it returns the elements
// selected after polarity, and the flags.
func (f *textFormat) compareStrings(a, b *text, imm uint64) (r uint, flags uint64) {
	r = f.compareTexts(a, b, imm)
	if imm&strNegative != 0 {
		if imm&strMasked != 0 {
			r ^= 1<<b.n - 1
		} else {
			r ^= f.all()
		}
	}
	if r != 0 {
		flags |= CF
	}
	if b.n < f.count {
		flags |= ZF
	}
	if a.n < f.count {
		flags |= SF
	}
	if r&1 != 0 {
		flags |= OF
	}
	return r, flags
}

// implicitLength counts the elements before the first zero.
func (f *textFormat) implicitLength(q [2]uint64) uint {
	return uint(bits.TrailingZeros(f.equalTo(q, 0) | 1<<f.count))
}

// explicitLength takes the absolute value of a register, at most the count.
func (f *textFormat) explicitLength(c *CPU, in *Inst, reg int) uint {
	v := int64(c.R[reg])
	if in.width != 8 {
		v = int64(int32(v))
	}
	if v < 0 {
		v = -v
	}
	return uint(min(uint64(v), uint64(f.count)))
}

// operandsOf reads both texts.
func (f *textFormat) operandsOf(c *CPU, in *Inst, explicit bool) (a, b text) {
	if in.isReg() {
		s := &c.V[in.rm&15]
		b.q = [2]uint64{s[0], s[1]}
	} else {
		b.q[0], b.q[1] = c.Port.Load128(c.ea(in))
	}
	d := &c.V[in.reg&15]
	a.q = [2]uint64{d[0], d[1]}
	if explicit {
		a.n, b.n = f.explicitLength(c, in, RAX), f.explicitLength(c, in, RDX)
	} else {
		a.n, b.n = f.implicitLength(a.q), f.implicitLength(b.q)
	}
	return a, b
}

// stringIndex is PCMPESTRI and PCMPISTRI.
func stringIndex(explicit bool) handler {
	return func(c *CPU, in *Inst) {
		f := formatOf(in.imm)
		a, b := f.operandsOf(c, in, explicit)
		r, flags := f.compareStrings(&a, &b, in.imm)
		switch {
		case r == 0:
			c.R[RCX] = uint64(f.count)
		case in.imm&strOutput != 0:
			c.R[RCX] = uint64(bits.Len(r) - 1)
		default:
			c.R[RCX] = uint64(bits.TrailingZeros(r))
		}
		c.setFlags(flags)
	}
}

// stringMask is PCMPESTRM and PCMPISTRM.
func stringMask(explicit bool) handler {
	return func(c *CPU, in *Inst) {
		f := formatOf(in.imm)
		a, b := f.operandsOf(c, in, explicit)
		r, flags := f.compareStrings(&a, &b, in.imm)
		q := [2]uint64{uint64(r), 0}
		if in.imm&strOutput != 0 {
			q[0] = 0
			element := ^uint64(0) >> (64 - f.width)
			for i := range f.count {
				if at := i * f.width; r>>i&1 != 0 {
					q[at>>6] |= element << (at & 63)
				}
			}
		}
		c.setX(0, q[0], q[1])
		c.setFlags(flags)
	}
}
