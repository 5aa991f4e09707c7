// Package mm is the address space of a guest process: its mappings, the physical
// extents behind them, and the journal of changes that the Zhuque runtime makes
// persistent.
//
// There are no page tables. Every mapping (VMA) is backed by one contiguous
// physical extent, in DRAM or in persistent memory, so that a translation is a
// search and an addition, and a recovery needs nothing but the list of mappings.
// A writable shared mapping of a file has no extent: the file says in which frame
// each of its pages lies (vfs.FS.Pin), and every mapping of it goes there. A
// private one has two: what was written lies in the first; the second stands for
// the file's pages, which show until then. It holds no state of its own.
// Private anonymous memory of more than SparseSize is a file without a name, of which
// only the pages that were touched have frames: programs reserve far more than there are
// physical addresses (AddressSanitizer 16 TiB) and touch little of it.
//
// Extents come from a bump allocator; what a freed extent held is dropped only when
// ReleaseFreed says that the change is durable. Large ones are used again from then on:
// a cache may still hold lines of their earlier life, as on a machine whose kernel hands
// out the page again. Small ones are never used twice in one boot.
//
// Left out: huge pages, NUMA policy, stacks that grow by faulting
// (a stack is mapped to its limit at once, so that touching it changes no table).
//
// Placement of pages into the Store is not seen by the cache model: extents are
// fresh, so that no line of them can be cached. Memory given back by
// madvise(MADV_DONTNEED) is zeroed likewise, in one step.
//
// The package knows nothing of system-call numbers, registers or the Zhuque
// runtime and must not import them.
//
// Sources: Linux man pages mmap(2), mremap(2), mprotect(2), madvise(2), brk(2).
package mm

