package x86

import (
	"bytes"
	"fmt"
	"os"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/mem"
	"zhuque/sim/phys"

	"github.com/google/go-cmp/cmp"
)

func mixedProgram(t testing.TB, flags ...string) string {
	src, err := os.ReadFile("testdata/mixed.c")
	if err != nil {
		t.Fatal(err)
	}
	return compile(t, string(src), flags...)
}

func TestMixedProgram(t *testing.T) {
	for _, opt := range []string{"-O0", "-O2", "-Os"} {
		m := loadELF(t, mixedProgram(t, opt), nil)
		if code := m.exit(t, 1<<30); code != 0 {
			t.Fatalf("%s: part %d of the program computed a wrong answer", opt, code)
		}
		t.Logf("%s: %d instructions", opt, m.Retired)
	}
}

// The cache model changes no register, no flag and no byte of memory.
func TestCacheModelChangesNothing(t *testing.T) {
	path := mixedProgram(t, "-DROUNDS=1")
	without, with := loadELF(t, path, nil), loadELF(t, path, nil)
	with.CPU = with.Clone(mem.NewPort(with.space, newCore(t), with.dram, mem.NewStore()))
	for n := uint64(0); ; n += 997 {
		a, b := without.Run(n), with.Run(n)
		if diff := cmp.Diff(without.State(), with.State()); diff != "" ||
			a.Reason != b.Reason || without.Retired != with.Retired {
			t.Fatalf("at %d: %v and %v (-without +with):\n%s", n, a.Reason, b.Reason, diff)
		}
		if a.Reason != StopCount {
			break
		}
	}
	sameMemory(t, without, with)
}

// sameMemory fails unless both machines hold the same bytes in every frame.
func sameMemory(t *testing.T, a, b *machine) {
	t.Helper()
	mem.Diff(a.dram, b.dram, 0, 1<<30, func(f phys.Frame, pa, pb *mem.Page) bool {
		if !bytes.Equal(a.dram.ReadPage(f)[:], b.dram.ReadPage(f)[:]) {
			t.Errorf("frame %d differs", f)
		}
		return true
	})
}

// The same program in blocks of one instruction and in whole blocks, stopped at
// the same arbitrary places, is in the same state at each of them.
func TestBlockLengthChangesNothing(t *testing.T) {
	path := mixedProgram(t, "-DROUNDS=1")
	single, whole := loadELF(t, path, nil), loadELF(t, path, nil)
	single.SetMaxBlock(1)
	r := det.Stream(1, "stops")
	for n := uint64(0); ; n += 1 + r.Uint64N(400) {
		a, b := single.Run(n), whole.Run(n)
		if diff := cmp.Diff(single.State(), whole.State()); diff != "" ||
			a.Reason != b.Reason || single.Retired != whole.Retired {
			t.Fatalf("at %d: %v after %d and %v after %d (-single +whole):\n%s",
				n, a.Reason, single.Retired, b.Reason, whole.Retired, diff)
		}
		if a.Reason != StopCount {
			break
		}
		if single.Retired != n {
			t.Fatalf("%d retired, want exactly %d", single.Retired, n)
		}
	}
	if single.R[RDI] != 0 {
		t.Errorf("the program exits with %d", single.R[RDI])
	}
	sameMemory(t, single, whole)
}

// Run stops at every instruction that is asked for, wherever it began.
func TestRunStopsAtEveryInstruction(t *testing.T) {
	path := mixedProgram(t, "-DROUNDS=1")
	start := loadELF(t, path, nil)
	single := start.clone()
	for n := range uint64(500) {
		m := start.clone()
		if s := m.Run(n); s.Reason != StopCount || m.Retired != n {
			t.Fatalf("asked for %d, stopped by %v after %d", n, s.Reason, m.Retired)
		}
		single.Run(n)
		if diff := cmp.Diff(single.State(), m.State()); diff != "" {
			t.Fatalf("after %d instructions (-stepped +direct):\n%s", n, diff)
		}
	}
}

