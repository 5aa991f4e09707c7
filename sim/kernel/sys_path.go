package kernel

import (
	"strings"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Flags of the *at calls.
const (
	atFdcwd           = -100
	atSymlinkNofollow = 0x100
	atRemovedir       = 0x200
	atSymlinkFollow   = 0x400
	atEmptyPath       = 0x1000
)

// dir returns the directory that a relative path starts from: cwd, or the one
// that the descriptor in argument i names.
func (c *call) dir(i int, path string) (vfs.NodeID, error) {
	if path != "" && path[0] == '/' || c.fd(i) == atFdcwd {
		return c.proc.cwd, nil
	}
	d, err := c.place(i)
	switch {
	case err != nil:
		return 0, err
	case d.kind != FDNode:
		return 0, errno.ENOTDIR
	}
	return d.node, nil
}

// locate resolves the path in argument p; dirfd is the argument with the
// directory's descriptor, or negative for the working directory.
func (c *call) locate(dirfd, p int, follow bool) (vfs.Place, error) {
	dir, path, err := c.begin(dirfd, p)
	if err != nil {
		return vfs.Place{}, err
	}
	return c.FS.Locate(dir, path, follow)
}

// parent is locate for calls that make, remove or move the name at the end of a path.
func (c *call) parent(dirfd, p int) (vfs.Place, error) {
	dir, path, err := c.begin(dirfd, p)
	if err != nil {
		return vfs.Place{}, err
	}
	return c.FS.Parent(dir, path)
}

// begin returns the path in argument p and the directory that it starts from.
func (c *call) begin(dirfd, p int) (dir vfs.NodeID, path string, err error) {
	if path, err = c.path(c.a[p]); err != nil {
		return 0, "", err
	}
	if path == "" {
		return 0, "", errno.ENOENT
	}
	if dir = c.proc.cwd; dirfd >= 0 {
		dir, err = c.dir(dirfd, path)
	}
	return dir, path, err
}

// existing is locate for a node that must exist.
func (c *call) existing(dirfd, p int, follow bool) (vfs.NodeID, error) {
	pl, err := c.locate(dirfd, p, follow)
	if err != nil {
		return 0, err
	}
	if pl.Node == 0 {
		return 0, errno.ENOENT
	}
	return pl.Node, nil
}

// target is existing with AT_EMPTY_PATH: an empty path then names the descriptor
// itself. d is set instead of id when that, or what a link in /proc/self/fd leads
// to, is no node of the file tree.
func (c *call) target(dirfd, p int, flags uint64) (id vfs.NodeID, d *desc, err error) {
	if flags&atEmptyPath != 0 {
		empty := c.a[p] == 0 && c.row.Name != "statx"
		if !empty {
			path, err := c.path(c.a[p])
			if err != nil {
				return 0, nil, err
			}
			empty = path == ""
		}
		if empty && c.fd(dirfd) == atFdcwd {
			return c.proc.cwd, nil, nil
		}
		if empty {
			if d, err = c.place(dirfd); err != nil || d.node == 0 {
				return 0, d, err
			}
			return d.node, nil, nil
		}
	}
	follow := flags&atSymlinkNofollow == 0
	id, err = c.existing(dirfd, p, follow)
	if task, num, ok := c.FS.FDLink(id); ok && follow && err == nil {
		if d = c.descAt(task, num); d == nil {
			err = errno.ENOENT
		}
		return 0, d, err
	}
	return id, nil, err
}

func sysOpen(c *call) (uint64, error) { return c.open(-1, 0, uint32(c.a[1]), uint32(c.a[2])) }

func sysCreat(c *call) (uint64, error) {
	return c.open(-1, 0, oCreat|oTrunc|oWronly, uint32(c.a[1]))
}

func sysOpenat(c *call) (uint64, error) { return c.open(0, 1, uint32(c.a[2]), uint32(c.a[3])) }

func sysOpenat2(c *call) (uint64, error) {
	if c.a[3] < 24 {
		return 0, errno.EINVAL
	}
	if c.a[3] > phys.PageSize {
		return 0, errno.E2BIG
	}
	b := make([]byte, c.a[3])
	if err := c.load(c.a[2], b); err != nil {
		return 0, err
	}
	for _, x := range b[24:] {
		if x != 0 {
			return 0, errno.E2BIG
		}
	}
	flags, mode, resolve := le.Uint64(b), le.Uint64(b[8:]), le.Uint64(b[16:])
	if flags>>32 != 0 || mode&^0o7777 != 0 || mode != 0 && flags&(oCreat|oTmpfile&^oDirectory) == 0 {
		return 0, errno.EINVAL
	}
	if resolve != 0 {
		return 0, c.lacks("resolve flags %#x", resolve)
	}
	return c.open(0, 1, uint32(flags), uint32(mode))
}

func (c *call) open(dirfd, p int, flags, mode uint32) (uint64, error) {
	if w := c.thread.wait; w != nil && w.fifo.pipe != 0 {
		return c.reopenFIFO(w.fifo, flags)
	}
	if flags&oPath != 0 {
		flags &= oPath | oDirectory | oNofollow | oCloexec
	}
	write := flags&oAccmode != 0
	if flags&(oTmpfile&^oDirectory) == 0 && flags&(oCreat|oDirectory) == oCreat|oDirectory {
		return 0, errno.EINVAL
	}
	if flags&(oTmpfile&^oDirectory) != 0 {
		if flags&oDirectory == 0 || !write {
			return 0, errno.EINVAL
		}
		return c.openTmpfile(dirfd, p, flags, mode)
	}
	excl := flags&(oCreat|oExcl) == oCreat|oExcl
	follow := flags&oNofollow == 0 && !excl
	dir, path, err := c.begin(dirfd, p)
	if err != nil {
		return 0, err
	}
	if flags&oCreat != 0 && strings.HasSuffix(path, "/") { // whatever there is
		_, err := c.FS.Parent(dir, path)
		return 0, errnoFirst(err, errno.EISDIR)
	}
	pl, err := c.FS.Locate(dir, path, follow)
	if err != nil {
		return 0, err
	}
	if task, num, ok := c.FS.FDLink(pl.Node); ok && follow {
		return c.reopen(c.descAt(task, num), flags)
	}
	id, created, err := c.openNode(pl, flags, mode)
	if err != nil {
		return 0, err
	}
	st, err := c.FS.Stat(id)
	if err != nil {
		return 0, err
	}
	switch {
	case flags&oDirectory != 0 && !st.Dir(), pl.DirOnly && !st.Dir():
		return 0, errno.ENOTDIR
	case st.Link() && flags&oPath == 0:
		return 0, errno.ELOOP
	case st.Dir() && (write || flags&(oCreat|oTrunc) != 0):
		return 0, errno.EISDIR
	}
	if flags&oPath == 0 && !created {
		if err := c.mayOpen(id, st, flags); err != nil {
			return 0, err
		}
	}
	if c.proc.free(0) >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	if flags&oPath != 0 {
		c.FS.Ref(id)
	} else if err := c.FS.Open(id, write); err != nil {
		return 0, err
	}
	if flags&oPath == 0 {
		if num, ok, err := c.openTerminal(id, flags); ok {
			return num, err
		}
	}
	if st.Mode&vfs.ModeType == vfs.ModeFIFO && flags&oPath == 0 {
		c.unref = append(c.unref, id)
		return c.openFIFO(id, flags)
	}
	if flags&oTrunc != 0 && write && !created && st.Regular() && !c.FS.Accepts(id) {
		if err := c.truncate(id, 0); err != nil {
			c.unref = append(c.unref, id)
			return 0, err
		}
	}
	return c.openDesc(id, flags)
}

// mayOpen checks the caller's rights to a file that is there.
func (c *call) mayOpen(id vfs.NodeID, st vfs.Stat, flags uint32) error {
	want := [...]uint32{vfs.MayRead, vfs.MayWrite, vfs.MayRead | vfs.MayWrite, vfs.MayRead | vfs.MayWrite}[flags&oAccmode]
	if flags&oTrunc != 0 {
		want |= vfs.MayWrite
	}
	if err := c.FS.Permit(id, want); err != nil {
		return err
	}
	if want&vfs.MayWrite != 0 && st.Regular() && c.runs(id) {
		return errno.ETXTBSY
	}
	if flags&oNoatime != 0 && !c.thread.who().owns(st.UID) {
		return errno.EPERM
	}
	return nil
}

// openNode finds or creates the node that open is about.
func (c *call) openNode(pl vfs.Place, flags, mode uint32) (id vfs.NodeID, created bool, err error) {
	switch {
	case pl.Node == 0 && flags&oCreat == 0:
		return 0, false, errno.ENOENT
	case pl.Node == 0 && pl.DirOnly:
		return 0, false, errno.EISDIR
	case pl.Node == 0:
		id, err = c.FS.Create(pl.Dir, pl.Name, mode&vfs.ModePerm&^c.proc.umask)
		return id, true, c.created(pl, id, err)
	case flags&(oCreat|oExcl) == oCreat|oExcl:
		return 0, false, errno.EEXIST
	}
	return pl.Node, false, nil
}

// openDesc installs a description of a node that is referenced already.
func (c *call) openDesc(id vfs.NodeID, flags uint32) (uint64, error) {
	keep := flags &^ (oCreat | oExcl | oNoctty | oTrunc | oCloexec)
	if flags&oPath == 0 {
		keep |= oLargefile
	}
	num, err := c.install(desc{kind: FDNode, node: id, flags: keep}, flags&oCloexec != 0)
	if err != nil {
		c.unref = append(c.unref, id)
	} else if flags&oPath == 0 {
		c.notify(inOpen, id)
	}
	return uint64(num), err
}

func (c *call) openTmpfile(dirfd, p int, flags, mode uint32) (uint64, error) {
	id, err := c.existing(dirfd, p, true)
	if err != nil {
		return 0, err
	}
	if st, err := c.FS.Stat(id); err != nil || !st.Dir() {
		return 0, errnoFirst(err, errno.ENOTDIR)
	}
	if err := c.FS.Permit(id, vfs.MayWrite|vfs.MayExec); err != nil {
		return 0, err
	}
	if id, err = c.FS.Anonymous("tmpfile", mode&vfs.ModePerm&^c.proc.umask); err != nil {
		return 0, err
	}
	return c.openDesc(id, flags)
}

// descAt returns the description of a descriptor of a process or a thread.
func (k *Kernel) descAt(task vfs.Task, num int) *desc {
	if v, ok := k.view(task); ok {
		if s := v.p.slot(num); s != nil {
			return k.files.desc(s.desc)
		}
	}
	return nil
}

// reopen opens the console or a pipe end anew through /proc/PID/fd.
func (c *call) reopen(d *desc, flags uint32) (uint64, error) {
	switch {
	case d == nil:
		return 0, errno.ENOENT
	case d.kind == FDSocket, d.kind.anonymous():
		return 0, errno.ENXIO
	}
	n := desc{kind: d.kind, pipe: d.pipe, flags: flags&(oAccmode|oAppend|oNonblock) | oLargefile}
	if d.isPipe() {
		if n.kind = pipeKind(flags); n.kind == 0 {
			return 0, errno.EINVAL
		}
		if c.proc.free(0) >= c.fdLimit() {
			return 0, errno.EMFILE
		}
		c.enterPipe(c.files.pipe(d.pipe), n.kind)
	}
	got, err := c.install(n, flags&oCloexec != 0)
	return uint64(got), err
}

func sysMkdir(c *call) (uint64, error)   { return c.mkdir(-1, 0, c.a[1]) }
func sysMkdirat(c *call) (uint64, error) { return c.mkdir(0, 1, c.a[2]) }

func (c *call) mkdir(dirfd, p int, mode uint64) (uint64, error) {
	pl, err := c.vacant(dirfd, p, true)
	if err != nil {
		return 0, err
	}
	id, err := c.FS.Mkdir(pl.Dir, pl.Name, uint32(mode)&0o1777&^c.proc.umask)
	return 0, c.created(pl, id, err)
}

// created tells of a new name, unless making it failed.
func (c *call) created(pl vfs.Place, id vfs.NodeID, err error) error {
	if err == nil {
		c.notifyName(inCreate, pl.Dir, pl.Name, id, 0)
	}
	return err
}

// vacant resolves a path at which something is to be made; a slash may end that of a
// directory alone.
func (c *call) vacant(dirfd, p int, dir bool) (vfs.Place, error) {
	pl, err := c.parent(dirfd, p)
	switch {
	case err != nil:
	case pl.Node != 0:
		err = errno.EEXIST
	case pl.DirOnly && !dir:
		err = errno.ENOENT
	}
	return pl, err
}

func sysMknod(c *call) (uint64, error)   { return c.mknod(-1, 0, uint32(c.a[1])) }
func sysMknodat(c *call) (uint64, error) { return c.mknod(0, 1, uint32(c.a[2])) }

func (c *call) mknod(dirfd, p int, mode uint32) (uint64, error) {
	switch mode & vfs.ModeType {
	case 0, vfs.ModeFile, vfs.ModeFIFO, vfs.ModeSocket, vfs.ModeChar, vfs.ModeBlock:
	case vfs.ModeDir:
		return 0, errno.EPERM
	default:
		return 0, errno.EINVAL
	}
	pl, err := c.vacant(dirfd, p, false)
	if err != nil {
		return 0, err
	}
	id, err := c.FS.Mknod(pl.Dir, pl.Name, mode&^c.proc.umask)
	return 0, c.created(pl, id, err)
}

func sysRmdir(c *call) (uint64, error)  { return c.remove(-1, 0, true) }
func sysUnlink(c *call) (uint64, error) { return c.remove(-1, 0, false) }

func sysUnlinkat(c *call) (uint64, error) {
	if c.a[2]&^atRemovedir != 0 {
		return 0, errno.EINVAL
	}
	return c.remove(0, 1, c.a[2]&atRemovedir != 0)
}

func (c *call) remove(dirfd, p int, dir bool) (uint64, error) {
	pl, err := c.parent(dirfd, p)
	switch {
	case err != nil:
		return 0, err
	case pl.Node == 0:
		return 0, errno.ENOENT
	case !dir:
		if pl.DirOnly && !c.isDir(pl.Node) {
			return 0, errno.ENOTDIR
		}
		return 0, c.unlink(pl)
	case pl.Name == ".":
		return 0, errno.EINVAL
	case pl.Name == "..":
		return 0, errno.ENOTEMPTY
	case pl.Name == "":
		return 0, errno.EBUSY
	}
	if err = c.FS.Rmdir(pl.Dir, pl.Name); err == nil {
		c.vanished(pl.Node)
		c.notifyName(inDelete|inIsdir, pl.Dir, pl.Name, pl.Node, 0)
	}
	return 0, err
}

func (c *call) unlink(pl vfs.Place) error {
	err := c.FS.Unlink(pl.Dir, pl.Name)
	if err == nil {
		c.notifySelf(inAttrib, pl.Node)
		c.vanished(pl.Node)
		c.notifyName(inDelete, pl.Dir, pl.Name, pl.Node, 0)
	}
	return err
}

func sysRename(c *call) (uint64, error)    { return c.rename(-1, 0, -1, 1, 0) }
func sysRenameat(c *call) (uint64, error)  { return c.rename(0, 1, 2, 3, 0) }
func sysRenameat2(c *call) (uint64, error) { return c.rename(0, 1, 2, 3, uint32(c.a[4])) }

func (c *call) rename(oldDir, oldPath, newDir, newPath int, flags uint32) (uint64, error) {
	how := vfs.RenameFlags(flags)
	exchange, keep := how&vfs.RenameExchange != 0, how&vfs.RenameNoReplace != 0
	if how&^(vfs.RenameExchange|vfs.RenameNoReplace) != 0 || exchange && keep {
		return 0, errno.EINVAL
	}
	from, err := c.parent(oldDir, oldPath)
	if err != nil {
		return 0, err
	}
	to, err := c.parent(newDir, newPath)
	switch {
	case err != nil:
		return 0, err
	case !ordinary(from.Name), !ordinary(to.Name) && !keep:
		return 0, errno.EBUSY
	case !ordinary(to.Name):
		return 0, errno.EEXIST
	case from.Node == 0:
		return 0, errno.ENOENT
	case keep && to.Node != 0:
		return 0, errno.EEXIST
	case exchange && to.Node == 0:
		return 0, errno.ENOENT
	case exchange && to.DirOnly && !c.isDir(to.Node):
		return 0, errno.ENOTDIR
	case !c.isDir(from.Node) && (from.DirOnly || to.DirOnly && !exchange):
		return 0, errno.ENOTDIR
	}
	err = c.FS.Rename(from.Dir, from.Name, to.Dir, to.Name, how)
	if err == nil && from.Node != to.Node {
		c.renamed(from, to, exchange)
	}
	return 0, err
}

// ordinary reports whether the last component of a path is a name of its own.
func ordinary(name string) bool { return name != "" && name != "." && name != ".." }

// renamed tells of a name that has become another one.
func (c *call) renamed(from, to vfs.Place, exchange bool) {
	c.notifyMove(from, to, from.Node)
	if to.Node != 0 && !exchange {
		c.notifySelf(inAttrib, to.Node)
	}
	c.notifySelf(inMoveSelf, from.Node)
	switch {
	case exchange:
		c.notifyMove(to, from, to.Node)
		c.notifySelf(inMoveSelf, to.Node)
	case to.Node != 0:
		c.vanished(to.Node)
	}
}

func sysLink(c *call) (uint64, error) { return c.link(-1, 0, -1, 1, 0) }

func sysLinkat(c *call) (uint64, error) {
	if c.a[4]&^(atSymlinkFollow|atEmptyPath) != 0 {
		return 0, errno.EINVAL
	}
	return c.link(0, 1, 2, 3, c.a[4])
}

func (c *call) link(oldDir, oldPath, newDir, newPath int, flags uint64) (uint64, error) {
	var id vfs.NodeID
	var err error
	if oldDir < 0 {
		id, err = c.existing(oldDir, oldPath, false)
	} else {
		if flags&atSymlinkFollow == 0 {
			flags |= atSymlinkNofollow
		}
		var d *desc
		if id, d, err = c.target(oldDir, oldPath, flags); err == nil && d != nil {
			err = errno.EXDEV
		}
	}
	if err != nil {
		return 0, err
	}
	pl, err := c.vacant(newDir, newPath, false)
	if err != nil {
		return 0, err
	}
	if err = c.FS.Link(id, pl.Dir, pl.Name); err == nil {
		c.notifySelf(inAttrib, id)
	}
	return 0, c.created(pl, id, err)
}

func sysSymlink(c *call) (uint64, error)   { return c.symlink(-1, 1) }
func sysSymlinkat(c *call) (uint64, error) { return c.symlink(1, 2) }

func (c *call) symlink(dirfd, p int) (uint64, error) {
	text, err := c.path(c.a[0])
	if err != nil {
		return 0, err
	}
	if text == "" {
		return 0, errno.ENOENT
	}
	pl, err := c.vacant(dirfd, p, false)
	if err != nil {
		return 0, err
	}
	id, err := c.FS.Symlink(pl.Dir, pl.Name, text)
	return 0, c.created(pl, id, err)
}

func sysReadlink(c *call) (uint64, error) { return c.readlink(-1, 0, c.a[1], c.a[2]) }

func sysReadlinkat(c *call) (uint64, error) { return c.readlink(0, 1, c.a[2], c.a[3]) }

func (c *call) readlink(dirfd, p int, buf, size uint64) (uint64, error) {
	if int32(size) <= 0 {
		return 0, errno.EINVAL
	}
	id, err := c.linkAt(dirfd, p)
	if err != nil {
		return 0, err
	}
	text, err := c.FS.Readlink(id)
	if err != nil {
		return 0, err
	}
	n := min(uint64(len(text)), size)
	return n, c.store(buf, []byte(text[:n]))
}

// linkAt finds the symbolic link that readlink(2) is about: with an empty path it is what the
// descriptor names, and without one ENOENT.
func (c *call) linkAt(dirfd, p int) (vfs.NodeID, error) {
	path, err := c.path(c.a[p])
	if err != nil || path != "" || dirfd < 0 || c.fd(dirfd) == atFdcwd {
		return c.existing(dirfd, p, false)
	}
	d, err := c.place(dirfd)
	if err == nil && (d.kind != FDNode || !c.isLink(d.node)) {
		err = errno.ENOENT
	}
	if err != nil {
		return 0, err
	}
	return d.node, nil
}

func (c *call) isLink(id vfs.NodeID) bool {
	st, err := c.FS.Stat(id)
	return err == nil && st.Link()
}

func sysChmod(c *call) (uint64, error)    { return c.chmod(-1, 0, c.a[1], 0) }
func sysFchmodat(c *call) (uint64, error) { return c.chmod(0, 1, c.a[2], 0) }
func sysFchmodat2(c *call) (uint64, error) {
	if c.a[3]&^(atSymlinkNofollow|atEmptyPath) != 0 {
		return 0, errno.EINVAL
	}
	return c.chmod(0, 1, c.a[2], c.a[3])
}

func (c *call) chmod(dirfd, p int, mode, flags uint64) (uint64, error) {
	id, d, err := c.target(dirfd, p, flags)
	switch {
	case err != nil:
		return 0, err
	case d != nil:
		return 0, c.fchmod(d, mode)
	}
	return 0, c.setMode(id, mode)
}

func sysFchmod(c *call) (uint64, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case d.node == 0:
		return 0, c.fchmod(d, c.a[1])
	}
	return 0, c.setMode(d.node, c.a[1])
}

