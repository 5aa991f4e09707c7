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
	mapLocked         = 0x2000
	mapPopulate       = 0x8000
	mapNonblock       = 0x10000
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
	grown := c.a[0] - before
	if c.a[0] > before && c.MM.LockNext() != 0 && !c.lockable(grown) {
		return before, nil
	}
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

// finite turns RLIM_INFINITY into mm's zero for no limit; a limit of nothing is one byte,
// which is as good.
func finite(limit uint64) uint64 {
	switch limit {
	case rlimInfinity:
		return 0
	case 0:
		return 1
	}
	return limit
}

func sysMmap(c *call) (uint64, error) {
	flags := c.a[3]
	r := mm.MapRequest{
		Addr: c.a[0], Length: c.a[1], Prot: c.implied(mm.Prot(c.a[2] & 7)), Kind: mm.Anon, Off: c.a[5],
		Fixed: flags&mapFixed != 0, NoReplace: flags&mapFixedNoreplace != 0,
		NoReserve: flags&mapNoreserve != 0, Grows: flags&mapGrowsdown != 0, Low: flags&map32bit != 0,
		Anywhere: c.thread.who().can(capSysRawio),
	}
	if r.Off&phys.PageMask != 0 {
		return 0, errno.EINVAL
	}
	d, err := c.mapped(flags)
	switch {
	case err != nil:
		return 0, err
	case r.Length == 0:
		return 0, errno.EINVAL
	case r.Length > ^uint64(phys.PageMask):
		return 0, errno.ENOMEM
	}
	if err := c.MM.Place(&r); err != nil {
		return 0, err
	}
	if err := c.lockNew(&r, flags&mapLocked != 0); err != nil {
		return 0, err
	}
	if d == nil {
		switch flags & mapType {
		case mapShared:
			if r.Shared = true; r.Grows {
				return 0, errno.EINVAL
			}
		case mapPrivate:
		default:
			return 0, errno.EINVAL
		}
		r.Off = 0
	} else if err := c.mapFile(&r, d, flags); err != nil {
		return 0, err
	}
	at, err := c.MM.Map(r)
	if err == nil && flags&(mapPopulate|mapNonblock) == mapPopulate && r.Prot != 0 {
		_ = c.MM.Populate(at, at+(r.Length+phys.PageMask)&^phys.PageMask, r.Prot&mm.Write != 0 && !r.Shared)
	}
	return at, err
}

// implied adds what personality(2) implies to a protection.
func (c *call) implied(p mm.Prot) mm.Prot {
	if p&mm.Read != 0 && c.thread.persona&readImpliesExec != 0 {
		p |= mm.Exec
	}
	return p
}

// mapped returns what argument 4 of mmap names, nil for anonymous memory.
func (c *call) mapped(flags uint64) (*desc, error) {
	if flags&mapAnonymous == 0 {
		d, err := c.desc(4)
		switch {
		case err != nil:
		case flags&mapHugetlb != 0:
			err = errno.EINVAL
		}
		return d, err
	}
	if flags&mapHugetlb != 0 {
		const shift, sizes = 26, 1 | 1<<21 | 1<<30 // what the six bits may say: the usual, 2 MiB, 1 GiB
		if sizes>>(flags>>shift&0x3f)&1 == 0 {
			return nil, errno.EINVAL
		}
		if c.a[1] == 0 {
			return nil, errno.EINVAL
		}
		return nil, errno.ENOMEM // no huge pages are reserved
	}
	return nil, nil
}

// isFile reports whether a description is of a regular file.
func (c *call) isFile(d *desc) bool {
	if d.kind != FDNode {
		return false
	}
	st, err := c.FS.Stat(d.node)
	return err == nil && st.Regular()
}

