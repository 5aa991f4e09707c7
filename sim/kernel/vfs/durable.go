package vfs

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// The durable form is: magic, host nodes (what must still be there), pages (each
// once, or none where they stand beside it), the states of the host directories,
// the state, the state before the call in progress if there is one, and a SHA-256 of
// all that. A page that lies in a frame is named by it, and its bytes are in the image
// of the persistent memory; a Digest has the bytes. Numbers are uvarints, strings have
// their length before them. References are not part of it. Host files that the guest
// neither changed nor held are not part of it either.

const durableMagic = "zhuque file tree 3\n"

// BadImage reports a durable form that cannot be one.
type BadImage struct{ Reason string }

func (e *BadImage) Error() string { return "file tree image: " + e.Reason }

// hostNode is what the durable form remembers of a node of the read-only layer.
type hostNode struct {
	path  string
	mode  uint32 // the type
	size  int64
	sum   string // content digest, or target; "" for what is synthetic or not ours to read
	synth bool
}

// MarshalBeside returns the durable form without the contents of files, which pages
// tells. fs must not be changed any more: a Fork is meant.
func (fs *FS) MarshalBeside(pages *Pages) ([]byte, error) {
	return fs.marshal(pages)
}

// Marshal returns the durable form.
func (fs *FS) Marshal() ([]byte, error) { return fs.marshal(nil) }

func (fs *FS) marshal(beside *Pages) ([]byte, error) {
	e := &encoder{b: []byte(durableMagic), beside: beside, pages: map[*mem.Page]uint64{}, hosts: map[NodeID]int{}}
	states := []*state{&fs.state}
	if fs.call.saved != nil {
		states = append(states, fs.call.saved)
	}
	for _, s := range states {
		if err := e.collect(fs, s); err != nil {
			return nil, err
		}
	}
	if beside != nil {
		beside.settle(e.pages, e.pageList)
		e.pageList = nil // they stand elsewhere
	}
	e.tables()
	e.str(fs.kept.pools)
	e.str(fs.kept.overlay)
	e.u(uint64(len(states)))
	e.u(fs.call.id)
	e.flag(fs.call.begun)
	for _, s := range states {
		e.state(fs, s)
	}
	sum := sha256.Sum256(e.b)
	return append(e.b, sum[:]...), nil
}

// Digest returns a SHA-256, in hexadecimal, of what the guest could observe of its
// changes: two runs that did the same have the same digest.
func (fs *FS) Digest() (string, error) {
	e := &encoder{digest: true, pages: map[*mem.Page]uint64{}, hosts: map[NodeID]int{}}
	s := fs.state
	s.refs = trie[int32]{}
	if err := e.collect(fs, &s); err != nil {
		return "", err
	}
	e.tables()
	e.state(fs, &s)
	sum := sha256.Sum256(e.b)
	return hex.EncodeToString(sum[:]), nil
}

type encoder struct {
	digest   bool   // for a Digest, not for a durable form
	beside   *Pages // where the contents of files stand, nil for in the form itself
	b        []byte
	pages    map[*mem.Page]uint64
	pageList []*mem.Page
	hosts    map[NodeID]int
	hostList []hostNode
}

