package x86

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// x87Space maps every page to the frame of the same number.
type x87Space struct{}

func (x87Space) Translate(va uint64, _ mem.Access) (mem.Translation, bool, bool) {
	return mem.Translation{Frame: phys.Frame(va >> phys.PageShift & (1<<20 - 1)), Read: true, Write: true, Exec: true},
		true, false
}

func x87CPU() (*CPU, *mem.Store) {
	dram := mem.NewStore()
	return &CPU{Port: mem.NewPort(x87Space{}, nil, dram, mem.NewStore())}, dram
}

// x87Encoding returns the bytes of a row's form, with a random ST(i), and the
// Inst that its handler wants. The memory operand is [RSI].
func x87Encoding(row *Row, r *rand.Rand) ([]byte, *Inst) {
	f := strings.Fields(row.Enc)
	in := &Inst{base: RZero, index: RZero, width: 4}
	var b []byte
	for _, s := range f {
		switch {
		case s == "NP" || s == "mem":
		case s[0] == '/':
			n, _ := strconv.Atoi(s[1:])
			b = append(b, byte(n<<3|6)) // [rsi]
			in.base = RSI
		case strings.HasSuffix(s, "+i"):
			v, _ := strconv.ParseUint(s[:2], 16, 8)
			in.rm = uint8(r.IntN(8))
			in.prefix = prefixRegForm
			b = append(b, byte(v)+in.rm)
		default:
			v, err := strconv.ParseUint(s, 16, 8)
			if err != nil {
				panic("BUG: encoding " + row.Enc)
			}
			b = append(b, byte(v))
		}
	}
	if in.base == RZero {
		in.prefix = prefixRegForm
	}
	switch {
	case row.Feature == "FXSR" && r.IntN(2) == 0: // REX.W
		b = append([]byte{0x48}, b...)
		in.width = 8
	case row.Args == "M" && row.Feature == "FPU" && r.IntN(4) == 0:
		b = append([]byte{0x66}, b...)
		in.width = 2
	}
	in.length = uint8(len(b))
	if row.Pick != nil {
		in.fn = row.Pick(in)
	}
	return b, in
}

// x87Machine runs single x87 instructions by mnemonic and operand codes.
type x87Machine struct {
	t *testing.T
	c *CPU
}

const x87Memory = 0x10000 // the memory operand's address

func newX87Machine(t *testing.T) *x87Machine {
	c, _ := x87CPU()
	c.FPU.fresh()
	c.MXCSR = 0x1f80
	c.R[RSI] = x87Memory
	return &x87Machine{t, c}
}

// run executes name with operand codes args; rm is the number of STi. It returns
// what the instruction panicked with.
func (m *x87Machine) run(name, args string, rm uint8) (raised any) {
	m.t.Helper()
	for i := range x87Rows {
		row := &x87Rows[i]
		if row.Name != name || row.Args != args {
			continue
		}
		_, in := x87Encoding(row, rand.New(rand.NewPCG(1, 1)))
		in.rm, in.next = rm, 0x5000+uint64(in.length)
		defer func() { raised = recover() }()
		in.fn(m.c, in)
		return nil
	}
	m.t.Fatalf("no row %s %s", name, args)
	return nil
}

// must executes instructions that raise nothing; each is "NAME args".
func (m *x87Machine) must(list ...string) {
	m.t.Helper()
	for _, s := range list {
		name, args, _ := strings.Cut(s, " ")
		if r := m.run(name, args, 1); r != nil {
			m.t.Fatalf("%s: %v", s, r)
		}
	}
}

func (m *x87Machine) double(v float64) { m.c.Port.Store64(x87Memory, math.Float64bits(v)) }

