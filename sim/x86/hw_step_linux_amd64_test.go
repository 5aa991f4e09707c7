package x86

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"zhuque/sim/phys"
	"zhuque/sim/x86/hwtest"
)

// Arbitrary bytes on the processor and in the model: one instruction is executed
// under the trap flag, wherever it lies and leads. The model goes first and tells
// whether the host may follow; refusal has the list of what it may not.

// stepCase is bytes at an address of Flow, with the state to execute them in.
type stepCase struct {
	code  []byte
	at    uint64
	state State
}

// newSteps is a pair whose model knows scratch memory and Flow only: an access
// to the code of the harness faults in the model, and the case is refused.
func newSteps(p *hwPair) *hwPair {
	l := p.hwLayout
	l.slot = 1 << 62 // not canonical
	return &hwPair{t: p.t, native: p.native, intel: p.intel, makers: p.makers, hwModel: newHWModel(l)}
}

// drawState makes a state in which most registers point into scratch memory.
func (p *hwPair) drawState(r *rand.Rand) (s State) {
	c := &hwCase{r: r}
	c.drawFPU()
	s.FPU, s.MXCSR = c.fpu, hwMXCSR(r)
	kind := r.IntN(4)
	for i := range s.V {
		for j := range s.V[i] {
			s.V[i][j] = hwLanes(r, kind)
		}
	}
	for i := range s.R {
		switch r.IntN(5) {
		case 0:
			s.R[i] = hwEdge(r)
		case 1:
			s.R[i] = p.scratch + r.Uint64N(p.size) // any alignment, to the very end
		default:
			s.R[i] = p.scratch + 2048 + r.Uint64N(p.size/2)&^15
		}
	}
	if r.IntN(8) != 0 {
		s.R[RSP] = p.scratch + 2048 + r.Uint64N(p.size/2)&^7
	}
	if r.IntN(2) == 0 {
		s.R[RCX] = r.Uint64N(40)
	}
	s.RFlags = flagsFixed | r.Uint64()&StatusFlags
	if r.IntN(4) == 0 {
		s.RFlags |= DF
	}
	if r.IntN(16) == 0 {
		s.RFlags |= AC
	}
	if r.IntN(2) == 0 {
		s.FSBase, s.GSBase = r.Uint64N(64), uint64(int64(hwEdge(r)<<16)>>16)
	}
	return s
}

// step executes a case on both sides; refused says why the host was not asked.
func (p *hwPair) step(c *stepCase) (diff []string, refused string) {
	scratch, flow := p.native.Scratch(), p.native.Flow()
	copy(scratch, hwBackground)
	clear(flow)
	copy(flow[c.at-p.flow:], c.code)
	p.fill(p.scratch, scratch)
	p.fill(p.flow, flow)

	var in Inst
	status := V3.decode(flow[c.at-p.flow:], c.at, &in)
	var row *Row
	if status == decoded {
		row = forms[in.row].row
	}
	start := c.state
	start.RIP = c.at
	if row != nil && hwExtended[row.Name] { // components that only the host has are not asked for
		start.R[RAX], start.R[RDX] = start.R[RAX]&7, 0
	}
	if refused = p.refusal(flow[c.at-p.flow:], status, row, &in, &start); refused != "" {
		return nil, refused
	}
	if status != decoded && cutDifferently(flow[c.at-p.flow:]) {
		return nil, "cut off: processors differ about the length"
	}
	got, stop := p.execute(&start)
	if stop.Reason == StopUnsupported {
		return nil, "unsupported by the model"
	}
	if row != nil && row.Feature == "SHA" && stop.Reason == StopException &&
		stop.Exc.Vector == GP && stop.Exc.Fault == nil {
		return nil, "a misaligned operand that only Intel's processors refuse"
	}
	if refused = p.stray(row, &start, stop); refused != "" {
		return nil, refused
	}
	want, fault := p.steps(&start, row, &in)
	p.fault = fault
	if row != nil && row.Name == "MASKMOVQ" && fault != nil {
		got.FPU, want.FPU = X87{}, X87{} // AMD's processors are in MMX mode by then
	}
	if ownOrder(row) && fault.ofMemory() && stop.Reason == StopException &&
		(stop.Exc.Fault != nil || stop.Exc.Vector == GP) {
		return nil, ""
	}
	diff = append(diff, compareFaults(row, stop, fault)...)
	diff = append(diff, compareStates(row, got, want)...)
	diff = append(diff, p.compareMemory(row, p.scratch, scratch)...)
	diff = append(diff, p.compareMemory(row, p.flow, flow)...)
	return p.report(diff,
		outcome{row: row, start: &start, in: &in, words: in.width == 2, got: got, stop: stop, want: want, fault: fault}), ""
}

