package worlds

import (
	"fmt"

	"zhuque/sim/phys"
)

// Buffers says what becomes of store and write-combining buffers at a cut.
type Buffers uint8

// The two ways to take them.
const (
	// Open leaves open how much of each store buffer became visible and which
	// pieces of write-combining buffers have left. No line may be in the buffers of
	// two cores; Access sees to that.
	Open Buffers = iota
	// Lost loses all of them, for callers that try the rest by Commit and LeavePiece.
	Lost
)

// past is a generation that a power cut has ended, in one world.
type past struct {
	lines    trie[line]  // those that were open; never changed
	narrowed trie[spans] // by cell key: candidates that are left, where that is not all
	steps    []spans     // of each core: how many steps of its buffer may have been taken
	instants spans       // at which a strict machine could have stopped: see Violation

	joint   *joint // crash points that are taken together; nil for one alone
	points  spans  // of joint: those that it may have been
	settled bool   // there is one of them; the fields above are its
}

// tie binds a line to a core's store buffer at the cut. The core took some number k
// of steps; then the line's candidates are those of span[k].
type tie struct {
	core int
	span []span
}

// step is one thing that a store buffer may have done at the cut: under eADR that
// a piece or a set of pieces of a store became visible, under ADR that an entry
// with a guarantee left.
type step struct {
	entries int // of the buffer that have left wholly
	group   int // entries of the next store, 0 when no part of it is visible
	mask    int // which of its pieces are visible
}

// Cut returns persistent memory after a power cut, as the next generation begins
// with it. The Memory itself goes on. src shows the memory of the machine that is
// started; what it says of open lines is never looked at.
func (m *Memory) Cut(src Source, b Buffers) *Memory {
	f := m.Fork(src)
	p := past{steps: make([]spans, len(f.cores)), instants: spans{always}}
	for id := range f.cores {
		if b == Open {
			p.steps[id] = spans{{0, f.freeze(id)}}
		}
		f.cores[id] = core{}
	}
	if b == Lost {
		f.forgetBuffers()
	}
	f.rehash()
	p.lines, f.lines = f.lines, trie[line]{}
	f.digest.log, f.digest.touched = 0, nil
	f.pasts = append(f.pasts, p)
	f.own, f.last = new(owner), nil
	f.looked, f.ntNew, f.unseen = f.retired, 0, false // nothing is new yet
	return f
}

// forgetBuffers drops what is in buffers from the lines.
func (m *Memory) forgetBuffers() {
	var all []*line
	m.lines.each(func(_ uint64, ln *line) bool {
		if ln.buffered > 0 || len(ln.nt) > 0 {
			all = append(all, ln)
		}
		return true
	})
	for _, ln := range all {
		ln = m.mine(ln)
		ln.buffered, ln.nt = 0, nil
		m.changed(ln)
	}
}

// freeze moves what is in the core's buffers to the lines and ties them to it. It
// returns how many steps the buffer may take.
func (m *Memory) freeze(id int) int {
	c := &m.cores[id]
	n := 0
	for n < c.length() && c.nth(n).kind != bufferedFence {
		n++
	}
	for _, l := range c.combining {
		if ln := m.lines.get(uint64(l)); len(ln.nt) > 1 {
			panic(fmt.Sprintf("BUG: line %v is in the write-combining buffers of two cores at a cut: Access was not called",
				l.Addr()))
		}
	}
	steps := m.adrSteps(id, n)
	if m.cfg.Domain == EADR {
		steps = m.eadrSteps(id, n)
	}
	touched := m.touchedBy(id, n)
	if len(steps) > 1 {
		for _, l := range touched {
			m.tieTo(id, steps, m.open(l))
		}
	}
	for i := range n {
		b := c.nth(i)
		if b.kind != bufferedStore {
			continue
		}
		ln := m.open(b.line)
		m.seq++
		ln.add(entry{off: b.off, size: b.size, core: uint8(id), seq: m.seq, at: b.at, site: b.site}, b.data[:b.size])
		m.changed(ln)
	}
	return len(steps) - 1
}

