package x86

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/mem"
	"zhuque/sim/phys"

	"github.com/google/go-cmp/cmp"
)

// stringCase is a string instruction and where it works.
type stringCase struct {
	code     []byte
	rsi, rdi uint64
	rcx, rax uint64
	df       bool
	contents []byte
}

func newStringCase(r *rand.Rand) stringCase {
	c := stringCase{contents: make([]byte, 7*phys.PageSize), df: r.IntN(3) == 0, rax: r.Uint64() & 0x0303030303030303}
	for i := range c.contents {
		c.contents[i] = byte(r.IntN(4))
	}
	width := 1 << r.IntN(4)
	opcode := []byte{0xA4, 0xA6, 0xAA, 0xAC, 0xAE}[r.IntN(5)]
	switch width {
	case 2:
		c.code = append(c.code, 0x66)
	case 1:
		opcode--
	}
	opcode++
	if width == 1 {
		opcode = []byte{0xA4, 0xA6, 0xAA, 0xAC, 0xAE}[r.IntN(5)]
	}
	c.code = append(c.code, []byte{0xF3, 0xF2}[r.IntN(2)])
	if width == 8 {
		c.code = append(c.code, 0x48)
	}
	c.code = append(c.code, opcode)
	c.rcx = uint64(r.IntN(40))
	if r.IntN(3) == 0 {
		c.rcx = uint64(r.IntN(2000 / width))
	}
	c.rdi = testData + 3*phys.PageSize - 64 + uint64(r.IntN(128))
	c.rsi = c.rdi - 16 + uint64(r.IntN(32)) // often overlapping
	if r.IntN(2) == 0 {
		c.rsi = testData + 2*phys.PageSize + uint64(r.IntN(2*phys.PageSize))
	}
	return c
}

func (c stringCase) machine() *machine {
	m := newMachine(c.code)
	m.write(testData, c.contents)
	m.R[RSI], m.R[RDI], m.R[RCX], m.R[RAX] = c.rsi, c.rdi, c.rcx, c.rax
	m.SetRFlags(PF | OF)
	if c.df {
		m.SetRFlags(PF | OF | DF)
	}
	return m
}

// naive executes the instruction as the manual writes it: byte-wise memory, one
// element after the other.
func (c stringCase) naive() (mem []byte, rsi, rdi, rcx, rax uint64, compared bool, a, b uint64) {
	mem = bytes.Clone(c.contents)
	rsi, rdi, rcx, rax = c.rsi, c.rdi, c.rcx, c.rax
	opcode := c.code[len(c.code)-1]
	width := uint64(1)
	if opcode&1 == 1 {
		width = 4
		if c.code[0] == 0x66 {
			width = 2
		} else if bytes.Contains(c.code, []byte{0x48}) {
			width = 8
		}
	}
	repne := bytes.Contains(c.code, []byte{0xF2})
	step := width
	if c.df {
		step = -width
	}
	get := func(at uint64) (v uint64) {
		for i := range width {
			v |= uint64(mem[at-testData+i]) << (8 * i)
		}
		return v
	}
	put := func(at, v uint64) {
		for i := range width {
			mem[at-testData+i] = byte(v >> (8 * i))
		}
	}
	mask := ^uint64(0) >> (64 - 8*width)
	for rcx != 0 {
		switch opcode &^ 1 {
		case 0xA4:
			put(rdi, get(rsi))
			rsi, rdi = rsi+step, rdi+step
		case 0xA6:
			a, b, compared = get(rsi), get(rdi), true
			rsi, rdi = rsi+step, rdi+step
		case 0xAA:
			put(rdi, rax)
			rdi += step
		case 0xAC:
			rax = rax&^mask | get(rsi)
			if width == 4 {
				rax &= mask
			}
			rsi += step
		case 0xAE:
			a, b, compared = rax&mask, get(rdi), true
			rdi += step
		}
		rcx--
		if compared && (a == b) == repne {
			break
		}
	}
	return
}

func TestStringInstructions(t *testing.T) {
	r := det.Stream(1, "strings")
	for i := range 1500 {
		c := newStringCase(r)
		m := c.machine()
		m.step(t, 1)
		mem, rsi, rdi, rcx, rax, compared, a, b := c.naive()
		got := [4]uint64{m.R[RSI], m.R[RDI], m.R[RCX], m.R[RAX]}
		if want := [4]uint64{rsi, rdi, rcx, rax}; got != want {
			text, _ := Disasm(c.code, 0)
			t.Fatalf("case %d %s df %t: rsi, rdi, rcx, rax = %x, want %x", i, text, c.df, got, want)
		}
		if !bytes.Equal(m.read(testData, len(mem)), mem) {
			t.Fatalf("case %d % x df %t from %#x to %#x, %d times: wrong memory", i, c.code, c.df, c.rsi, c.rdi, c.rcx)
		}
		if compared && (m.zf() != (a == b) || m.cf() != (a < b)) {
			t.Fatalf("case %d % x: %#x compared with %#x gives flags %#x", i, c.code, a, b, m.RFlags())
		}
		if !compared && m.RFlags()&StatusFlags != PF|OF {
			t.Fatalf("case %d % x: flags changed to %#x", i, c.code, m.RFlags())
		}
	}
}