// SYSCALL retires, sets RCX and R11, and is reported even when it is the last
// instruction that was asked for.
func TestSyscallStops(t *testing.T) {
	m := newMachine([]byte{0xF9, 0x0F, 0x05, 0x90}) // stc; syscall; nop
	if s := m.Run(2); s.Reason != StopSyscall {
		t.Fatalf("stopped by %v, want syscall", s.Reason)
	}
	if m.RIP != testCode+3 || m.R[RCX] != testCode+3 || m.R[R11] != m.RFlags() || m.R[R11]&CF == 0 || m.Retired != 2 {
		t.Fatalf("rip %#x rcx %#x r11 %#x retired %d", m.RIP, m.R[RCX], m.R[R11], m.Retired)
	}
	if s := m.Run(3); s.Reason != StopCount || m.RIP != testCode+4 {
		t.Fatalf("afterwards: %v at %#x", s.Reason, m.RIP)
	}
}

// A faulting instruction changes nothing, and those before it are retired.
func TestFaultIsPrecise(t *testing.T) {
	for _, c := range []struct {
		name   string
		code   []byte
		vector Vector
		access mem.Access
	}{
		{"store", []byte{0xFF, 0xC0, 0x48, 0x89, 0x03}, PageFaultVector, mem.Write},              // inc eax; mov [rbx], rax
		{"load", []byte{0xFF, 0xC0, 0x48, 0x8B, 0x03}, PageFaultVector, mem.Read},                // mov rax, [rbx]
		{"read-modify-write", []byte{0xFF, 0xC0, 0x48, 0x01, 0x03}, PageFaultVector, mem.Write},  // add [rbx], rax
		{"push", []byte{0xFF, 0xC0, 0x48, 0x87, 0xDC, 0x50}, PageFaultVector, mem.Write},         // xchg rsp, rbx; push rax
		{"pop", []byte{0xFF, 0xC0, 0x48, 0x87, 0xDC, 0x58}, PageFaultVector, mem.Read},           // xchg rsp, rbx; pop rax
		{"call", []byte{0xFF, 0xC0, 0x48, 0x87, 0xDC, 0xFF, 0xD0}, PageFaultVector, mem.Write},   // xchg rsp, rbx; call rax
		{"cmpxchg", []byte{0xFF, 0xC0, 0x48, 0x0F, 0xB1, 0x0B}, PageFaultVector, mem.Write},      // cmpxchg [rbx], rcx
		{"divide", []byte{0xFF, 0xC0, 0x48, 0xF7, 0xF2}, DE, 0},                                  // div rdx
		{"invalid", []byte{0xFF, 0xC0, 0x0F, 0x0B}, UD, 0},                                       // ud2
		{"lock", []byte{0xFF, 0xC0, 0xF0, 0x01, 0xC0}, UD, 0},                                    // lock add eax, eax
		{"halt", []byte{0xFF, 0xC0, 0xF4}, GP, 0},                                                // hlt
		{"too long", append([]byte{0xFF, 0xC0}, bytes.Repeat([]byte{0x66}, 15)...), GP, 0},       // 15 prefixes
		{"non-canonical", []byte{0xFF, 0xC0, 0x49, 0x8B, 0x00}, GP, 0},                           // mov rax, [r8]
		{"non-canonical stack", []byte{0xFF, 0xC0, 0x4C, 0x87, 0xC4, 0x50}, SS, 0},               // xchg rsp, r8; push rax
		{"cmpxchg16b misaligned", []byte{0xFF, 0xC0, 0x48, 0x0F, 0xC7, 0x4C, 0x24, 0x08}, GP, 0}, // cmpxchg16b [rsp+8]
	} {
		m := newMachine(c.code)
		m.R[RBX], m.R[R8] = 0x123450, 1<<62
		one := m.clone()
		var before State
		for n := uint64(1); ; n++ {
			before = one.State()
			if one.Run(n).Reason != StopCount {
				break
			}
		}
		s := m.Run(100)
		if s.Reason != StopException || s.Exc.Vector != c.vector {
			t.Errorf("%s: stop %v %v, want %v", c.name, s.Reason, s.Exc, c.vector)
			continue
		}
		if diff := cmp.Diff(before, m.State()); diff != "" {
			t.Errorf("%s: the faulting instruction changed state, or RIP is not at it:\n%s", c.name, diff)
		}
		if diff := cmp.Diff(before, one.State()); diff != "" {
			t.Errorf("%s: the faulting instruction, met first in its block, changed state:\n%s", c.name, diff)
		}
		if m.Retired == 0 || m.Retired != one.Retired || s.Exc.RIP != m.RIP {
			t.Errorf("%s: %d retired, exception at %#x with rip %#x", c.name, m.Retired, s.Exc.RIP, m.RIP)
		}
		if c.vector == PageFaultVector && (s.Exc.Fault.Access != c.access || s.Exc.Code>>1&1 != uint64(c.access)) {
			t.Errorf("%s: %v, code %#x, want a %v fault", c.name, s.Exc.Fault, s.Exc.Code, c.access)
		}
	}
}

