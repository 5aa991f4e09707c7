package cachemodel

import (
	"fmt"
	"strings"

	"zhuque/cachemodel/device"
	"zhuque/sim/phys"
)

// MaxCores is the largest number of modelled cores.
const MaxCores = 64

// Geometry is the shape and the load-to-use latency of one cache level.
type Geometry struct {
	Size    phys.Bytes
	Ways    int
	Latency phys.Cycles // load-to-use
}

// Sets returns the number of sets.
func (g Geometry) Sets() int { return int(g.Size) / (phys.LineSize * g.Ways) }

// Config is one processor's hierarchy and the memory behind it.
type Config struct {
	Name    string
	Cores   int // modelled cores, each with its own L1D, L2 and buffers; the LLC is shared
	CoreMHz int

	L1D Geometry
	L2  Geometry
	LLC Geometry // the whole LLC: LLCSlices of the processor's slices
	// LLCSlices is the number of physical cores whose slices make up LLC.Size.
	LLCSlices int

	StoreBuffer    int // entries: stores and flushes retired but not visible
	WCBuffers      int // write-combining buffers of one line
	PendingFlushes int // CLFLUSHOPT and CLWB under way at once; one more completes the oldest

	CLWBEvicts bool // CLWB drops the line from the caches

	DRAMRead, PMEMRead   phys.Nanos // first latency of a line fill
	DRAMWrite, PMEMWrite phys.Nanos // until the write-pending queue accepts a flushed line
	DRAMNT, PMEMNT       phys.Nanos // until it accepts a write-combining buffer
	FlushGap, NTGap      phys.Nanos // each further line that one barrier waits for

	// CoreTransfer is the time beyond an LLC look-up until a line arrives from
	// another core's L1D or L2; CoreUpgrade until the copies of other cores are
	// invalidated, for a store to a line that the core holds already.
	CoreTransfer, CoreUpgrade phys.Nanos

	// Timing is the part that has a now.
	Timing Timing

	// StoreOverlap divides the fill latency of store misses, which the store
	// buffer mostly hides.
	StoreOverlap int
	FenceCycles  [FenceKinds]phys.Cycles // base cost by FenceKind; Locked is paid before and after
}

const (
	targets     = "internal/reference/device_targets.csv " // and the row that holds the value
	sourceCores = "about 50 ns with the LLC look-up, the order of published core-to-core tests within a socket"
)

var fenceCycles = [FenceKinds]phys.Cycles{SFENCE: 6, LFENCE: 6, MFENCE: 33, Locked: 9, Serialize: 100, Interrupt: 0}

// Presets returns the names of the predefined configurations, the default first.
func Presets() []string { return []string{"icx-g2", "clx-g1"} }

// Preset returns a predefined configuration; "" is the default.
//
//   - icx-g2: Ice Lake-SP, 16 cores, with second-generation Optane memory.
//   - clx-g1: Cascade Lake-SP, 16 cores, with first-generation Optane memory.
func Preset(name string) (Config, error) {
	c := Config{
		Cores: 1, LLCSlices: 16, PendingFlushes: 256,
		DRAMWrite: 57, PMEMWrite: 62, DRAMNT: 87, PMEMNT: 90, FlushGap: 45, NTGap: 15,
		CoreTransfer: 25, CoreUpgrade: 20,
		StoreOverlap: 4, FenceCycles: fenceCycles,
		Timing: Timing{Window: 224, LoadBuffers: 12, StoreMisses: 10, FullLine: 77, EvictQueue: 2000},
	}
	switch name {
	case "", "icx-g2":
		c.Name, c.CoreMHz = "icx-g2", 2900
		c.L1D = Geometry{48 << 10, 12, 5}
		c.L2 = Geometry{1280 << 10, 20, 14}
		c.LLC = Geometry{16 * 1536 << 10, 12, 71}
		c.StoreBuffer, c.WCBuffers = 72, 12
		c.DRAMRead, c.PMEMRead = 89, 305
		c.Timing.Window, c.Timing.Devices = 352, device.IceLake()
	case "clx-g1":
		c.Name, c.CoreMHz = "clx-g1", 2200
		c.L1D = Geometry{32 << 10, 8, 4}
		c.L2 = Geometry{1024 << 10, 16, 12}
		c.LLC = Geometry{16 * 1408 << 10, 11, 77}
		c.StoreBuffer, c.WCBuffers = 56, 10
		c.DRAMRead, c.PMEMRead = 102, 305
		c.Timing.Devices = device.CascadeLake()
		c.CLWBEvicts = true
	default:
		return Config{}, fmt.Errorf("cache model %q is not known; the presets are %s", name, strings.Join(Presets(), ", "))
	}
	return c, nil
}

