package device

import (
	"fmt"

	"zhuque/sim/phys"
)

// Config is one kind of persistent memory and of DRAM, and how many there are of each.
type Config struct {
	DIMMs        int        // of persistent memory
	Interleave   int        // bytes that lie on one DIMM before the next
	BufferLines  int        // 256-byte lines of a DIMM's buffer
	AITPages     int        // 4 KiB pages of a DIMM's address-translation buffer
	BufferRead   phys.Nanos // load to use of a line that the buffer holds
	MediumRead   phys.Nanos // load to use of a line of the medium
	AITMiss      phys.Nanos // more, when the page's translation is not buffered
	ReadService  phys.Nanos // of 256 bytes by the medium
	WriteService phys.Nanos
	FlushService phys.Nanos // the same of a line that came from the caches, whose ownership was read
	WriteQueue   int        // writes that may wait for the medium
	PieceGap     phys.Nanos // between 64-byte pieces of a line that comes from the medium
	TurnAround   phys.Nanos // of a channel, from the first write that a fence waited for
	Window       int        // lines of a core that reach the DIMM out of order
	EvictWindow  int        // lines that the LLC evicted, the same
	WearWrites   int        // writes of one 4 KiB page of the medium between two migrations
	WearStall    phys.Nanos // that a migration lasts

	Channels  int        // of DRAM
	RowHit    phys.Nanos // load to use, DRAM row open
	RowMiss   phys.Nanos
	DRAMRead  Picos // of a line by a channel
	DRAMWrite Picos
}

// Rows lists the parameters.
func (c *Config) Rows() []phys.Row {
	const fast20 = "NVSL/OptaneStudy 61d0b5e (FAST'20): "
	n := func(name string, v *int, lo, hi uint64, unit string, status phys.Status, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: lo, Hi: hi, Unit: unit, Status: status, Source: source}
	}
	ns := func(name string, v *phys.Nanos, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Hi: 1_000_000_000,
			Unit: "ns", Status: phys.Measured, Source: "fitted: " + source}
	}
	ps := func(name string, v *Picos, source string) phys.Row {
		return phys.Row{Name: name, Cell: phys.CellOf(v), Lo: 1, Hi: 1_000_000,
			Unit: "ps", Status: phys.Measured, Source: "fitted: " + source}
	}
	return []phys.Row{
		n("pmem.dimms", &c.DIMMs, 1, 64, "DIMMs", phys.Assumed, fast20+"six a socket; eight channels of a third-generation part"),
		n("pmem.interleave", &c.Interleave, phys.PageSize, 1<<30, "B", phys.Assumed, fast20+"4 KiB, from the paper"),
		n("pmem.buffer_lines", &c.BufferLines, 1, 4096, "x 256 B", phys.Measured, "fitted: "+fast20+"09-infer_xpbuffer, 68 to 72"),
		n("pmem.ait_pages", &c.AITPages, 1, 1<<20, "x 4 KiB", phys.Cited, "internal/reference/device_targets.csv vans.param.ait.buffer_entries"),
		ns("pmem.buffer_read", &c.BufferRead, "LENS read64, up to 16 KiB, less what its loop takes; idle latency in order"),
		ns("pmem.medium_read", &c.MediumRead, "LENS read64, up to 16 MiB, the same; read bandwidth of one thread"),
		ns("pmem.ait_miss", &c.AITMiss, "LENS read64, beyond 16 MiB"),
		ns("pmem.read_service", &c.ReadService, fast20+"04-bandwidth_thcount_optane_ni, read peak"),
		ns("pmem.write_service", &c.WriteService, "LENS write64 and write256"),
		ns("pmem.flush_service", &c.FlushService, fast20+"04-bandwidth_thcount_optane_ni, clwb peak"),
		n("pmem.write_queue", &c.WriteQueue, 0, 4096, "x 256 B", phys.Measured, "fitted: "+fast20+"ntstore of one thread, six DIMMs against one"),
		ns("pmem.piece_gap", &c.PieceGap, "LENS read256"),
		ns("pmem.turnaround", &c.TurnAround, "LENS write64, up to 256 B; 13-sfence_interval, ntstore"),
		n("pmem.window", &c.Window, 1, 64, "lines", phys.Measured, "fitted: "+fast20+"EWR of sequential stores, 1 and 4 threads"),
		n("pmem.evict_window", &c.EvictWindow, 1, 1<<20, "lines", phys.Measured, "fitted: "+fast20+"EWR of unflushed stores"),
		n("pmem.wear_writes", &c.WearWrites, 1, 1<<30, "writes", phys.Measured, "fitted: LENS overwrite, interval of the tail"),
		ns("pmem.wear_stall", &c.WearStall, "LENS overwrite, height of the tail"),
		n("dram.channels", &c.Channels, 1, 64, "channels", phys.Assumed, "six (Cascade Lake), eight (Ice Lake) a socket"),
		ns("dram.row_hit", &c.RowHit, "idle latency, sequential"),
		ns("dram.row_miss", &c.RowMiss, "idle latency, random"),
		ps("dram.read_service", &c.DRAMRead, "peak read bandwidth"),
		ps("dram.write_service", &c.DRAMWrite, "peak ntstore bandwidth"),
	}
}

// Validate reports the first value that the model cannot work with.
func (c Config) Validate() error {
	for _, r := range c.Rows() {
		if v := r.Get(); v < r.Lo || v > r.Hi {
			return fmt.Errorf("devices: %s is %d; it must be %d to %d", r.Name, int64(v), r.Lo, r.Hi)
		}
	}
	if c.Interleave%phys.PageSize != 0 {
		return fmt.Errorf("devices: pmem.interleave is %d; it must be a multiple of %d", c.Interleave, phys.PageSize)
	}
	return nil
}

// CascadeLake is six channels of DDR4-2933 and first-generation Optane memory.
func CascadeLake() Config {
	return Config{
		DIMMs: 6, Interleave: phys.PageSize, BufferLines: 70, AITPages: 4096,
		BufferRead: 114, MediumRead: 248, AITMiss: 68, ReadService: 39, WriteService: 113, FlushService: 140, WriteQueue: 16, PieceGap: 15, TurnAround: 187,
		Window: 8, EvictWindow: 4096, WearWrites: 15982, WearStall: 52_000,
		Channels: 6, RowHit: 81, RowMiss: 102, DRAMRead: 3640, DRAMWrite: 5000,
	}
}

// IceLake is eight channels of DDR4-3200 and second-generation Optane memory. Its services are
// estimates without a row behind them: the first generation's, a third faster.
func IceLake() Config {
	c := CascadeLake()
	c.DIMMs, c.Channels = 8, 8
	c.ReadService, c.WriteService, c.FlushService = 30, 85, 105
	c.RowHit, c.RowMiss, c.DRAMRead, c.DRAMWrite = 87, 97, 2910, 4000
	return c
}
