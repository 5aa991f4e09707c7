package cachemodel

import (
	"fmt"

	"zhuque/sim/phys"
)

// CheckInvariants reports the first thing that must never be so.
func (h *Hierarchy) CheckInvariants() error {
	where, imagesInUse := map[phys.LineAddr]int{}, 0
	for i, v := range h.levels() {
		var dirtyLines, dirtyPMEM int
		var err error
		v.each(func(set uint64, way int, w word) bool {
			l := w.line()
			if at, twice := where[l]; twice {
				err = fmt.Errorf("line %v is in levels %d and %d", l.Addr(), at, i)
			}
			where[l] = i
			if uint64(l)&v.mask != set {
				err = fmt.Errorf("line %v is in set %d of level %d", l.Addr(), set, i)
			}
			if w&dirty != 0 {
				dirtyLines++
				if l.IsPMEM() {
					dirtyPMEM++
				}
			}
			hasImage := w.index() != 0
			if hasImage != (w&dirty != 0 && l.IsPMEM()) || w&dirty == 0 && w&(pending|armed) != 0 {
				err = fmt.Errorf("line %v has flags %b and pre-image %d", l.Addr(), w&7, w.index())
			}
			if hasImage {
				imagesInUse++
			}
			return err == nil
		})
		if err != nil {
			return err
		}
		if dirtyLines != v.dirty || dirtyPMEM != v.dirtyPMEM {
			return fmt.Errorf("level %d has %d dirty lines, %d of PMEM; counted %d and %d", i, dirtyLines, dirtyPMEM, v.dirty, v.dirtyPMEM)
		}
	}
	for _, c := range h.cores {
		if err := c.checkMRU(); err != nil {
			return err
		}
		for _, p := range c.flushes {
			if w, _ := c.locate(p.line); w == nil || *w&pending == 0 || (*w&armed != 0) != (p.image == 0) {
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
			return fmt.Errorf("MRU[%d]: stores are fast: %v, but the line has flags %b", i, fast, set[0]&7)
		}
	}
	return nil
}
