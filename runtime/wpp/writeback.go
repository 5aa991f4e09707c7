package wpp

import (
	"fmt"
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// WriteBack makes the runtime write its own lines back: each line that it has stored to gets
// a CLWB before the next fence. Under eADR that changes timing only. Under ADR, where the
// caches are lost, the tables are whole then at every instant, and a restart, which must
// refuse the process because its memory is lost, can say what the tables hold.
func (r *Runtime) WriteBack() { r.writeBack = true }

// put makes one modelled store into the image.
func (r *Runtime) put(m *sim.Machine, off, v uint64) {
	at := phys.PMEMBase + phys.Addr(off)
	m.Port().StorePhys64(at, v)
	r.spent.Stores++
	if r.writeBack && !slices.Contains(r.lines, at.Line()) {
		r.lines = append(r.lines, at.Line())
	}
}

// fence orders the stores before it against those behind it.
func (r *Runtime) fence(m *sim.Machine) {
	for _, l := range r.lines {
		m.Port().FlushPhys(l.Addr(), cachemodel.CLWB)
	}
	r.spent.Flushes += uint64(len(r.lines))
	r.spent.Fences++
	r.lines = r.lines[:0]
	m.Port().Fence(cachemodel.SFENCE)
}

// writeBackFence is a fence that is needed only where caches are lost: under eADR the order
// in which stores become visible is enough.
func (r *Runtime) writeBackFence(m *sim.Machine) {
	if r.writeBack {
		r.fence(m)
	}
}

// tables says what the tables of a refused image hold. It changes nothing.
func (r *Runtime) tables(im *image) string {
	if im.word(sbGeneration) == 0 {
		return "there are no tables yet"
	}
	committed := im.counter(sbCommitted)
	words, err := im.log(committed)
	if err != nil {
		return fmt.Sprintf("its tables are not whole: %v", err)
	}
	over := image{pmem: im.pmem, over: map[uint64]uint64{}}
	for i := 0; i < len(words); i += 2 {
		over.over[words[i]] = words[i+1]
	}
	records, err := r.records(&over)
	if err != nil {
		return fmt.Sprintf("its tables are not whole: %v", err)
	}
	return fmt.Sprintf("its tables are whole: %d records after call %d", len(records), committed)
}
