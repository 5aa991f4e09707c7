package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

// Flags of clone(2).
const (
	cloneVM            = 0x100
	cloneFS            = 0x200
	cloneFiles         = 0x400
	cloneSighand       = 0x800
	clonePidfd         = 0x1000
	clonePtrace        = 0x2000
	cloneVfork         = 0x4000
	cloneParent        = 0x8000
	cloneThread        = 0x10000
	cloneSysvsem       = 0x40000
	cloneSettls        = 0x80000
	cloneParentSettid  = 0x100000
	cloneChildCleartid = 0x200000
	cloneDetached      = 0x400000
	cloneUntraced      = 0x800000
	cloneChildSettid   = 0x1000000
	cloneIO            = 0x80000000

	cloneThreadFlags = cloneVM | cloneFS | cloneFiles | cloneSighand | cloneThread
)

// cloneArgs is what clone and clone3 ask for.
type cloneArgs struct {
	flags               uint64
	stack, tls          uint64
	parentTID, childTID uint64
	signal              uint64 // sent to the parent at the end of a process
}

func sysClone(c *call) (uint64, error) {
	return c.clone(cloneArgs{flags: c.a[0] &^ 0xff, signal: c.a[0] & 0xff,
		stack: c.a[1], parentTID: c.a[2], childTID: c.a[3], tls: c.a[4]})
}

// sysClone3 reads the arguments as struct clone_args.
func sysClone3(c *call) (uint64, error) {
	const oldest, newest = 64, 88
	switch {
	case c.a[1] < oldest:
		return 0, errno.EINVAL
	case c.a[1] > newest:
		return 0, errno.E2BIG
	}
	b := make([]byte, newest)
	if err := c.load(c.a[0], b[:c.a[1]]); err != nil {
		return 0, err
	}
	word := func(i int) uint64 { return le.Uint64(b[8*i:]) }
	a := cloneArgs{flags: word(0), childTID: word(2), parentTID: word(3), signal: word(4), tls: word(7)}
	if word(5) != 0 {
		a.stack = word(5) + word(6)
	}
	if a.flags&0xff != 0 || a.signal&^0xff != 0 || word(8) != 0 || (word(5) == 0) != (word(6) == 0) {
		return 0, errno.EINVAL
	}
	return c.clone(a)
}

func (c *call) clone(a cloneArgs) (uint64, error) {
	f := a.flags
	if f&cloneThread == 0 {
		return c.forkProcess(a)
	}
	switch {
	case f&cloneSighand == 0, f&cloneVM == 0:
		return 0, errno.EINVAL
	case f&cloneThreadFlags != cloneThreadFlags || f&(clonePidfd|clonePtrace|cloneVfork|cloneParent) != 0:
		return 0, c.lacks("a thread with flags %#x", f)
	case f&^(cloneThreadFlags|cloneSysvsem|cloneSettls|cloneParentSettid|cloneChildCleartid|cloneChildSettid|cloneDetached|cloneUntraced|cloneIO) != 0:
		return 0, errno.EINVAL
	case c.thread.sched.undivided(), len(c.threads) >= maxThreads ||
		uint64(len(c.threads)) >= c.proc.rlimits[rlimitNproc][0]:
		return 0, errno.EAGAIN
	case f&cloneSettls != 0 && a.tls >= 1<<47:
		return 0, errno.EPERM
	}
	t := c.newThread(a, c.proc, c.newTID())
	for _, va := range []struct {
		flag, at uint64
	}{{cloneParentSettid, a.parentTID}, {cloneChildSettid, a.childTID}} {
		if f&va.flag != 0 {
			_ = c.put32(va.at, uint32(t.tid)) // as in Linux, an address that is not writable is the caller's trouble
		}
	}
	return uint64(t.tid), nil
}

// TakeBorn returns the threads that the last call made, whose registers the
// runtime has not seen.
func (k *Kernel) TakeBorn() []int32 {
	b := k.born
	k.born = nil
	return b
}

// sysExit ends the thread, and with the last one the process.
func sysExit(c *call) (uint64, error) {
	if len(c.members(c.proc)) == 1 {
		return sysExitGroup(c)
	}
	c.endThread(c.thread)
	return 0, nil
}

func sysExitGroup(c *call) (uint64, error) {
	c.endProcess(int(c.a[0]&0xff), 0)
	return 0, nil
}

// endThread ends the current thread: who waits for its end is told.
func (c *call) endThread(t *Thread) {
	c.leaveRobust(t, false)
	if t.clearTID != 0 {
		if c.put32(t.clearTID, 0) == nil {
			c.futexWake(t.clearTID, 1, futexAllBits, true)
		}
	}
	c.removeThread(t)
	c.gone = true
}

// sysSchedYield lets another thread run.
func sysSchedYield(c *call) (uint64, error) {
	c.yield = true
	return 0, nil
}

// sysOwnPID answers getpgid and getsid.
func sysOwnPID(c *call) (uint64, error) {
	p := c.proc
	if pid := int32(c.a[0]); pid != 0 {
		if p = c.processWith(pid); p == nil {
			return 0, errno.ESRCH
		}
	}
	if c.row.Name == "getsid" {
		return uint64(p.sid), nil
	}
	return uint64(p.pgid), nil
}

func sysGetpgrp(c *call) (uint64, error) { return uint64(c.proc.pgid), nil }

// sysSetsid starts a session; a group leader cannot.
func sysSetsid(c *call) (uint64, error) {
	if slices.ContainsFunc(c.procs, func(p *Process) bool { return p.pgid == c.proc.pid }) {
		return 0, errno.EPERM
	}
	c.proc.pgid, c.proc.sid = c.proc.pid, c.proc.pid
	c.touchProcess(c.proc)
	return uint64(c.proc.pid), nil
}

func sysSetpgid(c *call) (uint64, error) {
	pid, pgid := int32(c.a[0]), int32(c.a[1])
	p := c.proc
	if pid != 0 {
		p = c.processWith(pid)
	}
	if pgid == 0 {
		pgid = pid
	}
	switch {
	case pgid < 0, p != nil && pid != 0 && p.pid != pid:
		return 0, errno.EINVAL
	case p == nil || p != c.proc && p.ppid != c.proc.pid:
		return 0, errno.ESRCH
	case pgid == 0:
		pgid = p.pid
	}
	if p.sid == p.pid && pgid != p.pgid || pgid != p.pid && !slices.ContainsFunc(c.procs, func(q *Process) bool { return q.pgid == pgid && q.sid == p.sid }) {
		return 0, errno.EPERM
	}
	if p.pgid != pgid {
		p.pgid = pgid
		c.touchProcess(p)
	}
	return 0, nil
}
