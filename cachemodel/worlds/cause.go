package worlds

import (
	"math"
	"slices"

	"zhuque/sim/phys"
)

// Decision is one choice that was made on the way to a world.
type Decision struct {
	Choice
	Load Site // the load that asked

	before *Decision
}

// Decisions returns the choices that led to this world, the oldest first.
func (m *Memory) Decisions() (list []Decision) {
	for _, d := range m.decisions() {
		list = append(list, *d)
	}
	return list
}

func (m *Memory) decisions() (list []*Decision) {
	for d := m.trace; d != nil; d = d.before {
		list = append(list, d)
	}
	slices.Reverse(list)
	return list
}

// decided notes a decision and what it says of instants.
func (m *Memory) decided(c Choice, ln *line, load Site) {
	m.trace = &Decision{Choice: c, Load: load, before: m.trace}
	p := &m.pasts[c.cell.gen]
	p.instants = p.instants.and(ln.instants(c.cell.part, c.keep))
}

// Guarantee is what made a store durable: the flush, 0 for none that was needed, and the
// fence, 0 where none was.
type Guarantee struct{ Flush, Fence Site }

// guarantees is, by store, what made it durable first; nil: not kept.
type guarantees map[Site]Guarantee

func (g guarantees) note(store Site, by Guarantee) {
	if g == nil {
		return
	}
	if _, ok := g[store]; !ok {
		g[store] = by
	}
}

// KeepGuarantees keeps, from here on, what makes stores durable, for Guaranteed; forks do not.
func (m *Memory) KeepGuarantees() { m.guarantees = guarantees{} }

// Guaranteed returns what made a store durable the first time that anything did.
func (m *Memory) Guaranteed(store Site) (g Guarantee, ok bool) {
	g, ok = m.guarantees[store]
	return g, ok
}

// Ref names a store.
type Ref struct {
	Site Site
	At   uint64 // place in the order in which all stores retired, from 1; 0 for no store
}

// Missing says why a store was not guaranteed.
type Missing uint8

// Why a store may be lost.
const (
	NoFlush       Missing = iota // its line was never flushed
	FlushedBefore                // the last flush of the line came before the store
	NoFence                      // flushed, but the core that flushed had no fence after that
	NotOut                       // in a store buffer or a write-combining buffer: no fence at all
)

func (w Missing) String() string {
	return [...]string{"never flushed", "flushed before the store", "flushed, not fenced", "in a buffer, not fenced"}[w]
}

// Cause says what a decision means in the program's words.
type Cause struct {
	Cut   int // the power cut that left it open, from 0
	Line  phys.LineAddr
	Kept  Ref     // the youngest store of the line that is there for certain
	Lost  Ref     // the oldest that may not be; At 0 when all are there
	Why   Missing // of the lost store
	Flush Site    // the flush that did not do, when Why is FlushedBefore or NoFence
	Load  Site
}

// Cause explains a decision of this world.
func (m *Memory) Cause(d Decision) Cause {
	p := &m.pasts[d.cell.gen]
	if d.cell.part >= jointPart {
		ln, keep := p.ofPoint(&d.Choice)
		if len(keep) == 0 {
			return Cause{Line: d.cell.addr, Load: d.Load}
		}
		d.Choice = Choice{cell: cell{d.cell.gen, ln.addr, 0}, keep: keep}
	}
	ln := p.find(d.cell.addr)
	width := ln.width(d.cell.part)
	c := Cause{Cut: d.cell.gen, Line: ln.addr, Load: d.Load, Kept: Ref{ln.baseSite, ln.baseAt}}
	lo, hi := math.MaxInt, 0
	for _, s := range d.keep {
		for i := s.lo; i <= s.hi; i++ {
			lo, hi = min(lo, i%width), max(hi, i%width)
		}
	}
	if d.cell.part > 0 {
		ln.causeOfPiece(d.cell.part, lo, hi, &c)
		return c
	}
	at := 0
	for i := range ln.list {
		e := &ln.list[i]
		if at += e.steps(); at <= lo {
			c.Kept = Ref{e.site, e.at}
		}
		if at > hi {
			c.Lost = Ref{e.site, e.at}
			c.Why, c.Flush = ln.why(e)
			break
		}
	}
	return c
}

