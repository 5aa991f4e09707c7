package explore

import (
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
)

// wrong is a world that is to be explained.
type wrong struct {
	kind  Kind
	what  string
	world *worlds.Memory
	left  *sim.Left // of the last cut
	at    uint64
	cuts  int
	path  []way
	// alone is the same world where its crash point is the only one, nil where exploring has
	// stopped. It is itself nil where that is so already.
	alone func() *wrong
	// again returns the world of a recovery that stopped so, or of the check after it, if it is wrong in
	// the same way, else nil. Loads of the check come out as wished.
	again func(m *sim.Machine, stop sim.Stop, w worlds.Wish) *worlds.Memory
}

// mostRemade is how many machines are run at most, in all, to find smallest sets.
const mostRemade = 20_000

// remake runs the recovery once more, as the wish has it; ok is false where it could not be
// run to its end. loaded is told of each load that decides something.
func (x *explorer) remake(left *sim.Left, w worlds.Wish, loaded func(m *sim.Machine)) (m *sim.Machine, stop sim.Stop, ok bool) {
	if x.remade++; x.remade > mostRemade {
		return nil, stop, false
	}
	left.Durable.SetConsole(x.console())
	return x.steer(sim.RestartLeft(left, x.rcfg, x.prog, nil, x.blocks, w.Pick)[0], w, x.budget, loaded)
}

// steer runs a machine to its end as the wish has it.
func (x *explorer) steer(m *sim.Machine, w worlds.Wish, limit uint64, loaded func(m *sim.Machine)) (*sim.Machine, sim.Stop, bool) {
	for {
		if m.NotStarted() != nil {
			return m, sim.Stop{}, true
		}
		stop, err := x.toEnd(m, limit)
		if err != nil {
			x.stopped = err
			return nil, stop, false
		}
		if stop.Reason != sim.Undecided {
			return m, stop, true
		}
		if loaded != nil {
			loaded(m)
		}
		m = m.Take(w.Pick(m.Choices()))
	}
}

// small is the world with the fewest lines lost that is still wrong.
type small struct {
	lost, kept []worlds.Cause
	wish       worlds.Wish
	larger     bool
}

// smallest finds the smallest set of lines that must be lost for a world to be wrong as it is:
// all sets where few lines are lost, else what is left when no line can be taken away.
func (x *explorer) smallest(f *wrong) (s small) {
	like := f.world.Like()
	lines := lostLines(f.world)
	try := func(set, none []worlds.Cause) bool {
		w := like.Only(set, none)
		m, stop, ok := x.remake(f.left, w, nil)
		s.larger = s.larger || !ok
		return ok && f.again(m, stop, w) != nil
	}
	set, found := fewest(lines, try)
	if !found {
		set = withoutAny(lines, try)
	}
	s.wish = like.Only(set, nil)
	m, stop, ok := x.remake(f.left, s.wish, nil)
	var world *worlds.Memory
	if ok {
		world = f.again(m, stop, s.wish)
	}
	if world == nil { // it depends on what was not persisted in more than lines
		s.larger, s.wish, world = true, like, f.world
	}
	for _, c := range world.Causes() {
		if c.Lost.At > 0 {
			s.lost = append(s.lost, c)
		}
	}
	for _, c := range keptLines(world, s.lost) {
		if !try(set, []worlds.Cause{c}) && !s.larger {
			s.kept = append(s.kept, c)
		}
	}
	return s
}

// fewest tries no line, each line alone, and where they are few all sets, the smaller ones first.
func fewest(lines []worlds.Cause, try func(set, none []worlds.Cause) bool) (set []worlds.Cause, found bool) {
	const few = 5
	if try(nil, nil) {
		return nil, true
	}
	for i := range lines {
		if try(lines[i:i+1], nil) {
			return lines[i : i+1], true
		}
	}
	for size := 2; size <= len(lines) && len(lines) <= few; size++ {
		for mask := range 1 << len(lines) {
			if bits.OnesCount(uint(mask)) != size {
				continue
			}
			set = nil
			for i := range lines {
				if mask>>i&1 != 0 {
					set = append(set, lines[i])
				}
			}
			if try(set, nil) {
				return set, true
			}
		}
	}
	return nil, false
}

