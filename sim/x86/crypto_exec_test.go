package x86

import (
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/bits"
	"slices"
	"testing"

	"zhuque/sim/det"
)

// vectorCode writes programs of two-operand vector instructions, registers only.
type vectorCode struct{ b []byte }

// op appends an instruction: its bytes up to the opcode, the registers, an immediate.
func (v *vectorCode) op(opcode string, reg, rm byte, imm ...byte) {
	v.b = append(append(append(v.b, opcode...), 0xC0|reg<<3|rm), imm...)
}

const (
	aesIMC, aesENC, aesENCLAST = "\x66\x0F\x38\xDB", "\x66\x0F\x38\xDC", "\x66\x0F\x38\xDD"
	aesDEC, aesDECLAST         = "\x66\x0F\x38\xDE", "\x66\x0F\x38\xDF"
	aesKEYGEN, clMUL           = "\x66\x0F\x3A\xDF", "\x66\x0F\x3A\x44"
	movDQA, pXOR, pADDD        = "\x66\x0F\x6F", "\x66\x0F\xEF", "\x66\x0F\xFE"
	pSHUFD, pALIGNR, pSLLDQ    = "\x66\x0F\x70", "\x66\x0F\x3A\x0F", "\x66\x0F\x73"
	sha256RNDS2, sha256MSG1    = "\x0F\x38\xCB", "\x0F\x38\xCC"
	sha256MSG2, sha1NEXTE      = "\x0F\x38\xCD", "\x0F\x38\xC8"
	sha1MSG1, sha1MSG2         = "\x0F\x38\xC9", "\x0F\x38\xCA"
	sha1RNDS4                  = "\x0F\x3A\xCC"
)

// run executes the program on the given registers and returns the resulting ones.
func (v *vectorCode) run(t *testing.T, regs [16]Vec) [16]Vec {
	t.Helper()
	m := newMachine(append(slices.Clone(v.b), 0x0F, 0x05))
	m.V = regs
	if s := m.Run(math.MaxUint64); s.Reason != StopSyscall {
		t.Fatalf("stopped by %v: %v %v", s.Reason, s.Exc, s.Unsup)
	}
	v.b = v.b[:0]
	return m.V
}

func vecOf(t *testing.T, text string) Vec {
	b, err := hex.DecodeString(text)
	if err != nil || len(b) != 16 {
		t.Fatalf("%q: not 16 bytes", text)
	}
	return Vec{binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[8:])}
}

func (v Vec) hex() string {
	b := binary.LittleEndian.AppendUint64(nil, v[0])
	return hex.EncodeToString(binary.LittleEndian.AppendUint64(b, v[1]))
}

// TestAESFIPS197 expands the key of FIPS 197, appendices A.1 and C.1, encrypts
// and decrypts with the instructions.
func TestAESFIPS197(t *testing.T) {
	var v vectorCode
	expand := func(key Vec) (keys []Vec) {
		keys = []Vec{key}
		for rcon := byte(1); len(keys) < 11; rcon = gfMul(rcon, 2) {
			v.op(aesKEYGEN, 2, 1, rcon)
			v.op(pSHUFD, 2, 2, 0xFF)
			v.op(movDQA, 3, 1)
			for range 3 {
				v.op(pSLLDQ, 7, 3, 4)
				v.op(pXOR, 1, 3)
			}
			v.op(pXOR, 1, 2)
			keys = append(keys, v.run(t, [16]Vec{1: keys[len(keys)-1]})[1])
		}
		return keys
	}
	keys := expand(vecOf(t, "2b7e151628aed2a6abf7158809cf4f3c"))
	if got := keys[10].hex(); got != "d014f9a8c9ee2589e13f0cc8b6630ca6" {
		t.Errorf("last round key %s", got)
	}

	keys = expand(vecOf(t, "000102030405060708090a0b0c0d0e0f"))
	regs := [16]Vec{vecOf(t, "00112233445566778899aabbccddeeff")}
	v.op(pXOR, 0, 1)
	regs[1] = keys[0]
	for _, key := range keys[1:10] {
		regs = v.run(t, regs)
		regs[1] = key
		v.op(aesENC, 0, 1)
	}
	regs = v.run(t, regs)
	regs[1] = keys[10]
	v.op(aesENCLAST, 0, 1)
	regs = v.run(t, regs)
	if got := regs[0].hex(); got != "69c4e0d86a7b0430d8cdb78070b4c55a" {
		t.Errorf("encrypted to %s", got)
	}

	text := regs[0]
	v.op(pXOR, 0, 1)
	text = v.run(t, [16]Vec{text, keys[10]})[0]
	for i := 9; i > 0; i-- {
		v.op(aesIMC, 2, 1)
		v.op(aesDEC, 0, 2)
		text = v.run(t, [16]Vec{text, keys[i]})[0]
	}
	v.op(aesDECLAST, 0, 1)
	if got := v.run(t, [16]Vec{text, keys[0]})[0].hex(); got != "00112233445566778899aabbccddeeff" {
		t.Errorf("decrypted to %s", got)
	}
}

