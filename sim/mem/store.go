// Package mem is the machine's memory as the processor and the kernel see it:
// physical pages that fork by copy-on-write (Store) and the load/store port with
// its software TLB in front of the cache model (Port).
//
// Current bytes live here and only here. The cache model keeps tags, states and
// take-backs; see cachemodel. This package knows nothing of instructions, Linux
// or crashes.
package mem

import (
	"sync/atomic"
	"unsafe"

	"zhuque/sim/phys"
)

// Page is the content of one frame.
type Page [phys.PageSize]byte

const (
	fanBits = 6
	fan     = 1 << fanBits
	levels  = 5 // 5*6 bits of frame number = AddrBits-PageShift
)

var zeroPage Page // what an untouched frame reads as; never written

// Store is a sparse physical memory. Forks share pages; a page is copied when
// one side first writes to it. The zero Store is not usable; see NewStore.
type Store struct {
	root    *node
	epoch   uint64 // nodes and pages of this epoch belong to this Store alone
	touched int64  // frames that hold a page
	pinned  int    // live Borrow children; while positive the Store must not be written

	guard Guard // nil: the bytes of every page are what it holds

	last      *Page // what WritablePage returned last, nil for nothing
	lastFrame phys.Frame
}

// node is an inner node (kids are *node) or, at the lowest level, holds pages.
type node struct {
	epoch uint64
	owned uint64 // lowest level: bit i set when kids[i] may be written in place
	kids  [fan]unsafe.Pointer
}

var epochs atomic.Uint64

// NewStore returns an empty memory: every frame reads as zero.
func NewStore() *Store {
	e := epochs.Add(1)
	return &Store{root: &node{epoch: e}, epoch: e}
}

// Fork returns an independent copy in constant time. Both sides copy pages
// before their next write, so write pointers obtained earlier must be dropped.
func (s *Store) Fork() *Store {
	c := &Store{root: s.root, epoch: epochs.Add(1), touched: s.touched}
	s.epoch, s.last = epochs.Add(1), nil
	return c
}

// Borrow returns a copy that is valid only until Return: s keeps its pages and
// its write pointers but must not be written meanwhile.
func (s *Store) Borrow() *Store {
	s.pinned++
	return &Store{root: s.root, epoch: epochs.Add(1), touched: s.touched}
}

// Return ends a Borrow; the borrowed Store must not be used any more.
func (s *Store) Return() {
	if s.pinned == 0 {
		panic("BUG: mem.Store.Return without Borrow")
	}
	s.pinned--
}

// Pinned reports whether a Borrow of s is alive.
func (s *Store) Pinned() bool { return s.pinned > 0 }

// Touched returns the number of frames that hold a page of their own.
func (s *Store) Touched() int64 { return s.touched }

// Page returns the frame's content for reading, valid until the next write to
// the Store, or nil when the frame was never touched.
func (s *Store) Page(f phys.Frame) *Page {
	if s.guard != nil && s.guard.Open(f) {
		panic("BUG: a page whose content is not decided is taken whole, past Store.Whole")
	}
	return s.raw(f)
}

// raw is Page whatever the guard says.
func (s *Store) raw(f phys.Frame) *Page {
	n := s.root
	for shift := uint((levels - 1) * fanBits); shift > 0; shift -= fanBits {
		n = (*node)(n.kids[f>>shift&(fan-1)])
		if n == nil {
			return nil
		}
	}
	return (*Page)(n.kids[f&(fan-1)])
}

// ReadPage is Page, with a shared page of zeros in place of nil.
func (s *Store) ReadPage(f phys.Frame) *Page {
	if p := s.Page(f); p != nil {
		return p
	}
	return &zeroPage
}

// leaf returns the lowest node above f, owned by s.
func (s *Store) leaf(f phys.Frame) *node {
	if s.pinned > 0 {
		panic("BUG: write to a mem.Store that a crash check has borrowed")
	}
	n := s.own(&s.root)
	for shift := uint((levels - 1) * fanBits); shift > 0; shift -= fanBits {
		n = s.own((**node)(unsafe.Pointer(&n.kids[f>>shift&(fan-1)])))
	}
	return n
}