// Validate reports the first value that the model cannot work with.
func (c Config) Validate() error {
	for _, l := range []struct {
		name string
		g    Geometry
	}{{"L1D", c.L1D}, {"L2", c.L2}, {"LLC", c.LLC}} {
		if err := l.g.validate(); err != nil {
			return fmt.Errorf("cache model %s: %s: %w", c.Name, l.name, err)
		}
	}
	if c.L1D.Latency > c.L2.Latency || c.L2.Latency > c.LLC.Latency {
		return fmt.Errorf(
			"cache model %s: latencies of %d, %d and %d cycles: an inner cache must not be slower than an outer one",
			c.Name, c.L1D.Latency, c.L2.Latency, c.LLC.Latency)
	}
	if c.Cores < 1 || c.Cores > MaxCores {
		return fmt.Errorf("cache model %s: %d cores; there must be 1 to %d", c.Name, c.Cores, MaxCores)
	}
	for _, r := range c.Rows() {
		if v := r.Get(); v < r.Lo || v > r.Hi {
			return fmt.Errorf("cache model %s: %s is %d; it must be %d to %d",
				c.Name, strings.TrimPrefix(r.Name, "cache."), int64(v), r.Lo, r.Hi)
		}
	}
	if n := c.images(); n >= 1<<indexBits {
		return fmt.Errorf("cache model %s: the caches and pending flushes of %d cores hold up to %d lines; the model can number %d", c.Name, c.Cores, n, 1<<indexBits-1)
	}
	return nil
}

func (g Geometry) validate() error {
	switch {
	case g.Ways < 1 || g.Ways > 64:
		return fmt.Errorf("%d ways; there must be 1 to 64", g.Ways)
	case g.Size == 0 || g.Size > 1<<30 || uint64(g.Size)%uint64(phys.LineSize*g.Ways) != 0:
		return fmt.Errorf("size of %d bytes is not a multiple of %d ways of %d-byte lines, or above 1 GiB",
			g.Size, g.Ways, phys.LineSize)
	case g.Sets()&(g.Sets()-1) != 0:
		return fmt.Errorf("%d bytes in %d ways make %d sets; the number of sets must be a power of two",
			g.Size, g.Ways, g.Sets())
	}
	return nil
}

// MostDirty returns how many dirty lines the levels of all cores can hold.
func (c Config) MostDirty() (lines [Levels]int) {
	for i, g := range []Geometry{c.L1D, c.L2, c.LLC} {
		if lines[i] = int(g.Size) / phys.LineSize; i < Levels-1 {
			lines[i] *= c.Cores
		}
	}
	return lines
}

// images returns how many line images can be in use at once: one for each cached
// line and one for each pending flush.
func (c Config) images() uint64 {
	lines := func(g Geometry) uint64 { return uint64(g.Size) / phys.LineSize }
	return lines(c.LLC) + uint64(c.Cores)*(lines(c.L1D)+lines(c.L2)+uint64(c.PendingFlushes)+1)
}

// scaled returns the devices of a configuration: where a first latency is not the preset's,
// what the device's reads take follows it in proportion.
func (c *Config) scaled() device.Config {
	d := c.Timing.Devices
	def, err := Preset(c.Name)
	if err != nil {
		return d
	}
	for _, s := range []struct {
		now, usual phys.Nanos
		reads      []*phys.Nanos
	}{
		{c.PMEMRead, def.PMEMRead, []*phys.Nanos{&d.BufferRead, &d.MediumRead, &d.AITMiss}},
		{c.DRAMRead, def.DRAMRead, []*phys.Nanos{&d.RowHit, &d.RowMiss}},
	} {
		for _, r := range s.reads {
			*r = (*r*s.now + s.usual/2) / s.usual
		}
	}
	return d
}

