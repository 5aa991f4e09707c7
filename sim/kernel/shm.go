package kernel

import (
	"fmt"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// A segment of shared memory is a file without a name, of which processes map the frames:
// they are persistent memory, and what maps them is a mapping like others. How often a
// segment is attached follows from the mappings; each call that changes it is noticed when
// it ends. Sources: shmget(2), shmop(2), shmctl(2), ipc/shm.c.

// Limits and flags of shared memory.
const (
	shmMax   = 1<<64 - 1 - 1<<24
	shmPlace = 4096 // SHMMNI

	shmRdonly  = 0o10000
	shmRnd     = 0o20000
	shmRemap   = 0o40000
	shmExec    = 0o100000
	shmHugetlb = 0o4000
	shmDest    = 0o1000 // of the mode: removed when nobody has it attached any more
	shmLocked  = 0o2000

	shmLock    = 11
	shmUnlock  = 12
	shmStat    = 13
	shmInfo    = 14
	shmStatAny = 15
)

// segment is a segment of shared memory.
type segment struct {
	id           int
	ipcPerm      ipcPerm
	node         vfs.NodeID
	size         uint64
	atime, dtime phys.Nanos
	cpid, lpid   int32
	attached     int // mappings, when the last call ended
}

func (s *segment) ident() int     { return s.id }
func (s *segment) perm() *ipcPerm { return &s.ipcPerm }

func (s *segment) code(c *codec) {
	s.ipcPerm.code(c)
	code(c, &s.node)
	code(c, &s.size)
	code(c, &s.atime)
	code(c, &s.dtime)
	code(c, &s.cpid)
	code(c, &s.lpid)
}

// segmentKind is the row of segments among the kinds of objects.
var segmentKind = kindOf{name: "segment", make: func() object { return &segment{} },
	find: func(k *Kernel, key Key) object { return found(ipcFind(k.files.ipc.segments, int(key.A))) },
	keys: func(k *Kernel, add func(Key)) { ipcKeys(k.files.ipc.segments, KindSegment, add) },
	restore: func(k *restorer, r *Record) error {
		s := appended(&k.files.ipc.segments, segment{id: int(r.Key.A)}, k.alike)
		err := k.read(r, s)
		if err == nil {
			k.FS.Ref(s.node)
		}
		return err
	},
	check: func(k *Kernel) error {
		for i := range k.files.ipc.segments {
			s := &k.files.ipc.segments[i]
			if st, err := k.FS.Stat(s.node); err != nil || !st.Regular() || uint64(st.Size) != ipcPage(s.size) {
				return bad("segment %d has no memory", s.id)
			}
			s.attached = k.attachments(s.node)
		}
		return nil
	},
}

func shmCalls() []Call {
	return []Call{
		works(29, "shmget", "num,size,flags", sysShmget),
		works(30, "shmat", "num,ptr,flags", sysShmat),
		partly(31, "shmctl", "num,num,ptr", "that a segment is locked is kept only", sysShmctl),
		works(67, "shmdt", "ptr", sysShmdt),
	}
}

func sysShmget(c *call) (uint64, error) {
	size, flags := c.a[1], c.a[2]
	fits := func(s *segment) bool { return size <= s.size }
	return ipcGet(c, c.files.ipc.segments, flags, fits, func(p ipcPerm) (uint64, error) {
		const noReserve = 0o10000
		switch {
		case size < 1, size > shmMax:
			return 0, errno.EINVAL
		case len(c.files.ipc.segments) >= shmPlace:
			return 0, errno.ENOSPC
		case flags&shmHugetlb != 0:
			return 0, errno.ENOMEM // no huge pages are reserved
		case size > mm.TaskSize, flags&noReserve == 0 && size > uint64(c.cfg.MemTotal):
			return 0, errno.ENOMEM
		}
		node, err := c.FS.Memory(fmt.Sprintf("SYSV%08x", uint32(p.key)), int64(ipcPage(size)))
		if err != nil {
			return 0, errno.ENOMEM
		}
		return uint64(ipcEnter(c, &c.files.ipc.segments, KindSegment, func(id int) segment {
			return segment{id: id, ipcPerm: p, node: node, size: size, cpid: c.proc.pid}
		})), nil
	})
}

func sysShmat(c *call) (uint64, error) {
	at, flags := c.a[1], c.a[2]
	if c.fd(0) < 0 {
		return 0, errno.EINVAL
	}
	switch {
	case at&phys.PageMask != 0 && flags&shmRnd == 0, at == 0 && flags&shmRemap != 0:
		return 0, errno.EINVAL
	case at&phys.PageMask != 0:
		if at &^= phys.PageMask; at == 0 && flags&shmRemap != 0 {
			return 0, errno.EINVAL
		}
	}
	r := mm.MapRequest{Addr: at, Prot: mm.Read | mm.Write, Shared: true,
		Kind: mm.Direct, Fixed: c.a[1] != 0, Anywhere: c.thread.who().can(capSysRawio)}
	want := uint32(ipcRead | ipcWrite)
	if flags&shmRdonly != 0 {
		r.Prot, r.Attr, want = mm.Read, mm.NeverWrite, ipcRead
	}
	if flags&shmExec != 0 {
		r.Prot |= mm.Exec
		want |= ipcExec
	}
	s, err := ipcOf(c, c.files.ipc.segments, want)
	if err != nil {
		return 0, err
	}
	r.Node, r.Length, r.Prot = s.node, ipcPage(s.size), c.implied(r.Prot)
	if at != 0 && flags&shmRemap == 0 {
		if at+r.Length < at {
			return 0, errno.EINVAL
		}
		if v, ok := c.MM.Next(at); ok && v.Start < at+r.Length {
			return 0, errno.EINVAL
		}
	}
	if err := c.MM.Place(&r); err != nil {
		return 0, err
	}
	if err := c.lockNew(&r, false); err != nil {
		return 0, err
	}
	return c.MM.Map(r)
}

// sysShmdt unmaps what is left of the mapping of a segment that was attached at an address.
func sysShmdt(c *call) (uint64, error) {
	at, done := c.a[0], false
	if at&phys.PageMask != 0 {
		return 0, errno.EINVAL
	}
	var of segment
	for v, ok := c.MM.Next(at); ok; v, ok = c.MM.Next(v.End) {
		if done && v.Start-at >= ipcPage(of.size) {
			break
		}
		if v.Kind != mm.Direct || v.Start-at != v.Off || done && v.Node != of.node {
			continue
		}
		if s := c.files.ipc.segmentAt(v.Node); s != nil {
			if err := c.MM.Unmap(v.Start, v.Size()); err != nil {
				return 0, err
			}
			of, done = *s, true
		}
	}
	if !done {
		return 0, errno.EINVAL
	}
	return 0, nil
}

// segmentAt returns the segment whose memory is a node, nil for another node.
func (o *ipcObjects) segmentAt(node vfs.NodeID) *segment {
	for i := range o.segments {
		if o.segments[i].node == node {
			return &o.segments[i]
		}
	}
	return nil
}

func sysShmctl(c *call) (uint64, error) {
	list := c.files.ipc.segments
	if c.fd(0) < 0 || int32(c.a[1]) < 0 {
		return 0, errno.EINVAL
	}
	switch cmd := uint32(c.a[1]); cmd {
	case ipcInfo:
		return uint64(ipcLast(list)), c.store(c.a[2], words(nil, shmMax, 1, shmPlace, shmPlace, shmMax, 0, 0, 0, 0))
	case shmInfo:
		total, there := c.files.ipc.segmentPages(c.Kernel)
		return uint64(ipcLast(list)), c.store(c.a[2], words(nil, uint64(len(list)), total, there, 0, 0, 0))
	case shmStat, shmStatAny:
		s := ipcAt(list, c.fd(0))
		if s == nil {
			return 0, errno.EINVAL
		}
		if err := c.ipcPermit(&s.ipcPerm, ipcRead); err != nil && cmd == shmStat {
			return 0, err
		}
		return uint64(s.id), c.store(c.a[2], s.stat())
	case ipcStat:
		s, err := ipcOf(c, list, ipcRead)
		if err != nil {
			return 0, err
		}
		return 0, c.store(c.a[2], s.stat())
	case ipcSet, ipcRmid:
		return 0, c.changeSegment(cmd)
	case shmLock, shmUnlock:
		return 0, c.lockSegment(cmd == shmLock)
	}
	return 0, errno.EINVAL
}

// stat is a struct shmid64_ds.
func (s *segment) stat() []byte {
	b := words(s.ipcPerm.append(nil, s.id), s.size, seconds(s.atime), seconds(s.dtime), seconds(s.ipcPerm.ctime))
	return words(halves(b, int(s.cpid), int(s.lpid)), uint64(s.attached), 0, 0)
}

// segmentPages returns how many pages all segments have, and how many of them are there.
func (o *ipcObjects) segmentPages(k *Kernel) (total, there uint64) {
	for i := range o.segments {
		total += ipcPage(o.segments[i].size) / phys.PageSize
		there += o.segments[i].resident(k)
	}
	return total, there
}

// resident returns how many pages of a segment are there.
func (s *segment) resident(k *Kernel) uint64 {
	st, _ := k.FS.Stat(s.node)
	return uint64(st.Blocks) * 512 / phys.PageSize
}

func (c *call) changeSegment(cmd uint32) error {
	var b [ipcPermSize]byte
	if cmd == ipcSet {
		if err := c.load(c.a[2], b[:]); err != nil {
			return err
		}
	}
	s := ipcFind(c.files.ipc.segments, c.fd(0))
	switch {
	case s == nil:
		return errno.EINVAL
	case !s.ipcPerm.owns(c.thread.who()):
		return errno.EPERM
	case cmd == ipcSet:
		s.ipcPerm.set(c, b[:])
	case s.attached == 0:
		c.destroySegment(s)
		return nil
	default:
		s.ipcPerm.mode |= shmDest
		s.ipcPerm.key = ipcPrivate
	}
	c.touch(ipcKey(KindSegment, s.id))
	return nil
}

func (k *Kernel) destroySegment(s *segment) {
	k.unref = append(k.unref, s.node)
	ipcRemove(k, &k.files.ipc.segments, KindSegment, s.id)
}

func (c *call) lockSegment(on bool) error {
	s := ipcFind(c.files.ipc.segments, c.fd(0))
	if s == nil {
		return errno.EINVAL
	}
	if u := c.thread.who(); !u.can(capIpcLock) {
		if u.user.effective != s.ipcPerm.uid && u.user.effective != s.ipcPerm.cuid {
			return errno.EPERM
		}
		if limit, _ := c.memlock(); on && limit == 0 {
			return errno.EPERM
		}
	}
	if s.ipcPerm.mode &^= shmLocked; on {
		s.ipcPerm.mode |= shmLocked
	}
	c.touch(ipcKey(KindSegment, s.id))
	return nil
}

// attachments returns how many mappings of a node all processes have.
func (k *Kernel) attachments(node vfs.NodeID) (n int) {
	for _, p := range k.procs {
		if !p.dead && k.inSpace(p.space) == p {
			n += p.MM.Mappings(node)
		}
	}
	return n
}

// attachedAnew notices at the end of a call which segments the current process has attached
// and detached: by whatever call, its end, or running another program.
func (k *Kernel) attachedAnew() {
	for i := 0; i < len(k.files.ipc.segments); i++ {
		s := &k.files.ipc.segments[i]
		n := k.attachments(s.node)
		if n == s.attached {
			continue
		}
		if n > s.attached {
			s.atime = k.Now()
		} else {
			s.dtime = k.Now()
		}
		s.attached, s.lpid = n, k.proc.pid
		k.touch(ipcKey(KindSegment, s.id))
		if n == 0 && s.ipcPerm.mode&shmDest != 0 {
			k.destroySegment(s)
			i--
		}
	}
}

// procSegments is /proc/sysvipc/shm.
func (k *Kernel) procSegments() []byte {
	b := []byte("       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap\n")
	for i := range k.files.ipc.segments {
		s := &k.files.ipc.segments[i]
		p := &s.ipcPerm
		b = fmt.Appendf(b, "%10d %10d  %4o %21d %5d %5d  %5d %5d %5d %5d %5d %10d %10d %10d %21d %21d\n",
			p.key, s.id, p.mode, s.size, s.cpid, s.lpid, s.attached,
			p.uid, p.gid, p.cuid, p.cgid, seconds(s.atime), seconds(s.dtime), seconds(p.ctime), s.resident(k)*phys.PageSize, 0)
	}
	return b
}