func (c *call) setMode(id vfs.NodeID, mode uint64) error {
	st, err := c.FS.Stat(id)
	if err != nil {
		return err
	}
	if mode, err = c.newMode(st, mode); err != nil {
		return err
	}
	return c.attributes(id, c.FS.Chmod(id, uint32(mode)&vfs.ModePerm))
}

// attributes tells of changed attributes, unless changing them failed.
func (c *call) attributes(id vfs.NodeID, err error) error {
	if err == nil {
		c.notify(inAttrib, id)
	}
	return err
}

func sysChown(c *call) (uint64, error)  { return c.chown(-1, 0, true, c.a[1], c.a[2]) }
func sysLchown(c *call) (uint64, error) { return c.chown(-1, 0, false, c.a[1], c.a[2]) }
func sysFchownat(c *call) (uint64, error) {
	if c.a[4]&^(atSymlinkNofollow|atEmptyPath) != 0 {
		return 0, errno.EINVAL
	}
	id, d, err := c.target(0, 1, c.a[4])
	switch {
	case err != nil:
		return 0, err
	case d != nil:
		return 0, c.fchown(d, c.a[2], c.a[3])
	}
	return 0, c.setOwner(id, c.a[2], c.a[3])
}

func (c *call) chown(dirfd, p int, follow bool, uid, gid uint64) (uint64, error) {
	flags := uint64(atSymlinkNofollow)
	if follow {
		flags = 0
	}
	id, d, err := c.target(dirfd, p, flags)
	switch {
	case err != nil:
		return 0, err
	case d != nil:
		return 0, c.fchown(d, uid, gid)
	}
	return 0, c.setOwner(id, uid, gid)
}

