package vfs

import (
	"slices"
	"sync/atomic"

	"github.com/zeebo/xxh3"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// inode is one node's state in the overlay, or, inside a lowerNode, the state
// that a node has before its first change. Only the FS whose epoch it carries
// may change it; names is never changed in place.
type inode struct {
	epoch               uint64
	id                  NodeID
	names               []link // where it can be found; none once removed
	was                 link   // its last name, once names is empty
	linkable            bool   // nameless from birth: may still get a name
	dead                bool   // a removed node of the host, kept so that it stays removed
	mode, uid, gid      uint32
	atime, mtime, ctime phys.Nanos
	size                int64
	base                int64 // bytes from the start that the host file still provides
	low                 *lowerNode
	target              string // of a symbolic link
	dev                 Device
	rdev                uint64
	digest              string // of the content, "" when not known
	pages               trie[slot]
	ents                trie[[]entry] // by hash of the name
}

// link is one name of a node.
type link struct {
	dir  NodeID
	name string
}

// slot is one page of content that the overlay holds.
type slot struct {
	p      *mem.Page
	epoch  uint64     // of the FS that may write p in place …
	handed bool       // … unless it was given to a mapping
	frame  phys.Frame // the page lies here and p is nil, when not zero
}

// entry is one name in a directory; id 0 hides the name of the host.
type entry struct {
	name string
	id   NodeID
}

func (n *inode) kind() uint32 { return n.mode & ModeType }
func (n *inode) isDir() bool  { return n.kind() == ModeDir }
func (n *inode) gone() bool   { return len(n.names) == 0 && n.id != Root }
func (n *inode) fixed() bool  { return n.low != nil && n.low.fixed }

func (n *inode) parent() NodeID {
	switch {
	case len(n.names) > 0:
		return n.names[0].dir
	case n.id == Root:
		return Root
	}
	return n.was.dir
}

func (n *inode) find(name string) (NodeID, bool) {
	bucket, _ := n.ents.get(xxh3.HashString(name))
	for _, e := range bucket {
		if e.name == name {
			return e.id, true
		}
	}
	return 0, false
}

// enter makes name lead to id, or hides it when id is 0.
func (n *inode) enter(name string, id NodeID) {
	h := xxh3.HashString(name)
	bucket, _ := n.ents.get(h)
	bucket = slices.Clone(bucket)
	for i := range bucket {
		if bucket[i].name == name {
			bucket[i].id = id
			n.ents.set(n.epoch, h, bucket)
			return
		}
	}
	n.ents.set(n.epoch, h, append(bucket, entry{name, id}))
}

// forget removes what the overlay says of name.
func (n *inode) forget(name string) {
	h := xxh3.HashString(name)
	bucket, _ := n.ents.get(h)
	rest := slices.DeleteFunc(slices.Clone(bucket), func(e entry) bool { return e.name == name })
	if len(rest) == 0 {
		n.ents.del(n.epoch, h)
	} else {
		n.ents.set(n.epoch, h, rest)
	}
}

// state is everything that a fork copies and a rolled-back call restores.
type state struct {
	nodes trie[*inode]
	refs  trie[int32]
	locks trie[[]Lock]
	next  NodeID // of the next node made by the guest
	bytes phys.Bytes

	frames uint64 // frames ever taken
	framed int    // pages that lie in frames
}

// FS is one machine's file tree. It is not safe for concurrent use; forks are
// independent and may be used from different goroutines.
type FS struct {
	state
	epoch uint64
	tree  *lower
	opt   Options
	call  call

	pmem *mem.Store   // holds the frames
	dead []phys.Frame // given up since ReleaseFrames

	cache *cache // nil: what calls do is durable

	writes, changes uint64 // see Writes and Changes

	inPlace bool // see WriteInPlace
	caches  Caches

	kept kept // what the host directories held at the start
}

// call is the system call that the latest changes belong to.
type call struct {
	id    uint64
	begun bool
	saved *state // before its first change; nil while there was none
}

var epochs atomic.Uint64

// Fork returns an independent copy in constant time.
func (fs *FS) Fork() *FS {
	c := *fs
	c.dead = slices.Clone(fs.dead)
	c.epoch = epochs.Add(1)
	fs.epoch = epochs.Add(1)
	return &c
}

// Writes returns how many writes have changed the content of files through calls, not
// through mappings.
func (fs *FS) Writes() uint64 { return fs.writes }

// Changes returns how many calls have changed the name, the size or the content of a file.
func (fs *FS) Changes() uint64 { return fs.changes }

// change is begin of such a change.
func (fs *FS) change() {
	fs.begin()
	fs.changes++
}

// SetHooks replaces the kernel's hooks, for a fork.
func (fs *FS) SetHooks(h Hooks) { fs.opt.Hooks = h }

func (fs *FS) now() phys.Nanos {
	if fs.opt.Now == nil {
		return 0
	}
	return fs.opt.Now()
}

// node returns the current state of id, for reading.
func (fs *FS) node(id NodeID) (*inode, error) {
	if n, ok := fs.nodes.get(uint64(id)); ok {
		return n, nil
	}
	if n := fs.tree.byID(id); n != nil {
		return &n.proto, nil
	}
	if isTask(id) {
		return fs.taskNode(id)
	}
	return nil, errno.ESTALE
}

// dir is node for a directory.
func (fs *FS) dir(id NodeID) (*inode, error) {
	n, err := fs.node(id)
	if err == nil && !n.isDir() {
		err = errno.ENOTDIR
	}
	return n, err
}

// own returns the state of id, which exists, for writing.
func (fs *FS) own(id NodeID) *inode {
	n, err := fs.node(id)
	if err != nil {
		panic("BUG: vfs: change of a node that does not exist")
	}
	if n.epoch == fs.epoch {
		return n
	}
	c := *n
	c.epoch = fs.epoch
	fs.nodes.set(fs.epoch, uint64(id), &c)
	return &c
}

// begin is called before every change of state: it remembers what the call in
// progress would have to go back to.
func (fs *FS) begin() {
	if fs.call.begun && fs.call.saved == nil {
		s := fs.state
		fs.call.saved = &s
		fs.epoch = epochs.Add(1)
	}
}

// BeginCall says that the changes from here on belong to the system call id.
// Ids only grow. Earlier calls can no longer be undone.
func (fs *FS) BeginCall(id uint64) {
	if fs.call.begun && id <= fs.call.id {
		panic("BUG: vfs.BeginCall: ids must grow")
	}
	fs.call = call{id: id, begun: true}
}

// Resolve undoes the changes of the last call begun if its id is above committed,
// the last call that is known to have taken effect.
func (fs *FS) Resolve(committed uint64) {
	if fs.call.begun && fs.call.id > committed && fs.call.saved != nil {
		fs.state = *fs.call.saved
		fs.dead = nil
		fs.epoch = epochs.Add(1)
	}
	fs.call = call{}
}

// Ref keeps the node alive when its last name goes.
func (fs *FS) Ref(id NodeID) {
	fs.begin()
	c, _ := fs.refs.get(uint64(id))
	fs.refs.set(fs.epoch, uint64(id), c+1)
}

// Unref undoes a Ref or Open.
func (fs *FS) Unref(id NodeID) {
	fs.begin()
	switch c, _ := fs.refs.get(uint64(id)); c {
	case 0:
		panic("BUG: vfs.Unref without Ref")
	case 1:
		fs.refs.del(fs.epoch, uint64(id))
		fs.reap(id)
	default:
		fs.refs.set(fs.epoch, uint64(id), c-1)
	}
}

// reap removes the overlay's state of a node that has neither name nor
// reference.
func (fs *FS) reap(id NodeID) {
	n, ok := fs.nodes.get(uint64(id))
	if _, held := fs.refs.get(uint64(id)); !ok || held || !n.gone() || n.dead {
		return
	}
	fs.bytes -= phys.Bytes(n.pages.n) * phys.PageSize
	if fs.framed > 0 {
		n.pages.each(func(_ uint64, s slot) bool {
			fs.unpin(s)
			return true
		})
	}
	if n.low == nil {
		fs.nodes.del(fs.epoch, uint64(id))
		return
	}
	fs.nodes.set(fs.epoch, uint64(id), &inode{epoch: fs.epoch, id: id, was: n.was, mode: n.mode, dead: true})
}

// ForgetRefs drops all references, as a power cut does. Nodes without a name stay
// until Sweep, so that recovery can take its references again.
func (fs *FS) ForgetRefs() {
	fs.begin()
	fs.refs = trie[int32]{}
}

// Sweep, after ForgetRefs or Unmarshal and once recovery has
// taken its references, removes the nodes that have neither name nor reference.
func (fs *FS) Sweep() {
	fs.begin()
	var gone []NodeID
	fs.nodes.each(func(id uint64, n *inode) bool {
		if n.gone() {
			gone = append(gone, NodeID(id))
		}
		return true
	})
	for _, id := range gone {
		fs.reap(id)
	}
	fs.ReleaseFrames()
}

// Reopen leaves what a new start of the system finds after a power cut: the call in
// progress counts if it is committed, nobody holds a file or a lock, and what
// has no name is gone.
func (fs *FS) Reopen(committed uint64) {
	fs.Resolve(committed)
	fs.ForgetRefs()
	fs.locks = trie[[]Lock]{}
	fs.Sweep()
}

// Statfs returns the overlay's use.
func (fs *FS) Statfs() Space {
	return Space{Bytes: fs.bytes, MaxBytes: fs.opt.MaxBytes, Nodes: fs.nodes.n, MaxNodes: fs.opt.MaxNodes}
}
