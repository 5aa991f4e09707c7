package x86

import "math/bits"

// The SHA extensions. Names as in FIPS 180-4; the manual's word 0 of SHA-1 is
// the highest doubleword of a register, that of SHA-256 the lowest.

// words returns the four doublewords, lowest first.
func (x x128) words() (w [4]uint32) {
	w[0], w[1], w[2], w[3] = x.columns()
	return w
}

func (c *CPU) setWords(reg uint8, w [4]uint32) {
	x := joined(w[0], w[1], w[2], w[3])
	c.setX(reg, x.lo, x.hi)
}

// bothWords returns destination and source operand as doublewords.
func (c *CPU) bothWords(in *Inst) (d, s [4]uint32) {
	lo, hi := c.source128(in)
	return c.V[in.reg&15].low().words(), x128{lo, hi}.words()
}

func sha1msg1(c *CPU, in *Inst) {
	d, s := c.bothWords(in)
	c.setWords(in.reg, [4]uint32{s[2] ^ d[0], s[3] ^ d[1], d[0] ^ d[2], d[1] ^ d[3]})
}

func sha1msg2(c *CPU, in *Inst) {
	d, s := c.bothWords(in)
	w16 := bits.RotateLeft32(d[3]^s[2], 1)
	c.setWords(in.reg, [4]uint32{
		bits.RotateLeft32(d[0]^w16, 1), bits.RotateLeft32(d[1]^s[0], 1), bits.RotateLeft32(d[2]^s[1], 1), w16,
	})
}

func sha1nexte(c *CPU, in *Inst) {
	d, s := c.bothWords(in)
	s[3] += bits.RotateLeft32(d[3], 30)
	c.setWords(in.reg, s)
}

// sha1rnds4 does four rounds of the twenty that the immediate chooses. The source
// holds the message words, with E added to the first.
func sha1rnds4(c *CPU, in *Inst) {
	s, w := c.bothWords(in)
	kind := in.imm & 3
	k := [4]uint32{0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xCA62C1D6}[kind]
	a, b, cc, d, e := s[3], s[2], s[1], s[0], uint32(0)
	for i := range 4 {
		var f uint32
		switch kind {
		case 0:
			f = b&cc ^ ^b&d
		case 2:
			f = b&cc ^ b&d ^ cc&d
		default:
			f = b ^ cc ^ d
		}
		a, b, cc, d, e = f+bits.RotateLeft32(a, 5)+w[3-i]+e+k, a, bits.RotateLeft32(b, 30), cc, d
	}
	c.setWords(in.reg, [4]uint32{d, cc, b, a})
}

func smallSigma0(x uint32) uint32 {
	return bits.RotateLeft32(x, -7) ^ bits.RotateLeft32(x, -18) ^ x>>3
}

func smallSigma1(x uint32) uint32 {
	return bits.RotateLeft32(x, -17) ^ bits.RotateLeft32(x, -19) ^ x>>10
}

func sha256msg1(c *CPU, in *Inst) {
	d, s := c.bothWords(in)
	next := [4]uint32{d[1], d[2], d[3], s[0]}
	for i := range d {
		d[i] += smallSigma0(next[i])
	}
	c.setWords(in.reg, d)
}

func sha256msg2(c *CPU, in *Inst) {
	d, s := c.bothWords(in)
	d[0] += smallSigma1(s[2])
	d[1] += smallSigma1(s[3])
	d[2] += smallSigma1(d[0])
	d[3] += smallSigma1(d[1])
	c.setWords(in.reg, d)
}

// sha256rnds2 does two rounds: the source holds A, B, E and F, the destination C,
// D, G and H, XMM0 the sums of message words and constants.
func sha256rnds2(c *CPU, in *Inst) {
	cdgh, abef := c.bothWords(in)
	a, b, e, f := abef[3], abef[2], abef[1], abef[0]
	cc, d, g, h := cdgh[3], cdgh[2], cdgh[1], cdgh[0]
	wk := c.V[0].low().words()
	for i := range 2 {
		t := h + (bits.RotateLeft32(e, -6) ^ bits.RotateLeft32(e, -11) ^ bits.RotateLeft32(e, -25)) + (e&f ^ ^e&g) + wk[i]
		s := (bits.RotateLeft32(a, -2) ^ bits.RotateLeft32(a, -13) ^ bits.RotateLeft32(a, -22)) + (a&b ^ a&cc ^ b&cc)
		a, b, cc, d, e, f, g, h = t+s, a, b, cc, d+t, e, f, g
	}
	c.setWords(in.reg, [4]uint32{f, e, b, a})
}