// newMode checks that the caller may change the mode of what has st to mode, and returns
// what comes of it.
func (c *call) newMode(st vfs.Stat, mode uint64) (uint64, error) {
	u := c.thread.who()
	if !u.owns(st.UID) {
		return 0, errno.EPERM
	}
	if !u.in(st.GID) && !u.can(capFsetid) {
		mode &^= 0o2000
	}
	return mode, nil
}

// newOwner checks that the caller may give what has st to another user and group, ^0 for
// none, and sets them; a program's set-user-ID and set-group-ID bits go with its owner.
func (c *call) newOwner(st *vfs.Stat, uid, gid uint32) error {
	u := c.thread.who()
	owner := u.user.file == st.UID
	switch {
	case u.can(capChown):
	case uid != nobody && !(owner && uid == st.UID),
		gid != nobody && !(owner && (gid == st.GID || u.in(gid))):
		return errno.EPERM
	}
	if !st.Dir() {
		st.Mode &^= 0o4000
		if st.Mode&0o010 != 0 || !u.in(st.GID) && !u.can(capFsetid) {
			st.Mode &^= 0o2000
		}
	}
	if uid != nobody {
		st.UID = uid
	}
	if gid != nobody {
		st.GID = gid
	}
	return nil
}

// setOwner leaves what is -1 as it is.
func (c *call) setOwner(id vfs.NodeID, uid, gid uint64) error {
	st, err := c.FS.Stat(id)
	if err != nil {
		return err
	}
	was := st.Mode
	if err := c.newOwner(&st, uint32(uid), uint32(gid)); err != nil {
		return err
	}
	err = c.FS.Chown(id, st.UID, st.GID)
	if err == nil && st.Mode != was {
		err = c.FS.Chmod(id, st.Mode&vfs.ModePerm)
	}
	return c.attributes(id, err)
}

