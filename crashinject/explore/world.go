package explore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
)

// run runs the program and explores on the way.
func (x *explorer) run() error {
	m, err := x.start()
	if err != nil {
		return err
	}
	x.known = []answer{x.empty}
	domain := worlds.ADR
	if x.cfg.Power.Domain.Detected() == "cpu_cache" {
		domain = worlds.EADR
	}
	m.Explore(domain, x)
	m.NumberSites(x.sites.number)
	stop, err := x.toEnd(m, unlimited)
	switch {
	case err != nil:
		x.stopped = err
	case !stop.Ended():
		return fmt.Errorf("BUG: the program ended without a cut, and does not while it is explored: %v", stop)
	default:
		m.Worlds().Looked()
		last, _, err := x.ask(m.PowerOff(), x.budget)
		if err != nil {
			return err
		}
		x.judgePending(last)
	}
	x.res.Unexplored = m.Durable().Files.Writes()
	x.performance(m)
	return nil
}

// performance reports what was wasted, the commonest first.
func (x *explorer) performance(m *sim.Machine) {
	byLine := map[Finding]*Finding{} // without a count
	for w, n := range m.Wasted() {
		f := Finding{w.Kind.String(), x.sites.place(w.Site), n}
		k := Finding{Kind: f.Kind, Place: f.Place}
		if k.File != "" {
			k.Address, k.In = "", ""
		}
		if old := byLine[k]; old != nil {
			old.Count += n
			old.Address, old.In = min(old.Address, f.Address), min(old.In, f.In)
			continue
		}
		byLine[k] = &f
	}
	for _, f := range byLine {
		x.res.Performance = append(x.res.Performance, *f)
	}
	slices.SortFunc(x.res.Performance, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), strings.Compare(a.Kind, b.Kind), strings.Compare(a.Address, b.Address), strings.Compare(a.String(), b.String()))
	})
}

// Acknowledged implements sim.Observer.
func (x *explorer) Acknowledged(m *sim.Machine, a sim.Ack) {
	if a.Mark && !x.marked {
		x.marked = true
		x.res.Before = x.res.Counts
		x.res.Counts, x.naive = Counts{}, 0
	}
	if !x.operation || x.stopped != nil {
		return
	}
	now, _, err := x.ask(m.PowerOff(), x.budget)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	x.judgePending(now)
	x.known = append(x.known, now)
}

// judgePending judges the answers of the operation that an acknowledgement, or the
// program's end, completes.
func (x *explorer) judgePending(now answer) {
	before := x.known[len(x.known)-1]
	for _, f := range x.pending {
		x.path = f.path
		if f.answer == now || f.answer == before {
			continue
		}
		kind := Torn
		for _, old := range x.known[:len(x.known)-1] {
			if f.answer == old {
				kind = Lost
			}
		}
		x.fail(kind, fmt.Sprintf("after %d acknowledgements the recovery answers as neither before nor after the operation that was in flight: %q", f.acked, clip(f.answer.stdout)), f.m, f.at, f.cuts)
	}
	x.pending = nil
}

// Look implements sim.Observer: of the program.
func (x *explorer) Look(_ *sim.Machine, left *sim.Left) {
	x.path = x.path[:0]
	x.look(left, 1)
}

// again observes a recovery, after so many cuts.
type again struct {
	x    *explorer
	cuts int
}

// Look implements sim.Observer.
func (a *again) Look(_ *sim.Machine, left *sim.Left) { a.x.look(left, a.cuts+1) }

// Acknowledged implements sim.Observer. A recovery acknowledges nothing.
func (*again) Acknowledged(*sim.Machine, sim.Ack) {}

// look explores what a cut leaves, the n-th one.
func (x *explorer) look(left *sim.Left, n int) {
	if x.stopped != nil {
		return
	}
	if x.tree == nil || !x.tree.SameTree(left.Durable.Files) {
		x.tree = left.Durable.Files.Fork()
		x.trees++
	}
	x.res.Points++
	k := key{left.Digest(), x.trees, left.Acked, n}
	if x.seen[k] {
		return
	}
	x.seen[k] = true
	x.res.Looks++
	if n == 1 {
		x.first++
		x.path = append(x.path, x.first)
	} else {
		x.path = append(x.path, left.At)
	}
	if !x.wanted() {
		x.path = x.path[:len(x.path)-1]
		return
	}
	defer func(n int) { x.path = x.path[:n] }(len(x.path) - 1)
	x.naive = logAdd(x.naive, left.NaiveLog10(), x.res.Looks == 1)
	var to sim.Observer
	if n < max(x.opt.Cuts, 1) {
		to = &again{x, n}
	}
	left.Durable.SetConsole(x.console(x.cfg))
	m, err := sim.RestartLeft(left, x.rcfg, x.prog, to, x.blocks)
	if err != nil {
		panic(fmt.Sprintf("BUG: the recovery cannot be started: %v", err))
	}
	x.worlds(m, left.At, n)
}

// logAdd returns the logarithm of a sum.
func logAdd(a, b float64, first bool) float64 {
	if first {
		return b
	}
	hi, lo := max(a, b), min(a, b)
	return hi + math.Log10(1+math.Pow(10, lo-hi))
}

// wanted reports whether the path leads to the one world that is to be run, if it is one.
func (x *explorer) wanted() bool {
	only := x.opt.Only
	return only == nil || len(x.path) <= len(only) && slices.Equal(x.path, only[:len(x.path)])
}

// branch is a machine that has still to run.
type branch struct {
	m     *sim.Machine
	check bool // it runs the check
	path  []uint64
}

