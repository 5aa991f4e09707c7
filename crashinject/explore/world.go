package explore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"zhuque/cachemodel"
	"zhuque/cachemodel/worlds"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// run runs the program and explores on the way.
func (x *explorer) run() error {
	m, err := x.start()
	if err != nil {
		return err
	}
	installed := m.Durable().Files.Writes() // an embedded program
	x.known = []answer{x.empty}
	domain := worlds.ADR
	if x.cfg.Power.Domain.Detected() == "cpu_cache" {
		domain = worlds.EADR
	}
	x.domain = domain
	m.Explore(domain, x)
	m.Worlds().KeepGuarantees()
	if domain == worlds.ADR && x.threads > 1 {
		m.FindRaces()
	}
	m.NumberSites(x.sites.number)
	x.sample = newSample(m, domain == worlds.EADR, m.Cores())
	x.sample.drop = x.opt.withhold
	m.Tell(x.sample.tell)
	stop, err := x.toEnd(m, unlimited)
	switch {
	case err != nil:
		x.stopped = err
	case !stop.Ended():
		return fmt.Errorf("BUG: the program ended without a cut, and does not while it is explored: %v", stop)
	default:
		m.Worlds().Looked()
	}
	x.flush()
	if err := x.complete(m); err != nil {
		return err
	}
	x.res.Unexplored = m.Durable().Files.Writes() - installed + m.Beside()
	x.performance(m)
	x.races(m)
	x.merge()
	x.flushes(m)
	if x.stopped != nil && !errors.Is(x.stopped, errBound) {
		return nil
	}
	return x.stacks()
}

// cost is what the modelled processor spends once on what is wasted, nothing else waiting: the
// instruction, what the channel to the memory is busy with a line for, and the wait of the
// fence for it.
func (x *explorer) cost(k sim.WasteKind) phys.Nanos {
	c := &x.cfg.Cache
	switch fence := c.Nanos(c.FenceCycles[cachemodel.SFENCE]); k {
	case sim.FlushedClean:
		if x.domain == worlds.EADR {
			return c.FlushGap // the line is dirty in the cache, where it could stay
		}
		return c.Nanos(1)
	case sim.FlushedTwice:
		return c.FlushGap
	case sim.FencedNothing:
		return fence
	case sim.NotCombined:
		return c.PMEMWrite + fence
	}
	return 0
}

