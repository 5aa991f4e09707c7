package sim

import (
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim/kernel"
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
	for c := range kernel.Costs {
		t.Stalls[c.Cause()] = 0
	}
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
	m.splitCalls(t.Stalls)
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
		m.kernel.KeepTime((*keeper)(m))
	}
}

// slice is how long a thread has its core while others wait for it: the base slice of
// Linux's scheduler on a machine with many processors.
const slice phys.Nanos = 3_000_000

// pick chooses among the threads that can run: the core whose own time is least goes next. A
// thread that could not run before has been woken by the core that executes: until then its
// core was idle.
func (m *Machine) pick(able []int32, leaves int32) (next int32) {
	m.chargeWork(m.id) // who was woken goes on behind the call that woke it
	now, _ := m.hier.Core(m.id).Time()
	least, best := ^phys.Cycles(0), -1
	for _, tid := range able {
		id := m.kernel.CoreOf(m.kernel.Thread(tid))
		c := m.hier.Core(id)
		if !slices.Contains(m.able, tid) {
			c.Idle(now)
		}
		if t, _ := c.Time(); t < least {
			least, best = t, id
		}
	}
	m.able = append(m.able[:0], able...)
	if best < 0 {
		return 0
	}
	return m.pickOn(best, able, leaves)
}

// pickOn chooses among the threads of one core: the one that it holds until its slice is over
// or it gives way, then the one behind it.
func (m *Machine) pickOn(core int, able []int32, leaves int32) int32 {
	c := &m.cores[core]
	now, _ := m.hier.Core(core).Time()
	stays := c.loaded != leaves && now-min(now, c.since) < m.cfg.Cache.Cycles(slice)
	if t := m.kernel.Thread(m.kernel.Current()); t != nil && t.TID() != c.loaded &&
		m.kernel.CoreOf(t) == core && slices.Contains(able, t.TID()) {
		return t.TID() // it was chosen, and has not begun
	}
	first := int32(0)
	for _, tid := range able {
		switch {
		case m.kernel.CoreOf(m.kernel.Thread(tid)) != core:
		case tid == c.loaded && stays:
			return tid
		case first == 0, first <= c.loaded && tid > c.loaded:
			first = tid
		}
	}
	return first
}

// keeper is a machine as what keeps its kernel's time.
type keeper Machine

func (k *keeper) nanos(n phys.Cycles) phys.Nanos { return k.cfg.Cache.Nanos(n) }

// Now is the time of the core that executes.
func (k *keeper) Now() phys.Nanos {
	now, _ := k.hier.Core(k.id).Time()
	return k.earlier + k.nanos(now)
}

// Busy is the time that all cores spent executing and stalled.
func (k *keeper) Busy() phys.Nanos {
	sum := phys.Cycles(0)
	for i := range k.cores {
		_, busy := k.hier.Core(i).Time()
		sum += busy
	}
	return k.nanos(sum)
}

// Pass lets the core that executes be idle.
func (k *keeper) Pass(t phys.Nanos) {
	c := k.hier.Core(k.id)
	now, _ := c.Time()
	c.Idle(now + k.cfg.Cache.Cycles(t) + 1) // rounded up, so that what is waited for has come
}

// timed reports whether the kernel's work takes time.
func (m *Machine) timed() bool { return m.hier != nil && m.cfg.Cache.Timing.On }

// charge lets a core spend what n pieces of the kernel's work take.
func (m *Machine) charge(core int, c kernel.Cost, n uint32) {
	if n == 0 || !m.timed() {
		return
	}
	cycles := m.cfg.Cache.Cycles(m.cfg.Kernel[c]) * phys.Cycles(n)
	m.hier.Core(core).Charge(cycles)
	m.spent[c] += cycles
}

// chargeWork charges what the kernel has done to the core that asked for it, but a
// wake-up to the one on which the thread goes on.
func (m *Machine) chargeWork(core int) {
	for c, n := range m.kernel.TakeWork() {
		at := core
		if t := m.kernel.Thread(m.kernel.Current()); kernel.Cost(c) == kernel.CostWake && t != nil {
			at = m.kernel.CoreOf(t)
			if at == core && m.cores[at].loaded != t.TID() {
				continue // a change of threads and no more
			}
		}
		m.charge(at, kernel.Cost(c), n)
	}
}

// splitCalls takes what is known in particular out of the stalls of system calls.
func (m *Machine) splitCalls(stalls map[string]phys.Cycles) {
	for c, n := range m.spent {
		cause := kernel.Cost(c).Cause()
		if cause != kernel.CauseCall {
			stalls[cause] += n
			stalls[kernel.CauseCall] -= n
		}
	}
}
