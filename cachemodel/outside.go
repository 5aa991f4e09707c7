package cachemodel

import "zhuque/sim/phys"

// Who changes persistent memory without storing through a core says so with one of
// these: DMA when a whole line gets a new content, Overwrite for some of its bytes, as
// a write(2) into a file of which other bytes are mapped. WriteBack is what a
// synchronization of such a file does.

// DMA says that a device, a loader or anyone else who does not store through a
// core is about to write to a line: what the cores stored to it becomes visible
// and persistent, and no cache holds it any more. The write itself is persistent
// at once. Call it before the current bytes change.
func (h *Hierarchy) DMA(l phys.LineAddr) {
	for _, c := range h.cores {
		c.orderBefore(l)
		if i := c.wc.find(l); i >= 0 {
			c.evictWC(i)
		}
	}
	if w := h.expel(l); w&dirty != 0 {
		h.stats.FlushWriteBacks++
		h.writeBack(w)
	}
}

// Overwrite says that the bytes of data are put at a, within one line, and are persistent
// at once. Nothing else is: what the cores have stored around them stays as much at risk as it was.
// Loads see the new bytes, whatever a core has buffered. Call it before or after the current
// bytes change.
func (h *Hierarchy) Overwrite(a phys.Addr, data []byte) {
	l := a.Line()
	if !l.IsPMEM() {
		return // nothing of it is ever taken back
	}
	off := int(a & (phys.LineSize - 1))
	for _, c := range h.cores {
		c.SB.overwrite(a, data)
		if i := c.wc.find(l); i >= 0 {
			copy(c.wc.entry[i].old[off:], data)
		}
		if i := c.pendingFlush(l); i >= 0 {
			h.images.patch(c.flushes[i].image, h.epoch, off, data)
		}
	}
	if w, _ := h.cores[0].locate(l); w != nil && *w&dirty != 0 {
		h.images.patch(w.index(), h.epoch, off, data)
	}
}

// overwrite lets the take-back of buffered stores leave data at a.
func (b *StoreBuffer) overwrite(a phys.Addr, data []byte) {
	for i := b.head; i != b.tail; i++ {
		e := &b.ring[i%ringSize]
		for k := range phys.Addr(e.Size) {
			if at := e.Addr + k; at >= a && at < a+phys.Addr(len(data)) {
				v, shift := &e.Old[k>>3], 8*(k&7)
				*v = *v&^(0xff<<shift) | uint64(data[at-a])<<shift
			}
		}
	}
}

// patch puts data into an image; index 0 is ignored.
func (p *images) patch(i uint32, epoch uint64, off int, data []byte) {
	if i != 0 {
		copy(p.own(i, epoch)[off:], data)
	}
}

// WriteBack makes what the cores have stored to a frame visible and persistent, as CLWB
// and SFENCE over all of it would. Its lines stay cached.
func (h *Hierarchy) WriteBack(f phys.Frame) {
	for _, c := range h.cores {
		c.letOut(func(of phys.LineAddr) bool { return of.Addr().Frame() == f })
	}
	first := f.Addr().Line()
	for l := first; l < first+phys.PageSize/phys.LineSize; l++ {
		w, v := h.cores[0].locate(l)
		if w == nil || *w&dirty == 0 {
			continue
		}
		h.stats.FlushWriteBacks++
		h.writeBack(*w)
		v.count(*w, -1)
		*w = newWord(l) | *w&shared
		h.refreshMRU(l)
	}
}

// Leaving is what becomes of the buffers when the cores let go of their oldest stores at the end.
type Leaving struct {
	Stores  int             // that become visible
	Dirtied []phys.LineAddr // lines of persistent memory that they make dirty, and that no cache holds dirty yet
	DRAM    int             // lines of DRAM that they make dirty
	WC      int             // write-combining buffers of persistent memory
}

// Leaving counts what leaves the buffers when of each core the oldest keep[i] stores become
// visible, in the words of Loss.KeepStores. The hierarchy is not changed.
func (h *Hierarchy) Leaving(keep []int) (v Leaving) {
	for i, c := range h.cores {
		for _, e := range c.wc.entry[:c.wc.n] {
			if e.line.IsPMEM() {
				v.WC++
			}
		}
		end := c.kept(keep, i)
		for at := c.SB.head; at != end; at++ {
			if e := &c.SB.ring[at%ringSize]; e.Size != 0 {
				v.Stores++
				h.dirties(e.Addr.Line(), &v)
			}
		}
	}
	return v
}

// WCLines returns the lines of the first n write-combining buffers of persistent memory, in the
// order in which they leave at the end: core by core, the oldest of each first.
func (h *Hierarchy) WCLines(n int) (lines []phys.LineAddr) {
	for _, c := range h.cores {
		for _, e := range c.wc.entry[:c.wc.n] {
			if e.line.IsPMEM() && len(lines) < n {
				lines = append(lines, e.line)
			}
		}
	}
	return lines
}

// dirties notes that a store to a line leaves a buffer. A CLFLUSH after it in the buffer
// writes the line back at once; the energy for that is the same.
func (h *Hierarchy) dirties(l phys.LineAddr, v *Leaving) {
	for _, d := range v.Dirtied {
		if d == l {
			return
		}
	}
	if h.holdsDirty(l) {
		return
	}
	if l.IsPMEM() {
		v.Dirtied = append(v.Dirtied, l)
	} else {
		v.DRAM++ // a line that is stored to twice counts twice: a bound from above
	}
}

// holdsDirty reports whether a cache holds a line dirty.
func (h *Hierarchy) holdsDirty(l phys.LineAddr) bool {
	for _, c := range h.cores {
		for _, v := range [2]*level{&c.l1, &c.l2} {
			if set := v.peek(l); set != nil {
				if i := find(set, l); i >= 0 && set[i]&dirty != 0 {
					return true
				}
			}
		}
	}
	set := h.llc.peek(l)
	i := find(set, l)
	return i >= 0 && set[i]&dirty != 0
}