func (ln *line) causeOfPiece(part, lo, hi int, c *Cause) {
	n := 0
	for i := range ln.nt[0].list {
		e := &ln.nt[0].list[i]
		if int(e.piece) != part-1 {
			continue
		}
		if n++; n <= lo {
			c.Kept = Ref{e.site, e.at}
		}
		if n > hi {
			c.Lost, c.Why = Ref{e.site, e.at}, NotOut
			return
		}
	}
}

// why says what a store of the list lacks.
func (ln *line) why(e *entry) (Missing, Site) {
	for i := range ln.notes {
		if n := &ln.notes[i]; n.seq >= e.seq {
			return NoFence, n.site
		}
	}
	switch {
	case ln.tie != nil:
		return NotOut, 0
	case ln.flushed.seq > 0:
		return FlushedBefore, ln.flushed.site
	}
	return NoFlush, 0
}

// instants returns when a strict machine, whose stores persist in the order in
// which they retire, could have stopped to leave one of these candidates: instant
// 2n is after store n, 2n-1 in the midst of it.
func (ln *line) instants(part int, keep spans) (all spans) {
	width := ln.width(part)
	var want spans
	for i := range width {
		for _, s := range keep {
			if s.has(i, width) {
				want = want.add(i)
				break
			}
		}
	}
	var bounds []span // of each candidate
	from := math.MinInt
	if ln.baseAt > 0 {
		from = 2 * int(ln.baseAt)
	}
	next := func(at uint64, steps int) {
		bounds = append(bounds, span{from, 2*int(at) - 2})
		for range steps - 1 {
			bounds = append(bounds, span{2*int(at) - 1, 2*int(at) - 1})
		}
		from = max(from, 2*int(at))
	}
	if part == 0 {
		for i := range ln.list {
			next(ln.list[i].at, ln.list[i].steps())
		}
	} else {
		for i := range ln.nt[0].list {
			if e := &ln.nt[0].list[i]; int(e.piece) == part-1 {
				next(e.at, 1)
			}
		}
	}
	bounds = append(bounds, span{from, math.MaxInt})
	want.each(func(i int) {
		b := bounds[i]
		if n := len(all); n > 0 && b.lo <= all[n-1].hi+1 {
			all[n-1].hi = max(all[n-1].hi, b.hi)
		} else if b.lo <= b.hi {
			all = append(all, b)
		}
	})
	return all
}

// Causes explains what this world has decided, each part of a line once: its last decision.
// What only told crash points apart is none.
func (m *Memory) Causes() (list []Cause) {
	seen := map[cell]bool{}
	for d := m.trace; d != nil; d = d.before {
		c := d.cell
		if c.part >= jointPart {
			if c.part = 0; !m.pasts[c.gen].chose(d) {
				continue
			}
		}
		if !seen[c] {
			seen[c] = true
			list = append(list, m.Cause(*d))
		}
	}
	slices.Reverse(list)
	return list
}

// Reordered names, for a world that is not Robust, two stores that are to blame: lost was
// made before kept, which is there. At the cuts that are robust nothing is to blame.
func (m *Memory) Reordered() (lost, kept Cause, ok bool) {
	all := m.Causes()
	for gen := range m.pasts {
		if len(m.pasts[gen].instants) > 0 {
			continue
		}
		lost, kept = Cause{}, Cause{}
		for _, c := range all {
			switch {
			case c.Cut != gen:
				continue
			case c.Lost.At > 0 && (lost.Lost.At == 0 || c.Lost.At < lost.Lost.At):
				lost = c
			}
			if c.Kept.At > kept.Kept.At {
				kept = c
			}
		}
		if lost.Lost.At > 0 && lost.Lost.At < kept.Kept.At {
			return lost, kept, true
		}
	}
	return lost, kept, false
}

// has reports whether the span has a number that leaves i when divided by width.
func (p span) has(i, width int) bool {
	first := p.lo + (i-p.lo%width+width)%width
	return first <= p.hi
}

// Robust reports whether a machine whose stores persist in the order in which they
// retire could have stopped so that it left what the loads after each cut have
// found: if not, some flush or fence is missing, which the program may be able to
// live with. Decisions and Cause name the stores.
func (m *Memory) Robust() bool {
	for i := range m.pasts {
		if p := &m.pasts[i]; len(p.instants) == 0 || p.several() && !p.strict() {
			return false
		}
	}
	return true
}
