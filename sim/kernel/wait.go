package kernel

import (
	"errors"
	"fmt"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// A thread that waits stands at its SYSCALL instruction. When what it waits for
// has come it issues the call again, and the handler finds everything as if it
// had just been called, with the thread's wait beside it: when the wait began, how
// long it may last, whether somebody woke it, how many bytes the call has moved.
// So a power failure in a wait needs no rule of its own: the thread waits on.

// wait says what a thread waits for: the first of all that is set.
type wait struct {
	futex    uint64     // address of a futex in the thread's process, 0 for none
	shared   bool       // the futex may be in other processes too
	bits     uint32     // of FUTEX_WAIT_BITSET
	on       []interest // descriptions that become ready
	pi       uint8      // with a futex: how, see piLock
	to       uint64     // the lock that piRequeue is moved to
	child    bool       // a child of the process ends, stops or goes on
	which    int32      // which one, as waitpid(2) says it
	options  uint64     // and its options
	vfork    int32      // this child has memory of its own, or is gone; no signal ends the wait
	signals  uint64     // any of these is pending, blocked or not
	lock     *lockWait  // a lock that others hold
	fifo     fifoWait   // the other end is opened
	ipc      *ipcWait   // what somebody does for it who wakes it
	deadline phys.Nanos // virtual time at which the wait is over, forever for never
	order    uint64     // waits begin in this order

	woken    bool   // FUTEX_WAKE chose it
	moved    uint64 // bytes that the call has moved so far
	messages uint64 // of sendmmsg and recvmmsg: those that are done; moved is the next one's

	masked bool   // the call replaced the signal mask
	mask   uint64 // and this is the one to return to
}

// interest is a description and the poll events that are waited for.
type interest struct {
	desc   int
	events uint16
	// need, when not zero, waits for a socket's queue instead: for room for a datagram of
	// need-1 bytes or, needBacklog, for one more connection.
	need int
}

const needBacklog = -1

// forever is the deadline of a wait without one.
const forever = phys.Nanos(1<<63 - 1)

// maxInterests bounds the descriptions that one call waits for.
const maxInterests = 4096

func (w *wait) code(c *codec) {
	code(c, &w.futex)
	c.flag(&w.shared)
	code(c, &w.bits)
	code(c, &w.pi)
	code(c, &w.to)
	n := c.count(len(w.on), maxInterests)
	if c.decoding {
		w.on = make([]interest, n)
	}
	for i := range w.on {
		code(c, &w.on[i].desc)
		code(c, &w.on[i].events)
		code(c, &w.on[i].need)
	}
	c.flag(&w.child)
	code(c, &w.which)
	code(c, &w.options)
	code(c, &w.vfork)
	code(c, &w.signals)
	w.codeRare(c)
	w.fifo.code(c)
	code(c, &w.deadline)
	code(c, &w.order)
	c.flag(&w.woken)
	code(c, &w.moved)
	code(c, &w.messages)
	c.flag(&w.masked)
	code(c, &w.mask)
}

// String says what is waited for, for messages.
func (w *wait) String() string {
	what := "a signal"
	switch {
	case w.futex != 0:
		what = fmt.Sprintf("futex %#x", w.futex)
	case len(w.on) > 0:
		what = fmt.Sprintf("%d descriptions, the first of them %d for events %#x", len(w.on), w.on[0].desc, w.on[0].events)
	case w.child:
		what = "a child"
	case w.vfork != 0:
		what = fmt.Sprintf("process %d to leave its memory", w.vfork)
	case w.lock != nil:
		what = w.lock.String()
	case w.fifo.pipe != 0:
		what = fmt.Sprintf("the other end of pipe %d, a FIFO", w.fifo.pipe)
	}
	if w.ipc != nil {
		what = w.ipc.String()
	}
	if w.deadline != forever {
		what += fmt.Sprintf(" until %d ns", w.deadline)
	}
	if w.woken {
		what += ", woken"
	}
	return "waits for " + what
}

var (
	errBlocked     = errors.New("the thread waits")             // the call ends for now; it will be issued again
	errInterrupted = errors.New("a signal interrupts the wait") // EINTR, or the call starts anew behind the handler
	errTimeout     = errors.New("the wait is over")
)

// waitFor ends a handler that cannot go on. w.deadline counts only when the wait
// begins: a call that is issued again keeps its first. The error is errTimeout
// when the time is up, errInterrupted when a signal is to be delivered, else
// errBlocked; handlers return the latter two as they are.
func (c *call) waitFor(w wait) error {
	if old := c.thread.wait; old != nil {
		w.deadline, w.order = old.deadline, old.order
	} else {
		c.sys.waits++
		c.touchSystem()
		w.order = c.sys.waits
	}
	w.masked, w.mask = c.masked, c.oldMask
	if c.deliverable(c.thread) && w.vfork == 0 {
		c.pause = &w
		return errInterrupted
	}
	if w.deadline <= c.mono() {
		return errTimeout
	}
	if w.deadline != forever && !c.several() && !c.reachable() && c.nextEvent() > w.deadline {
		c.sleep(w.deadline - c.mono()) // nothing else can happen meanwhile
		c.work[CostWake]++
		return errTimeout
	}
	if len(w.on) > maxInterests {
		return c.lacks("waiting for %d descriptors at once, at most %d are possible", len(w.on), maxInterests)
	}
	c.pause = &w
	return errBlocked
}

// waitReady waits until a description has one of some poll events.
func (c *call) waitReady(d *desc, events uint16) error {
	return c.waitFor(wait{on: []interest{{d.id, events, 0}}, deadline: forever})
}

// sleepUntil waits for nothing but the time; the error is nil when it has come.
func (c *call) sleepUntil(deadline phys.Nanos) error {
	err := c.waitFor(wait{deadline: deadline})
	if err == errTimeout {
		return nil
	}
	return err
}

// after returns the deadline of a wait that begins now and lasts t.
func (k *Kernel) after(t phys.Nanos) phys.Nanos {
	if t >= forever-k.mono() {
		return forever
	}
	return k.mono() + t
}

// maskFor replaces the signal mask until the call returns or, when a signal
// interrupts it, until the signal's handler does.
func (c *call) maskFor(set uint64) {
	if w := c.thread.wait; w != nil && w.masked {
		c.oldMask = w.mask
	} else {
		c.oldMask = c.thread.mask
		c.thread.mask = set &^ unblockable
		c.touchThread(c.thread)
	}
	c.masked = true
}

// maskAt is maskFor with the signal set at va, whose size is given; a NULL
// pointer leaves the mask alone.
func (c *call) maskAt(va, size uint64) error {
	if va == 0 {
		return nil
	}
	if size != 8 {
		return errno.EINVAL
	}
	set, err := c.u64(va)
	if err == nil {
		c.maskFor(set)
	}
	return err
}

// moved returns how many bytes the call had moved before it waited.
func (c *call) moved() uint64 {
	if w := c.thread.wait; w != nil {
		return w.moved
	}
	return 0
}

// continues ends one issue of a call that moves bytes and may wait in between: n
// more are moved. What was moved is never lost: an error is told only when nothing was.
func (c *call) continues(n uint64, err error) (uint64, error) {
	total := c.moved() + n
	switch {
	case err == errBlocked:
		c.pause.moved = total
		return 0, err
	case err != nil && total > 0 && !c.fatal(err):
		return total, nil
	}
	return total, err
}

// fatal reports whether an error stops the run.
func (c *call) fatal(err error) bool {
	return err != errInterrupted && err != errTimeout && !guestVisible(err)
}

// runnable reports whether a thread can go on: it does not wait, or what it waits
// for has come.
func (k *Kernel) runnable(t *Thread) bool {
	k.viewer = t
	defer func() { k.viewer = nil }()
	w := t.wait
	switch {
	case t.proc.stopped != 0, k.held(t):
		return false
	case w == nil, w.woken, w.deadline <= k.mono():
		return true
	case w.vfork != 0:
		return k.ownMemory(w.vfork)
	case k.deliverable(t):
		return true
	case w.child && (k.childChanged(t.proc, w.which, w.options) || !k.hasChild(t.proc, w.which, w.options)):
		return true
	case t.pending()&w.signals != 0:
		return true
	case w.lock != nil && k.lockFree(w.lock), w.fifo.pipe != 0 && k.fifoOpen(w.fifo):
		return true
	}
	return k.comes(t)
}

// comes reports whether one of the descriptions that are waited for is ready or closed. It
// does not look again while no record has changed that such things hang on: it is asked
// at every choice of a thread.
func (k *Kernel) comes(t *Thread) bool {
	now := quiet{t.wait, k.files.changes}
	if t.quiet == now {
		return false
	}
	settled := true
	for _, i := range t.wait.on {
		d := k.files.find(i.desc)
		if d == nil || k.has(d, i) {
			return true
		}
		settled = settled && k.settles(d)
	}
	if settled {
		t.quiet = now
	}
	return false
}

// quiet says of a wait that none of its descriptions was ready after so many changes of
// records. It is no state of the machine: without it the answers are the same.
type quiet struct {
	wait    *wait
	changes uint64
}
