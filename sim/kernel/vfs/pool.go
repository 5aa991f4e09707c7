package vfs

import (
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

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
	if err != nil {
		return err
	}
	dirs := map[string]NodeID{".": at}
	err = fs.WalkDir(root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		if err != nil || name == "." {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		var id NodeID
		switch {
		case e.IsDir():
			id, err = t.Mkdir(dirs[path.Dir(name)], path.Base(name), uint32(info.Mode().Perm()))
			dirs[name] = id
		case info.Mode().IsRegular():
			if id, err = t.Create(dirs[path.Dir(name)], path.Base(name), uint32(info.Mode().Perm())); err == nil {
				err = t.loadPool(root, name, id, info.Size())
			}
		default:
			return fmt.Errorf("%s: a file or a directory was expected", name)
		}
		if err == nil {
			when := phys.Nanos(max(0, info.ModTime().UnixNano()))
			err = t.Utimes(id, &when, &when)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("pool directory %s: %w", t.opt.Pools, err)
	}
	return nil
}

// loadPool copies a host file but for its pages of zeros.
func (t *FS) loadPool(root *os.Root, name string, id NodeID, size int64) error {
	f, err := root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	for off := int64(0); off < size; off += phys.PageSize {
		var p mem.Page
		part := p[:min(size-off, phys.PageSize)]
		if _, err := f.ReadAt(part, off); err != nil {
			return err
		}
		if p == (mem.Page{}) {
			continue
		}
		if n, err := t.WriteAt(id, part, off); err != nil || n < len(part) {
			return fmt.Errorf("%s: the guest's file tree has no room for it: %v", name, err)
		}
	}
	return t.Truncate(id, size)
}

// savePools writes PMEMDir back to Options.Pools: first every file, each under
// another name until it is complete, then what is gone is removed. Only what is of
// another kind now makes way before.
func (t *FS) savePools() error {
	if t.opt.Pools == "" {
		return nil
	}
	root, err := os.OpenRoot(t.opt.Pools)
	if err != nil {
		return fmt.Errorf("pool directory %s: %w", t.opt.Pools, err)
	}
	defer root.Close()
	at, err := t.Walk(Root, PMEMDir, true)
	if err == nil {
		x := &export{fs: t}
		kept := map[string]bool{".": true}
		if err = x.savePool(root, ".", at, kept); err == nil {
			err = removeOthers(root, kept)
		}
	}
	if err != nil {
		return fmt.Errorf("pool directory %s: %w", t.opt.Pools, err)
	}
	return nil
}

func (x *export) savePool(root *os.Root, at string, dir NodeID, kept map[string]bool) error {
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
		if was, err := root.Lstat(name); err == nil && was.IsDir() != n.isDir() {
			if err := root.RemoveAll(name); err != nil {
				return err
			}
		}
		switch n.kind() {
		case ModeDir:
			kept[name] = true
			if err := root.MkdirAll(name, 0o755); err != nil {
				return err
			}
			err = x.savePool(root, name, k.ID, kept)
		case ModeFile:
			kept[name] = true
			err = x.saveFile(root, name, n)
		default:
			err = fmt.Errorf("%s: of what is in %s only files and directories can be kept", name, PMEMDir)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (x *export) saveFile(root *os.Root, name string, n *inode) error {
	part := path.Join(path.Dir(name), ".zhuque-part")
	f, err := root.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, os.FileMode(n.mode&0o777|0o600))
	if err != nil {
		return err
	}
	if err := x.writeContent(f, n); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return root.Rename(part, name)
}

// removeOthers removes what the guest removed.
func removeOthers(root *os.Root, kept map[string]bool) error {
	var gone []string
	err := fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil && !kept[name] {
			gone = append(gone, name)
		}
		return err
	})
	if err != nil {
		return err
	}
	slices.Reverse(gone) // what is in a directory before the directory
	for _, name := range gone {
		if err := root.Remove(name); err != nil {
			return err
		}
	}
	return nil
}
