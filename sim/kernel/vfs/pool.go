package vfs

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path"

	"zhuque/sim/hostdir"
	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// PMEMDir is the directory of the guest that is a file system for direct access:
// its files may be mapped with MAP_SYNC.
const PMEMDir = "/mnt/pmem"

// Mount is the file system that a node belongs to.
type Mount uint8

const (
	RootMount Mount = iota
	ProcMount
	SysMount
	DevMount
	PMEMMount
)

var mounts = map[string]Mount{"proc": ProcMount, "sys": SysMount, "dev": DevMount, PMEMDir[1:]: PMEMMount}

// Mount tells which file system a node belongs to: that of its directory.
func (t *FS) Mount(id NodeID) Mount {
	if isTask(id) {
		return ProcMount
	}
	for range MaxPath {
		n, err := t.node(id)
		if err != nil || id == Root {
			return RootMount
		}
		if n.low != nil && n.low.mount {
			return mounts[n.low.path]
		}
		if up := n.parent(); up != 0 {
			id = up
			continue
		}
		break // nameless from birth
	}
	return RootMount
}

// addPMEM makes the directory of PMEMDir, beside what the host has in /mnt.
func (l *lower) addPMEM(top *lowerNode) {
	above := path.Dir(PMEMDir[1:])
	if host, err := l.child(top, above); err == nil && host.proto.isDir() && !host.hidden {
		if top.static == nil {
			top.static = make(map[string]*lowerNode)
		}
		top.static[above] = host
	}
	n := l.addNode(top, PMEMDir[1:], ModeDir|0o1777)
	n.mount = true
}

// loadPools fills PMEMDir with the files of Options.Pools.
func (t *FS) loadPools() error {
	if t.opt.Pools == "" {
		return nil
	}
	root, err := os.OpenRoot(t.opt.Pools)
	if err != nil {
		return fmt.Errorf("pool directory %s: an existing directory was expected: %w", t.opt.Pools, err)
	}
	defer root.Close()
	at, err := t.Walk(Root, PMEMDir, true)
	switch {
	case err != nil:
	case hostdir.Pending(t.opt.Pools):
		err = errors.New("a run that was killed left it half written, which zhuque run with this --pmem-dir completes")
	default:
		l := &poolLoader{fs: t, root: root, dirs: map[string]NodeID{".": at}, files: map[hostKey]NodeID{}}
		if err = hostdir.Walk(root, ".", l.check); err == nil {
			err = hostdir.Walk(root, ".", l.load)
		}
		t.writes = 0 // no call of the guest's was among them
	}
	if err != nil {
		return fmt.Errorf("pool directory %s: %w", t.opt.Pools, err)
	}
	return nil
}

// poolLoader copies a host directory into the tree.
type poolLoader struct {
	fs    *FS
	root  *os.Root
	dirs  map[string]NodeID
	files map[hostKey]NodeID // for further names of a file
	nodes int
	bytes int64 // that the host's file system holds
}

// check refuses what cannot be loaded before anything is.
func (l *poolLoader) check(e hostdir.Entry) error {
	l.nodes++
	switch {
	case !e.IsDir() && !e.Mode().IsRegular():
		return fmt.Errorf("%q: a file or a directory was expected", e.Path)
	case e.Mode().IsRegular() && e.Size() > int64(MaxFile):
		return fmt.Errorf("%q: its size is %d bytes, a file of the guest's has at most %d", e.Path, e.Size(), int64(MaxFile))
	case l.nodes > l.fs.opt.MaxNodes:
		return fmt.Errorf("it holds more than %d files and directories, which the guest's file tree has no room for",
			l.fs.opt.MaxNodes)
	}
	if e.Mode().IsRegular() {
		l.bytes += min(hostBlocks(e), e.Size())
	}
	if l.bytes > int64(l.fs.opt.MaxBytes) {
		return fmt.Errorf("its files hold more than %d bytes, which the guest's file tree has no room for",
			int64(l.fs.opt.MaxBytes))
	}
	return nil
}

// load makes the guest's node of an entry.
func (l *poolLoader) load(e hostdir.Entry) (err error) {
	t, dir, base := l.fs, l.dirs[path.Dir(e.Path)], path.Base(e.Path)
	var id NodeID
	switch key := hostKeyOf("", "", e.FileInfo); {
	case e.IsDir():
		id, err = t.Mkdir(dir, base, uint32(e.Mode().Perm()))
		l.dirs[e.Path] = id
	case l.files[key] != 0:
		return t.Link(l.files[key], dir, base)
	default:
		if id, err = t.Create(dir, base, uint32(e.Mode().Perm())); err == nil {
			err = l.content(e, id)
		}
		if key.ino != 0 {
			l.files[key] = id
		}
	}
	if err != nil {
		return fmt.Errorf("%q: the guest's file tree cannot have it: %w", e.Path, err)
	}
	when := phys.Nanos(max(0, e.ModTime().UnixNano()))
	return t.Utimes(id, &when, &when)
}

// content copies a host file but for its pages of zeros.
func (l *poolLoader) content(e hostdir.Entry, id NodeID) error {
	f, err := l.root.Open(e.Path)
	if err != nil {
		return err
	}
	defer f.Close()
	size := e.Size()
	err = hostdir.Blocks(f, size, func(off int64, b []byte) error {
		if *(*mem.Page)(b) == zeroPage {
			return nil
		}
		part := b[:min(size-off, phys.PageSize)]
		if n, err := l.fs.WriteAt(id, part, off); err != nil || n < len(part) {
			return cmp.Or(err, error(errno.ENOSPC))
		}
		return nil
	})
	if err != nil {
		return err
	}
	return l.fs.Truncate(id, size)
}

// savePools writes the guest's PMEMDir into an empty directory: files, with all their
// names, directories, permissions and times.
func (t *FS) savePools(r *os.Root, at NodeID) error {
	x := &export{fs: t, names: map[NodeID]string{}}
	return x.savePool(r, ".", at)
}

func (x *export) savePool(r *os.Root, at string, dir NodeID) error {
	kids, err := x.fs.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, k := range kids {
		if k.Name == "." || k.Name == ".." {
			continue
		}
		name := path.Join(at, k.Name)
		n, err := x.fs.node(k.ID)
		if err != nil {
			return err
		}
		if first := x.names[k.ID]; first != "" {
			if err := r.Link(first, name); err != nil {
				return err
			}
			continue
		}
		mode := os.FileMode(n.mode&0o777 | 0o400) // the next run must read it
		if n.isDir() {
			mode |= 0o700
			if err = r.Mkdir(name, 0o700); err == nil {
				err = x.savePool(r, name, k.ID)
			}
		} else {
			x.names[k.ID] = name
			err = x.saveFile(r, name, n)
		}
		if err == nil {
			err = r.Chmod(name, mode)
		}
		if err == nil {
			err = hostdir.SetTime(r, name, int64(n.mtime))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *export) saveFile(r *os.Root, name string, n *inode) error {
	f, err := r.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(x.writeContent(f, n), f.Close())
}