// refusal says why an instruction is not executed natively, "" when it may be:
// what the table does not know might do anything; results that are the machine's
// own affair; what would enter the host's kernel by another way than a fault;
// and prefixes that mean different things to different processors. All that user
// mode may not do is executed: it faults.
func (p *hwPair) refusal(code []byte, status decodeStatus, row *Row, in *Inst, s *State) string {
	switch {
	case row != nil && !p.native.Tables() && row.ofTables():
		return "the descriptor tables are not those of Linux"
	case !p.native.Bases() && (in.seg == SegFS || in.seg == SegGS || row != nil && row.Feature == "FSGSBASE"):
		return "segment bases that the host does not keep"
	case status == decodeUnknown, status == decodeUD && in.length == 0 && escaped(code):
		return "not in the table"
	case status == decodeUD && in.prefix&prefixLock != 0 && strings.Contains(forms[in.row].row.Args, "Cd"):
		return "LOCK MOV CR0 is AMD's MOV CR8"
	case p.intel && status == decodeUD && in.length > 0 && forms[in.row].row.Name == "PREFETCHW":
		return "PREFETCHW of a register, a NOP on Intel's processors"
	case status == decodeUD && in.prefix&prefixLock != 0 && forms[in.row].row.Name == "VERW":
		return "LOCK VERW, which AMD's processors allow"
	case p.intel && status == decodeLong && vexRefused(code):
		return "a VEX prefix after 66, F2, F3, LOCK or REX that the limit of 15 bytes cuts, #UD on Intel's"
	case status == decodeLong && code[maxLength-3]&0xF0 == 0x40 && code[maxLength-2] == 0xC4:
		return "a VEX prefix behind REX that the limit of 15 bytes cuts, #UD by some of its bits on AMD's"
	case row == nil:
		return "" // too long, cut off, or #UD: these fault
	case hwSkipped[row.Name] != "":
		return hwSkipped[row.Name]
	case row.Name == "SYSCALL", row.Name == "INT" && in.imm&0xFF == 0x80:
		return "system call"
	case hwByKernel[row.Name]:
		return "Linux stores in the processor's place, and the step goes on"
	case in.odd():
		return "a prefix of which processors think differently"
	case row.Name == "ENTER" && in.disp&31 != 0:
		return "ENTER with a nesting level: processors probe the stack differently"
	case row.Name == "MOVSXD" && in.width == 2:
		return "MOVSXD of 16 bits: processors read two or four bytes"
	case in.seg != SegNone && (edgeOffset(in, s) || strings.HasPrefix(row.Name, "BT") && row.Args == "Ev,Gv"): // BT adds to the offset
		return "an offset at the edge of the canonical addresses, which AMD's check before adding the base"
	case row.isString() && in.prefix&(prefixRep|prefixRepne) != 0 && s.R[RCX] > 256:
		return "a long repetition"
	}
	return ""
}

// hwByKernel are the instructions that fault where there is UMIP.
var hwByKernel = map[string]bool{"SGDT": true, "SIDT": true, "SLDT": true, "STR": true, "SMSW": true}

// escaped reports whether code has an opcode of more than one byte: what the table
// does not know of these might be an extension of the host.
func escaped(code []byte) bool {
	for _, b := range code {
		switch b {
		case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x66, 0x67, 0xF0, 0xF2, 0xF3:
		case 0x0F, 0x62, 0x8F, 0xC4, 0xC5:
			return true
		default:
			if b&0xF0 != 0x40 {
				return false
			}
		}
	}
	return false
}

// edgeOffset reports whether an operand's offset into a segment, or that of an
// operand with an implied register, has bytes on both sides of a hole, or begins
// where the lower half of the addresses ends.
func edgeOffset(in *Inst, s *State) bool {
	reg := func(r uint8) uint64 {
		if r == RZero {
			return 0
		}
		return s.R[r&15]
	}
	for _, offset := range []uint64{reg(in.base) + reg(in.index)<<(in.scale&3) + in.disp,
		s.R[RSI], s.R[RDI], s.R[RBX] + s.R[RAX]&0xFF} {
		if last := offset + 511; last>>47 != offset>>47 || offset == 1<<47 {
			return true
		}
	}
	return false
}

// ownOrder reports whether processors access the operand of row in pieces, or its two
// operands, in an order of their own: when more than one exception is due, any may come.
func ownOrder(row *Row) bool {
	return row != nil && (hasImage(row) || row.Name == "MASKMOVDQU" || row.Name == "VMASKMOVDQU" || row.Name == "CMPS")
}

// ofMemory reports whether an exception is one of a memory access.
func (f *hwFault) ofMemory() bool {
	return f != nil && (f.vector == uint64(PageFaultVector) || f.vector == uint64(GP) || f.vector == uint64(SS))
}

// cutDifferently reports whether processors disagree about the length of the
// instruction that code begins: 8F may begin one of AMD's XOP, its UD0 and UD1 have no
// ModRM, and a near branch with 66 has a displacement of two bytes, see odd.
func cutDifferently(code []byte) bool {
	var in Inst
	status := V3.decode(append(slices.Clone(code), make([]byte, maxLength)...)[:maxLength], 0, &in)
	if status == decodeShort {
		return false
	}
	if status == decodeUD && in.length == 0 && escaped(code) {
		return true
	}
	name := forms[in.row].row.Name
	return name == "UD0" || name == "UD1" || in.odd() || status == decodeUD && slices.Contains(code, 0x8F)
}

