package vfs

import (
	"path"

	"zhuque/sim/kernel/errno"
)

// Permission bits that are asked for, as in one digit of a mode.
const (
	MayExec  = 1
	MayWrite = 2
	MayRead  = 4

	sticky   = 0o1000
	setGroup = 0o2000
)

// Caller tells who makes the calls. Nil functions stand for a superuser.
type Caller struct {
	// May reports whether a node with this mode and these owners may be used so.
	May func(mode, uid, gid, want uint32) bool
	// Owner returns whose what is made belongs to.
	Owner func() (uid, gid uint32)
	// Removes reports whether a name in a directory with the sticky bit may be taken away
	// although neither it nor the directory is another's.
	Removes func(uid, dirUID uint32) bool
	// Links reports whether a file may be given another name (protected_hardlinks).
	Links func(mode, uid, gid uint32) bool
	// Looks reports whether a task's memory and files may be looked at.
	Looks func(Task) bool
	// TaskOwner returns whom the files of a task's directory belong to.
	TaskOwner func(Task) (uid, gid uint32)
}

// Permit checks that a node may be used so: EACCES.
func (fs *FS) Permit(id NodeID, want uint32) error {
	n, err := fs.node(id)
	if err == nil && !fs.may(n, want) {
		err = errno.EACCES
	}
	return err
}

func (fs *FS) may(n *inode, want uint32) bool {
	return fs.opt.May == nil || fs.opt.May(n.mode, n.uid, n.gid, want)
}

// closed reports whether the caller may not search a directory.
func (fs *FS) closed(dir NodeID) bool {
	if fs.opt.May == nil {
		return false
	}
	n, err := fs.node(dir)
	return err == nil && n.isDir() && !fs.may(n, MayExec)
}

// removes checks that the caller may take a name of n away from d.
func (fs *FS) removes(d, n *inode) error {
	switch {
	case !fs.may(d, MayWrite|MayExec):
		return errno.EACCES
	case d.mode&sticky != 0 && fs.opt.Removes != nil && !fs.opt.Removes(n.uid, d.uid):
		return errno.EPERM
	}
	return nil
}

// owned gives a new node its owner; dir is nil for one without a name.
func (fs *FS) owned(n, dir *inode) {
	if fs.opt.Owner != nil {
		n.uid, n.gid = fs.opt.Owner()
	}
	if dir == nil || dir.mode&setGroup == 0 {
		return
	}
	if n.gid = dir.gid; n.isDir() {
		n.mode |= setGroup
	}
}

// guarded reports whether a file of a task is for those alone who may look at it.
func (fs *FS) guarded(n *inode) bool {
	if !isTask(n.id) || fs.opt.Looks == nil {
		return false
	}
	switch path.Base(n.low.path) {
	case "maps", "smaps", "environ", "auxv", "exe", "cwd", "root", "fd", "fdinfo":
		return !fs.opt.Looks(taskOf(n.id))
	}
	return false
}