// Rows lists every parameter of the model with the place of its value. Status and source
// are those of the preset whose name the configuration has.
func (c *Config) Rows() []phys.Row {
	rows := append(c.shape(), c.latencies()...)
	rows = append(rows, c.overlap()...)
	rows = append(rows, c.Timing.Devices.Rows()...)
	for k := range FenceKinds {
		rows = append(rows, phys.Row{Name: "fence." + k.String(),
			Cell: phys.CellOf(&c.FenceCycles[k]), Hi: 10_000, Unit: "cycles", Status: phys.Assumed,
			Source: "order of magnitude on an empty buffer; a locked instruction pays twice"})
	}
	for i := range rows {
		rows[i].Name = "cache." + rows[i].Name
	}
	return rows
}

// shape lists the caches.
func (c *Config) shape() []phys.Row {
	l1d, l2, llc := targets+"anand.skx.l1d", targets+"anand.skx.l2", targets+"anand.skx.l3"
	sizeL2, sizeLLC, latencyLLC := l2+".size", llc+".size_per_core, times cache.llc.slices", llc+".lat"
	status, memory, evicts := phys.Cited, "",
		targets+"derived.doubleflush_ratio.A256: a line that was written back is read again from memory"
	if c.Name != "clx-g1" {
		l1d, l2, llc = targets+"uops.icl.l1d", targets+"mem.icx.l2", targets+"mem.icx.l3"
		sizeL2, sizeLLC = targets+"icx.l2.size", llc+".slice, times cache.llc.slices"
		latencyLLC = "between Skylake-SP's 77 and the client part's 41"
		status, memory = phys.Assumed, ": from memory, unverified"
		sizeLLC += memory
		evicts = targets + "derived.doubleflush_ratio.B256: a line that was written back is still cached"
	}
	const slowest = 1 << 20 // cycles
	lines := func(name string, v *phys.Bytes, status phys.Status, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: phys.LineSize,
			Hi: 1 << 30, Unit: "B", Status: status, Source: source, Accepts: rangeSize}
	}
	ways := func(name string, v *int, status phys.Status, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: 1, Hi: 64, Unit: "ways", Status: status, Source: source}
	}
	cycles := func(name string, v *phys.Cycles, status phys.Status, source, accepts string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Hi: slowest,
			Unit: "cycles", Status: status, Source: source, Accepts: accepts}
	}
	cell := phys.Cell{Get: func() uint64 {
		if c.CLWBEvicts {
			return 1
		}
		return 0
	}, Set: func(n uint64) { c.CLWBEvicts = n != 0 }}
	return []phys.Row{
		{Name: "cores", Cell: phys.CellOf(&c.Cores), Lo: 1, Hi: MaxCores, Unit: "cores", Status: phys.Assumed, Source: "each has its own L1D, L2 and buffers"},
		lines("l1d.size", &c.L1D.Size, phys.Cited, l1d+".size"),
		ways("l1d.ways", &c.L1D.Ways, phys.Cited, l1d+".ways"),
		cycles("l1d.latency", &c.L1D.Latency, phys.Cited, l1d+".lat", "<= l2.latency"),
		lines("l2.size", &c.L2.Size, phys.Cited, sizeL2),
		ways("l2.ways", &c.L2.Ways, status, l2+".ways"+memory),
		cycles("l2.latency", &c.L2.Latency, status, l2+".lat"+memory, "<= llc.latency"),
		lines("llc.size", &c.LLC.Size, status, sizeLLC),
		ways("llc.ways", &c.LLC.Ways, status, llc+".ways"+memory),
		cycles("llc.latency", &c.LLC.Latency, status, latencyLLC, ">= l2.latency"),
		{Name: "clwb.evicts", Cell: cell, Hi: 1, Unit: "bool", Status: phys.Cited, Source: evicts, Accepts: "0 or 1"},
	}
}