// performance reports what was wasted, the commonest first.
func (x *explorer) performance(m *sim.Machine) {
	byLine := map[Finding]*Finding{} // without a count
	for w, n := range m.Wasted() {
		f := Finding{w.Kind.String(), x.sites.place(w.Site), n, phys.Nanos(n) * x.cost(w.Kind)}
		k := Finding{Kind: f.Kind, Place: f.Place}
		if k.File != "" {
			k.Address, k.In = "", ""
		}
		if old := byLine[k]; old != nil {
			old.Count += n
			old.Time += f.Time
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
		x.batch.mark()
	}
	switch {
	case !x.operation:
	case x.jointly():
		x.joinKnown(m.Left())
	default:
		if err := x.complete(m); err != nil {
			panic("BUG: " + err.Error())
		}
	}
}

// complete finds out what a recovery answers now that an operation is complete, and judges what
// waits for that. When exploring has stopped, that is what was in flight then.
func (x *explorer) complete(m *sim.Machine) error {
	if x.stopped != nil && (x.jointly() || len(x.pending) == 0 || x.ctx.Err() != nil) {
		return nil
	}
	now, _, err := x.ask(m.PowerOff(), x.budget)
	if err != nil {
		return err
	}
	x.known = append(x.known, now)
	x.judgeKnown(len(x.known))
	return nil
}

// judgeKnown judges the answers of operations that are complete with the first n answers that
// are known: an acknowledgement, or the program's end, has completed them.
func (x *explorer) judgeKnown(n int) {
	pending := x.pending
	x.pending, x.waiting = nil, map[alike]bool{}
	for _, f := range pending {
		if f.acked+1 >= n {
			x.pending = append(x.pending, f)
			continue
		}
		before, now := x.known[f.acked], x.known[f.acked+1]
		if f.answer == now || f.answer == before {
			continue
		}
		kind := Torn
		for _, old := range x.known[:f.acked] {
			if f.answer == old {
				kind = Lost
			}
		}
		f.kind = kind
		f.what = fmt.Sprintf("after %d acknowledgements the recovery answers as neither before nor after the operation that was in flight: %q", f.acked, clip(f.answer.stdout))
		f.again = func(m *sim.Machine, stop sim.Stop, _ worlds.Wish) *worlds.Memory {
			a := answerOf(m, stop)
			if k, _ := x.symptom(m, stop, a); k != "" || a == now || a == before {
				return nil
			}
			return m.Worlds()
		}
		x.fail(&f.wrong)
	}
}

// Look implements sim.Observer: of the program.
func (x *explorer) Look(_ *sim.Machine, left *sim.Left) {
	if x.opt.Only == nil && x.sample.look(left) {
		x.res.Checked++
	}
	x.path = x.path[:0]
	x.look(left, 1)
	if x.opt.looked != nil {
		x.opt.looked()
	}
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
	if x.retree(left); x.stopped != nil {
		return
	}
	x.res.Points++
	at := left.At
	if n == 1 {
		x.first++
		at = x.first
	}
	k := key{left.Digest(), x.trees, left.Acked, n}
	if x.seen[k] && x.opt.Only == nil {
		x.batch.again()
		return
	}
	x.seen[k] = true
	x.path = append(x.path, way{at, aLook})
	defer func(n int) { x.path = x.path[:n] }(len(x.path) - 1)
	if !x.wanted() {
		return
	}
	x.res.Looks++
	x.naive = logAdd(x.naive, left.NaiveLog10(), x.res.Looks == 1)
	if x.jointly() {
		x.join(left)
		return
	}
	var to sim.Observer
	if n < max(x.opt.Cuts, 1) {
		to = &again{x, n}
	}
	x.worlds(func() []*sim.Machine {
		left.Durable.SetConsole(x.console())
		return sim.RestartLeft(left, x.rcfg, x.prog, to, x.blocks, nil)
	}, left, n)
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
	return only == nil || len(x.path) <= len(only) && slices.Equal(ways(x.path), only[:len(x.path)])
}

// worlds runs the machines of a crash point and what they split into.
func (x *explorer) worlds(start func() []*sim.Machine, left *sim.Left, cuts int) {
	f := x.newFrontier(start)
	defer func(path []way) { x.path = path }(x.path)
	for b, ok := f.next(); ok && x.stopped == nil; b, ok = f.next() {
		if x.path = b.path; !x.wanted() {
			continue
		}
		if x.ctx.Err() != nil {
			x.stopped = context.Cause(x.ctx)
			return
		}
		limit := x.budget
		if b.check {
			limit = unlimited
		}
		var stop sim.Stop
		if b.m.NotStarted() == nil {
			var err error
			if stop, err = x.toEnd(b.m, limit); err != nil {
				x.stopped = err
				return
			}
		}
		if x.stopped != nil { // in a look at this recovery
			return
		}
		if stop.Reason == sim.Undecided {
			line := b.m.Choices()[0].Line()
			f.add(b, b.m.Split(), line)
			continue
		}
		if !x.meet(left) {
			continue
		}
		if b.check {
			f.world(b)
			x.judgeCheck(b.m, stop, left, cuts)
			continue
		}
		if stop.Ended() && b.m.Worlds().Fresh() {
			b.m.Worlds().Looked()
		}
		if !f.world(b) {
			continue // drawn again
		}
		x.res.Worlds++
		x.res.Machines++
		r := x.result(b.m, stop)
		w := wrong{world: b.m.Worlds(), left: left, at: left.At, cuts: cuts, path: slices.Clone(x.path)}
		if x.judge(&r, b.m.Acked(), &x.res.Counts, w) && x.opt.Check != nil {
			f.add(branch{check: true, path: b.path}, x.checker(b.m, nil), aStart)
		}
		if x.opt.Worlds != 0 && x.res.Worlds+x.res.Before.Worlds >= x.opt.Worlds {
			x.stopped = errBound
		}
	}
	if f.cut() {
		x.res.Sampled++
	}
}

// result is how a recovery has come out.
type result struct {
	answer answer
	kind   Kind // how it is wrong by itself, "" for not at all
	what   string
	over   bool  // it has ended, or could not be started
	err    error // why not, where that is nothing of the world's
}

func (x *explorer) result(m *sim.Machine, stop sim.Stop) (r result) {
	r.answer, r.over = answerOf(m, stop), stop.Ended() || m.NotStarted() != nil
	r.kind, r.what = x.symptom(m, stop, r.answer)
	if r.kind == "" && !r.over {
		r.err = stop.Err
	}
	return r
}

// well reports whether the recovery ended as it should by itself.
func (r *result) well() bool { return r.kind == "" && r.over }

// judge judges a world by itself, and reports whether the recovery ended well.
func (x *explorer) judge(r *result, acked int, counts *Counts, w wrong) bool {
	a := r.answer
	if x.opt.seen != nil {
		x.opt.seen(acked, a)
	}
	x.robust(w.world, w.left)
	switch w.kind, w.what = r.kind, r.what; {
	case acked == 0 && a == x.empty && r.over && (a.status != x.opt.Status || x.opt.Output != nil):
		counts.NoPool++
		return false
	case w.kind != "":
		w.again = func(m *sim.Machine, stop sim.Stop, _ worlds.Wish) *worlds.Memory {
			if k, _ := x.symptom(m, stop, answerOf(m, stop)); k != w.kind {
				return nil
			}
			return m.Worlds()
		}
		x.fail(&w)
		return false
	case !r.over:
		x.stopped = r.err
		return false
	}
	if x.operation {
		x.wait(&finding{wrong: w, acked: acked, answer: a})
	}
	return true
}

// symptom says how a world is wrong by itself, "" for not at all.
func (x *explorer) symptom(m *sim.Machine, stop sim.Stop, a answer) (Kind, string) {
	switch {
	case m.NotStarted() != nil:
		return Exit, "the recovery could not be started: " + m.NotStarted().Error()
	case stop.Reason == sim.Killed:
		return Signal, fmt.Sprintf("the recovery was %v%s", stop, lastLine(m))
	case stop.Reason == sim.Reached || stop.Limited():
		return Hang, fmt.Sprintf("the recovery still runs after %d instructions; without a cut it takes %d", x.budget, x.res.Baseline.RecoveryInstructions)
	case stop.Reason == sim.Stuck && isDeadlock(stop):
		return Hang, fmt.Sprintf("the recovery waits for ever: %v", stop)
	case !stop.Ended():
		return "", ""
	case a.status != x.opt.Status:
		return Exit, fmt.Sprintf("the recovery %v, expected exit status %d%s", stop, x.opt.Status, lastLine(m))
	case x.opt.Output != nil && a.stdout != string(x.opt.Output):
		return Output, fmt.Sprintf("the recovery writes %q", clip(a.stdout))
	}
	return "", ""
}

// wait keeps an answer until it can be judged; of those that are alike and have lost the
// same the first.
func (x *explorer) wait(f *finding) {
	if f.answer == x.known[f.acked] {
		return // as before the operation in flight
	}
	var lost strings.Builder
	for _, c := range f.world.Causes() {
		if c.Lost.At > 0 {
			fmt.Fprint(&lost, c.Lost.Site, c.Load, " ")
		}
	}
	k := alike{f.answer, f.acked, lost.String()}
	if x.waiting[k] {
		return
	}
	x.waiting[k] = true
	x.pending = append(x.pending, f)
}

// alike are answers of which one waits.
type alike struct {
	answer
	acked int
	lost  string
}

// checker is the machines that run the check on what a recovery leaves: one, as pick has it, or all.
func (x *explorer) checker(rec *sim.Machine, pick sim.Pick) (all []*sim.Machine) {
	p, err := program(x.opt.Setup, x.opt.Check)
	if err == nil {
		left := rec.Left()
		left.Durable.SetConsole(x.console())
		all = sim.RestartOff(left, x.rcfg, p, nil, pick)
	}
	if err != nil {
		panic(fmt.Sprintf("BUG: the check cannot be started: %v", err))
	}
	return all
}

func (x *explorer) judgeCheck(m *sim.Machine, stop sim.Stop, left *sim.Left, cuts int) {
	if what := x.checked(m, stop); what != "" {
		w := wrong{kind: Check, what: what, world: m.Worlds(), left: left, at: left.At, cuts: cuts, path: slices.Clone(x.path)}
		w.again = x.checkedAgain
		x.fail(&w)
	}
}

// checkedAgain returns the world of a check that fails after a recovery, nil if it does not.
func (x *explorer) checkedAgain(rec *sim.Machine, stop sim.Stop, w worlds.Wish) *worlds.Memory {
	if r := x.result(rec, stop); !r.well() {
		return nil
	}
	m, stop, ok := x.steer(x.checker(rec, w.Pick)[0], w, unlimited, nil)
	if !ok || x.checked(m, stop) == "" {
		return nil
	}
	return m.Worlds()
}

// checked says what is wrong with the end of a check, "" for nothing.
func (x *explorer) checked(m *sim.Machine, stop sim.Stop) string {
	if err := m.NotStarted(); err != nil {
		return "the check could not be started: " + err.Error()
	}
	if stop.Ended() && stop.ExitCode() == x.opt.Check.Status {
		return ""
	}
	return fmt.Sprintf("the check %v, expected exit status %d%s", stop, x.opt.Check.Status, lastLine(m))
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