func sysFchown(c *call) (uint64, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case d.node == 0:
		return 0, c.fchown(d, c.a[1], c.a[2])
	}
	return 0, c.setOwner(d.node, c.a[1], c.a[2])
}

func sysTruncate(c *call) (uint64, error) {
	if int64(c.a[1]) < 0 {
		return 0, errno.EINVAL
	}
	id, err := c.existing(-1, 0, true)
	if err != nil {
		return 0, err
	}
	if st, err := c.FS.Stat(id); err == nil && st.Regular() {
		if err := c.FS.Permit(id, vfs.MayWrite); err != nil {
			return 0, err
		}
		if c.runs(id) {
			return 0, errno.ETXTBSY
		}
	}
	return 0, c.truncate(id, int64(c.a[1]))
}

func sysUtimensat(c *call) (uint64, error) {
	times, present, wrong := c.utimesAt(c.a[2])
	if wrong != nil && wrong != errno.EINVAL { // which is told once the file is found
		return 0, wrong
	}
	if wrong == nil && times[0] == nil && times[1] == nil {
		return 0, nil // nothing is looked at
	}
	var id vfs.NodeID
	var d *desc
	var err error
	switch {
	case c.a[1] == 0 && c.fd(0) != atFdcwd && c.a[3] != 0, c.a[3]&^(atSymlinkNofollow|atEmptyPath) != 0:
		return 0, errno.EINVAL
	case c.a[1] == 0 && c.fd(0) == atFdcwd:
		return 0, errno.EFAULT
	case c.a[1] == 0:
		if d, err = c.desc(0); err == nil && d.node != 0 {
			id, d = d.node, nil
		}
	default:
		id, d, err = c.target(0, 1, c.a[3])
	}
	switch err = errnoFirst(err, wrong); {
	case err != nil:
		return 0, err
	case d != nil:
		return 0, c.futimens(d, times, present)
	}
	st, err := c.FS.Stat(id)
	if err == nil {
		err = c.mayTime(st, times, present)
	}
	if err != nil {
		return 0, err
	}
	return 0, c.utimes(id, times[0], times[1])
}

