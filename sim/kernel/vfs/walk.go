package vfs

import (
	"errors"
	"slices"
	"strings"

	"zhuque/sim/kernel/errno"
)

// Locate resolves path, relative to the directory cwd unless it is absolute;
// follow says whether a symbolic link in the last place is followed (one with a
// slash after it always is). That only the last component does not exist is no
// error: see Place. Calls that make, remove or move a name use Parent instead.
func (fs *FS) Locate(cwd NodeID, path string, follow bool) (Place, error) {
	if follow {
		return fs.locate(cwd, path, followAlways)
	}
	return fs.locate(cwd, path, followSlash)
}

// Parent is Locate for calls that make, remove or move a name: a symbolic link in
// the last place is never followed, whatever comes after it, and a slash after what is no
// directory is up to the call: which error it has depends on what the call is.
func (fs *FS) Parent(cwd NodeID, path string) (Place, error) {
	return fs.locate(cwd, path, followNever)
}

// following says when a symbolic link in the last place is followed.
type following uint8

const (
	followAlways following = iota
	followSlash            // when a slash comes after it
	followNever
)

func (fs *FS) locate(cwd NodeID, path string, mode following) (Place, error) {
	if path == "" {
		return Place{}, errno.ENOENT
	}
	if len(path) >= MaxPath {
		return Place{}, errno.ENAMETOOLONG
	}
	dir, rest := start(cwd, path)
	for links := 0; ; {
		name, tail := cut(rest)
		place := Place{Dir: dir, Name: name, DirOnly: strings.HasPrefix(tail, "/")}
		tail = strings.TrimLeft(tail, "/")
		if fs.closed(dir) {
			return Place{}, errno.EACCES
		}
		last := tail == ""
		n, err := fs.step(dir, name)
		if err == errno.ENOENT && last {
			return place, nil
		}
		if err != nil {
			return Place{}, err
		}
		if n.kind() == ModeLink && (!last || mode == followAlways || mode == followSlash && place.DirOnly) {
			if links++; links > MaxLinks {
				return Place{}, errno.ELOOP
			}
			text, to, err := fs.linkTarget(n)
			if err != nil {
				return Place{}, err
			}
			if to == nil {
				// What is left of the path goes on after the link's text.
				if !last || place.DirOnly {
					text += "/" + tail
				}
				if len(text) >= 2*MaxPath {
					return Place{}, errno.ENAMETOOLONG
				}
				dir, rest = start(dir, text)
				continue
			}
			n = to
		}
		if !last {
			dir, rest = n.id, tail
			continue
		}
		if place.DirOnly && !n.isDir() && mode != followNever {
			return Place{}, errno.ENOTDIR
		}
		place.Node = n.id
		return place, nil
	}
}

// Walk is Locate for a node that must exist.
func (fs *FS) Walk(cwd NodeID, path string, follow bool) (NodeID, error) {
	p, err := fs.Locate(cwd, path, follow)
	if err == nil && p.Node == 0 {
		err = errno.ENOENT
	}
	return p.Node, err
}

func start(cwd NodeID, path string) (NodeID, string) {
	if path[0] == '/' {
		return Root, strings.TrimLeft(path, "/")
	}
	return cwd, path
}

// cut splits off the first component; tail keeps its slashes.
func cut(path string) (name, tail string) {
	if i := strings.IndexByte(path, '/'); i >= 0 {
		return path[:i], path[i:]
	}
	return path, ""
}

// step finds one component; "" and "." are dir itself.
func (fs *FS) step(dir NodeID, name string) (*inode, error) {
	switch name {
	case "", ".":
		return fs.dir(dir)
	case "..":
		d, err := fs.dir(dir)
		if err != nil {
			return nil, err
		}
		up, err := fs.node(d.parent())
		if err != nil {
			return nil, errno.ENOENT // removed, and its parent too
		}
		return up, nil
	}
	id, err := fs.Lookup(dir, name)
	if err != nil {
		return nil, err
	}
	return fs.node(id)
}

// linkTarget returns where the symbolic link n leads: a text, or for
// /proc/self/fd/n a node.
func (fs *FS) linkTarget(n *inode) (string, *inode, error) {
	if fs.guarded(n) {
		return "", nil, errno.EACCES
	}
	if isFDLink(n.id, fs) {
		fd, err := fs.findFD(taskOf(n.id), n.names[0].name)
		if err != nil || fd.Node == 0 {
			return "", n, err
		}
		to, err := fs.node(fd.Node)
		return "", to, err
	}
	t, err := fs.Readlink(n.id)
	if err == nil && t == "" {
		err = errno.ENOENT
	}
	return t, nil, err
}

