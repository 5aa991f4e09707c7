package explore

import (
	"cmp"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// branch is a machine that has still to run.
type branch struct {
	m     *sim.Machine
	check bool // it runs the check
	path  []way
	// how often its path took another way than the first one, in which everything is persisted, and
	// than the second one, in which nothing is
	lost, kept int
}

// discrepancies says how far a branch is from the nearer of the two.
func (b branch) discrepancies() int { return min(b.lost, b.kept) }

// frontier is the machines of one crash point that have still to run. Where there are more worlds than
// the bound, a recovery reads much that nothing vouches for (it sums up a log, say). Depth first, its last
// words alone would ever change. So the first half of the bound runs in this order, the second in the
// order of discrepancies (Harvey and Ginsberg, IJCAI 1995: first one store is lost, then two); and a
// quarter more is drawn, each from the start, at random.
type frontier struct {
	todo  []branch
	now   *branch // run before those of todo
	bound uint64  // worlds to run in order, 0 for all
	ran   uint64
	less  bool // branches have been dropped

	start  func() []*sim.Machine // the machines at the crash point, anew
	from   branch
	random func(n int) int
	drawn  map[string]bool // paths that were run
}

// newFrontier returns the frontier of a crash point, with the machines that start there.
func (x *explorer) newFrontier(start func() []*sim.Machine) *frontier {
	f := &frontier{bound: x.opt.PointWorlds, start: start, from: branch{path: x.path}}
	if x.opt.Only != nil {
		f.bound = 0
	}
	if f.bound != 0 {
		f.random, f.drawn = det.Stream(x.opt.Setup.Seed, fmt.Sprint("worlds of ", ways(x.path))).IntN, map[string]bool{}
	}
	f.add(f.from, start(), aStart)
	return f
}

// next takes out the branch to run, and reports whether there is one.
func (f *frontier) next() (b branch, ok bool) {
	if f.now == nil && f.drawing() && f.ran < f.bound+f.bound/4 && f.cut() {
		f.add(f.from, f.start(), aStart)
	}
	switch {
	case f.now != nil:
		b, f.now = *f.now, nil
		return b, true
	case len(f.todo) == 0 || f.drawing():
		return b, false
	}
	i, last := len(f.todo)-1, len(f.todo)-1
	if f.ordered() {
		i = f.nearest()
	}
	b = f.todo[i]
	f.todo[i] = f.todo[last]
	f.todo = f.todo[:last]
	return b, true
}

func (f *frontier) ordered() bool { return f.bound != 0 && f.ran >= f.bound/2 }
func (f *frontier) drawing() bool { return f.bound != 0 && f.ran >= f.bound }

// cut reports whether the bound leaves out worlds.
func (f *frontier) cut() bool { return f.less || f.drawing() && len(f.todo) > 0 }

// nearest is the branch with the fewest discrepancies, of those the one that is furthest.
func (f *frontier) nearest() (best int) {
	for i, b := range f.todo {
		if cmp.Or(cmp.Compare(b.discrepancies(), f.todo[best].discrepancies()),
			cmp.Compare(len(f.todo[best].path), len(b.path))) < 0 {
			best = i
		}
	}
	return best
}

// world counts a world that has run, and reports whether it is the first time.
func (f *frontier) world(b branch) bool {
	f.ran++
	if f.bound == 0 {
		return true
	}
	name := fmt.Sprint(b.check, ways(b.path))
	old := f.drawn[name]
	f.drawn[name] = true
	return !old
}

// add adds the machines that come out of a branch, the first one to be run first. What they
// differ by is a line.
func (f *frontier) add(from branch, all []*sim.Machine, line phys.LineAddr) {
	list := make([]branch, len(all))
	for i, m := range all {
		b := from
		b.m, b.path = m, slices.Clone(from.path)
		if len(all) > 1 {
			b.path = append(b.path, way{uint64(i), line})
			b.lost += min(i, 1)
			b.kept += min(i^1, 1)
		}
		list[len(all)-1-i] = b
	}
	last := len(list) - 1
	switch {
	case f.drawing() && !from.check:
		f.now = &list[f.random(len(list))]
		return
	case from.check:
		f.now = &list[last]
		list = list[:last]
	}
	f.todo = append(f.todo, list...)
	if most := max(int(f.bound/2), 1); f.ordered() && len(f.todo) > most {
		slices.SortStableFunc(f.todo, func(a, b branch) int { return cmp.Compare(a.discrepancies(), b.discrepancies()) })
		clear(f.todo[most:])
		f.todo, f.less = f.todo[:most], true // with those that ran they are the bound
	}
}
