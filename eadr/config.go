package eadr

import (
	"fmt"
	"math"
	"math/bits"
	"strings"

	"zhuque/sim/phys"
)

// Levels is the number of cache levels: L1, L2, LLC.
const Levels = 3

// Unlimited is an energy that never ends.
const Unlimited = phys.NanoJoules(math.MaxUint64)

// Config is a platform: what it protects, how fast it drains, how long it lasts.
type Config struct {
	Domain      Domain
	StoreBuffer StoreBufferPolicy
	DrainOrder  DrainOrder
	// MarkProtected lets the platform write the complete mark under ADR too. A
	// runtime that trusts such a mark without asking for the domain resumes a
	// process whose caches were lost.
	MarkProtected bool
	// SoftwareFlush lets the power-fail handler flush the caches itself, as WSP does, where
	// the platform does not: the sequence is EADR's then under ADR too, but the stored
	// energy is what the power supply happens to have, and nobody vouches for it.
	SoftwareFlush bool

	Energy       phys.NanoJoules // stored energy when the mains goes
	PackageWatts uint64          // processor package while cores run
	DrainWatts   uint64          // processor package after the cores have stopped
	DIMMWatts    uint64          // one DIMM
	DIMMs        uint64          // DIMMs, one a channel

	InterruptLatency phys.Nanos         // until every core has accepted
	StoreDrain       phys.Nanos         // one buffered store of a core
	RegisterSave     phys.Nanos         // one core's registers, all cores at once
	SaveLine         phys.Nanos         // one save-area line of a core
	FlushWalk        phys.Nanos         // going through the tags of all caches
	Hop              [Levels]phys.Nanos // extra for a line of that level
	WriteBandwidth   phys.Bytes         // to the medium, a second, whole 256-byte lines
	DRAMBandwidth    phys.Bytes         // to DRAM, a second
	Scatter          uint64             // times slower when neighbours do not meet: all but AddressOrder
	WPQLines         uint64             // lines a channel's write-pending queue holds
	DIMMLines        uint64             // lines a DIMM's buffer holds
	Mark             phys.Nanos         // writing the complete mark through to the medium
}

// Default returns a platform of six DIMMs whose stored energy lasts for the
// shortest residual window found in commodity power supplies.
func Default(d Domain) Config {
	c := Config{
		Domain:           d,
		DrainOrder:       LevelOrder,
		PackageWatts:     205,
		DrainWatts:       50,
		DIMMWatts:        15,
		DIMMs:            6,
		InterruptLatency: 10_000,
		StoreDrain:       5,
		RegisterSave:     500,
		SaveLine:         10,
		FlushWalk:        250_000,
		Hop:              [Levels]phys.Nanos{14, 8, 0},
		WriteBandwidth:   13_900_000_000,
		DRAMBandwidth:    100_000_000_000,
		Scatter:          4,
		WPQLines:         8,
		DIMMLines:        256,
		Mark:             1_000,
	}
	const window = 10_000_000 // ns
	c.Energy = phys.NanoJoules(c.runWatts() * window)
	return c
}

func (c *Config) runWatts() uint64   { return c.PackageWatts + c.DIMMWatts*c.DIMMs }
func (c *Config) drainWatts() uint64 { return c.DrainWatts + c.DIMMWatts*c.DIMMs }

// Validate reports the first value that is out of its range.
func (c *Config) Validate() error {
	if c.Domain > EADR || c.StoreBuffer > LoseOthers {
		return fmt.Errorf("power: %v, %v: not a known choice", c.Domain, c.StoreBuffer)
	}
	if c.DrainOrder != "" {
		if _, err := ParseDrainOrder(string(c.DrainOrder)); err != nil {
			return fmt.Errorf("power: %w", err)
		}
	}
	for _, r := range c.Rows() {
		if v := r.Get(); v < r.Lo || v > r.Hi {
			return fmt.Errorf("power: %s is %s: expected %d to %d", r.Name,
				strings.TrimSpace(fmt.Sprint(v, " ", r.Unit)), r.Lo, r.Hi)
		}
	}
	return nil
}

const (
	second    = 1_000_000_000 // ns
	noSource  = "no published figure"
	deviceCSV = "internal/reference/device_targets.csv "
)

