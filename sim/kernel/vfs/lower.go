package vfs

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// lower is the read-only layer: the host directory and the synthetic nodes laid
// over it. What was seen of the host once is kept, so that forks agree. Forks
// share it, hence the lock.
type lower struct {
	root *os.Root
	name string // absolute host path of root

	plates []*lowerNode // templates of what is in the directory of a process, by path

	mu    sync.Mutex
	nodes map[NodeID]*lowerNode
}

// lowerNode is a node of the read-only layer.
type lowerNode struct {
	path   string // from the root without a leading slash; "" for the root
	proto  inode
	host   hostKey // zero for synthetic nodes
	fixed  bool    // below /proc or /sys: cannot be changed
	mount  bool    // cannot be renamed or removed
	hidden bool    // a kernel file system of the host: shown empty
	text   string  // content of a synthetic file without a hook
	static map[string]*lowerNode

	// Guarded by lower.mu.
	listed bool
	kids   []Dirent
}

// idOf returns the ID of an untouched node.
func idOf(path string) NodeID {
	if path == "" {
		return Root
	}
	h := sha256.Sum256([]byte(path))
	return NodeID(binary.LittleEndian.Uint64(h[:]))&^(lowerBit|taskBit) | lowerBit
}

// lowerBit marks the nodes of the read-only layer.
const lowerBit NodeID = 1 << 63

func join(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}

func openLower(o *Options) (*lower, error) {
	dir, err := filepath.Abs(cmp.Or(o.Root, "/"))
	if err != nil {
		return nil, fmt.Errorf("root directory %s: %w", o.Root, err)
	}
	r, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("root directory %s: a readable directory was expected: %w", dir, err)
	}
	l := &lower{root: r, name: dir, nodes: make(map[NodeID]*lowerNode)}
	d, err := r.Open(".")
	if err != nil {
		return nil, fmt.Errorf("root directory %s: %w", dir, err)
	}
	defer d.Close()
	fi, err := d.Stat()
	if err != nil {
		return nil, fmt.Errorf("root directory %s: %w", dir, err)
	}
	if ofKernel(d) {
		return nil,
			fmt.Errorf("root directory %s lies in a file system of the host's kernel, which a guest must not see", dir)
	}
	top := &lowerNode{mount: true}
	top.host = hostKeyOf(l.name, "", fi)
	l.describe(top, nil, fi)
	top.proto.names = nil
	l.nodes[Root] = top
	return l, l.addSynthetic(top, o)
}

func (l *lower) byID(id NodeID) *lowerNode {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[id]
}

// child returns the node called name in the directory d, or ENOENT.
func (l *lower) child(d *lowerNode, name string) (*lowerNode, error) {
	if n := d.static[name]; n != nil {
		return n, nil
	}
	if d.hidden || d.host == (hostKey{}) {
		return nil, errno.ENOENT
	}
	path := join(d.path, name)
	l.mu.Lock()
	defer l.mu.Unlock()
	if n := l.nodes[idOf(path)]; n != nil {
		if n.path != path {
			return nil, &HostError{Path: "/" + path, Err: errors.New("its node number is that of /" + n.path)}
		}
		return n, nil
	}
	fi, err := l.root.Lstat(path)
	if err != nil {
		return nil, hostError("/"+path, err)
	}
	n := &lowerNode{path: path}
	n.host = hostKeyOf(l.name, path, fi)
	l.describe(n, d, fi)
	if n.proto.kind() == ModeLink {
		if n.proto.target, err = l.root.Readlink(path); err != nil {
			return nil, hostError("/"+path, err)
		}
		n.proto.size = int64(len(n.proto.target))
	}
	if n.host.dev != d.host.dev && l.isKernel(n) {
		n.hidden = true
		if !n.proto.isDir() {
			return nil, errno.ENOENT
		}
	}
	l.nodes[n.proto.id] = n
	return n, nil
}

// isKernel reports whether n, which is on another file system than its
// directory, shows the host's kernel.
func (l *lower) isKernel(n *lowerNode) bool {
	if k := n.proto.kind(); k != ModeDir && k != ModeFile {
		return false
	}
	f, err := l.root.OpenFile(n.path, os.O_RDONLY|openSafely, 0)
	if err != nil {
		return true // not to be known, so not to be shown
	}
	defer f.Close()
	return ofKernel(f)
}

