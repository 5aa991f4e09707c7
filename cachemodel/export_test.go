package cachemodel

import (
	"fmt"

	"zhuque/sim/phys"
)

// copyOf is one cached copy of a line.
type copyOf struct {
	level int // of Hierarchy.levels
	w     word
}

// CheckInvariants reports the first thing that must never be so.
func (h *Hierarchy) CheckInvariants() error {
	copies, imagesInUse := map[phys.LineAddr][]copyOf{}, 0
	for i, v := range h.levels() {
		n, err := v.check(func(w word) { copies[w.line()] = append(copies[w.line()], copyOf{i, w}) })
		if err != nil {
			return fmt.Errorf("level %d: %w", i, err)
		}
		imagesInUse += n
	}
	for l, list := range copies {
		if err := h.checkCopies(list); err != nil {
			return fmt.Errorf("line %v: %w: %v", l.Addr(), err, list)
		}
	}
	for _, c := range h.cores {
		if err := c.checkMRU(); err != nil {
			return err
		}
		for _, p := range c.flushes {
			if w, _ := c.locate(p.line); w == nil || *w&pending == 0 || (p.saved == 0) != (p.image == 0) {
				return fmt.Errorf("pending flush %+v does not fit its line", p)
			}
			if p.image != 0 {
				imagesInUse++
			}
		}
	}
	if imagesInUse != h.images.live {
		return fmt.Errorf("%d images in use, %d allocated", imagesInUse, h.images.live)
	}
	return h.checkBuffers()
}

// check checks one level by itself and shows each of its words. It returns how
// many pre-images they have.
func (v *level) check(show func(word)) (imagesInUse int, err error) {
	var dirtyLines, dirtyPMEM int
	v.each(func(set uint64, way int, w word) bool {
		l := w.line()
		show(w)
		if uint64(l)&v.mask != set {
			err = fmt.Errorf("line %v is in set %d", l.Addr(), set)
		}
		if w&dirty != 0 {
			dirtyLines++
			if l.IsPMEM() {
				dirtyPMEM++
			}
		}
		hasImage := w.index() != 0
		if hasImage != (w&dirty != 0 && l.IsPMEM()) || w&dirty == 0 && w&(pending|armed) != 0 {
			err = fmt.Errorf("line %v has flags %b and pre-image %d", l.Addr(), w&15, w.index())
		}
		if hasImage {
			imagesInUse++
		}
		return err == nil
	})
	if err == nil && (dirtyLines != v.dirty || dirtyPMEM != v.dirtyPMEM) {
		err = fmt.Errorf("%d dirty lines, %d of PMEM; counted %d and %d", dirtyLines, dirtyPMEM, v.dirty, v.dirtyPMEM)
	}
	return imagesInUse, err
}

// checkCopies checks the copies of one line against each other.
func (h *Hierarchy) checkCopies(list []copyOf) error {
	n := len(h.cores)
	holds, dirtyCopies := map[int]bool{}, 0
	for _, c := range list {
		inLLC := c.level == 2*n
		if core := c.level % n; !inLLC {
			if holds[core] {
				return fmt.Errorf("twice in core %d", core)
			}
			holds[core] = true
		}
		if c.w&dirty != 0 {
			dirtyCopies++
		}
		switch {
		case len(list) > 1 && c.w&shared == 0:
			return fmt.Errorf("a copy counts as the only one")
		case c.w&(dirty|shared) == dirty|shared && !inLLC:
			return fmt.Errorf("dirty and shared in a core")
		case c.w&shared != 0 && n == 1:
			return fmt.Errorf("shared with nobody")
		}
	}
	if dirtyCopies > 1 {
		return fmt.Errorf("dirty in %d places", dirtyCopies)
	}
	for _, c := range list {
		var flags word
		for _, o := range h.cores {
			if i := o.pendingFlush(c.w.line()); i >= 0 {
				if flags |= pending; o.flushes[i].image == 0 {
					flags |= armed
				}
			}
		}
		if c.w&dirty != 0 && c.w&(pending|armed) != flags {
			return fmt.Errorf("flags %b, but the pending flushes say %b", c.w&15, flags)
		}
	}
	return nil
}

