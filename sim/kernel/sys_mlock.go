package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/phys"
)

// Memory is never moved out here, so that locking it changes what calls answer alone: what
// cannot be given up, how much there may be, what a child does not have. Source: mlock(2).

// memlock returns how much may be locked, in bytes; ok is false where nothing may.
func (c *call) memlock() (limit uint64, ok bool) {
	if c.thread.who().can(capIpcLock) {
		return rlimInfinity, true
	}
	limit = c.proc.rlimits[rlimitMemlock][0] &^ phys.PageMask
	return limit, c.proc.rlimits[rlimitMemlock][0] != 0
}

// lockable reports whether size bytes more may be locked.
func (c *call) lockable(size uint64) bool {
	limit, _ := c.memlock()
	return c.MM.Lockable((size+phys.PageMask)&^phys.PageMask, limit)
}

// lockNew makes a new mapping locked where it or mlockall(MCL_FUTURE) says so.
func (c *call) lockNew(r *mm.MapRequest, asked bool) error {
	if asked {
		if _, ok := c.memlock(); !ok {
			return errno.EPERM
		}
		r.Attr |= mm.Locked
	}
	if (r.Attr|c.MM.LockNext())&mm.Locked != 0 && !c.lockable(r.Length) {
		return errno.EAGAIN
	}
	return nil
}

// lockedPages returns the pages of the first two arguments.
func (c *call) lockedPages() (lo, hi uint64) {
	lo = c.a[0] &^ phys.PageMask
	return lo, lo + (c.a[1]+c.a[0]&phys.PageMask+phys.PageMask)&^phys.PageMask
}

func sysMlock(c *call) (uint64, error) { return 0, c.mlock(mm.Locked) }

func sysMlock2(c *call) (uint64, error) {
	const onFault = 1
	switch c.a[2] {
	case 0:
		return 0, c.mlock(mm.Locked)
	case onFault:
		return 0, c.mlock(mm.Locked | mm.OnFault)
	}
	return 0, errno.EINVAL
}

func (c *call) mlock(how mm.Attr) error {
	limit, ok := c.memlock()
	if !ok {
		return errno.EPERM
	}
	lo, hi := c.lockedPages()
	if size := hi - lo; hi >= lo && !c.MM.Lockable(size, limit) &&
		!c.MM.Lockable(size-min(size, c.MM.LockedIn(lo, hi)), limit) {
		return errno.ENOMEM
	}
	switch {
	case hi < lo:
		return errno.EINVAL
	case lo == hi:
		return nil
	}
	if err := c.MM.SetAttr(lo, hi, how, mm.Locked|mm.OnFault, false, nil); err != nil || how&mm.OnFault != 0 {
		return err
	}
	for _, v := range c.MM.Pieces(lo, hi) {
		if v.Prot == 0 {
			return errno.ENOMEM // locked, but not to be had
		}
	}
	return nil
}

func sysMunlock(c *call) (uint64, error) {
	lo, hi := c.lockedPages()
	switch {
	case hi < lo:
		return 0, errno.EINVAL
	case lo == hi:
		return 0, nil
	}
	return 0, c.MM.SetAttr(lo, hi, 0, mm.Locked|mm.OnFault, false, nil)
}

func sysMlockall(c *call) (uint64, error) {
	const current, future, onFault = 1, 2, 4
	f := c.a[0]
	if f&^(current|future|onFault) != 0 || f&(current|future) == 0 {
		return 0, errno.EINVAL
	}
	limit, ok := c.memlock()
	switch {
	case !ok:
		return 0, errno.EPERM
	case f&current != 0 && c.MM.Mapped() > limit:
		return 0, errno.ENOMEM
	}
	how := mm.Locked
	if f&onFault != 0 {
		how |= mm.OnFault
	}
	next := mm.Attr(0)
	if f&future != 0 {
		next = how
	}
	c.lockAll(next)
	if f&current != 0 {
		_ = c.MM.SetAttr(0, mm.TaskSize, how, mm.Locked|mm.OnFault, true, nil) // between the mappings is nothing
	}
	return 0, nil
}

func sysMunlockall(c *call) (uint64, error) {
	c.lockAll(0)
	_ = c.MM.SetAttr(0, mm.TaskSize, 0, mm.Locked|mm.OnFault, true, nil) // as in sysMlockall
	return 0, nil
}

// lockAll sets what new mappings are locked with.
func (c *call) lockAll(next mm.Attr) {
	if c.MM.LockNext() == next {
		return
	}
	c.MM.SetLockNext(next)
	for _, p := range c.procs {
		if p.space == c.proc.space {
			c.touchProcess(p)
		}
	}
}
