package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Who may do what. Sources: credentials(7), capabilities(7), path_resolution(7), kill(2), ptrace(2).

// may reports whether u may use a file with this mode and these owners so; want is one
// digit of a mode.
func (u *cred) may(mode, uid, gid, want uint32) bool {
	digit := mode
	switch {
	case uid == u.user.file:
		digit >>= 6
	case u.in(gid):
		digit >>= 3
	}
	dir := mode&vfs.ModeType == vfs.ModeDir
	switch {
	case want&^(digit&7) == 0:
		return true
	case u.can(capDacOverride) && (dir || want&vfs.MayExec == 0 || mode&0o111 != 0):
		return true
	}
	return u.can(capDacReadSearch) && (dir && want&vfs.MayWrite == 0 || want == vfs.MayRead)
}

// owns reports whether u may do what a file's owner may.
func (u *cred) owns(uid uint32) bool { return uid == u.user.file || u.can(capFowner) }

// actor is whose rights count in the call.
func (k *Kernel) actor() *cred {
	switch {
	case k.acting != nil:
		return k.acting
	case k.thread == nil:
		return &root
	}
	return k.thread.who()
}

// caller connects the file tree's checks to the current thread.
func (k *Kernel) caller() vfs.Caller {
	return vfs.Caller{
		May:   func(mode, uid, gid, want uint32) bool { return k.actor().may(mode, uid, gid, want) },
		Owner: func() (uid, gid uint32) { return k.actor().user.file, k.actor().group.file },
		Removes: func(uid, dirUID uint32) bool {
			return k.actor().owns(uid) || dirUID == k.actor().user.file
		},
		Links: func(mode, uid, gid uint32) bool {
			u := k.actor()
			safe := mode&vfs.ModeType == vfs.ModeFile && mode&0o4000 == 0 && mode&0o2010 != 0o2010
			return u.owns(uid) || safe && u.may(mode, uid, gid, vfs.MayRead|vfs.MayWrite)
		},
		Looks: func(t vfs.Task) bool {
			v, ok := k.view(t)
			return !ok || k.actor().looksAt(k.thread, v)
		},
		TaskOwner: func(t vfs.Task) (uid, gid uint32) {
			v, ok := k.view(t)
			if !ok || v.p.private {
				return 0, 0
			}
			u := k.whoIs(v.p)
			return u.user.effective, u.group.effective
		},
	}
}

// whoIs returns the identity of a process: its first thread's.
func (k *Kernel) whoIs(p *Process) *cred {
	for _, t := range k.threads {
		if t.proc == p {
			return t.who()
		}
	}
	if p.last != nil {
		return p.last
	}
	return &root
}

// looksAt reports whether u may look at a task's memory, as ptrace(2) says of reading
// access.
func (u *cred) looksAt(self *Thread, v view) bool {
	if v.p == self.proc || u.can(capSysPtrace) {
		return true
	}
	o := v.whoIs(v.p)
	same := func(a uint32, i ids) bool { return a == i.real && a == i.effective && a == i.saved }
	return same(u.user.file, o.user) && same(u.group.file, o.group) && !v.p.private && o.permitted&^u.effective == 0
}

// dropRights takes the set-user-ID and set-group-ID bits away from a file that somebody
// wrote who may not set them.
func (c *call) dropRights(id vfs.NodeID) {
	if c.thread.who().can(capFsetid) {
		return
	}
	st, err := c.FS.Stat(id)
	mode := st.Mode &^ 0o4000
	if mode&0o010 != 0 {
		mode &^= 0o2000
	}
	if err == nil && st.Regular() && mode != st.Mode {
		_ = c.FS.Chmod(id, mode&vfs.ModePerm) // it is a file of the tree
	}
}

// written reports whether a file is open for writing.
func (k *Kernel) written(id vfs.NodeID) bool {
	for d := range k.files.descs.all() {
		if d.kind == FDNode && d.node == id && d.writable() {
			return true
		}
	}
	return false
}

// runs reports whether a process runs a file as its program.
func (k *Kernel) runs(id vfs.NodeID) bool {
	for _, p := range k.procs {
		if p.exe == id && !p.dead {
			return true
		}
	}
	return false
}

// mayKill reports whether u may send a signal to who o is.
func (u *cred) mayKill(o *cred) bool {
	for _, id := range [...]uint32{u.user.real, u.user.effective} {
		if id == o.user.real || id == o.user.saved {
			return true
		}
	}
	return u.can(capKill)
}

// signalAllowed checks that the current thread may send a signal to a process.
func (k *Kernel) signalAllowed(p *Process, sig int) error {
	if p == k.proc || sig == SIGCONT && p.sid == k.proc.sid || k.thread.who().mayKill(k.whoIs(p)) {
		return nil
	}
	return errno.EPERM
}

// accessing is who access(2) asks for: the real user, with the capabilities that a
// program of it would have.
func (u *cred) accessing() *cred {
	a := *u
	a.user.file, a.group.file = u.user.real, u.group.real
	if u.secure&secureNoSetuidFix == 0 {
		if a.effective = 0; u.user.real == superuser {
			a.effective = u.permitted
		}
	}
	return &a
}

// running returns who u is when it runs a program: its file's set-user-ID and set-group-ID
// bits count, and root's programs have all capabilities. secure tells AT_SECURE.
func (u *cred) running(st vfs.Stat) (n cred, secure bool) {
	n = *u
	if !u.noNewPrivs {
		if st.Mode&0o4000 != 0 {
			n.user.effective = st.UID
		}
		if st.Mode&0o2010 == 0o2010 {
			n.group.effective = st.GID
		}
	}
	effective := false
	if n.permitted = 0; n.secure&secureNoRoot == 0 {
		if n.user.effective == superuser || n.user.real == superuser {
			n.permitted = u.bounding | u.inheritable
		}
		effective = n.user.effective == superuser
	}
	setid := n.user.effective != u.user.real || n.group.effective != u.group.real
	if u.noNewPrivs && (setid || n.permitted&^u.permitted != 0) {
		n.user.effective, n.group.effective = n.user.real, n.group.real
		n.permitted &= u.permitted
	}
	n.user.saved, n.user.file = n.user.effective, n.user.effective
	n.group.saved, n.group.file = n.group.effective, n.group.effective
	if setid {
		n.ambient = 0
	}
	n.permitted |= n.ambient
	if n.effective = n.ambient; effective {
		n.effective = n.permitted
	}
	n.secure &^= secureKeepCaps
	return n, setid || n.user.real != superuser && (effective || n.permitted&^n.ambient != 0)
}
