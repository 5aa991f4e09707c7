package cachemodel

import "zhuque/sim/phys"

// claims tells a core whether its access to a line concerns another core, without
// a search of all of them. A hierarchy of one core has none.
type claims struct {
	// owner, by ownerSlot: a line and the core that may push stores to it without
	// asking, because no other core has it in its MRU filter, its store buffer or
	// its write-combining buffers. An entry may be overwritten at any time; its
	// core then claims the line again.
	owner [ownerSlots]claim
	// held, by heldSlot: buffered stores and write-combining entries of all cores.
	held [heldSlots]uint16
}

// claim is a line number plus one and a core; 0 for none.
type claim uint64

const (
	ownerSlots = 512
	heldSlots  = 1024
	coreBits   = 6 // MaxCores
)

func ownerSlot(l phys.LineAddr) int { return int(l % ownerSlots) }
func heldSlot(l phys.LineAddr) int  { return int(l % heldSlots) }

func (c *Core) claimOf(l phys.LineAddr) claim { return claim(l+1)<<coreBits | claim(c.id) }

// claim makes c the only core that holds or filters anything of a line to which
// it is about to store: what others have buffered for it becomes visible, and
// their next access to it comes to the model.
func (c *Core) claim(l phys.LineAddr) {
	k := c.claims
	if k == nil || k.owner[ownerSlot(l)] == c.claimOf(l) {
		return
	}
	c.callIn(l)
	for _, o := range c.h.cores {
		if o != c {
			o.dropMRU(l)
		}
	}
	k.owner[ownerSlot(l)] = c.claimOf(l)
}

// meet ends another core's claim to a line that c is about to load: what others
// have buffered for it becomes visible, and they must claim it again.
func (c *Core) meet(l phys.LineAddr) {
	o := &c.claims.owner[ownerSlot(l)]
	if *o>>coreBits == claim(l+1) && *o != c.claimOf(l) {
		*o = 0
	}
	c.callIn(l)
}

// callIn makes visible what the other cores have buffered for a line.
func (c *Core) callIn(l phys.LineAddr) {
	slot := heldSlot(l)
	if c.claims.held[slot] == uint16(c.held[slot]) {
		return
	}
	for _, o := range c.h.cores {
		if o != c && o.held[slot] != 0 {
			o.letOut(func(of phys.LineAddr) bool { return of == l })
		}
	}
}

// letOut makes visible what the core has buffered for some lines, and whatever
// is older in its store buffer.
func (c *Core) letOut(of func(phys.LineAddr) bool) {
	b := &c.SB
	for i := b.tail; i != b.head; i-- {
		if e := &b.ring[(i-1)%ringSize]; e.Size != 0 && of(e.Addr.Line()) {
			for b.head != i {
				c.commitOldest()
			}
			break
		}
	}
	for i := 0; i < c.wc.n; {
		if of(c.wc.entry[i].line) {
			c.evictWC(i)
		} else {
			i++
		}
	}
}

// Fetch says that the core is about to decode instructions of a frame: what
// other cores have buffered for it becomes visible.
func (c *Core) Fetch(f phys.Frame) {
	if c.claims == nil {
		return
	}
	for _, o := range c.h.cores {
		if o != c {
			o.letOut(func(of phys.LineAddr) bool { return of.Addr().Frame() == f })
		}
	}
}

// pushedAmongCores is Pushed where there are other cores.
func (c *Core) pushedAmongCores() {
	b := &c.SB
	l := b.ring[(b.tail-1)%ringSize].Addr.Line()
	if c.claims.owner[ownerSlot(l)] != c.claimOf(l) {
		c.claim(l)
	}
	c.hold(l)
	if b.tail-b.head > b.capacity {
		c.commitOldest()
	}
}

// hold counts a buffered store or a write-combining entry of a line.
func (c *Core) hold(l phys.LineAddr) {
	if c.claims != nil {
		c.claims.held[heldSlot(l)]++
		c.held[heldSlot(l)]++
	}
}

// release is the contrary of hold.
func (c *Core) release(l phys.LineAddr) {
	if c.claims != nil {
		c.claims.held[heldSlot(l)]--
		c.held[heldSlot(l)]--
	}
}

// private returns the word of a line in the core's own caches for writing, and
// its level.
func (c *Core) private(l phys.LineAddr) (*word, *level) {
	for _, v := range [2]*level{&c.l1, &c.l2} {
		if i := find(v.peek(l), l); i >= 0 {
			return &v.own(l, c.h.epoch)[i], v
		}
	}
	return nil, nil
}

