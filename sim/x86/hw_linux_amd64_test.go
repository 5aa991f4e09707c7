package x86

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86/hwtest"
)

// The processor of the host as the oracle of every row of the table: random
// encodings and operands run natively and in the model; registers, memory,
// status flags, MXCSR, the x87 unit and exceptions must be equal.

var (
	hwSeed  = flag.Uint64("hwseed", 1, "seed of the comparison with the host's processor")
	hwCases = flag.Int("hwcases", 200, "cases for each row of the instruction table")
	hwRow   = flag.String("hwrow", "", "compare only rows of this mnemonic or CPUID feature")
)

// hwSkipped are the mnemonics that the harness cannot run on the host: they
// leave the straight line, need privileges or segments, or are meant to differ.
var hwSkipped = map[string]string{
	"SYSCALL": "control flow", "INT": "control flow", "INT3": "control flow", "INT1": "control flow",
	"JMP": "control flow", "CALL": "control flow", "RET": "control flow", "JRCXZ": "control flow", "JECXZ": "control flow",
	"LOOP": "control flow", "LOOPE": "control flow", "LOOPNE": "control flow", "LFS": "segment register", "LGS": "segment register",
	"POPF": "could set TF", "CPUID": "the model has its own", "RDTSC": "virtual time", "RDTSCP": "virtual time", "RDPMC": "virtual time",
	"RDFSBASE": "segment base", "RDGSBASE": "segment base", "WRFSBASE": "segment base", "WRGSBASE": "segment base",
	"XGETBV": "the model has its own", "RDPID": "the model has its own", "RDRAND": "random", "RDSEED": "random",
}

// hwReason returns why a row is not compared, "" when it is.
func hwReason(r *Row) string {
	if why := hwSkipped[r.Name]; why != "" {
		return why
	}
	if r.Name[0] == 'J' && r.Name != "JMPF" {
		return "control flow"
	}
	for arg := range strings.SplitSeq(r.Args, ",") {
		if arg == "Sw" || arg == "FS" || arg == "GS" {
			return "segment register"
		}
	}
	return ""
}

// hwSpace maps the pages of the native memory to frames with the same contents.
type hwSpace struct {
	code, scratch phys.Frame // virtual page numbers
	pages         phys.Frame
}

func (s *hwSpace) Translate(va uint64, acc mem.Access) (mem.Translation, bool, bool) {
	vpn := phys.Frame(va >> phys.PageShift)
	if vpn == s.code || vpn >= s.scratch && vpn < s.scratch+s.pages {
		return mem.Translation{Frame: vpn, Read: true, Write: true, Exec: true}, true, false
	}
	return mem.Translation{}, false, false
}

// hwPair is the two machines.
type hwPair struct {
	t      *testing.T
	native *hwtest.Native
	space  hwSpace
	store  *mem.Store
	cpu    *CPU
	failed map[string]int // by row
}

