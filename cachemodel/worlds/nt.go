package worlds

import (
	"slices"

	"zhuque/sim/phys"
)

// combining is one core's write-combining buffer of a line: for each aligned 8
// bytes the non-temporal stores that have not left. They leave together or piece
// by piece, so that what has left of a piece is a prefix of its list, and pieces
// are independent.
type combining struct {
	core uint8
	list []ntEntry // oldest first
	tie  int       // of a frozen line: the core's first step that has forced it out, 0 for none
}

// ntEntry is a non-temporal store to one aligned 8 bytes.
type ntEntry struct {
	at    uint64
	site  Site
	piece uint8
	off   uint8 // in the line
	size  uint8
	data  [8]byte
}

// combines returns the core's write-combining buffer of the line, -1 for none.
func (ln *line) combines(id int) int {
	for i := range ln.nt {
		if int(ln.nt[i].core) == id {
			return i
		}
	}
	return -1
}

// NTStore retires a non-temporal store of 1 to 64 bytes: older stores of its line
// and older CLFLUSHes and fences leave the store buffer first, and what the line has is
// written back (rule 10). The bytes are not in the Source yet.
func (m *Memory) NTStore(id int, a phys.Addr, data []byte, site Site) {
	for len(data) > 0 {
		off := int(a % phys.LineSize)
		n := min(len(data), phys.LineSize-off)
		m.combine(id, a.Line(), off, data[:n], site)
		a, data = a+phys.Addr(n), data[n:]
	}
}

// combine is the part of a non-temporal store in one line.
func (m *Memory) combine(id int, l phys.LineAddr, off int, data []byte, site Site) {
	m.commitThrough(id, func(b *buffered) bool {
		return b.kind == bufferedCLFLUSH || b.kind == bufferedFence || b.kind == bufferedStore && b.line == l
	})
	if ln := m.open(l); len(ln.list) > 0 {
		m.before()
		m.raise(m.open(l), m.seq, site)
	}
	ln := m.open(l)
	m.retired++
	m.ntNew++
	c := &m.cores[id]
	c.retired++
	i := ln.combines(id)
	if i < 0 {
		i = len(ln.nt)
		ln.nt = append(ln.nt, combining{core: uint8(id)})
		c.combining = append(c.combining, l)
	}
	for len(data) > 0 {
		n := min(len(data), 8-off%8)
		e := ntEntry{at: m.retired, site: site, piece: uint8(off / 8), off: uint8(off), size: uint8(n)}
		copy(e.data[:], data[:n])
		ln.nt[i].list = append(ln.nt[i].list, e)
		off, data = off+n, data[n:]
	}
	m.changed(ln)
}

// leave lets the core's write-combining buffer of the line out: it is visible and
// persistent, and so is what the line had.
func (m *Memory) leave(id int, l phys.LineAddr) { m.leavePiece(id, l, -1) }

// LeavePiece lets one aligned 8 bytes out of the core's write-combining buffer of
// a line.
func (m *Memory) LeavePiece(id int, l phys.LineAddr, piece int) {
	if ln := m.lines.get(uint64(l)); ln != nil && ln.combines(id) >= 0 {
		m.leavePiece(id, l, piece)
	}
}

// Combining returns the lines for which the core has a write-combining buffer.
func (m *Memory) Combining(id int) []phys.LineAddr { return slices.Clone(m.cores[id].combining) }

// Pieces returns which aligned 8 bytes are in the core's write-combining buffer of
// the line, bit by bit.
func (m *Memory) Pieces(id int, l phys.LineAddr) (mask uint8) {
	if ln := m.lines.get(uint64(l)); ln != nil {
		if i := ln.combines(id); i >= 0 {
			for _, e := range ln.nt[i].list {
				mask |= 1 << e.piece
			}
		}
	}
	return mask
}

// leavePiece lets one piece out, -1 for all.
func (m *Memory) leavePiece(id int, l phys.LineAddr, piece int) {
	m.before()
	ln := m.open(l)
	m.raise(ln, m.seq, m.fencing)
	i := ln.combines(id)
	w := &ln.nt[i]
	var rest []ntEntry
	for k := range w.list {
		e := &w.list[k]
		if piece >= 0 && int(e.piece) != piece {
			rest = append(rest, *e)
			continue
		}
		ln.put(int(e.off), e.data[:e.size])
		m.guarantees.note(e.site, Guarantee{0, m.fencing})
		if e.at > ln.baseAt {
			ln.baseAt, ln.baseSite = e.at, e.site
		}
	}
	w.list = rest
	m.seq++
	m.changed(ln)
	if len(rest) > 0 {
		return
	}
	ln.nt = append(ln.nt[:i], ln.nt[i+1:]...)
	c := &m.cores[id]
	if c.combining[0] == l {
		c.combining = c.combining[1:]
	} else {
		i := slices.Index(c.combining, l)
		c.combining = slices.Concat(c.combining[:i], c.combining[i+1:])
	}
	m.closeIfDone(ln)
}
