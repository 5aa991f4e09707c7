package worlds

import (
	"math/bits"
	"slices"

	"zhuque/sim/phys"
)

// line is one open line of a generation: what a power cut may leave of it. A
// frozen one, of a past generation, is never changed.
type line struct {
	own  *owner
	addr phys.LineAddr

	base     [phys.LineSize]byte
	known    uint64 // bytes of base that count; the others are what the generation below left
	baseAt   uint64 // the youngest store that is guaranteed, 0 for none
	baseSite Site
	list     []entry // visible, not guaranteed, oldest first
	data     []byte  // of the list's stores
	notes    []note  // at most one a core
	flushed  note    // the last flush that found something
	nt       []combining
	buffered int // stores in store buffers

	tie   *tie // of a frozen line
	hash  hash // of the candidates at the last digest
	log   int64
	stale bool // in digests.touched
}

// entry is a store to the line, or the part of one that is in it. Its pieces are
// the aligned 8 bytes that it touches. In which order the pieces become visible
// the architecture does not say.
type entry struct {
	seq  uint64 // place in the order in which stores became visible
	at   uint64 // place in the order in which they retired
	site Site
	data uint32 // line.data[data:][:size]
	off  uint8
	size uint8
	core uint8
	// thread made the store, as the machine numbers them.
	thread uint32
}

// note is a flush that is guaranteed at its core's next barrier: stores that
// were visible as seq was counted.
type note struct {
	seq  uint64
	site Site
	core uint8
}

func (e *entry) pieces() int { return int(e.off+e.size-1)>>3 - int(e.off)>>3 + 1 }

// steps is how many candidates an entry adds: one for each set of its pieces but
// the empty one.
func (e *entry) steps() int { return 1<<e.pieces() - 1 }

// span returns the bits of n bytes from off.
func byteMask(off, n int) uint64 { return (^uint64(0) >> (phys.LineSize - n)) << off }

// clone returns a copy that may be changed; appending to it moves what is shared.
func (ln *line) clone(o *owner) *line {
	c := *ln
	c.own = o
	c.list = ln.list[:len(ln.list):len(ln.list)]
	c.data = ln.data[:len(ln.data):len(ln.data)]
	c.notes = slices.Clone(ln.notes)
	c.nt = slices.Clone(ln.nt)
	for i := range c.nt {
		c.nt[i].list = slices.Clone(c.nt[i].list)
	}
	return &c
}

// mine returns the line of the running generation or a copy in its place.
func (m *Memory) mine(ln *line) *line {
	if ln.own == m.own {
		return ln
	}
	c := ln.clone(m.own)
	m.lines.put(m.own, uint64(ln.addr), c)
	if m.last == ln {
		m.last = c
	}
	return c
}

// open returns the record of a line, and makes it when there is none.
func (m *Memory) open(l phys.LineAddr) *line {
	if m.last != nil && m.last.addr == l {
		return m.last
	}
	if ln := m.lines.get(uint64(l)); ln != nil {
		m.last = m.mine(ln)
		return m.last
	}
	ln := &line{own: m.own, addr: l, known: ^uint64(0)}
	if m.everOpen(l) {
		if !m.whole(l, &ln.base) {
			ln.known = 0
		}
	} else {
		m.src.ReadLine(l, &ln.base)
	}
	m.lines.put(m.own, uint64(l), ln)
	m.digest.opened(ln)
	m.changed(ln)
	m.last = ln
	return ln
}

// put makes bytes part of what is guaranteed.
func (ln *line) put(off int, data []byte) {
	copy(ln.base[off:], data)
	ln.known |= byteMask(off, len(data))
}

func (ln *line) add(e entry, data []byte) {
	e.data = uint32(len(ln.data))
	ln.data = append(ln.data, data...)
	ln.list = append(ln.list, e)
}

func (ln *line) bytesOf(e *entry) []byte { return ln.data[e.data:][:e.size] }

func (ln *line) noteOf(id int) int {
	for i := range ln.notes {
		if int(ln.notes[i].core) == id {
			return i
		}
	}
	return -1
}

// raise guarantees the stores up to seq, by the flush: they become part of the base. It
// reports whether there were any.
func (m *Memory) raise(ln *line, seq uint64, flush Site) bool {
	n := 0
	for n < len(ln.list) && ln.list[n].seq <= seq {
		e := &ln.list[n]
		m.guarantees.note(e.site, Guarantee{flush, m.fencing})
		ln.put(int(e.off), ln.bytesOf(e))
		ln.baseAt, ln.baseSite = e.at, e.site
		n++
	}
	if n == 0 {
		return false
	}
	m.changed(ln)
	if n == len(ln.list) {
		ln.list, ln.data, ln.notes = nil, nil, nil
		return true
	}
	cut := ln.list[n].data
	ln.data = slices.Clone(ln.data[cut:])
	ln.list = slices.Clone(ln.list[n:])
	for i := range ln.list {
		ln.list[i].data -= cut
	}
	return true
}

// closeIfDone forgets a line of which all is guaranteed. One that the generation
// below left open stays, as the mark that it is no longer so.
func (m *Memory) closeIfDone(ln *line) {
	if len(ln.list) > 0 || ln.buffered > 0 || len(ln.nt) > 0 ||
		m.cfg.Keep || ln.known != ^uint64(0) || m.everOpen(ln.addr) {
		return
	}
	m.digest.closed(ln)
	m.lines.remove(m.own, uint64(ln.addr))
	if m.last == ln {
		m.last = nil
	}
}

// overlay is bytes of a line, some of them known.
type overlay struct {
	bytes [phys.LineSize]byte
	known uint64
}

// lay puts bytes on top.
func (o *overlay) lay(off int, data []byte) {
	copy(o.bytes[off:], data)
	o.known |= byteMask(off, len(data))
}

// layPieces puts those pieces of an entry on top that the mask names.
func (o *overlay) layPieces(ln *line, e *entry, mask int) {
	data, first := ln.bytesOf(e), int(e.off)>>3
	for i := range e.pieces() {
		if mask>>i&1 == 0 {
			continue
		}
		from, to := max((first+i)*8, int(e.off)), min((first+i+1)*8, int(e.off+e.size))
		o.lay(from, data[from-int(e.off):to-int(e.off)])
	}
}

// under puts bytes below what is known.
func (o *overlay) under(bytes *[phys.LineSize]byte, known uint64) {
	for k := known &^ o.known; k != 0; k &= k - 1 {
		i := bits.TrailingZeros64(k)
		o.bytes[i] = bytes[i]
	}
	o.known |= known
}
