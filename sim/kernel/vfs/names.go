package vfs

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

// maxNames bounds the hard links of one node.
const maxNames = 1000

// vacant checks that a new entry name can be made in dir.
func (fs *FS) vacant(dir NodeID, name string) error {
	if name == "" || name == "." || name == ".." {
		return errno.EEXIST
	}
	switch _, err := fs.Lookup(dir, name); err {
	case nil:
		return errno.EEXIST
	case errno.ENOENT:
	default:
		return err
	}
	d, err := fs.dir(dir)
	if err != nil {
		return err
	}
	switch {
	case d.gone():
		return errno.ENOENT
	case d.fixed() && fs.underProc(d):
		return errno.ENOENT // what Linux says of a new name in /proc
	case d.fixed():
		return errno.EACCES
	case !fs.may(d, MayWrite|MayExec):
		return errno.EACCES
	}
	return nil
}

func (fs *FS) underProc(d *inode) bool {
	name, _ := cut(d.low.path)
	return name == "proc"
}

// add makes the node n under a new name.
func (fs *FS) add(dir NodeID, name string, n inode) (NodeID, error) {
	if err := fs.vacant(dir, name); err != nil {
		return 0, err
	}
	if fs.nodes.n >= fs.opt.MaxNodes {
		return 0, errno.ENOSPC
	}
	fs.change()
	n.names = []link{{dir, name}}
	d := fs.own(dir)
	fs.owned(&n, d)
	id := fs.birth(n)
	d.enter(name, id)
	d.mtime, d.ctime = fs.now(), fs.now()
	return id, nil
}

// birth gives n an ID and a place in the overlay.
func (fs *FS) birth(n inode) NodeID {
	n.id, n.epoch = fs.next, fs.epoch
	n.atime = fs.now()
	n.mtime, n.ctime = n.atime, n.atime
	fs.next++
	fs.nodes.set(fs.epoch, uint64(n.id), &n)
	return n.id
}

// Create makes an empty regular file; mode holds the permission bits, umask
// applied.
func (fs *FS) Create(dir NodeID, name string, mode uint32) (NodeID, error) {
	return fs.add(dir, name, inode{mode: ModeFile | mode&ModePerm})
}

// Mkdir makes a directory.
func (fs *FS) Mkdir(dir NodeID, name string, mode uint32) (NodeID, error) {
	return fs.add(dir, name, inode{mode: ModeDir | mode&ModePerm, size: 4096})
}

// Mknod makes a FIFO, a socket's name or a regular file, as the type bits of mode
// say (none: regular). Devices give EPERM.
func (fs *FS) Mknod(dir NodeID, name string, mode uint32) (NodeID, error) {
	switch mode & ModeType {
	case 0:
		mode |= ModeFile
	case ModeFile, ModeFIFO, ModeSocket:
	case ModeChar, ModeBlock, ModeDir:
		return 0, errno.EPERM
	default:
		return 0, errno.EINVAL
	}
	return fs.add(dir, name, inode{mode: mode & (ModeType | ModePerm)})
}

// Symlink makes a symbolic link.
func (fs *FS) Symlink(dir NodeID, name, target string) (NodeID, error) {
	if target == "" {
		return 0, errno.ENOENT
	}
	if len(target) >= MaxPath {
		return 0, errno.ENAMETOOLONG
	}
	return fs.add(dir, name, inode{mode: ModeLink | 0o777, target: target, size: int64(len(target))})
}

// Anonymous makes a regular file without a name (O_TMPFILE, memfd_create), with a
// reference. label is what its path shows.
func (fs *FS) Anonymous(label string, mode uint32) (NodeID, error) {
	if len(label) > MaxName {
		return 0, errno.EINVAL
	}
	if fs.nodes.n >= fs.opt.MaxNodes {
		return 0, errno.ENOSPC
	}
	fs.begin()
	n := inode{mode: ModeFile | mode&ModePerm, linkable: true, was: link{name: label}}
	fs.owned(&n, nil)
	id := fs.birth(n)
	fs.Ref(id)
	return id, nil
}

// Link gives the node another name. A node that lost its last name gets none
// again (ENOENT), one that never had any does.
func (fs *FS) Link(id, dir NodeID, name string) error {
	n, err := fs.node(id)
	if err != nil {
		return err
	}
	if err := fs.vacant(dir, name); err != nil {
		return err
	}
	switch {
	case n.isDir(), fs.opt.Links != nil && !fs.opt.Links(n.mode, n.uid, n.gid):
		return errno.EPERM
	case n.fixed(), len(n.names) > 0 && fs.Mount(n.names[0].dir) != fs.Mount(dir):
		return errno.EXDEV
	case n.gone() && !n.linkable:
		return errno.ENOENT
	case len(n.names) >= maxNames:
		return errno.EMLINK
	}
	fs.change()
	d, n := fs.own(dir), fs.own(id)
	d.enter(name, id)
	n.names = append(slices.Clone(n.names), link{dir, name})
	n.linkable = false
	n.ctime = fs.now()
	d.mtime, d.ctime = n.ctime, n.ctime
	return nil
}

// Unlink removes a name that is not a directory's.
func (fs *FS) Unlink(dir NodeID, name string) error {
	if name == "" || name == "." || name == ".." {
		return errno.EISDIR
	}
	n, err := fs.removable(dir, name)
	if err != nil {
		return err
	}
	if n.isDir() {
		return errno.EISDIR
	}
	fs.change()
	fs.drop(dir, name, n.id)
	return nil
}

