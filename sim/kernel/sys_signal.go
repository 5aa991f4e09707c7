package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

func sysRtSigaction(c *call) (uint64, error) {
	sig := int(int32(c.a[0]))
	var b [32]byte
	if c.a[1] != 0 && c.a[3] == 8 {
		if err := c.load(c.a[1], b[:]); err != nil {
			return 0, err
		}
	}
	if c.a[3] != 8 || sig < 1 || sig >= NSIG || c.a[1] != 0 && (sig == SIGKILL || sig == SIGSTOP) {
		return 0, errno.EINVAL
	}
	old, ignored := c.proc.actions[sig], c.ignored(sig)
	if c.a[1] != 0 {
		c.proc.actions[sig] = Action{
			Handler: le.Uint64(b[0:]), Flags: le.Uint64(b[8:]),
			Restorer: le.Uint64(b[16:]), Mask: le.Uint64(b[24:]) &^ unblockable,
		}
		c.touchAction(sig)
		if c.ignored(sig) {
			c.discard(c.proc, bit(sig))
		} else if ignored {
			c.heed(c.proc, sig)
		}
	}
	if c.a[2] == 0 {
		return 0, nil
	}
	out := le.AppendUint64(nil, old.Handler)
	out = le.AppendUint64(out, old.Flags)
	out = le.AppendUint64(out, old.Restorer)
	return 0, c.store(c.a[2], le.AppendUint64(out, old.Mask))
}

// discard forgets the pending instances of some signals of a process.
func (k *Kernel) discard(p *Process, signals uint64) {
	other := func(q Queued) bool { return signals&bit(q.Signal) != 0 }
	if slices.ContainsFunc(p.queue, other) {
		p.queue = slices.DeleteFunc(slices.Clone(p.queue), other)
		k.touchProcess(p)
	}
	for _, t := range k.members(p) {
		if slices.ContainsFunc(t.queue, other) {
			t.queue = slices.DeleteFunc(slices.Clone(t.queue), other)
			k.touchThread(t)
		}
	}
}

func sysRtSigprocmask(c *call) (uint64, error) {
	if c.a[3] != 8 {
		return 0, errno.EINVAL
	}
	old := c.thread.mask
	if c.a[1] != 0 {
		set, err := c.u64(c.a[1])
		if err != nil {
			return 0, err
		}
		mask := old
		switch int32(c.a[0]) {
		case 0: // SIG_BLOCK
			mask |= set
		case 1: // SIG_UNBLOCK
			mask &^= set
		case 2: // SIG_SETMASK
			mask = set
		default:
			return 0, errno.EINVAL
		}
		if mask &^= unblockable; mask != old {
			c.thread.mask = mask
			c.touchThread(c.thread)
			if old&^mask&bit(SIGPWR) != 0 {
				c.handled(0)
			}
		}
	}
	if c.a[2] == 0 {
		return 0, nil
	}
	return 0, c.put64(c.a[2], old)
}

func sysRtSigpending(c *call) (uint64, error) {
	if c.a[1] > 8 {
		return 0, errno.EINVAL
	}
	b := le.AppendUint64(nil, c.thread.pending()&c.thread.mask)
	return 0, c.store(c.a[0], b[:c.a[1]])
}

func sysRtSigsuspend(c *call) (uint64, error) {
	if c.a[1] != 8 {
		return 0, errno.EINVAL
	}
	set, err := c.u64(c.a[0])
	if err != nil {
		return 0, err
	}
	c.maskFor(set)
	return 0, c.waitFor(wait{deadline: forever})
}

func sysPause(c *call) (uint64, error) { return 0, c.waitFor(wait{deadline: forever}) }

func sysRtSigtimedwait(c *call) (uint64, error) {
	if c.a[3] != 8 {
		return 0, errno.EINVAL
	}
	set, err := c.u64(c.a[0])
	if err != nil {
		return 0, err
	}
	deadline := forever
	if c.a[2] != 0 {
		t, err := c.timespecAt(c.a[2])
		if err != nil {
			return 0, err
		}
		deadline = c.after(t)
	}
	if q, ok := c.Kernel.next(^(set &^ unblockable)); ok {
		if c.a[1] == 0 {
			return uint64(q.Signal), nil
		}
		return uint64(q.Signal), c.store(c.a[1], siginfo(q))
	}
	err = c.waitFor(wait{signals: set &^ unblockable, deadline: deadline})
	if err == errTimeout {
		err = errno.EAGAIN
	}
	return 0, err
}

