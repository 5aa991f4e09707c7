package mm

import (
	"zhuque/sim/kernel/errno"
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
	return &c
}

// keeps reports whether the memory of a mapping that is removed may be somebody
// else's too.
func (e *Extents) keeps(v *VMA) bool { return e.cloned && v.Shared && !v.hasNode() }

// CloneTo makes d, which is empty, what fork(2) gives a child: the same mappings, with
// the same memory where they are shared and copies of what was touched where they
// are private. The copies are made at once and, like all placement, past the caches.
func (s *Space) CloneTo(d *Space) error {
	var n needs
	for _, v := range s.VMAs() {
		if v.Phys != 0 && !v.Shared {
			n[medium(v.Phys)] += v.Size()
		}
		if v.Seen != 0 {
			n[medium(v.Seen)] += v.Size()
		}
	}
	if !d.room(n) {
		return errno.ENOMEM
	}
	for _, v := range s.VMAs() {
		n := v
		switch {
		case v.Kind == Direct:
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
	d.cfg.AddressLimit = s.cfg.AddressLimit
	return nil
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
