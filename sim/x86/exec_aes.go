package x86

// AES-NI. A state is a vector register, byte i being row i%4 of column i/4 as in
// FIPS 197. A round is four table look-ups for each column: a table holds what one
// byte contributes to its column after the substitution and the mixing.

// gfMul multiplies in GF(2^8) with AES's polynomial.
func gfMul(a, b byte) (p byte) {
	for ; b != 0; b >>= 1 {
		p ^= a * (b & 1)
		a = a<<1 ^ a>>7*0x1B
	}
	return p
}

// aesTables are the substitution boxes and the columns that bytes contribute.
type aesTables struct {
	sbox, inverse [256]byte
	mix, unmix    [4][256]uint32 // by row: substituted, then mixed; for unmix the inverses of both
}

var aes = newAESTables()

func newAESTables() *aesTables {
	t := new(aesTables)
	p, q := byte(1), byte(1) // q is the inverse of p; 3 generates the field and 0xF6 is its inverse
	for {
		t.sbox[p] = 0x63 ^ q ^ rotl8(q, 1) ^ rotl8(q, 2) ^ rotl8(q, 3) ^ rotl8(q, 4)
		p, q = gfMul(p, 3), gfMul(q, 0xF6)
		if p == 1 {
			break
		}
	}
	t.sbox[0] = 0x63
	for x, s := range t.sbox {
		t.inverse[s] = byte(x)
	}
	column := func(b, c0, c1, c2, c3 byte) uint32 {
		return uint32(gfMul(b, c0)) | uint32(gfMul(b, c1))<<8 | uint32(gfMul(b, c2))<<16 | uint32(gfMul(b, c3))<<24
	}
	for x := range 256 {
		m, u := column(t.sbox[x], 2, 1, 1, 3), column(t.inverse[x], 14, 9, 13, 11)
		for row := range 4 {
			t.mix[row][x], t.unmix[row][x] = m, u
			m, u = m<<8|m>>24, u<<8|u>>24
		}
	}
	return t
}

func rotl8(x byte, n int) byte { return x<<n | x>>(8-n) }

// columns splits a state into its columns, joined puts one together.
func (x x128) columns() (a, b, c, d uint32) {
	return uint32(x.lo), uint32(x.lo >> 32), uint32(x.hi), uint32(x.hi >> 32)
}

func joined(a, b, c, d uint32) x128 {
	return x128{uint64(a) | uint64(b)<<32, uint64(c) | uint64(d)<<32}
}

func (x x128) xor(y x128) x128 { return x128{x.lo ^ y.lo, x.hi ^ y.hi} }

// spread looks up the bytes of a column, row r being in column r of the arguments.
func spread(t *[4][256]uint32, a, b, c, d uint32) uint32 {
	return t[0][uint8(a)] ^ t[1][uint8(b>>8)] ^ t[2][uint8(c>>16)] ^ t[3][d>>24]
}

// substituted looks up the bytes of a column in a box.
func substituted(box *[256]byte, a, b, c, d uint32) uint32 {
	return uint32(box[uint8(a)]) | uint32(box[uint8(b>>8)])<<8 | uint32(box[uint8(c>>16)])<<16 | uint32(box[d>>24])<<24
}

// The operations on a state and a round key; those that have one operand find
// it in the second.

func aesEncrypt(s, key x128, _ uint64) x128 {
	a, b, c, d := s.columns()
	t := &aes.mix
	return joined(spread(t, a, b, c, d), spread(t, b, c, d, a), spread(t, c, d, a, b), spread(t, d, a, b, c)).xor(key)
}

func aesEncryptLast(s, key x128, _ uint64) x128 {
	a, b, c, d := s.columns()
	t := &aes.sbox
	return joined(substituted(t, a, b, c, d), substituted(t, b, c, d, a),
		substituted(t, c, d, a, b), substituted(t, d, a, b, c)).xor(key)
}

func aesDecrypt(s, key x128, _ uint64) x128 {
	a, b, c, d := s.columns()
	t := &aes.unmix
	return joined(spread(t, a, d, c, b), spread(t, b, a, d, c), spread(t, c, b, a, d), spread(t, d, c, b, a)).xor(key)
}

func aesDecryptLast(s, key x128, _ uint64) x128 {
	a, b, c, d := s.columns()
	t := &aes.inverse
	return joined(substituted(t, a, d, c, b), substituted(t, b, a, d, c),
		substituted(t, c, b, a, d), substituted(t, d, c, b, a)).xor(key)
}

// aesUnmix is InvMixColumns alone: the substitution undoes the one in the table.
func aesUnmix(_, key x128, _ uint64) x128 {
	a, b, c, d := key.columns()
	s, t := &aes.sbox, &aes.unmix
	one := func(x uint32) uint32 {
		x = substituted(s, x, x, x, x)
		return spread(t, x, x, x, x)
	}
	return joined(one(a), one(b), one(c), one(d))
}

func aesKeygenAssist(_, key x128, rcon uint64) x128 {
	_, b, _, d := key.columns()
	b, d = substituted(&aes.sbox, b, b, b, b), substituted(&aes.sbox, d, d, d, d)
	turned := func(x uint32) uint32 { return (x>>8 | x<<24) ^ uint32(uint8(rcon)) }
	return joined(b, turned(b), d, turned(d))
}

// carrylessMul multiplies polynomials over GF(2), four bits of b at a time. The
// three topmost bits of a, which a table of quadwords cannot hold shifted, follow
// by themselves.
func carrylessMul(a, b uint64) x128 {
	var lo, hi uint64
	low := a & (1<<61 - 1)
	var table [16]uint64
	for i := uint64(1); i < 16; i++ {
		table[i] = table[i>>1]<<1 ^ low*(i&1)
	}
	for shift := 60; shift >= 0; shift -= 4 {
		hi = hi<<4 | lo>>60
		lo = lo<<4 ^ table[b>>shift&15]
	}
	for i := 61; i < 64; i++ {
		chosen := -(a >> i & 1)
		lo ^= b << i & chosen
		hi ^= b >> (64 - i) & chosen
	}
	return x128{lo, hi}
}

// pclmulqdq multiplies the quadwords that bits 0 and 4 of the immediate choose.
func pclmulqdq(a, b x128, imm uint64) x128 { return carrylessMul(a.quad(imm), b.quad(imm>>4)) }
