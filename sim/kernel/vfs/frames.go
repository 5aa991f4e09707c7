package vfs

import (
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// A page of a file that a writable shared mapping has touched lies in a frame of
// persistent memory, as on a file system for direct access (DAX): every mapping
// reaches that frame, its bytes are the file's content, and reads and writes of
// the file go to the same bytes.
//
// Under a runtime, which makes each call take effect whole or not at all, a write or a
// truncation never changes a frame in place: it puts the new content elsewhere and gives the
// frame up (copy-on-write, as the file system NOVA does), so that a call that a power cut made
// void is undone by forgetting what it did. The next access through a mapping puts the page
// into a fresh frame, of which no cache can hold a line. What was still at risk in the caches
// is then at rest with the rest of the page; whoever needs the runtime to survive cannot tell.
//
// Without one the frame is changed in place (WriteInPlace), and the caches are told
// of the very bytes: those are durable, what was stored around them is at risk as before.
//
// Frames are taken from FrameBase up and never twice.

// FrameBase is the first physical address of the memory that holds file pages;
// below it lies the memory of processes.
const FrameBase = phys.PMEMBase + 1<<41

const frameLimit phys.Frame = 1 << (phys.AddrBits - phys.PageShift)

// SetMemory gives the file tree the persistent memory of its machine. A fork's
// machine has another: it must be told.
func (fs *FS) SetMemory(pmem *mem.Store) { fs.pmem = pmem }

// Caches are what stands between the processors and the frames.
type Caches interface {
	// Overwrite says that data, within one line, is put at a and is durable.
	Overwrite(a phys.Addr, data []byte)
	// WriteBack makes durable what was stored to a frame.
	WriteBack(f phys.Frame)
}

// SetCaches gives the file tree the caches of its machine, nil for none. A fork's machine has
// others: it must be told.
func (fs *FS) SetCaches(c Caches) { fs.caches = c }

// put writes data into page i of n, owned by fs, at off; old is what peek gave.
func (fs *FS) put(n *inode, i int64, old *mem.Page, off int64, data []byte) {
	s, _ := n.pages.get(uint64(i))
	if s.frame == 0 || !fs.inPlace {
		copy(fs.poke(n, i, old)[off:], data)
		return
	}
	p := *fs.part(s, 0, 0) // what is not written may stay undecided
	copy(p[off:], data)
	fs.pmem.Share(s.frame, &p) // another page: what was decoded from the old one is stale
	if fs.caches == nil {
		return
	}
	for at := s.frame.Addr() + phys.Addr(off); len(data) > 0; {
		k := min(len(data), int(phys.LineSize-at%phys.LineSize))
		fs.caches.Overwrite(at, data[:k])
		at, data = at+phys.Addr(k), data[k:]
	}
}

// WriteBackAll makes durable what mappings stored to any file.
func (fs *FS) WriteBackAll() {
	fs.EachFrame(func(_ NodeID, _ uint64, f phys.Frame) bool {
		fs.writeBack(f)
		return true
	})
}

// WriteBack makes durable what mappings stored to the pages [first, last) of a file.
func (fs *FS) WriteBack(id NodeID, first, last uint64) {
	n, ok := fs.nodes.get(uint64(id))
	if fs.framed == 0 || fs.caches == nil || !ok {
		return
	}
	if last = min(last, pagesOf(n.size)); last-min(first, last) <= uint64(n.pages.n) {
		for i := first; i < last; i++ {
			if s, _ := n.pages.get(i); s.frame != 0 {
				fs.writeBack(s.frame)
			}
		}
		return
	}
	n.pages.each(func(i uint64, s slot) bool {
		if i >= first && i < last && s.frame != 0 {
			fs.writeBack(s.frame)
		}
		return true
	})
}

func (fs *FS) writeBack(f phys.Frame) {
	if fs.caches != nil {
		fs.caches.WriteBack(f)
	}
}

// content returns the bytes of a page that the overlay holds, valid until they
// are written.
func (fs *FS) content(s slot) *mem.Page { return fs.part(s, 0, phys.PageSize) }

// part is content for who looks at n bytes from off alone.
func (fs *FS) part(s slot, off, n int) *mem.Page {
	if s.frame != 0 {
		return fs.pmem.Part(s.frame, off, n)
	}
	return s.p
}

// beside is content for who writes a part of the page and keeps the rest: nothing is looked at
// where that is done in place.
func (fs *FS) beside(s slot) *mem.Page {
	if fs.inPlace {
		return fs.part(s, 0, 0)
	}
	return fs.content(s)
}

// Frame returns the frame that holds a page of a file; ok is false when the page
// lies in none.
func (fs *FS) Frame(id NodeID, index uint64) (f phys.Frame, ok bool) {
	if fs.framed == 0 {
		return 0, false
	}
	n, found := fs.nodes.get(uint64(id))
	if !found {
		return 0, false
	}
	s, _ := n.pages.get(index)
	return s.frame, s.frame != 0
}

// Pin puts a page of a regular file into a frame, if it lies in none, and returns
// it. ok is false behind the file's end, and when there is no space for the page.
// Its error is a *Changed or *HostError.
func (fs *FS) Pin(id NodeID, index uint64) (f phys.Frame, ok bool, err error) {
	if f, ok := fs.Frame(id, index); ok {
		return f, true, nil
	}
	n, err := fs.node(id)
	if err != nil || n.kind() != ModeFile || n.synthetic() || index >= pagesOf(n.size) {
		return 0, false, nil
	}
	old, err := fs.peek(n, int64(index))
	if err != nil {
		return 0, false, err
	}
	_, held := n.pages.get(index)
	f = FrameBase.Frame() + phys.Frame(fs.frames)
	if f >= frameLimit || !held && fs.bytes+phys.PageSize > fs.opt.MaxBytes {
		return 0, false, nil
	}
	fs.begin()
	n = fs.own(id)
	if !held {
		fs.bytes += phys.PageSize
	}
	fs.frames++
	fs.framed++
	fs.pmem.Share(f, old)
	n.pages.set(fs.epoch, index, slot{frame: f})
	n.digest = ""
	return f, true, nil
}

func pagesOf(size int64) uint64 { return uint64(size+phys.PageMask) / phys.PageSize }

// unpin notes that the overlay gives up what s holds.
func (fs *FS) unpin(s slot) {
	if s.frame != 0 {
		fs.dead = append(fs.dead, s.frame)
		fs.framed--
	}
}

// ReleaseFrames drops the frames that calls gave up. Call it when the calls have
// taken effect: until then a power cut must find them unharmed.
func (fs *FS) ReleaseFrames() {
	for _, f := range fs.dead {
		fs.pmem.Drop(f, f+1)
	}
	fs.dead = fs.dead[:0]
}

// WriteInPlace lets writes change frames in place from now on: right where no call is ever
// void, a planted bug under a runtime (a void call has changed the file nevertheless).
func (fs *FS) WriteInPlace() { fs.inPlace = true }

// Framed returns how many pages of files lie in frames.
func (fs *FS) Framed() int { return fs.framed }

// EachFrame calls fn for every page that lies in a frame, in an order that depends
// on nothing but the tree, until fn returns false.
func (fs *FS) EachFrame(fn func(id NodeID, index uint64, f phys.Frame) bool) {
	if fs.framed == 0 {
		return
	}
	more := true
	fs.nodes.each(func(id uint64, n *inode) bool {
		n.pages.each(func(i uint64, s slot) bool {
			more = s.frame == 0 || fn(NodeID(id), i, s.frame)
			return more
		})
		return more
	})
}

// Size returns the size in bytes of a node, 0 when there is none.
func (fs *FS) Size(id NodeID) int64 {
	n, err := fs.node(id)
	if err != nil {
		return 0
	}
	return n.size
}

// clearTail zeroes what a mapping stored behind the end of the file, in its last
// page, before the file grows over it.
func (fs *FS) clearTail(n *inode) {
	cut := n.size & phys.PageMask
	if s, _ := n.pages.get(uint64(n.size / phys.PageSize)); cut != 0 && s.frame != 0 {
		fs.put(n, n.size/phys.PageSize, fs.beside(s), cut, zeroPage[cut:])
	}
}
