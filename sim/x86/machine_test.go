package x86

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// testSpace is an address space for tests: pages are mapped one by one.
type testSpace struct {
	pages map[uint64]mem.Translation
	next  phys.Frame
}

func (f *testSpace) Translate(va uint64, _ mem.Access) (mem.Translation, bool, bool) {
	t, ok := f.pages[va>>phys.PageShift]
	return t, ok, false
}

// mapRange maps [va, va+size) readable, and writable and executable as asked.
func (f *testSpace) mapRange(va, size uint64, write, exec bool) {
	for p := va >> phys.PageShift; p <= (va+size-1)>>phys.PageShift; p++ {
		if _, ok := f.pages[p]; !ok {
			f.next++
			f.pages[p] = mem.Translation{Frame: f.next, Read: true}
		}
		t := f.pages[p]
		t.Write, t.Exec = t.Write || write, t.Exec || exec
		f.pages[p] = t
	}
}

// machine is a processor with memory of its own.
type machine struct {
	*CPU
	space *testSpace
	dram  *mem.Store
}

const (
	testCode  = 0x400000
	testData  = 0x600000
	testStack = 0x7FFF0000
)

// newMachine returns a machine with code at testCode, data at testData and a
// stack below testStack, each 16 pages; the code may be written.
func newMachine(code []byte) *machine { return newMachineOn(code, nil) }

func newMachineOn(code []byte, core *cachemodel.Core) *machine {
	f := &testSpace{pages: map[uint64]mem.Translation{}}
	f.mapRange(testCode, 16*phys.PageSize, true, true)
	f.mapRange(testData, 16*phys.PageSize, true, false)
	f.mapRange(testStack-16*phys.PageSize, 16*phys.PageSize, true, false)
	m := &machine{space: f, dram: mem.NewStore()}
	m.CPU = New(mem.NewPort(f, core, m.dram, mem.NewStore()))
	m.write(testCode, code)
	m.RIP = testCode
	m.R[RSP] = testStack - 4096
	return m
}

// write changes memory behind the port.
func (m *machine) write(va uint64, b []byte) {
	for len(b) > 0 {
		f := m.space.pages[va>>phys.PageShift].Frame
		n := copy(m.dram.WritablePage(f)[va&phys.PageMask:], b)
		b, va = b[n:], va+uint64(n)
	}
	m.Port.FlushTLB()
	m.ForgetBlocks()
}

func (m *machine) read(va uint64, n int) []byte {
	b := make([]byte, n)
	if err := m.Port.ReadBytes(va, b); err != nil {
		panic(err)
	}
	return b
}

// compile builds a freestanding static program; the test is skipped without gcc.
func compile(t testing.TB, source string, flags ...string) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil {
		need(t, "needs gcc")
	}
	dir := t.TempDir()
	src, out := filepath.Join(dir, "p.c"), filepath.Join(dir, "p")
	if err := os.WriteFile(src, []byte(source), 0o644); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"-O2", "-nostdlib", "-static", "-ffreestanding", "-fno-stack-protector",
		"-mno-red-zone", "-fno-tree-vectorize", "-fwrapv", "-o", out, src}, flags...)
	if b, err := exec.Command(gcc, args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, b)
	}
	return out
}

// loadELF maps a static executable.
func loadELF(t testing.TB, path string, core *cachemodel.Core) *machine {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m := newMachineOn(nil, core)
	m.space.pages = map[uint64]mem.Translation{}
	m.space.mapRange(testStack-64*phys.PageSize, 64*phys.PageSize, true, false)
	for _, p := range f.Progs {
		if p.Type != elf.PT_LOAD {
			continue
		}
		m.space.mapRange(p.Vaddr, max(p.Memsz, 1), p.Flags&elf.PF_W != 0, p.Flags&elf.PF_X != 0)
		b := make([]byte, p.Filesz)
		if _, err := p.ReadAt(b, 0); err != nil && len(b) > 0 {
			t.Fatal(err)
		}
		m.write(p.Vaddr, b)
	}
	m.RIP = f.Entry
	m.R[RSP] = testStack - 64
	return m
}

// exit runs until the program calls exit (system call 60) and returns its code.
func (m *machine) exit(t testing.TB, limit uint64) uint64 {
	t.Helper()
	s := m.Run(limit)
	switch {
	case s.Reason == StopSyscall && m.R[RAX] == 60:
		return m.R[RDI]
	case s.Exc != nil:
		t.Fatalf("after %d instructions: %v", m.Retired, s.Exc)
	case s.Unsup != nil:
		t.Fatalf("after %d instructions: %v", m.Retired, s.Unsup)
	}
	t.Fatalf("stopped by %v at %#x after %d instructions", s.Reason, m.RIP, m.Retired)
	return 0
}

// storeLines shows a Store's bytes to the cache model.
type storeLines struct{ s *mem.Store }

func (l storeLines) ReadLine(a phys.LineAddr, dst *[phys.LineSize]byte) { l.s.Read(a.Addr(), dst[:]) }

// newCore returns a core of the default cache model.
func newCore(t testing.TB) *cachemodel.Core {
	t.Helper()
	cfg, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	h, err := cachemodel.New(cfg, storeLines{mem.NewStore()})
	if err != nil {
		t.Fatal(err)
	}
	return h.Core(0)
}
