package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/x86"
)

// Signal numbers of x86-64 that the kernel itself uses.
const (
	SIGHUP  = 1
	SIGINT  = 2
	SIGQUIT = 3
	SIGILL  = 4
	SIGTRAP = 5
	SIGBUS  = 7
	SIGFPE  = 8
	SIGKILL = 9
	SIGSEGV = 11
	SIGPIPE = 13
	SIGCHLD = 17
	SIGCONT = 18
	SIGSTOP = 19
	SIGTSTP = 20
	SIGTTIN = 21
	SIGTTOU = 22
	SIGURG  = 23
	SIGXFSZ = 25
	SIGWINC = 28
	SIGIO   = 29
	SIGPWR  = 30
)

// Flags of sigaction(2), sigaltstack(2), and values of si_code.
const (
	saSiginfo   = 0x4
	saOnstack   = 0x0800_0000
	saRestart   = 0x1000_0000
	saNodefer   = 0x4000_0000
	saResethand = 0x8000_0000
	saRestorer  = 0x0400_0000

	ssOnstack    = 1
	ssDisable    = 2
	ssAutodisarm = 1 << 31
	minSigstksz  = 2048

	siUser   = 0
	siKernel = 0x80
	siQueue  = -1
	siTkill  = -6

	trapBrkpt = 1 // TRAP_BRKPT, of SIGTRAP
	trapTrace = 2 // TRAP_TRACE
	busAdraln = 1 // BUS_ADRALN, of SIGBUS

	sigDfl = 0
	sigIgn = 1

	firstReal = 32   // of the real-time signals, each of which is queued
	maxQueued = 1024 // RLIMIT_SIGPENDING; of the others one each may be pending beside that
)

// NSIG is one more than the highest signal number.
const NSIG = 65

// Action is a signal's disposition as the kernel keeps it (struct sigaction).
type Action struct {
	Handler  uint64 // 0: default, 1: ignore
	Flags    uint64
	Restorer uint64
	Mask     uint64
}

func (a *Action) code(c *codec) {
	code(c, &a.Handler)
	code(c, &a.Flags)
	code(c, &a.Restorer)
	code(c, &a.Mask)
}

// Queued is a signal that was sent and not yet delivered.
type Queued struct {
	Signal int
	Code   int32  // si_code
	Value  uint64 // si_value, or si_addr of a fault
	PID    int32
	UID    uint32
}

// AltStack is the alternate signal stack (stack_t).
type AltStack struct {
	SP, Size uint64
	Flags    uint32
}

// unblockable are SIGKILL and SIGSTOP.
const unblockable = 1<<(SIGKILL-1) | 1<<(SIGSTOP-1)

func bit(sig int) uint64 { return 1 << (sig - 1) }

// ignoredByDefault are the signals whose default action does nothing.
func ignoredByDefault(sig int) bool {
	return sig == SIGCHLD || sig == SIGCONT || sig == SIGURG || sig == SIGWINC
}

func stopsByDefault(sig int) bool {
	return stopSignals&bit(sig) != 0
}

func dumpsCore(sig int) bool {
	switch sig {
	case 3, SIGILL, SIGTRAP, 6, SIGBUS, SIGFPE, SIGSEGV, 24, SIGXFSZ, 31:
		return true
	}
	return false
}

// ignores reports whether a signal would have no effect when delivered.
func (p *Process) ignores(sig int) bool {
	h := p.actions[sig].Handler
	return h == sigIgn || h == sigDfl && ignoredByDefault(sig)
}

func (c *call) ignored(sig int) bool { return c.proc.ignores(sig) }

// Send makes a signal pending for a process: whichever of its threads does not
// block it gets it.
func (k *Kernel) Send(p *Process, q Queued) error {
	k.prepare(p, q.Signal)
	blocked := ^uint64(0)
	for _, t := range k.members(p) {
		blocked &= t.mask
	}
	sent, err := p.enqueue(&p.queue, q, blocked)
	if sent {
		k.touchProcess(p)
	}
	return err
}

// sendThread makes a signal pending for one thread.
func (k *Kernel) sendThread(t *Thread, q Queued) error {
	k.prepare(t.proc, q.Signal)
	sent, err := t.proc.enqueue(&t.queue, q, t.mask)
	if sent {
		k.touchThread(t)
	}
	return err
}