import (
	"fmt"

	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Prot is what a mapping allows, with the bits of mmap(2).
type Prot uint8

const (
	Read  Prot = 1
	Write Prot = 2
	Exec  Prot = 4
)

func (p Prot) String() string {
	b := []byte("---")
	for i, c := range []byte("rwx") {
		if p>>i&1 != 0 {
			b[i] = c
		}
	}
	return string(b)
}

// Kind tells what a mapping holds. Its numbers are part of the persistent image.
type Kind uint8

const (
	Anon   Kind = 1 + iota
	File        // read through from a file; the extent holds no state of its own
	Copy        // private and writable: a page of a file is copied when it is first written
	Direct      // shared and perhaps writable: the file's own frames; no extent
	Stack       // the main thread's stack
	Heap        // brk memory
	Sparse      // private anonymous memory of more than SparseSize: the frames of a file without a name; no extent
	kinds
)

func (k Kind) String() string {
	if k < Anon || k >= kinds {
		return fmt.Sprintf("Kind(%d)", uint8(k))
	}
	return [...]string{"anon", "file", "copy", "direct", "stack", "heap", "sparse"}[k-Anon]
}

// Attr is what a mapping has beside its protection. Its bits are part of the persistent image.
type Attr uint8

const (
	Locked     Attr = 1 << iota // in memory: mlock(2)
	OnFault                     // Locked, but only what is touched: MLOCK_ONFAULT
	DontFork                    // a child does not get it: MADV_DONTFORK
	WipeOnFork                  // a child gets it empty: MADV_WIPEONFORK
	NeverWrite                  // shared, of a descriptor that is not open for writing
	attrs      = iota
)

// Attrs are all of them.
const Attrs Attr = 1<<attrs - 1

// VMA is one mapping of [Start, End), both page-aligned.
type VMA struct {
	Start, End uint64
	Prot       Prot
	Shared     bool // MAP_SHARED
	Grows      bool // MAP_GROWSDOWN was asked for
	Attr       Attr
	Kind       Kind
	Phys       phys.Addr  // first byte of the extent; zero for Direct and Sparse
	Seen       phys.Addr  // Copy: first byte of the extent for pages that are not written yet
	Node       vfs.NodeID // File, Copy, Direct, Sparse: the mapped file
	Off        uint64     // File, Copy, Direct, Sparse: offset of Start in the file, in bytes
}

// Size returns the mapping's length in bytes.
func (v VMA) Size() uint64 { return v.End - v.Start }

func (v VMA) hasNode() bool { return v.Kind == File || v.Kind == Copy || v.InFrames() }

// InFrames reports whether the mapping's memory is the frames of its file.
func (v VMA) InFrames() bool { return v.Kind == Direct || v.Kind == Sparse }

// Part returns the piece of v inside [lo, hi), which must overlap it.
func (v VMA) Part(lo, hi uint64) VMA {
	if lo > v.Start {
		d := lo - v.Start
		if v.Phys != 0 {
			v.Phys += phys.Addr(d)
		}
		if v.Seen != 0 {
			v.Seen += phys.Addr(d)
		}
		if v.hasNode() {
			v.Off += d
		}
		v.Start = lo
	}
	v.End = min(v.End, hi)
	return v
}

// continues reports whether b follows v and, but for where its memory lies, could
// be the same mapping.
func (v VMA) continues(b VMA) bool {
	n := b
	n.Start, n.End, n.Phys, n.Seen, n.Off = v.Start, v.End, v.Phys, v.Seen, v.Off
	return n == v && v.End == b.Start && (!v.hasNode() || v.Off+v.Size() == b.Off)
}

// joins reports whether b continues v so that both can be one mapping.
func (v VMA) joins(b VMA) bool {
	size := phys.Addr(v.Size())
	return v.continues(b) && (v.Phys == 0 || v.Phys+size == b.Phys) && (v.Seen == 0 || v.Seen+size == b.Seen)
}

// Regions returns a list of mappings as the process sees it: neighbours that
// differ only in where their memory lies are one, with the first one's Phys. How
// a mapping that grew is cut into extents depends on the restarts between.
func Regions(list []VMA) []VMA {
	out := make([]VMA, 0, len(list))
	for _, v := range list {
		if last := len(out) - 1; last >= 0 && out[last].continues(v) {
			out[last].End = v.End
			continue
		}
		out = append(out, v)
	}
	return out
}

// Medium is the kind of memory that an extent is taken from.
type Medium uint8

const (
	DRAM Medium = iota
	PMEM
)

// Placement decides where the process's memory lies; it follows from the memory
// mode of the machine.
type Placement struct {
	Anon            Medium // anonymous memory, stack, heap
	PrivateWritable Medium // copies of private writable file mappings
	ReadOnlyFile    Medium // file mappings that are only read
}

// Files is what a Space needs of the file tree.
type Files interface {
	// Page returns a page of a file; ok is false behind its end. The page is
	// immutable and the same object as long as the content is unchanged. An error
	// means that the host failed to deliver it.
	Page(id vfs.NodeID, index uint64) (p *mem.Page, ok bool, err error)
	// Frame returns where a page lies that writable shared mappings have touched;
	// Pin puts it into a frame first. Its ok is false behind the file's end and
	// when there is no space.
	Frame(id vfs.NodeID, index uint64) (f phys.Frame, ok bool)
	Pin(id vfs.NodeID, index uint64) (f phys.Frame, ok bool, err error)
	Size(id vfs.NodeID) int64
	Ref(id vfs.NodeID)
	Unref(id vfs.NodeID)
	// Hollow makes a file without a name that reads as zero, Twin one that holds what
	// another does; the caller has a reference. Widen makes one larger; Zero punches a hole.
	Hollow(size int64) (vfs.NodeID, error)
	Twin(id vfs.NodeID) (vfs.NodeID, error)
	Widen(id vfs.NodeID, size int64)
	Zero(id vfs.NodeID, off, count int64) error
}

// Config is what a Space is built from.
type Config struct {
	DRAM, PMEM *mem.Store
	Files      Files
	Placement  Placement

	// Extents is shared by all spaces of a machine; nil for one of its own.
	Extents *Extents

	DRAMBase phys.Addr // first byte that may back an extent; zero: 16 MiB
	PMEMBase phys.Addr // likewise; zero: phys.PMEMBase

	DRAMSize, PMEMSize phys.Bytes // what may be touched; zero: no limit
	AddressLimit       uint64     // RLIMIT_AS in bytes; zero: none
	DataLimit          uint64     // RLIMIT_DATA in bytes, of private writable mappings; zero: none

	MmapTop uint64 // end of the highest mapping that Map chooses; zero: DefaultMmapTop
}

// Address-space layout of x86-64 Linux without randomization.
const (
	TaskSize       uint64 = 0x7fff_ffff_f000 // first address that user mode cannot map
	MinAddr        uint64 = 0x1_0000         // vm.mmap_min_addr
	DefaultMmapTop uint64 = TaskSize - 128<<20

	maxVMAs = 65530 // vm.max_map_count

	lowestDRAM phys.Addr = 16 << 20
)

// Space is the address space of one process. It implements mem.AddressSpace.
type Space struct {
	cfg   Config
	vmas  list
	uses  uses
	fresh bool  // the last page that was looked up has come with it
	last  *VMA  // the last translation's mapping, nil for none
	flat  []VMA // the list in one piece, nil when nobody asked

	journal list     // as it was at the last TakeChanges
	touched []uint64 // where mappings start or started that changed since then
	freed   []extent
	unref   []vfs.NodeID

	lockNext           Attr // of new mappings: mlockall(MCL_FUTURE)
	brkStart, brkEnd   uint64
	heapNext, heapLast phys.Addr // unused rest of the heap's physical reserve

	changed func()
	err     error   // first failure of Files; sticky
	refused *UsedUp // the last page that was not there to be given
}

var _ mem.AddressSpace = (*Space)(nil)

// New returns an empty address space.
func New(cfg Config) *Space {
	if cfg.DRAMBase == 0 {
		cfg.DRAMBase = lowestDRAM
	}
	if cfg.PMEMBase == 0 {
		cfg.PMEMBase = phys.PMEMBase
	}
	if cfg.MmapTop == 0 {
		cfg.MmapTop = DefaultMmapTop
	}
	if cfg.Extents == nil {
		cfg.Extents = NewExtents(cfg.DRAMBase, cfg.PMEMBase)
	}
	cfg.Extents.spaces++
	return &Space{cfg: cfg}
}

// Fork returns an independent copy over other stores and another file tree,
// which must be forks of this Space's; so must extents, nil for a fork of its own.
// Its cost does not depend on the number of mappings. OnChange is not inherited.
func (s *Space) Fork(dram, pmem *mem.Store, files Files, extents *Extents) *Space {
	c := *s
	if c.cfg.Extents = extents; extents == nil {
		c.cfg.Extents = s.cfg.Extents.Fork()
	}
	c.cfg.DRAM, c.cfg.PMEM, c.cfg.Files = dram, pmem, files
	s.uses.shared, c.uses.shared = true, true
	c.touched = append([]uint64(nil), s.touched...)
	c.freed = append([]extent(nil), s.freed...)
	c.unref = append([]vfs.NodeID(nil), s.unref...)
	c.changed = nil
	return &c
}

// OnChange sets the function that is called after every change of mappings, file
// pages or memory behind the Port's back: it must flush the TLB and the
// processor's decoded blocks.
func (s *Space) OnChange(f func()) { s.changed = f }

func (s *Space) notify() {
	s.last = nil
	if s.changed != nil {
		s.changed()
	}
}

// VMAs returns the mappings in ascending order. The slice must not be changed.
func (s *Space) VMAs() []VMA {
	if s.flat == nil {
		s.flat = s.vmas.flat()
	}
	return s.flat
}

// Len returns the number of mappings.
func (s *Space) Len() int { return s.vmas.len() }

// find returns the mapping that holds va, nil for none.
func (s *Space) find(va uint64) *VMA {
	if v := s.vmas.find(va); v != nil && v.Start <= va {
		return v
	}
	return nil
}

// Find returns the mapping that holds va.
func (s *Space) Find(va uint64) (VMA, bool) {
	if v := s.find(va); v != nil {
		return *v, true
	}
	return VMA{}, false
}

// Next returns the first mapping that ends behind va.
func (s *Space) Next(va uint64) (VMA, bool) {
	if v := s.vmas.find(va); v != nil {
		return *v, true
	}
	return VMA{}, false
}

// Mapped returns the total size of all mappings in bytes.
func (s *Space) Mapped() uint64 { return s.vmas.bytes() }

// Translate implements mem.AddressSpace. A store to untouched memory beyond the
// configured size of the medium is a bus error, as on a full DAX file system.
func (s *Space) Translate(va uint64, acc mem.Access) (t mem.Translation, ok, bus bool) {
	v := s.last
	if v == nil || va < v.Start || va >= v.End {
		if v = s.find(va); v == nil {
			return t, false, false
		}
		s.last = v
	}
	t.Read, t.Write, t.Exec = v.Prot != 0, v.Prot&Write != 0, v.Prot&Exec != 0
	off := (va - v.Start) &^ phys.PageMask
	if v.hasNode() {
		if t.Read {
			s.fresh = false
			t.Frame, ok = s.filePage(v, off, acc == mem.Write && t.Write)
			t.Fresh = s.fresh
		}
		return t, true, t.Read && !ok
	}
	t.Frame = (v.Phys + phys.Addr(off)).Frame()
	if acc == mem.Write && t.Write && s.full(t.Frame) {
		return t, true, true
	}
	return t, true, false
}

// filePage returns the frame of the page at offset off of a file mapping; false is
// a bus error.
func (s *Space) filePage(v *VMA, off uint64, write bool) (phys.Frame, bool) {
	index := (v.Off + off) >> phys.PageShift
	f := (v.Phys + phys.Addr(off)).Frame()
	switch v.Kind {
	case Direct, Sparse:
		return s.pin(v.Node, index)
	case Copy:
		if s.store(f.Addr()).Page(f) != nil {
			return f, true
		}
		if write {
			return f, s.privatize(v, f, index)
		}
		f = (v.Seen + phys.Addr(off)).Frame()
	}
	if shared, ok := s.cfg.Files.Frame(v.Node, index); ok {
		return shared, true
	}
	return f, s.materialize(f, v.Node, index)
}

// pin returns the frame of a file's page for a shared mapping. Other mappings that
// show the page look it up again when it moves there.
func (s *Space) pin(node vfs.NodeID, index uint64) (phys.Frame, bool) {
	f, ok := s.cfg.Files.Frame(node, index)
	if ok {
		return f, true
	}
	f, ok, err := s.cfg.Files.Pin(node, index)
	s.fresh = ok
	if err != nil && s.err == nil {
		s.err = err
	}
	if ok && s.dropSeen(node, index, index+1) {
		s.notify()
	}
	return f, ok
}

// privatize gives a private mapping its own copy of a page, at f.
func (s *Space) privatize(v *VMA, f phys.Frame, index uint64) bool {
	p, ok := s.page(v.Node, index)
	if !ok || s.full(f) {
		return false
	}
	s.fresh = true
	if _, live := s.cfg.Files.Frame(v.Node, index); live {
		s.store(f.Addr()).Write(f.Addr(), p[:])
	} else {
		s.store(f.Addr()).Share(f, p)
	}
	if v.Prot&Exec != 0 {
		s.notify() // what was decoded is another frame's
	}
	return true
}

// dropSeen makes mappings look up the pages [lo, hi) of a file again where they
// hold no state, and reports whether there are such mappings.
func (s *Space) dropSeen(id vfs.NodeID, lo, hi uint64) bool {
	if s.uses.count[id].indirect == 0 {
		return false
	}
	for v := range s.vmas.from(0) {
		if v.Node != id || !v.hasNode() {
			continue
		}
		at := v.Phys
		if v.Kind == Copy {
			at = v.Seen
		}
		first, last := max(lo, v.Off>>phys.PageShift), min(hi, (v.Off+v.Size())>>phys.PageShift)
		if !v.InFrames() && first < last {
			s.drop(at+phys.Addr(first<<phys.PageShift-v.Off), (last-first)<<phys.PageShift)
		}
	}
	return true
}

// materialize puts a file's page behind a frame that is not touched yet.
func (s *Space) materialize(f phys.Frame, node vfs.NodeID, index uint64) bool {
	st := s.store(f.Addr())
	if st.Page(f) != nil {
		return true
	}
	p, ok := s.page(node, index)
	if ok {
		st.Share(f, p)
		s.fresh = true
	}
	return ok
}

// page returns a file's page and remembers the host's failure to deliver it.
func (s *Space) page(node vfs.NodeID, index uint64) (*mem.Page, bool) {
	p, ok, err := s.cfg.Files.Page(node, index)
	if err != nil {
		if s.err == nil {
			s.err = err
		}
		return nil, false
	}
	return p, ok
}

// Err returns the first error that the file tree gave while a page was looked
// up: the run cannot go on with it.
func (s *Space) Err() error { return s.err }

// full reports whether touching f would exceed the medium's size.
func (s *Space) full(f phys.Frame) bool {
	st, limit := s.cfg.DRAM, s.cfg.DRAMSize
	if f.IsPMEM() {
		st, limit = s.cfg.PMEM, s.cfg.PMEMSize
	}
	if limit == 0 || st.Touched() < int64(limit>>phys.PageShift) || st.Page(f) != nil {
		return false
	}
	s.refused = &UsedUp{f.IsPMEM(), limit}
	return true
}

// UsedUp says that the program has touched all of the machine's memory. Linux would kill
// some process for that.
type UsedUp struct {
	PMEM bool
	Size phys.Bytes
}

func (e *UsedUp) Error() string {
	what := "DRAM"
	if e.PMEM {
		what = "persistent memory"
	}
	return fmt.Sprintf("the program has used up the machine's %d MiB of %s", e.Size>>20, what)
}

// TakeRefused returns why a page was refused since the last call, nil for no reason: an
// access that failed with a bus error has met the end of the memory, not of a file.
func (s *Space) TakeRefused() error {
	e := s.refused
	if s.refused = nil; e == nil {
		return nil
	}
	return e
}

func (s *Space) store(a phys.Addr) *mem.Store {
	if a.IsPMEM() {
		return s.cfg.PMEM
	}
	return s.cfg.DRAM
}

// FileChanged must be called after the content or size of a file changed: pages
// of it that were mapped for reading are looked up again.
func (s *Space) FileChanged(id vfs.NodeID) {
	if s.maps(id) {
		s.dropSeen(id, 0, 1<<63>>phys.PageShift)
		s.notify()
	}
}

// FileCut must be called after a file became shorter, beside FileChanged: private
// copies of pages behind its end are gone when the change is durable.
func (s *Space) FileCut(id vfs.NodeID) {
	if s.maps(id) {
		s.freed = append(s.freed, s.behindEnd(func(v *VMA) bool { return v.Node == id })...)
	}
}

// Settle ends a recovery: a truncation may have committed without what FileCut
// frees being gone.
func (s *Space) Settle() {
	for _, e := range s.behindEnd(func(*VMA) bool { return true }) {
		s.drop(e.at, e.size)
	}
}

// behindEnd returns where private copies of pages behind their file's end would lie.
func (s *Space) behindEnd(of func(*VMA) bool) (list []extent) {
	for v := range s.vmas.from(0) {
		if v.Kind != Copy || !of(v) {
			continue
		}
		end := roundUp(uint64(s.cfg.Files.Size(v.Node)))
		if from := max(end, v.Off) - v.Off; from < v.Size() {
			list = append(list, extent{v.Phys + phys.Addr(from), v.Size() - from})
		}
	}
	return list
}

// Page returns the bytes that the process would read in the page that holds va of
// the mapping v, without changing anything; nil when they were never touched or
// cannot be read. They are valid until the next store.
func (s *Space) Page(v *VMA, va uint64) *mem.Page {
	off := (va - v.Start) &^ phys.PageMask
	if v.Phys != 0 {
		f := (v.Phys + phys.Addr(off)).Frame()
		if p := s.store(f.Addr()).Page(f); p != nil || !v.hasNode() {
			return p
		}
	}
	p, _ := s.page(v.Node, (v.Off+off)>>phys.PageShift)
	return p
}

// Covers reports whether every page of the range is mapped.
func (s *Space) Covers(addr, length uint64) bool {
	lo, hi, ok := pageRange(addr, length)
	return ok && s.overlap(lo, hi) == hi-lo
}

// SharedPages are pages of a file that a writable shared mapping shows.
type SharedPages struct {
	Node        vfs.NodeID
	First, Last uint64 // [First, Last)
}

// SharedFiles returns what writable shared mappings show of files in a range.
func (s *Space) SharedFiles(addr, length uint64) (pages []SharedPages) {
	lo, hi, ok := pageRange(addr, length)
	for _, v := range s.clip(lo, hi) {
		if ok && v.Kind == Direct {
			first := v.Off >> phys.PageShift
			pages = append(pages, SharedPages{v.Node, first, first + (v.End-v.Start)>>phys.PageShift})
		}
	}
	return pages
}

// SetLimits changes RLIMIT_AS and RLIMIT_DATA, in bytes; zero for none.
func (s *Space) SetLimits(address, data uint64) { s.cfg.AddressLimit, s.cfg.DataLimit = address, data }

// Peek copies memory as the process would read it, past the cache model and the
// protections, and returns how many bytes were mapped from va on.
func (s *Space) Peek(va uint64, buf []byte) int {
	for done := 0; done < len(buf); {
		t, ok, bus := s.Translate(va, mem.Exec)
		if !ok || bus {
			return done
		}
		n := copy(buf[done:], s.store(t.Frame.Addr()).ReadPage(t.Frame)[va&phys.PageMask:])
		done, va = done+n, va+uint64(n)
	}
	return len(buf)
}