// utimesAt reads the two times of utimensat, 0 for the present ones; present tells that
// both are.
func (c *call) utimesAt(va uint64) (times [2]*phys.Nanos, present bool, err error) {
	now := c.Now()
	if va == 0 {
		return [2]*phys.Nanos{&now, &now}, true, nil
	}
	present = true
	for i := range times {
		var is bool
		if times[i], is, err = c.utime(va + 16*uint64(i)); err != nil {
			return times, false, err
		}
		present = present && is
	}
	return times, present, nil
}

// mayTime checks that the caller may set the times of what has st: the present ones who
// may write it, others its owner alone.
func (c *call) mayTime(st vfs.Stat, times [2]*phys.Nanos, present bool) error {
	u := c.thread.who()
	switch {
	case times[0] == nil && times[1] == nil, u.owns(st.UID):
		return nil
	case !present:
		return errno.EPERM
	case !u.may(st.Mode, st.UID, st.GID, vfs.MayWrite):
		return errno.EACCES
	}
	return nil
}

// utimes sets the times of a node; nil leaves one as it is.
func (c *call) utimes(id vfs.NodeID, access, modified *phys.Nanos) error {
	err := c.FS.Utimes(id, access, modified)
	switch {
	case err != nil:
	case access != nil && modified != nil:
		c.notify(inAttrib, id)
	case access != nil:
		c.notify(inAccess, id)
	case modified != nil:
		c.notify(inModify, id)
	}
	return err
}