// enqueue appends to a queue. A standard signal that is pending there already, unless a
// timer has sent it, and an ignored one that is not blocked are dropped, as in Linux.
func (p *Process) enqueue(queue *[]Queued, q Queued, blocked uint64) (sent bool, err error) {
	if p.ignores(q.Signal) && blocked&bit(q.Signal) == 0 {
		return false, nil
	}
	switch {
	case q.Signal < firstReal && set(*queue)&bit(q.Signal) != 0 && q.Code != siTimer:
		return false, nil
	case (q.Signal >= firstReal || q.Code == siTimer) && len(*queue) >= maxQueued:
		return false, errno.EAGAIN
	}
	*queue = append(*queue, q)
	return true, nil
}

// set returns the signals of a queue.
func set(queue []Queued) (s uint64) {
	for _, q := range queue {
		s |= bit(q.Signal)
	}
	return s
}

// pending returns the signals that are pending for a thread or its process.
func (t *Thread) pending() uint64 {
	if len(t.queue) == 0 && len(t.proc.queue) == 0 {
		return 0
	}
	return set(t.queue) | set(t.proc.queue)
}

// deliverable reports whether a signal is pending that a thread does not block.
func (k *Kernel) deliverable(t *Thread) bool { return t.pending()&^t.mask != 0 }

// next takes the pending signal of the current thread that is delivered first: its
// own before the process's, the lowest number that is not in mask.
func (k *Kernel) next(mask uint64) (q Queued, ok bool) {
	if q, ok = take(&k.thread.queue, mask); ok {
		k.touchThread(k.thread)
	} else if q, ok = take(&k.proc.queue, mask); ok {
		k.touchProcess(k.proc)
	}
	if ok {
		q = k.runOn(q)
	}
	return q, ok
}

func take(queue *[]Queued, mask uint64) (q Queued, ok bool) {
	best := -1
	for i, p := range *queue {
		if p.Signal == SIGKILL {
			best = i
			break
		}
		if mask&bit(p.Signal) == 0 && (best < 0 || p.Signal < (*queue)[best].Signal) {
			best = i
		}
	}
	if best < 0 {
		return q, false
	}
	q = (*queue)[best]
	*queue = append((*queue)[:best:best], (*queue)[best+1:]...)
	return q, true
}

// trap is what the signal frame tells of the exception behind a signal.
type trap struct {
	vector, code, cr2 uint64
	flags             uint64 // that the exception adds to RFLAGS in the frame
}

// resumeFlag is RF, which is set in what a fault saves.
const resumeFlag = 1 << 16

// taskSize is where Linux ends the memory of programs.
const taskSize = 1<<47 - 4096

// deliver delivers what is pending before the thread goes on: it builds the frames of
// handlers or ends the process.
func (c *call) deliver() {
	for {
		q, ok := c.Kernel.next(c.thread.mask)
		if !ok {
			break
		}
		if c.handle(q, trap{}); c.out.Stops() || c.gone {
			return
		}
		if c.proc.stopped != 0 {
			break
		}
	}
	if c.useSaved {
		c.thread.mask, c.useSaved = c.savedMask, false
		c.touchThread(c.thread)
	}
}

// handle runs the action of one signal.
func (c *call) handle(q Queued, t trap) {
	act := c.proc.actions[q.Signal]
	switch {
	case c.ignored(q.Signal):
		return
	case act.Handler == sigDfl && stopsByDefault(q.Signal):
		c.stop(q.Signal)
		return
	case act.Handler == sigDfl:
		c.kill(q.Signal)
		return
	}
	if act.Flags&saResethand != 0 {
		c.proc.actions[q.Signal] = Action{Flags: act.Flags, Restorer: act.Restorer, Mask: act.Mask}
		c.touchAction(q.Signal)
	}
	if !c.pushFrame(q, t, act) {
		if q.Signal == SIGSEGV || c.thread.mask&bit(SIGSEGV) != 0 || c.proc.actions[SIGSEGV].Handler <= sigIgn {
			c.kill(SIGSEGV)
			return
		}
		c.handle(Queued{Signal: SIGSEGV, Code: siKernel}, t)
		return
	}
	c.work[CostSignal]++
	c.thread.mask |= act.Mask
	if act.Flags&saNodefer == 0 {
		c.thread.mask |= bit(q.Signal)
	}
	c.thread.mask &^= unblockable
	c.touchThread(c.thread)
}

