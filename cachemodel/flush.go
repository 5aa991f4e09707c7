package cachemodel

import "zhuque/sim/phys"

// pendingFlush is a CLFLUSHOPT or CLWB of a dirty PMEM line that has left the
// store buffer and waits for a barrier of its core. A core has at most one of a
// line: a later flush replaces an earlier one, whose guarantee would begin at the
// same barrier. Each core that flushed the line has its own.
type pendingFlush struct {
	line phys.LineAddr
	// image is the line as it was when the flush left the buffer, kept from the
	// first store after it; 0 while there was none.
	image uint32
	// saved orders images of one line: flushes that saw the same content have the
	// same number, those that saw a later one a greater. 0 without an image.
	saved uint64
	kind  FlushKind
}

func (c *Core) pendingFlush(l phys.LineAddr) int {
	for i := range c.flushes {
		if c.flushes[i].line == l {
			return i
		}
	}
	return -1
}

// forgetFlush drops pending flush i and its image.
func (c *Core) forgetFlush(i int) {
	c.h.images.drop(c.flushes[i].image, c.h.epoch)
	c.flushes = append(c.flushes[:i], c.flushes[i+1:]...)
}

// saveForFlushes keeps the content of a line that is about to be stored to for
// the pending flushes that saw it.
func (c *Core) saveForFlushes(l phys.LineAddr) {
	h := c.h
	h.saves++
	for _, o := range h.cores {
		i := o.pendingFlush(l)
		if i < 0 || o.flushes[i].image != 0 {
			continue
		}
		p := &o.flushes[i]
		var m *image
		p.image, m = h.images.alloc(h.epoch)
		p.saved = h.saves
		c.visible(l, m)
		h.stats.PreImages++
	}
}

// forgetFlushes drops the pending flushes of a line that saw the content numbered
// saved or an earlier one. It returns the flags that the others give the line.
func (h *Hierarchy) forgetFlushes(l phys.LineAddr, saved uint64) (flags word) {
	for _, c := range h.cores {
		i := c.pendingFlush(l)
		switch {
		case i < 0:
		case c.flushes[i].image == 0 && saved != allSaves:
			flags |= pending | armed
		case c.flushes[i].saved > saved:
			flags |= pending
		default:
			c.forgetFlush(i)
		}
	}
	return flags
}

// allSaves is above every pendingFlush.saved.
const allSaves = ^uint64(0)

// Flush is a CLFLUSH, CLFLUSHOPT or CLWB of a line. It takes its place in the
// store buffer.
func (c *Core) Flush(l phys.LineAddr, k FlushKind) {
	switch k {
	case CLFLUSH:
		c.h.stats.CLFLUSH++
	case CLFLUSHOPT:
		c.h.stats.CLFLUSHOPT++
	case CLWB:
		c.h.stats.CLWB++
	}
	c.SB.flushes++
	b := &c.SB
	if b.Push(l.Addr(), 0, uint64(k), uint64(c.now())); b.tail-b.head > b.capacity {
		c.commitOldest()
	}
}

// flushLeaves is a flush at the head of the store buffer, executed at time at: what
// it sends has been on its way since then.
func (c *Core) flushLeaves(l phys.LineAddr, k FlushKind, at phys.Cycles) {
	if k == CLFLUSH {
		c.clflush(l)
		return
	}
	w, v := c.locate(l)
	switch {
	case w == nil:
	case *w&dirty == 0:
		c.settle(l, k)
	case !l.IsPMEM():
		v.count(*w, -1)
		*w &^= dirty
		c.h.stats.FlushWriteBacks++
		c.h.stats.DRAMWrites++
		c.sendFlush(l, at, c.h.cost.dramWrite)
		c.settle(l, k)
	default:
		if *w&pending != 0 {
			if i := c.pendingFlush(l); i >= 0 {
				c.forgetFlush(i)
			}
		}
		*w |= pending | armed
		c.h.refreshMRU(l)
		c.flushes = append(c.flushes, pendingFlush{line: l, kind: k})
		c.sendFlush(l, at, c.h.cost.pmemWrite)
		if len(c.flushes) > c.h.cfg.PendingFlushes {
			c.complete()
		}
	}
}

// clflush writes a line back and invalidates it.
func (c *Core) clflush(l phys.LineAddr) {
	if i := c.wc.find(l); i >= 0 {
		c.evictWC(i)
	}
	w := c.h.expel(l)
	if w&dirty == 0 {
		return
	}
	c.h.stats.FlushWriteBacks++
	c.h.writeBack(w)
	latency := c.h.cost.dramWrite
	if l.IsPMEM() {
		latency = c.h.cost.pmemWrite
	}
	if c.h.devices != nil {
		c.until(StallStoreBuffer, c.flight.stored)
		c.h.devices.Write(c.id, l, false, c.h.picos(c.now()))
	}
	c.stall(StallFlush, latency)
}

// settle leaves a clean line as the flush kind wants it: cached or not.
func (c *Core) settle(l phys.LineAddr, k FlushKind) {
	if k == CLFLUSHOPT || c.h.cfg.CLWBEvicts {
		c.h.expel(l)
	} else {
		c.h.refreshMRU(l)
	}
}

// refreshMRU notes a changed state of a line in every core's filter.
func (h *Hierarchy) refreshMRU(l phys.LineAddr) {
	for _, c := range h.cores {
		c.refreshMRU(l)
	}
}

// complete gives the oldest pending flush its guarantee.
func (c *Core) complete() {
	h := c.h
	p := &c.flushes[0]
	l := p.line
	w, v := c.locate(l)
	if w == nil || *w&pending == 0 {
		panic("BUG: pending flush of a line that is not waiting for one")
	}
	h.stats.FlushWriteBacks++
	h.stats.PMEMWrites++
	h.images.drop(w.index(), h.epoch)
	k := p.kind
	if p.image != 0 { // stored to since: it stays dirty, over what the flush saw
		image, saved := p.image, p.saved
		p.image = 0
		c.forgetFlush(0)
		*w = w.withIndex(image) &^ (pending | armed)
		*w |= h.forgetFlushes(l, saved)
		return
	}
	v.count(*w, -1)
	*w = newWord(l) | *w&shared
	h.forgetFlushes(l, allSaves)
	c.settle(l, k)
}

// Fence orders what came before; see the package comment for what each kind
// drains and completes.
func (c *Core) Fence(k FenceKind) {
	h := c.h
	c.stall(fenceCause[k], h.cfg.FenceCycles[k])
	switch k {
	case SFENCE:
		h.stats.SFENCE++
	case LFENCE:
		h.stats.LFENCE++
		c.settleLoads()
		return
	case MFENCE:
		h.stats.MFENCE++
	case Locked:
		h.stats.Locked++
	case Serialize:
		h.stats.Serialize++
	case Interrupt:
		h.stats.Interrupt++
	}
	if k != SFENCE {
		c.settleLoads()
	}
	for c.SB.head != c.SB.tail {
		c.commitOldest()
	}
	completes := k == SFENCE || k == MFENCE || k == Locked
	if completes {
		for len(c.flushes) > 0 {
			c.complete()
		}
	}
	for c.wc.n > 0 {
		c.evictWC(0)
	}
	c.drain(completes)
	if completes {
		c.until(StallFlush, c.path.flushed)
	}
	c.until(StallNT, c.path.ntSent)
}