func newHWPair(t *testing.T) *hwPair {
	n, err := hwtest.Open()
	if err != nil {
		need(t, "the host gives no executable memory: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	p := &hwPair{t: t, native: n, store: mem.NewStore(), failed: map[string]int{}}
	p.space = hwSpace{
		code:    phys.Frame(n.Slot() >> phys.PageShift),
		scratch: phys.Frame(n.ScratchAddr() >> phys.PageShift),
		pages:   phys.Frame(len(n.Scratch()) / phys.PageSize),
	}
	p.cpu = New(mem.NewPort(&p.space, nil, p.store, mem.NewStore()))
	p.cpu.SetLevel(V3)
	p.cpu.SetMaxBlock(1)
	return p
}

// nativeState translates the case for the host.
func (c *hwCase) nativeState() *hwtest.State {
	s := &hwtest.State{R: c.gpr, Flags: c.flags, High: c.high}
	le := binary.LittleEndian
	le.PutUint16(s.FX[0:], c.fpu.CW)
	le.PutUint16(s.FX[2:], c.fpu.SW)
	s.FX[4] = c.fpu.Tag
	le.PutUint32(s.FX[24:], c.mxcsr)
	for i, x := range c.xmm {
		le.PutUint64(s.FX[160+16*i:], x[0])
		le.PutUint64(s.FX[168+16*i:], x[1])
	}
	top := c.fpu.SW >> 11 & 7
	for i := range c.fpu.Reg {
		f := c.fpu.Reg[(int(top)+i)&7]
		le.PutUint64(s.FX[32+16*i:], f.Mant)
		le.PutUint16(s.FX[40+16*i:], f.SE)
	}
	return s
}

// modelState is the inverse, for comparing.
func modelState(s *hwtest.State, rip uint64) State {
	le := binary.LittleEndian
	m := State{R: s.R, RFlags: s.Flags | IF, RIP: rip, MXCSR: le.Uint32(s.FX[24:])}
	for i := range m.V {
		m.V[i] = Vec{le.Uint64(s.FX[160+16*i:]), le.Uint64(s.FX[168+16*i:]), s.High[i][0], s.High[i][1]}
	}
	m.FPU = X87{CW: le.Uint16(s.FX[0:]), SW: le.Uint16(s.FX[2:]), Tag: s.FX[4]}
	top := m.FPU.SW >> 11 & 7
	for i := range m.FPU.Reg {
		m.FPU.Reg[(int(top)+i)&7] = F80{Mant: le.Uint64(s.FX[32+16*i:]), SE: le.Uint16(s.FX[40+16*i:])}
	}
	return m
}

// run executes the case on both sides and returns the differences.
func (p *hwPair) run(c *hwCase) (diff []string, unsupported bool) {
	n := p.native
	s := c.nativeState()
	scratch := n.Scratch()
	clear(scratch)
	if c.operand != 0 {
		at := int(c.operand-n.ScratchAddr()) &^ 15
		copy(scratch[at:], c.memory)
	}
	for i := range p.space.pages {
		copy(p.store.WritablePage(p.space.scratch + i)[:], scratch[i*phys.PageSize:])
	}
	slot := p.store.WritablePage(p.space.code)[n.Slot()&phys.PageMask:]
	clear(slot[:32])
	copy(slot, c.code)
	p.cpu.codeWritten(p.space.code)
	p.cpu.Port.FlushTLB()

	start := modelState(s, n.Slot())
	p.cpu.SetState(&start)
	stop := p.cpu.Run(p.cpu.Retired + 1)
	if stop.Reason == StopUnsupported {
		return []string{stop.Unsup.Error()}, true
	}
	fault := n.Run(c.code, s)
	end := n.Slot() + uint64(len(c.code))
	if fault != nil {
		end = n.Slot()
	}
	diff = append(diff, compareFaults(c, stop, fault)...)
	diff = append(diff, compareStates(c, p.cpu.State(), modelState(s, end))...)
	if hwExtended[c.form.row.Name] {
		if fault != nil {
			return diff, false // processors write what they can before a fault
		}
		for i := uint64(5); i < 32; i++ { // x87 pointers, the mask of MXCSR
			at := c.operand - n.ScratchAddr() + i
			if i < 24 || i >= 28 {
				p.store.WritablePage(p.space.scratch + phys.Frame(at>>phys.PageShift))[at&phys.PageMask] = scratch[at]
			}
		}
	}
	for i := range p.space.pages {
		got, want := p.store.Page(p.space.scratch + i)[:], scratch[i*phys.PageSize:][:phys.PageSize]
		if bytes.Equal(got, want) {
			continue
		}
		k := 0
		for got[k] == want[k] {
			k++
		}
		if c.reservedMemory(n.ScratchAddr()+uint64(i)*phys.PageSize+uint64(k), got, want) {
			continue
		}
		diff = append(diff, fmt.Sprintf("memory from %#x: % x, want % x", n.ScratchAddr()+uint64(i)*phys.PageSize+uint64(k), got[k:min(k+16, 4096)], want[k:min(k+16, 4096)]))
	}
	return diff, false
}

// reservedMemory reports that a difference lies in an x87 image, whose pointers
// and reserved parts processors fill differently.
func (c *hwCase) reservedMemory(uint64, []byte, []byte) bool {
	return hwEnvironment[c.form.row.Name]
}

func compareFaults(c *hwCase, stop Stop, fault *hwtest.Fault) (diff []string) {
	switch {
	case fault == nil && stop.Reason == StopException:
		return []string{fmt.Sprintf("raised %v, the host nothing", stop.Exc)}
	case fault == nil:
		return nil
	case stop.Reason != StopException:
		return []string{fmt.Sprintf("raised nothing, the host %v", fault)}
	case uint64(stop.Exc.Vector) != fault.Vector:
		return []string{fmt.Sprintf("raised %v, the host %v", stop.Exc, fault)}
	}
	e := stop.Exc
	if e.Vector != PageFaultVector {
		if e.Code != fault.Code {
			return []string{fmt.Sprintf("raised %v code %#x, the host %v", e, e.Code, fault)}
		}
		return nil
	}
	addr := fault.Addr
	if e.Fault.Addr>>phys.PageShift == addr>>phys.PageShift && (hwEnvironment[c.form.row.Name] || hwExtended[c.form.row.Name]) {
		addr = e.Fault.Addr
	}
	if e.Fault.Addr != addr || e.Code != fault.Code {
		return []string{fmt.Sprintf("raised %v code %#x, the host %v", e, e.Code, fault)}
	}
	return nil
}

// hwEnvironment are the instructions with an x87 image in memory, which
// processors access in an order of their own.
var hwEnvironment = map[string]bool{
	"FLDENV": true, "FNSTENV": true, "FRSTOR": true, "FNSAVE": true, "FXSAVE": true, "FXRSTOR": true, "FXSAVE64": true, "FXRSTOR64": true,
}

// hwExtended are those with an XSAVE area, of which the x87 pointers and the mask of
// MXCSR differ between manufacturers.
var hwExtended = map[string]bool{"XSAVE": true, "XSAVEOPT": true, "XSAVEC": true, "XRSTOR": true}

var flagLetters = map[rune]uint64{'o': OF, 's': SF, 'z': ZF, 'a': AF, 'p': PF, 'c': CF}

func compareStates(c *hwCase, got, want State) (diff []string) {
	say := func(format string, args ...any) { diff = append(diff, fmt.Sprintf(format, args...)) }
	for i := range got.R {
		if got.R[i] != want.R[i] {
			say("r%d = %#x, want %#x", i, got.R[i], want.R[i])
		}
	}
	defined := StatusFlags | DF
	for _, f := range c.form.row.Undef {
		defined &^= flagLetters[f]
	}
	if (got.RFlags^want.RFlags)&defined != 0 {
		say("flags = %#x, want %#x (of %#x)", got.RFlags&defined, want.RFlags&defined, defined)
	}
	if got.RIP != want.RIP {
		say("rip = %#x, want %#x", got.RIP, want.RIP)
	}
	name := strings.TrimPrefix(c.form.row.Name, "V")
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
	if a != b && !hwTranscendental[c.form.row.Name] {
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

// describe prints what is needed to reproduce a case.
func (c *hwCase) describe() string {
	return fmt.Sprintf("% x\n\tregisters %x\n\tflags %#x mxcsr %#x\n\txmm %x\n\tupper %x\n\tx87 %x\n\toperand %#x memory %x", c.code, c.gpr, c.flags, c.mxcsr, c.xmm, c.high, c.fpu, c.operand, c.memory)
}

// hostFeatures returns the host's CPUID features as Linux names them.
func hostFeatures(t *testing.T) map[string]bool {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	has := map[string]bool{}
	for line := range strings.Lines(string(b)) {
		if names, ok := strings.CutPrefix(line, "flags"); ok {
			for f := range strings.FieldsSeq(names) {
				has[f] = true
			}
			break
		}
	}
	return has
}

// linuxFeature is the name in /proc/cpuinfo where it is not the lower-case one.
var linuxFeature = map[string]string{"CLFSH": "clflush", "SSE3": "pni", "SSE4.1": "sse4_1", "SSE4.2": "sse4_2", "LAHF": "lahf_lm", "LZCNT": "abm", "SHA": "sha_ni", "CMPXCHG16B": "cx16", "PREFETCHW": "3dnowprefetch"}

// TestAgainstHost compares every row with the host.
func TestAgainstHost(t *testing.T) {
	p := newHWPair(t)
	has := hostFeatures(t)
	compared, faulted, rowsDone := 0, 0, 0
	left := map[string][]string{}
	for i := range forms {
		f := &forms[i]
		row := f.row
		if *hwRow != "" && row.Name != *hwRow && row.Feature != *hwRow {
			continue
		}
		if why := hwReason(row); why != "" {
			left[why] = append(left[why], row.Name)
			continue
		}
		linux := linuxFeature[row.Feature]
		if linux == "" {
			linux = strings.ToLower(row.Feature)
		}
		if linux != "" && !has[linux] {
			left["host lacks "+row.Feature] = append(left["host lacks "+row.Feature], row.Name)
			continue
		}
		n, faults, refused := p.compareRow(f)
		if refused > 0 {
			left["unsupported by the model"] = append(left["unsupported by the model"], fmt.Sprintf("%s (%d cases)", row.Name, refused))
		}
		compared, faulted, rowsDone = compared+n, faulted+faults, rowsDone+1
	}
	why := make([]string, 0, len(left))
	for k := range left {
		why = append(why, k)
	}
	slices.Sort(why)
	for _, k := range why {
		t.Logf("not compared, %s: %s", k, strings.Join(slices.Compact(left[k]), " "))
	}
	t.Logf("seed %d: %d cases of %d rows compared, %d of them with an exception", *hwSeed, compared, rowsDone, faulted)
	if *hwRow == "" && compared < *hwCases*100 {
		t.Errorf("only %d cases compared", compared)
	}
}

// compareRow runs the cases of one row and reports its first differences.
func (p *hwPair) compareRow(f *form) (compared, faults, refused int) {
	r := det.Stream(*hwSeed, f.row.Enc+" "+f.row.Name)
	bad, first := 0, ""
	for range *hwCases {
		c, ok := newHWCase(r, f, p.native.Slot(), p.native.ScratchAddr(), uint64(len(p.native.Scratch())))
		if !ok || len(c.code) > 15 {
			continue
		}
		diff, unsupported := p.run(c)
		if unsupported {
			refused++
			continue
		}
		compared++
		if p.cpu.RIP == p.native.Slot() {
			faults++
		}
		if len(diff) == 0 {
			continue
		}
		if bad++; bad == 1 || len(diff) < strings.Count(first, "\n\t\t") {
			first = "\n\t\t" + strings.Join(diff, "\n\t\t") + "\n\t" + c.describe()
		}
	}
	if bad > 0 {
		p.t.Errorf("%s (%s %s): %d of %d cases differ, one of them:%s\n\tgo test ./sim/x86 -run TestAgainstHost -hwrow %s -hwseed %d -hwcases %d",
			f.row.Enc, f.row.Name, f.row.Args, bad, compared, first, f.row.Name, *hwSeed, *hwCases)
	}
	return compared, faults, refused
}
