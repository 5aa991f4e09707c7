package sim

import (
	"zhuque/cachemodel"
	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// EventKind is what an Event tells of.
type EventKind uint8

// The kinds of events.
const (
	StoreEvent EventKind = iota
	NTStoreEvent
	FlushEvent
	FenceEvent
	WrittenEvent // bytes past the cores: all of the line is durable
)

// Event is what an explored machine has done with persistent memory, its bytes not changed yet: Addr and
// Data of a store, Line of a flush, or the Fence.
type Event struct {
	Kind  EventKind
	Core  int
	Addr  phys.Addr
	Data  []byte // valid until the call returns
	Line  phys.LineAddr
	Flush cachemodel.FlushKind
	Fence cachemodel.FenceKind
}

// Tell has an explored machine tell of its events.
func (m *Machine) Tell(f func(*Event)) { m.rec.tell = f }

// act says that an event comes next.
func (r *record) act() { r.acts = true }

func (r *record) event(e *Event) {
	r.told++
	r.acts = false
	r.tell(e)
}

// LineNow copies what the machine has in a line of its memory.
func (m *Machine) LineNow(l phys.LineAddr, dst *[phys.LineSize]byte) {
	source{m.durable.PMEM}.ReadLine(l, dst)
}

// Contents returns every combination of what the power cut may leave at these addresses, 8
// bytes each; ok is false when there are more than most.
func (l *Left) Contents(at []phys.Addr, most int) (set map[string]bool, ok bool) {
	set = map[string]bool{}
	src := source{l.Durable.PMEM}
	var visit func(m *worlds.Memory, i int, so string) bool
	visit = func(m *worlds.Memory, i int, so string) bool {
		if i == len(at) {
			set[so] = true
			return len(set) <= most
		}
		var b [8]byte
		choices := m.Read(0, at[i], b[:])
		if choices == nil {
			return visit(m, i+1, so+string(b[:]))
		}
		for _, c := range choices {
			f := m.Fork(src)
			f.Narrow(c, 0)
			if !visit(f, i, so) {
				return false
			}
		}
		return true
	}
	ok = visit(l.memory.Cut(src, worlds.Open), 0, "")
	return set, ok
}