// A row that is not modelled stops the run, and is not #UD.
func TestUnsupportedIsNamed(t *testing.T) {
	f := &forms[maps[V2][1][0x05].cells[0]-1] // SYSCALL
	defer func(pick func(*Inst) handler) { f.pick = pick }(f.pick)
	f.pick = nil
	m := newMachine([]byte{0x90, 0x0F, 0x05})
	s := m.Run(10)
	if s.Reason != StopUnsupported || s.Unsup.RIP != testCode+1 ||
		m.Retired != 1 || !bytes.Contains([]byte(s.Unsup.What), []byte("0f05")) {
		t.Fatalf("stop %v %v after %d", s.Reason, s.Unsup, m.Retired)
	}
}

func TestInt3IsATrap(t *testing.T) {
	m := newMachine([]byte{0x90, 0xCC, 0x90})
	s := m.Run(10)
	if s.Reason != StopException || s.Exc.Vector != BP || m.RIP != testCode+2 || m.Retired != 2 {
		t.Fatalf("stop %v %v, rip %#x, %d retired", s.Reason, s.Exc, m.RIP, m.Retired)
	}
}

// BenchmarkRun measures instructions per second of parts of a compiled program,
// without and with the cache model.
func BenchmarkRun(b *testing.B) {
	for _, part := range []struct{ name, flag string }{{"sha256", "-DONLY=1"},
		{"hashmap", "-DONLY=2"}, {"sort", "-DONLY=3"}} {
		path := mixedProgram(b, part.flag, "-DROUNDS=400")
		for _, model := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/model=%t", part.name, model), func(b *testing.B) {
				var retired uint64
				for b.Loop() {
					b.StopTimer()
					m := loadELF(b, path, nil)
					if model {
						m.Port = mem.NewPort(m.space, newCore(b), m.dram, mem.NewStore())
						m.CPU = m.Clone(m.Port)
					}
					b.StartTimer()
					if m.exit(b, 1<<40) != 0 {
						b.Fatal("wrong answer")
					}
					retired += m.Retired
				}
				b.ReportMetric(float64(retired)/b.Elapsed().Seconds()/1e6, "MIPS")
				b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(retired), "ns/instr")
			})
		}
	}
}

// BenchmarkStep measures Run for one instruction at a time, as campaigns do.
func BenchmarkStep(b *testing.B) {
	m := loadELF(b, mixedProgram(b, "-DROUNDS=100000"), nil)
	for b.Loop() {
		if s := m.Run(m.Retired + 1); s.Reason != StopCount {
			b.Fatal(s.Reason)
		}
	}
}

// BenchmarkRepStos measures a long REP STOSB.
func BenchmarkRepStos(b *testing.B) {
	m := newMachine([]byte{0xF3, 0xAA})
	const n = 15 * phys.PageSize
	b.SetBytes(n)
	for b.Loop() {
		m.RIP, m.R[RDI], m.R[RCX] = testCode, testData, n
		if s := m.Run(m.Retired + 1); s.Reason != StopCount {
			b.Fatal(s.Reason)
		}
	}
}