// describe fills in n.proto from what the host says. What belongs to the user who runs the
// simulator is the superuser's, as whom programs start; other owners are as they are.
func (l *lower) describe(n, dir *lowerNode, fi os.FileInfo) {
	p := &n.proto
	p.id, p.low = idOf(n.path), n
	if dir != nil {
		p.names = []link{{dir.proto.id, n.path[strings.LastIndexByte(n.path, '/')+1:]}}
	}
	p.mode = hostMode(fi.Mode())
	p.uid, p.gid = hostOwner(fi)
	p.mtime = phys.Nanos(max(0, fi.ModTime().UnixNano()))
	p.atime, p.ctime = p.mtime, p.mtime
	switch p.kind() {
	case ModeFile:
		p.size, p.base = fi.Size(), fi.Size()
	case ModeDir:
		p.size = phys.PageSize
	case ModeChar, ModeBlock:
		p.rdev = hostRdev(fi)
	}
}

func hostMode(m os.FileMode) uint32 {
	mode := uint32(m.Perm())
	for _, b := range [...]struct {
		host  os.FileMode
		guest uint32
	}{{os.ModeSetuid, 0o4000}, {os.ModeSetgid, 0o2000}, {os.ModeSticky, 0o1000}} {
		if m&b.host != 0 {
			mode |= b.guest
		}
	}
	return mode | hostType(m)
}

func hostType(m os.FileMode) uint32 {
	switch {
	case m&os.ModeDir != 0:
		return ModeDir
	case m&os.ModeSymlink != 0:
		return ModeLink
	case m&os.ModeNamedPipe != 0:
		return ModeFIFO
	case m&os.ModeSocket != 0:
		return ModeSocket
	case m&os.ModeCharDevice != 0:
		return ModeChar
	case m&os.ModeDevice != 0:
		return ModeBlock
	}
	return ModeFile
}

// list returns the entries of the directory d in byte order, without dots.
func (l *lower) list(d *lowerNode) ([]Dirent, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if d.listed {
		return d.kids, nil
	}
	var kids []Dirent
	for name, n := range d.static {
		kids = append(kids, Dirent{Name: name, ID: n.proto.id, Type: uint8(n.proto.kind() >> 12)})
	}
	if !d.hidden && d.host != (hostKey{}) {
		host, err := l.readHostDir(d)
		if err != nil {
			return nil, err
		}
		for _, e := range host {
			if d.static[e.Name()] == nil {
				kids = append(kids, Dirent{Name: e.Name(), ID: idOf(join(d.path, e.Name())), Type: uint8(hostType(e.Type()) >> 12)})
			}
		}
	}
	slices.SortFunc(kids, func(a, b Dirent) int { return strings.Compare(a.Name, b.Name) })
	d.listed, d.kids = true, kids
	return kids, nil
}

func (l *lower) readHostDir(d *lowerNode) ([]os.DirEntry, error) {
	f, err := l.root.OpenFile(cmp.Or(d.path, "."), os.O_RDONLY|openSafely, 0)
	if err != nil {
		return nil, hostError("/"+d.path, err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		return nil, &HostError{Path: "/" + d.path, Err: err}
	}
	if k := hostKeyOf(l.name, d.path, fi); k.dev != d.host.dev || k.ino != d.host.ino {
		return nil, &Changed{Path: "/" + d.path, Reason: "another directory took its place"}
	}
	ents, err := f.ReadDir(-1)
	if err != nil {
		return nil, &HostError{Path: "/" + d.path, Err: err}
	}
	return ents, nil
}

// resolve finds a node by the path that it has in this layer.
func (l *lower) resolve(path string) (*lowerNode, error) {
	n := l.byID(Root)
	for _, name := range strings.FieldsFunc(path, func(r rune) bool { return r == '/' }) {
		if !n.proto.isDir() {
			return nil, errno.ENOTDIR
		}
		var err error
		if n, err = l.child(n, name); err != nil {
			return nil, err
		}
	}
	return n, nil
}

// page returns page i of a host file, which begins before its end.
func (l *lower) page(n *lowerNode, i int64) (*mem.Page, error) {
	return openHostFile(n.host).page(l.root, i)
}

// sum returns the digest of a host file's content.
func (l *lower) sum(n *lowerNode) (string, error) {
	return openHostFile(n.host).sum(l.root)
}

// readable reports why a host file cannot be opened.
func (l *lower) readable(n *lowerNode) error {
	f, err := openHostFile(n.host).open(l.root)
	if err == nil {
		err = f.Close()
	}
	return err
}
