package lockstep

import (
	"errors"
	"fmt"
	"slices"
	"sort"

	"golang.org/x/sys/unix"

	"zhuque/sim"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// image keeps the process's memory as the model's is.
type image struct {
	p     *process
	vmas  []mm.VMA      // as the process has them
	base  [2]*mem.Store // DRAM and PMEM when both sides were last the same
	at    uint64        // instructions retired then
	pages uint64        // pages compared
	buf   mem.Page
	list  []uint64
}

// stores are the two memories of a machine.
func stores(m *sim.Machine) [2]*mem.Store {
	return [2]*mem.Store{m.Store(0), m.Store(phys.PMEMBase)}
}

func side(a phys.Addr) int {
	if a.IsPMEM() {
		return 1
	}
	return 0
}

// settle notes that both sides are the same now.
func (g *image) settle(m *sim.Machine) {
	for i, st := range stores(m) {
		g.base[i] = st.Fork()
	}
	m.Port().FlushTLB()
	g.at = m.Retired()
}

// changed calls fn for every mapped page that the model changed since settle,
// with its address; prot is what the mapping must allow.
func (g *image) changed(m *sim.Machine, prot mm.Prot, fn func(va uint64, page *mem.Page) error) (err error) {
	now := stores(m)
	for _, v := range m.Kernel().MM.VMAs() {
		if v.Prot&prot != prot {
			continue
		}
		for _, at := range [...]phys.Addr{v.Phys, v.Seen} {
			if at == 0 {
				continue
			}
			mem.Diff(g.base[side(at)], now[side(at)], at.Frame(), (at + phys.Addr(v.Size())).Frame(), func(f phys.Frame, _, _ *mem.Page) bool {
				va := v.Start + uint64(f.Addr()-at)
				err = fn(va, pageOf(m, v, va))
				return err == nil
			})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// pageOf returns what the model's program reads in a page of v.
func pageOf(m *sim.Machine, v mm.VMA, va uint64) *mem.Page {
	if p := m.Kernel().MM.Page(&v, va); p != nil {
		return p
	}
	return new(mem.Page)
}

// push makes the process's mappings and memory those of the model.
func (g *image) push(m *sim.Machine) error {
	if err := g.remap(m); err != nil {
		return err
	}
	if g.base[0] != nil {
		if err := g.changed(m, 0, func(va uint64, page *mem.Page) error { return g.p.write(va, page[:]) }); err != nil {
			return err
		}
	}
	g.settle(m)
	return nil
}

// remap carries changes of the list of mappings over, piece by piece.
func (g *image) remap(m *sim.Machine) error {
	if len(m.Kernel().Threads()) > 1 {
		return errors.New("lockstep: the program has several threads or processes, only one is followed here")
	}
	now := m.Kernel().MM.VMAs()
	if slices.Equal(now, g.vmas) {
		return nil
	}
	if v, ok := find(now, stub); ok {
		return fmt.Errorf("lockstep: the program maps %#x to %#x, where we keep a page in the process", v.Start, v.End)
	}
	for _, v := range now {
		if v.InFrames() {
			return fmt.Errorf("lockstep: the program shares a file at %#x to %#x, which is not compared here", v.Start, v.End)
		}
	}
	var cuts []uint64
	for _, list := range [][]mm.VMA{g.vmas, now} {
		for _, v := range list {
			cuts = append(cuts, v.Start, v.End)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	for i := 1; i < len(cuts); i++ {
		if err := g.remapPiece(m, now, cuts[i-1], cuts[i]); err != nil {
			return err
		}
	}
	g.vmas = now
	return nil
}

func find(list []mm.VMA, va uint64) (mm.VMA, bool) {
	i := sort.Search(len(list), func(i int) bool { return list[i].End > va })
	if i < len(list) && list[i].Start <= va {
		return list[i], true
	}
	return mm.VMA{}, false
}

// remapPiece carries over what happened to [lo, hi), in which neither list has a border.
func (g *image) remapPiece(m *sim.Machine, now []mm.VMA, lo, hi uint64) error {
	was, had := find(g.vmas, lo)
	is, has := find(now, lo)
	if had {
		was = was.Part(lo, hi)
	}
	if has {
		is = is.Part(lo, hi)
	}
	switch {
	case !had && !has:
		return nil
	case !has:
		return g.p.unmap(lo, hi)
	case had && was.Phys == is.Phys && was.Kind == is.Kind && was.Node == is.Node && was.Off == is.Off:
		if hostProt(was) == hostProt(is) {
			return nil
		}
		return g.p.protect(lo, hi, hostProt(is))
	}
	if err := g.p.mapAt(lo, hi, hostProt(is)); err != nil {
		return err
	}
	return g.fill(m, is)
}

// hostProt is the protection that makes the host fault where the model does.
func hostProt(v mm.VMA) uint64 {
	if v.Prot == 0 {
		return unix.PROT_NONE
	}
	return uint64(v.Prot | mm.Read) // x86-64 has nothing that cannot be read
}

// fill writes the content of a fresh mapping.
func (g *image) fill(m *sim.Machine, v mm.VMA) (err error) {
	if v.Kind == mm.File || v.Kind == mm.Copy {
		for va := v.Start; va < v.End && err == nil; va += pageSize {
			if m.Kernel().MM.Peek(va, g.buf[:]) == len(g.buf) {
				err = g.p.write(va, g.buf[:])
			}
		}
		return err
	}
	m.Store(v.Phys).Each(v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame(), func(f phys.Frame, page *mem.Page) bool {
		err = g.p.write(v.Start+uint64(f.Addr()-v.Phys), page[:])
		return err == nil
	})
	return err
}

// unequal is the first byte in which both memories differ.
type unequal struct {
	va         uint64
	model, cpu []byte // up to 16 bytes from there on
	differing  int    // bytes that differ in this page
}

func (u *unequal) String() string {
	return fmt.Sprintf("memory at %#x: model % x, processor % x (%d bytes differ in this page)",
		u.va, u.model, u.cpu, u.differing)
}

// compareChanged compares the pages that the model changed since settle.
func (g *image) compareChanged(m *sim.Machine) (bad *unequal, err error) {
	err = g.changed(m, mm.Write, func(va uint64, page *mem.Page) error {
		if bad != nil {
			return nil
		}
		var err error
		bad, err = g.comparePage(va, page)
		return err
	})
	return bad, err
}

// sweep compares every writable page that either side has touched.
func (g *image) sweep(m *sim.Machine) (bad *unequal, err error) {
	list := g.list[:0]
	for _, v := range m.Kernel().MM.VMAs() {
		if v.Prot&mm.Write == 0 {
			continue
		}
		if list, err = g.p.present(list, v.Start, v.End); err != nil {
			return nil, err
		}
		m.Store(v.Phys).Each(v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame(), func(f phys.Frame, _ *mem.Page) bool {
			list = append(list, v.Start+uint64(f.Addr()-v.Phys))
			return true
		})
	}
	slices.Sort(list)
	list = slices.Compact(list)
	g.list = list
	for _, va := range list {
		v, ok := find(m.Kernel().MM.VMAs(), va)
		if !ok {
			panic(fmt.Sprintf("BUG: lockstep: swept page %#x is not mapped", va))
		}
		if bad, err = g.comparePage(va, pageOf(m, v, va)); bad != nil || err != nil {
			return bad, err
		}
	}
	return nil, nil
}

func (g *image) comparePage(va uint64, page *mem.Page) (*unequal, error) {
	g.pages++
	if err := g.p.read(va, g.buf[:]); err != nil {
		return nil, err
	}
	if g.buf == *page {
		return nil, nil
	}
	first, n := -1, 0
	for i := range page {
		if g.buf[i] != page[i] {
			n++
			if first < 0 {
				first = i
			}
		}
	}
	last := min(first+16, pageSize)
	return &unequal{va + uint64(first), slices.Clone(page[first:last]), slices.Clone(g.buf[first:last]), n}, nil
}
