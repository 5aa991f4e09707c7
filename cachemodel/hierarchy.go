package cachemodel

import (
	"sync/atomic"

	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// Levels is the number of cache levels: L1D, L2, LLC.
const Levels = 3

// LineReader shows current bytes, where a take-back must be made of them.
type LineReader interface {
	ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte)
}

// Hierarchy is the caches and buffers of one machine.
type Hierarchy struct {
	cfg    Config
	reader LineReader
	epoch  uint64 // chunks of this epoch belong to this Hierarchy alone
	cores  []*Core
	llc    level
	images images
	stats  Stats
	cost   costs
}

// costs are the configuration's latencies in cycles, beyond an L1 hit.
type costs struct {
	l2, llc              phys.Cycles
	dramRead, pmemRead   phys.Cycles
	dramWrite, pmemWrite phys.Cycles
	dramNT, pmemNT       phys.Cycles
	flushGap, ntGap      phys.Cycles
}

// Stats counts what the hierarchy did. Loads that hit the L1 are not counted.
type Stats struct {
	L1LoadMisses  uint64 `json:"l1_load_misses"`
	L1StoreMisses uint64 `json:"l1_store_misses"`
	L2Misses      uint64 `json:"l2_misses"`
	LLCMisses     uint64 `json:"llc_misses"`

	L1WriteBacks    uint64 `json:"l1_write_backs"`    // dirty victims to the L2
	L2WriteBacks    uint64 `json:"l2_write_backs"`    // dirty victims to the LLC
	LLCWriteBacks   uint64 `json:"llc_write_backs"`   // dirty victims to memory
	FlushWriteBacks uint64 `json:"flush_write_backs"` // by flushes and before NT stores

	PMEMReads  uint64 `json:"pmem_reads"` // lines
	DRAMReads  uint64 `json:"dram_reads"`
	PMEMWrites uint64 `json:"pmem_writes"` // lines, write-combining buffers included
	DRAMWrites uint64 `json:"dram_writes"`

	StoresCommitted uint64 `json:"stores_committed"`
	PreImages       uint64 `json:"pre_images"`
	NTStores        uint64 `json:"nt_stores"`
	WCEvictions     uint64 `json:"wc_evictions"`
	WCPartial       uint64 `json:"wc_partial"` // evictions of buffers that were not full

	CLFLUSH    uint64 `json:"clflush"`
	CLFLUSHOPT uint64 `json:"clflushopt"`
	CLWB       uint64 `json:"clwb"`

	SFENCE    uint64 `json:"sfence"`
	LFENCE    uint64 `json:"lfence"`
	MFENCE    uint64 `json:"mfence"`
	Locked    uint64 `json:"locked"` // two for each locked instruction
	Serialize uint64 `json:"serialize"`
	Interrupt uint64 `json:"interrupt"`
}

var (
	epochs    atomic.Uint64          // ownership of chunks only; reaches no result
	lastValid atomic.Pointer[Config] // spares New the checks of the same configuration
)

// New returns a cold hierarchy. The error is Config.Validate's.
func New(cfg Config, r LineReader) (*Hierarchy, error) {
	if v := lastValid.Load(); v == nil || *v != cfg {
		if err := cfg.Validate(); err != nil {
			return nil, err
		}
		good := cfg
		lastValid.Store(&good)
	}
	l1 := cfg.L1D.Latency
	beyond := func(n phys.Nanos) phys.Cycles { return cfg.LLC.Latency - l1 + cfg.cycles(n) }
	h := &Hierarchy{
		cfg: cfg, reader: r, epoch: epochs.Add(1),
		llc: newLevel(cfg.LLC, 6),
		cost: costs{
			l2: cfg.L2.Latency - l1, llc: cfg.LLC.Latency - l1,
			dramRead: beyond(cfg.DRAMRead), pmemRead: beyond(cfg.PMEMRead),
			dramWrite: cfg.cycles(cfg.DRAMWrite), pmemWrite: cfg.cycles(cfg.PMEMWrite),
			dramNT: cfg.cycles(cfg.DRAMNT), pmemNT: cfg.cycles(cfg.PMEMNT),
			flushGap: cfg.cycles(cfg.FlushGap), ntGap: cfg.cycles(cfg.NTGap),
		},
	}
	for range cfg.Cores {
		c := &Core{h: h, l1: newLevel(cfg.L1D, 4), l2: newLevel(cfg.L2, 5)}
		c.MRUMask = phys.LineAddr(min(cfg.L1D.Sets(), len(c.MRU)) - 1)
		for i := range c.MRU {
			c.MRU[i] = noLine
		}
		c.SB.capacity = uint32(cfg.StoreBuffer)
		c.wc.capacity = cfg.WCBuffers
		h.cores = append(h.cores, c)
	}
	return h, nil
}

// Config returns the configuration that New was given.
func (h *Hierarchy) Config() Config { return h.cfg }

// Core returns core i, counted from 0.
func (h *Hierarchy) Core(i int) *Core { return h.cores[i] }

// Fork returns an independent copy that reads current bytes through r. Its cost
// does not depend on the caches' content; both sides copy a chunk of sets before
// their next write to it.
func (h *Hierarchy) Fork(r LineReader) *Hierarchy {
	f := *h
	f.reader = r
	f.epoch = epochs.Add(1)
	h.epoch = epochs.Add(1)
	f.llc = h.llc.fork()
	f.images = h.images.fork()
	f.cores = make([]*Core, len(h.cores))
	for i, c := range h.cores {
		k := *c
		k.h = &f
		k.l1, k.l2 = c.l1.fork(), c.l2.fork()
		k.flushes = append([]pendingFlush(nil), c.flushes...)
		f.cores[i] = &k
	}
	return &f
}

