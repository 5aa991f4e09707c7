package mm

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Extents hands out physical memory to the address spaces of one machine.
type Extents struct {
	next [2]phys.Addr
	// cloned: anonymous memory may be mapped in several spaces. None of them knows
	// when it is the last, so that such memory is not given back any more.
	cloned bool
	spaces int // ever made

	unused []extent // given back, ascending, none beside another
}

// NewExtents returns an allocator of everything from these addresses on; zero for the
// lowest that a Space uses.
func NewExtents(dram, pmem phys.Addr) *Extents {
	if dram == 0 {
		dram = lowestDRAM
	}
	if pmem == 0 {
		pmem = phys.PMEMBase
	}
	return &Extents{next: [2]phys.Addr{DRAM: dram, PMEM: pmem}}
}

// Fork returns a copy for a fork of the machine.
func (e *Extents) Fork() *Extents {
	c := *e
	c.unused = slices.Clone(e.unused)
	return &c
}

// SparseSize is the size in bytes from which private anonymous memory is Sparse.
const SparseSize = 4 << 30

// reused is the size in bytes of the smallest piece of physical memory that is used again.
const reused = 128 << 20

// take returns a free extent, the lowest that was given back and is large enough or a
// fresh one; ok is false where there is none.
func (e *Extents) take(m Medium, size uint64) (at phys.Addr, ok bool) {
	for i := range e.unused {
		u := &e.unused[i]
		if u.size < size || medium(u.at) != m || size < reused {
			continue
		}
		at = u.at
		if u.at, u.size = u.at+phys.Addr(size), u.size-size; u.size == 0 {
			e.unused = slices.Delete(e.unused, i, i+1)
		}
		return at, true
	}
	if end := [...]phys.Addr{DRAM: phys.PMEMBase, PMEM: vfs.FrameBase}[m]; size > uint64(end-e.next[m]) {
		return 0, false
	}
	at = e.next[m]
	e.next[m] += phys.Addr(size)
	return at, true
}

// room reports whether take would give all these extents, whose order does not matter
// to it: a fork of e tries.
func (e *Extents) room(m Medium, sizes ...uint64) bool {
	t := e.Fork()
	for _, size := range sizes {
		if _, ok := t.take(m, size); !ok {
			return false
		}
	}
	return true
}

// give takes back an extent that is not needed any more.
func (e *Extents) give(x extent) {
	if x.size < reused {
		return
	}
	i, _ := slices.BinarySearchFunc(e.unused, x.at, func(u extent, at phys.Addr) int { return cmp.Compare(u.at, at) })
	e.unused = slices.Insert(e.unused, i, x)
	for j := max(i, 1); j <= i+1 && j < len(e.unused); {
		last, u := &e.unused[j-1], e.unused[j]
		if last.at+phys.Addr(last.size) != u.at || medium(last.at) != medium(u.at) {
			j++
			continue
		}
		last.size += u.size
		e.unused = slices.Delete(e.unused, j, j+1)
		i--
	}
}

// keeps reports whether the memory of a mapping that is removed may be somebody
// else's too.
func (e *Extents) keeps(v *VMA) bool { return e.cloned && v.Shared && !v.hasNode() }

// CloneTo makes d, which is empty, what fork(2) gives a child: the same mappings, with
// the same memory where they are shared and copies of what was touched where they
// are private. The copies are made at once and, like all placement, past the caches.
func (s *Space) CloneTo(d *Space) error {
	if !s.roomForClone() {
		return errno.ENOMEM
	}
	twins := map[vfs.NodeID]vfs.NodeID{} // only looked up
	for _, v := range s.VMAs() {
		if v.Attr&DontFork != 0 {
			continue
		}
		n := v
		n.Attr &^= Locked | OnFault
		switch {
		case v.Kind == Direct:
		case v.Attr&WipeOnFork != 0 && v.Kind == Sparse:
			id, err := s.cfg.Files.Hollow(int64(v.Off + v.Size()))
			if err != nil {
				return errno.ENOMEM
			}
			d.unref = append(d.unref, id) // the mapping has its own
			n.Node = id
		case v.Attr&WipeOnFork != 0:
			n.Phys = d.alloc(medium(v.Phys), v.Size())
		case v.Kind == Sparse:
			if twins[v.Node] == 0 {
				id, err := s.cfg.Files.Twin(v.Node)
				if err != nil {
					return errno.ENOMEM
				}
				twins[v.Node] = id
				d.unref = append(d.unref, id) // the mapping has its own
			}
			n.Node = twins[v.Node]
		case v.Shared:
		default:
			if v.Phys != 0 {
				n.Phys = d.twin(v.Phys, v.Size())
			}
			if v.Seen != 0 {
				n.Seen = d.alloc(medium(v.Seen), v.Size())
			}
		}
		if v.Shared && v.Seen != 0 {
			n.Seen = d.alloc(medium(v.Seen), v.Size())
		}
		if err := d.Install(n); err != nil {
			return err
		}
		d.touched = append(d.touched, n.Start)
	}
	d.journal = list{}
	d.SetBrk(s.brkStart, s.brkEnd)
	return nil
}

// roomForClone reports whether there are physical addresses for another space like s.
func (s *Space) roomForClone() bool {
	var sizes [2][]uint64
	for _, v := range s.VMAs() {
		if v.Phys != 0 && !v.Shared {
			sizes[medium(v.Phys)] = append(sizes[medium(v.Phys)], v.Size())
		}
		if v.Seen != 0 {
			sizes[medium(v.Seen)] = append(sizes[medium(v.Seen)], v.Size())
		}
	}
	return s.cfg.Extents.room(DRAM, sizes[DRAM]...) && s.cfg.Extents.room(PMEM, sizes[PMEM]...)
}

// medium returns the kind of memory at an address.
func medium(a phys.Addr) Medium {
	if a.IsPMEM() {
		return PMEM
	}
	return DRAM
}

// twin returns a fresh extent that holds what another one does.
func (s *Space) twin(from phys.Addr, size uint64) phys.Addr {
	to := s.alloc(medium(from), size)
	st := s.store(from)
	type piece struct {
		f phys.Frame
		p *mem.Page
	}
	var pieces []piece
	st.Each(from.Frame(), (from + phys.Addr(size)).Frame(), func(f phys.Frame, p *mem.Page) bool {
		pieces = append(pieces, piece{f, p})
		return true
	})
	for _, x := range pieces {
		*st.WritablePage(to.Frame() + x.f - from.Frame()) = *x.p
	}
	return to
}

// Poke writes to memory past the cache model and the protections; what is not mapped
// is left out. It is for memory that no core has seen yet.
func (s *Space) Poke(va uint64, data []byte) {
	for len(data) > 0 {
		n := min(len(data), int(phys.PageSize-va&phys.PageMask))
		if t, ok, bus := s.Translate(va, mem.Write); ok && !bus && t.Write {
			copy(s.store(t.Frame.Addr()).WritablePage(t.Frame)[va&phys.PageMask:], data[:n])
		}
		data, va = data[n:], va+uint64(n)
	}
}
