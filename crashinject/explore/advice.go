package explore

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
)

// The kinds of advice. A program may be right in spite of them: one with checksums is not
// robust and needs not be.
const (
	Robustness Kind = "robustness" // a world that no machine leaves whose stores persist in their order
	RaceAdvice Kind = "race"       // a thread acted on what another had stored and not made durable
)

// Advice is a pair of stores that a power cut may leave in the wrong order, whether or not
// a recovery minds.
type Advice struct {
	Kind   Kind    `json:"kind"`
	Stores []Store `json:"stores"` // the one that may be lost, and the later one that may be there without it
	Loads  []Load  `json:"loads"`  // that saw each; of a race the load of the program
	Count  uint64  `json:"worlds"` // worlds in which it was seen; 0 for a race, which a cut has confirmed
}

// order identifies robustness advice.
type order struct{ lost, kept worlds.Site }

// robust notes what a world says of the order of stores.
func (x *explorer) robust(world *worlds.Memory, left *sim.Left) {
	if world.Robust() {
		return
	}
	lost, kept, ok := world.Reordered()
	if !ok {
		return
	}
	k := order{lost.Lost.Site, kept.Kept.Site}
	if old := x.orders[k]; old != nil {
		old.Count++
		return
	}
	f := &Failure{left: left}
	x.explain(f, LostStore, []worlds.Cause{lost})
	x.explain(f, KeptStore, []worlds.Cause{kept})
	a := &Advice{Kind: Robustness, Stores: f.Stores, Loads: f.Loads, Count: 1}
	x.orders[k] = a
	x.advice = append(x.advice, a)
}

// races adds the persistency-induced races that the program's run had.
func (x *explorer) races(m *sim.Machine) {
	left := m.Left()
	for _, r := range m.Races() {
		f := &Failure{left: left}
		x.explain(f, LostStore, []worlds.Cause{{Line: r.Line, Lost: r.Store, Load: r.Load, Why: r.Why}})
		x.explain(f, KeptStore, []worlds.Cause{{Line: r.To, Kept: r.Dependent, Load: r.Load}})
		x.advice = append(x.advice, &Advice{Kind: RaceAdvice, Stores: f.Stores, Loads: f.Loads})
	}
}

// advise puts the advice into the report, that of one pair of lines once.
func (x *explorer) advise() {
	byLine := map[string]*Advice{}
	for _, a := range x.advice {
		id := a.identity()
		if old := byLine[id]; old != nil {
			old.Count += a.Count
			continue
		}
		byLine[id] = a
		x.res.Advice = append(x.res.Advice, a)
	}
	slices.SortStableFunc(x.res.Advice, func(a, b *Advice) int {
		return cmp.Or(strings.Compare(string(a.Kind), string(b.Kind)), cmp.Compare(b.Count, a.Count))
	})
}

// identity is equal for advice about the same lines of source.
func (a *Advice) identity() string {
	id := string(a.Kind)
	for i := range a.Stores {
		id += "\n" + a.Stores[i].source()
	}
	return id
}

// source is the line of a place, or its address where there is none.
func (p *Place) source() string {
	if p.File == "" {
		return p.Address
	}
	return fmt.Sprintf("%s:%d", p.File, p.Line)
}

func (a *Advice) text(b *strings.Builder) {
	lost := &a.Stores[0]
	fmt.Fprintf(b, "  %s: stored at %s", a.Kind, lost.Place)
	if lost.Memory != "" {
		fmt.Fprintf(b, " to %s", lost.Memory)
	}
	fmt.Fprintf(b, ", %s", lost.why())
	if len(a.Stores) > 1 {
		kept := &a.Stores[1]
		if a.Kind == RaceAdvice {
			fmt.Fprintf(b, "; loaded by another thread at %s, whose store at %s is durable first\n",
				a.Loads[0].Place, kept.Place)
			return
		}
		fmt.Fprintf(b, "; the later store at %s may be there without it, in %d worlds", kept.Place, a.Count)
	}
	fmt.Fprintln(b)
}
