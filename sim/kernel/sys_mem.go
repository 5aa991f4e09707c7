package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Flags of mmap(2).
const (
	mapShared         = 0x1
	mapPrivate        = 0x2
	mapSharedValidate = 0x3
	mapType           = 0xf
	mapFixed          = 0x10
	mapAnonymous      = 0x20
	map32bit          = 0x40
	mapGrowsdown      = 0x100
	mapNoreserve      = 0x4000
	mapHugetlb        = 0x40000
	mapSync           = 0x80000
	mapFixedNoreplace = 0x100000
)

// mapKnown are the flags that MAP_SHARED_VALIDATE knows: those above and
// MAP_DENYWRITE, MAP_EXECUTABLE, MAP_LOCKED, MAP_POPULATE, MAP_NONBLOCK, MAP_STACK.
const mapKnown = mapFixed | mapAnonymous | map32bit | mapGrowsdown | mapNoreserve | mapHugetlb | mapSync | mapFixedNoreplace | 0x3b800

// onPMEM reports whether argument i is a descriptor of a file for direct access.
func (c *call) onPMEM(i int) bool {
	d := c.get(c.fd(i))
	return d != nil && d.kind == FDNode && c.FS.Mount(d.node) == vfs.PMEMMount
}

func sysBrk(c *call) (uint64, error) {
	_, before := c.MM.BrkRange()
	after := c.MM.Brk(c.a[0], finite(c.proc.rlimits[rlimitData][0]))
	if before != after {
		for _, p := range c.procs {
			if p.space == c.proc.space {
				c.touchProcess(p)
			}
		}
	}
	return after, nil
}

// finite turns RLIM_INFINITY into mm's zero for no limit.
func finite(limit uint64) uint64 {
	if limit == rlimInfinity {
		return 0
	}
	return limit
}

func sysMmap(c *call) (uint64, error) {
	flags := c.a[3]
	r := mm.MapRequest{
		Addr: c.a[0], Length: c.a[1], Prot: mm.Prot(c.a[2] & 7), Kind: mm.Anon, Off: c.a[5],
		Fixed: flags&mapFixed != 0, NoReplace: flags&mapFixedNoreplace != 0,
		NoReserve: flags&mapNoreserve != 0, Grows: flags&mapGrowsdown != 0, Low: flags&map32bit != 0,
	}
	switch flags & mapType {
	case mapPrivate:
	case mapShared:
		r.Shared = true
	case mapSharedValidate:
		if flags&^(mapType|mapKnown) != 0 || flags&mapSync != 0 && !c.onPMEM(4) {
			return 0, errno.EOPNOTSUPP
		}
		r.Shared = true
	default:
		return 0, errno.EINVAL
	}
	switch {
	case r.Off&phys.PageMask != 0:
		return 0, errno.EINVAL
	case flags&mapHugetlb != 0:
		return 0, errno.ENOMEM // no huge pages are reserved
	}
	if flags&mapAnonymous == 0 {
		if err := c.mapFile(&r); err != nil {
			return 0, err
		}
	} else {
		r.Off = 0
	}
	return c.MM.Map(r)
}

// mapFile fills in the file that argument 4 names.
func (c *call) mapFile(r *mm.MapRequest) error {
	d, err := c.node(4, errno.ENODEV)
	if err != nil {
		return err
	}
	st, err := c.FS.Stat(d.node)
	switch {
	case err != nil:
		return err
	case d.flags&oPath != 0:
		return errno.EBADF
	case !d.readable():
		return errno.EACCES
	case r.Shared && r.Prot&mm.Write != 0 && !d.writable():
		return errno.EACCES
	case c.FS.Device(d.node) == vfs.DevZero:
		r.Off = 0
		return nil
	case !st.Regular():
		return errno.ENODEV
	}
	r.Kind, r.Node = mm.File, d.node
	if r.Shared && d.writable() {
		r.Kind = mm.Direct
	}
	return nil
}