// latencies lists the buffers and the times outside the caches.
func (c *Config) latencies() []phys.Row {
	const cited, assumed, wideNanos = phys.Cited, phys.Assumed, 1_000_000
	// What was published of the FAST'20 machine is the first generation's; the second has it for
	// want of better.
	fast20, first := assumed, ", of the first generation"
	dram := targets + "mlc.icx.dram_local: Intel MLC 3.10"
	sb := targets + "mem.icx.store_buffer: from memory, unverified; champsim.sq has the same"
	if c.Name == "clx-g1" {
		fast20, first = cited, ""
		dram, sb = targets+"fast20.idle_read_rand.dram", targets+"mem.skx.store_buffer: from memory, unverified"
	}
	number := func(name string, v *int, lo, hi uint64, unit, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: lo, Hi: hi, Unit: unit, Status: assumed, Source: source}
	}
	ns := func(name string, v *phys.Nanos, status phys.Status, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Hi: wideNanos, Unit: "ns", Status: status, Source: source}
	}
	return []phys.Row{
		number("core.frequency", &c.CoreMHz, 100, 10_000, "MHz", "a 16-core part of the generation; clx: the FAST'20 machine"),
		number("llc.slices", &c.LLCSlices, 1, 1024, "cores", "a 16-core part"),
		number("store_buffer.entries", &c.StoreBuffer, 1, ringSize-2, "entries", sb),
		number("wc.buffers", &c.WCBuffers, 1, maxWC, "lines", "L1D fill buffers, from memory"),
		number("flush.pending", &c.PendingFlushes, 1, 1<<16, "lines", "large, so that a missing fence is not hidden"),
		ns("dram.read", &c.DRAMRead, cited, dram),
		ns("pmem.read", &c.PMEMRead, fast20, targets+"fast20.idle_read_rand.optane"+first+"; 169 when sequential. With modelled devices their reads follow it in proportion"),
		ns("dram.write_accept", &c.DRAMWrite, fast20, targets+"fast20.idle_store_clwb.dram"+first),
		ns("pmem.write_accept", &c.PMEMWrite, fast20, targets+"fast20.idle_store_clwb.optane"+first),
		ns("dram.nt_accept", &c.DRAMNT, fast20, targets+"fast20.idle_ntstore.dram"+first),
		ns("pmem.nt_accept", &c.PMEMNT, fast20, targets+"fast20.idle_ntstore.optane"+first),
		ns("flush.gap", &c.FlushGap, fast20, targets+"fast20.bw_threads.optane.clwb.1"+first+": 64 B at that bandwidth"),
		ns("nt.gap", &c.NTGap, fast20, targets+"fast20.bw_threads.optane.ntstore.1"+first+": 64 B at that bandwidth"),
		ns("core.transfer", &c.CoreTransfer, assumed, sourceCores),
		ns("core.upgrade", &c.CoreUpgrade, assumed, sourceCores),
		number("store.overlap", &c.StoreOverlap, 1, 64, "ratio", "store misses that overlap"),
	}
}

// overlap lists what a core overlaps, where the devices are modelled.
func (c *Config) overlap() []phys.Row {
	n := func(name string, v *int, hi uint64, unit string, status phys.Status, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: 1, Hi: hi, Unit: unit, Status: status, Source: source}
	}
	t := &c.Timing
	return []phys.Row{
		n("window", &t.Window, 4096, "instructions", phys.Assumed, "reorder buffer: 224 (Cascade Lake), 352 (Ice Lake; ChampSim)"),
		n("load.buffers", &t.LoadBuffers, maxLoads, "lines", phys.Assumed, "L1D fill buffers, from memory"),
		n("store.misses", &t.StoreMisses, maxStores, "lines", phys.Assumed, "store misses under way at once"),
		{Name: "store.full_line", Cell: phys.CellOf(&t.FullLine), Hi: 10_000, Unit: "cycles", Status: phys.Assumed, Source: "ownership without content, an LLC look-up"},
		{Name: "evict.queue", Cell: phys.CellOf(&t.EvictQueue), Hi: 1_000_000, Unit: "ns", Status: phys.Assumed, Source: "how far write-back may lag"},
	}
}

// Params returns one row for every value that the model uses. What is not the preset's is
// the user's.
func (c Config) Params() (list []phys.Param) {
	def, err := Preset(c.Name)
	preset := def.Rows()
	for i, r := range c.Rows() {
		if err == nil && r.Get() != preset[i].Get() && r.Name != "cache.cores" {
			r.Status, r.Source = phys.Assumed, "set for this run"
		}
		list = append(list, r.Param(fmt.Sprintf("%d..%d", r.Lo, r.Hi)))
	}
	return list
}

const rangeSize = "ways x 64 B x a power of two, up to 1 GiB"

// Nanos converts core clock cycles.
func (c *Config) Nanos(n phys.Cycles) phys.Nanos {
	return phys.Nanos((uint64(n)*1000 + uint64(c.CoreMHz)/2) / uint64(c.CoreMHz))
}

// Cycles converts nanoseconds to core clock cycles.
func (c *Config) Cycles(n phys.Nanos) phys.Cycles { return c.cycles(n) }

func (c *Config) cycles(n phys.Nanos) phys.Cycles {
	return phys.Cycles((uint64(n)*uint64(c.CoreMHz) + 500) / 1000)
}
