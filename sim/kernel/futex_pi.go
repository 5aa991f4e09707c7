package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
)

// Priority-inheriting futexes: the word of a lock names its owner, and who unlocks it, or
// dies as its owner, hands it to the waiter of the highest priority. Priorities are not
// lent, as the turns of threads do not heed them. The kernel keeps nothing but who waits:
// the owner is what the word says. Source: futex(2), kernel/futex/pi.c of Linux 6.18.

// How a thread waits for a futex.
const (
	piNone    = iota
	piLock    // for a lock to be handed to it
	piRequeue // for FUTEX_CMP_REQUEUE_PI to move it to a lock
)

const (
	futexLockPI        = 6
	futexUnlockPI      = 7
	futexTryLockPI     = 8
	futexWaitRequeuePI = 11
	futexCmpRequeuePI  = 12
	futexLockPI2       = 13

	maxLockChain = 1024 // owners that wait for each other and are looked at
)

// futexPI is the operations on locks.
func (c *call) futexPI(op uint32) (uint64, error) {
	switch op {
	case futexLockPI, futexLockPI2:
		return c.lockPI(false)
	case futexTryLockPI:
		return c.lockPI(true)
	case futexUnlockPI:
		return c.unlockPI()
	case futexWaitRequeuePI:
		return c.waitRequeuePI()
	}
	return c.cmpRequeuePI()
}

func (c *call) lockPI(try bool) (uint64, error) {
	if w := c.thread.wait; w != nil {
		if w.woken {
			return 0, nil
		}
		return 0, c.waitUnbroken(*w)
	}
	va, shared := c.a[0], c.shared()
	v, err := c.word(va)
	if err != nil {
		return 0, err
	}
	owner, me := int32(v&futexTIDMask), c.thread.tid
	waiters := c.piWaiters(va, shared, piLock)
	switch {
	case owner == me:
		return 0, errno.EDEADLK
	case owner == 0 && len(waiters) > 0:
		return 0, c.put32(va, v&futexOwnerDied|futexWaiters|uint32(me))
	case owner == 0:
		return 0, c.put32(va, v&futexOwnerDied|uint32(me))
	case c.findThread(owner) == nil:
		return 0, errno.ESRCH
	case !try && c.locksInRing(owner):
		return 0, errno.EDEADLK
	}
	if v&futexWaiters == 0 {
		if err := c.put32(va, v|futexWaiters); err != nil {
			return 0, err
		}
	}
	if try {
		return 0, errno.EAGAIN
	}
	deadline, err := c.futexDeadline()
	if err != nil {
		return 0, err
	}
	return 0, c.waitUnbroken(wait{futex: va, shared: shared, bits: futexAllBits, pi: piLock, deadline: deadline})
}

// waitUnbroken is waitFor for calls that a signal never ends: they start anew behind its handler.
func (c *call) waitUnbroken(w wait) error {
	c.unbroken = true
	return c.waitFor(w)
}

// locksInRing reports whether a thread waits for a lock of the current one, perhaps through others.
func (c *call) locksInRing(tid int32) bool {
	for range maxLockChain {
		t := c.findThread(tid)
		if t == nil || t.wait == nil || t.wait.pi != piLock || t.wait.woken {
			return false
		}
		v, err := c.wordOf(t)
		if err != nil {
			return false
		}
		if tid = int32(v & futexTIDMask); tid == c.thread.tid {
			return true
		}
	}
	return true
}

// inside does something in the memory of a process.
func (c *call) inside(s *mm.Space, f func() error) error {
	if s == c.MM {
		return f()
	}
	here := c.MM
	c.MM = s
	c.port.SetSpace(s)
	defer func() {
		c.MM = here
		c.port.SetSpace(here)
	}()
	return f()
}

// wordOf reads the futex that a thread waits for.
func (c *call) wordOf(t *Thread) (v uint32, err error) {
	err = c.inside(t.proc.MM, func() error {
		v, err = c.word(t.wait.futex)
		return err
	})
	return v, err
}

// piWaiters returns those who wait for the futex at va in one of the two ways, who goes first first.
func (k *Kernel) piWaiters(va uint64, shared bool, how uint8) []*Thread {
	all := slices.DeleteFunc(k.waiters(va, futexAllBits, shared), func(t *Thread) bool { return t.wait.pi != how })
	slices.SortStableFunc(all, func(a, b *Thread) int { return int(b.sched.urgency() - a.sched.urgency()) })
	return all
}

// urgency orders the waiters of a lock: all that are not of a real-time class are alike.
func (s *scheduling) urgency() int32 {
	if s.policy == schedDeadline {
		return maxRTPrio + 1
	}
	return s.rtPrio
}

// anyPI reports whether somebody waits for a lock at va, whom the plain operations must not wake.
func (k *Kernel) anyPI(va uint64, shared bool) bool {
	return slices.ContainsFunc(k.waiters(va, futexAllBits, shared), func(t *Thread) bool { return t.wait.pi != piNone })
}

