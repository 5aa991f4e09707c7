package sim

import (
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Time is where a run's time went, in core clock cycles. It begins with the machine: one that
// was restarted begins anew.
type Time struct {
	ElapsedCycles phys.Cycles   `json:"elapsed_cycles"` // of the core that is latest
	ElapsedNanos  phys.Nanos    `json:"elapsed_nanos"`
	CoreCycles    []phys.Cycles `json:"core_cycles"` // busy: executing or stalled. What is missing to ElapsedCycles is idle
	// Order is what decided which core goes next. Where it is instructions, the elapsed
	// time of several threads that wait for each other is no measurement.
	Order string `json:"order,omitempty"`

	Stalls map[string]phys.Cycles `json:"stalls"` // of all cores, by cause
	Hits   Levels                 `json:"hits"`
	Misses Levels                 `json:"misses"`
	// MediaBytesWritten is what the persistent memory's medium took: without a model of its
	// devices the lines that left the caches.
	MediaBytesWritten phys.Bytes `json:"media_bytes_written"`
}

// Levels counts by cache level. A line that came from another core's L1D or L2 is a miss
// of the LLC, too.
type Levels struct {
	L1D uint64 `json:"l1d"`
	L2  uint64 `json:"l2"`
	LLC uint64 `json:"llc"`
}

// Time returns where the time went so far; all zero without a cache model.
func (m *Machine) Time() Time {
	t := Time{CoreCycles: make([]phys.Cycles, len(m.cores)), Stalls: map[string]phys.Cycles{}}
	for c := range cachemodel.StallCauses {
		t.Stalls[c.String()] = 0
	}
	if m.hier == nil {
		return t
	}
	accesses := uint64(0)
	for i := range m.cores {
		c := m.hier.Core(i)
		now, busy := c.Time()
		t.CoreCycles[i] = busy
		t.ElapsedCycles = max(t.ElapsedCycles, now)
		for cause, n := range c.Stalls() {
			t.Stalls[cachemodel.StallCause(cause).String()] += n
		}
		accesses += c.Accesses()
	}
	cfg := m.hier.Config()
	t.ElapsedNanos = cfg.Nanos(t.ElapsedCycles)
	switch {
	case m.cfg.ModelClock:
		t.Order = "model"
	case len(m.cores) > 1:
		t.Order = "instructions"
	}
	s := m.hier.Stats()
	t.Misses = Levels{s.L1LoadMisses + s.L1StoreMisses, s.L2Misses, s.LLCMisses + s.Transfers}
	t.Hits = Levels{accesses - t.Misses.L1D, t.Misses.L1D - t.Misses.L2, t.Misses.L2 - t.Misses.LLC}
	t.MediaBytesWritten = m.hier.MediaBytes()
	return t
}

// followClocks lets the runnable core whose own time is least go next.
func (m *Machine) followClocks() {
	if m.cfg.ModelClock && m.hier != nil {
		m.kernel.PickBy(m.pick)
	}
}

// pick chooses among the threads that can run. One that could not before has been woken by
// the core that executes: until then its core was idle.
func (m *Machine) pick(able []int32) (next int32) {
	now, _ := m.hier.Core(m.id).Time()
	least := ^phys.Cycles(0)
	for _, tid := range able {
		c := m.hier.Core(m.kernel.CoreOf(m.kernel.Thread(tid)))
		if !slices.Contains(m.able, tid) {
			c.Idle(now)
		}
		if t, _ := c.Time(); t < least {
			least, next = t, tid
		}
	}
	m.able = append(m.able[:0], able...)
	return next
}
