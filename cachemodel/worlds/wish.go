package worlds

import "zhuque/sim/phys"

// Wish says how the loads are to come out of a world that is made again: of each line that
// it names, else that everything is there. Its zero value wishes everything persisted.
type Wish struct {
	like map[cell]spans // as in a world that was
	only map[where]bool // of these lines; nil: all of like
	none map[where]bool // lines of which nothing is to be there that need not be
}

// where is a line as one power cut left it.
type where struct {
	gen  int
	addr phys.LineAddr
}

// Like wishes everything as this world has decided it.
func (m *Memory) Like() Wish {
	w := Wish{like: map[cell]spans{}}
	for d := m.trace; d != nil; d = d.before {
		if _, ok := w.like[d.cell]; !ok {
			w.like[d.cell] = d.keep
		}
	}
	return w
}

// None wishes that nothing is there of a line as the first cut left it.
func None(l phys.LineAddr) Wish {
	return Wish{none: map[where]bool{{0, l}: true}}
}

// Only returns a wish for these lines alone, and that of none nothing is there.
func (w Wish) Only(lines, none []Cause) Wish {
	set := func(list []Cause) map[where]bool {
		m := map[where]bool{}
		for _, c := range list {
			m[where{c.Cut, c.Line}] = true
		}
		return m
	}
	w.only, w.none = set(lines), set(none)
	return w
}

// Pick returns which of the choices of Read comes nearest to the wish.
func (w *Wish) Pick(choices []Choice) int {
	at := choices[0].cell
	line := where{at.gen, at.addr}
	if w.none[line] {
		low := 0
		for i := range choices {
			if choices[i].keep[0].lo < choices[low].keep[0].lo {
				low = i
			}
		}
		return low
	}
	if keep, ok := w.like[at]; ok && (w.only == nil || w.only[line]) {
		for i := range choices {
			if len(choices[i].keep.and(keep)) > 0 {
				return i
			}
		}
	}
	return 0 // everything persisted comes first
}