func TestUnmaskedExceptionIsRaisedByTheNextWaitingInstruction(t *testing.T) {
	m := newX87Machine(t)
	m.c.Port.Store16(x87Memory, 0x37f&^fpZE)
	m.must("FLDCW Mw", "FLD1 ")
	m.double(0)
	m.must("FDIV Mq") // the divide itself does not stop
	f := &m.c.FPU
	if f.st(0) != f80One || f.SW&(fpZE|fpES|swB) != fpZE|fpES|swB {
		t.Fatalf("after the divide: st0 %x sw %#x", f.st(0), f.SW)
	}
	if f.IP != 0x5000 || f.DP != x87Memory {
		t.Errorf("pointers %#x %#x", f.IP, f.DP)
	}
	before := *f
	for _, waiting := range []string{"FLD1 ", "FWAIT ", "FLD Mq", "FLDCW Mw", "FCHS ", "FSTP Mt", "FXCH STi"} {
		name, args, _ := strings.Cut(waiting, " ")
		var exc *Exception
		if err, _ := m.run(name, args, 1).(error); !errors.As(err, &exc) || exc.Vector != MF {
			t.Errorf("%s: %v, want #MF", name, err)
		}
	}
	m.must("FNSTSW AX", "FNSTSW Mw", "FNSTCW Mw", "FXSAVE M")
	if *f != before {
		t.Errorf("state changed: %+v, want %+v", *f, before)
	}
	m.must("FNCLEX ", "FLD1 ")
}

func TestUnmaskingMakesAnOldExceptionPending(t *testing.T) {
	m := newX87Machine(t)
	m.double(0)
	m.must("FLD1 ", "FDIV Mq")
	m.c.Port.Store16(x87Memory, 0x37f&^fpZE)
	m.must("FLDCW Mw")
	if m.run("FWAIT", "", 0) == nil {
		t.Error("FWAIT after unmasking raised nothing")
	}
	m.must("FNINIT ", "FWAIT ")
}

// faultySpace maps nothing.
type faultySpace struct{}

func (faultySpace) Translate(uint64, mem.Access) (t mem.Translation, ok, bus bool) {
	return t, false, false
}

func TestFaultChangesNothing(t *testing.T) {
	m := newX87Machine(t)
	m.must("FLD1 ", "FLDPI ")
	before := m.c.State()
	m.c.Port = mem.NewPort(faultySpace{}, nil, mem.NewStore(), mem.NewStore())
	n := 0
	for i := range x87Rows {
		row := &x87Rows[i]
		if !strings.HasPrefix(row.Args, "M") || row.Pick == nil {
			continue
		}
		n++
		if _, ok := m.run(row.Name, row.Args, 0).(*mem.Fault); !ok {
			t.Errorf("%s %s: no fault", row.Name, row.Args)
		}
		if m.c.State() != before {
			t.Fatalf("%s %s changed the state before its fault", row.Name, row.Args)
		}
	}
	if n < 40 {
		t.Errorf("only %d rows with a memory operand", n)
	}
}

// halfSpace maps all but one page.
type halfSpace struct{ hole uint64 }

func (h halfSpace) Translate(va uint64, a mem.Access) (mem.Translation, bool, bool) {
	if va>>phys.PageShift == h.hole {
		return mem.Translation{}, false, false
	}
	return x87Space{}.Translate(va, a)
}

func TestStoreAcrossAHoleWritesNothing(t *testing.T) {
	m := newX87Machine(t)
	m.must("FLD1 ")
	dram := mem.NewStore()
	const page = x87Memory>>phys.PageShift + 1
	m.c.Port = mem.NewPort(halfSpace{page}, nil, dram, mem.NewStore())
	for _, s := range []string{"FSTP Mt", "FNSTENV M", "FNSAVE M", "FBSTP Mt"} {
		name, args, _ := strings.Cut(s, " ")
		for _, before := range []uint64{6, 8, 9} {
			m.c.R[RSI] = page<<phys.PageShift - before
			if _, ok := m.run(name, args, 0).(*mem.Fault); !ok {
				t.Errorf("%s: no fault", s)
			}
			buf := make([]byte, before)
			dram.Read(phys.Addr(m.c.R[RSI]), buf)
			if !bytes.Equal(buf, make([]byte, before)) {
				t.Errorf("%s wrote % x before its fault", s, buf)
			}
		}
	}
}

