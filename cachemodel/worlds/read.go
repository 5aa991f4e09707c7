package worlds

import (
	"math/bits"
	"slices"

	"zhuque/sim/phys"
)

// cell is a part of a line that is chosen by itself: 0 is its list of stores, i
// the aligned 8 bytes i-1 of its write-combining buffer.
type cell struct {
	gen  int // index of the past generation
	addr phys.LineAddr
	part int
}

const cellBits = 4

func (c cell) key() uint64 { return uint64(c.addr)<<cellBits | uint64(c.part) }

// Choice is one of the ways in which a load may come out: a set of candidates of
// one line of one past generation that the load cannot tell apart.
type Choice struct {
	cell cell
	keep spans   // of the cell's candidates
	of   int     // how many candidates all choices have together
	load overlay // the bytes asked for that these candidates decide
}

// Line returns the line that is chosen.
func (c *Choice) Line() phys.LineAddr { return c.cell.addr }

// Candidates returns how many contents of the line the choice keeps.
func (c *Choice) Candidates() int { return c.keep.count() }

// cells returns the cells of a frozen line from the top.
func (ln *line) cells() (parts []int) {
	if len(ln.list) > 0 {
		parts = append(parts, 0)
	}
	var has uint16
	for i := range ln.nt {
		for k := range ln.nt[i].list {
			has |= 1 << ln.nt[i].list[k].piece
		}
	}
	for i := range 8 {
		if has>>i&1 != 0 {
			parts = append(parts, i+1)
		}
	}
	return parts
}

// width is how many candidates a cell has when nothing ties it.
func (ln *line) width(part int) (n int) {
	if part == 0 {
		for i := range ln.list {
			n += ln.list[i].steps()
		}
		return n + 1
	}
	for i := range ln.nt[0].list {
		if int(ln.nt[0].list[i].piece) == part-1 {
			n++
		}
	}
	return n + 1
}

// candidates returns which of a cell's candidates are left. A candidate of a cell
// that is tied to a core is a pair: steps times width and a number of stores.
func (p *past) candidates(ln *line, part, width int) spans {
	left := p.narrowed.get(cell{addr: ln.addr, part: part}.key())
	if ln.tie == nil {
		if left != nil {
			return *left
		}
		return spans{{0, width - 1}}
	}
	var all spans
	p.steps[ln.tie.core].each(func(k int) {
		sp := span{0, width - 1}
		if part == 0 {
			sp = ln.tie.span[k]
		} else if t := ln.nt[0].tie; t > 0 && k >= t {
			sp.lo = sp.hi
		}
		all = append(all, span{k*width + sp.lo, k*width + sp.hi})
	})
	if left != nil {
		all = all.and(*left)
	}
	return all
}

// contents calls fn with every candidate of a cell that is left and the bytes that
// it puts on the line, in ascending order.
func (ln *line) contents(part, width int, left spans, fn func(i int, o *overlay)) {
	for len(left) > 0 {
		k := left[0].lo / width
		var row spans // the candidates of step k
		for len(left) > 0 && left[0].lo/width == k {
			p := left[0]
			left = left[1:]
			if end := (k+1)*width - 1; p.hi > end {
				left = append(spans{{end + 1, p.hi}}, left...)
				p.hi = end
			}
			row = append(row, span{p.lo - k*width, p.hi - k*width})
		}
		if part == 0 {
			ln.listContents(row, func(i int, o *overlay) { fn(k*width+i, o) })
		} else {
			ln.pieceContents(part, row, func(i int, o *overlay) { fn(k*width+i, o) })
		}
	}
}

// listContents is contents of the line's list.
func (ln *line) listContents(want spans, fn func(i int, o *overlay)) {
	var o overlay
	at, last := 0, want[len(want)-1].hi
	if want.has(0) {
		fn(0, &o)
	}
	for i := range ln.list {
		if at == last {
			return
		}
		e := &ln.list[i]
		steps := e.steps()
		for mask := 1; mask < steps && at+mask <= last; mask++ {
			if want.has(at + mask) {
				part := o
				part.layPieces(ln, e, mask)
				fn(at+mask, &part)
			}
		}
		at += steps
		if at > last {
			return
		}
		o.lay(int(e.off), ln.bytesOf(e))
		if want.has(at) {
			fn(at, &o)
		}
	}
}

