package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// attrs are what fstat(2) tells of a pipe or a socket without a name, and what fchmod,
// fchown and futimens change.
type attrs struct {
	mode                uint32 // permission bits
	uid, gid            uint32
	atime, mtime, ctime phys.Nanos
}

func (a *attrs) code(c *codec) {
	code(c, &a.mode)
	code(c, &a.uid)
	code(c, &a.gid)
	code(c, &a.atime)
	code(c, &a.mtime)
	code(c, &a.ctime)
}

// newAttrs are those of what the current thread makes now.
func (k *Kernel) newAttrs(mode uint32) attrs {
	now, u := k.Now(), k.thread.who()
	return attrs{mode, u.user.file, u.group.file, now, now, now}
}

// stat puts them into what a call tells.
func (a *attrs) stat(st vfs.Stat) vfs.Stat {
	st.Mode, st.UID, st.GID, st.Atime, st.Mtime, st.Ctime = st.Mode&vfs.ModeType|a.mode,
		a.uid, a.gid, a.atime, a.mtime, a.ctime
	return st
}

// attrsOf returns the attributes of what a description is open on, and what marks them
// as changed; nil where it is a node of the file tree or has none of its own.
func (c *call) attrsOf(d *desc) (*attrs, func()) {
	switch {
	case d.node != 0:
		return nil, nil
	case d.isPipe() && d.pipe != 0:
		return &c.files.pipe(d.pipe).attrs, func() { c.touchPipe(d.pipe) }
	case d.kind == FDQueue:
		return &c.files.ipc.mqueue(d.socket).attrs, func() { c.touch(mqKey(d.socket)) }
	case d.kind == FDSocket:
		s := c.sockOf(d)
		return &s.attrs, func() { c.touchSock(s) }
	}
	return nil, nil
}

// changeAttrs lets change alter the attributes of what argument i is open on. What is
// anonymous has none: EOPNOTSUPP. The console is somebody else's: EPERM.
func (c *call) changeAttrs(d *desc, change func(st *vfs.Stat) error) error {
	a, mark := c.attrsOf(d)
	switch {
	case a == nil && d.kind.anonymous():
		return errno.EOPNOTSUPP
	case a == nil:
		return errno.EPERM
	}
	st, _, err := c.statOf(d)
	if err != nil {
		return err
	}
	if err := change(&st); err != nil {
		return err
	}
	*a = attrs{st.Mode & vfs.ModePerm, st.UID, st.GID, st.Atime, st.Mtime, c.Now()}
	mark()
	return nil
}

func (c *call) fchmod(d *desc, mode uint64) error {
	return c.changeAttrs(d, func(st *vfs.Stat) error {
		mode, err := c.newMode(*st, mode)
		st.Mode = st.Mode&vfs.ModeType | uint32(mode)&vfs.ModePerm
		return err
	})
}

func (c *call) fchown(d *desc, uid, gid uint64) error {
	return c.changeAttrs(d, func(st *vfs.Stat) error { return c.newOwner(st, uint32(uid), uint32(gid)) })
}

func (c *call) futimens(d *desc, times [2]*phys.Nanos, present bool) error {
	return c.changeAttrs(d, func(st *vfs.Stat) error {
		for i, at := range []*phys.Nanos{&st.Atime, &st.Mtime} {
			if times[i] != nil {
				*at = *times[i]
			}
		}
		return c.mayTime(*st, times, present)
	})
}
