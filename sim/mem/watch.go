package mem

import (
	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Watch is told of what a core does with the persistent memory of files, where every
// memory that a power cut may leave is explored. What it is told of never finds its
// translation in the TLB, so that others pay nothing. It may fork the memory.
type Watch interface {
	// Loads reports whether it must be told of loads of a frame.
	Loads(f phys.Frame) bool
	// Load gives the bytes of a load within one line. It panics with *Undecided when they
	// are not decided.
	Load(a phys.Addr, dst []byte)
	// Store and NTStore are told of a store within one page before its bytes change.
	Store(a phys.Addr, data []byte)
	NTStore(a phys.Addr, data []byte)
	Flush(l phys.LineAddr, k cachemodel.FlushKind)
	Fence(k cachemodel.FenceKind)
}

// Undecided says that a load may come out in several ways. Choices belongs to the Watch.
type Undecided struct {
	Addr    phys.Addr
	Choices any
}

// Guard knows the frames of a Store whose content is not decided.
type Guard interface {
	Open(f phys.Frame) bool
	// Settle puts the decided content of n bytes from off into a page that is Open, or panics
	// with *Undecided. What the page has elsewhere says nothing.
	Settle(f phys.Frame, off, n int)
}

// Watch has w told of accesses from an address on, nil nobody any more.
func (p *Port) Watch(w Watch, from phys.Addr) {
	p.watch, p.from = w, from
	p.flush()
}

func (p *Port) watched(a phys.Addr) bool { return p.watch != nil && a >= p.from }

// toldLoad loads size bytes of a page that is watched.
func (p *Port) toldLoad(e *entry, off, size uint) (v uint64) {
	a := e.base + phys.Addr(off)
	if !p.watch.Loads(e.base.Frame()) {
		return get(e.page[off : off+size])
	}
	var b [8]byte
	if in := phys.LineSize - uint(a)&(phys.LineSize-1); size > in {
		p.watch.Load(a, b[:in])
		p.watch.Load(a+phys.Addr(in), b[in:size])
	} else {
		p.watch.Load(a, b[:size])
	}
	return get(b[:size])
}

// toldStore tells of a store of size bytes, at most 16, within a page.
func (p *Port) toldStore(va uint64, size uint, lo, hi uint64, tell func(phys.Addr, []byte)) {
	var b [16]byte
	put(b[:8], lo)
	put(b[8:], hi)
	e := &p.tlb[va>>phys.PageShift&(tlbSize-1)]
	tell(e.base+phys.Addr(va&phys.PageMask), b[:size])
}

// SetGuard sets who knows the frames whose content is not decided; forks have none.
func (s *Store) SetGuard(g Guard) { s.guard = g }

// Whole is ReadPage for who takes all of a page: the guard decides its content first.
func (s *Store) Whole(f phys.Frame) *Page { return s.Part(f, 0, phys.PageSize) }

// Part is Whole for who takes n bytes from off, and looks at no others.
func (s *Store) Part(f phys.Frame, off, n int) *Page {
	if n > 0 && s.guard != nil && s.guard.Open(f) {
		s.guard.Settle(f, off, n)
	}
	if p := s.raw(f); p != nil {
		return p
	}
	return &zeroPage
}

// Raw is ReadPage whatever the guard says: for the guard itself.
func (s *Store) Raw(f phys.Frame) *Page {
	if p := s.raw(f); p != nil {
		return p
	}
	return &zeroPage
}