// Rows lists every parameter with the place of its value.
func (c *Config) Rows() []phys.Row {
	return []phys.Row{
		{Name: "power.energy", Cell: phys.CellOf(&c.Energy), Unit: "nJ", Hi: math.MaxUint64, Status: phys.Assumed, Source: deviceCSV + "wsp.residual_window.min at the power drawn by default, which is assumed"},
		{Name: "power.package", Cell: phys.CellOf(&c.PackageWatts), Unit: "W", Lo: 1, Hi: 10_000, Status: phys.Assumed, Source: "thermal design power of a third-generation server part"},
		{Name: "power.package_draining", Cell: phys.CellOf(&c.DrainWatts), Unit: "W", Lo: 1, Hi: 10_000, Status: phys.Assumed, Source: noSource},
		{Name: "power.dimm", Cell: phys.CellOf(&c.DIMMWatts), Unit: "W", Lo: 1, Hi: 1_000, Status: phys.Cited, Source: deviceCSV + "fast20.ewr.*: average power budget, in the column of the configuration"},
		{Name: "power.dimms", Cell: phys.CellOf(&c.DIMMs), Lo: 1, Hi: 64, Status: phys.Cited, Source: deviceCSV + "izra19.max_write_bw: six interleaved DIMMs"},
		{Name: "power.interrupt_latency", Cell: phys.CellOf(&c.InterruptLatency), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.store_drain", Cell: phys.CellOf(&c.StoreDrain), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.register_save", Cell: phys.CellOf(&c.RegisterSave), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.save_line", Cell: phys.CellOf(&c.SaveLine), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.flush_walk", Cell: phys.CellOf(&c.FlushWalk), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource + "; " + deviceCSV + "wsp.save_time bounds the whole flush by 5 ms"},
		{Name: "power.hop_l1", Cell: phys.CellOf(&c.Hop[0]), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.hop_l2", Cell: phys.CellOf(&c.Hop[1]), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.hop_llc", Cell: phys.CellOf(&c.Hop[2]), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
		{Name: "power.write_bandwidth", Cell: phys.CellOf(&c.WriteBandwidth), Unit: "B/s", Lo: 1_000_000, Hi: 1e13, Status: phys.Cited, Source: deviceCSV + "izra19.max_write_bw"},
		{Name: "power.dram_bandwidth", Cell: phys.CellOf(&c.DRAMBandwidth), Unit: "B/s", Lo: 1_000_000, Hi: 1e13, Status: phys.Assumed, Source: noSource},
		{Name: "power.scatter", Cell: phys.CellOf(&c.Scatter), Lo: 1, Hi: 64, Status: phys.Cited, Source: deviceCSV + "fast20.ewr.store_noflush.rand.1t.64: effective write ratio, its inverse"},
		{Name: "power.wpq_lines", Cell: phys.CellOf(&c.WPQLines), Unit: "lines", Hi: 1 << 16, Status: phys.Assumed, Source: deviceCSV + "mem.wpq.size_clx: from memory, unverified"},
		{Name: "power.dimm_lines", Cell: phys.CellOf(&c.DIMMLines), Unit: "lines", Hi: 1 << 30, Status: phys.Cited, Source: deviceCSV + "vans.param.rmw.buffer_entries: of 256 B"},
		{Name: "power.mark", Cell: phys.CellOf(&c.Mark), Unit: "ns", Hi: second, Status: phys.Assumed, Source: noSource},
	}
}

// Params returns the parameters with the values that Run uses.
func (c *Config) Params() []phys.Param {
	def := Default(c.Domain)
	usual := def.Rows()
	var ps []phys.Param
	for i, r := range c.Rows() {
		if r.Get() != usual[i].Get() {
			r.Status, r.Source = phys.Assumed, "set for this run"
		}
		ps = append(ps, r.Param(fmt.Sprintf("%d to %d", r.Lo, r.Hi)))
	}
	return ps
}

// mul multiplies and stays at the largest number instead of overflowing.
func mul(a, b uint64) uint64 {
	hi, lo := bits.Mul64(a, b)
	if hi != 0 {
		return math.MaxUint64
	}
	return lo
}

// add adds and stays at the largest number instead of overflowing.
func add(a, b uint64) uint64 {
	s, carry := bits.Add64(a, b, 0)
	if carry != 0 {
		return math.MaxUint64
	}
	return s
}
