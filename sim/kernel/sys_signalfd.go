package kernel

import "zhuque/sim/kernel/errno"

// A signal descriptor keeps its set of signals where others have their offset.

const signalfdSize = 128 // struct signalfd_siginfo

func sysSignalfd(c *call) (uint64, error) { return c.signalfd(0) }

func sysSignalfd4(c *call) (uint64, error) {
	return c.signalfd(c.a[3])
}

func (c *call) signalfd(flags uint64) (uint64, error) {
	if c.a[2] != 8 {
		return 0, errno.EINVAL
	}
	set, err := c.u64(c.a[1])
	if err == nil && flags&^(oCloexec|oNonblock) != 0 {
		err = errno.EINVAL
	}
	if err != nil {
		return 0, err
	}
	set &^= unblockable
	if num := c.fd(0); num != -1 {
		d, err := c.desc(0)
		if err == nil && d.kind != FDSignal {
			err = errno.EINVAL
		}
		if err != nil {
			return 0, err
		}
		d.off = int64(set)
		c.touchDesc(d.id)
		return uint64(num), nil
	}
	num, err := c.install(desc{kind: FDSignal, off: int64(set), flags: oRdwr | uint32(flags)&oNonblock},
		flags&oCloexec != 0)
	return uint64(num), err
}

// peekSignals returns the pending signals of the caller that a read of a signal
// descriptor gives, without taking them.
func (c *call) peekSignals(d *desc, n int) ([]byte, error) {
	if n < signalfdSize {
		return nil, errno.EINVAL
	}
	set := uint64(d.off)
	var out []byte
	own, shared := c.thread.queue, c.proc.queue
	for len(out)+signalfdSize <= n {
		q, ok := take(&own, ^set)
		if !ok {
			q, ok = take(&shared, ^set)
		}
		if !ok {
			break
		}
		b := make([]byte, signalfdSize)
		le.PutUint32(b, uint32(q.Signal))
		le.PutUint32(b[8:], uint32(q.Code))
		switch {
		case q.Code == siTimer:
			le.PutUint32(b[24:], uint32(q.PID))
			le.PutUint32(b[32:], c.overrunOf(q))
		default:
			le.PutUint32(b[12:], uint32(q.PID))
			le.PutUint32(b[16:], q.UID)
		}
		if q.Signal == SIGCHLD {
			le.PutUint32(b[40:], uint32(q.Value))
		} else {
			le.PutUint32(b[44:], uint32(q.Value))
			le.PutUint64(b[48:], q.Value)
		}
		out = append(out, b...)
	}
	switch {
	case len(out) > 0:
		return out, nil
	case d.flags&oNonblock != 0:
		return nil, errno.EAGAIN
	}
	return nil, c.waitFor(wait{signals: set, deadline: forever})
}

// overrunOf returns the overruns that a timer's signal tells of when it is taken now.
func (k *Kernel) overrunOf(q Queued) uint32 {
	if t := k.timerOf(q); t != nil && t.rests {
		return uint32(overruns(max(1, k.expired(&t.schedule)) - 1))
	}
	return 0
}

// takeSignals makes n peeked bytes of signals read.
func (c *call) takeSignals(d *desc, n int) {
	for ; n >= signalfdSize; n -= signalfdSize {
		c.Kernel.next(^uint64(d.off))
	}
}