func (e *encoder) u(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) str(s string) {
	e.u(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) flag(v bool) {
	if v {
		e.u(1)
	} else {
		e.u(0)
	}
}

// collect fills the tables with what s mentions.
func (e *encoder) collect(fs *FS, s *state) error {
	var low []*lowerNode
	s.nodes.each(func(_ uint64, n *inode) bool {
		if n.low != nil {
			low = append(low, n.low)
		}
		n.pages.each(func(_ uint64, s slot) bool {
			if _, ok := e.pages[s.p]; s.frame == 0 && !e.digest && !ok {
				e.name(s.p)
			}
			return true
		})
		return true
	})
	s.refs.each(func(id uint64, _ int32) bool {
		if n := fs.tree.byID(NodeID(id)); n != nil {
			low = append(low, n)
		}
		return true
	})
	for _, n := range low {
		if _, ok := e.hosts[n.proto.id]; ok {
			continue
		}
		h, err := fs.tree.remember(n)
		if err != nil {
			return err
		}
		e.hosts[n.proto.id] = len(e.hostList)
		e.hostList = append(e.hostList, h)
	}
	return nil
}

// name gives a page its number.
func (e *encoder) name(p *mem.Page) {
	n := uint64(len(e.pageList))
	if e.beside != nil {
		known := false
		if n, known = e.beside.number[p]; !known {
			n = e.beside.next
			e.beside.next++
		}
	}
	e.pages[p] = n
	e.pageList = append(e.pageList, p)
}

// remember describes n for the durable form.
func (l *lower) remember(n *lowerNode) (hostNode, error) {
	h := hostNode{path: n.path, mode: n.proto.kind(), synth: n.host == hostKey{}}
	switch {
	case h.synth:
	case h.mode == ModeLink:
		h.sum = n.proto.target
	case h.mode == ModeFile:
		var err error
		h.size = n.proto.size
		if h.sum, err = l.sum(n); err != nil && err != errno.EACCES {
			return h, err
		}
	}
	return h, nil
}

func (e *encoder) tables() {
	e.u(uint64(len(e.hostList)))
	for _, h := range e.hostList {
		e.str(h.path)
		e.u(uint64(h.mode))
		e.u(uint64(h.size))
		e.str(h.sum)
		e.flag(h.synth)
	}
	e.u(uint64(len(e.pageList)))
	for _, p := range e.pageList {
		e.bytes(p)
	}
}

func (e *encoder) bytes(p *mem.Page) { e.str(string(bytes.TrimRight(p[:], "\x00"))) }

func (e *encoder) state(fs *FS, s *state) {
	e.u(uint64(s.next))
	if !e.digest {
		e.u(s.frames)
	}
	e.locks(s)
	e.u(uint64(s.nodes.n))
	s.nodes.each(func(_ uint64, n *inode) bool {
		e.inode(fs, n)
		return true
	})
}

func (e *encoder) link(l link) {
	e.u(uint64(l.dir))
	e.str(l.name)
}

func (e *encoder) inode(fs *FS, n *inode) {
	e.u(uint64(n.id))
	e.flag(n.dead)
	e.flag(n.linkable)
	e.u(uint64(len(n.names)))
	for _, l := range n.names {
		e.link(l)
	}
	e.link(n.was)
	atime := n.atime
	if e.digest {
		atime = 0 // reads move nothing, and what the host shows is not the guest's doing
	}
	for _, v := range [...]uint64{uint64(n.mode), uint64(n.uid), uint64(n.gid),
		uint64(atime), uint64(n.mtime), uint64(n.ctime), uint64(n.size), uint64(n.base)} {
		e.u(v)
	}
	if n.low == nil {
		e.u(0)
	} else {
		e.u(uint64(e.hosts[n.low.proto.id]) + 1)
	}
	e.str(n.target)
	e.u(uint64(n.pages.n))
	n.pages.each(func(i uint64, s slot) bool {
		e.u(i)
		switch {
		case e.digest:
			e.bytes(fs.content(s))
		case s.frame == 0:
			e.u(e.pages[s.p] << 1)
		default:
			e.u(uint64(s.frame-FrameBase.Frame())<<1 | 1)
		}
		return true
	})
	e.entries(n)
}

func (e *encoder) entries(n *inode) {
	var all []entry
	n.ents.each(func(_ uint64, bucket []entry) bool {
		all = append(all, bucket...)
		return true
	})
	slices.SortFunc(all, func(a, b entry) int { return bytes.Compare([]byte(a.name), []byte(b.name)) })
	e.u(uint64(len(all)))
	for _, t := range all {
		e.str(t.name)
		e.u(uint64(t.id))
	}
}

// Unmarshal is the inverse of Marshal. No references are held; nodes without a
// name stay until Sweep. A host file that the guest changed or held and that is
// not as it was gives a *Changed, damaged data a *BadImage.
func Unmarshal(o Options, data []byte) (*FS, error) { return UnmarshalBeside(o, data, nil) }

// UnmarshalBeside is the inverse of MarshalBeside; pages are the contents of files,
// which the file tree takes over.
func UnmarshalBeside(o Options, data []byte, pages map[uint64]*mem.Page) (*FS, error) {
	fs, err := open(o)
	if err != nil {
		return nil, err
	}
	body := len(data) - sha256.Size
	if body < len(durableMagic) || string(data[:len(durableMagic)]) != durableMagic {
		return nil, &BadImage{"it does not begin as one"}
	}
	if sum := sha256.Sum256(data[:body]); !bytes.Equal(sum[:], data[body:]) {
		return nil, &BadImage{"its checksum is wrong"}
	}
	return fs, fs.decode(data[len(durableMagic):body], pages)
}

func (fs *FS) decode(b []byte, pages map[uint64]*mem.Page) error {
	d := &decoder{b: b, pages: pages}
	if err := d.hostTable(fs.tree); err != nil {
		return err
	}
	d.pageTable()
	fs.kept = kept{d.str(), d.str()}
	states := d.u()
	fs.call.id = d.u()
	fs.call.begun = d.flag()
	if states == 0 || states > 2 {
		d.bad("its number of states is impossible")
		return d.err
	}
	if states == 2 {
		fs.call.saved = new(state)
	}
	for _, s := range []*state{&fs.state, fs.call.saved} {
		if s == nil {
			break
		}
		d.state(fs, s)
		if d.err == nil && !d.consistent(fs, s) {
			d.bad("its names do not fit together")
		}
	}
	if d.err == nil && len(d.b) != 0 {
		d.bad("something follows its end")
	}
	return d.err
}

// decoder reads what encoder wrote; after the first failure it returns zeros.
type decoder struct {
	b     []byte
	err   error
	hosts []*lowerNode
	pages map[uint64]*mem.Page
}

func (d *decoder) bad(reason string) {
	if d.err == nil {
		d.err = &BadImage{reason}
	}
	d.b = nil
}

func (d *decoder) u() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.bad("it ends too early")
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) flag() bool { return d.u() != 0 }

