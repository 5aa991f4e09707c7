package x86

import (
	"fmt"
	"testing"

	"zhuque/sim/det"
)

// sdmStrings is the comparison as the manual's volume 2, section 4.1 tells it,
// element by element: a second implementation.
type sdmStrings struct {
	a, b   []int64 // all elements, signed or not as the immediate says
	na, nb int
	imm    int
}

func newSDMStrings(a, b Vec, na, nb, imm int) *sdmStrings {
	width := 8 << (imm & 1)
	s := &sdmStrings{a: elements(a, width, imm&2 != 0), b: elements(b, width, imm&2 != 0), na: na, nb: nb, imm: imm}
	length := func(e []int64, n int) int {
		if n >= 0 {
			return min(n, len(e))
		}
		for i, x := range e {
			if x == 0 {
				return i
			}
		}
		return len(e)
	}
	s.na, s.nb = length(s.a, na), length(s.b, nb)
	return s
}

// is compares element i of a with element j of b, with the manual's overrides
// for elements beyond the end (table 4-7).
func (s *sdmStrings) is(i, j int) bool {
	inA, inB := i < s.na, j < s.nb
	if inA && inB {
		if s.imm>>2&3 != 1 {
			return s.a[i] == s.b[j]
		}
		if i%2 == 0 {
			return s.b[j] >= s.a[i]
		}
		return s.b[j] <= s.a[i]
	}
	switch s.imm >> 2 & 3 {
	case 2:
		return !inA && !inB
	case 3:
		return !inA
	}
	return false
}

func (s *sdmStrings) result() (r []bool) {
	n := len(s.a)
	r = make([]bool, n)
	for j := range r {
		switch s.imm >> 2 & 3 {
		case 0:
			for i := range n {
				r[j] = r[j] || s.is(i, j)
			}
		case 1:
			for i := 0; i < n; i += 2 {
				r[j] = r[j] || s.is(i, j) && s.is(i+1, j)
			}
		case 2:
			r[j] = s.is(j, j)
		case 3:
			r[j] = true
			for i := 0; i+j < n; i++ {
				r[j] = r[j] && s.is(i, i+j)
			}
		}
	}
	for j := range r {
		switch s.imm >> 4 & 3 {
		case 1:
			r[j] = !r[j]
		case 3:
			r[j] = r[j] != (j < s.nb)
		}
	}
	return r
}

// TestStringComparisons goes through every immediate of the four instructions: a
// wrong override, polarity or flag would show.
func TestStringComparisons(t *testing.T) {
	r := det.Stream(1, "strings")
	letter := func() uint64 { return [...]uint64{0, 1, 2, 0x7F, 0x80, 0xFF, 1, 2}[r.IntN(8)] }
	for imm := range 128 {
		for range 200 {
			var a, b Vec
			for sh := 0; sh < 128; sh += 8 {
				a[sh/64] |= letter() << (sh % 64)
				b[sh/64] |= letter() << (sh % 64)
			}
			na, nb := r.IntN(20), r.IntN(20)
			for _, explicit := range []bool{true, false} {
				if !explicit {
					na, nb = -1, -1
				}
				want := newSDMStrings(a, b, na, nb, imm)
				if diff := compareStringRows(want, a, b, imm, explicit); diff != "" {
					t.Fatalf("imm %#x, explicit %v, a %x (%d), b %x (%d): %s", imm, explicit, a, want.na, b, want.nb, diff)
				}
			}
		}
	}
}

func compareStringRows(want *sdmStrings, a, b Vec, imm int, explicit bool) string {
	c := &CPU{}
	c.V[1], c.V[2] = a, b
	c.R[RAX], c.R[RDX] = uint64(want.na), -uint64(want.nb) // the length is the absolute value
	in := &Inst{reg: 1, rm: 2, imm: uint64(imm), width: 8, prefix: prefixRegForm}
	stringIndex(explicit)(c, in)
	stringMask(explicit)(c, in)

	set := want.result()
	first, last := len(set), len(set)
	var mask Vec
	for i, yes := range set {
		if !yes {
			continue
		}
		first, last = min(first, i), i
		if width := 128 / len(set); imm&0x40 != 0 {
			mask[i*width/64] |= (1<<width - 1) << (i * width % 64)
		} else {
			mask[0] |= 1 << i
		}
	}
	var flags uint64
	for bit, on := range map[uint64]bool{CF: last < len(set), ZF: want.nb < len(set), SF: want.na < len(set), OF: set[0]} {
		if on {
			flags |= bit
		}
	}
	index := first
	if imm&0x40 != 0 {
		index = last
	}
	switch {
	case c.R[RCX] != uint64(index):
		return fmt.Sprintf("index %d, want %d", c.R[RCX], index)
	case c.V[0] != mask:
		return fmt.Sprintf("mask %x, want %x", c.V[0], mask)
	case c.flags() != flags:
		return fmt.Sprintf("flags %#x, want %#x", c.flags(), flags)
	}
	return ""
}

// TestCRC32C: the check value of the CRC catalogue, by bytes and by larger pieces.
func TestCRC32C(t *testing.T) {
	text := "123456789"
	crc := uint64(0xFFFFFFFF)
	for _, b := range []byte(text) {
		crc = crc32c(uint32(crc), uint64(b), 1)
	}
	if crc ^= 0xFFFFFFFF; crc != 0xE3069283 {
		t.Errorf("by bytes %#x", crc)
	}
	crc = crc32c(0xFFFFFFFF, 0x3837363534333231, 8)
	if crc = crc32c(uint32(crc), '9', 1) ^ 0xFFFFFFFF; crc != 0xE3069283 {
		t.Errorf("by eight bytes and one %#x", crc)
	}
}
