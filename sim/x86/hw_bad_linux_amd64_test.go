package x86

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"
)

// Bad input, compared with the host's processor: what is no instruction, is too
// long, is cut off by the end of memory, has prefixes in every order, or goes to
// addresses that are none. A sample by default; with
// -hwcases 10000 everything.

// badRun counts what a test of bad input compared.
type badRun struct {
	t       *testing.T
	p       *hwPair
	cases   int
	vectors map[string]int // cases by exception
	refused map[string]int
	kinds   map[string]int // differences shown, by instruction
}

func newBadRun(t *testing.T) *badRun {
	return &badRun{t: t, p: newSteps(newHWPair(t)), vectors: map[string]int{},
		refused: map[string]int{}, kinds: map[string]int{}}
}

// compare executes a case and reports a difference, three of a kind at most.
func (b *badRun) compare(c *stepCase, kind string) {
	diff, refused := b.p.step(c)
	if refused != "" {
		b.refused[refused]++
		return
	}
	b.cases++
	outcome := "none"
	if b.p.fault != nil {
		outcome = Vector(b.p.fault.vector).String()
	}
	b.vectors[outcome]++
	if len(diff) == 0 {
		return
	}
	if b.kinds[kind]++; b.kinds[kind] <= 3 {
		b.t.Errorf("%s: %s\n\t%s\n\tgo test ./sim/x86 -run '%s' -hwseed %d -hwcases %d",
			kind, c.describe(), strings.Join(diff, "\n\t"), b.t.Name(), *hwSeed, *hwCases)
	}
}

// end reports what was compared. Each exception of want must have been met.
func (b *badRun) end(want ...Vector) {
	b.t.Logf("seed %d: %d cases compared, by exception %v, not run natively %v", *hwSeed, b.cases, b.vectors, b.refused)
	if b.p.intel {
		b.t.Logf("of these, where Intel's processors differ from AMD's, which the model follows: %v", b.p.makers)
	}
	for _, v := range want {
		if b.vectors[v.String()] == 0 {
			b.t.Errorf("no case raised %s", v)
		}
	}
}

// full reports whether everything is compared.
func full() bool { return *hwCases >= fullCases }

// TestBadRandom executes random bytes.
func TestBadRandom(t *testing.T) {
	b := newBadRun(t)
	n := 20_000
	if full() {
		n = 500_000
	}
	r := det.Stream(*hwSeed, "random bytes")
	for range n {
		code := make([]byte, 1+r.IntN(15))
		for i := range code {
			code[i] = byte(r.Uint32())
		}
		if r.IntN(2) == 0 { // more of the two-byte map
			code = append([]byte{0x0F}, code[:min(len(code), 14)]...)
		}
		b.compare(b.p.bytesCase(code, r.Uint64(), uint8(r.Uint32())), "random bytes")
	}
	b.end(UD, PageFaultVector, GP)
}

var legacyPrefixes = []byte{0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3}

// prefixBases are instructions in which prefixes mean something, or must not.
var prefixBases = []string{
	"01 d8", "01 03", "88 c4", "89 03", "8b 0b", "0f c7 0b", "0f b0 0b", "87 0b", "f7 1b", "0f ab 0b", "0f ba 2b 05", // integer, lockable
	"a4", "ad", "af", "50", "58", "68 01 02 03 04", "c9", "90", "99", "98", "ab", // implicit operands
	"0f 10 03", "0f 28 c1", "0f 6f c1", "0f 7e c0", "0f d6 c1", "0f 5a c1", "0f e6 c1", "0f 2a c0", "0f ae e8", "0f ae 33", // mandatory prefixes
	"0f 38 00 c1", "0f 38 f0 03", "0f 38 f1 c0", "0f 3a 0f c1 03", "0f b8 c0", "0f bd c0", // three bytes
	"d9 c0", "df e0", "9b", "0f 0b", "06", "0f 05 ", "0f a2", "f4", "0f 20 c0", "0f 1e fa", "0f c3 03", "8c d8", "0f c8", "b8 01 02 03 04 05 06 07 08",
	"e3 10", "75 10", "ff e3", "ff 13", "c3",
}