// pieceContents is contents of a piece of the line's write-combining buffer.
func (ln *line) pieceContents(part int, want spans, fn func(i int, o *overlay)) {
	var o overlay
	n := 0
	if want.has(0) {
		fn(0, &o)
	}
	for i := range ln.nt[0].list {
		e := &ln.nt[0].list[i]
		if int(e.piece) != part-1 {
			continue
		}
		o.lay(int(e.off), e.data[:e.size])
		if n++; want.has(n) {
			fn(n, &o)
		}
	}
}

// Read says what a load of the core of the bytes at a, within one line, gives: the
// bytes in dst when nothing is open about them, or the ways it may come out. The
// machine forks for each but one, narrows each fork and retries. The choices are
// in the order in which to try them: everything persisted, nothing, then the rest.
func (m *Memory) Read(id int, a phys.Addr, dst []byte) []Choice {
	off := int(a % phys.LineSize)
	want := byteMask(off, len(dst))
	var o overlay
	m.current(id, a.Line(), &o)
	if choices := m.below(len(m.pasts)-1, a.Line(), want, &o); choices != nil {
		return choices
	}
	copy(dst, o.bytes[off:])
	return nil
}

// Open reports whether a load of some bytes of the line may come out in several
// ways.
func (m *Memory) Open(l phys.LineAddr) bool {
	if !m.everOpen(l) {
		return false
	}
	var o overlay
	m.current(-1, l, &o)
	return m.below(len(m.pasts)-1, l, ^uint64(0), &o) != nil
}

// OpenLines returns the lines that are open in the sense of Open, in ascending
// order: after a cut those whose pages a machine keeps out of its fast tables.
func (m *Memory) OpenLines() (lines []phys.LineAddr) {
	seen := map[phys.LineAddr]bool{}
	for i := range m.pasts {
		m.pasts[i].each(func(l phys.LineAddr) {
			if !seen[l] && m.Open(l) {
				lines = append(lines, l)
			}
			seen[l] = true
		})
	}
	slices.Sort(lines)
	return lines
}

// everOpen reports whether a past generation left a record of the line.
func (m *Memory) everOpen(l phys.LineAddr) bool {
	for i := range m.pasts {
		if m.pasts[i].find(l) != nil {
			return true
		}
	}
	return false
}

// whole reads a line that is not in the running generation, if nothing is open
// about it.
func (m *Memory) whole(l phys.LineAddr, dst *[phys.LineSize]byte) bool {
	var o overlay
	if m.below(len(m.pasts)-1, l, ^uint64(0), &o) != nil {
		return false
	}
	*dst = o.bytes
	return true
}

// current puts what the core sees of the running generation into o: its buffers
// on what is visible. A core of -1 sees all buffers.
func (m *Memory) current(id int, l phys.LineAddr, o *overlay) {
	ln := m.lines.get(uint64(l))
	if ln == nil {
		return
	}
	o.under(&ln.base, ln.known)
	for i := range ln.list {
		o.lay(int(ln.list[i].off), ln.bytesOf(&ln.list[i]))
	}
	for i := range ln.nt {
		if id >= 0 && int(ln.nt[i].core) != id {
			continue
		}
		for k := range ln.nt[i].list {
			e := &ln.nt[i].list[k]
			o.lay(int(e.off), e.data[:e.size])
		}
	}
	if ln.buffered == 0 {
		return
	}
	for i := range m.cores {
		if c := &m.cores[i]; id < 0 || i == id {
			for n := range c.length() {
				if b := c.nth(n); b.kind == bufferedStore && b.line == l {
					o.lay(int(b.off), b.data[:b.size])
				}
			}
		}
	}
}

// below fills in from the generations up to gen, the youngest first, those bytes
// of want that are not known, or returns the choices of the first cell that leaves
// them open.
func (m *Memory) below(gen int, l phys.LineAddr, want uint64, o *overlay) []Choice {
	for ; gen >= 0 && want&^o.known != 0; gen-- {
		p := &m.pasts[gen]
		if p.several() {
			if vs := p.joint.versions[l]; vs != nil {
				if choices := m.resolveJoint(gen, vs, want, o); choices != nil {
					return choices
				}
				continue
			}
		}
		ln := p.find(l)
		if ln == nil {
			continue
		}
		for i, part := range ln.cells() {
			if choices := m.resolve(cell{gen, l, part}, ln, i, want, o); choices != nil {
				return choices
			}
		}
		o.under(&ln.base, ln.known)
	}
	if want&^o.known != 0 {
		var bytes [phys.LineSize]byte
		m.src.ReadLine(l, &bytes)
		o.under(&bytes, ^uint64(0))
	}
	return nil
}