// utime reads one timespec of utimensat; nil means to leave the time as it is. present
// tells of UTIME_NOW.
func (c *call) utime(va uint64) (t *phys.Nanos, present bool, err error) {
	const utimeNow, utimeOmit = 1<<30 - 1, 1<<30 - 2
	ns, err := c.u64(va + 8)
	if err != nil {
		return nil, false, err
	}
	now := c.Now()
	switch ns {
	case utimeNow:
		return &now, true, nil
	case utimeOmit:
		return nil, false, nil
	}
	at, err := c.timespecAt(va)
	return &at, false, err
}

func sysUtime(c *call) (uint64, error) { return c.utimesPath(8) }

func sysUtimes(c *call) (uint64, error) { return c.utimesPath(16) }

// utimesPath is utime (two seconds of 8 bytes) and utimes (two timevals).
func (c *call) utimesPath(size uint64) (uint64, error) {
	t, err := c.secondsAt(c.a[1], size)
	if err != nil {
		return 0, err
	}
	id, err := c.existing(-1, 0, true)
	if err != nil {
		return 0, err
	}
	return 0, c.setTimes(id, t, c.a[1] == 0)
}

func sysChdir(c *call) (uint64, error) {
	id, err := c.existing(-1, 0, true)
	if err != nil {
		return 0, err
	}
	return 0, c.chdir(id)
}

