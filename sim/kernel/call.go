package kernel

import (
	"bytes"
	"errors"
	"fmt"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// maxCount bounds the bytes that one call transfers, as Linux does, and so what
// a hostile count can make the simulator allocate.
const maxCount = 0x7fff_f000

// chunk is how much a transfer copies at a time.
const chunk = 64 << 10

// call is a system call being executed.
type call struct {
	*Kernel
	cpu  *x86.CPU
	port *mem.Port
	row  *Call
	a    [6]uint64
	out  Outcome

	// noResult is set when the handler has set the registers itself.
	noResult bool
	// savedMask, when useSaved, is the signal mask that a handler returns to.
	savedMask uint64
	useSaved  bool

	gone  bool // the thread has ended
	yield bool // others may run first

	pause    *wait      // what the thread waits for from now on
	elapsed  phys.Nanos // virtual time that it let pass
	unbroken bool       // no signal ends it with EINTR
	masked   bool       // the call has replaced the signal mask
	oldMask  uint64     // and this is what it was

	read []span // guest memory that the call depends on, when writes to it are deferred
}

// syscallSize is the length of the SYSCALL instruction in bytes.
const syscallSize = 2

// Syscall executes the system call that c has just trapped for: RIP is behind
// the SYSCALL instruction, the number is in RAX. It leaves the result, or the
// first instruction of a signal handler, in c.
func (k *Kernel) Syscall(c *x86.CPU) Outcome {
	cl := k.enter(c)
	cl.a = [6]uint64{c.R[x86.RDI], c.R[x86.RSI], c.R[x86.RDX], c.R[x86.R10], c.R[x86.R8], c.R[x86.R9]}
	return cl.syscall(c.R[x86.RAX])
}

// syscall executes call number nr with the arguments that are set.
func (cl *call) syscall(nr uint64) Outcome {
	k, c := cl.Kernel, cl.cpu
	cl.row = row(nr)
	cl.narrow()
	res, err := cl.run(nr)
	_ = k.MM.TakeRefused() // its EFAULT tells enough
	if err == nil {
		err = k.MM.Err()
	}
	if again, out := cl.settle(err); again {
		return out
	}
	if err != nil {
		if res = cl.failed(err); cl.out.Stops() {
			return cl.out
		}
	}
	if !cl.noResult && !cl.gone {
		c.R[x86.RAX] = res
	}
	cl.didCall(nr, res)
	if k.cfg.Strace != nil {
		k.cfg.Strace(cl.thread.tid, nr, cl.a, res)
	}
	if cl.yield && k.several() {
		defer k.giveWay()
	}
	k.tellAsync()
	if !cl.out.Exited && !cl.gone && (!k.cfg.DeferSignals || cl.useSaved) {
		cl.deliver()
	}
	return cl.end()
}

// end is the end of every entry into the kernel: a thread that is gone or stopped
// leaves the core to another.
func (c *call) end() Outcome {
	c.attachedAnew()
	c.tellAsync()
	if (c.gone || c.proc.stopped != 0) && !c.out.Stops() {
		c.reschedule()
	}
	return c.out
}

// settle ends the thread's wait or begins one. again reports that the call is to be
// issued again: it waits, or it starts anew behind the handler of a signal.
func (c *call) settle(err error) (again bool, out Outcome) {
	t := c.thread
	if err == errInterrupted && c.stopsHere() {
		err = errBlocked
	}
	switch {
	case err == errBlocked:
		t.wait = c.pause
		c.handled(0)
	case t.wait != nil:
		t.wait = nil
		c.touchThread(t)
	}
	if c.masked && err != errBlocked {
		if err == errInterrupted {
			c.savedMask, c.useSaved = c.oldMask, true
		} else {
			t.mask = c.oldMask
			c.touchThread(t)
		}
	}
	if err != errBlocked && (err != errInterrupted || !c.restarts()) {
		return false, out
	}
	c.cpu.RIP -= syscallSize
	c.cpu.Retired--
	if err == errBlocked {
		c.touchThread(t)
		c.reschedule()
	}
	return true, Outcome{Again: true}
}

// restarts reports whether a call that a signal interrupts starts anew behind the
// signal's handler: the call is of those that do, and the handler wants it.
func (c *call) restarts() bool {
	switch {
	case c.unbroken:
		return true
	case !c.row.Restart:
		return false
	}
	for sig := 1; sig < NSIG; sig++ {
		if c.thread.pending()&^c.thread.mask&bit(sig) != 0 {
			act := c.proc.actions[sig]
			return act.Handler <= sigIgn || act.Flags&saRestart != 0
		}
	}
	return true
}

// guestVisible reports whether an error is a result that the program gets.
func guestVisible(err error) bool {
	var e errno.Errno
	var f *mem.Fault
	return errors.As(err, &e) || errors.As(err, &f)
}

// failed returns the result of a call that gave an error, or stops the run.
func (c *call) failed(err error) uint64 {
	var e errno.Errno
	var f *mem.Fault
	switch {
	case err == errInterrupted:
		return errno.EINTR.Result()
	case err == errTimeout:
		return errno.ETIMEDOUT.Result()
	case errors.As(err, &e):
		return e.Result()
	case errors.As(err, &f):
		return errno.EFAULT.Result()
	case !errors.As(err, &c.out.Unsupported):
		c.out.Err = err
	}
	return 0
}

func (c *call) run(nr uint64) (uint64, error) {
	switch {
	case c.row == nil:
		return 0, errno.ENOSYS // no such number in any Linux that we know: a test compares the table with its list
	case c.row.State == Always:
		return 0, c.row.Answer
	case c.row.State == Refused:
		return 0, c.unsupported(fmt.Sprintf("system call %s: %s", c.row.Name, c.row.Reason))
	}
	c.proc.limitSpace()
	return c.row.run(c)
}

// unsupported stops the run at the system call.
func (c *call) unsupported(what string) error {
	return &x86.Unsupported{What: what, RIP: c.cpu.RIP - syscallSize}
}

// lacks is unsupported with the name of the call.
func (c *call) lacks(format string, args ...any) error {
	return c.unsupported("system call " + c.row.Name + ": " + fmt.Sprintf(format, args...))
}

// fd returns argument i as a descriptor number.
func (c *call) fd(i int) int { return int(int32(c.a[i])) }

// u64 loads eight bytes of guest memory.
func (c *call) u64(va uint64) (uint64, error) {
	var b [8]byte
	err := c.load(va, b[:])
	return le.Uint64(b[:]), err
}

func (c *call) put64(va, v uint64) error { return c.store(va, le.AppendUint64(nil, v)) }
func (c *call) put32(va uint64, v uint32) error {
	return c.store(va, le.AppendUint32(nil, v))
}

// str reads a string of at most max bytes that ends with a NUL.
func (c *call) str(va uint64, max int) (string, bool, error) {
	var out []byte
	for len(out) < max {
		n := min(phys.PageSize-int(va&phys.PageMask), max-len(out), 256)
		buf := make([]byte, n)
		if err := c.port.ReadBytes(va, buf); err != nil {
			return "", false, err
		}
		if i := bytes.IndexByte(buf, 0); i >= 0 {
			c.depend(va, uint64(i+1))
			return string(append(out, buf[:i]...)), true, nil
		}
		c.depend(va, uint64(n))
		out = append(out, buf...)
		va += uint64(n)
	}
	return "", false, nil
}

// path reads a path argument.
func (c *call) path(va uint64) (string, error) {
	s, ok, err := c.str(va, vfs.MaxPath)
	if err != nil {
		return "", err
	}
	if !ok {
		return "", errno.ENAMETOOLONG
	}
	return s, nil
}

// desc returns the description of the descriptor in argument i.
func (c *call) desc(i int) (*desc, error) {
	d, err := c.place(i)
	if err == nil && d.flags&oPath != 0 {
		return nil, errno.EBADF
	}
	return d, err
}

// place is desc for the few calls that also take what only names a place in the file tree
// (O_PATH); open(2) lists them.
func (c *call) place(i int) (*desc, error) {
	if d := c.get(c.fd(i)); d != nil {
		return d, nil
	}
	return nil, errno.EBADF
}

// node is desc for calls that need something of the file tree.
func (c *call) node(i int, wrong errno.Errno) (*desc, error) {
	d, err := c.desc(i)
	if err == nil && d.kind != FDNode {
		err = wrong
	}
	return d, err
}