// count reads a number of things that take at least size bytes each.
func (d *decoder) count(size int) int {
	v := d.u()
	if v > uint64(len(d.b)/size) {
		d.bad("it ends too early")
		return 0
	}
	return int(v)
}

func (d *decoder) str() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) link() link {
	dir := NodeID(d.u())
	return link{dir, d.str()}
}

// pageTable reads the contents of files that stand in the form itself.
func (d *decoder) pageTable() {
	n := d.count(1)
	if n == 0 {
		return
	}
	d.pages = map[uint64]*mem.Page{}
	for i := range uint64(n) {
		text := d.str()
		if len(text) > phys.PageSize {
			d.bad("a page is too long")
			return
		}
		p := new(mem.Page)
		copy(p[:], text)
		d.pages[i] = p
	}
}

func (d *decoder) hostTable(l *lower) error {
	for range d.count(5) {
		h := hostNode{path: d.str(), mode: uint32(d.u()), size: int64(d.u()), sum: d.str(), synth: d.flag()}
		if d.err != nil {
			break
		}
		n, err := l.recall(h)
		if err != nil {
			return err
		}
		d.hosts = append(d.hosts, n)
	}
	return d.err
}

// recall finds the node that h describes, or says how it changed.
func (l *lower) recall(h hostNode) (*lowerNode, error) {
	changed := func(reason string) (*lowerNode, error) {
		return nil, &Changed{Path: "/" + h.path, Reason: reason}
	}
	n, err := l.resolve(h.path)
	if _, guest := err.(errno.Errno); guest {
		return changed("it is no longer there")
	}
	if err != nil {
		return nil, err
	}
	now, err := l.remember(n)
	switch {
	case err != nil:
		return nil, err
	case now.mode != h.mode || now.synth != h.synth:
		return changed("it is of another kind")
	case now.size != h.size:
		return changed("its size is another")
	case now.sum != h.sum && h.mode == ModeLink:
		return changed("it leads elsewhere")
	case now.sum != h.sum:
		return changed("its content is another")
	}
	return n, nil
}

