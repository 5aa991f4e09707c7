package x86

import (
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/phys"
	"zhuque/sim/x86/hwtest"
)

// The processor of the host as the oracle of every row of the table: random
// encodings and operands run natively and in the model; registers, memory,
// status flags, MXCSR, the x87 unit and exceptions must be equal.

var (
	hwSeed  = flag.Uint64("hwseed", 1, "seed of the comparison with the host's processor")
	hwCases = flag.Int("hwcases", 200, "cases for each row of the instruction table")
	hwRow   = flag.String("hwrow", "",
		"compare only rows of this mnemonic or CPUID feature, or stale: those new or changed since they were recorded")
)

// hwSkipped are the mnemonics whose results are the machine's own affair.
var hwSkipped = map[string]string{
	"CPUID": "the model has its own", "RDTSC": "virtual time", "RDTSCP": "virtual time",
	"XGETBV": "the model has its own", "RDPID": "the model has its own", "RDRAND": "random", "RDSEED": "random",
}

// hwOfTables are the mnemonics that show the processor's descriptor tables, or lead through
// them.
var hwOfTables = map[string]bool{"INT": true, "LAR": true, "LSL": true,
	"VERR": true, "VERW": true, "LFS": true, "LGS": true, "LSS": true,
	"SGDT": true, "SIDT": true, "SLDT": true, "STR": true, "SMSW": true, "SYSCALL": true, "SYSENTER": true, "SYSEXIT": true}

// ofTables reports whether a row is one of those, or loads or stores a segment register.
func (r *Row) ofTables() bool {
	return hwOfTables[r.Name] || strings.Contains(r.Args, "Sw") || r.Name == "POP" && strings.HasPrefix(r.Enc, "0F")
}

// reason returns why a row is not compared, "" when it is.
func (p *hwPair) reason(r *Row) string {
	switch {
	case r.Pick == nil:
		return "not modelled"
	case !p.native.Tables() && r.ofTables():
		return "the descriptor tables are not those of Linux"
	case p.intel && r.Name == "PREFETCHW" && strings.HasSuffix(r.Enc, "reg"):
		return "a NOP on Intel's processors"
	}
	return hwSkipped[r.Name]
}

// hwPair is the two machines.
type hwPair struct {
	t      testing.TB
	native *hwtest.Native
	*hwModel
	fault *hwFault // of the last single step

	intel  bool           // the host's processor is one of Intel's
	search bool           // cases come from a search, see FuzzHost
	makers map[string]int // differences between makers, which are not reported, by what differs
}

