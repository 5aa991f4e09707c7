package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// opened is node for calls that need more of a descriptor than its place.
func (c *call) opened(i int, wrong errno.Errno) (*desc, error) {
	d, err := c.node(i, wrong)
	if err == nil && d.flags&oPath != 0 {
		err = errno.EBADF
	}
	return d, err
}

// Modes of fallocate(2).
const (
	fallocKeepSize  = 0x01
	fallocPunchHole = 0x02
	fallocZeroRange = 0x10
)

func sysFallocate(c *call) (uint64, error) {
	d, err := c.opened(0, errno.ESPIPE)
	if err != nil {
		return 0, err
	}
	mode, off, n := c.a[1], int64(c.a[2]), int64(c.a[3])
	switch {
	case off < 0 || n <= 0:
		return 0, errno.EINVAL
	case mode&^(fallocKeepSize|fallocPunchHole|fallocZeroRange) != 0,
		mode&(fallocPunchHole|fallocZeroRange) == fallocPunchHole|fallocZeroRange,
		mode&fallocPunchHole != 0 && mode&fallocKeepSize == 0:
		return 0, errno.EOPNOTSUPP
	case !d.writable():
		return 0, errno.EBADF
	}
	st, err := c.FS.Stat(d.node)
	switch {
	case err != nil:
		return 0, err
	case st.Mode&vfs.ModeType == vfs.ModeFIFO:
		return 0, errno.ESPIPE
	case !st.Regular():
		return 0, errno.ENODEV
	case off+n < off || off+n > int64(vfs.MaxFile):
		return 0, errno.EFBIG
	}
	if mode&(fallocPunchHole|fallocZeroRange) != 0 {
		if err := c.FS.Zero(d.node, off, n); err != nil {
			return 0, err
		}
		c.fileChanged(d.node)
	}
	if mode&fallocKeepSize != 0 || off+n <= st.Size {
		c.notify(inModify, d.node)
		return 0, nil
	}
	return 0, c.truncate(d.node, off+n)
}

// Flags of preadv2(2) and pwritev2(2).
const (
	rwfHipri  = 0x01
	rwfDsync  = 0x02
	rwfSync   = 0x04
	rwfNowait = 0x08
	rwfAppend = 0x10
)

// vectorFlags checks the flags and the offset of preadv2 and pwritev2.
func (c *call) vectorFlags(allowed uint64) (off int64, err error) {
	if c.a[5]&0xffff_ffff&^allowed != 0 {
		return 0, errno.EOPNOTSUPP
	}
	if off = int64(c.a[3]); off == -1 {
		return ownOffset, nil
	}
	_, off, err = c.seekable()
	return off, err
}

func sysPreadv2(c *call) (uint64, error) {
	off, err := c.vectorFlags(rwfHipri | rwfNowait)
	if err != nil {
		return 0, err
	}
	return c.readVector(off)
}

func sysPwritev2(c *call) (uint64, error) {
	off, err := c.vectorFlags(rwfHipri | rwfDsync | rwfSync | rwfNowait | rwfAppend)
	if err != nil {
		return 0, err
	}
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if d.kind == FDNode { // for this call
		before := d.flags
		if c.a[5]&rwfAppend != 0 {
			d.flags |= oAppend
		}
		if c.a[5]&(rwfDsync|rwfSync) != 0 {
			d.flags |= oDsync
		}
		defer func() { c.get(c.fd(0)).flags = before }()
	}
	return c.writeVector(off)
}

func sysReadahead(c *call) (uint64, error) {
	d, err := c.node(0, errno.EINVAL)
	if err != nil {
		return 0, err
	}
	if !d.readable() {
		return 0, errno.EBADF
	}
	if st, err := c.FS.Stat(d.node); err != nil || !st.Regular() {
		return 0, errnoFirst(err, errno.EINVAL)
	}
	return 0, nil
}

func sysSyncFileRange(c *call) (uint64, error) {
	const flags = 7
	off, n := int64(c.a[1]), int64(c.a[2])
	d, err := c.opened(0, errno.ESPIPE)
	switch {
	case err != nil:
		return 0, err
	case c.a[3]&^flags != 0 || off < 0 || n < 0 || off+n < off:
		return 0, errno.EINVAL
	}
	if st, err := c.FS.Stat(d.node); err != nil || !st.Regular() && !st.Dir() {
		return 0, errnoFirst(err, errno.ESPIPE)
	}
	return 0, nil
}

// sysGetdents is getdents64 in the older form: the type follows the name.
func sysGetdents(c *call) (uint64, error) {
	return c.getdents(func(e vfs.Dirent, at int64) []byte {
		size := (18 + len(e.Name) + 2 + 7) &^ 7
		b := le.AppendUint64(nil, uint64(e.ID))
		b = le.AppendUint64(b, uint64(at))
		b = le.AppendUint16(b, uint16(size))
		b = append(b, e.Name...)
		b = append(b, make([]byte, size-len(b))...)
		b[size-1] = e.Type
		return b
	})
}

