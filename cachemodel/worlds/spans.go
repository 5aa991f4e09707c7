package worlds

import (
	"math"
	"sort"
)

// span is the numbers from lo to hi, both included.
type span struct{ lo, hi int }

// spans is a set of numbers: spans in ascending order that do not touch. It is
// never changed in place.
type spans []span

// add appends a number that is not less than any in the set.
func (s spans) add(i int) spans {
	if n := len(s); n > 0 && s[n-1].hi >= i-1 {
		s[n-1].hi = i
		return s
	}
	return append(s, span{i, i})
}

func (s spans) has(i int) bool {
	for _, p := range s {
		if i <= p.hi {
			return i >= p.lo
		}
	}
	return false
}

func (s spans) count() (n int) {
	for _, p := range s {
		n += p.hi - p.lo + 1
	}
	return n
}

// and returns what is in both.
func (s spans) and(o spans) (both spans) {
	for len(s) > 0 && len(o) > 0 {
		if p := (span{max(s[0].lo, o[0].lo), min(s[0].hi, o[0].hi)}); p.lo <= p.hi {
			both = append(both, p)
		}
		if s[0].hi < o[0].hi {
			s = s[1:]
		} else {
			o = o[1:]
		}
	}
	return both
}

// each calls fn with every number.
func (s spans) each(fn func(int)) {
	for _, p := range s {
		for i := p.lo; i <= p.hi; i++ {
			fn(i)
		}
	}
}

// always is all instants.
var always = span{math.MinInt, math.MaxInt}

// slice returns the numbers from lo to hi, counted from lo.
func (s spans) slice(lo, hi int) (part spans) {
	i := sort.Search(len(s), func(i int) bool { return s[i].hi >= lo })
	for ; i < len(s) && s[i].lo <= hi; i++ {
		part = append(part, span{max(s[i].lo, lo) - lo, min(s[i].hi, hi) - lo})
	}
	return part
}