// checkMRU checks the contract of the load filter and of the store fast path.
func (c *Core) checkMRU() error {
	for i, l := range c.MRU {
		fast := c.mruDirty>>i&1 != 0
		if l == noLine {
			if fast {
				return fmt.Errorf("MRU[%d] is empty but stores to it are fast", i)
			}
			continue
		}
		set := c.l1.peek(l)
		if set == nil || set[0].line() != l || l&c.MRUMask&63 != phys.LineAddr(i) {
			return fmt.Errorf("MRU[%d] is %v, which is not the most recent of its L1 set", i, l.Addr())
		}
		if fast != (set[0]&(dirty|armed) == dirty) {
			return fmt.Errorf("MRU[%d]: stores are fast: %v, but the line has flags %b", i, fast, set[0]&15)
		}
	}
	return nil
}

// buffered returns how many stores and write-combining entries the core has of
// each line.
func (c *Core) buffered() map[phys.LineAddr]int {
	n := map[phys.LineAddr]int{}
	for i := c.SB.head; i != c.SB.tail; i++ {
		if e := &c.SB.ring[i%ringSize]; e.Size != 0 {
			n[e.Addr.Line()]++
		}
	}
	for _, e := range c.wc.entry[:c.wc.n] {
		n[e.line]++
	}
	return n
}

// checkBuffers checks that what one core has buffered for a line is out of all
// other cores' sight, and the tables that tell so without a search.
func (h *Hierarchy) checkBuffers() error {
	if h.claims == nil {
		return nil
	}
	var total [heldSlots]uint16
	by := map[phys.LineAddr]*Core{}
	for _, c := range h.cores {
		var held [heldSlots]uint8
		for l, n := range c.buffered() {
			held[heldSlot(l)] += uint8(n)
			total[heldSlot(l)] += uint16(n)
			if o := by[l]; o != nil {
				return fmt.Errorf("line %v is in the buffers of cores %d and %d", l.Addr(), o.id, c.id)
			}
			by[l] = c
		}
		if held != *c.held {
			return fmt.Errorf("core %d holds other lines than it counted", c.id)
		}
		for _, e := range c.wc.entry[:c.wc.n] {
			if w, _ := c.locate(e.line); w != nil && *w&(dirty|shared) != 0 {
				return fmt.Errorf("line %v under a write-combining buffer has flags %b", e.line.Addr(), *w&15)
			}
		}
	}
	if total != h.claims.held {
		return fmt.Errorf("the sum of what the cores hold is wrong")
	}
	for l, c := range by {
		for _, o := range h.cores {
			if o != c && o.MRU[l&o.MRUMask&63] == l {
				return fmt.Errorf("line %v is in core %d's filter and in core %d's buffers", l.Addr(), o.id, c.id)
			}
		}
	}
	return h.checkOwners(by)
}

// checkOwners checks that nobody else filters or buffers a claimed line; by tells
// whose buffers hold a line.
func (h *Hierarchy) checkOwners(by map[phys.LineAddr]*Core) error {
	for i, k := range h.claims.owner {
		if k == 0 {
			continue
		}
		l, owner := phys.LineAddr(k>>coreBits)-1, h.cores[k%MaxCores]
		if c := by[l]; ownerSlot(l) != i || c != nil && c != owner {
			return fmt.Errorf("line %v is claimed by core %d, but is not its own", l.Addr(), owner.id)
		}
		for _, o := range h.cores {
			if o != owner && o.MRU[l&o.MRUMask&63] == l {
				return fmt.Errorf("line %v is claimed by core %d, but core %d filters it", l.Addr(), owner.id, o.id)
			}
		}
	}
	return nil
}