// stray says why a case might touch memory of the host that is not ours. An
// access that succeeded in the model was ours; one that faulted must find no
// memory on the host either, nor may the other operands of the instruction.
func (p *hwPair) stray(row *Row, start *State, stop Stop) string {
	if stop.Reason != StopException || stop.Exc.Fault == nil || stop.Exc.Vector != PageFaultVector {
		return ""
	}
	near := []uint64{stop.Exc.Fault.Addr, start.R[RSP], start.R[RBP], start.R[RSI], start.R[RDI]}
	if row != nil && !row.isString() && stop.Exc.Fault.Access == 0 && row.Effect == "" {
		near = near[:2]
	}
	for _, a := range near {
		for _, d := range []uint64{1<<64 - phys.PageSize, 0, phys.PageSize} {
			if at := a + d; !p.inScratch(at) && !p.inFlow(at) && !p.guard(at) && hostMapped(at) {
				return "memory of the host"
			}
		}
	}
	return ""
}

// guard reports whether va lies in a page that the harness keeps inaccessible.
func (p *hwPair) guard(va uint64) bool {
	return va-(p.scratch-phys.PageSize) < phys.PageSize ||
		va-(p.scratch+p.size) < phys.PageSize || va-(p.flow+p.flowLen) < phys.PageSize
}

// hostMapped reports whether the process has a mapping at va, accessible or not, or
// would get one by the access: the first thread's stack grows down to where it is touched.
func hostMapped(va uint64) bool {
	if va>>47 != 0 {
		return false
	}
	if stack := hostStack(); va-stack.low < stack.high-stack.low {
		return true
	}
	var vec [1]byte
	_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, uintptr(va&^uint64(phys.PageMask)),
		phys.PageSize, uintptr(unsafe.Pointer(&vec)))
	return errno == 0
}

// hostStack is where the first thread's stack is or may grow to: from the end of the
// mapping below it on. How far Linux lets it grow depends on limits and on the gap that it
// keeps free; the whole room is left alone.
var hostStack = sync.OnceValue(func() (room struct{ low, high uint64 }) {
	maps, err := os.ReadFile("/proc/self/maps") // proc_pid_maps(5), in ascending order
	if err != nil {
		panic(err)
	}
	for line := range strings.Lines(string(maps)) {
		var low, high uint64
		if _, err := fmt.Sscanf(line, "%x-%x", &low, &high); err != nil {
			panic(err)
		}
		if strings.Contains(line, "[stack]") {
			room.high = high
			return room
		}
		room.low = high
	}
	return struct{ low, high uint64 }{} // a process without one
})

// steppedInside reports whether the trap flag can stop an instruction before its
// end: between the iterations of a repetition, and of a gather between elements.
func steppedInside(row *Row, in *Inst) bool {
	return row.isString() && in.prefix&(prefixRep|prefixRepne) != 0 || forms[in.row].enc.vsib
}

// steps executes the instruction at s.RIP natively, with all its iterations.
func (p *hwPair) steps(s *State, row *Row, in *Inst) (State, *hwFault) {
	n := nativeOf(s)
	var fault *hwtest.Fault
	for {
		fault = p.native.Step(n)
		if fault != nil || n.RIP != s.RIP || row == nil || !steppedInside(row, in) {
			break
		}
	}
	end := modelState(n, n.RIP)
	end.FSBase, end.GSBase = n.FSBase, n.GSBase
	if row != nil && row.Name == "PUSHF" && fault == nil {
		p.native.Scratch()[n.R[RSP]+1-p.scratch] &^= 1 // the trap flag
	}
	if fault == nil {
		return end, nil
	}
	return end, faultOf(fault)
}

// taskSize is where Linux ends the memory of programs: a page before the last
// canonical address of their half.
const taskSize = 1<<47 - phys.PageSize

// faultOf is the processor's part of a fault. Linux pretends that what lies
// behind the memory of programs is mapped.
func faultOf(f *hwtest.Fault) *hwFault {
	h := &hwFault{f.Vector, f.Code, f.Addr}
	if h.vector == uint64(PageFaultVector) && h.addr >= taskSize {
		h.code &^= 1
	}
	return h
}

// nativeOf is the inverse of modelState.
func nativeOf(s *State) *hwtest.State {
	c := &hwCase{gpr: s.R, flags: s.RFlags, mxcsr: s.MXCSR, fpu: s.FPU}
	for i := range c.xmm {
		copy(c.xmm[i][:], s.V[i][:])
		copy(c.high[i][:], s.V[i][2:])
	}
	n := c.nativeState()
	n.RIP, n.FSBase, n.GSBase = s.RIP, s.FSBase, s.GSBase
	return n
}