func sysGetdents64(c *call) (uint64, error) {
	return c.getdents(func(e vfs.Dirent, at int64) []byte {
		size := (19 + len(e.Name) + 1 + 7) &^ 7
		b := le.AppendUint64(nil, uint64(e.ID))
		b = le.AppendUint64(b, uint64(at))
		b = le.AppendUint16(b, uint16(size))
		b = append(append(b, e.Type), e.Name...)
		return append(b, make([]byte, size-len(b))...)
	})
}

// getdents lists a directory from the description's offset on, each entry as
// encode has it.
func (c *call) getdents(encode func(e vfs.Dirent, at int64) []byte) (uint64, error) {
	d, err := c.opened(0, errno.ENOTDIR)
	if err != nil {
		return 0, err
	}
	list, err := c.FS.ReadDir(d.node)
	if err != nil {
		return 0, err
	}
	slices.SortStableFunc(list, func(a, b vfs.Dirent) int {
		if x, y := cookie(a.Name), cookie(b.Name); x != y {
			return int(min(max(x-y, -1), 1))
		}
		return 0
	})
	var out []byte
	pos, room := d.off, int(min(uint64(uint32(c.a[2])), chunk))
	for _, e := range list {
		at := cookie(e.Name)
		if at <= d.off {
			continue
		}
		b := encode(e, at)
		if len(out)+len(b) > room {
			if len(out) == 0 {
				return 0, errno.EINVAL
			}
			break
		}
		out = append(out, b...)
		pos = at
	}
	if err := c.store(c.a[1], out); err != nil {
		return 0, err
	}
	if pos != d.off {
		d.off = pos
		c.touchDesc(d.id)
	}
	c.notify(inAccess, d.node)
	return uint64(len(out)), nil
}

// Extended attributes: as on a file system without them.

func sysXattrPath(c *call) (uint64, error)  { return c.noXattr(true) }
func sysXattrLpath(c *call) (uint64, error) { return c.noXattr(false) }

func (c *call) noXattr(follow bool) (uint64, error) {
	if _, err := c.existing(-1, 0, follow); err != nil {
		return 0, err
	}
	return c.xattrAnswer()
}

func sysXattrFd(c *call) (uint64, error) {
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if d.flags&oPath != 0 {
		return 0, errno.EBADF
	}
	return c.xattrAnswer()
}

// xattrAnswer is an empty list for the list calls, EOPNOTSUPP for the others once
// the name is read.
func (c *call) xattrAnswer() (uint64, error) {
	if slices.Contains([]string{"listxattr", "llistxattr", "flistxattr"}, c.row.Name) {
		return 0, nil
	}
	name, ended, err := c.str(c.a[1], vfs.MaxName+1)
	switch {
	case err != nil:
		return 0, err
	case !ended || name == "":
		return 0, errno.ERANGE
	}
	return 0, errno.EOPNOTSUPP
}

func sysNameToHandleAt(c *call) (uint64, error) {
	flags := c.a[4] & atEmptyPath
	if c.a[4]&atSymlinkFollow == 0 {
		flags |= atSymlinkNofollow
	}
	if _, _, err := c.target(0, 1, flags); err != nil {
		return 0, err
	}
	return 0, errno.EOPNOTSUPP
}

// sysFutimesat is utimes relative to a directory; a null path is the descriptor.
func sysFutimesat(c *call) (uint64, error) {
	var id vfs.NodeID
	if c.a[1] == 0 {
		d, err := c.node(0, errno.EINVAL)
		if err != nil {
			return 0, err
		}
		id = d.node
	} else {
		var err error
		if id, err = c.existing(0, 1, true); err != nil {
			return 0, err
		}
	}
	return 0, c.setTimes(id, c.a[2], 16)
}

// setTimes sets the times of a node to two seconds of 8 bytes or two timevals of
// 16 bytes, to now when there are none.
func (c *call) setTimes(id vfs.NodeID, va, size uint64) error {
	now := c.Now()
	t := [2]phys.Nanos{now, now}
	for i := range t {
		if va == 0 {
			break
		}
		sec, err := c.u64(va + size*uint64(i))
		if err != nil {
			return err
		}
		t[i] = phys.Nanos(min(sec, maxSleep)) * second
		if size == 16 {
			us, err := c.u64(va + size*uint64(i) + 8)
			if err != nil {
				return err
			}
			if us >= 1e6 {
				return errno.EINVAL
			}
			t[i] += phys.Nanos(us) * 1000
		}
	}
	st, err := c.FS.Stat(id)
	if err == nil {
		err = c.mayTime(st, [2]*phys.Nanos{&t[0], &t[1]}, va == 0)
	}
	if err != nil {
		return err
	}
	return c.utimes(id, &t[0], &t[1])
}
