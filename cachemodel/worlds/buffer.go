package worlds

import (
	"math/bits"

	"zhuque/sim/phys"
)

// buffered is an entry of a store buffer.
type buffered struct {
	line   phys.LineAddr
	at     uint64 // of a store: its place in the order of retirement
	site   Site
	kind   bufferedKind
	off    uint8
	size   uint8
	joined bool // of the same store as the entry before: it crosses a line
	data   [phys.LineSize]byte
}

type bufferedKind uint8

const (
	bufferedStore   bufferedKind = iota
	bufferedCLFLUSH              // acts when it leaves
	bufferedFlush                // CLFLUSHOPT or CLWB behind a store of its line or a fence
	bufferedFence                // SFENCE
	bufferedGone                 // a bufferedFlush that has become pending
)

// acts reports whether the entry changes what a cut may leave of its line.
func (b *buffered) acts() bool { return b.kind == bufferedStore || b.kind == bufferedCLFLUSH }

func (c *core) length() int { return int(c.tail - c.head) }

// nth returns the n-th oldest entry.
func (c *core) nth(n int) *buffered { return &c.ring[(c.head+uint32(n))&uint32(len(c.ring)-1)] }

// push returns a new youngest entry, to be filled in.
func (c *core) push(capacity int) *buffered {
	if c.ring == nil {
		c.ring = make([]buffered, 1<<bits.Len(uint(min(capacity, 5)+2)))
	}
	if c.length() == len(c.ring) {
		ring := make([]buffered, 2*len(c.ring))
		for i := range c.length() {
			ring[(c.head+uint32(i))&uint32(len(ring)-1)] = *c.nth(i)
		}
		c.ring = ring
	}
	c.tail++
	return c.nth(c.length() - 1)
}

// orders reports whether a CLFLUSHOPT or CLWB of the line may not act yet: an
// older store of the line or an older fence is in the buffer.
func (c *core) orders(l phys.LineAddr) bool {
	for i := range c.length() {
		if b := c.nth(i); b.kind == bufferedFence || b.kind == bufferedStore && b.line == l {
			return true
		}
	}
	return false
}

// waits reports whether the youngest entry about the line is a CLFLUSHOPT or CLWB,
// and makes it that of another one.
func (c *core) waits(l phys.LineAddr, site Site) bool {
	for i := c.length() - 1; i >= 0; i-- {
		switch b := c.nth(i); {
		case b.kind == bufferedFence || b.line == l && b.acts():
			return false
		case b.kind == bufferedFlush && b.line == l:
			b.site = site
			return true
		}
	}
	return false
}

// overflow keeps the core's buffer within its capacity. What waits beside the
// order of the buffer takes no room.
func (m *Memory) overflow(id int) {
	c := &m.cores[id]
	for c.length()-c.beside > m.cfg.StoreBuffer {
		m.Commit(id)
	}
}

// FenceBuffered retires an SFENCE into the store buffer, where it waits for the
// stores before it while younger loads do not wait for it. Fence is simpler and
// enough where nobody can tell.
func (m *Memory) FenceBuffered(id int, site Site) {
	b := m.cores[id].push(m.cfg.StoreBuffer)
	b.kind, b.site, b.line, b.joined = bufferedFence, site, 0, false
}

// Buffered returns how many entries the core's store buffer has, and how many of
// them are fences.
func (m *Memory) Buffered(id int) (entries, fences int) {
	c := &m.cores[id]
	for i := range c.length() {
		if c.nth(i).kind == bufferedFence {
			fences++
		}
	}
	return c.length(), fences
}

// Oldest returns the instruction of the oldest entry of the core's store buffer.
func (m *Memory) Oldest(id int) (site Site, ok bool) {
	c := &m.cores[id]
	if c.length() == 0 {
		return 0, false
	}
	return c.nth(0).site, true
}

// Drain empties the core's store buffer, oldest first.
func (m *Memory) Drain(id int) {
	for m.cores[id].length() > 0 {
		m.Commit(id)
	}
}

// Commit lets the oldest entry of the core's store buffer take effect.
func (m *Memory) Commit(id int) {
	c := &m.cores[id]
	if c.length() == 0 {
		return
	}
	if m.cfg.Domain == EADR && c.nth(0).kind == bufferedStore && m.hides(c) {
		m.before()
	}
	b := c.nth(0)
	switch b.kind {
	case bufferedStore:
		m.visible(m.open(b.line), id, int(b.off), b.data[:b.size], b.site, b.at)
		ln := m.open(b.line)
		ln.buffered--
		m.closeIfDone(ln)
	case bufferedCLFLUSH:
		c.strong--
		m.clflush(id, b.line, b.site)
	case bufferedFence:
		m.barrier(id, true, b.site)
	default:
		panic("BUG: a flush with nothing to wait for is in a store buffer")
	}
	l, kind := b.line, b.kind
	c.head++
	if c.weak > 0 && (kind == bufferedStore || kind == bufferedFence) {
		m.noteWaiting(id, l, kind == bufferedFence)
	}
	for c.length() > 0 && c.nth(0).kind == bufferedGone {
		c.head++
		c.beside--
	}
}

// hides reports whether states are lost that no look has seen when the core's
// oldest store becomes visible, which under eADR is its guarantee: those that have
// a younger store than the last look and not this one. Its own younger stores are
// not without it.
func (m *Memory) hides(c *core) bool {
	return m.unseen || c.nth(0).at > m.looked || m.ntNew > 0 || m.retired-m.looked != c.retired-c.looked
}

// noteWaiting lets the flushes act that waited for a store of their line, or for
// a fence.
func (m *Memory) noteWaiting(id int, l phys.LineAddr, fence bool) {
	c := &m.cores[id]
	for i := range c.length() {
		b := c.nth(i)
		if b.kind == bufferedFence || !fence && b.kind == bufferedStore && b.line == l {
			return
		}
		if b.kind == bufferedFlush && (b.line == l || fence && !c.storeBefore(i, b.line)) {
			b.kind = bufferedGone
			c.weak--
			m.note(id, b.line, b.site)
		}
	}
}

// storeBefore reports whether one of the n oldest entries stores to the line.
func (c *core) storeBefore(n int, l phys.LineAddr) bool {
	for i := range n {
		if b := c.nth(i); b.kind == bufferedStore && b.line == l {
			return true
		}
	}
	return false
}

// commitThrough lets everything up to the youngest entry that match names leave
// the core's buffer.
func (m *Memory) commitThrough(id int, match func(*buffered) bool) {
	c := &m.cores[id]
	wait := 0
	for i := range c.length() {
		if match(c.nth(i)) {
			wait = i + 1
		}
	}
	for range wait {
		m.Commit(id)
	}
}