// withoutAny takes away what can be, half of the lines at first and single ones at last.
func withoutAny(set []worlds.Cause, try func(set, none []worlds.Cause) bool) []worlds.Cause {
	for chunk := (len(set) + 1) / 2; chunk > 0; chunk /= 2 {
		for i := 0; i < len(set); {
			rest := slices.Concat(set[:i], set[min(i+chunk, len(set)):])
			if try(rest, nil) {
				set = rest
				continue
			}
			i += chunk
		}
	}
	return set
}

// lostLines are the lines that a world has lost something of, each once.
func lostLines(m *worlds.Memory) (lines []worlds.Cause) {
	for _, c := range m.Causes() {
		if c.Lost.At > 0 && !sameLine(lines, c) {
			lines = append(lines, c)
		}
	}
	return lines
}

// keptLines are the lines of which the loads of a world saw stores that could have been lost.
func keptLines(m *worlds.Memory, lost []worlds.Cause) (lines []worlds.Cause) {
	for _, c := range m.Causes() {
		if c.Kept.At > 0 && !sameLine(lines, c) && !sameLine(lost, c) {
			lines = append(lines, c)
		}
	}
	return lines
}

func sameLine(list []worlds.Cause, c worlds.Cause) bool {
	return slices.ContainsFunc(list, func(o worlds.Cause) bool { return o.Line == c.Line && o.Cut == c.Cut })
}

// fail reports a world; of those with the same stores and loads one.
func (x *explorer) fail(w *wrong) {
	if !x.asked(w) {
		return
	}
	if f := x.covered(w); f != nil {
		f.more(w.kind)
		return
	}
	if w.alone != nil {
		one := w.alone()
		if one == nil {
			return
		}
		w.world, w.left, w.path = one.world, one.left, one.path
		if one.again != nil {
			w.again = one.again
		}
	}
	f := &Failure{Kind: w.kind, What: w.what, At: w.at, Cuts: w.cuts, Count: 1, World: ways(w.path), path: w.path, left: w.left}
	s := x.smallest(w)
	f.Larger = s.larger
	f.wish = s.wish
	x.explain(f, LostStore, s.lost)
	x.explain(f, KeptStore, s.kept)
	id := f.identity()
	if old := x.failures[id]; old != nil {
		old.more(w.kind)
		return
	}
	x.failures[id] = f
	x.res.Failures = append(x.res.Failures, f)
}

// explain adds the stores of causes to a failure.
func (x *explorer) explain(f *Failure, state State, causes []worlds.Cause) {
	for _, c := range causes {
		ref := c.Lost
		if state == KeptStore {
			ref = c.Kept
		}
		s := Store{Place: x.sites.place(ref.Site), State: state, Memory: f.left.Where(c.Line), cause: c}
		if state == LostStore {
			s.Missing = c.Why.String()
			if c.Flush != 0 {
				at := x.sites.place(c.Flush)
				s.Flush = &at
			}
		}
		l := Load{Place: x.sites.place(c.Load), Memory: s.Memory}
		if !f.has(&s, &l) {
			f.Stores, f.Loads = append(f.Stores, s), append(f.Loads, l)
		}
	}
}

// covered returns the failure whose stores are all among those that a world has lost: what
// is lost beside them has no part in it, and where it has there is a world without them.
func (x *explorer) covered(w *wrong) *Failure {
	lost := map[string]bool{}
	for _, c := range w.world.Causes() {
		if c.Lost.At > 0 {
			lost[pairOf(x.sites.place(c.Lost.Site), x.sites.place(c.Load))] = true
		}
	}
	for _, f := range x.res.Failures {
		if n := f.lost(); n > 0 && !f.Larger && !slices.ContainsFunc(f.pairs(), func(p string) bool { return !lost[p] }) {
			return f
		}
	}
	return nil
}

func pairOf(store, load Place) string { return fmt.Sprint(store, " ", load) }

// lost returns how many stores are lost: they come first.
func (f *Failure) lost() (n int) {
	for n < len(f.Stores) && f.Stores[n].State == LostStore {
		n++
	}
	return n
}

// pairs are the lost stores with their loads, or the kept ones where nothing is lost.
func (f *Failure) pairs() (list []string) {
	n := f.lost()
	if n == 0 {
		n = len(f.Stores)
	}
	for i := range n {
		list = append(list, pairOf(f.Stores[i].Place, f.Loads[i].Place))
	}
	slices.Sort(list)
	return list
}

