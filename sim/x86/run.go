package x86

import (
	"encoding/hex"
	"strings"

	"zhuque/sim/mem"
)

// Reason says why Run returned.
type Reason uint8

const (
	StopCount       Reason = iota // CPU.Retired reached the limit
	StopSyscall                   // a SYSCALL was executed: RIP, RCX and R11 are set, it is retired
	StopInterrupt                 // the same of INT 0x80, which sets RIP only
	StopException                 // Stop.Exc
	StopUnsupported               // Stop.Unsup
	StopUndecided                 // Stop.Undecided: the instruction has not happened
)

func (r Reason) String() string {
	return [...]string{"count", "syscall", "interrupt", "exception", "unsupported", "undecided"}[r]
}

// Stop is the outcome of Run.
type Stop struct {
	Reason Reason
	Exc    *Exception
	Unsup  *Unsupported

	Undecided *mem.Undecided
}

// New returns a processor in the state in which Linux starts a program: general
// registers zero, x87 and MXCSR at their defaults. It takes over p.CodeWritten.
func New(p *mem.Port) *CPU {
	c := &CPU{Port: p, MXCSR: 0x1F80, code: newCodeCache(), rep: ^uint64(0)}
	c.FPU.CW = 0x37F
	c.setFlags(0)
	c.InvalidateBlocks()
	p.CodeWritten = c.codeWritten
	return c
}

// Clone returns a copy of the processor that reaches memory through p. Both share
// decoded blocks and must run on the same goroutine; see ForgetBlocks.
func (c *CPU) Clone(p *mem.Port) *CPU {
	d := *c
	d.Port = p
	d.InvalidateBlocks()
	p.CodeWritten = d.codeWritten
	return &d
}

// Run executes instructions until Retired is exactly until, or a SYSCALL, an INT 0x80,
// an exception or something unsupported stops it earlier.
func (c *CPU) Run(until uint64) (s Stop) {
	for done := false; !done; {
		if c.slow() {
			done = c.step(&s, until)
			continue
		}
		c.until = until
		done = c.execute(&s)
	}
	return s
}

// position is the block that is being executed, nil between blocks: what caught needs to
// know of an instruction that panicked; how far execution has come in it is CPU.at.
type position struct{ block *block }

// Executed returns the instructions that this core has completed, those before the present
// one in its block included.
func (c *CPU) Executed() uint64 { return c.Retired + c.at - c.Elsewhere }

// execute runs blocks until Run has to return (done) or a block was invalidated
// under its feet. What it does for each block counts as much as what it does for
// each instruction: compiled code has four or five instructions between branches.
func (c *CPU) execute(s *Stop) (done bool) {
	in := &c.in
	defer c.caught(s, &done)
	b := noBlock
	for c.Retired < c.until {
		rip, gen := c.RIP, c.gen
		next := b.next[0]
		if next.rip != rip || next.gen != gen {
			next = b.next[1]
			if next.rip != rip || next.gen != gen {
				in.block, c.at = nil, 0 // a fault of the fetch is no instruction's
				next = c.follow(b, rip)
			}
		}
		b = next
		insts, end := b.insts, b.end
		if left := c.until - c.Retired; left < uint64(len(insts)) {
			insts = insts[:left]
			end = insts[left-1].next
		}
		in.block, c.at = b, 0
		c.RIP = end
		n := uint64(len(insts))
		for len(insts) >= 4 { // four calls to a turn of the loop, and four places to predict them from
			four := (*[4]Inst)(insts)
			four[0].fn(c, &four[0])
			c.at++
			four[1].fn(c, &four[1])
			c.at++
			four[2].fn(c, &four[2])
			c.at++
			four[3].fn(c, &four[3])
			c.at++
			insts = insts[4:]
		}
		for i := range insts {
			insts[i].fn(c, &insts[i])
			c.at++
		}
		c.Retired += n
	}
	c.at, in.block = 0, nil
	s.Reason, c.entry = c.entry, StopCount
	return true
}

