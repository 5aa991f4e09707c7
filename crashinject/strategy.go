package crashinject

import (
	"fmt"
	"maps"
	"slices"
	"sort"

	fuzz "github.com/google/gofuzz"

	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// Strategy says which crash points a campaign judges. From and To count retired
// instructions from the program's first, both included; To 0 means the last
// instruction of the uncut run.
type Strategy struct {
	Kind     StrategyKind
	From, To uint64
	Points   uint64 // how many; Calls, Recovery: at most, evenly spread; 0 for all
	Seed     uint64
	// Reach, if not 0, is how far behind one another the failures of a fuzzed plan lie at
	// the most. Where they may lie anywhere each point costs a run of the program.
	Reach uint64
}

// StrategyKind names a strategy.
type StrategyKind string

const (
	Every  StrategyKind = "every"  // a clean cut at each instruction
	Random StrategyKind = "random" // clean cuts at instructions drawn evenly
	Fuzz   StrategyKind = "fuzz"   // plans of several failures, in calls, string instructions and recoveries too
	Calls  StrategyKind = "calls"  // a cut before each store that the runtime makes inside each call, and before its return
	// Recovery is Calls with a second failure in each restart, before a store of
	// the recovery that moves on by one from point to point.
	Recovery StrategyKind = "recovery"
	// Energy is random cuts whose hold-up energy ends somewhere in the power-fail
	// sequence; every other one follows a clean failure, whose image it wears out.
	// A sound runtime refuses what is left: detected.
	Energy StrategyKind = "energy"
)

// recoveryReach is how far into a recovery the second failure of Recovery moves.
// A shorter recovery is not cut.
const recoveryReach = 12

// ParseStrategy reads a strategy's name.
func ParseStrategy(s string) (StrategyKind, error) {
	switch k := StrategyKind(s); k {
	case Every, Random, Fuzz, Calls, Recovery, Energy:
		return k, nil
	}
	return "", fmt.Errorf("strategy %q: expected every, random, fuzz, calls, recovery or energy", s)
}

func (s Strategy) String() string {
	if s.Kind == Every || s.Points == 0 {
		return string(s.Kind)
	}
	return fmt.Sprintf("%s %d", s.Kind, s.Points)
}

// Exposing returns the campaign that exposes a mutant on its guest. setup is what else
// there is to the machine.
func Exposing(m wpp.Mutant, setup Setup) (c Campaign, err error) {
	setup.Program, setup.Mutant, setup.CPU, setup.Cores = GuestPrefix+m.Guest, m.Name, m.CPU, max(m.Cores, 1)
	for _, name := range slices.Sorted(maps.Keys(m.Settings)) {
		if err := setup.Set(name, m.Settings[name]); err != nil {
			return c, err
		}
	}
	kind, err := ParseStrategy(m.Strategy)
	return Campaign{Name: m.Guest, Setup: setup, Strategy: Strategy{Kind: kind, Points: m.Points, Seed: 1}}, err
}

// pointSet is the crash points of a campaign in ascending order of their first cut.
type pointSet struct {
	from, to uint64
	total    uint64
	// One of these, but for Every, whose points follow from their index.
	at    []uint64 // clean cuts: of Random there may be very many, and a plan takes 25 times as much
	plans []Plan
}

// planRange is the points [lo, hi).
type planRange struct{ lo, hi uint64 }

func (p *pointSet) plan(i uint64) Plan {
	switch {
	case p.plans != nil:
		return p.plans[i]
	case p.at != nil:
		return At(p.at[i])
	}
	return At(p.from + i)
}

// whole makes plans of clean cuts, to put others beside them. Those of Every are too many.
func (p *pointSet) whole() {
	if p.plans != nil {
		return
	}
	for _, at := range p.at {
		p.plans = append(p.plans, At(at))
	}
	p.at = nil
}

// split divides the points for workers: enough pieces to keep all busy to the end, and for
// one worker a single piece, or the main line would be run twice.
func (p *pointSet) split(workers int) (r []planRange) {
	pieces := min(p.total, uint64(workers)*8)
	if workers == 1 {
		pieces = min(p.total, 1)
	}
	for i := range pieces {
		if lo, hi := p.total*i/pieces, p.total*(i+1)/pieces; lo < hi {
			r = append(r, planRange{lo, hi})
		}
	}
	return r
}

// callSite is a call of the uncut run.
type callSite struct {
	at    uint64 // instructions retired before it
	steps uint64 // stores of the runtime inside it, and its return
	took  uint64 // behind which of them it takes effect
}

// points lays a strategy out over the uncut run.
func (s Strategy) points(base *baseline) (*pointSet, error) {
	p, n := &pointSet{from: s.From, to: s.To}, base.instructions
	last := n - 1 // behind the last instruction there is no process any more
	if p.to == 0 {
		p.to = last
	}
	switch {
	case n == 0:
		return nil, fmt.Errorf("the program ends before its first instruction")
	case p.from > p.to:
		return nil, fmt.Errorf("--from %d is greater than --to %d", p.from, p.to)
	case p.to > last:
		return nil, fmt.Errorf(
			"--to %d is past the last crash point: the baseline run has %d instructions, so the last is %d", p.to, n, last)
	case (s.Kind == Random || s.Kind == Fuzz || s.Kind == Energy) && s.Points == 0:
		return nil, fmt.Errorf("--strategy %s: expected a number of --points above 0", s.Kind)
	}
	switch s.Kind {
	case Every:
		p.total = p.to - p.from + 1
		return p, nil
	case Random:
		r := det.Stream(s.Seed, "random crash points")
		for range s.Points {
			p.at = append(p.at, p.from+r.Uint64N(p.to-p.from+1))
		}
		slices.Sort(p.at)
		p.total = s.Points
		return p, nil
	case Fuzz:
		r := det.Stream(s.Seed, "fuzzed plans")
		starts := det.Stream(s.Seed, "where fuzzed plans begin")
		aims := det.Stream(s.Seed, "aimed plans")
		for range s.Points {
			f := fuzz.NewWithSeed(int64(r.Uint64() >> 1))
			from, to := p.from, p.to
			if s.Reach != 0 {
				from += starts.Uint64N(to - from + 1)
				to = min(to, from+s.Reach)
			}
			plan := fuzzPlan(f, from, to, base.calls)
			plan.skew(base.first.Cores())
			plan.aim(aims.Uint64N, callsIn(base.calls, from, to))
			p.plans = append(p.plans, plan)
		}
	case Energy:
		p.plans = energyPlans(&s, p, base.holdUp)
	case Calls, Recovery:
		for _, c := range base.calls {
			if c.at < p.from || c.at > p.to {
				continue
			}
			for step := range c.steps {
				plan := At(c.at)
				plan.Cuts[0].Step = step + 1
				p.plans = append(p.plans, plan)
			}
		}
		p.plans = thin(p.plans, s.Points)
		if s.Kind == Recovery {
			for i, plan := range p.plans {
				plan.Cuts[0].Recovery = []uint64{1 + uint64(i)%recoveryReach}
			}
		}
		if len(p.plans) == 0 {
			return nil, fmt.Errorf("no system call between instructions %d and %d", p.from, p.to)
		}
	}
	p.total = uint64(len(p.plans))
	p.plans = inOrder(p.plans)
	return p, nil
}

// points are those of the campaign's strategies.
func (c *Campaign) points(base *baseline) (*pointSet, error) {
	p, err := c.Strategy.points(base)
	for _, s := range c.Also {
		if err != nil {
			return nil, err
		}
		var q *pointSet
		if q, err = s.points(base); err != nil {
			return nil, err
		}
		p.whole()
		q.whole()
		if p.plans == nil || q.plans == nil {
			return nil, fmt.Errorf("strategies %s and %s: expected others than every", c.Strategy, s)
		}
		p.from, p.to, p.total = min(p.from, q.from), max(p.to, q.to), p.total+q.total
		p.plans = inOrder(append(p.plans, q.plans...))
	}
	return p, err
}

// strategies names all of them.
func (c *Campaign) strategies() string {
	text := c.Strategy.String()
	for _, s := range c.Also {
		text += ", " + s.String()
	}
	return text
}

// inOrder sorts plans by their first cut.
func inOrder(plans []Plan) []Plan {
	sort.SliceStable(plans, func(i, j int) bool { return plans[i].Cuts[0].After < plans[j].Cuts[0].After })
	return plans
}

// energyPlans builds the plans of Energy; need is the energy of a whole sequence.
func energyPlans(s *Strategy, p *pointSet, need uint64) (plans []Plan) {
	const near = 1000 // instructions between the clean failure and the other
	r := det.Stream(s.Seed, "energy")
	for i := range s.Points {
		plan := At(p.from + r.Uint64N(p.to-p.from+1))
		if i%2 == 1 {
			plan.Cuts = append(plan.Cuts, Cut{After: 1 + r.Uint64N(near)})
		}
		missing := r.Uint64N(need) >> r.Uint64N(16) // much and little alike
		plan.Cuts[len(plan.Cuts)-1].Energy = phys.Some(phys.NanoJoules(need - missing))
		plans = append(plans, plan)
	}
	return plans
}

// holdUpOf is the energy that the power-fail sequence of a machine takes.
func holdUpOf(m *sim.Machine) uint64 {
	d, rep := m.PowerCut(sim.Cut{})
	d.Release()
	return max(1, uint64(rep.Power.EnergyUsed))
}

// thin keeps n plans, evenly spread; all of them for n 0.
func thin(plans []Plan, n uint64) []Plan {
	total := uint64(len(plans))
	if n == 0 || total <= n {
		return plans
	}
	kept := make([]Plan, n)
	for i := range kept {
		kept[i] = plans[uint64(i)*total/n]
	}
	return kept
}

// raw is what the fuzzer fills in; every value is meaningful.
type raw struct {
	Cuts []rawCut
}

type rawCut struct {
	Where    uint64
	Kind     uint8
	Detail   uint16
	Recovery []uint8
}

// FuzzPlan builds a plan from a gofuzz source: from a seed, or from the bytes of
// go test -fuzz through gofuzz's NewFromGoFuzz. Its first cut falls into [from, to].
// Only failures that a sound runtime survives are built: the store buffer is
// drained and the energy lasts.
func FuzzPlan(f *fuzz.Fuzzer, from, to uint64) Plan { return fuzzPlan(f, from, to, nil) }

// fuzzPlan is FuzzPlan with the calls of the uncut run, so that cuts inside a
// call find one.
func fuzzPlan(f *fuzz.Fuzzer, from, to uint64, calls []callSite) Plan {
	var r raw
	f.NilChance(0).NumElements(1, maxCuts).Fuzz(&r)
	if len(r.Cuts) == 0 {
		r.Cuts = make([]rawCut, 1)
	}
	var p Plan
	at := from // of the start, or the last cut
	for i, c := range r.Cuts[:min(len(r.Cuts), maxCuts)] {
		var cut Cut
		far := c.Where
		if i > 0 {
			far = c.Where >> (c.Where % 64) // near and far alike
		}
		next := at + far%(to-at+1)
		switch c.Kind % 4 {
		case 1:
			cut.Rep = 1 + uint64(c.Detail)%256
		case 2, 3:
			cut.Step = 1 + uint64(c.Detail)%64
			next = cut.atCall(at, to, next, calls, c)
		}
		if i == 0 {
			at = 0
		}
		cut.After, at = next-at, next
		if c.Kind >= 128 {
			for _, s := range c.Recovery[:min(len(c.Recovery), 3)] {
				cut.Recovery = append(cut.Recovery, 1+uint64(s)%(4<<(s>>6))) // most are short
			}
		}
		p.Cuts = append(p.Cuts, cut)
		if cut.Step != 0 {
			at++ // the run goes on after the call
		}
		if at > to {
			break
		}
	}
	return p
}

// skew lets other cores run on before they accept the interrupt, in every other cut
// that is not inside a call. It draws from the cuts alone: what one core's plans are
// does not depend on it.
func (p Plan) skew(cores int) {
	const far = 60 // instructions
	for i := range p.Cuts {
		c := &p.Cuts[i]
		r := det.Stream(c.After, "skew")
		if cores < 2 || c.Step != 0 || r.IntN(2) == 0 {
			continue
		}
		for _, core := range r.Perm(cores)[:1+r.IntN(min(cores, 4))] {
			c.Skew = append(c.Skew, sim.CoreCount{Core: core, N: 1 + r.Uint64N(far)})
		}
	}
}

// atCall moves a cut into one of the calls in [from, to], if there is any, and returns
// its place.
func (cut *Cut) atCall(from, to, place uint64, calls []callSite, c rawCut) uint64 {
	calls = callsIn(calls, from, to)
	if len(calls) == 0 {
		return place
	}
	site := calls[c.Where%uint64(len(calls))]
	cut.Step = 1 + uint64(c.Detail)%max(1, site.steps)
	return site.at
}

// maxCuts is how many failures a fuzzed plan has at most.
const maxCuts = 4

// weaken returns plans that fail less: what shrinking tries, in that order.
func (p Plan) weaken() (list []Plan) {
	for i := range p.Cuts {
		if len(p.Cuts) > 1 {
			list = append(list, p.without(i))
		}
	}
	for i, c := range p.Cuts {
		for j := range c.Recovery {
			list = append(list, p.with(i, func(c *Cut) { c.Recovery = slices.Delete(slices.Clone(c.Recovery), j, j+1) }))
		}
		if c.At != nil {
			list = append(list, p.with(i, func(c *Cut) { c.At = nil }))
		}
		if c.Rep != 0 {
			list = append(list, p.with(i, func(c *Cut) { c.Rep = 0 }))
		}
		if c.Step != 0 {
			list = append(list, p.with(i, func(c *Cut) { c.Step = 0 }))
		}
		for j := range c.Skew {
			list = append(list, p.with(i, func(c *Cut) { c.Skew = slices.Delete(slices.Clone(c.Skew), j, j+1) }))
			if c.Skew[j].N > 1 {
				list = append(list, p.with(i, func(c *Cut) { c.Skew = slices.Clone(c.Skew); c.Skew[j].N /= 2 }))
			}
		}
		for j := range c.KeepOn {
			list = append(list, p.with(i, func(c *Cut) { c.KeepOn = slices.Delete(slices.Clone(c.KeepOn), j, j+1) }))
		}
		if c.LoseWC {
			list = append(list, p.with(i, func(c *Cut) { c.LoseWC = false }))
		}
		if c.Energy.Given() {
			list = append(list, p.with(i, func(c *Cut) { c.Energy = phys.Opt[phys.NanoJoules]{} }))
		}
		if c.Keep.Given() {
			list = append(list, p.with(i, func(c *Cut) { c.Keep = phys.Opt[int]{} }))
		}
		for _, n := range []uint64{0, c.After / 2, c.After - 1} {
			if n < c.After {
				list = append(list, p.with(i, func(c *Cut) { c.After = n }))
			}
		}
		for _, n := range []uint64{1, c.Step / 2, c.Step - 1} {
			if n > 0 && n < c.Step {
				list = append(list, p.with(i, func(c *Cut) { c.Step = n }))
			}
		}
	}
	return list
}

// without drops a cut; the ones behind it stay where they were.
func (p Plan) without(i int) Plan {
	q := Plan{Cuts: slices.Clone(p.Cuts)}
	if i+1 < len(q.Cuts) {
		q.Cuts[i+1].After = q.Cuts[i+1].behind(q.Cuts[i].After)
	}
	q.Cuts = slices.Delete(q.Cuts, i, i+1)
	return q
}

func (p Plan) with(i int, change func(*Cut)) Plan {
	q := Plan{Cuts: slices.Clone(p.Cuts)}
	change(&q.Cuts[i])
	return q
}