// A REP instruction that is interrupted after any numbers of iterations ends as
// it does in one go, and counts as one instruction.
func TestInterruptedRep(t *testing.T) {
	r := det.Stream(2, "strings")
	for i := range 300 {
		c := newStringCase(r)
		whole, parts := c.machine(), c.machine()
		whole.step(t, 1)
		for {
			before := parts.R[RCX]
			n := 1 + r.Uint64N(50)
			complete, done := parts.RunRep(n), before-parts.R[RCX]
			if complete && done <= n {
				break
			}
			if complete || done != n || parts.RIP != testCode || parts.Retired != 0 {
				t.Fatalf("case %d % x: asked for %d iterations: %d done, rip %#x, %d retired",
					i, c.code, n, done, parts.RIP, parts.Retired)
			}
		}
		if diff := cmp.Diff(whole.State(), parts.State()); diff != "" || whole.Retired != parts.Retired {
			t.Fatalf("case %d % x: %d retired, want %d (-whole +parts):\n%s", i, c.code, parts.Retired, whole.Retired, diff)
		}
		sameMemory(t, whole, parts)
	}
}

// A REP store that runs into an unmapped page has stored everything before it.
func TestRepFault(t *testing.T) {
	const end = testData + 16*phys.PageSize
	for _, code := range [][]byte{{0xF3, 0xAA}, {0xF3, 0x48, 0xAB}, {0xF3, 0xA4}} {
		m := newMachine(code)
		m.R[RDI], m.R[RSI], m.R[RCX], m.R[RAX] = end-1000, testData+3, 5000, 0x7777777777777777
		m.write(testData+3, bytes.Repeat([]byte{0x77}, 2000))
		s := m.Run(1)
		if s.Reason != StopException || s.Exc.Fault == nil || s.Exc.Fault.Addr != end || s.Exc.Fault.Access != mem.Write {
			t.Fatalf("% x: stop %v %v", code, s.Reason, s.Exc)
		}
		width := uint64(1)
		if code[1] == 0x48 {
			width = 8
		}
		if m.R[RDI] != end || m.R[RCX] != 5000-1000/width || m.RIP != testCode {
			t.Errorf("% x: rdi %#x rcx %d rip %#x", code, m.R[RDI], m.R[RCX], m.RIP)
		}
		if !bytes.Equal(m.read(end-1000, 1000), bytes.Repeat([]byte{0x77}, 1000)) {
			t.Errorf("% x: bytes before the fault are missing", code)
		}
		if s := m.Run(m.Retired); s.Reason != StopCount {
			t.Errorf("% x: Run up to here gives %v", code, s.Reason)
		}
		if m.RunRep(10) || m.RIP != testCode {
			t.Errorf("% x: RunRep went over the fault", code)
		}
	}
}

// A REP MOVS whose source runs into an unmapped page has copied every byte before it.
func TestRepSourceFault(t *testing.T) {
	const end = testData + 16*phys.PageSize
	m := newMachine([]byte{0xF3, 0xA4})
	m.R[RDI], m.R[RSI], m.R[RCX] = testData, end-1003, 5000
	s := m.Run(1)
	if s.Reason != StopException || s.Exc.Fault == nil || s.Exc.Fault.Addr != end || s.Exc.Fault.Access != mem.Read {
		t.Fatalf("stop %v %v", s.Reason, s.Exc)
	}
	if m.R[RDI] != testData+1003 || m.R[RSI] != end || m.R[RCX] != 5000-1003 {
		t.Errorf("rdi %#x rsi %#x rcx %d", m.R[RDI], m.R[RSI], m.R[RCX])
	}
}

func TestAtRep(t *testing.T) {
	for _, c := range []struct {
		code string
		want bool
	}{{"\xF3\xA4", true}, {"\xF2\xAE", true}, {"\xA4", false}, {"\xF3\x90", false}, {"\xF3\x0F\xB8\xC0", false}, {"\x0F\x0B", false}} {
		m := newMachine([]byte(c.code))
		if got := m.AtRep(); got != c.want {
			t.Errorf("% x: AtRep %t, want %t", c.code, got, c.want)
		}
		if got := m.RunRep(1); got && !c.want {
			t.Errorf("% x: RunRep executed it", c.code)
		}
	}
	m := newMachine(nil)
	m.RIP = 0x1000
	if m.AtRep() {
		t.Error("AtRep where nothing is mapped")
	}
}
