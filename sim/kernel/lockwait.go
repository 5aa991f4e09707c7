package kernel

import (
	"fmt"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Who waits for a lock stands behind the lock that is in the way or, when somebody
// waits there already whom the new one would be in the way of, behind that one: so
// conflicting requests are served in the order in which they came, while one that
// nothing held is in the way of is served at once. This is the order of Linux
// (locks_insert_block in fs/locks.c), and so is what it calls a deadlock.

// lockWait is a lock that a thread waits for.
type lockWait struct {
	file   vfs.NodeID // as lockKey names it
	lock   vfs.Lock
	behind int32  // the thread that is served first, 0 for none
	order  uint64 // of that thread's wait: it may be in another one since
}

// codeRare passes what is waited for rarely, and only if it is.
func (w *wait) codeRare(c *codec) {
	const lock, ipc = 1, 2
	what := uint8(0)
	switch {
	case w.lock != nil:
		what = lock
	case w.ipc != nil:
		what = ipc
	}
	switch code(c, &what); what {
	case 0:
	case lock:
		w.codeLock(c)
	case ipc:
		i := ipcWait{}
		if w.ipc != nil {
			i = *w.ipc
		}
		i.code(c)
		w.ipc = &i
	default:
		c.fail("a wait for a lock or the like of kind %d", what)
	}
}

// codeLock passes the lock that is waited for.
func (w *wait) codeLock(c *codec) {
	l := lockWait{}
	if w.lock != nil {
		l = *w.lock
	}
	code(c, &l.file)
	code(c, &l.lock.Owner.Kind)
	code(c, &l.lock.Owner.ID)
	c.flag(&l.lock.Write)
	code(c, &l.lock.From)
	code(c, &l.lock.To)
	code(c, &l.behind)
	code(c, &l.order)
	w.lock = &l
}

func (l *lockWait) String() string {
	how := "shared"
	if l.lock.Write {
		how = "exclusive"
	}
	return fmt.Sprintf("a lock of file %d, %s, bytes %d to %d", l.file, how, l.lock.From, l.lock.To)
}

// takeLock takes a lock, in place of what its owner has of the same bytes; one that
// is not free is waited for if waits is set.
func (c *call) takeLock(file vfs.NodeID, l vfs.Lock, waits bool) error {
	o, meets := c.FS.Obstacle(file, l)
	switch {
	case !meets:
		c.FS.Lock(file, l)
		return nil
	case !waits:
		return errno.EAGAIN
	case l.Owner.Kind == vfs.Process && c.wouldDeadlock(l.Owner, o):
		return errno.EDEADLK
	}
	w := &lockWait{file: file, lock: l}
	if t := c.lastInLine(file, l, o); t != nil {
		w.behind, w.order = t.tid, t.wait.order
	}
	return c.waitFor(wait{lock: w, deadline: forever})
}

// before returns the thread that is served before the one that waits as l says, nil
// when none is.
func (k *Kernel) before(l *lockWait) *Thread {
	if l.behind == 0 {
		return nil
	}
	if t := k.findThread(l.behind); t != nil && t.wait != nil && t.wait.lock != nil && t.wait.order == l.order {
		return t
	}
	return nil
}

// lockFree reports whether the turn of a lock that is waited for has come.
func (k *Kernel) lockFree(l *lockWait) bool {
	_, meets := k.FS.Obstacle(l.file, l.lock)
	return !meets && k.before(l) == nil
}

// lastInLine returns behind whom the current thread has to wait for l, in whose way o
// is; nil when only for o itself.
func (k *Kernel) lastInLine(file vfs.NodeID, l, o vfs.Lock) (last *Thread) {
	for {
		next := (*Thread)(nil)
		for _, t := range k.threads {
			if t == k.thread || t.wait == nil || t.wait.lock == nil || t.wait.lock.file != file {
				continue
			}
			first := k.before(t.wait.lock)
			here := first == last && (last != nil || o.Meets(t.wait.lock.lock))
			if here && t.wait.lock.lock.Meets(l) && (next == nil || t.wait.order < next.wait.order) {
				next = t
			}
		}
		if next == nil {
			return last
		}
		last = next
	}
}

// maxOwners bounds the owners that are looked at for a deadlock, as Linux does.
const maxOwners = 10

// wouldDeadlock reports whether the owner of o, which is in the way of an owner's
// lock, itself waits for that owner, perhaps through others.
func (k *Kernel) wouldDeadlock(owner vfs.LockOwner, o vfs.Lock) bool {
	for range maxOwners + 1 {
		next, waits := k.waitsFor(o.Owner)
		if !waits {
			return false
		}
		if next.Owner == owner {
			return true
		}
		o = next
	}
	return false
}

// waitsFor returns the process's lock that an owner of locks waits for: of several
// that its threads wait for, the one of the latest wait.
func (k *Kernel) waitsFor(owner vfs.LockOwner) (o vfs.Lock, waits bool) {
	var latest *Thread
	for _, t := range k.threads {
		if t.wait != nil && t.wait.lock != nil && t.wait.lock.lock.Owner == owner &&
			(latest == nil || t.wait.order > latest.wait.order) {
			latest = t
		}
	}
	if latest == nil {
		return o, false
	}
	for first := k.before(latest.wait.lock); first != nil; first = k.before(first.wait.lock) {
		latest = first
	}
	o, waits = k.FS.Obstacle(latest.wait.lock.file, latest.wait.lock.lock)
	return o, waits && o.Owner.Kind == vfs.Process
}
