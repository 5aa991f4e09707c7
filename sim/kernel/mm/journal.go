package mm

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/balanced"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// extent is a range of physical memory.
type extent struct {
	at   phys.Addr
	size uint64
}

// heapReserve is how much physical address room the heap takes at a time, so
// that it stays one mapping while it grows.
const heapReserve = 64 << 20

// alloc takes a fresh extent that reads as zero. A recovered image may hold
// remains of uncommitted allocations there, so they are dropped first.
func (s *Space) alloc(m Medium, size uint64) phys.Addr {
	a, ok := s.cfg.Extents.take(m, size)
	if !ok {
		panic("BUG: mm: an extent that was not asked room for")
	}
	s.drop(a, size)
	return a
}

// room reports whether there are physical addresses for that much more in one piece,
// besides the heap's reserve.
func (s *Space) room(m Medium, size uint64) bool { return s.cfg.Extents.room(m, size, heapReserve) }

func (s *Space) drop(a phys.Addr, size uint64) {
	s.store(a).Drop(a.Frame(), (a + phys.Addr(size)).Frame())
}

// Change is one step from the list of mappings at the last TakeChanges to the
// present one: Old only is a removal, New only an addition, both a replacement
// of the entry with the same Start.
type Change struct{ Old, New *VMA }

// TakeChanges returns what changed since the last call, in ascending order of
// Start. Applied to a table keyed by Start, in any order, the changes give the
// present list.
func (s *Space) TakeChanges() (ch []Change) {
	slices.Sort(s.touched)
	for _, start := range slices.Compact(s.touched) {
		old, now := s.journal.starting(start), s.vmas.starting(start)
		if old != now && (old == nil || now == nil || *old != *now) {
			ch = append(ch, Change{Old: old, New: now})
		}
	}
	s.journal, s.touched = s.vmas, s.touched[:0]
	return ch
}

// ReleaseFreed gives back the memory of removed mappings. Call it when their
// removal is durable: until then a power cut must find it unharmed.
func (s *Space) ReleaseFreed() {
	for _, e := range s.freed {
		s.drop(e.at, e.size)
		s.cfg.Extents.give(e)
	}
	s.freed = s.freed[:0]
	for _, id := range s.unref {
		s.cfg.Files.Unref(id)
	}
	s.unref = s.unref[:0]
}

// Install adds mappings, in order, with the extents that they already have: recovery
// rebuilds the address space with it. The allocators continue behind the highest extent.
// Installed mappings do not appear in TakeChanges.
func (s *Space) Install(vmas ...VMA) error {
	for i := range vmas {
		v := &vmas[i]
		if err := s.possible(v); err != nil {
			return err
		}
		if i > 0 && v.Start < vmas[i-1].End || s.overlap(v.Start, v.End) != 0 {
			return &BadMapping{VMA: *v, Why: "it overlaps another mapping"}
		}
	}
	for i := range vmas {
		s.install(&vmas[i])
	}
	if len(vmas) == 0 {
		return nil
	}
	lo, hi := vmas[0].Start, vmas[len(vmas)-1].End
	left, rest := s.vmas.root.Split(func(v *VMA) bool { return v.End <= lo })
	if rest != nil && rest.Sum.first < hi {
		all := append(s.vmas.flat(), vmas...)
		slices.SortFunc(all, func(a, b VMA) int { return cmp.Compare(a.Start, b.Start) })
		s.vmas.root = build(all)
	} else {
		s.vmas.root = balanced.Concat(balanced.Concat(left, build(slices.Clone(vmas))), rest)
	}
	s.journal, s.flat = s.vmas, nil
	s.notify()
	return nil
}

// possible says why a mapping of an image cannot be.
func (s *Space) possible(v *VMA) error {
	if v.Start >= v.End || (v.Start|v.End|uint64(v.Phys))&phys.PageMask != 0 ||
		v.End > TaskSize || v.Kind < Anon || v.Kind >= kinds {
		return &BadMapping{VMA: *v, Why: "its fields make no mapping"}
	}
	if v.InFrames() != (v.Phys == 0) || (v.Kind == Copy) != (v.Seen != 0) || v.Seen&phys.PageMask != 0 {
		return &BadMapping{VMA: *v, Why: "it has not the extents of its kind"}
	}
	for _, at := range [...]phys.Addr{v.Phys, v.Seen} {
		m, end := DRAM, at+phys.Addr(v.Size())
		if at.IsPMEM() {
			m = PMEM
		}
		if at != 0 &&
			(at < s.base(m) || end < at || end > vfs.FrameBase || end.IsPMEM() != at.IsPMEM() && end != phys.PMEMBase) {
			return &BadMapping{VMA: *v, Why: "its extent lies outside the memory"}
		}
	}
	return nil
}

// install accounts for a mapping of an image.
func (s *Space) install(v *VMA) {
	for _, at := range [...]phys.Addr{v.Phys, v.Seen} {
		m := DRAM
		if at.IsPMEM() {
			m = PMEM
		}
		next := &s.cfg.Extents.next[m]
		*next = max(*next, at+phys.Addr(v.Size()))
	}
	if v.hasNode() {
		if !s.maps(v.Node) {
			s.cfg.Files.Ref(v.Node)
		}
		s.uses.add(v, 1)
	}
	if v.Shared && !v.hasNode() && s.cfg.Extents.spaces > 1 {
		s.cfg.Extents.cloned = true // an image does not say who else has it
	}
}

func (s *Space) base(m Medium) phys.Addr {
	if m == PMEM {
		return s.cfg.PMEMBase
	}
	return s.cfg.DRAMBase
}

// BadMapping says that a persistent image holds a mapping that cannot be.
type BadMapping struct {
	VMA VMA
	Why string
}

func (e *BadMapping) Error() string {
	return "mapping at " + hex(e.VMA.Start) + ": " + e.Why
}

// Mappings returns how many mappings of a file there are.
func (s *Space) Mappings(id vfs.NodeID) int { return s.uses.count[id].all }

// maps reports whether any mapping is of the file id.
func (s *Space) maps(id vfs.NodeID) bool { return s.uses.count[id].all > 0 }