func sysFchdir(c *call) (uint64, error) {
	d, err := c.place(0)
	switch {
	case err != nil:
		return 0, err
	case d.kind != FDNode:
		return 0, errno.ENOTDIR
	}
	return 0, c.chdir(d.node)
}

func (c *call) chdir(id vfs.NodeID) error {
	st, err := c.FS.Stat(id)
	if err != nil {
		return err
	}
	if !st.Dir() {
		return errno.ENOTDIR
	}
	if err := c.FS.Permit(id, vfs.MayExec); err != nil {
		return err
	}
	c.FS.Ref(id)
	c.unref = append(c.unref, c.proc.cwd)
	c.proc.cwd = id
	c.touchProcess(c.proc)
	return nil
}

func sysGetcwd(c *call) (uint64, error) {
	path, ok := c.FS.Path(c.proc.cwd)
	if !ok {
		return 0, errno.ENOENT
	}
	if uint64(len(path)) >= c.a[1] {
		return 0, errno.ERANGE
	}
	return uint64(len(path) + 1), c.store(c.a[0], append([]byte(path), 0))
}

func sysAccess(c *call) (uint64, error) { return c.access(-1, 0, c.a[1], 0) }

func sysFaccessat(c *call) (uint64, error) { return c.access(0, 1, c.a[2], 0) }

func sysFaccessat2(c *call) (uint64, error) { return c.access(0, 1, c.a[2], c.a[3]) }

// access checks a path for the real user, or with AT_EACCESS for who the caller is.
func (c *call) access(dirfd, p int, mode, flags uint64) (uint64, error) {
	const eaccess = 0x200
	if mode&^7 != 0 || flags&^(eaccess|atSymlinkNofollow|atEmptyPath) != 0 {
		return 0, errno.EINVAL
	}
	if flags&eaccess == 0 {
		c.acting = c.thread.who().accessing()
		defer func() { c.acting = nil }()
	}
	st, _, err := c.statAt(dirfd, p, flags)
	if err == nil && !c.actor().may(st.Mode, st.UID, st.GID, uint32(mode)) {
		err = errno.EACCES
	}
	return 0, err
}

func sysUmask(c *call) (uint64, error) {
	old := c.proc.umask
	c.proc.umask = uint32(c.a[0]) & 0o777
	if c.proc.umask != old {
		c.touchProcess(c.proc)
	}
	return uint64(old), nil
}