// caught turns the panics of handlers into a Stop, with RIP and Retired exact.
func (c *CPU) caught(s *Stop, done *bool) {
	r := recover()
	if r == nil {
		return
	}
	var in *Inst
	if b := c.in.block; b != nil {
		in = &b.insts[c.at]
		c.RIP = in.next - uint64(in.length)
		c.Retired += c.at
	}
	c.at, c.in.block = 0, nil
	c.entry = StopCount
	*done = true
	switch r := r.(type) {
	case staleBlock:
		*done = false
	case slowFrom:
		*done = false
		c.RIP = uint64(r)
		c.Retired++
	case *Exception:
		r.RIP = c.RIP
		if r.IsTrap() {
			c.RIP = in.next
			c.Retired++
		}
		s.Reason, s.Exc = StopException, r
	case *mem.Fault:
		s.Reason, s.Exc = StopException, c.memoryException(r, in)
	case *mem.Undecided:
		s.Reason, s.Undecided = StopUndecided, r
	case *Unsupported:
		r.RIP = c.RIP
		s.Reason, s.Unsup = StopUnsupported, r
	default:
		panic(r)
	}
}

// memoryException translates the Port's fault of instruction in (nil: its fetch).
func (c *CPU) memoryException(f *mem.Fault, in *Inst) *Exception {
	fault := *f
	if in != nil && fault.Access == mem.Read && forms[in.row].row.modifies() {
		fault.Access = mem.Write // processors ask for write access before they read
	}
	e := &Exception{Vector: PageFaultVector, RIP: c.RIP, Fault: &fault}
	switch f.Kind {
	case mem.NonCanonical:
		e.Vector = GP
		if in != nil && in.usesStack(f.Access) {
			e.Vector = SS
		}
		return e
	case mem.Misaligned:
		e.Vector = GP
		return e
	case mem.Unaligned:
		e.Vector = AlignmentCheck
		return e
	}
	e.Code = 1 << 2 // user mode
	if f.Mapped && !f.Hidden {
		e.Code |= 1 << 0
	}
	switch fault.Access {
	case mem.Write:
		e.Code |= 1 << 1
	case mem.Exec:
		e.Code |= 1 << 4
	}
	return e
}

// modifies reports whether the row's memory operand is read and then written.
func (r *Row) modifies() bool {
	switch {
	case r.Lock:
		return true
	case r.Effect != store || len(r.Args) < 2 || r.Args[0] != 'E' || strings.HasPrefix(r.Name, "SET"):
		return false
	}
	return r.Name != "MOV" && r.Name != "POP" && r.Name != "PUSH" && r.Name != "CALL"
}

// usesStack reports whether in accesses the stack segment: through RSP as PUSH
// and POP do, which no prefix changes, or with an operand on RSP or RBP. Of the
// instructions that have both, PUSH and CALL read their operand and POP writes it.
func (in *Inst) usesStack(acc mem.Access) bool {
	operand := in.seg == SegNone && (in.base == RSP || in.base == RBP)
	row := forms[in.row].row
	hasOperand := forms[in.row].modrm && !in.isReg()
	switch row.Name {
	case "PUSH", "CALL", "CALLF":
		return !hasOperand || acc == mem.Write || operand
	case "POP":
		return !hasOperand || acc == mem.Read || operand
	case "RET", "RETF", "IRET", "LEAVE", "ENTER", "PUSHF", "POPF":
		return true
	}
	return operand
}

// RunRep executes at most iterations (at least one) iterations of the REP string
// instruction at RIP. done tells that the instruction is complete and retired;
// otherwise RIP is still on it. A fault leaves it incomplete, with the registers
// of the iterations done: Run then meets the fault again. done is also false
// when there is no REP string instruction at RIP; see AtRep.
func (c *CPU) RunRep(iterations uint64) (done bool) {
	if !c.AtRep() {
		return false
	}
	rip, count := c.RIP, c.Retired
	c.rep = max(iterations, 1)
	s := c.Run(count + 1)
	c.rep = ^uint64(0)
	if c.partial {
		c.partial = false
		c.RIP, c.Retired = rip, count
		return false
	}
	return s.Reason == StopCount
}

// AtRep reports whether the instruction at RIP is a string instruction with a
// REP prefix. It is false when RIP cannot be fetched.
func (c *CPU) AtRep() bool {
	in := c.peek()
	return in != nil && in.length > 0 && in.prefix&(prefixRep|prefixRepne) != 0 && forms[in.row].row.isString()
}

// peek returns the decoded instruction at RIP, nil when it cannot be fetched.
func (c *CPU) peek() (in *Inst) {
	var s Stop
	var failed bool
	c.in.block = nil
	defer c.caught(&s, &failed)
	return &c.lookup(c.RIP).insts[0]
}

func hexBytes(b []byte) string { return hex.EncodeToString(b) }
