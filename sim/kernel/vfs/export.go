package vfs

import (
	"fmt"
	"os"
	"path"
	"slices"
	"strings"

	"zhuque/sim/phys"
)

const (
	overlayList   = "zhuque-changes"
	overlayHeader = "zhuque overlay 1\n"
	overlayTree   = "tree"
)

// Close is Sync. The FS itself stays usable.
func (fs *FS) Close() error { return fs.Sync() }

// checkOverlay says why dir cannot receive the changes.
func checkOverlay(dir string) error {
	if dir == "" {
		return nil
	}
	ents, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("overlay directory %s: an existing directory was expected: %w", dir, err)
	}
	if len(ents) == 0 {
		return nil
	}
	for _, e := range ents {
		if e.Name() != overlayList && e.Name() != overlayTree {
			return fmt.Errorf("overlay directory %s: it holds %q, which no run wrote there: an empty directory, or one that an earlier run wrote, was expected", dir, e.Name())
		}
	}
	if text, err := os.ReadFile(path.Join(dir, overlayList)); err != nil ||
		!strings.HasPrefix(string(text), overlayHeader) {
		return fmt.Errorf("overlay directory %s: an empty directory, or one that an earlier run wrote, was expected", dir)
	}
	return nil
}

// export is the sorted list of what Sync writes.
type export struct {
	fs    *FS
	items map[string]NodeID // by guest path without its leading slash; 0: removed
	names map[NodeID]string // of a pool: the first of each file
}

func (fs *FS) newExport() (*export, error) {
	x := &export{fs: fs, items: make(map[string]NodeID)}
	var err error
	fs.nodes.each(func(_ uint64, n *inode) bool {
		err = x.visit(n)
		return err == nil
	})
	return x, err
}

func (x *export) visit(n *inode) error {
	for _, l := range n.names {
		if dir, ok := x.fs.Path(l.dir); ok {
			if err := x.add(strings.TrimPrefix(path.Join(dir, l.name), "/"), n); err != nil {
				return err
			}
		}
	}
	dir, ok := x.fs.Path(n.id)
	if !ok {
		return nil
	}
	n.ents.each(func(_ uint64, bucket []entry) bool {
		for _, e := range bucket {
			if e.id == 0 {
				x.items[strings.TrimPrefix(path.Join(dir, e.name), "/")] = 0
			}
		}
		return true
	})
	return nil
}

// add puts n on the list; a host directory under a new name brings all that is in
// it.
func (x *export) add(at string, n *inode) error {
	x.items[at] = n.id
	if !n.isDir() || n.low == nil || n.low.path == at {
		return nil
	}
	kids, err := x.fs.kids(n)
	if err != nil {
		return err
	}
	for _, k := range kids {
		kid, err := x.fs.walkInto(n.id, k.Name)
		if err == nil {
			err = x.add(path.Join(at, k.Name), kid)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (fs *FS) walkInto(dir NodeID, name string) (*inode, error) {
	id, err := fs.Lookup(dir, name)
	if err != nil {
		return nil, err
	}
	return fs.node(id)
}

func (x *export) write(r *os.Root) error {
	if err := r.Mkdir(overlayTree, 0o755); err != nil {
		return err
	}
	paths := make([]string, 0, len(x.items))
	for p := range x.items {
		paths = append(paths, p)
	}
	slices.Sort(paths)
	list := []byte(overlayHeader)
	for _, links := range [...]bool{false, true} { // links last: nothing is written through one
		for _, p := range paths {
			n, err := x.fs.node(x.items[p])
			if x.items[p] == 0 {
				n, err = &inode{}, nil
			}
			if err != nil {
				return err
			}
			if (n.kind() == ModeLink) != links {
				continue
			}
			list = fmt.Appendf(list, "%-7s %04o %q\n", kindName(n), n.mode&ModePerm, "/"+p)
			if err := x.writeNode(r, path.Join(overlayTree, p), n); err != nil {
				return err
			}
		}
	}
	return r.WriteFile(overlayList, list, 0o644)
}

func kindName(n *inode) string {
	switch n.kind() {
	case ModeFile:
		return "file"
	case ModeDir:
		return "dir"
	case ModeLink:
		return "link"
	case ModeFIFO:
		return "fifo"
	case ModeSocket:
		return "socket"
	case ModeChar, ModeBlock:
		return "device"
	}
	return "removed"
}

func (x *export) writeNode(r *os.Root, at string, n *inode) error {
	k := n.kind()
	if k != ModeFile && k != ModeDir && k != ModeLink {
		return nil
	}
	if err := r.MkdirAll(path.Dir(at), 0o755); err != nil {
		return err
	}
	switch k {
	case ModeLink:
		return r.Symlink(n.target, at)
	case ModeDir:
		if err := r.MkdirAll(at, 0o755); err != nil {
			return err
		}
		return r.Chmod(at, os.FileMode(n.mode&0o777|0o700))
	}
	f, err := r.OpenFile(at, os.O_CREATE|os.O_WRONLY|os.O_EXCL, os.FileMode(n.mode&0o777|0o600))
	if err != nil {
		return err
	}
	if err := x.writeContent(f, n); err != nil {
		f.Close()
		return err
	}
	return f.Close()
}

// writeContent writes n's bytes, leaving holes where there is nothing.
func (x *export) writeContent(f *os.File, n *inode) error {
	put := func(i int64) error {
		p, err := x.fs.peek(n, i)
		if err == nil {
			_, err = f.WriteAt(p[:min(n.size-i*phys.PageSize, phys.PageSize)], i*phys.PageSize)
		}
		return err
	}
	for i := range (n.base + phys.PageMask) / phys.PageSize {
		if err := put(i); err != nil {
			return err
		}
	}
	var err error
	n.pages.each(func(i uint64, _ slot) bool {
		err = put(int64(i))
		return err == nil
	})
	if err != nil {
		return err
	}
	return f.Truncate(n.size)
}