// TestCarrylessMulBitByBit compares with the schoolbook method.
func TestCarrylessMulBitByBit(t *testing.T) {
	r := det.Stream(1, "carry-less")
	for range 2000 {
		a, b := r.Uint64()>>r.IntN(64), r.Uint64()|1<<63
		var lo, hi uint64
		for i := range 64 {
			if a>>i&1 != 0 {
				lo ^= b << i
				hi ^= b >> (64 - i)
			}
		}
		for _, in := range [][2]uint64{{a, b}, {b, a}} {
			if got := carrylessMul(in[0], in[1]); got != (x128{lo, hi}) {
				t.Fatalf("%#x * %#x = %#x, want %#x", in[0], in[1], got, x128{lo, hi})
			}
		}
	}
}

// TestGHASH computes the hash of test case 2 of the GCM specification with
// PCLMULQDQ. GCM numbers the bits from the other end, so blocks are turned round.
func TestGHASH(t *testing.T) {
	block := func(text string) Vec {
		v := vecOf(t, text)
		rev := func(x uint64) uint64 { return bits.ReverseBytes64(bits.Reverse64(x)) }
		return Vec{rev(v[0]), rev(v[1])}
	}
	h := block("66e94bd4ef8a2c3b884cfa59ca342b2e")
	var y Vec
	for _, text := range []string{"0388dace60b6a392f328c2b971b2fe78", "00000000000000000000000000000080"} {
		x := block(text)
		y[0], y[1] = y[0]^x[0], y[1]^x[1]
		var v vectorCode
		for i, imm := range []byte{0x00, 0x01, 0x10, 0x11} {
			v.op(movDQA, byte(i+2), 0)
			v.op(clMUL, byte(i+2), 1, imm)
		}
		p := v.run(t, [16]Vec{y, h})
		product := [4]uint64{p[2][0], p[2][1] ^ p[3][0] ^ p[4][0], p[3][1] ^ p[4][1] ^ p[5][0], p[5][1]}
		for bit := 255; bit >= 128; bit-- { // x^128 = x^7 + x^2 + x + 1
			if product[bit/64]>>(bit%64)&1 != 0 {
				for _, at := range []int{bit, bit - 121, bit - 126, bit - 127, bit - 128} {
					product[at/64] ^= 1 << (at % 64)
				}
			}
		}
		y = Vec{product[0], product[1]}
	}
	if want := block("f38cbb1ad69223dcc3457ae5b6b0f885"); y != want {
		t.Errorf("GHASH %x, want %x", y[:2], want[:2])
	}
}

// padded is a message with the padding of the SHA family, as big-endian words.
func padded(message []byte) (w []uint32) {
	b := append(slices.Clone(message), 0x80)
	for len(b)%64 != 56 {
		b = append(b, 0)
	}
	b = binary.BigEndian.AppendUint64(b, uint64(len(message))*8)
	for ; len(b) > 0; b = b[4:] {
		w = append(w, binary.BigEndian.Uint32(b))
	}
	return w
}

func vecOfWords(w0, w1, w2, w3 uint32) Vec {
	x := joined(w0, w1, w2, w3)
	return Vec{x.lo, x.hi}
}

// sha256Constants are the fractions of the cube roots of the first 64 primes.
func sha256Constants() (k []uint32) {
	for n := 2; len(k) < 64; n++ {
		prime := true
		for d := 2; d*d <= n; d++ {
			prime = prime && n%d != 0
		}
		if prime {
			_, frac := math.Modf(math.Cbrt(float64(n)))
			k = append(k, uint32(frac*(1<<32)))
		}
	}
	return k
}