func (s *Store) own(slot **node) *node {
	n := *slot
	switch {
	case n == nil:
		n = &node{epoch: s.epoch}
	case n.epoch == s.epoch:
		return n
	default:
		c := *n
		c.epoch, c.owned = s.epoch, 0
		n = &c
	}
	*slot = n
	return n
}

// WritablePage returns the frame's content for writing in place, copying or
// creating it first where needed. The pointer is valid until the next Fork.
func (s *Store) WritablePage(f phys.Frame) *Page {
	if s.last == nil || s.lastFrame != f || s.pinned > 0 {
		s.last, s.lastFrame = s.ownPage(f), f
	}
	return s.last
}

// ownPage is WritablePage for any frame.
func (s *Store) ownPage(f phys.Frame) *Page {
	n := s.leaf(f)
	i := f & (fan - 1)
	p := (*Page)(n.kids[i])
	if n.owned>>i&1 != 0 {
		return p
	}
	c := new(Page)
	if p != nil {
		*c = *p
	} else {
		s.touched++
	}
	n.kids[i] = unsafe.Pointer(c)
	n.owned |= 1 << i
	return c
}

// Share places an existing page at f; it is copied before any write through s.
func (s *Store) Share(f phys.Frame, p *Page) {
	s.last = nil
	n := s.leaf(f)
	i := f & (fan - 1)
	if n.kids[i] == nil {
		s.touched++
	}
	n.kids[i] = unsafe.Pointer(p)
	n.owned &^= 1 << i
}

// Drop makes the frames [lo, hi) read as zero again.
func (s *Store) Drop(lo, hi phys.Frame) {
	var hit []phys.Frame
	s.Each(lo, hi, func(f phys.Frame, _ *Page) bool {
		hit = append(hit, f)
		return true
	})
	s.last = nil
	for _, f := range hit {
		n := s.leaf(f)
		i := f & (fan - 1)
		n.kids[i] = nil
		n.owned &^= 1 << i
		s.touched--
	}
}

// Each calls fn for every touched frame of [lo, hi) in ascending order until fn
// returns false.
func (s *Store) Each(lo, hi phys.Frame, fn func(phys.Frame, *Page) bool) {
	walk(nil, s.root, 0, levels-1, lo, hi, func(f phys.Frame, _, p *Page) bool { return p == nil || fn(f, p) })
}

// Diff calls fn in ascending order for every frame of [lo, hi) whose page is not
// the very same object in a and b, until fn returns false; either page may be
// nil. Shared subtrees are skipped unseen, so the cost is that of the changes.
func Diff(a, b *Store, lo, hi phys.Frame, fn func(f phys.Frame, pa, pb *Page) bool) {
	walk(a.root, b.root, 0, levels-1, lo, hi, fn)
}

func walk(a, b *node, base phys.Frame, level int, lo, hi phys.Frame, fn func(phys.Frame, *Page, *Page) bool) bool {
	if a == b {
		return true
	}
	span := phys.Frame(1) << (uint(level) * fanBits)
	for i := range phys.Frame(fan) {
		first := base + i*span
		if first >= hi {
			return true
		}
		if first+span <= lo {
			continue
		}
		var ka, kb unsafe.Pointer
		if a != nil {
			ka = a.kids[i]
		}
		if b != nil {
			kb = b.kids[i]
		}
		if ka == kb {
			continue
		}
		if level == 0 {
			if !fn(first, (*Page)(ka), (*Page)(kb)) {
				return false
			}
		} else if !walk((*node)(ka), (*node)(kb), first, level-1, lo, hi, fn) {
			return false
		}
	}
	return true
}

// Read copies physical memory into buf.
func (s *Store) Read(a phys.Addr, buf []byte) {
	for len(buf) > 0 {
		n := copy(buf, s.ReadPage(a.Frame())[a&phys.PageMask:])
		buf, a = buf[n:], a+phys.Addr(n)
	}
}

// Write copies data into physical memory.
func (s *Store) Write(a phys.Addr, data []byte) {
	for len(data) > 0 {
		n := copy(s.WritablePage(a.Frame())[a&phys.PageMask:], data)
		data, a = data[n:], a+phys.Addr(n)
	}
}