func newHWPair(t testing.TB) *hwPair {
	n, err := hwtest.Open()
	if err != nil {
		need(t, "the host gives no executable memory: %v", err)
	}
	t.Cleanup(func() { _ = n.Close() })
	return &hwPair{t: t, native: n, intel: hwtest.Intel(), makers: map[string]int{}, hwModel: newHWModel(hwLayout{
		slot: n.Slot(), scratch: n.ScratchAddr(), size: uint64(len(n.Scratch())), flow: n.FlowAddr(), flowLen: uint64(len(n.Flow())),
	})}
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
	m := State{R: s.R, RFlags: s.Flags | IF, RIP: rip, MXCSR: le.Uint32(s.FX[24:]), Sel: s.Sel}
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

// undefined lists the bytes of an image of registers that processors fill differently,
// as pairs of first and last offset: the x87 pointers and opcode, the mask of MXCSR, what
// is reserved.
func (c *hwCase) undefined() [][2]int {
	name := c.form.row.Name
	switch {
	case name == "FNSTENV" || name == "FNSAVE":
		if c.opsize() {
			return [][2]int{{6, 13}}
		}
		return [][2]int{{2, 3}, {6, 7}, {10, 27}}
	case name == "FXSAVE" || name == "FXSAVE64":
		list := [][2]int{{5, 23}, {28, 31}, {416, 511}}
		for st := range 8 {
			list = append(list, [2]int{42 + 16*st, 47 + 16*st})
		}
		return list
	case hwExtended[name]:
		return [][2]int{{5, 23}, {28, 31}}
	}
	return nil
}

// opsize reports whether the instruction has an operand-size prefix.
func (c *hwCase) opsize() bool {
	for _, b := range c.code {
		switch {
		case b == 0x66:
			return true
		case b == 0x67, b == 0xF0, b == 0xF2, b == 0xF3, b == 0x64, b == 0x65,
			b == 0x2E, b == 0x36, b == 0x3E, b == 0x26, b&0xF0 == 0x40:
		default:
			return false
		}
	}
	return false
}

// setUndefined gives the model's memory the host's undefined bytes.
func (p *hwPair) setUndefined(c *hwCase, scratch []byte) {
	for _, r := range c.undefined() {
		for i := r[0]; i <= r[1]; i++ {
			if at := c.operand - p.scratch + uint64(i); at < uint64(len(scratch)) {
				va := c.operand + uint64(i)
				p.store.WritablePage(phys.Frame(va >> phys.PageShift))[va&phys.PageMask] = scratch[at]
			}
		}
	}
}

// run executes the case on both sides and returns the differences.
func (p *hwPair) run(c *hwCase) (diff []string, unsupported bool) {
	scratch, flow := p.place(c)
	start := c.start()
	got, stop := p.execute(&start)
	if stop.Reason == StopUnsupported {
		return []string{stop.Unsup.Error()}, true
	}
	want, fault := p.host(c)
	row := c.form.row
	diff = append(diff, compareFaults(row, stop, fault)...)
	diff = append(diff, compareStates(row, got, want)...)
	memory := row
	if hasImage(row) && fault == nil { // before a fault processors write what they can
		p.setUndefined(c, scratch)
		memory = nil
	}
	diff = append(diff, p.compareMemory(memory, p.scratch, scratch)...)
	if c.slot != p.slot {
		diff = append(diff, p.compareMemory(row, p.flow, flow)...)
	}
	return p.report(diff,
		outcome{row: row, start: &start, words: c.opsize(), got: got, stop: stop, want: want, fault: fault}), false
}

// report is diff without what Intel's processors do otherwise than AMD's.
func (p *hwPair) report(diff []string, o outcome) []string {
	if len(diff) == 0 || !p.intel {
		return diff
	}
	o.diff = diff
	var why string
	if o.row != nil {
		why = o.intels()
	}
	if why == "" && p.search && o.exceptional() {
		why = "exceptions of instructions that nobody has looked at on this maker's processors"
	}
	if why == "" {
		return diff
	}
	p.makers[why]++
	return nil
}

// place puts the case's code and operands into the memory of both sides and
// returns the host's.
func (p *hwPair) place(c *hwCase) (scratch, flow []byte) {
	scratch, flow = p.native.Scratch(), p.native.Flow()
	copy(scratch, hwBackground)
	if c.operand != 0 {
		at := int(c.operand-p.scratch) &^ 15
		copy(scratch[at:], c.memory)
	}
	p.fill(p.scratch, scratch)
	if c.slot != p.slot {
		clear(flow)
		copy(flow[c.slot-p.flow:], c.code)
		p.fill(p.flow, flow)
		return scratch, flow
	}
	p.put(p.slot, make([]byte, 32))
	p.put(p.slot, c.code)
	return scratch, flow
}

// start is the case's state before the instruction.
func (c *hwCase) start() State {
	s := modelState(c.nativeState(), c.slot)
	s.FSBase, s.GSBase = c.fs, c.gs
	return s
}

// host executes the case natively.
func (p *hwPair) host(c *hwCase) (State, *hwFault) {
	s := c.nativeState()
	var fault *hwtest.Fault
	end := c.slot + uint64(len(c.code))
	if c.slot != p.slot {
		s.RIP, s.FSBase, s.GSBase = c.slot, c.fs, c.gs
		fault = p.native.Step(s)
		end = s.RIP
	} else if fault = p.native.Run(c.code, s); fault != nil {
		end = fault.RIP
	}
	m := modelState(s, end)
	m.FSBase, m.GSBase = s.FSBase, s.GSBase
	if c.form.row.Name == "SYSCALL" {
		m.R[RAX] = c.gpr[RAX] // the kernel's answer
	}
	if fault == nil {
		return m, nil
	}
	return m, faultOf(fault)
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
var linuxFeature = map[string]string{"CLFSH": "clflush", "SSE3": "pni", "SSE4.1": "sse4_1", "SSE4.2": "sse4_2",
	"LAHF": "lahf_lm", "LZCNT": "abm", "SHA": "sha_ni", "CMPXCHG16B": "cx16", "PREFETCHW": "3dnowprefetch"}

// chosen reports whether a row is one of those that -hwrow names.
func (r *Row) chosen(by string) bool {
	o, _ := oracles()(r)
	return by == "" || r.Name == by || r.Feature == by || by == "stale" && o.oracle == OracleStale
}

// TestAgainstHost compares every row with the host.
func TestAgainstHost(t *testing.T) {
	p := newHWPair(t)
	has := hostFeatures(t)
	compared, faulted, rowsDone := 0, 0, 0
	left := map[string][]string{}
	if *hwRecord {
		if !p.native.Tables() {
			t.Fatal("this host cannot record: the processor's descriptor tables are not those of Linux")
		}
		if p.intel {
			t.Fatal("this host cannot record: the model follows AMD's processors where the makers differ")
		}
		*hwCases = max(*hwCases, fullCases)
	}
	rec := newRecorder(t, p)
	for i := range forms {
		f := &forms[i]
		row := f.row
		if !row.chosen(*hwRow) {
			continue
		}
		if why := p.reason(row); why != "" {
			left[why] = append(left[why], row.Name)
			rec.without(row, why)
			continue
		}
		linux := linuxFeature[row.Feature]
		if linux == "" {
			linux = strings.ToLower(row.Feature)
		}
		if linux != "" && !has[linux] {
			left["host lacks "+row.Feature] = append(left["host lacks "+row.Feature], row.Name)
			rec.without(row, "no processor with "+row.Feature+" at hand")
			continue
		}
		n, faults, refused := p.compareRow(f)
		if refused > 0 {
			left["unsupported by the model"] = append(left["unsupported by the model"],
				fmt.Sprintf("%s (%d cases)", row.Name, refused))
		}
		if n < *hwCases {
			t.Errorf("%s (%s %s): only %d cases compared", row.Enc, row.Name, row.Args, n)
		}
		if *hwRecord && !t.Failed() {
			rec.compared(f, n, faults)
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
	if p.intel {
		t.Logf("of these, where Intel's processors differ from AMD's, which the model follows: %v", p.makers)
	}
	if *hwRecord && !t.Failed() {
		rec.write(t)
	}
}

// compareRow runs the cases of one row and reports its first differences.
func (p *hwPair) compareRow(f *form) (compared, faults, refused int) {
	r := det.Stream(*hwSeed, f.row.Enc+" "+f.row.Name)
	bad, first := 0, ""
	for draws := 0; compared < *hwCases && draws < 50**hwCases; draws++ {
		c, ok := p.draw(r, f)
		if !ok {
			continue
		}
		diff, unsupported := p.run(c)
		if unsupported {
			refused++
			continue
		}
		compared++
		if p.cpu.RIP == c.slot {
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
