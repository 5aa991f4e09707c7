package x86

import (
	"bytes"
	"fmt"
	"math"
	"strings"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// What the comparisons with a processor have in common, live or from a record:
// the model's side and the rules by which two outcomes are the same. None of it
// needs the processor of the host.

// hwLayout is where the memory lies that an instruction may touch; all else is
// not mapped, neither natively nor in the model.
type hwLayout struct {
	slot          uint64 // of instructions that go on behind themselves
	scratch, size uint64 // operands, and their bytes
	flow, flowLen uint64 // code of instructions that go elsewhere
}

func (l *hwLayout) inScratch(a uint64) bool { return a-l.scratch < l.size }
func (l *hwLayout) inFlow(a uint64) bool    { return a-l.flow < l.flowLen }

// Translate maps what exists to frames of the same number, with all rights.
func (l *hwLayout) Translate(va uint64, _ mem.Access) (mem.Translation, bool, bool) {
	if !l.inScratch(va) && !l.inFlow(va) && va>>phys.PageShift != l.slot>>phys.PageShift {
		return mem.Translation{}, false, false
	}
	return mem.Translation{Frame: phys.Frame(va >> phys.PageShift), Read: true, Write: true, Exec: true}, true, false
}

// hwBackground is what scratch memory holds where a case has nothing to say.
var hwBackground = func() []byte {
	b := make([]byte, 2*phys.PageSize)
	x := uint64(0x9E3779B97F4A7C15)
	for i := range b {
		x = x*6364136223846793005 + 1442695040888963407
		b[i] = byte(x >> 56)
	}
	return b
}()

// hwModel is the model's side of a comparison.
type hwModel struct {
	hwLayout
	store *mem.Store
	cpu   *CPU
}

func newHWModel(l hwLayout) *hwModel {
	m := &hwModel{hwLayout: l, store: mem.NewStore()}
	m.cpu = New(mem.NewPort(&m.hwLayout, nil, m.store, mem.NewStore()))
	m.cpu.SetLevel(V3)
	m.cpu.SetMaxBlock(1)
	return m
}

// page returns the page that holds va, to be written.
func (m *hwModel) page(va uint64) []byte {
	return m.store.WritablePage(phys.Frame(va >> phys.PageShift))[:]
}

// fill makes memory from va on equal to data; both are whole pages.
func (m *hwModel) fill(va uint64, data []byte) {
	for ; len(data) > 0; data, va = data[phys.PageSize:], va+phys.PageSize {
		copy(m.page(va), data)
	}
}

// put writes data at va, which may cross pages.
func (m *hwModel) put(va uint64, data []byte) {
	for len(data) > 0 {
		n := copy(m.page(va)[va&phys.PageMask:], data)
		data, va = data[n:], va+uint64(n)
	}
}

// execute runs one instruction. Code may have been changed before.
func (m *hwModel) execute(start *State) (State, Stop) {
	m.cpu.codeWritten(phys.Frame(start.RIP >> phys.PageShift))
	m.cpu.codeWritten(phys.Frame(start.RIP>>phys.PageShift) + 1)
	m.cpu.Port.FlushTLB()
	m.cpu.SetState(start)
	stop := m.cpu.Run(m.cpu.Retired + 1)
	return m.cpu.State(), stop
}

// hwFault is an exception of a processor.
type hwFault struct{ vector, code, addr uint64 }

func (f *hwFault) String() string {
	return fmt.Sprintf("%s code %#x address %#x", Vector(f.vector), f.code, f.addr)
}

// hwEnvironment are the instructions with an x87 image in memory, which
// processors access in an order of their own.
var hwEnvironment = map[string]bool{
	"FLDENV": true, "FNSTENV": true, "FRSTOR": true, "FNSAVE": true, "FXSAVE": true, "FXRSTOR": true, "FXSAVE64": true, "FXRSTOR64": true,
}

// hwExtended are those with an XSAVE area, of which the x87 pointers and the mask of
// MXCSR differ between manufacturers.
var hwExtended = map[string]bool{"XSAVE": true, "XSAVEOPT": true, "XSAVEC": true, "XRSTOR": true}

// hasImage reports whether row's operand is an image of registers.
func hasImage(row *Row) bool { return row != nil && (hwEnvironment[row.Name] || hwExtended[row.Name]) }

// compareFaults compares how an instruction of row ended.
func compareFaults(row *Row, stop Stop, fault *hwFault) (diff []string) {
	switch {
	case fault == nil && stop.Reason == StopException:
		return []string{fmt.Sprintf("raised %v, the host nothing", stop.Exc)}
	case fault == nil:
		return nil
	case stop.Reason != StopException:
		return []string{fmt.Sprintf("raised nothing, the host %v", fault)}
	case uint64(stop.Exc.Vector) != fault.vector:
		return []string{fmt.Sprintf("raised %v, the host %v", stop.Exc, fault)}
	}
	e := stop.Exc
	switch e.Vector {
	case PageFaultVector:
		addr := fault.addr
		if e.Fault.Addr>>phys.PageShift == addr>>phys.PageShift && hasImage(row) {
			addr = e.Fault.Addr
		}
		if e.Fault.Addr != addr || e.Code != fault.code {
			return []string{fmt.Sprintf("raised %v code %#x, the host %v", e, e.Code, fault)}
		}
	case GP, SS:
		if e.Code != fault.code {
			return []string{fmt.Sprintf("raised %v code %#x, the host %v", e, e.Code, fault)}
		}
	}
	return nil
}

var flagLetters = map[rune]uint64{'o': OF, 's': SF, 'z': ZF, 'a': AF, 'p': PF, 'c': CF}

// compareStates compares the registers after an instruction of row, nil when
// nothing was decoded.
func compareStates(row *Row, got, want State) (diff []string) {
	say := func(format string, args ...any) { diff = append(diff, fmt.Sprintf(format, args...)) }
	if row == nil {
		row = &Row{}
	}
	for i := range got.R {
		if got.R[i] != want.R[i] {
			say("r%d = %#x, want %#x", i, got.R[i], want.R[i])
		}
	}
	defined := StatusFlags | DF | NT | AC | ID
	for _, f := range row.Undef {
		defined &^= flagLetters[f]
	}
	if (got.RFlags^want.RFlags)&defined != 0 {
		say("flags = %#x, want %#x (of %#x)", got.RFlags&defined, want.RFlags&defined, defined)
	}
	if got.RIP != want.RIP {
		say("rip = %#x, want %#x", got.RIP, want.RIP)
	}
	if got.FSBase != want.FSBase || got.GSBase != want.GSBase {
		say("segment bases = %#x %#x, want %#x %#x", got.FSBase, got.GSBase, want.FSBase, want.GSBase)
	}
	for i := range got.Sel {
		// A null selector loses its lower bits when an interrupt returns.
		if got.Sel[i] != want.Sel[i] && got.Sel[i]|want.Sel[i] > selectorRPL {
			say("selector %d = %#x, want %#x (es ds fs gs)", i, got.Sel[i], want.Sel[i])
		}
	}
	name := strings.TrimPrefix(row.Name, "V")
	approx := strings.HasPrefix(name, "RCP") || strings.HasPrefix(name, "RSQRT")
	for i := range got.V {
		if got.V[i] != want.V[i] && !(approx && closeSingles(got.V[i], want.V[i])) {
			say("ymm%d = %016x, want %016x (low quadword first)", i, got.V[i], want.V[i])
		}
	}
	if got.MXCSR != want.MXCSR {
		say("mxcsr = %#x, want %#x", got.MXCSR, want.MXCSR)
	}
	a, b := got.FPU, want.FPU
	a.IP, a.DP, a.Op = 0, 0, 0
	b.IP, b.DP, b.Op = 0, 0, 0
	if a != b && !hwTranscendental[row.Name] {
		say("x87 = %x, want %x", a, b)
	}
	return diff
}

// hwTranscendental instructions are rounded differently by every manufacturer.
var hwTranscendental = map[string]bool{
	"F2XM1": true, "FYL2X": true, "FYL2XP1": true, "FSIN": true, "FCOS": true, "FSINCOS": true, "FPTAN": true, "FPATAN": true,
}

// closeSingles allows each side the manual's relative error of 1.5 * 2^-12, and
// either side to become zero where that error decides whether a result is tiny.
func closeSingles(a, b Vec) bool {
	for i := range 8 {
		x, y := uint32(a[i/2]>>(i%2*32)), uint32(b[i/2]>>(i%2*32))
		if x == y {
			continue
		}
		fx, fy := float64(math.Float32frombits(x)), float64(math.Float32frombits(y))
		if nearTiny := 0x1p-126 * (1 + 0x1p-11); math.Abs(fx) <= nearTiny && math.Abs(fy) <= nearTiny {
			continue
		}
		if !(math.Abs(fx-fy) <= 2*1.5/4096*math.Abs(fy)) || math.IsInf(fx, 0) || math.IsInf(fy, 0) {
			return false
		}
	}
	return true
}

// compareMemory compares whole pages from va on with what the host has there.
func (m *hwModel) compareMemory(row *Row, va uint64, want []byte) (diff []string) {
	for ; len(want) > 0; va, want = va+phys.PageSize, want[phys.PageSize:] {
		got := m.store.Page(phys.Frame(va >> phys.PageShift))[:]
		if bytes.Equal(got, want[:phys.PageSize]) || hasImage(row) {
			continue // an image of registers has pointers and reserved parts, which processors fill differently
		}
		k := 0
		for got[k] == want[k] {
			k++
		}
		end := min(k+16, phys.PageSize)
		diff = append(diff, fmt.Sprintf("memory from %#x: % x, want % x", va+uint64(k), got[k:end], want[k:end]))
	}
	return diff
}
