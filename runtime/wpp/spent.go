package wpp

import (
	"zhuque/sim"
	"zhuque/sim/phys"
)

// Spent is what the runtime has cost so far, in core clock cycles: one for each store,
// flush and fence, and what they stalled. The instructions between them are not modelled.
type Spent struct {
	Entry    phys.Cycles // copies of the registers at kernel entry
	Result   phys.Cycles // recorded results
	Tables   phys.Cycles // redo log, commit, and the records put in place
	Switches phys.Cycles // registers of threads that leave a core

	Stores, Flushes, Fences uint64
}

// Spent returns what the runtime has cost since New. A fork goes on counting for itself.
func (r *Runtime) Spent() Spent { return r.spent }

// Total is the sum of all cycles.
func (s Spent) Total() phys.Cycles { return s.Entry + s.Result + s.Tables + s.Switches }

// clock is what has been spent on the core that executes: only differences mean something.
func (r *Runtime) clock(m *sim.Machine) phys.Cycles {
	n := phys.Cycles(r.spent.Stores + r.spent.Flushes + r.spent.Fences)
	if h := m.Hierarchy(); h != nil {
		n += h.Core(m.Executing()).Stall
	}
	return n
}

// add adds what passed to one of the sums and returns the end as the next beginning.
func (s *Spent) add(to *phys.Cycles, from, end phys.Cycles) phys.Cycles {
	*to += end - from
	return end
}