// Rmdir removes an empty directory.
func (fs *FS) Rmdir(dir NodeID, name string) error {
	switch name {
	case "":
		return errno.EBUSY
	case ".":
		return errno.EINVAL
	case "..":
		return errno.ENOTEMPTY
	}
	n, err := fs.removable(dir, name)
	if err != nil {
		return err
	}
	if !n.isDir() {
		return errno.ENOTDIR
	}
	if err := fs.emptyDir(n); err != nil {
		return err
	}
	fs.change()
	fs.drop(dir, name, n.id)
	return nil
}

// removable finds a name and checks that it may be taken away.
func (fs *FS) removable(dir NodeID, name string) (*inode, error) {
	id, err := fs.Lookup(dir, name)
	if err != nil {
		return nil, err
	}
	n, err := fs.node(id)
	if err != nil {
		return nil, err
	}
	if n.low != nil && n.low.mount {
		return nil, errno.EBUSY
	}
	d, err := fs.dir(dir)
	if err != nil || d.fixed() {
		return nil, errno.EPERM
	}
	return n, fs.removes(d, n)
}

func (fs *FS) emptyDir(d *inode) error {
	kids, err := fs.kids(d)
	if err == nil && len(kids) > 0 {
		err = errno.ENOTEMPTY
	}
	return err
}

// drop takes the name of id away, and with the last name the node.
func (fs *FS) drop(dir NodeID, name string, id NodeID) {
	fs.detach(dir, name, id)
	n := fs.own(id)
	n.names = slices.DeleteFunc(slices.Clone(n.names), func(l link) bool { return l == link{dir, name} })
	n.ctime = fs.now()
	if len(n.names) == 0 {
		n.was = link{dir, name}
		fs.reap(id)
	}
}

// detach makes name lead nowhere: the overlay forgets it, or hides the host's.
func (fs *FS) detach(dir NodeID, name string, id NodeID) {
	d := fs.own(dir)
	d.mtime, d.ctime = fs.now(), fs.now()
	hides := false
	if d.low != nil {
		_, err := fs.tree.child(d.low, name)
		hides = err == nil || err != errno.ENOENT
	}
	if hides {
		d.enter(name, 0)
	} else {
		d.forget(name)
	}
}

// within reports whether the directory id is a or lies below it.
func (fs *FS) within(id, a NodeID) bool {
	for id != a {
		if id == Root {
			return false
		}
		n, err := fs.node(id)
		if err != nil {
			return false
		}
		id = n.parent()
	}
	return true
}

// Rename moves a name, replacing what bore the new one as rename(2) says.
func (fs *FS) Rename(oldDir NodeID, oldName string, newDir NodeID, newName string, flags RenameFlags) error {
	if flags&^(RenameNoReplace|RenameExchange) != 0 || flags == RenameNoReplace|RenameExchange {
		return errno.EINVAL
	}
	for _, s := range [...]string{oldName, newName} {
		if s == "" || s == "." || s == ".." {
			return errno.EBUSY
		}
	}
	src, err := fs.removable(oldDir, oldName)
	if err != nil {
		return err
	}
	if src.low != nil && src.low.fixed {
		return errno.EXDEV
	}
	var dst *inode
	switch err := fs.vacant(newDir, newName); err {
	case nil:
	case errno.EEXIST:
		if flags&RenameNoReplace != 0 {
			return err
		}
		if dst, err = fs.removable(newDir, newName); err != nil {
			return err
		}
	default:
		return err
	}
	if src.isDir() && oldDir != newDir && !fs.may(src, MayWrite) {
		return errno.EACCES // its entry ".." changes
	}
	if dst != nil && src.id == dst.id {
		return nil
	}
	if fs.Mount(oldDir) != fs.Mount(newDir) {
		return errno.EXDEV
	}
	if err := fs.renameAllowed(src, oldDir, dst, newDir, flags); err != nil {
		return err
	}
	fs.change()
	if flags&RenameExchange != 0 {
		d := fs.own(oldDir)
		d.enter(oldName, dst.id)
		d.mtime, d.ctime = fs.now(), fs.now()
		fs.renamed(dst.id, link{newDir, newName}, link{oldDir, oldName})
	} else {
		if dst != nil {
			fs.drop(newDir, newName, dst.id)
		}
		fs.detach(oldDir, oldName, src.id)
	}
	d := fs.own(newDir)
	d.enter(newName, src.id)
	d.mtime, d.ctime = fs.now(), fs.now()
	fs.renamed(src.id, link{oldDir, oldName}, link{newDir, newName})
	return nil
}

// renameAllowed checks the kinds of the two nodes and that no directory goes
// below itself; dst is nil when the new name is free.
func (fs *FS) renameAllowed(src *inode, oldDir NodeID, dst *inode, newDir NodeID, flags RenameFlags) error {
	exchange := flags&RenameExchange != 0
	switch {
	case src.isDir() && fs.within(newDir, src.id):
		return errno.EINVAL
	case dst == nil && exchange:
		return errno.ENOENT
	case dst == nil:
		return nil
	case exchange && dst.isDir() && fs.within(oldDir, dst.id):
		return errno.EINVAL
	case exchange:
		return nil
	case src.isDir() && !dst.isDir():
		return errno.ENOTDIR
	case !src.isDir() && dst.isDir():
		return errno.EISDIR
	case dst.isDir():
		return fs.emptyDir(dst)
	}
	return nil
}

func (fs *FS) renamed(id NodeID, from, to link) {
	n := fs.own(id)
	n.names = slices.Clone(n.names)
	for i := range n.names {
		if n.names[i] == from {
			n.names[i] = to
		}
	}
	n.ctime = fs.now()
}
