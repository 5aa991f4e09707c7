package cachemodel

import "zhuque/sim/phys"

const (
	maxWC     = 16
	wholeLine = 1<<phys.LineSize - 1
)

// wcBuffers are a core's write-combining buffers, oldest first.
type wcBuffers struct {
	entry    [maxWC]wcEntry
	n        int
	capacity int
}

// wcEntry holds the non-temporal stores to one line.
type wcEntry struct {
	line phys.LineAddr
	mask uint64      // bit i: byte i was stored
	full phys.Cycles // when the last byte came: a full buffer is on its way
	old  image       // the visible bytes under them
}

func (b *wcBuffers) find(l phys.LineAddr) int {
	for i := range b.entry[:b.n] {
		if b.entry[i].line == l {
			return i
		}
	}
	return -1
}

// NTStore is a non-temporal store of size bytes (1..16, within one line) that
// replaced old.
func (c *Core) NTStore(a phys.Addr, size uint8, lo, hi uint64) {
	l := a.Line()
	c.h.stats.NTStores++
	c.claim(l)
	c.orderBefore(l)
	i := c.wc.find(l)
	if i < 0 {
		i = c.openWC(l)
	}
	e := &c.wc.entry[i]
	off := a & (phys.LineSize - 1)
	for k := range phys.Addr(size) {
		if e.mask>>(off+k)&1 == 0 {
			e.old[off+k] = byte([2]uint64{lo, hi}[k>>3] >> (8 * (k & 7)))
		}
	}
	if e.mask |= (1<<size - 1) << off; e.mask == wholeLine && e.full == 0 {
		e.full = c.now()
	}
}

// orderBefore lets those buffered entries leave that must precede a write to l
// past the caches: up to the youngest of the line and the youngest CLFLUSH.
func (c *Core) orderBefore(l phys.LineAddr) {
	b := &c.SB
	for i := b.tail; i != b.head; i-- {
		e := &b.ring[(i-1)%ringSize]
		if e.Addr.Line() == l || e.Size == 0 && FlushKind(e.Old[0]) == CLFLUSH {
			for b.head != i {
				c.commitOldest()
			}
			return
		}
	}
}

// openWC gives l a buffer; a cached copy is written back and dropped first.
func (c *Core) openWC(l phys.LineAddr) int {
	if c.wc.n == c.wc.capacity {
		c.until(StallNT, c.evictWC(0))
	}
	if w := c.h.expel(l); w&dirty != 0 {
		c.h.stats.FlushWriteBacks++
		c.h.writeBack(w)
	}
	i := c.wc.n
	c.wc.n++
	e := &c.wc.entry[i]
	e.line, e.mask, e.full, e.old = l, 0, 0, image{}
	c.hold(l)
	return i
}

// evictWC sends entry i to the memory controller: it is now visible and persistent.
// It returns the time at which the buffer is free.
func (c *Core) evictWC(i int) (free phys.Cycles) {
	h, e := c.h, &c.wc.entry[i]
	if h.expel(e.line)&dirty != 0 { // a load may have cached the line meanwhile
		panic("BUG: dirty line under a write-combining buffer")
	}
	h.stats.WCEvictions++
	at := e.full
	if e.mask != wholeLine {
		h.stats.WCPartial++
		at = c.now()
	}
	if e.line.IsPMEM() {
		h.stats.PMEMWrites++
		free = c.sendNT(e.line, at, h.cost.pmemNT)
	} else {
		h.stats.DRAMWrites++
		free = c.sendNT(e.line, at, h.cost.dramNT)
	}
	c.release(e.line)
	copy(c.wc.entry[i:], c.wc.entry[i+1:c.wc.n])
	c.wc.n--
	return free
}