// takePrivate removes a line from the core's own caches and returns its word.
func (c *Core) takePrivate(l phys.LineAddr) word {
	c.dropMRU(l)
	w := c.l1.take(l, c.h.epoch)
	if w == 0 {
		w = c.l2.take(l, c.h.epoch)
	}
	return w
}

// fetchShared is the part of fetchBeyond that other cores have a part in. It
// returns 0 when the line must come from memory.
func (c *Core) fetchShared(l phys.LineAddr, store bool) (w word, latency phys.Cycles, from StallCause) {
	h := c.h
	if latency, from = h.cost.llc, StallLoadLLC; !store {
		w = h.lend(l)
	} else if w = h.llc.take(l, h.epoch); w&shared != 0 {
		c.invalidateOthers(l)
		w, latency = w&^shared, h.cost.upgrade
	}
	if w != 0 {
		return w, latency, from
	}
	if w = c.snoop(l, store); w != 0 {
		h.stats.Transfers++
	}
	return w, h.cost.transfer, StallLoadCore
}

// snoop brings a line that neither c nor the LLC holds from another core: for a
// store it leaves all others, with what is dirty. For a load it becomes shared,
// and a dirty line moves to the LLC. It returns 0 when no core holds it.
func (c *Core) snoop(l phys.LineAddr, store bool) word {
	if store {
		return c.invalidateOthers(l)
	}
	for _, o := range c.h.cores {
		if o == c {
			continue
		}
		w, v := o.private(l)
		if w == nil {
			continue
		}
		if *w&dirty != 0 {
			c.h.stats.Downgrades++
			c.h.intoLLC(*w | shared)
			v.count(*w, -1)
			*w = newWord(l)
			o.refreshMRU(l)
		}
		*w |= shared
		return newWord(l) | shared
	}
	return 0
}

// invalidateOthers removes a line from the caches of all other cores. It returns
// the word of a dirty one, or else of any, as the only copy.
func (c *Core) invalidateOthers(l phys.LineAddr) (w word) {
	for _, o := range c.h.cores {
		if o == c {
			continue
		}
		if v := o.takePrivate(l); v != 0 {
			c.h.stats.Invalidations++
			w = v
		}
	}
	return w &^ shared
}

// alone makes w, which has left its set or is of the core's own L1, the only
// copy of its line. What the LLC holds dirty comes along.
func (c *Core) alone(w word) word {
	l := w.line()
	if v := c.h.llc.take(l, c.h.epoch); v&dirty != 0 {
		w = v
	}
	c.invalidateOthers(l)
	return w &^ shared
}

// upgrade makes the line that a store found shared in the L1, most recent of its
// set, the only copy.
func (c *Core) upgrade(w *word) {
	c.h.stats.Upgrades++
	c.stall(StallStoreBuffer, c.h.cost.upgrade/phys.Cycles(c.h.cfg.StoreOverlap))
	*w = c.alone(*w)
	c.l1.count(*w, 1)
}

// heldElsewhere reports whether the LLC or another core holds a copy.
func (c *Core) heldElsewhere(l phys.LineAddr) bool {
	if find(c.h.llc.peek(l), l) >= 0 {
		return true
	}
	for _, o := range c.h.cores {
		if o != c && (find(o.l1.peek(l), l) >= 0 || find(o.l2.peek(l), l) >= 0) {
			return true
		}
	}
	return false
}

// lend returns what the LLC gives a core that loads a line: the line itself, or
// a copy when other cores may have copies too. It returns 0 when the LLC does not
// hold it.
func (h *Hierarchy) lend(l phys.LineAddr) word {
	i := find(h.llc.peek(l), l)
	if i < 0 {
		return 0
	}
	set := h.llc.own(l, h.epoch)
	if set[i]&shared == 0 {
		return h.llc.take(l, h.epoch)
	}
	toFront(set, i)
	return newWord(l) | shared
}

// intoLLC puts a line into the LLC; a dirty victim goes to memory.
func (h *Hierarchy) intoLLC(w word) {
	if w = h.llc.put(w, h.epoch); w&dirty != 0 {
		h.stats.LLCWriteBacks++
		h.writeBack(w)
		h.evict(w.line())
	}
}
