package explore

import (
	"context"
	"fmt"
	"slices"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
)

// batch is crash points of the program with one file tree, for which one machine is started:
// it splits where a load of the recovery first tells some of them apart.
type batch struct {
	joint  sim.Joint
	points []point
	left   *sim.Left // what all of them leave
}

// point is a crash point of a batch.
type point struct {
	look   uint64 // its number, as in Failure.World
	at     uint64 // instructions retired
	acked  int
	stands uint64 // crash points that it stands for
	before bool   // the first mark
	known  bool   // right after the acknowledgement, all persisted: no world, but what one is compared with
}

// mostJoined is how many crash points a batch has, so that an exploration that is
// interrupted has something to say, and memory stays bounded.
const mostJoined = 1024

// jointly reports whether crash points are taken together: not where worlds are counted or
// chosen one by one, not where recoveries are cut, and not without a bound on the worlds of a
// point: nothing is judged before all machines of a batch have ended.
func (x *explorer) jointly() bool {
	return x.opt.Cuts <= 1 && x.opt.Worlds == 0 && x.opt.PointWorlds > 0 && x.opt.Only == nil && !x.opt.apart
}

// join adds a crash point to the batch.
func (x *explorer) join(left *sim.Left) {
	b := x.batched()
	b.joint.Add(left)
	b.points = append(b.points, point{look: x.first, at: left.At, acked: left.Acked, stands: 1})
}

// joinKnown has the batch find out what a recovery answers now, for the acknowledgement.
func (x *explorer) joinKnown(left *sim.Left) {
	if x.retree(left); x.stopped != nil {
		return
	}
	b := x.batched()
	b.joint.AddPersisted(left)
	b.points = append(b.points, point{acked: len(x.known), known: true})
	x.known = append(x.known, answer{}) // until the batch has run
}

// batched returns the batch to add to.
func (x *explorer) batched() *batch {
	if x.batch != nil && len(x.batch.points) >= mostJoined {
		x.flush()
	}
	if x.batch == nil {
		x.batch = &batch{}
	}
	return x.batch
}

// retree ends the batch where the file tree is another one.
func (x *explorer) retree(left *sim.Left) {
	if x.tree == nil || !x.tree.SameTree(left.Durable.Files) {
		x.flush()
		x.tree = left.Durable.Files.Fork()
		x.trees++
	}
}

// mark notes that the crash points until now came before the first mark.
func (b *batch) mark() {
	if b == nil {
		return
	}
	for i := range b.points {
		b.points[i].before = true
	}
}

// again notes a crash point that leaves what one before it leaves.
func (b *batch) again() {
	if b == nil {
		return
	}
	for i := len(b.points) - 1; i >= 0; i-- {
		if p := &b.points[i]; !p.known {
			p.stands++
			return
		}
	}
}

// outcome is what a machine of a batch has come to.
type outcome struct {
	check  bool // of the check, after a recovery
	checks bool // the check is to be run on what it leaves
	points []int
	world  *worlds.Memory
	result
}

// flush runs the batch and judges it, point by point.
func (x *explorer) flush() {
	b := x.batch
	x.batch = nil
	switch {
	case b == nil:
		return
	case x.stopped != nil:
		x.uncount(b.points)
		return
	}
	b.left = b.joint.Left()
	done, all := x.runAll(b)
	switch {
	case x.stopped != nil:
		x.uncount(b.points)
	case !all:
		for k := range b.points {
			x.runAlone(b, k)
		}
	default:
		x.judgeAll(b, done)
	}
}

// uncount takes crash points that were not run out of the report.
func (x *explorer) uncount(points []point) {
	for _, p := range points {
		if !p.known {
			x.counts(p).Looks--
			x.counts(p).Points -= p.stands
		}
	}
}

// counts is where a crash point is counted.
func (x *explorer) counts(p point) *Counts {
	if p.before {
		return &x.res.Before
	}
	return &x.res.Counts
}

// task is a machine of a batch that has still to run.
type task struct {
	m     *sim.Machine
	check bool // it runs the check
}

// runAll runs the machines of a batch and what they split into, depth first. It gives up, and all
// is false, at a point with so many worlds that the order in which they are run depends on
// their number: see frontier, which has the point by itself then.
func (x *explorer) runAll(b *batch) (done []*outcome, all bool) {
	var todo []task
	add := func(ms []*sim.Machine, check bool) {
		for _, m := range slices.Backward(ms) {
			todo = append(todo, task{m, check})
		}
	}
	b.left.Durable.SetConsole(x.console())
	add(sim.RestartLeft(b.left, x.rcfg, x.prog, nil, x.blocks, nil), false)
	ran := make([]uint64, len(b.points))
	for len(todo) > 0 {
		last := len(todo) - 1
		r := todo[last]
		todo = todo[:last]
		o, err := x.runOne(b, r)
		switch {
		case err != nil:
			x.stopped = err
			return nil, false
		case o == nil:
			add(r.m.Split(), r.check)
			continue
		case o.checks:
			add(x.checker(r.m, nil), true)
		}
		done = append(done, o)
		for _, k := range o.points {
			if ran[k]++; ran[k] > x.opt.PointWorlds/2 {
				return nil, false
			}
		}
	}
	return done, true
}

