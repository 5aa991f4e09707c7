package cachemodel

import "zhuque/sim/phys"

// pendingFlush is a CLFLUSHOPT or CLWB of a dirty PMEM line that has left the
// store buffer and waits for a barrier. A line has at most one: a later flush
// replaces an earlier one, whose guarantee would begin at the same barrier.
type pendingFlush struct {
	line phys.LineAddr
	// image is the line as it was when the flush left the buffer, kept from the
	// first store after it; 0 while there was none.
	image uint32
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
	if c.SB.Push(l.Addr(), 0, uint64(k), 0) {
		c.CommitOldest()
	}
}

// flushLeaves is a flush at the head of the store buffer.
func (c *Core) flushLeaves(l phys.LineAddr, k FlushKind) {
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
		c.inFlight.flushDRAM++
		c.settle(l, k)
	default:
		if *w&pending != 0 {
			c.forgetFlush(c.pendingFlush(l))
		}
		*w |= pending | armed
		c.touchMRU(l, *w)
		c.flushes = append(c.flushes, pendingFlush{line: l, kind: k})
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
	if w := c.expel(l); w&dirty != 0 {
		c.h.stats.FlushWriteBacks++
		c.h.writeBack(w)
		if l.IsPMEM() {
			c.Stall += c.h.cost.pmemWrite
		} else {
			c.Stall += c.h.cost.dramWrite
		}
	}
}

// settle leaves a clean line as the flush kind wants it: cached or not.
func (c *Core) settle(l phys.LineAddr, k FlushKind) {
	if k == CLFLUSHOPT || c.h.cfg.CLWBEvicts {
		c.expel(l)
	} else if w, _ := c.locate(l); w != nil {
		c.touchMRU(l, *w)
	}
}

// touchMRU notes a changed state of a line that may be in the MRU filter.
func (c *Core) touchMRU(l phys.LineAddr, w word) {
	if c.MRU[l&c.MRUMask&63] == l {
		c.setMRU(l, w)
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
	c.inFlight.flushPMEM++
	h.images.drop(w.index(), h.epoch)
	if p.image != 0 { // stored to since: it stays dirty, over what the flush saw
		*w = w.withIndex(p.image) &^ pending
		p.image = 0
		c.forgetFlush(0)
		return
	}
	v.count(*w, -1)
	*w = newWord(l)
	k := p.kind
	c.forgetFlush(0)
	c.settle(l, k)
}

// Fence orders what came before; see the package comment for what each kind
// drains and completes.
func (c *Core) Fence(k FenceKind) {
	h := c.h
	c.Stall += h.cfg.FenceCycles[k]
	switch k {
	case SFENCE:
		h.stats.SFENCE++
	case LFENCE:
		h.stats.LFENCE++
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
	for c.SB.head != c.SB.tail {
		c.CommitOldest()
	}
	if k == SFENCE || k == MFENCE || k == Locked {
		for len(c.flushes) > 0 {
			c.complete()
		}
	}
	for c.wc.n > 0 {
		c.evictWC(0)
	}
	if c.inFlight != (inFlight{}) {
		c.Stall += c.wait()
	}
}

// wait returns how long a barrier waits for the lines in flight to be accepted,
// and ends their flight: the longest first latency and a gap for each other line.
func (c *Core) wait() phys.Cycles {
	f, t := c.inFlight, &c.h.cost
	c.inFlight = inFlight{}
	var first, sum phys.Cycles
	add := func(n uint32, latency, gap phys.Cycles) {
		if n == 0 {
			return
		}
		if latency > first {
			first = latency
		}
		sum += phys.Cycles(n) * gap
	}
	add(f.flushPMEM, t.pmemWrite, t.flushGap)
	add(f.flushDRAM, t.dramWrite, t.flushGap)
	add(f.ntPMEM, t.pmemNT, t.ntGap)
	add(f.ntDRAM, t.dramNT, t.ntGap)
	return max(first, sum)
}