// Stats returns the counters so far.
func (h *Hierarchy) Stats() Stats {
	s := h.stats
	for _, c := range h.cores {
		s.StoresCommitted += c.committed
	}
	return s
}

// fetch moves a line that the L1 does not hold into it and returns the first
// latency beyond an L1 hit.
func (c *Core) fetch(l phys.LineAddr) (latency phys.Cycles) {
	h := c.h
	latency = h.cost.l2
	w := c.l2.take(l, h.epoch)
	if w == 0 {
		h.stats.L2Misses++
		latency = h.cost.llc
		w = h.llc.take(l, h.epoch)
	}
	if w == 0 {
		h.stats.LLCMisses++
		w = newWord(l)
		if l.IsPMEM() {
			h.stats.PMEMReads++
			latency = h.cost.pmemRead
		} else {
			h.stats.DRAMReads++
			latency = h.cost.dramRead
		}
	}
	if w = c.l1.put(w, h.epoch); w == 0 {
		return latency
	}
	h.stats.L1WriteBacks += uint64(w & dirty)
	if w = c.l2.put(w, h.epoch); w == 0 {
		return latency
	}
	h.stats.L2WriteBacks += uint64(w & dirty)
	if w = h.llc.put(w, h.epoch); w&dirty != 0 {
		h.stats.LLCWriteBacks++
		h.writeBack(w)
	}
	return latency
}

// writeBack puts a dirty line that has left its set into the persistence
// domain, and its pre-image and pending flush with it.
func (h *Hierarchy) writeBack(w word) {
	l := w.line()
	if !l.IsPMEM() {
		h.stats.DRAMWrites++
		return
	}
	h.stats.PMEMWrites++
	h.images.drop(w.index(), h.epoch)
	if w&pending == 0 {
		return
	}
	for _, c := range h.cores {
		if i := c.pendingFlush(l); i >= 0 {
			c.forgetFlush(i)
		}
	}
}

// expel removes a line from every level and returns its word, 0 if none held it.
func (c *Core) expel(l phys.LineAddr) word {
	c.dropMRU(l)
	w := c.l1.take(l, c.h.epoch)
	if w == 0 {
		w = c.l2.take(l, c.h.epoch)
	}
	if w == 0 {
		w = c.h.llc.take(l, c.h.epoch)
	}
	return w
}

// locate returns the word of a cached line for writing, and its level.
func (c *Core) locate(l phys.LineAddr) (*word, *level) {
	for _, v := range [Levels]*level{&c.l1, &c.l2, &c.h.llc} {
		if i := find(v.peek(l), l); i >= 0 {
			return &v.own(l, c.h.epoch)[i], v
		}
	}
	return nil, nil
}

// AddTo adds the whole state, timing and counters included, to a digest. It
// costs as much as the caches hold.
func (h *Hierarchy) AddTo(d *det.Digest) {
	for _, c := range h.cores {
		c.addTo(d)
	}
	h.addLevel(d, &h.llc)
	s := h.Stats()
	for _, v := range []uint64{s.L1LoadMisses, s.L1StoreMisses, s.L2Misses, s.LLCMisses, s.L1WriteBacks, s.L2WriteBacks,
		s.LLCWriteBacks, s.FlushWriteBacks, s.PMEMReads, s.DRAMReads, s.PMEMWrites, s.DRAMWrites, s.StoresCommitted,
		s.PreImages, s.NTStores, s.WCEvictions, s.WCPartial, s.CLFLUSH, s.CLFLUSHOPT, s.CLWB,
		s.SFENCE, s.LFENCE, s.MFENCE, s.Locked, s.Serialize, s.Interrupt} {
		d.U64(v)
	}
}

func (c *Core) addTo(d *det.Digest) {
	d.U64(uint64(c.Stall))
	for _, l := range c.MRU {
		d.U64(uint64(l))
	}
	d.U64(c.mruDirty)
	d.U64(uint64(c.SB.tail - c.SB.head))
	for i := c.SB.head; i != c.SB.tail; i++ {
		e := &c.SB.ring[i%ringSize]
		for _, v := range []uint64{uint64(e.Addr), uint64(e.Size), e.Old[0], e.Old[1]} {
			d.U64(v)
		}
	}
	for _, e := range c.wc.entry[:c.wc.n] {
		d.U64(uint64(e.line))
		d.U64(e.mask)
		d.Bytes(e.old[:])
	}
	d.U64(uint64(len(c.flushes)))
	for _, p := range c.flushes {
		d.U64(uint64(p.line))
		d.U64(uint64(p.kind))
		c.h.addImage(d, p.image)
	}
	for _, v := range []uint32{c.inFlight.flushPMEM, c.inFlight.flushDRAM, c.inFlight.ntPMEM, c.inFlight.ntDRAM} {
		d.U64(uint64(v))
	}
	c.h.addLevel(d, &c.l1)
	c.h.addLevel(d, &c.l2)
}

func (h *Hierarchy) addLevel(d *det.Digest, v *level) {
	d.U64(uint64(v.dirty))
	d.U64(uint64(v.dirtyPMEM))
	v.each(func(set uint64, way int, w word) bool {
		d.U64(set<<8 | uint64(way))
		d.U64(uint64(w.withIndex(0)))
		h.addImage(d, w.index())
		return true
	})
}

func (h *Hierarchy) addImage(d *det.Digest, i uint32) {
	if i == 0 {
		d.U64(0)
		return
	}
	d.Bytes(h.images.at(i)[:])
}
