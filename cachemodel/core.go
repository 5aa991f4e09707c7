package cachemodel

import "zhuque/sim/phys"

// Buffered is one retired store that is not yet visible, with the bytes that it
// replaced: what a power cut may take back. Size 0 is a flush of the line at
// Addr that waits for its turn; Old[0] is its FlushKind, Old[1] the core's time when it came.
type Buffered struct {
	Addr phys.Addr
	Old  [2]uint64 // little-endian, the first Size bytes count
	Size uint8     // 1..16; never crosses a line
}

const ringSize = 128

// StoreBuffer is the FIFO of a core's retired, not yet visible stores and flushes.
type StoreBuffer struct {
	ring       [ringSize]Buffered
	head, tail uint32 // tail-head entries are live
	capacity   uint32
	quiet      uint32 // Push asks for Core.Pushed beyond so many entries: capacity, or 0 among several cores
	flushes    uint32 // live entries that are flushes
}

// Push appends a store of size bytes that replaces lo and hi. When it reports
// true the caller calls Core.Pushed. The new bytes are written to memory after that.
func (b *StoreBuffer) Push(a phys.Addr, size uint8, lo, hi uint64) (ask bool) {
	e := &b.ring[b.tail%ringSize]
	e.Addr, e.Size, e.Old[0], e.Old[1] = a, size, lo, hi
	b.tail++
	return b.tail-b.head > b.quiet
}

// Core is one processor core's private part of the hierarchy.
type Core struct {
	// MRU filters loads: when MRU[line&MRUMask]==line, a load of the line hits
	// the L1 and changes no state, so the caller need not call Load. Other cores'
	// stores and flushes take lines out of it.
	MRU     [64]phys.LineAddr
	MRUMask phys.LineAddr
	Loads   uint64 // lines that loads asked for, counted by the caller

	SB    StoreBuffer
	Stall phys.Cycles // cycles lost to the hierarchy so far: the sum of Stalls

	// Clock tells how many instructions the core has executed; nil: none. It is asked
	// on what changes state only, never by a load or store that hits the L1.
	Clock Clock

	stalls    Stalls
	idle      phys.Cycles // that it had nothing to do: part of its time
	flight    flight      // with modelled devices: misses under way
	path      channel     // flushes and write-combining buffers on their way to the memory controller
	mruDirty  uint64      // bit i: a store to MRU[i] changes no state either
	committed uint64      // stores
	h         *Hierarchy
	id        int
	claims    *claims           // the hierarchy's, nil when this is the only core
	held      *[heldSlots]uint8 // this core's part of claims.held
	l1, l2    level
	wc        wcBuffers
	flushes   []pendingFlush // oldest first
}

// noLine is no line's address.
const noLine = ^phys.LineAddr(0)

// FlushKind is one of the three cache-line flush instructions.
type FlushKind uint8

// The cache-line flush instructions.
const (
	CLFLUSH FlushKind = iota
	CLFLUSHOPT
	CLWB
)

func (k FlushKind) String() string { return [...]string{"clflush", "clflushopt", "clwb"}[k] }

// FenceKind is one of the ordering instructions.
type FenceKind uint8

// The ordering instructions and events.
const (
	SFENCE FenceKind = iota
	LFENCE
	MFENCE
	Locked     // a LOCK-prefixed instruction or XCHG with memory: before its load and after its store
	Serialize  // CPUID and other serializing instructions
	Interrupt  // interrupts, exceptions, system calls
	FenceKinds // how many there are
)

func (k FenceKind) String() string {
	return [...]string{"sfence", "lfence", "mfence", "locked", "serialize", "interrupt"}[k]
}

// Load brings a line into the L1 for reading.
func (c *Core) Load(l phys.LineAddr) {
	if c.claims != nil {
		c.meet(l)
	}
	set := c.l1.own(l, c.h.epoch)
	if i := find(set, l); i < 0 {
		c.h.stats.L1LoadMisses++
		latency, from := c.fetch(l, false)
		c.load(l, from, latency)
	} else if i > 0 {
		toFront(set, i)
	}
	c.setMRU(l, set[0])
}