// send sends a signal to a process, or to one of its threads alone; 0 only looks
// whether it is there.
func (c *call) send(p *Process, t *Thread, sig int, q Queued) (uint64, error) {
	switch {
	case p == nil:
		return 0, errno.ESRCH
	case sig < 0 || sig >= NSIG:
		return 0, errno.EINVAL
	}
	if err := c.signalAllowed(p, sig); err != nil || sig == 0 {
		return 0, err
	}
	q.Signal, q.PID = sig, c.proc.pid
	if q.Code == siUser || q.Code == siTkill {
		q.UID = c.thread.who().user.real
	}
	if t != nil {
		return 0, c.sendThread(t, q)
	}
	return 0, c.Send(p, q)
}

func sysKill(c *call) (uint64, error) {
	pid, sig := int32(c.a[0]), int(int32(c.a[1]))
	if pid > 0 {
		return c.send(c.processWith(pid), nil, sig, Queued{Code: siUser})
	}
	group := -pid
	if pid == 0 {
		group = c.proc.pgid
	}
	found, sent := false, false
	var failed error
	for _, p := range c.procs {
		if pid != -1 && p.pgid != group || p.ended() || pid == -1 && (p == c.procs[0] || p == c.proc) && len(c.procs) > 1 {
			continue
		}
		found = true
		_, err := c.send(p, nil, sig, Queued{Code: siUser})
		switch {
		case err == nil:
			sent = true
		case err != errno.EPERM:
			return 0, err
		case pid != -1:
			failed = err
		}
	}
	switch {
	case !found:
		return 0, errno.ESRCH
	case sent:
		return 0, nil
	}
	return 0, failed
}

func sysTkill(c *call) (uint64, error) {
	if int32(c.a[0]) <= 0 {
		return 0, errno.EINVAL
	}
	t := c.findThread(int32(c.a[0]))
	if t == nil || c.unborn(t) {
		return 0, errno.ESRCH
	}
	return c.send(t.proc, t, int(int32(c.a[1])), Queued{Code: siTkill})
}

// threadOf returns a thread if it belongs to the process that is named with it.
func (k *Kernel) threadOf(pid, tid int32) *Thread {
	if t := k.findThread(tid); t != nil && t.proc.pid == pid && !k.unborn(t) {
		return t
	}
	return nil
}

func sysTgkill(c *call) (uint64, error) {
	if int32(c.a[0]) <= 0 || int32(c.a[1]) <= 0 {
		return 0, errno.EINVAL
	}
	t := c.threadOf(int32(c.a[0]), int32(c.a[1]))
	if t == nil {
		return 0, errno.ESRCH
	}
	return c.send(t.proc, t, int(int32(c.a[2])), Queued{Code: siTkill})
}

// queuedAt reads a siginfo_t that a program sends.
func (c *call) queuedAt(va uint64) (Queued, error) {
	var b [128]byte
	err := c.load(va, b[:])
	return Queued{Code: int32(le.Uint32(b[8:])), UID: le.Uint32(b[20:]), Value: le.Uint64(b[24:])}, err
}

// impersonates reports whether a signal that a program sends to others says that the
// kernel or kill(2) sent it.
func (q *Queued) impersonates() bool { return q.Code >= 0 || q.Code == siTkill }

func sysRtSigqueueinfo(c *call) (uint64, error) {
	q, err := c.queuedAt(c.a[2])
	if err == nil && q.impersonates() && int32(c.a[0]) != c.proc.pid {
		err = errno.EPERM
	}
	if err != nil {
		return 0, err
	}
	return c.send(c.processWith(int32(c.a[0])), nil, int(int32(c.a[1])), q)
}

func sysRtTgsigqueueinfo(c *call) (uint64, error) {
	q, err := c.queuedAt(c.a[3])
	if err == nil && (int32(c.a[0]) <= 0 || int32(c.a[1]) <= 0) {
		err = errno.EINVAL
	}
	if err == nil && q.impersonates() && int32(c.a[1]) != c.thread.tid {
		err = errno.EPERM
	}
	if err != nil {
		return 0, err
	}
	t := c.threadOf(int32(c.a[0]), int32(c.a[1]))
	if t == nil {
		return 0, errno.ESRCH
	}
	return c.send(t.proc, t, int(int32(c.a[2])), q)
}