// runAlone runs one point of the batch as if it were the only one.
func (x *explorer) runAlone(b *batch, k int) {
	p := b.points[k]
	if x.stopped != nil {
		x.uncount(b.points[k : k+1])
		return
	}
	left := b.joint.LeftAt(k)
	left.Acked, left.At = p.acked, p.at
	start := func() []*sim.Machine {
		left.Durable.SetConsole(x.console())
		return sim.RestartLeft(left, x.rcfg, x.prog, nil, x.blocks, nil)
	}
	if p.known {
		m := start()[0]
		stop, err := x.toEnd(m, x.budget)
		if err != nil {
			x.stopped = err
			return
		}
		x.known[p.acked] = answerOf(m, stop)
		x.judgeKnown(p.acked + 1)
		return
	}
	if p.before {
		x.res.Counts, x.res.Before = x.res.Before, x.res.Counts
		defer func() { x.res.Counts, x.res.Before = x.res.Before, x.res.Counts }()
	}
	x.path = append(x.path[:0], way{p.look, aLook})
	x.worlds(start, left, 1)
}

// judgeAll judges all that the machines of a batch have come to.
func (x *explorer) judgeAll(b *batch, done []*outcome) {
	of := make([][]*outcome, len(b.points))
	for _, o := range done {
		for _, k := range o.points {
			of[k] = append(of[k], o)
			if p := &b.points[k]; p.known && !o.check {
				x.known[p.acked] = o.answer
			}
		}
	}
	for k, list := range of {
		if p := &b.points[k]; p.known {
			x.judgeKnown(p.acked + 1)
			continue
		}
		slices.SortStableFunc(list, func(o, p *outcome) int { return o.world.Compare(p.world, k) })
		for _, o := range list {
			if x.stopped == nil {
				x.judgeJoint(b, k, o)
			}
		}
	}
}

// runOne runs a machine until it ends; nil: it has to be split.
func (x *explorer) runOne(b *batch, r task) (o *outcome, err error) {
	if x.ctx.Err() != nil {
		return nil, context.Cause(x.ctx)
	}
	limit := x.budget
	if r.check {
		limit = unlimited
	}
	var stop sim.Stop
	if r.m.NotStarted() == nil {
		if stop, err = x.toEnd(r.m, limit); err != nil || stop.Reason == sim.Undecided {
			return nil, err
		}
	}
	o = &outcome{check: r.check, world: r.m.Worlds().Fork(nil)}
	worlds := false
	o.world.Points(func(k int) {
		o.points = append(o.points, k)
		worlds = worlds || !b.points[k].known
	})
	if r.check {
		o.what = x.checked(r.m, stop)
		return o, nil
	}
	o.result = x.result(r.m, stop)
	o.checks = o.well() && x.opt.Check != nil && worlds
	return o, nil
}

// judgeJoint judges what an outcome is at one of its points.
func (x *explorer) judgeJoint(b *batch, k int, o *outcome) {
	p := &b.points[k]
	counts := x.counts(*p)
	w := wrong{world: o.world.Fork(nil), left: b.left, at: p.at, cuts: 1}
	w.world.AtPoint(k)
	w.alone = func() *wrong { return x.alone(b, k, o) }
	if o.check {
		if o.what != "" {
			w.kind, w.what = Check, o.what
			x.fail(&w)
		}
		return
	}
	counts.Worlds++
	if o.points[slices.IndexFunc(o.points, func(k int) bool { return !b.points[k].known })] == k {
		counts.Machines++
	}
	x.judge(&o.result, p.acked, counts, w)
}

// alone runs the world once more that a machine of the batch has been at one of its points:
// only the point's own record says what to wish for when it is made smaller.
func (x *explorer) alone(b *batch, k int, o *outcome) *wrong {
	left := b.joint.LeftAt(k)
	left.Acked, left.At = b.points[k].acked, b.points[k].at
	left.Durable.SetConsole(x.console())
	w := &wrong{left: left, at: left.At, cuts: 1, path: []way{{b.points[k].look, aLook}}}
	m, stop := x.follow(w, sim.RestartLeft(left, x.rcfg, x.prog, nil, x.blocks, nil), o, x.budget)
	if m == nil {
		return nil
	}
	if !o.check {
		if r := x.result(m, stop); r.answer != o.answer || r.kind != o.kind {
			panic(fmt.Sprintf("BUG: a recovery whose crash point is one of several answers %v, and alone %v",
				o.answer, r.answer))
		}
		w.world = m.Worlds()
		return w
	}
	m, stop = x.follow(w, x.checker(m, nil), o, unlimited)
	if m == nil {
		return nil
	}
	if x.checked(m, stop) == "" {
		panic("BUG: a check fails where the crash point is one of several, and not alone: " + o.what)
	}
	w.world = m.Worlds()
	w.again = x.checkedAgain
	return w
}

// follow runs one of the machines to its end in the way in which an outcome has gone, nil
// where exploring has stopped.
func (x *explorer) follow(w *wrong, all []*sim.Machine, o *outcome, limit uint64) (*sim.Machine, sim.Stop) {
	m := all[0]
	for i, other := range all {
		agrees := func(d worlds.Decision) bool { return o.world.Agrees(d.Choice) }
		if len(all) > 1 && every(other.Worlds().Decisions(), agrees) {
			m, w.path = other, append(w.path, way{uint64(i), aStart})
			break
		}
	}
	for {
		if m.NotStarted() != nil {
			return m, sim.Stop{}
		}
		stop, err := x.toEnd(m, limit)
		if err != nil {
			x.stopped = err
			return nil, stop
		}
		if stop.Reason != sim.Undecided {
			return m, stop
		}
		i := slices.IndexFunc(m.Choices(), o.world.Agrees)
		if i < 0 {
			panic("BUG: a recovery whose crash point is one of several has not loaded what it loads alone")
		}
		w.path = append(w.path, way{uint64(i), m.Choices()[i].Line()})
		m = m.Take(i)
	}
}

func every[T any](list []T, is func(T) bool) bool {
	return !slices.ContainsFunc(list, func(v T) bool { return !is(v) })
}
