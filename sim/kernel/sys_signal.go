package kernel

import (
	"zhuque/sim/kernel/errno"
)

func sysRtSigaction(c *call) (uint64, error) {
	sig := int(int32(c.a[0]))
	if c.a[3] != 8 || sig < 1 || sig >= NSIG || c.a[1] != 0 && (sig == SIGKILL || sig == SIGSTOP) {
		return 0, errno.EINVAL
	}
	old := c.signals.actions[sig]
	if c.a[1] != 0 {
		var b [32]byte
		if err := c.load(c.a[1], b[:]); err != nil {
			return 0, err
		}
		c.signals.actions[sig] = Action{
			Handler: le.Uint64(b[0:]), Flags: le.Uint64(b[8:]), Restorer: le.Uint64(b[16:]), Mask: le.Uint64(b[24:]) &^ unblockable,
		}
		c.dirty.Signals = insert(c.dirty.Signals, sig)
		if c.ignored(sig) {
			c.discard(sig)
		}
	}
	if c.a[2] == 0 {
		return 0, nil
	}
	b := le.AppendUint64(nil, old.Handler)
	b = le.AppendUint64(b, old.Flags)
	b = le.AppendUint64(b, old.Restorer)
	return 0, c.store(c.a[2], le.AppendUint64(b, old.Mask))
}

// discard forgets the pending instances of a signal that is now ignored.
func (k *Kernel) discard(sig int) {
	var keep []Queued
	for _, q := range k.signals.queue {
		if q.Signal != sig {
			keep = append(keep, q)
		}
	}
	if len(keep) != len(k.signals.queue) {
		k.signals.queue = keep
		k.dirty.Misc = true
	}
}

func sysRtSigprocmask(c *call) (uint64, error) {
	if c.a[3] != 8 {
		return 0, errno.EINVAL
	}
	old := c.signals.mask
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
			c.signals.mask = mask
			c.dirty.Misc = true
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
	b := le.AppendUint64(nil, c.pending()&c.signals.mask)
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
	set &^= unblockable
	if c.pending()&^set == 0 {
		return 0, c.lacks("waiting for a signal that nothing can send")
	}
	c.savedMask, c.useSaved = c.signals.mask, true
	c.signals.mask = set
	c.dirty.Misc = true
	return 0, errno.EINTR
}

func sysPause(c *call) (uint64, error) {
	return 0, c.lacks("waiting for a signal that nothing can send")
}

func sysRtSigtimedwait(c *call) (uint64, error) {
	if c.a[3] != 8 {
		return 0, errno.EINVAL
	}
	set, err := c.u64(c.a[0])
	if err != nil {
		return 0, err
	}
	if c.pending()&set != 0 {
		return c.takeSignal(set)
	}
	if c.a[2] == 0 {
		return 0, c.lacks("waiting for a signal that nothing can send")
	}
	t, err := c.timespecAt(c.a[2])
	if err != nil {
		return 0, err
	}
	c.sleep(t)
	return 0, errno.EAGAIN
}

// takeSignal consumes the first pending signal of set.
func (c *call) takeSignal(set uint64) (uint64, error) {
	mask := c.signals.mask
	c.signals.mask = ^set
	q, _ := c.next()
	c.signals.mask = mask
	if c.a[1] == 0 {
		return uint64(q.Signal), nil
	}
	return uint64(q.Signal), c.store(c.a[1], siginfo(q))
}

// sendTo sends a signal to the process when target names it.
func (c *call) sendTo(target int32, sig int, q Queued) (uint64, error) {
	if sig < 0 || sig >= NSIG {
		return 0, errno.EINVAL
	}
	if target != c.proc.pid {
		return 0, errno.ESRCH
	}
	if sig == 0 {
		return 0, nil
	}
	q.Signal, q.PID = sig, c.proc.pid
	return 0, c.Send(q)
}

func sysKill(c *call) (uint64, error) {
	pid := int32(c.a[0])
	if pid == 0 || pid == -1 || pid == -c.proc.pid {
		pid = c.proc.pid // the process group is the process
	}
	return c.sendTo(pid, int(int32(c.a[1])), Queued{Code: siUser})
}

func sysTkill(c *call) (uint64, error) {
	if int32(c.a[0]) <= 0 {
		return 0, errno.EINVAL
	}
	return c.sendTo(int32(c.a[0]), int(int32(c.a[1])), Queued{Code: siTkill})
}

func sysTgkill(c *call) (uint64, error) {
	if int32(c.a[0]) <= 0 || int32(c.a[1]) <= 0 {
		return 0, errno.EINVAL
	}
	if int32(c.a[1]) != c.proc.tid {
		return 0, errno.ESRCH
	}
	return c.sendTo(int32(c.a[0]), int(int32(c.a[2])), Queued{Code: siTkill})
}

// sysRtSigqueueinfo is also rt_tgsigqueueinfo, whose arguments are shifted by one.
func sysRtSigqueueinfo(c *call) (uint64, error) {
	args := c.a[:]
	if c.row.Name == "rt_tgsigqueueinfo" {
		if int32(c.a[1]) != c.proc.tid {
			return 0, errno.ESRCH
		}
		args = c.a[1:]
	}
	var b [128]byte
	if err := c.load(args[2], b[:]); err != nil {
		return 0, err
	}
	q := Queued{Code: int32(le.Uint32(b[8:])), UID: le.Uint32(b[20:]), Value: le.Uint64(b[24:])}
	return c.sendTo(int32(c.a[0]), int(int32(args[1])), q)
}
