package kernel

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Operations and flags of futex(2).
const (
	futexWait       = 0
	futexWake       = 1
	futexRequeue    = 3
	futexCmpRequeue = 4
	futexWakeOp     = 5
	futexWaitBitset = 9
	futexWakeBitset = 10
	futexPrivate    = 128
	futexRealtime   = 256
	futexAllBits    = ^uint32(0)
	futexWaiters    = 1 << 31 // bits of a lock word with an owner
	futexOwnerDied  = 1 << 30
	futexTIDMask    = 1<<30 - 1
	maxRobust       = 2048 // entries of a robust list that are looked at
)

func sysFutex(c *call) (uint64, error) {
	va, op := c.a[0], uint32(c.a[1])&^(futexPrivate|futexRealtime)
	if _, err := c.futexDeadline(); err != nil {
		return 0, err
	}
	switch op {
	case futexWaitBitset, futexWaitRequeuePI, futexLockPI2:
	default:
		if c.a[1]&futexRealtime != 0 {
			return 0, errno.ENOSYS
		}
	}
	switch {
	case va&3 != 0:
		return 0, errno.EINVAL
	case va >= 1<<47:
		return 0, errno.EFAULT
	}
	switch op {
	case futexWait:
		return c.futexWait(futexAllBits)
	case futexWaitBitset:
		return c.futexWait(uint32(c.a[5]))
	case futexWake:
		return c.futexWakePlain(futexAllBits)
	case futexWakeBitset:
		return c.futexWakePlain(uint32(c.a[5]))
	case futexRequeue, futexCmpRequeue:
		return c.futexRequeue(op == futexCmpRequeue)
	case futexWakeOp:
		return c.futexWakeOp()
	case futexLockPI, futexLockPI2, futexTryLockPI, futexUnlockPI, futexWaitRequeuePI, futexCmpRequeuePI:
		return c.futexPI(op)
	}
	return 0, errno.ENOSYS
}

// futexDeadline returns until when an operation waits, which has a timeout only if it waits.
func (c *call) futexDeadline() (phys.Nanos, error) {
	op := uint32(c.a[1]) &^ (futexPrivate | futexRealtime)
	switch op {
	case futexWait, futexWaitBitset, futexLockPI, futexLockPI2, futexWaitRequeuePI:
	default:
		return forever, nil
	}
	if c.a[3] == 0 {
		return forever, nil
	}
	t, err := c.timespecAt(c.a[3])
	switch {
	case err != nil:
		return 0, err
	case op == futexWait: // relative
	case op == futexLockPI, c.a[1]&futexRealtime != 0:
		t -= min(t, c.Now())
	default:
		t -= min(t, c.mono())
	}
	return c.after(t), nil
}

// there reports whether a futex that is looked up by what is mapped can be there.
func (c *call) there(va uint64) error {
	if _, ok := c.MM.Find(va); c.shared() && !ok {
		return errno.EFAULT
	}
	return nil
}

func (c *call) futexWakePlain(bits uint32) (uint64, error) {
	va := c.a[0]
	if bits == 0 {
		return 0, errno.EINVAL
	}
	if err := c.there(va); err != nil {
		return 0, err
	}
	if c.anyPI(va, c.shared()) {
		return 0, errno.EINVAL
	}
	return c.futexWake(va, atLeastOne(c.a[2]), bits, c.shared()), nil
}

// place is what a futex is: memory that may be mapped anywhere, or an address in one
// address space. As in Linux a futex that FUTEX_PRIVATE_FLAG names is another than the
// same word without the flag.
type place struct {
	node  vfs.NodeID
	at    uint64 // offset in the node, or physical address
	space *mm.Space
	va    uint64
}

// futexAt returns what a futex of an address space is.
func futexAt(s *mm.Space, va uint64, shared bool) place {
	if !shared {
		return place{space: s, va: va}
	}
	v, ok := s.Find(va)
	switch in := va - v.Start; {
	case !ok || !v.Shared:
		return place{space: s, va: va | 1} // no private futex has such an address
	case v.Node != 0:
		return place{node: v.Node, at: v.Off + in}
	default:
		return place{at: uint64(v.Phys) + in}
	}
}

// word reads a futex.
func (c *call) word(va uint64) (uint32, error) {
	var b [4]byte
	err := c.load(va, b[:])
	return le.Uint32(b[:]), err
}

// shared reports whether the call means a futex that other processes may use.
func (c *call) shared() bool { return c.a[1]&futexPrivate == 0 }

func (c *call) futexWait(bits uint32) (uint64, error) {
	if bits == 0 {
		return 0, errno.EINVAL
	}
	if w := c.thread.wait; w != nil {
		if w.woken {
			return 0, nil
		}
		return 0, c.waitFor(*w) // it may have been moved to another futex
	}
	v, err := c.word(c.a[0])
	if err != nil {
		return 0, err
	}
	if v != uint32(c.a[2]) {
		return 0, errno.EAGAIN
	}
	deadline, err := c.futexDeadline()
	if err != nil {
		return 0, err
	}
	return 0, c.waitFor(wait{futex: c.a[0], shared: c.shared(), bits: bits, deadline: deadline})
}

