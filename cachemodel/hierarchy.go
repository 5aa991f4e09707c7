package cachemodel

import (
	"reflect"
	"sync/atomic"

	"zhuque/cachemodel/device"
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
	claims *claims // nil with one core
	saves  uint64  // see pendingFlush.saved

	devices *device.Device // nil: latencies alone
	at      phys.Cycles    // of the core whose access is served
	evicted phys.Cycles    // when what the LLC dropped last is accepted
	stats   Stats
	cost    costs
}

// costs are the configuration's latencies in cycles, beyond an L1 hit.
type costs struct {
	l2, llc              phys.Cycles
	dramRead, pmemRead   phys.Cycles
	dramWrite, pmemWrite phys.Cycles
	dramNT, pmemNT       phys.Cycles
	flushGap, ntGap      phys.Cycles
	transfer, upgrade    phys.Cycles
}

// Stats counts what the hierarchy did. Loads that hit the L1 are not counted.
type Stats struct {
	L1LoadMisses  uint64 `json:"l1_load_misses"`
	L1StoreMisses uint64 `json:"l1_store_misses"`
	L2Misses      uint64 `json:"l2_misses"`
	LLCMisses     uint64 `json:"llc_misses"` // lines that came from memory

	Transfers     uint64 `json:"coherence_transfers"`     // lines that came from another core's L1 or L2
	Downgrades    uint64 `json:"coherence_downgrades"`    // dirty lines that another core's load moved to the LLC
	Upgrades      uint64 `json:"coherence_upgrades"`      // stores to a line that the core held, maybe with others
	Invalidations uint64 `json:"coherence_invalidations"` // copies dropped for another core's store

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

// Sub returns what has passed since before.
func (s Stats) Sub(before *Stats) Stats {
	now, old := reflect.ValueOf(&s).Elem(), reflect.ValueOf(before).Elem()
	for i := range now.NumField() {
		now.Field(i).SetUint(now.Field(i).Uint() - old.Field(i).Uint())
	}
	return s
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
	whole := func(n phys.Nanos) phys.Cycles { return max(cfg.cycles(n), cfg.LLC.Latency) - l1 }
	h := &Hierarchy{
		cfg: cfg, reader: r, epoch: epochs.Add(1),
		llc: newLevel(cfg.LLC, 6),
		cost: costs{
			l2: cfg.L2.Latency - l1, llc: cfg.LLC.Latency - l1,
			dramRead: whole(cfg.DRAMRead), pmemRead: whole(cfg.PMEMRead),
			dramWrite: cfg.cycles(cfg.DRAMWrite), pmemWrite: cfg.cycles(cfg.PMEMWrite),
			dramNT: cfg.cycles(cfg.DRAMNT), pmemNT: cfg.cycles(cfg.PMEMNT),
			flushGap: cfg.cycles(cfg.FlushGap), ntGap: cfg.cycles(cfg.NTGap),
			transfer: beyond(cfg.CoreTransfer), upgrade: beyond(cfg.CoreUpgrade),
		},
	}
	if cfg.Timing.On {
		var err error
		if h.devices, err = device.New(cfg.scaled(), cfg.Cores, 1); err != nil {
			return nil, err
		}
	}
	if cfg.Cores > 1 {
		h.claims = new(claims)
	}
	for id := range cfg.Cores {
		c := &Core{h: h, id: id, claims: h.claims, l1: newLevel(cfg.L1D, 4), l2: newLevel(cfg.L2, 5)}
		c.MRUMask = phys.LineAddr(min(cfg.L1D.Sets(), len(c.MRU)) - 1)
		for i := range c.MRU {
			c.MRU[i] = noLine
		}
		c.SB.capacity = uint32(cfg.StoreBuffer)
		if c.SB.quiet = c.SB.capacity; h.claims != nil {
			c.SB.quiet, c.held = 0, new([heldSlots]uint8)
		}
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
	if h.devices != nil {
		f.devices = h.devices.Fork()
	}
	if h.claims != nil {
		k := *h.claims
		f.claims = &k
	}
	f.cores = make([]*Core, len(h.cores))
	for i, c := range h.cores {
		k := *c
		k.h, k.claims = &f, f.claims
		if c.held != nil {
			held := *c.held
			k.held = &held
		}
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

// fetch moves a line that the L1 does not hold into it, as the only copy for a
// store, and returns the first latency beyond an L1 hit and where the line was.
func (c *Core) fetch(l phys.LineAddr, store bool) (latency phys.Cycles, from StallCause) {
	h := c.h
	latency, from = h.cost.l2, StallLoadL2
	if h.devices != nil {
		h.at = c.now()
	}
	w := c.l2.take(l, h.epoch)
	if w&shared != 0 && store {
		h.stats.Upgrades++
		w, latency = c.alone(w), h.cost.upgrade
	}
	if w == 0 {
		w, latency, from = c.fetchBeyond(l, store)
	}
	if w = c.l1.put(w, h.epoch); w == 0 {
		return latency, from
	}
	h.stats.L1WriteBacks += uint64(w & dirty)
	if w = c.l2.put(w, h.epoch); w == 0 {
		return latency, from
	}
	if w&shared != 0 {
		if c.heldElsewhere(w.line()) {
			return latency, from
		}
		w &^= shared
	}
	h.stats.L2WriteBacks += uint64(w & dirty)
	h.intoLLC(w)
	return latency, from
}

// fetchBeyond is fetch from behind the core's own caches.
func (c *Core) fetchBeyond(l phys.LineAddr, store bool) (w word, latency phys.Cycles, from StallCause) {
	h := c.h
	h.stats.L2Misses++
	if c.claims == nil {
		w, latency, from = h.llc.take(l, h.epoch), h.cost.llc, StallLoadLLC
	} else {
		w, latency, from = c.fetchShared(l, store)
	}
	if w != 0 {
		return w, latency, from
	}
	h.stats.LLCMisses++
	if l.IsPMEM() {
		h.stats.PMEMReads++
		return newWord(l), h.cost.pmemRead, StallLoadPMEM
	}
	h.stats.DRAMReads++
	return newWord(l), h.cost.dramRead, StallLoadDRAM
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

// expel removes a line from every cache and returns the word of a dirty one, or
// else of any; 0 if none held it.
func (h *Hierarchy) expel(l phys.LineAddr) (w word) {
	for _, c := range h.cores {
		if v := c.takePrivate(l); v != 0 {
			if w = v; w&shared == 0 {
				return w
			}
		}
	}
	if v := h.llc.take(l, h.epoch); v != 0 {
		w = v
	}
	return w
}

// locate returns the word of a cached line for writing, the dirty one if there is
// one, and its level.
func (c *Core) locate(l phys.LineAddr) (*word, *level) {
	w, v := c.private(l)
	if w != nil && *w&shared == 0 {
		return w, v
	}
	if i := find(c.h.llc.peek(l), l); i >= 0 {
		return &c.h.llc.own(l, c.h.epoch)[i], &c.h.llc
	}
	if w != nil || c.claims == nil {
		return w, v
	}
	for _, o := range c.h.cores {
		if w, v := o.private(l); w != nil {
			return w, v
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
	for _, v := range []uint64{s.L1LoadMisses, s.L1StoreMisses, s.L2Misses, s.LLCMisses,
		s.Transfers, s.Downgrades, s.Upgrades, s.Invalidations, s.L1WriteBacks, s.L2WriteBacks,
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
		d.U64(uint64(e.full))
		d.Bytes(e.old[:])
	}
	d.U64(uint64(len(c.flushes)))
	for _, p := range c.flushes {
		d.U64(uint64(p.line))
		d.U64(uint64(p.kind))
		d.U64(p.saved)
		c.h.addImage(d, p.image)
	}
	c.path.addTo(d)
	c.flight.addTo(d)
	for _, v := range c.stalls {
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
