package cachemodel

import (
	"zhuque/cachemodel/device"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// Timing is what a core overlaps, where the devices are modelled.
type Timing struct {
	On          bool // devices with queues and a window of overlapping misses; else first latencies
	Window      int  // instructions that a core is ahead of the oldest load it waits for
	LoadBuffers int  // load misses of a core under way at once
	StoreMisses int  // store misses, the same
	// FullLine is what a store of a whole line waits for: it needs no content.
	FullLine phys.Cycles
	// EvictQueue is how far behind the write-back of the LLC's victims may be.
	EvictQueue phys.Nanos
	Devices    device.Config
}

const (
	maxLoads  = 32
	maxStores = 64
)

// miss is a load on its way.
type miss struct {
	done   phys.Cycles
	at     uint64 // instructions that the core had executed
	cause  StallCause
	access Access
}

// flight is what a core has under way with modelled devices, as times: nothing is performed
// when they come.
type flight struct {
	loads     [maxLoads]miss
	n         int
	stores    [maxStores]phys.Cycles // when the last store misses are done, a ring
	nextStore int
	stored    phys.Cycles // the latest of them
}

func (h *Hierarchy) picos(n phys.Cycles) device.Picos {
	return device.Picos(uint64(n) * 1_000_000 / uint64(h.cfg.CoreMHz))
}

func (h *Hierarchy) inCycles(p device.Picos) phys.Cycles {
	return phys.Cycles((uint64(p)*uint64(h.cfg.CoreMHz) + 500_000) / 1_000_000)
}

// load lets a load of a line that the L1 does not hold be under way; latency is what it takes
// where no device serves it.
func (c *Core) load(l phys.LineAddr, from StallCause, latency phys.Cycles) {
	if c.h.devices == nil {
		c.stall(from, latency)
		return
	}
	m := miss{cause: from, access: Access{}}
	if c.Clock != nil {
		m.at, m.access = c.Clock.Executed(), c.Clock.Access()
	}
	c.waitFor(&m)
	now := c.now()
	if m.done = now + latency; from == StallLoadDRAM || from == StallLoadPMEM {
		m.done = c.h.inCycles(c.h.devices.Read(l, c.h.picos(now))) - min(c.h.cfg.L1D.Latency, now)
	}
	f := &c.flight
	f.loads[f.n] = m
	f.n++
}

// waitFor waits for what a load needs, and for a free buffer.
func (c *Core) waitFor(m *miss) {
	f, t := &c.flight, &c.h.cfg.Timing
	for i := range f.loads[:f.n] {
		if o := &f.loads[i]; m.access.needs(&o.access) || m.at-o.at >= uint64(t.Window) {
			c.until(o.cause, o.done)
		}
	}
	c.forget()
	for f.n >= t.LoadBuffers {
		first := &f.loads[0]
		for i := range f.loads[:f.n] {
			if o := &f.loads[i]; o.done < first.done {
				first = o
			}
		}
		c.until(first.cause, first.done)
		c.forget()
	}
}

// forget drops loads that are done.
func (c *Core) forget() {
	f, now, n := &c.flight, c.now(), 0
	for i := range f.loads[:f.n] {
		if f.loads[i].done > now {
			f.loads[n] = f.loads[i]
			n++
		}
	}
	f.n = n
}

// settleLoads waits for all loads under way.
func (c *Core) settleLoads() {
	f := &c.flight
	for i := range f.loads[:f.n] {
		c.until(f.loads[i].cause, f.loads[i].done)
	}
	f.n = 0
}

// storeMiss lets the oldest store of the buffer, to a line that the L1 did not hold, be under way.
func (c *Core) storeMiss(l phys.LineAddr, from StallCause, latency phys.Cycles) {
	h := c.h
	if h.devices == nil {
		c.stall(StallStoreBuffer, latency/phys.Cycles(h.cfg.StoreOverlap))
		return
	}
	f := &c.flight
	slot := &f.stores[f.nextStore%h.cfg.Timing.StoreMisses]
	f.nextStore = (f.nextStore + 1) % h.cfg.Timing.StoreMisses
	c.until(StallStoreBuffer, *slot)
	now := c.now()
	done := now + latency
	if from == StallLoadDRAM || from == StallLoadPMEM {
		if c.storesWhole(l) {
			done = now + h.cfg.Timing.FullLine
		} else {
			done = h.inCycles(h.devices.Read(l, h.picos(now)))
		}
	}
	*slot, f.stored = done, max(f.stored, done)
	if h.evicted > 0 {
		c.until(StallStoreBuffer, h.evicted-min(h.evicted, h.cfg.cycles(h.cfg.Timing.EvictQueue)))
	}
}

// storesWhole reports whether the oldest stores of the buffer cover a whole line.
func (c *Core) storesWhole(l phys.LineAddr) bool {
	b, covered := &c.SB, uint64(0)
	for i := b.head; i != b.tail; i++ {
		e := &b.ring[i%ringSize]
		if e.Addr.Line() != l || e.Size == 0 {
			break
		}
		covered |= (1<<e.Size - 1) << (e.Addr & (phys.LineSize - 1))
	}
	return covered == wholeLine
}

// flushBurst flushes may follow each other faster than the mean gap.
const flushBurst = 4

// sendFlush sends a line that was flushed at a time.
func (c *Core) sendFlush(l phys.LineAddr, at, latency phys.Cycles) {
	h, p := c.h, &c.path
	if h.devices == nil {
		p.flush(at, latency, h.cost.flushGap)
		return
	}
	slot := &p.burst[p.next]
	p.next = (p.next + 1) % flushBurst
	at = max(at, p.flushStart, c.flight.stored, *slot)
	*slot = at + flushBurst*h.cost.flushGap
	accepted := h.inCycles(h.devices.Write(c.id, l, false, h.picos(at)))
	p.flushStart = max(at+h.cost.flushGap/flushBurst, accepted)
	p.flushed = max(p.flushed, at+latency, accepted+latency)
	c.until(StallFlush, at) // it leaves the store buffer, which is full or waited for
}

// sendNT sends a write-combining buffer at a time and returns when it starts.
func (c *Core) sendNT(l phys.LineAddr, at, latency phys.Cycles) (start phys.Cycles) {
	h, p := c.h, &c.path
	if h.devices == nil {
		return p.nt(at, latency, h.cost.ntGap)
	}
	at = max(at, p.ntStart)
	accepted := h.inCycles(h.devices.Write(c.id, l, true, h.picos(at)))
	p.ntStart = max(at+h.cost.ntGap, accepted)
	p.ntSent = max(p.ntSent, at+latency, accepted+latency)
	return max(at, accepted)
}

// drain waits until the devices have accepted all that the core has sent.
func (c *Core) drain(completes bool) {
	h := c.h
	if h.devices == nil {
		return
	}
	c.until(StallStoreBuffer, c.flight.stored)
	if accepted := h.inCycles(h.devices.Drain(c.id, h.picos(c.now()))); accepted > 0 {
		c.path.ntSent = max(c.path.ntSent, accepted)
		if completes {
			c.path.flushed = max(c.path.flushed, accepted)
		}
	}
}

// evict writes back a line that the LLC drops.
func (h *Hierarchy) evict(l phys.LineAddr) {
	if h.devices != nil {
		h.evicted = h.inCycles(h.devices.Evict(l, h.picos(h.at)))
	}
}

// MediaBytes returns the bytes that the medium of the persistent memory took; without
// modelled devices the lines that were written back.
func (h *Hierarchy) MediaBytes() phys.Bytes {
	if h.devices == nil {
		return phys.Bytes(h.stats.PMEMWrites * phys.LineSize)
	}
	return h.devices.MediaBytes()
}

func (f *flight) addTo(d *det.Digest) {
	for _, m := range f.loads[:f.n] {
		d.U64(uint64(m.done))
		d.U64(m.at)
	}
	for _, s := range f.stores {
		d.U64(uint64(s))
	}
	d.U64(uint64(f.nextStore))
	d.U64(uint64(f.stored))
}
