package kernel

import (
	"slices"
	"strings"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Modes of fallocate(2).
const (
	fallocKeepSize  = 0x01
	fallocPunchHole = 0x02
	fallocZeroRange = 0x10
)

func sysFallocate(c *call) (uint64, error) {
	d, err := c.desc(0)
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
	case d.isPipe():
		return 0, errno.ESPIPE
	case d.kind != FDNode:
		return 0, errno.ENODEV
	}
	st, err := c.FS.Stat(d.node)
	switch {
	case err != nil:
		return 0, err
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
func (c *call) vectorFlags(write bool, allowed uint64) (off int64, err error) {
	var d *desc
	if off = int64(c.a[3]); off == ownOffset {
		d, err = c.desc(0)
	} else {
		d, off, err = c.seekable()
	}
	switch {
	case err != nil:
	case write && !d.writable(), !write && !d.readable():
		err = errno.EBADF
	case c.a[5]&0xffff_ffff&^allowed != 0:
		err = errno.EOPNOTSUPP
	}
	return off, err
}

func sysPreadv2(c *call) (uint64, error) {
	off, err := c.vectorFlags(false, rwfHipri|rwfNowait)
	if err != nil {
		return 0, err
	}
	return c.readVector(off)
}

func sysPwritev2(c *call) (uint64, error) {
	off, err := c.vectorFlags(true, rwfHipri|rwfDsync|rwfSync|rwfNowait|rwfAppend)
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
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case !d.readable():
		return 0, errno.EBADF
	case d.kind != FDNode:
		return 0, errno.EINVAL
	}
	if st, err := c.FS.Stat(d.node); err != nil || !st.Regular() {
		return 0, errnoFirst(err, errno.EINVAL)
	}
	return 0, nil
}

func sysSyncFileRange(c *call) (uint64, error) {
	const flags = 7
	off, n := int64(c.a[1]), int64(c.a[2])
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case c.a[3]&^flags != 0 || off < 0 || n < 0 || off+n < off:
		return 0, errno.EINVAL
	case d.kind != FDNode:
		return 0, errno.ESPIPE
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
	d, err := c.node(0, errno.ENOTDIR)
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
	id, err := c.existing(-1, 0, follow)
	if err != nil {
		return 0, err
	}
	return c.xattrAnswer(id)
}

func sysXattrFd(c *call) (uint64, error) {
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	return c.xattrAnswer(d.node)
}

// xattrAnswer is an empty list for the list calls, and EOPNOTSUPP for the others once their
// arguments are read; the attributes of users are known not to be on anything but files and
// directories (xattr(7)).
func (c *call) xattrAnswer(node vfs.NodeID) (uint64, error) {
	const replaceOrCreate, most = 3, 65536
	list, set := strings.Contains(c.row.Name, "list"), strings.Contains(c.row.Name, "set")
	switch {
	case list:
		return 0, nil
	case set && c.a[4]&^replaceOrCreate != 0:
		return 0, errno.EINVAL
	}
	name, ended, err := c.str(c.a[1], vfs.MaxName+1)
	switch {
	case err != nil:
		return 0, err
	case !ended || name == "":
		return 0, errno.ERANGE
	case set && c.a[3] > most:
		return 0, errno.E2BIG
	}
	st := vfs.Stat{}
	if node != 0 {
		if st, err = c.FS.Stat(node); err != nil {
			return 0, err
		}
	}
	user, get := strings.HasPrefix(name, "user."), strings.Contains(c.row.Name, "get")
	switch privileged := c.thread.who().can(capSysAdmin); {
	case user && !st.Regular() && !st.Dir(), strings.HasPrefix(name, "trusted.") && !privileged:
		if get {
			return 0, errno.ENODATA
		}
		return 0, errno.EPERM
	case strings.HasPrefix(name, "security.") && !get && !privileged:
		return 0, errno.EPERM
	case user && get:
		return 0, errnoFirst(c.FS.Permit(node, vfs.MayRead), errno.EOPNOTSUPP)
	case user:
		return 0, errnoFirst(c.FS.Permit(node, vfs.MayWrite), errno.EOPNOTSUPP)
	}
	return 0, errno.EOPNOTSUPP
}

func sysNameToHandleAt(c *call) (uint64, error) {
	if c.a[4]&^(atSymlinkFollow|atEmptyPath) != 0 {
		return 0, errno.EINVAL
	}
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
	t, err := c.secondsAt(c.a[2], 16)
	if err != nil {
		return 0, err
	}
	var id vfs.NodeID
	if c.a[1] == 0 {
		d, err := c.node(0, errno.EINVAL)
		if err != nil {
			return 0, err
		}
		id = d.node
	} else if id, err = c.existing(0, 1, true); err != nil {
		return 0, err
	}
	return 0, c.setTimes(id, t, c.a[2] == 0)
}

// secondsAt reads two seconds of 8 bytes or two timevals of 16 bytes; they are now when
// there are none.
func (c *call) secondsAt(va, size uint64) (t [2]phys.Nanos, err error) {
	now := c.Now()
	t = [2]phys.Nanos{now, now}
	for i := range t {
		if va == 0 {
			break
		}
		sec, err := c.u64(va + size*uint64(i))
		if err != nil {
			return t, err
		}
		t[i] = phys.Nanos(min(sec, maxSleep)) * second
		if size == 16 {
			us, err := c.u64(va + size*uint64(i) + 8)
			if err != nil {
				return t, err
			}
			if us >= 1e6 {
				return t, errno.EINVAL
			}
			t[i] += phys.Nanos(us) * 1000
		}
	}
	return t, nil
}

// setTimes sets the times of a node; present tells that they are now's.
func (c *call) setTimes(id vfs.NodeID, t [2]phys.Nanos, present bool) error {
	st, err := c.FS.Stat(id)
	if err == nil {
		err = c.mayTime(st, [2]*phys.Nanos{&t[0], &t[1]}, present)
	}
	if err != nil {
		return err
	}
	return c.utimes(id, &t[0], &t[1])
}