// Lookup finds name, which is not "." or "..", in dir. It follows nothing.
func (fs *FS) Lookup(dir NodeID, name string) (NodeID, error) {
	d, err := fs.dir(dir)
	if err != nil {
		return 0, err
	}
	if len(name) > MaxName {
		return 0, errno.ENAMETOOLONG
	}
	if d.gone() {
		return 0, errno.ENOENT
	}
	if id, ok := d.find(name); ok {
		if id == 0 {
			return 0, errno.ENOENT
		}
		return id, nil
	}
	if d.low == nil {
		return 0, errno.ENOENT
	}
	if isTask(d.id) {
		return fs.lookupInTask(d, name)
	}
	if d.low.path == "proc" {
		if id, ok := fs.lookupTask(name); ok {
			return id, nil
		}
	}
	if fs.absent(d.low, name) {
		return 0, errno.ENOENT
	}
	n, err := fs.tree.child(d.low, name)
	if err != nil {
		return 0, err
	}
	return n.proto.id, nil
}

// Readlink returns the text of a symbolic link.
func (fs *FS) Readlink(id NodeID) (string, error) {
	n, err := fs.node(id)
	if err != nil {
		return "", err
	}
	if n.kind() != ModeLink {
		return "", errno.EINVAL
	}
	if fs.guarded(n) {
		return "", errno.EACCES
	}
	if isFDLink(id, fs) {
		fd, err := fs.findFD(taskOf(id), n.names[0].name)
		if err != nil || fd.Node == 0 {
			return fd.Target, err
		}
		p, _ := fs.Path(fd.Node)
		return p, nil
	}
	if n.low != nil && magicLinks[n.low.path] && n.low.fixed {
		text, err := fs.synthesize(n)
		if err == nil && len(text) == 0 {
			err = errno.ENOENT
		}
		return string(text), err
	}
	return n.target, nil
}

// Path returns an absolute path of the node and true, or, when it has no name
// any more, its last path with " (deleted)" appended and false.
func (fs *FS) Path(id NodeID) (string, bool) {
	var parts []string
	alive := true
	for id != Root {
		n, err := fs.node(id)
		if err != nil {
			alive = false
			break
		}
		l := n.was
		if len(n.names) > 0 {
			l = n.names[0]
		} else {
			alive = false
		}
		parts = append(parts, l.name)
		if id = l.dir; id == 0 {
			break
		}
	}
	slices.Reverse(parts)
	p := "/" + strings.Join(parts, "/")
	if !alive {
		p += " (deleted)"
	}
	return p, alive
}

// ReadDir lists a directory: ".", "..", then the names in byte order. A removed
// directory lists nothing.
func (fs *FS) ReadDir(id NodeID) ([]Dirent, error) {
	d, err := fs.dir(id)
	if err != nil || d.gone() {
		return nil, err
	}
	kids, err := fs.kids(d)
	if err != nil {
		return nil, err
	}
	const dtDir = ModeDir >> 12
	list := append(make([]Dirent, 0, len(kids)+2), Dirent{".", id, dtDir}, Dirent{"..", d.parent(), dtDir})
	return append(list, kids...), nil
}

// kids lists the names in d, sorted.
func (fs *FS) kids(d *inode) ([]Dirent, error) {
	var list []Dirent
	switch {
	case isTask(d.id):
		list = fs.listTask(d)
		slices.SortFunc(list, func(a, b Dirent) int { return strings.Compare(a.Name, b.Name) })
		return list, nil
	case d.low != nil && d.low.path == "proc":
		list = fs.listTasks()
	}
	if d.low != nil {
		host, err := fs.tree.list(d.low)
		if err != nil {
			return nil, err
		}
		for _, e := range host {
			if _, covered := d.find(e.Name); !covered && !fs.absent(d.low, e.Name) {
				list = append(list, e)
			}
		}
	}
	var failed error
	d.ents.each(func(_ uint64, bucket []entry) bool {
		for _, e := range bucket {
			if e.id == 0 {
				continue
			}
			n, err := fs.node(e.id)
			failed = errors.Join(failed, err)
			if err == nil {
				list = append(list, Dirent{e.name, e.id, uint8(n.kind() >> 12)})
			}
		}
		return true
	})
	if failed != nil {
		panic("BUG: vfs: a directory names a node that does not exist")
	}
	slices.SortFunc(list, func(a, b Dirent) int { return strings.Compare(a.Name, b.Name) })
	return list, nil
}