// waiters returns the threads that wait for a futex, which is at va in the current
// process, and were not chosen yet, in the order in which they began.
func (k *Kernel) waiters(va uint64, bits uint32, shared bool) []*Thread {
	var out []*Thread
	here := futexAt(k.MM, va, shared)
	for _, t := range k.threads {
		if w := t.wait; w != nil && w.futex != 0 && !w.woken && w.bits&bits != 0 &&
			w.shared == shared && futexAt(t.proc.MM, w.futex, shared) == here {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *Thread) int { return cmp.Compare(a.wait.order, b.wait.order) })
	return out
}

// futexWake wakes up to n waiters and returns how many.
func (k *Kernel) futexWake(va uint64, n int, bits uint32, shared bool) (woken uint64) {
	for _, t := range k.waiters(va, bits, shared) {
		if int(woken) >= n {
			break
		}
		if t.wait.pi != piNone {
			continue // a lock goes from hand to hand
		}
		k.wakeOne(t)
		woken++
	}
	return woken
}

// atLeastOne is how many waiters a call wakes: Linux looks at the number when it has woken
// the first.
func atLeastOne(n uint64) int { return max(1, int(int32(n))) }

func (c *call) futexRequeue(compare bool) (uint64, error) {
	wake, move, to := int32(c.a[2]), int32(c.a[3]), c.a[4]
	if wake < 0 || move < 0 || to&3 != 0 {
		return 0, errno.EINVAL
	}
	for _, va := range []uint64{c.a[0], to} {
		if err := c.there(va); err != nil {
			return 0, err
		}
	}
	if c.anyPI(c.a[0], c.shared()) {
		return 0, errno.EINVAL
	}
	if compare {
		v, err := c.word(c.a[0])
		if err != nil {
			return 0, err
		}
		if v != uint32(c.a[5]) {
			return 0, errno.EAGAIN
		}
	}
	done := c.futexWake(c.a[0], int(wake), futexAllBits, c.shared())
	for i, t := range c.waiters(c.a[0], futexAllBits, c.shared()) {
		if i >= int(move) {
			break
		}
		if t.proc.MM != c.MM {
			return 0, c.lacks("requeueing a thread of another process") // to has another address there
		}
		w := *t.wait
		w.futex = to
		t.wait = &w
		c.touchThread(t)
		done++
	}
	return done, nil
}

// futexWakeOp changes the second futex and wakes waiters of the first, and of the
// second if its old value compares as asked for.
func (c *call) futexWakeOp() (uint64, error) {
	if c.a[4]&3 != 0 || c.anyPI(c.a[0], c.shared()) || c.anyPI(c.a[4], c.shared()) {
		return 0, errno.EINVAL
	}
	code := uint32(c.a[5])
	op, how := code>>28, code>>24&15
	arg, than := int32(code<<8)>>20, int32(code<<20)>>20
	if op&8 != 0 {
		arg = 1 << (uint32(arg) & 31)
	}
	old, err := c.word(c.a[4])
	if err != nil {
		return 0, err
	}
	v := old
	switch op & 7 {
	case 0:
		v = uint32(arg)
	case 1:
		v += uint32(arg)
	case 2:
		v |= uint32(arg)
	case 3:
		v &^= uint32(arg)
	case 4:
		v ^= uint32(arg)
	default:
		return 0, errno.ENOSYS
	}
	if err := c.put32(c.a[4], v); err != nil {
		return 0, err
	}
	a, holds := int32(old), false
	switch how {
	case 0:
		holds = a == than
	case 1:
		holds = a != than
	case 2:
		holds = a < than
	case 3:
		holds = a <= than
	case 4:
		holds = a > than
	case 5:
		holds = a >= than
	default:
		return 0, errno.ENOSYS
	}
	woken := c.futexWake(c.a[0], atLeastOne(c.a[2]), futexAllBits, c.shared())
	if holds {
		woken += c.futexWake(c.a[4], atLeastOne(c.a[3]), futexAllBits, c.shared())
	}
	return woken, nil
}

// leaveRobust marks the locks of the robust list that a dying thread of the current
// process held. As in Linux a list that cannot be read ends the work, not the thread's
// death. All is whether the whole process
// goes. The locks that others wait for are theirs by then.
func (c *call) leaveRobust(t *Thread, all bool) {
	handed := c.leaveLocks(t, all)
	died := func(va uint64) {
		if !slices.Contains(handed, futexAt(c.MM, va, true)) && !slices.Contains(handed, futexAt(c.MM, va, false)) {
			c.ownerDied(t, va)
		}
	}
	head := t.robust[0]
	if head == 0 {
		return
	}
	next, err := c.u64(head)
	if err != nil {
		return
	}
	off, err := c.u64(head + 8)
	if err != nil {
		return
	}
	pending, err := c.u64(head + 16)
	if err != nil {
		return
	}
	for i := 0; next != head && next != 0 && i < maxRobust; i++ {
		entry := next
		if next, err = c.u64(entry &^ 1); err != nil {
			return
		}
		if entry != pending {
			died(entry&^1 + off)
		}
	}
	if pending != 0 {
		died(pending&^1 + off)
	}
}

// ownerDied marks a lock whose owner is the thread and wakes one waiter.
func (c *call) ownerDied(t *Thread, va uint64) {
	if va&3 != 0 {
		return
	}
	v, err := c.word(va)
	if err != nil || v&futexTIDMask != uint32(t.tid) {
		return
	}
	if c.put32(va, v&futexWaiters|futexOwnerDied) == nil && v&futexWaiters != 0 {
		c.futexWake(va, 1, futexAllBits, true)
	}
}