// sha256Instructions hashes with the instructions, as FIPS 180-4 says.
func sha256Instructions(t *testing.T, message []byte) (sum []byte) {
	k := sha256Constants()
	h := [8]uint32{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}
	for w := padded(message); len(w) > 0; w = w[16:] {
		regs := [16]Vec{1: vecOfWords(h[5], h[4], h[1], h[0]), 2: vecOfWords(h[7], h[6], h[3], h[2])}
		for i := range 4 {
			regs[4+i] = vecOfWords(w[4*i], w[4*i+1], w[4*i+2], w[4*i+3])
		}
		for i := range 16 {
			var v vectorCode
			regs[3] = vecOfWords(k[4*i], k[4*i+1], k[4*i+2], k[4*i+3])
			v.op(movDQA, 0, 4)
			v.op(pADDD, 0, 3)
			v.op(sha256RNDS2, 2, 1)
			v.op(pSHUFD, 0, 0, 0x0E)
			v.op(sha256RNDS2, 1, 2)
			v.op(movDQA, 3, 7)
			v.op(sha256MSG1, 4, 5)
			v.op(pALIGNR, 3, 6, 4)
			v.op(pADDD, 4, 3)
			v.op(sha256MSG2, 4, 7)
			regs = v.run(t, regs)
			regs[4], regs[5], regs[6], regs[7] = regs[5], regs[6], regs[7], regs[4]
		}
		abef, cdgh := regs[1].low().words(), regs[2].low().words()
		for i, x := range []uint32{abef[3], abef[2], cdgh[3], cdgh[2], abef[1], abef[0], cdgh[1], cdgh[0]} {
			h[i] += x
		}
	}
	for _, x := range h {
		sum = binary.BigEndian.AppendUint32(sum, x)
	}
	return sum
}

// sha1Instructions hashes with the instructions, as FIPS 180-4 says.
func sha1Instructions(t *testing.T, message []byte) (sum []byte) {
	h := [5]uint32{0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}
	for w := padded(message); len(w) > 0; w = w[16:] {
		// xmm0 is ABCD, xmm1 the ABCD of four rounds ago, from which SHA1NEXTE takes E
		regs := [16]Vec{vecOfWords(h[3], h[2], h[1], h[0]), {0, uint64(bits.RotateLeft32(h[4], -30)) << 32}}
		for i := range 4 {
			regs[4+i] = vecOfWords(w[4*i+3], w[4*i+2], w[4*i+1], w[4*i])
		}
		for i := range 20 {
			var v vectorCode
			v.op(sha1NEXTE, 1, 4)
			v.op(movDQA, 2, 0)
			v.op(sha1RNDS4, 0, 1, byte(i/5))
			v.op(movDQA, 1, 2)
			v.op(sha1MSG1, 4, 5)
			v.op(pXOR, 4, 6)
			v.op(sha1MSG2, 4, 7)
			regs = v.run(t, regs)
			regs[4], regs[5], regs[6], regs[7] = regs[5], regs[6], regs[7], regs[4]
		}
		abcd := regs[0].low().words()
		for i := range 4 {
			h[i] += abcd[3-i]
		}
		h[4] += bits.RotateLeft32(uint32(regs[1][1]>>32), 30)
	}
	for _, x := range h {
		sum = binary.BigEndian.AppendUint32(sum, x)
	}
	return sum
}

// TestSHA hashes messages with the instructions and with Go's library.
func TestSHA(t *testing.T) {
	for _, n := range []int{0, 3, 55, 56, 63, 64, 200} {
		message := make([]byte, n)
		for i := range message {
			message[i] = byte(i*7 + n)
		}
		if n == 3 {
			message = []byte("abc")
		}
		if got, want := sha256Instructions(t, message), sha256.Sum256(message); !slices.Equal(got, want[:]) {
			t.Errorf("SHA-256 of %d bytes: %x, want %x", n, got, want)
		}
		if got, want := sha1Instructions(t, message), sha1.Sum(message); !slices.Equal(got, want[:]) {
			t.Errorf("SHA-1 of %d bytes: %x, want %x", n, got, want)
		}
	}
	if got := hex.EncodeToString(sha256Instructions(t,
		[]byte("abc"))); got != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("SHA-256 of abc: %s", got)
	}
}

// BenchmarkCrypto is the cost of single instructions.
func BenchmarkCrypto(b *testing.B) {
	for _, c := range []struct{ name, opcode, imm string }{{"AESENC", aesENC, ""},
		{"PCLMULQDQ", clMUL, "\x10"}, {"SHA256RNDS2", sha256RNDS2, ""}} {
		b.Run(c.name, func(b *testing.B) {
			var v vectorCode
			for range 32 {
				v.op(c.opcode, 1, 2, []byte(c.imm)...)
			}
			v.b = append(v.b, 0xEB, byte(-len(v.b)-2))
			if len(v.b) > 126 {
				v.b = append(v.b[:len(v.b)-2], 0xE9, 0, 0, 0, 0)
				binary.LittleEndian.PutUint32(v.b[len(v.b)-4:], uint32(-len(v.b)))
			}
			m := newMachine(v.b)
			m.V[1], m.V[2] = Vec{0x123456789, 3 << 60}, Vec{0xF0F0F0F0F0F0F0F0, 0x987654321}
			for b.Loop() {
				m.Run(m.Retired + 33)
			}
			b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(b.N)/33, "ns/instr")
		})
	}
}
