package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/phys"
)

// Advice of madvise(2).
const (
	madvWillneed       = 3
	madvDontneed       = 4
	madvFree           = 8
	madvRemove         = 9
	madvDontfork       = 10
	madvDofork         = 11
	madvWipeonfork     = 18
	madvKeeponfork     = 19
	madvCold           = 20
	madvPageout        = 21
	madvPopulateRead   = 22
	madvPopulateWrite  = 23
	madvDontneedLocked = 24
	madvCollapse       = 25 // into huge pages

	// madvHarmless is advice that changes nothing a program can rely on: NORMAL, RANDOM,
	// SEQUENTIAL, WILLNEED, MERGEABLE to DODUMP.
	madvHarmless = 1<<0 | 1<<1 | 1<<2 | 1<<madvWillneed | 0x3f<<12
	madvKnown    = madvHarmless | 1<<madvDontneed | 1<<madvFree | 1<<madvRemove | 1<<madvDontfork | 1<<madvDofork | 0xff<<madvWipeonfork
)

func sysMadvise(c *call) (uint64, error) {
	at, n, advice := c.a[0], c.a[1], int32(c.a[2])
	size := (n + phys.PageMask) &^ phys.PageMask
	switch {
	case advice < 0 || advice > madvCollapse || madvKnown>>advice&1 == 0,
		at&phys.PageMask != 0, size < n, at+size < at:
		return 0, errno.EINVAL
	case size == 0:
		return 0, nil
	}
	end := min(at+size, mm.TaskSize)
	if at > end {
		return 0, errno.ENOMEM
	}
	var err error
	switch advice {
	case madvPopulateRead, madvPopulateWrite:
		return 0, c.populate(at, at+size, advice == madvPopulateWrite)
	case madvDontfork:
		err = c.MM.SetAttr(at, end, mm.DontFork, 0, true, nil)
	case madvDofork:
		err = c.MM.SetAttr(at, end, 0, mm.DontFork, true, nil)
	case madvWipeonfork:
		err = c.MM.SetAttr(at, end, mm.WipeOnFork, 0, true, func(v *mm.VMA) error {
			if v.Shared || v.Kind == mm.File || v.Kind == mm.Copy {
				return errno.EINVAL
			}
			return nil
		})
	case madvKeeponfork:
		err = c.MM.SetAttr(at, end, 0, mm.WipeOnFork, true, nil)
	default:
		err = c.advise(at, end, advice)
	}
	if err == nil && end < at+size {
		err = errno.ENOMEM
	}
	return 0, err
}

// advise is the advice that is about the content of memory, mapping by mapping.
func (c *call) advise(at, end uint64, advice int32) error {
	next, hole := at, false
	for _, v := range c.MM.Pieces(at, end) {
		hole = hole || v.Start != next
		next = v.End
		locked := v.Attr&mm.Locked != 0
		switch advice {
		case madvDontneed, madvDontneedLocked:
			if locked && advice == madvDontneed {
				return errno.EINVAL
			}
			if err := c.MM.Discard(v.Start, v.Size()); err != nil {
				return err
			}
		case madvFree:
			if locked || v.Shared || v.Kind == mm.File || v.Kind == mm.Copy {
				return errno.EINVAL
			}
		case madvRemove:
			if err := c.punch(&v); err != nil {
				return err
			}
		case madvCollapse:
			const huge = 2 << 20
			if first := (v.Start + huge - 1) &^ (huge - 1); first+huge > v.End {
				return errno.EINVAL
			}
		case madvCold, madvPageout:
			if locked {
				return errno.EINVAL
			}
		}
	}
	if hole || next < end {
		return errno.ENOMEM
	}
	return nil
}

// punch is MADV_REMOVE: what a shared mapping shows of its file becomes a hole there.
func (c *call) punch(v *mm.VMA) error {
	switch {
	case v.Attr&mm.Locked != 0, !v.Shared && v.Kind != mm.File && v.Kind != mm.Copy:
		return errno.EINVAL
	case v.Kind == mm.Direct:
		if err := c.FS.Zero(v.Node, int64(v.Off), int64(v.Size())); err != nil {
			return err
		}
		c.fileChanged(v.Node)
		return nil
	case v.Shared && v.Kind == mm.Anon && v.Attr&mm.NeverWrite == 0:
		c.MM.Zero(v)
		return nil
	}
	return errno.EACCES
}

// populate is MADV_POPULATE_READ and MADV_POPULATE_WRITE.
func (c *call) populate(at, end uint64, write bool) error {
	next := at
	for _, v := range c.MM.Pieces(at, min(end, mm.TaskSize)) {
		switch {
		case v.Start != next:
			return errno.ENOMEM
		case v.Prot == 0, write && v.Prot&mm.Write == 0:
			return errno.EINVAL
		}
		if err := c.MM.Populate(v.Start, v.End, write); err != nil {
			return err
		}
		next = v.End
	}
	if next < end {
		return errno.ENOMEM
	}
	return nil
}