// setMRU notes that the L1 holds l as the most recent of its set.
func (c *Core) setMRU(l phys.LineAddr, w word) {
	i := l & c.MRUMask & 63
	c.MRU[i] = l
	c.mruDirty &^= 1 << i
	if w&(dirty|armed) == dirty {
		c.mruDirty |= 1 << i
	}
}

// dropMRU makes the next load or store of l come here.
func (c *Core) dropMRU(l phys.LineAddr) {
	if i := l & c.MRUMask & 63; c.MRU[i] == l {
		c.MRU[i] = noLine
		c.mruDirty &^= 1 << i
	}
}

// refreshMRU notes a changed state of a line that may be in the MRU filter.
func (c *Core) refreshMRU(l phys.LineAddr) {
	if c.MRU[l&c.MRUMask&63] == l {
		c.setMRU(l, c.l1.peek(l)[0])
	}
}

// Pushed goes with StoreBuffer.Push: it keeps the buffer within its capacity,
// and other cores out of the line.
func (c *Core) Pushed() {
	switch {
	case c.claims != nil:
		c.pushedAmongCores()
	case !c.commitFast():
		c.commitOldest()
	}
}

// commitFast is commitOldest of a store that changes no state but the buffer's.
func (c *Core) commitFast() bool {
	b := &c.SB
	e := &b.ring[b.head%ringSize]
	l := e.Addr.Line()
	i := l & c.MRUMask & 63
	if c.MRU[i] != l || c.mruDirty>>i&1 == 0 || e.Size == 0 {
		return false
	}
	b.head++
	c.committed++
	return true
}

// commitOldest makes the oldest buffered store visible in the L1, or lets the
// oldest flush act. The buffer must not be empty.
func (c *Core) commitOldest() {
	b := &c.SB
	e := &b.ring[b.head%ringSize]
	l := e.Addr.Line()
	if e.Size == 0 {
		b.head++
		b.flushes--
		c.flushLeaves(l, FlushKind(e.Old[0]), phys.Cycles(e.Old[1]))
		return
	}
	if !c.commitFast() {
		c.commitSlow(l)
		b.head++
		c.committed++
	}
	c.release(l)
}

// commitSlow makes the line of the oldest store the most recent of the L1 and
// dirty, with its pre-image.
func (c *Core) commitSlow(l phys.LineAddr) {
	h := c.h
	if i := c.wc.find(l); i >= 0 {
		c.evictWC(i) // order of stores to the same address
	}
	set := c.l1.own(l, h.epoch)
	if i := find(set, l); i < 0 {
		h.stats.L1StoreMisses++
		latency, from := c.fetch(l, true)
		c.storeMiss(l, from, latency)
	} else {
		toFront(set, i)
		if set[0]&shared != 0 {
			c.upgrade(&set[0])
		}
	}
	w := &set[0]
	switch {
	case *w&dirty == 0:
		if l.IsPMEM() {
			i, m := h.images.alloc(h.epoch)
			c.visible(l, m)
			h.stats.PreImages++
			*w = w.withIndex(i)
		}
		*w |= dirty
		c.l1.count(*w, 1)
	case *w&armed != 0:
		c.saveForFlushes(l)
		*w &^= armed
	}
	c.setMRU(l, *w)
}

// visible copies to m the line as other cores see it: current bytes with the
// buffered stores undone, newest first. No write-combining entry may cover l, and
// no other core may have buffered stores to it.
func (c *Core) visible(l phys.LineAddr, m *image) {
	c.h.reader.ReadLine(l, (*[phys.LineSize]byte)(m))
	b := &c.SB
	for i := b.tail; i != b.head; i-- {
		e := &b.ring[(i-1)%ringSize]
		if e.Addr.Line() != l {
			continue
		}
		off := e.Addr & (phys.LineSize - 1)
		for k := range phys.Addr(e.Size) {
			m[off+k] = byte(e.Old[k>>3] >> (8 * (k & 7)))
		}
	}
}