// kill ends the current process by a signal.
func (c *call) kill(sig int) { c.endProcess(0, sig) }

// Exception turns a processor exception into a signal and delivers it. A blocked
// or ignored one kills, as the instruction cannot go on.
func (k *Kernel) Exception(c *x86.CPU, e *x86.Exception) Outcome {
	cl := k.enter(c)
	if err := k.MM.Err(); err != nil {
		return Outcome{Err: err}
	}
	if err := k.MM.TakeRefused(); err != nil && e.Fault != nil && e.Fault.Kind == mem.BusError {
		return Outcome{Err: err}
	}
	q, t := faultSignal(c, e)
	if k.thread.mask&bit(q.Signal) != 0 || k.proc.actions[q.Signal].Handler == sigIgn {
		cl.kill(q.Signal)
		return cl.end()
	}
	cl.handle(q, t)
	if !cl.out.Stops() && !cl.gone && !k.cfg.DeferSignals {
		cl.deliver()
	}
	return cl.end()
}

// faultSignal returns the signal of an exception (arch/x86 traps in signal(7),
// sigaction(2)).
func faultSignal(c *x86.CPU, e *x86.Exception) (Queued, trap) {
	t := trap{vector: uint64(e.Vector), code: e.Code, flags: resumeFlag}
	q := Queued{Signal: SIGSEGV, Code: siKernel}
	switch e.Vector {
	case x86.DE:
		q = Queued{Signal: SIGFPE, Code: 1, Value: e.RIP}
	case x86.DB:
		q, t.flags = Queued{Signal: SIGTRAP, Code: trapBrkpt, Value: c.RIP}, 0
		if e.Step {
			q.Code = trapTrace
		}
	case x86.BP:
		q, t.flags = Queued{Signal: SIGTRAP, Code: siKernel}, 0
	case x86.Overflow:
		t.flags = 0
	case x86.UD:
		q = Queued{Signal: SIGILL, Code: 2, Value: e.RIP}
	case x86.SS:
		q = Queued{Signal: SIGBUS, Code: siKernel}
	case x86.AlignmentCheck:
		q = Queued{Signal: SIGBUS, Code: busAdraln}
	case x86.MF:
		q = Queued{Signal: SIGFPE, Code: fpeCode(uint32(c.FPU.SW) &^ uint32(c.FPU.CW)), Value: e.RIP}
	case x86.XM:
		q = Queued{Signal: SIGFPE, Code: fpeCode(c.MXCSR &^ (c.MXCSR >> 7)), Value: e.RIP}
	case x86.PageFaultVector:
		if e.Fault != nil {
			return pageFault(e.Fault)
		}
	}
	return q, t
}

// fpeCode returns si_code for unmasked floating-point exceptions.
func fpeCode(flags uint32) int32 {
	switch {
	case flags&0x01 != 0:
		return 7 // FPE_FLTINV
	case flags&0x04 != 0:
		return 3 // FPE_FLTDIV
	case flags&0x08 != 0:
		return 4 // FPE_FLTOVF
	case flags&0x12 != 0:
		return 5 // FPE_FLTUND, denormals too
	case flags&0x20 != 0:
		return 6 // FPE_FLTRES
	}
	return 0
}

func pageFault(f *mem.Fault) (Queued, trap) {
	t := trap{vector: uint64(x86.PageFaultVector), code: 4, cr2: f.Addr, flags: resumeFlag}
	if f.Mapped && !f.Hidden || f.Addr >= taskSize { // what is not the program's looks mapped to it
		t.code |= 1
	}
	switch f.Access {
	case mem.Write:
		t.code |= 2
	case mem.Exec:
		t.code |= 16
	}
	q := Queued{Signal: SIGSEGV, Code: 1, Value: f.Addr} // SEGV_MAPERR
	switch {
	case f.Kind == mem.BusError:
		q.Signal, q.Code = SIGBUS, 2 // BUS_ADRERR
	case f.Kind == mem.NonCanonical, f.Kind == mem.Misaligned:
		return Queued{Signal: SIGSEGV, Code: siKernel}, trap{vector: uint64(x86.GP), flags: resumeFlag}
	case f.Mapped:
		q.Code = 2 // SEGV_ACCERR
	}
	return q, t
}
