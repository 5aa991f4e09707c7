package mem

import (
	"slices"

	"zhuque/sim/phys"
)

// group is the ports over one pair of Stores, one for each core of a machine.
// What one of them does to a page, the others' translations must follow.
type group struct {
	members []*Port
	code    map[phys.Frame]struct{} // frames that hold instructions which some core decoded
}

func newGroup(p *Port) *group {
	return &group{members: []*Port{p}, code: map[phys.Frame]struct{}{}}
}

// Join puts p, which must be new, into the group of other, a port over the same
// Stores. When one of them copies a page before its first write after a Fork, all
// see the copy; a store to watched code is told to each; FlushTLB reaches all.
func (p *Port) Join(other *Port) {
	if p.dram != other.dram || p.pmem != other.pmem {
		panic("BUG: mem.Port.Join of a port over other memory")
	}
	if len(p.group.members) > 1 || len(p.group.code) > 0 {
		panic("BUG: mem.Port.Join of a port that is not new")
	}
	p.group = other.group
	p.group.members = append(p.group.members, p)
}

// leave takes p out of its group.
func (p *Port) leave() {
	g := p.group
	if len(g.members) == 1 {
		clear(g.code)
		return
	}
	g.members = slices.DeleteFunc(g.members, func(m *Port) bool { return m == p })
	p.group = nil
}

// WatchCode marks a frame as holding decoded instructions.
func (p *Port) WatchCode(f phys.Frame) {
	g := p.group
	if _, ok := g.code[f]; ok {
		return
	}
	g.code[f] = struct{}{}
	for _, m := range g.members {
		for i := range m.tlb {
			if e := &m.tlb[i]; e.base == f.Addr() {
				e.wtag = noTag
			}
		}
	}
}

// codeWritten ends the watch over a frame that a store is about to change.
func (g *group) codeWritten(f phys.Frame) {
	if _, isCode := g.code[f]; !isCode {
		return
	}
	for _, m := range g.members {
		if m.CodeWritten != nil {
			m.CodeWritten(f)
		}
	}
	delete(g.code, f)
}

// repoint moves the translations of a frame to the copy that a write made of it.
func (g *group) repoint(base phys.Addr, page *Page) {
	for _, m := range g.members {
		for i := range m.tlb {
			if e := &m.tlb[i]; e.base == base {
				e.page = page
			}
		}
	}
}