func (d *decoder) state(fs *FS, s *state) {
	s.next = NodeID(d.u())
	s.frames = d.u()
	d.locks(fs, s)
	for range d.count(16) {
		n := d.inode(fs.epoch, s)
		if d.err != nil {
			return
		}
		s.bytes += phys.Bytes(n.pages.n) * phys.PageSize
		s.nodes.set(fs.epoch, uint64(n.id), n)
	}
}

func (d *decoder) inode(epoch uint64, st *state) *inode {
	n := &inode{epoch: epoch, id: NodeID(d.u()), dead: d.flag(), linkable: d.flag()}
	for range d.count(2) {
		n.names = append(n.names, d.link())
	}
	n.was = d.link()
	n.mode, n.uid, n.gid = uint32(d.u()), uint32(d.u()), uint32(d.u())
	n.atime, n.mtime, n.ctime = phys.Nanos(d.u()), phys.Nanos(d.u()), phys.Nanos(d.u())
	n.size, n.base = int64(d.u()), int64(d.u())
	var hostBytes int64
	if i := d.u(); i > uint64(len(d.hosts)) {
		d.bad("it names a host node that it does not list")
	} else if i > 0 {
		n.low = d.hosts[i-1]
		n.dev, n.rdev, hostBytes = n.low.proto.dev, n.low.proto.rdev, n.low.proto.base
	}
	n.target = d.str()
	for range d.count(2) {
		i, p := d.u(), d.u()
		if i >= uint64(maxHollow/phys.PageSize) || p&1 == 0 && d.pages[p>>1] == nil || p&1 != 0 && p>>1 >= st.frames {
			d.bad("it names a page that it does not list")
			return n
		}
		if p&1 != 0 {
			st.framed++
			n.pages.set(epoch, i, slot{frame: FrameBase.Frame() + phys.Frame(p>>1)})
			continue
		}
		n.pages.set(epoch, i, slot{p: d.pages[p>>1], handed: true})
	}
	for range d.count(2) {
		name := d.str()
		n.enter(name, NodeID(d.u()))
	}
	if n.size < 0 || n.size > maxHollow || n.size > int64(MaxFile) &&
		(len(n.names) > 0 || n.linkable) || n.base < 0 || n.base > hostBytes {
		d.bad("a size is impossible")
	}
	return n
}

// consistent reports whether every entry leads to a node, every name to a
// directory, and every directory up to the root.
func (d *decoder) consistent(fs *FS, s *state) bool {
	view := FS{state: *s, tree: fs.tree, opt: fs.opt}
	rooted := map[NodeID]bool{Root: true}
	ok := true
	s.nodes.each(func(_ uint64, n *inode) bool {
		ok = (n.id < s.next || n.id&lowerBit != 0) && view.reachesRoot(n, rooted)
		for _, l := range n.names {
			_, err := view.dir(l.dir)
			ok = ok && err == nil
		}
		n.ents.each(func(_ uint64, bucket []entry) bool {
			for _, e := range bucket {
				_, err := view.node(e.id)
				ok = ok && (e.id == 0 || err == nil)
			}
			return ok
		})
		return ok
	})
	return ok
}

// reachesRoot follows the parents of n; known holds those that reach the root. A
// node without a name need not.
func (fs *FS) reachesRoot(n *inode, known map[NodeID]bool) bool {
	if n.gone() {
		return true
	}
	var way []NodeID
	for !known[n.id] {
		if way = append(way, n.id); len(way) > fs.nodes.n+MaxPath || n.gone() {
			return false
		}
		up, err := fs.dir(n.parent())
		if err != nil {
			return false
		}
		n = up
	}
	for _, id := range way {
		known[id] = true
	}
	return true
}

// Same reports whether a node has the very same state in two forks of one file
// tree: then its pages are the same objects too. False tells nothing.
func (fs *FS) Same(other *FS, id NodeID) bool {
	a, errA := fs.node(id)
	b, errB := other.node(id)
	return errA == nil && errB == nil && a == b
}

// SameTree reports whether two forks of one file tree hold the very same nodes and
// locks, so that nothing was changed in either since they parted. False tells nothing.
func (fs *FS) SameTree(other *FS) bool {
	return fs.nodes.root == other.nodes.root && fs.locks.root == other.locks.root
}
