package sim

import (
	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// Race is a persistency-induced race: a thread loads another thread's store before that is
// durable, and what it stores afterwards is durable first. A cut between the two leaves the
// effect without its cause.
type Race struct {
	Store     worlds.Ref // that was loaded too early
	Why       worlds.Missing
	Load      worlds.Site
	Dependent worlds.Ref // made by the loading thread afterwards, and durable first
	Line, To  phys.LineAddr
}

// races looks for them. Only visible stores count: under eADR there are none.
type races struct {
	open  []early
	found []Race
	seen  map[[3]worlds.Site]bool
}

// early is a load of a store of another thread that is not durable.
type early struct {
	Race
	at     phys.Addr
	size   int
	thread uint32
	after  []dependent
}

// dependent is a store by a thread that has loaded early.
type dependent struct {
	ref  worlds.Ref
	line phys.LineAddr
}

// Bounds on what is remembered of one moment: the oldest are forgotten.
const (
	earlyLoads      = 64
	dependentStores = 64
)

// FindRaces has an explored machine look for persistency-induced races from here on.
func (m *Machine) FindRaces() { m.rec.races = &races{seen: map[[3]worlds.Site]bool{}} }

// Races returns those that were found, each set of instructions once.
func (m *Machine) Races() []Race {
	if m.rec.races == nil {
		return nil
	}
	return m.rec.races.found
}

func (w *coreWatch) thread() uint32 { return uint32(w.r.m.cores[w.core].loaded) }

// load is told of a load before it is made.
func (s *races) load(w *coreWatch, a phys.Addr, n int) {
	ref, by, ok := w.r.memory.Unpersisted(a, n)
	me := w.thread()
	if !ok || by == me {
		return
	}
	for i := range s.open {
		if s.open[i].Store.At == ref.At && s.open[i].thread == me {
			return
		}
	}
	if len(s.open) == earlyLoads {
		s.open = append(s.open[:0], s.open[1:]...)
	}
	s.open = append(s.open, early{Race: Race{Store: ref, Load: w.r.at(), Line: a.Line()}, at: a, size: n, thread: me})
}

// store is told of a store before it is made.
func (s *races) store(w *coreWatch, a phys.Addr) {
	me := w.thread()
	w.r.memory.Runs(w.core, me)
	for i := range s.open {
		e := &s.open[i]
		if e.thread != me || a.Line() == e.Line {
			continue // stores of one line are durable in their order
		}
		if len(e.after) == dependentStores {
			e.after = append(e.after[:0], e.after[1:]...)
		}
		e.after = append(e.after, dependent{worlds.Ref{Site: w.r.at(), At: w.r.memory.Retired() + 1}, a.Line()})
	}
}

// settle looks, after something has become durable, for what became so too early.
func (s *races) settle(r *record) {
	kept := s.open[:0]
	for _, e := range s.open {
		why, waits := r.memory.Waits(e.Line, e.Store.At)
		if !waits {
			continue // it is durable, too
		}
		e.Why = why
		kept = append(kept, e)
		for _, d := range e.after {
			if _, waits := r.memory.Waits(d.line, d.ref.At); waits {
				continue
			}
			e.Dependent, e.To = d.ref, d.line
			if k := [3]worlds.Site{e.Store.Site, e.Load, d.ref.Site}; !s.seen[k] && r.confirmed(&e) {
				s.seen[k] = true
				s.found = append(s.found, e.Race)
			}
			break
		}
	}
	s.open = kept
}

// confirmed cuts the power now and reports whether a world has the dependent store, and not
// the one that it depends on.
func (r *record) confirmed(e *early) bool {
	left := r.left()
	src := source{left.Durable.PMEM}
	after := left.memory.Cut(src, worlds.Open)
	if after.Open(e.To) && !onlyOlder(after, src, e) {
		return false
	}
	wish := worlds.None(e.Line)
	b := make([]byte, e.size)
	for {
		choices := after.Read(0, e.at, b)
		if choices == nil {
			break
		}
		after.Narrow(choices[wish.Pick(choices)], 0)
	}
	for _, c := range after.Causes() {
		if c.Line == e.Line && c.Lost.At > 0 && c.Lost.At <= e.Store.At {
			return true
		}
	}
	return false
}

// onlyOlder reports whether what is open of the dependent store's line is younger than it.
func onlyOlder(after *worlds.Memory, src worlds.Source, e *early) bool {
	f := after.Fork(src)
	wish := worlds.None(e.To)
	b := make([]byte, phys.LineSize)
	for {
		choices := f.Read(0, e.To.Addr(), b)
		if choices == nil {
			break
		}
		f.Narrow(choices[wish.Pick(choices)], 0)
	}
	for _, c := range f.Causes() {
		if c.Line == e.To && c.Lost.At > 0 && c.Lost.At <= e.Dependent.At {
			return false
		}
	}
	return true
}