func sysMunmap(c *call) (uint64, error) { return 0, c.MM.Unmap(c.a[0], c.a[1]) }

// The processor has no protection keys (PKU): none can be had, and memory has none.

func sysPkeyAlloc(c *call) (uint64, error) {
	const accessRights = 3 // PKEY_DISABLE_ACCESS, PKEY_DISABLE_WRITE
	if c.a[0] != 0 || c.a[1]&^accessRights != 0 {
		return 0, errno.EINVAL
	}
	return 0, errno.ENOSPC
}

func sysPkeyFree(*call) (uint64, error) { return 0, errno.EINVAL }

func sysPkeyMprotect(c *call) (uint64, error) {
	if int32(c.a[3]) != -1 {
		return 0, errno.EINVAL
	}
	return sysMprotect(c)
}

func sysMprotect(c *call) (uint64, error) {
	if c.a[2]&^7 != 0 {
		return 0, errno.EINVAL
	}
	return 0, c.MM.Protect(c.a[0], c.a[1], mm.Prot(c.a[2]))
}

func sysMremap(c *call) (uint64, error) {
	const mayMove, fixed = 1, 2
	if c.a[3]&^(mayMove|fixed) != 0 {
		return 0, errno.EINVAL
	}
	return c.MM.Remap(mm.RemapRequest{
		Addr: c.a[0], OldLength: c.a[1], NewLength: c.a[2],
		MayMove: c.a[3]&mayMove != 0, Fixed: c.a[3]&fixed != 0, NewAddr: c.a[4],
	})
}

func sysMadvise(c *call) (uint64, error) {
	at, n := c.a[0], c.a[1]
	switch int32(c.a[2]) {
	case 4, 24: // MADV_DONTNEED, MADV_DONTNEED_LOCKED
		return 0, c.MM.Discard(at, n)
	case 0, 1, 2, 3, 8, 10, 11, 12, 13, 14, 15, 16, 17, 19, 20, 21, 22, 23:
		// advice that changes nothing a program can rely on; MADV_FREE keeps the pages
		pages := (n + phys.PageMask) &^ phys.PageMask
		switch {
		case at&phys.PageMask != 0, pages < n, at+pages < at:
			return 0, errno.EINVAL
		case !c.MM.Covers(at, n):
			return 0, errno.ENOMEM
		}
		return 0, nil
	}
	return 0, errno.EINVAL // to MADV_WIPEONFORK too, which no child could rely on
}

// sysMlockall has nothing to do: nothing is ever moved out.
func sysMlockall(c *call) (uint64, error) {
	const current, future, onFault = 1, 2, 4
	if f := c.a[0]; f&^(current|future|onFault) != 0 || f&(current|future) == 0 {
		return 0, errno.EINVAL
	}
	return 0, nil
}

func sysMsync(c *call) (uint64, error) {
	const async, invalidate, sync = 1, 2, 4
	if c.a[0]&phys.PageMask != 0 || c.a[2]&^(async|invalidate|sync) != 0 || c.a[2]&(async|sync) == async|sync {
		return 0, errno.EINVAL
	}
	if !c.MM.Covers(c.a[0], c.a[1]) {
		return 0, errno.ENOMEM
	}
	if c.a[2]&sync != 0 {
		for _, p := range c.MM.SharedFiles(c.a[0], c.a[1]) {
			c.FS.SyncPages(p.Node, p.First, p.Last)
		}
	}
	return 0, nil
}

func sysMincore(c *call) (uint64, error) {
	const most = 1 << 36 // bytes asked about
	if c.a[1] > most {
		return 0, errno.ENOMEM
	}
	pages, err := c.MM.Resident(c.a[0], c.a[1])
	if err != nil {
		return 0, err
	}
	b := make([]byte, len(pages))
	for i, in := range pages {
		if in {
			b[i] = 1
		}
	}
	return 0, c.store(c.a[2], b)
}
