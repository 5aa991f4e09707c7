package x86

import (
	"math/rand/v2"
	"strings"
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
	return &hwPair{t: p.t, native: p.native, hwModel: newHWModel(l)}
}

// drawState makes a state in which most registers point into scratch memory.
func (p *hwPair) drawState(r *rand.Rand) (s State) {
	c := &hwCase{r: r}
	c.drawFPU()
	s.FPU, s.MXCSR = c.fpu, hwMXCSR(r)
	kind := r.IntN(4)
	for i := range s.V {
		s.V[i][0], s.V[i][1] = hwLanes(r, kind), hwLanes(r, kind)
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
	if refused = refusal(status, row, &in, &start); refused != "" {
		return nil, refused
	}
	got, stop := p.execute(&start)
	if stop.Reason == StopUnsupported {
		return nil, "unsupported by the model"
	}
	if refused = p.stray(row, &start, stop); refused != "" {
		return nil, refused
	}
	want, fault := p.steps(&start, row, &in)
	diff = append(diff, compareFaults(row, stop, fault)...)
	diff = append(diff, compareStates(row, got, want)...)
	diff = append(diff, p.compareMemory(row, p.scratch, scratch)...)
	return append(diff, p.compareMemory(row, p.flow, flow)...), ""
}

// refusal says why an instruction is not executed natively, "" when it may be:
// what the table does not know might do anything; results that are the machine's
// own affair; what would enter the host's kernel by another way than a fault;
// and prefixes that mean different things to different processors. All that user
// mode may not do is executed: it faults.
func refusal(status decodeStatus, row *Row, in *Inst, s *State) string {
	switch {
	case status == decodeUnknown:
		return "not in the table"
	case status == decodeUD && in.prefix&prefixLock != 0 && strings.Contains(forms[in.row].row.Args, "Cd"):
		return "LOCK MOV CR0 is AMD's MOV CR8"
	case row == nil:
		return "" // too long, cut off, or #UD: these fault
	case hwSkipped[row.Name] != "":
		return hwSkipped[row.Name]
	case row.Name == "SYSCALL", row.Name == "INT" && in.imm&0xFF == 0x80:
		return "system call"
	case in.odd():
		return "a prefix of which processors think differently"
	case row.Name == "ENTER" && in.disp&31 != 0:
		return "ENTER with a nesting level: processors probe the stack differently"
	case row.Name == "MOVSXD" && in.width == 2:
		return "MOVSXD of 16 bits: processors read two or four bytes"
	case row.isString() && in.prefix&(prefixRep|prefixRepne) != 0 && s.R[RCX] > 256:
		return "a long repetition"
	}
	return ""
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
	return va-(p.scratch-phys.PageSize) < phys.PageSize || va-(p.scratch+p.size) < phys.PageSize || va-(p.flow+p.flowLen) < phys.PageSize
}

// hostMapped reports whether the process has a mapping at va, accessible or not.
func hostMapped(va uint64) bool {
	if va>>47 != 0 {
		return false
	}
	var vec [1]byte
	_, _, errno := unix.RawSyscall(unix.SYS_MINCORE, uintptr(va&^uint64(phys.PageMask)), phys.PageSize, uintptr(unsafe.Pointer(&vec)))
	return errno == 0
}

// steps executes the instruction at s.RIP natively, with all its iterations.
func (p *hwPair) steps(s *State, row *Row, in *Inst) (State, *hwFault) {
	n := nativeOf(s)
	var fault *hwtest.Fault
	for {
		fault = p.native.Step(n)
		if fault != nil || n.RIP != s.RIP || row == nil || !row.isString() || in.prefix&(prefixRep|prefixRepne) == 0 {
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

// faultOf is the processor's part of a fault. Linux pretends that the kernel's
// half of the address space is mapped.
func faultOf(f *hwtest.Fault) *hwFault {
	h := &hwFault{f.Vector, f.Code, f.Addr}
	if h.vector == uint64(PageFaultVector) && h.addr>>63 != 0 {
		h.code &^= 1
	}
	return h
}

// nativeOf is the inverse of modelState.
func nativeOf(s *State) *hwtest.State {
	c := &hwCase{gpr: s.R, flags: s.RFlags, mxcsr: s.MXCSR, fpu: s.FPU}
	for i := range c.xmm {
		copy(c.xmm[i][:], s.V[i][:])
	}
	n := c.nativeState()
	n.RIP, n.FSBase, n.GSBase = s.RIP, s.FSBase, s.GSBase
	return n
}