// worlds runs a machine and all that it splits into, depth first.
func (x *explorer) worlds(m *sim.Machine, at uint64, cuts int) {
	todo := []branch{{m, false, slices.Clone(x.path)}}
	defer func(path []uint64) { x.path = path }(x.path)
	for len(todo) > 0 && x.stopped == nil {
		b := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if x.path = b.path; !x.wanted() {
			continue
		}
		limit := x.budget
		if b.check {
			limit = unlimited
		}
		stop, err := x.toEnd(b.m, limit)
		if err != nil {
			x.stopped = err
			return
		}
		if stop.Reason == sim.Undecided {
			split := b.m.Split()
			for i := len(split) - 1; i >= 0; i-- {
				todo = append(todo, branch{split[i], b.check, append(slices.Clone(b.path), uint64(i))})
			}
			continue
		}
		if b.check {
			x.judgeCheck(b.m, stop, at, cuts)
			continue
		}
		if b.m.Worlds().Fresh() && stop.Ended() {
			b.m.Worlds().Looked()
		}
		x.res.Worlds++
		if x.judge(b.m, stop, at, cuts) && x.opt.Check != nil {
			todo = append(todo, branch{x.checker(b.m), true, b.path})
		}
		if x.opt.Worlds != 0 && x.res.Worlds+x.res.Before.Worlds >= x.opt.Worlds {
			x.stopped = errBound
		}
	}
}

// judge judges a world by itself, and reports whether the recovery ended well.
func (x *explorer) judge(m *sim.Machine, stop sim.Stop, at uint64, cuts int) bool {
	a := answerOf(m, stop)
	acked := m.Acked()
	if x.opt.seen != nil {
		x.opt.seen(acked, a)
	}
	switch {
	case acked == 0 && a == x.empty && stop.Ended() && (a.status != x.opt.Status || x.opt.Output != nil):
		x.res.NoPool++
		return false
	case stop.Reason == sim.Killed:
		x.fail(Signal, fmt.Sprintf("the recovery was %v%s", stop, lastLine(m)), m, at, cuts)
	case stop.Reason == sim.Reached || stop.Limited():
		x.fail(Hang, fmt.Sprintf("the recovery still runs after %d instructions; without a cut it takes %d", x.budget, x.res.Baseline.RecoveryInstructions), m, at, cuts)
	case stop.Reason == sim.Stuck && isDeadlock(stop):
		x.fail(Hang, fmt.Sprintf("the recovery waits for ever: %v", stop), m, at, cuts)
	case !stop.Ended():
		x.stopped = stop.Err
	case a.status != x.opt.Status:
		x.fail(Exit, fmt.Sprintf("the recovery %v, expected exit status %d%s", stop, x.opt.Status, lastLine(m)), m, at, cuts)
	case x.opt.Output != nil && a.stdout != string(x.opt.Output):
		x.fail(Output, fmt.Sprintf("the recovery writes %q", clip(a.stdout)), m, at, cuts)
	default:
		if x.operation {
			x.wait(a, acked, m, at, cuts)
		}
		return true
	}
	return false
}

// wait keeps an answer until it can be judged; of those that are alike the first.
func (x *explorer) wait(a answer, acked int, m *sim.Machine, at uint64, cuts int) {
	for _, f := range x.pending {
		if f.answer == a && f.acked == acked {
			return
		}
	}
	x.pending = append(x.pending, &finding{acked, a, m, at, cuts, slices.Clone(x.path)})
}

// checker is the machine that runs the check on what a recovery leaves.
func (x *explorer) checker(rec *sim.Machine) *sim.Machine {
	p, err := program(x.opt.Setup, x.opt.Check)
	if err == nil {
		left := rec.Left()
		left.Durable.SetConsole(x.console(x.cfg))
		rec, err = sim.RestartOff(left, x.rcfg, p, nil)
	}
	if err != nil {
		panic(fmt.Sprintf("BUG: the check cannot be started: %v", err))
	}
	return rec
}

func (x *explorer) judgeCheck(m *sim.Machine, stop sim.Stop, at uint64, cuts int) {
	if !stop.Ended() || stop.ExitCode() != x.opt.Check.Status {
		x.fail(Check, fmt.Sprintf("the check %v, expected exit status %d%s", stop, x.opt.Check.Status, lastLine(m)), m, at, cuts)
	}
}

// fail reports a world; of those with the same stores and loads one.
func (x *explorer) fail(kind Kind, what string, m *sim.Machine, at uint64, cuts int) {
	f := &Failure{Kind: kind, What: what, At: at, Cuts: cuts, Count: 1, World: slices.Clone(x.path)}
	for _, d := range m.Worlds().Decisions() {
		c := m.Worlds().Cause(d)
		if c.Lost.At == 0 {
			continue // all of the line is there
		}
		s := Store{Place: x.sites.place(c.Lost.Site), Missing: c.Why.String()}
		if c.Flush != 0 {
			at := x.sites.place(c.Flush)
			s.Flush = &at
		}
		f.add(s, x.sites.place(c.Load))
	}
	id := f.identity()
	if old := x.failures[id]; old != nil {
		old.Count++
		return
	}
	x.failures[id] = f
	x.res.Failures = append(x.res.Failures, f)
}

func isDeadlock(stop sim.Stop) bool { return errors.As(stop.Err, new(*deadlock)) }

// lastLine is what a program said last on standard error, "" for nothing.
func lastLine(m *sim.Machine) string {
	_, stderr := m.Output()
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	if last := lines[len(lines)-1]; last != "" {
		return ": " + clip(strings.ToValidUTF8(last, "?"))
	}
	return ""
}

func clip(s string) string {
	if len(s) > 100 {
		return s[:100] + "…"
	}
	return s
}