// TestBadPrefixes executes every sequence of up to four legacy prefixes, with
// and without REX, before representative instructions.
func TestBadPrefixes(t *testing.T) {
	b := newBadRun(t)
	r := det.Stream(*hwSeed, "prefixes")
	var sequence func(code []byte, depth int)
	sequence = func(code []byte, depth int) {
		for _, base := range prefixBases {
			// All of up to two prefixes; of more a sample.
			if !full() && len(code) > 1 && r.IntN(len(code)*len(code)*len(code)*6) != 0 {
				continue
			}
			for _, rex := range [][]byte{nil, {0x48}, {0x40 | byte(r.IntN(16))}} {
				whole := slices.Concat(code, rex, unhex(base))
				b.compare(b.p.bytesCase(whole[:min(len(whole), maxLength)], r.Uint64(), 2), "prefixes of "+base)
			}
		}
		if depth == 0 {
			return
		}
		for _, p := range legacyPrefixes {
			sequence(append(slices.Clip(code), p), depth-1)
		}
	}
	sequence(nil, 4)
	b.end(UD, GP)
}

func unhex(s string) (b []byte) {
	for f := range strings.FieldsSeq(s) {
		var v byte
		if _, err := fmt.Sscanf(f, "%x", &v); err != nil {
			panic(err)
		}
		b = append(b, v)
	}
	return b
}

// TestBadLength executes instructions of 13 to 18 bytes, whole and cut off by
// the end of memory after every byte: which exception comes first?
func TestBadLength(t *testing.T) {
	b := newBadRun(t)
	r := det.Stream(*hwSeed, "lengths")
	for _, base := range append(prefixBases, "c7 84 8b 00 01 00 00 01 02 03 04", "48 b8 01 02 03 04 05 06 07 08", "c4", "62", "d4", "d5 01", "82 83 01 02 03 04", "82 04 25 00 00 00 00 05", "82 c0 01", "9a", "ea", "c6 c8 01", "66 c7 c8 01 00", "c7 f0", "06", "ce", "60", "0f", "0f 38", "0f 3a", "66") {
		for length := 13; length <= 18; length++ {
			body := unhex(base)
			var code []byte
			for len(code)+len(body) < length {
				code = append(code, [...]byte{0x2E, 0x66, 0x3E, 0x67, 0x26}[r.IntN(5)])
			}
			code = append(code, body...)
			for cut := 1; cut <= len(code); cut++ {
				c := b.p.bytesCase(code[:cut], r.Uint64(), 0)
				b.compare(c, "length of "+base)
				if cut == len(code) {
					c.at = b.p.flow + 0xC00
					b.compare(c, "length of "+base)
				}
			}
		}
	}
	b.end(UD, GP, PageFaultVector)
}

// TestBadForms takes the instructions of every row and cuts them off, locks
// them, misaligns their operands or makes addresses not canonical.
func TestBadForms(t *testing.T) {
	b := newBadRun(t)
	times := max(*hwCases/50, 1)
	for i := range forms {
		f := &forms[i]
		r := det.Stream(*hwSeed, "bad "+f.row.key())
		for range times {
			d := &hwCase{r: r, form: f, slot: b.p.flow + 0xC00, scratch: b.p.scratch, size: b.p.size, memory: make([]byte, 64)}
			d.encode()
			if len(d.code) > maxLength {
				continue
			}
			for cut := 1; cut < len(d.code); cut++ {
				b.compare(b.p.bytesCase(d.code[:cut], r.Uint64(), 0), f.row.Name+" cut off")
			}
			c := b.p.bytesCase(d.code, r.Uint64(), 2)
			c.at = d.slot // for RIP-relative operands
			b.compare(c, f.row.Name+" misaligned")
			if len(d.code) < maxLength {
				locked := *c
				locked.code = append([]byte{0xF0}, d.code...)
				b.compare(&locked, f.row.Name+" locked")
			}
			b.compare(notCanonical(c, r), f.row.Name+" not canonical")
		}
	}
	b.end(UD, GP, SS, PageFaultVector)
}

// notCanonical is the case with registers around the hole in the address space.
func notCanonical(c *stepCase, r *rand.Rand) *stepCase {
	d := *c
	edges := [...]uint64{1 << 47, 1<<63 | 1<<46, 0xFFFF_7FFF_FFFF_FFFF,
		1<<47 - 1, 1<<47 - 8, 0xFFFF_8000_0000_0000, 0x1234_5678_9ABC_DEF0}
	for i := range d.state.R {
		if i != RCX && r.IntN(4) != 0 {
			d.state.R[i] = edges[r.IntN(len(edges))] + r.Uint64N(17) - 8
		}
	}
	return &d
}