// has reports whether a failure has the pair already.
func (f *Failure) has(s *Store, l *Load) bool {
	for i := range f.Stores {
		if f.Stores[i].Place == s.Place && f.Loads[i].Place == l.Place && f.Stores[i].State == s.State {
			return true
		}
	}
	return false
}

// more counts a world of the same cause.
func (f *Failure) more(k Kind) {
	f.Count++
	f.also(k)
}

func (f *Failure) also(k Kind) {
	if k != f.Kind && !slices.Contains(f.Also, k) {
		f.Also = append(f.Also, k)
		slices.Sort(f.Also)
	}
}

// identity is equal for failures that are one: with the same pairs of store and load, or
// without any of the same kind.
func (f *Failure) identity() string {
	pairs := f.pairs()
	if len(pairs) == 0 {
		return string(f.Kind)
	}
	return fmt.Sprint(f.lost() > 0, " ", strings.Join(pairs, "\n"))
}

// merge makes one of failures of which one has all the pairs of the other.
func (x *explorer) merge() {
	var kept []*Failure
	order := slices.Clone(x.res.Failures)
	slices.SortStableFunc(order, func(a, b *Failure) int { return a.lost() - b.lost() })
	for _, f := range order {
		i := slices.IndexFunc(kept, func(o *Failure) bool {
			return o.lost() > 0 && f.lost() > 0 && !slices.ContainsFunc(o.pairs(), func(p string) bool { return !slices.Contains(f.pairs(), p) })
		})
		if i < 0 {
			kept = append(kept, f)
			continue
		}
		kept[i].Count += f.Count
		kept[i].also(f.Kind)
		for _, k := range f.Also {
			kept[i].also(k)
		}
	}
	x.res.Failures = slices.DeleteFunc(x.res.Failures, func(f *Failure) bool { return !slices.Contains(kept, f) })
}

// flushes says of lost stores of the program which flush and fence came later.
func (x *explorer) flushes(m *sim.Machine) {
	for _, s := range x.stores() {
		by, ok := m.Worlds().Guaranteed(s.cause.Lost.Site)
		if s.State != LostStore || s.cause.Cut != 0 || !ok {
			continue
		}
		if s.Flush == nil && by.Flush != 0 {
			at := x.sites.place(by.Flush)
			s.Flush = &at
		}
		if by.Fence != 0 && s.cause.Why != worlds.FlushedBefore {
			at := x.sites.place(by.Fence)
			s.Fence = &at
		}
	}
}

// stores are those of all failures and of all advice.
func (x *explorer) stores() (all []*Store) {
	for _, f := range x.res.Failures {
		for i := range f.Stores {
			all = append(all, &f.Stores[i])
		}
	}
	for _, a := range x.advice {
		for i := range a.Stores {
			all = append(all, &a.Stores[i])
		}
	}
	return all
}

// stacks runs the program once more, and each failure's recovery, for the call stacks of
// their stores and loads, and those of advice.
func (x *explorer) stacks() error {
	wanted := map[uint64][]*Store{} // by the place in the order of stores
	for _, s := range x.stores() {
		ref := s.cause.Lost
		if s.State == KeptStore {
			ref = s.cause.Kept
		}
		if s.cause.Cut == 0 {
			wanted[ref.At] = append(wanted[ref.At], s)
		}
	}
	for _, f := range x.res.Failures {
		x.loadStacks(f)
	}
	if len(wanted) == 0 {
		return nil
	}
	m, err := x.start()
	if err != nil {
		return err
	}
	m.Explore(x.domain, nil)
	m.NumberSites(func(m *sim.Machine, pc uint64) worlds.Site {
		next := m.Worlds().Retired() + 1
		for at := next; at < next+2; at++ { // a store across two lines is two
			for _, s := range wanted[at] {
				if n := x.sites.number(m, pc); x.sites.place(n) == s.Place {
					s.Stack = x.sites.stack(m, pc)
				}
			}
		}
		return 1
	})
	_, err = x.toEnd(m, unlimited)
	return err
}

// loadStacks runs a failure's recovery once more.
func (x *explorer) loadStacks(f *Failure) {
	x.remake(f.left, f.wish, func(m *sim.Machine) {
		pc := m.Asking()
		at := x.sites.place(x.sites.number(m, pc))
		for i := range f.Loads {
			if l := &f.Loads[i]; l.Place == at {
				l.Stack = x.sites.stack(m, pc)
			}
		}
	})
}
