package device

import "slices"

// Picos is a duration or a point in time in picoseconds.
type Picos uint64

// Nano is a nanosecond.
const Nano Picos = 1000

// span is a time in which a server is busy.
type span struct{ from, to Picos }

// remembered is how many separate busy times a calendar knows; before the oldest of them
// there is no room.
const remembered = 32

// Calendar is the busy times of one server, in order, none of them touching another.
type Calendar struct {
	busy  []span
	floor Picos
}

// Book takes the server for a time, at the first room from a point on, and returns when it begins.
func (c *Calendar) Book(from, need Picos) (start Picos) {
	start = max(from, c.floor)
	i := len(c.busy)
	for i > 0 && c.busy[i-1].to > start {
		i--
	}
	for i < len(c.busy) && c.busy[i].from < start+need {
		start = max(start, c.busy[i].to)
		i++
	}
	c.insert(i, span{start, start + need})
	return start
}

// insert puts s before the i-th busy time and joins what touches.
func (c *Calendar) insert(i int, s span) {
	joinsBefore := i > 0 && c.busy[i-1].to == s.from
	joinsAfter := i < len(c.busy) && c.busy[i].from == s.to
	switch {
	case joinsBefore && joinsAfter:
		c.busy[i-1].to = c.busy[i].to
		c.busy = slices.Delete(c.busy, i, i+1)
	case joinsBefore:
		c.busy[i-1].to = s.to
	case joinsAfter:
		c.busy[i].from = s.from
	default:
		c.busy = slices.Insert(c.busy, i, s)
	}
	if len(c.busy) > remembered {
		c.floor = c.busy[0].to
		c.busy = slices.Delete(c.busy, 0, 1)
	}
}

func (c *Calendar) clone() Calendar { return Calendar{slices.Clone(c.busy), c.floor} }