func (c *call) unlockPI() (uint64, error) {
	va := c.a[0]
	v, err := c.word(va)
	switch {
	case err != nil:
		return 0, err
	case v&futexTIDMask != uint32(c.thread.tid):
		return 0, errno.EPERM
	}
	if next := c.piWaiters(va, c.shared(), piLock); len(next) > 0 {
		return 0, c.handTo(next[0], 0)
	}
	return 0, c.put32(va, 0)
}

// handTo makes a thread the owner of the lock that it waits for.
func (c *call) handTo(t *Thread, flags uint32) error {
	err := c.inside(t.proc.MM, func() error { return c.put32(t.wait.futex, flags|futexWaiters|uint32(t.tid)) })
	if err != nil {
		return err
	}
	c.wakeOne(t)
	return nil
}

// wakeOne ends a thread's wait.
func (k *Kernel) wakeOne(t *Thread) {
	w := *t.wait
	w.woken = true
	t.wait = &w
	k.touchThread(t)
}

// leaveLocks hands the locks that a dying thread owns to who waits for them: with all, to
// nobody of its process, as all of that die. It returns those locks: their words may still
// seem to be the thread's, as what the call has read changes at its commit.
func (c *call) leaveLocks(dying *Thread, all bool) (done []place) {
	heir := func(t *Thread) bool { return t != dying && !(all && t.proc == dying.proc) }
	for _, t := range slices.Clone(c.threads) {
		if !heir(t) || t.wait == nil || t.wait.pi != piLock || t.wait.woken {
			continue
		}
		v, err := c.wordOf(t)
		at := futexAt(t.proc.MM, t.wait.futex, t.wait.shared)
		if err != nil || v&futexTIDMask != uint32(dying.tid) || slices.Contains(done, at) {
			continue
		}
		done = append(done, at)
		_ = c.inside(t.proc.MM, func() error {
			next := c.piWaiters(t.wait.futex, t.wait.shared, piLock)
			next = slices.DeleteFunc(next, func(u *Thread) bool { return !heir(u) })
			return c.handTo(next[0], futexOwnerDied) // t at least is there; a word that cannot be written stays
		})
	}
	return done
}

func (c *call) waitRequeuePI() (uint64, error) {
	if w := c.thread.wait; w != nil {
		switch {
		case w.woken:
			return 0, nil
		case w.pi == piRequeue:
			return 0, c.waitUnbroken(*w)
		}
		err := c.waitFor(*w)
		if err == errInterrupted {
			err = errno.EAGAIN // the caller looks again
		}
		return 0, err
	}
	if c.a[4] == c.a[0] || c.a[4]&3 != 0 {
		return 0, errno.EINVAL
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
	return 0, c.waitUnbroken(wait{futex: c.a[0], shared: c.shared(),
		bits: futexAllBits, pi: piRequeue, to: c.a[4], deadline: deadline})
}

// cmpRequeuePI gives a lock to the first who waits for a condition, or lets it and others
// wait for the lock.
func (c *call) cmpRequeuePI() (uint64, error) {
	wake, move, to, shared := int32(c.a[2]), int32(c.a[3]), c.a[4], c.shared()
	if wake < 0 || move < 0 || wake != 1 || to == c.a[0] || to&3 != 0 {
		return 0, errno.EINVAL
	}
	v, err := c.word(c.a[0])
	if err != nil {
		return 0, err
	}
	if v != uint32(c.a[5]) {
		return 0, errno.EAGAIN
	}
	lock, err := c.word(to)
	if err != nil {
		return 0, err
	}
	if len(c.waiters(c.a[0], futexAllBits, shared)) != len(c.piWaiters(c.a[0], shared, piRequeue)) {
		return 0, errno.EINVAL
	}
	done, was := int32(0), lock
	for _, t := range c.piWaiters(c.a[0], shared, piRequeue) {
		switch {
		case t.wait.to != to:
			return uint64(done), errno.EINVAL
		case t.proc.MM != c.MM:
			return 0, c.lacks("requeueing a thread of another process") // to has another address there
		}
		if owner := int32(lock & futexTIDMask); owner == 0 {
			lock = lock&futexOwnerDied | uint32(t.tid)
			if move > 0 {
				lock |= futexWaiters
			}
			c.wakeOne(t)
			done++
			continue
		} else if c.findThread(owner) == nil {
			return 0, errno.ESRCH
		}
		if done-wake >= move {
			break
		}
		w := *t.wait
		w.futex, w.pi, w.to = to, piLock, 0
		t.wait = &w
		c.touchThread(t)
		lock |= futexWaiters
		done++
	}
	if lock != was {
		err = c.put32(to, lock)
	}
	return uint64(done), err
}