func TestEnvironmentRoundTrip(t *testing.T) {
	m := newX87Machine(t)
	m.must("FLDPI ", "FLD1 ", "FLDZ ", "FCHS ")
	want := m.c.FPU
	m.must("FNSAVE M")
	if f := m.c.FPU; f.Tag != 0 || f.CW != 0x37f || f.SW != 0 {
		t.Errorf("FNSAVE did not initialize: %+v", f)
	}
	m.must("FRSTOR M")
	if m.c.FPU != want {
		t.Errorf("FRSTOR: %+v, want %+v", m.c.FPU, want)
	}
}

func TestFXSaveRoundTrip(t *testing.T) {
	m := newX87Machine(t)
	m.must("FLDPI ", "FLD1 ", "FDECSTP ")
	s := m.c.State()
	s.MXCSR = 0x1fbf
	for i := range s.V {
		s.V[i] = Vec{uint64(i) + 1, uint64(i) << 40, 7, 8}
	}
	s.FPU.CW, s.FPU.SW = 0x37b, s.FPU.SW|fpZE|fpES|swB // pending, so pointers count
	s.FPU.Op, s.FPU.IP, s.FPU.DP = 0x123, 0x7fff12345678, 0x7ffe87654321
	b := s.FXSave()
	got := State{RIP: s.RIP, RFlags: s.RFlags, R: s.R}
	for i := range got.V {
		got.V[i] = Vec{0, 0, 7, 8}
	}
	if err := got.FXRestore(&b); err != nil || got != s {
		t.Errorf("%v: %+v, want %+v", err, got, s)
	}
	b[26] = 1 // bit 16 of MXCSR
	before := got
	if err := got.FXRestore(&b); err == nil || got != before {
		t.Errorf("reserved MXCSR bits: error %v, state changed %v", err, got != before)
	}
}

func TestFXSaveWantsAlignment(t *testing.T) {
	m := newX87Machine(t)
	m.c.R[RSI] += 8
	for _, name := range []string{"FXSAVE", "FXRSTOR"} {
		var exc *Exception
		if err, _ := m.run(name, "M", 0).(error); !errors.As(err, &exc) || exc.Vector != GP {
			t.Errorf("%s: %v, want #GP", name, err)
		}
	}
	m.c.R[RSI] -= 8
	m.must("FXSAVE M")
	m.c.Port.Store32(x87Memory+24, 1<<17)
	if m.run("FXRSTOR", "M", 0) == nil {
		t.Error("FXRSTOR took a reserved MXCSR bit")
	}
}

// TestPiIsCutTo66Bits: the sine of the nearest number to π is the distance to
// that number from π as units hold it.
func TestPiIsCutTo66Bits(t *testing.T) {
	m := newX87Machine(t)
	m.must("FLDPI ", "FSIN ")
	if got, want := m.c.FPU.st(0), (F80{f80J, f80Sign | (f80Bias - 64)}); got != want {
		t.Errorf("FSIN(FLDPI) = %x, want %x", got, want)
	}
}

func BenchmarkX87(b *testing.B) {
	bench := func(name string, f func(e *fpEnv, x, y F80) F80) {
		b.Run(name, func(b *testing.B) {
			e := fpEnv{prec: 64, masks: fpAll}
			x, y := F80{0xc90fdaa22168c235, f80Bias + 1}, F80{0xb17217f7d1cf79ac, f80Bias - 1}
			b.ReportAllocs()
			for b.Loop() {
				f(&e, x, y)
			}
		})
	}
	bench("add", (*fpEnv).add)
	bench("mul", (*fpEnv).mul)
	bench("div", (*fpEnv).div)
	bench("sqrt", func(e *fpEnv, x, _ F80) F80 { return e.sqrt(x) })
	bench("sin", func(e *fpEnv, x, _ F80) F80 { r, _ := e.sinCos(x, false); return r })
	bench("log", (*fpEnv).ylog2x)
	bench("atan", (*fpEnv).atan2)
	b.Run("instruction", func(b *testing.B) {
		c, _ := x87CPU()
		c.FPU.fresh()
		c.R[RSI] = x87Memory
		c.FPU.push(f80One)
		c.Port.Store64(x87Memory, math.Float64bits(1.5))
		in := &Inst{base: RSI, index: RZero, length: 2, next: 0x5002}
		fn := arithMem(fpAdd, srcF64)
		b.ReportAllocs()
		for b.Loop() {
			fn(c, in)
		}
	})
}