// touchedBy returns the lines of the n oldest entries of the core's buffer, each
// once, in order, and checks that no other core has them.
func (m *Memory) touchedBy(id, n int) (lines []phys.LineAddr) {
	c := &m.cores[id]
	seen := map[phys.LineAddr]bool{}
	for i := range n {
		b := c.nth(i)
		if !b.acts() || seen[b.line] {
			continue
		}
		seen[b.line] = true
		ln := m.lines.get(uint64(b.line))
		if ln == nil {
			continue // a flush of what is guaranteed
		}
		if ln.tie != nil || b.kind == bufferedStore && m.buffers(ln, id) {
			panic(fmt.Sprintf("BUG: line %v is in the buffers of two cores at a cut: Access was not called", b.line.Addr()))
		}
		lines = append(lines, b.line)
	}
	return lines
}

// buffers reports whether another core has stores of the line in a buffer.
func (m *Memory) buffers(ln *line, id int) bool {
	for i := range ln.nt {
		if int(ln.nt[i].core) != id {
			return true
		}
	}
	return false
}

// eadrSteps are the states of a buffer whose stores are guaranteed as they become
// visible: before each store any proper set of its pieces, and at last all. A
// CLFLUSH matters where it forces a write-combining buffer out.
func (m *Memory) eadrSteps(id, n int) (steps []step) {
	c := &m.cores[id]
	for i := 0; i < n; {
		if c.nth(i).kind != bufferedStore {
			if ln := m.lines.get(uint64(c.nth(i).line)); c.nth(i).kind == bufferedCLFLUSH && ln != nil && ln.combines(id) >= 0 {
				steps = append(steps, step{entries: i})
			}
			i++
			continue
		}
		group, pieces := 1, c.nth(i).pieces()
		for i+group < n && c.nth(i+group).joined {
			pieces += c.nth(i + group).pieces()
			group++
		}
		for mask := range 1<<pieces - 1 {
			steps = append(steps, step{entries: i, group: group, mask: mask})
		}
		i += group
	}
	return append(steps, step{entries: n})
}

func (b *buffered) pieces() int {
	e := entry{off: b.off, size: b.size}
	return e.pieces()
}

// adrSteps are the states of a buffer whose stores guarantee nothing: they differ
// only in how many entries with a guarantee have left. Those are CLFLUSHes, and a
// store that forces a write-combining buffer out.
func (m *Memory) adrSteps(id, n int) (steps []step) {
	c := &m.cores[id]
	forced := map[phys.LineAddr]bool{}
	for i := range n {
		b := c.nth(i)
		ln := m.lines.get(uint64(b.line))
		if ln == nil || !b.acts() {
			continue
		}
		forces := !forced[b.line] && ln.combines(id) >= 0
		if b.kind == bufferedCLFLUSH || forces {
			steps = append(steps, step{entries: i})
			forced[b.line] = true
		}
	}
	return append(steps, step{entries: n})
}

// tieTo says, for each number of steps that the core's buffer may have taken, what
// candidates the line has.
func (m *Memory) tieTo(id int, steps []step, ln *line) {
	visible := 0
	for i := range ln.list {
		visible += ln.list[i].steps()
	}
	t := &tie{core: id, span: make([]span, len(steps))}
	for k, s := range steps {
		sp := span{0, visible}
		forced := 0
		c := &m.cores[id]
		for i := range s.entries {
			b := c.nth(i)
			if b.line != ln.addr {
				continue
			}
			switch b.kind {
			case bufferedStore:
				sp.hi += 1<<b.pieces() - 1
				forced = 1
			case bufferedCLFLUSH:
				sp.lo, forced = sp.hi, 1
			}
		}
		shift := 0
		for i := s.entries; i < s.entries+s.group; i++ {
			b := c.nth(i)
			if part := s.mask >> shift & (1<<b.pieces() - 1); b.line == ln.addr && part != 0 {
				sp.hi += part
				forced = 1
			}
			shift += b.pieces()
		}
		if m.cfg.Domain == EADR {
			sp.lo = sp.hi
		}
		t.span[k] = sp
		if i := ln.combines(id); i >= 0 && forced == 1 && ln.nt[i].tie == 0 {
			ln.nt[i].tie = k
		}
	}
	ln.tie = t
	m.changed(ln)
}