// resolve puts what a cell has of the bytes that are not known under o, if all
// its candidates have the same; else it returns the choices.
func (m *Memory) resolve(c cell, ln *line, index int, want uint64, o *overlay) []Choice {
	need := want &^ o.known
	if need == 0 {
		return nil
	}
	width := ln.width(c.part)
	left := m.pasts[c.gen].candidates(ln, c.part, width)
	var groups []Choice
	var under *overlay // what is below the cell, as far as it is decided
	ln.contents(c.part, width, left, func(i int, content *overlay) {
		if content.known&need != need {
			if under == nil {
				under = m.decidedBelow(c, ln, index, need)
			}
		}
		got := *content
		if under != nil {
			got.under(&under.bytes, under.known)
		}
		got.known &= need
		for g := range groups {
			if groups[g].load.same(&got) {
				groups[g].keep = groups[g].keep.add(i)
				return
			}
		}
		groups = append(groups, Choice{cell: c, keep: spans{{i, i}}, load: got})
	})
	if len(groups) == 1 {
		got := &groups[0].load
		if got.known == 0 {
			return nil
		}
		o.under(&got.bytes, got.known)
		return nil
	}
	return ordered(groups)
}

// same reports whether the known bytes are equal.
func (o *overlay) same(p *overlay) bool {
	if o.known != p.known {
		return false
	}
	for k := o.known; k != 0; k &= k - 1 {
		if i := bits.TrailingZeros64(k); o.bytes[i] != p.bytes[i] {
			return false
		}
	}
	return true
}

// decidedBelow returns those of the needed bytes below a cell about which nothing
// is open.
func (m *Memory) decidedBelow(c cell, ln *line, index int, need uint64) *overlay {
	o := &overlay{}
	for i, part := range ln.cells() {
		if i > index {
			if m.resolve(cell{c.gen, c.addr, part}, ln, i, need, o) != nil {
				return &overlay{} // a choice of its own, when it comes to that
			}
		}
	}
	o.under(&ln.base, ln.known)
	if m.below(c.gen-1, c.addr, need, o) != nil {
		return &overlay{known: 0}
	}
	o.known &= need
	return o
}

// ordered puts the choices into the order in which to try them.
func ordered(groups []Choice) []Choice {
	of, top := 0, 0
	for g := range groups {
		of += groups[g].keep.count()
		if hi := groups[g].keep[len(groups[g].keep)-1].hi; hi > groups[top].keep[len(groups[top].keep)-1].hi {
			top = g
		}
	}
	for g := range groups {
		groups[g].of = of
	}
	if top > 0 {
		all := groups[top]
		copy(groups[1:top+1], groups[:top])
		groups[0] = all
	}
	return groups
}

// Narrow takes a choice that Read has just returned: load is the instruction that
// asked.
func (m *Memory) Narrow(c Choice, load Site) {
	p := &m.pasts[c.cell.gen]
	if c.cell.part >= jointPart {
		m.narrowJoint(c)
		m.trace = &Decision{Choice: c, Load: load, before: m.trace}
		return
	}
	ln := p.find(c.cell.addr)
	width := ln.width(c.cell.part)
	m.digest.sum.sub(p.hash(ln))
	keep := slices.Clone(c.keep)
	p.narrowed.put(m.own, c.cell.key(), &keep)
	if ln.tie != nil {
		var steps spans
		for _, s := range keep {
			for k := s.lo / width; k <= s.hi/width; k++ {
				if !steps.has(k) {
					steps = steps.add(k)
				}
			}
		}
		p.steps = slices.Clone(p.steps)
		p.steps[ln.tie.core] = steps.and(p.steps[ln.tie.core])
	}
	m.digest.sum.add(p.hash(ln))
	m.decided(c, ln, load)
}