// mapFile fills in the file that d is open on.
func (c *call) mapFile(r *mm.MapRequest, d *desc, flags uint64) error {
	if r.Off+(r.Length+phys.PageMask)&^phys.PageMask <= r.Off {
		return errno.EOVERFLOW
	}
	switch flags & mapType {
	case mapSharedValidate:
		if flags&^(mapType|mapKnown) != 0 || flags&mapSync != 0 && !c.isFile(d) {
			return errno.EOPNOTSUPP
		}
		fallthrough
	case mapShared:
		if r.Shared = true; r.Prot&mm.Write != 0 && !d.writable() {
			return errno.EACCES
		}
	case mapPrivate:
	default:
		return errno.EINVAL
	}
	if !d.readable() {
		return errno.EACCES
	}
	if d.kind != FDNode {
		return errno.ENODEV
	}
	st, err := c.FS.Stat(d.node)
	switch {
	case err != nil:
		return err
	case c.FS.Device(d.node) == vfs.DevZero:
		if r.Off = 0; r.Grows {
			return errno.EINVAL
		}
		if r.Shared && !d.writable() {
			r.Attr |= mm.NeverWrite
		}
		return nil
	case !st.Regular():
		return errno.ENODEV
	case r.Grows:
		return errno.EINVAL
	case flags&mapSync != 0 && flags&mapType == mapSharedValidate && !c.onPMEM(4):
		return errno.EOPNOTSUPP
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
	const sem, growsDown, growsUp = 8, 0x1000000, 0x2000000
	at, n, prot := c.a[0], c.a[1], c.a[2]&^(growsDown|growsUp)
	switch grows := c.a[2] & (growsDown | growsUp); {
	case grows == growsDown|growsUp, at&phys.PageMask != 0:
		return 0, errno.EINVAL
	case n == 0:
		return 0, nil
	case at+(n+phys.PageMask)&^phys.PageMask <= at:
		return 0, errno.ENOMEM
	case prot&^(7|sem) != 0:
		return 0, errno.EINVAL
	case grows != 0:
		v, ok := c.MM.Next(at)
		switch end := at + (n+phys.PageMask)&^phys.PageMask; {
		case !ok || v.Start >= end, grows == growsUp && v.Start > at:
			return 0, errno.ENOMEM
		case grows == growsUp || !v.Grows:
			return 0, errno.EINVAL
		default:
			n, at = end-v.Start, v.Start
		}
	}
	return 0, c.MM.Protect(at, n, c.implied(mm.Prot(prot&7)))
}

func sysMremap(c *call) (uint64, error) {
	const mayMove, fixed, dontUnmap = 1, 2, 4
	f := c.a[3]
	if f&^(mayMove|fixed|dontUnmap) != 0 || f&dontUnmap != 0 && f&mayMove == 0 {
		return 0, errno.EINVAL
	}
	r := mm.RemapRequest{
		Addr: c.a[0], OldLength: c.a[1], NewLength: c.a[2],
		MayMove: f&mayMove != 0, Fixed: f&fixed != 0, NewAddr: c.a[4], Stay: f&dontUnmap != 0,
	}
	if r.NewLength > r.OldLength && c.MM.LockedIn(r.Addr, r.Addr+1) != 0 && !c.lockable(r.NewLength-r.OldLength) {
		return 0, errno.EAGAIN
	}
	return c.MM.Remap(r)
}

func sysMsync(c *call) (uint64, error) {
	const async, invalidate, sync = 1, 2, 4
	at := c.a[0]
	if at&phys.PageMask != 0 || c.a[2]&^(async|invalidate|sync) != 0 || c.a[2]&(async|sync) == async|sync {
		return 0, errno.EINVAL
	}
	end := at + (c.a[1]+phys.PageMask)&^phys.PageMask
	switch {
	case end < at:
		return 0, errno.ENOMEM
	case end == at:
		return 0, nil
	}
	next, hole := at, false
	for _, v := range c.MM.Pieces(at, min(end, mm.TaskSize)) {
		hole = hole || v.Start != next
		if next = v.End; c.a[2]&invalidate != 0 && v.Attr&mm.Locked != 0 {
			return 0, errno.EBUSY
		}
	}
	if c.a[2]&sync != 0 {
		for _, p := range c.MM.SharedFiles(at, min(end, mm.TaskSize)-at) {
			c.FS.SyncPages(p.Node, p.First, p.Last)
		}
	}
	if hole || next < end {
		return 0, errno.ENOMEM
	}
	return 0, nil
}

func sysMincore(c *call) (uint64, error) {
	const most = 1 << 36 // bytes asked about
	at, n := c.a[0], c.a[1]
	switch {
	case at&phys.PageMask != 0:
		return 0, errno.EINVAL
	case n > most, at > mm.TaskSize, n > mm.TaskSize-at:
		return 0, errno.ENOMEM
	}
	next, end := at, at+(n+phys.PageMask)&^phys.PageMask
	for _, v := range c.MM.Pieces(at, min(end, mm.TaskSize)) {
		if v.Start != next {
			break
		}
		pages, err := c.MM.Resident(v.Start, v.Size())
		if err != nil {
			return 0, err
		}
		b := make([]byte, len(pages))
		for i, in := range pages {
			if in {
				b[i] = 1
			}
		}
		if err := c.store(c.a[2]+(v.Start-at)>>phys.PageShift, b); err != nil {
			return 0, err
		}
		next = v.End
	}
	if next < end {
		return 0, errno.ENOMEM
	}
	return 0, nil
}
