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
	for _, r := range c.rows() {
		if v := r.get(c); v < r.lo || v > r.hi {
			return fmt.Errorf("power: %s is %s: expected %d to %d", r.name, strings.TrimSpace(fmt.Sprint(v, " ", r.unit)), r.lo, r.hi)
		}
	}
	return nil
}

// row is one parameter: its place in Config, unit, range and origin.
type row struct {
	name   string
	get    func(*Config) uint64
	unit   string
	lo, hi uint64
	status phys.Status
	source string
}

const (
	second    = 1_000_000_000 // ns
	noSource  = "no published figure"
	deviceCSV = "reference/device_targets.csv "
)

func (c *Config) rows() []row {
	return []row{
		{"power.energy", func(c *Config) uint64 { return uint64(c.Energy) }, "nJ", 0, math.MaxUint64, phys.Cited,
			deviceCSV + "wsp.residual_window.min: 10 ms (at the power drawn by default)"},
		{"power.package", func(c *Config) uint64 { return c.PackageWatts }, "W", 1, 10_000, phys.Assumed, "thermal design power of a third-generation server part"},
		{"power.package_draining", func(c *Config) uint64 { return c.DrainWatts }, "W", 1, 10_000, phys.Assumed, noSource},
		{"power.dimm", func(c *Config) uint64 { return c.DIMMWatts }, "W", 1, 1_000, phys.Cited, deviceCSV + "fast20.ewr.*: average power budget"},
		{"power.dimms", func(c *Config) uint64 { return c.DIMMs }, "", 1, 64, phys.Cited, deviceCSV + "izra19.max_write_bw"},
		{"power.interrupt_latency", func(c *Config) uint64 { return uint64(c.InterruptLatency) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.store_drain", func(c *Config) uint64 { return uint64(c.StoreDrain) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.register_save", func(c *Config) uint64 { return uint64(c.RegisterSave) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.save_line", func(c *Config) uint64 { return uint64(c.SaveLine) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.flush_walk", func(c *Config) uint64 { return uint64(c.FlushWalk) }, "ns", 0, second, phys.Assumed,
			noSource + "; " + deviceCSV + "wsp.save_time bounds the whole flush by 5 ms"},
		{"power.hop_l1", func(c *Config) uint64 { return uint64(c.Hop[0]) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.hop_l2", func(c *Config) uint64 { return uint64(c.Hop[1]) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.hop_llc", func(c *Config) uint64 { return uint64(c.Hop[2]) }, "ns", 0, second, phys.Assumed, noSource},
		{"power.write_bandwidth", func(c *Config) uint64 { return uint64(c.WriteBandwidth) }, "B/s", 1_000_000, 1e13, phys.Cited, deviceCSV + "izra19.max_write_bw"},
		{"power.dram_bandwidth", func(c *Config) uint64 { return uint64(c.DRAMBandwidth) }, "B/s", 1_000_000, 1e13, phys.Assumed, noSource},
		{"power.scatter", func(c *Config) uint64 { return c.Scatter }, "", 1, 64, phys.Cited, deviceCSV + "fast20.ewr.store_noflush.rand.1t.64: effective write ratio 0.245"},
		{"power.wpq_lines", func(c *Config) uint64 { return c.WPQLines }, "lines", 0, 1 << 16, phys.Assumed, deviceCSV + "mem.wpq.size_clx: 512 B, unverified"},
		{"power.dimm_lines", func(c *Config) uint64 { return c.DIMMLines }, "lines", 0, 1 << 30, phys.Cited, deviceCSV + "vans.param.rmw.buffer_entries: 16 KiB"},
		{"power.mark", func(c *Config) uint64 { return uint64(c.Mark) }, "ns", 0, second, phys.Assumed, noSource},
	}
}

// Params returns the parameters with the values that Run uses.
func (c *Config) Params() []phys.Param {
	def := Default(c.Domain)
	var ps []phys.Param
	for _, r := range c.rows() {
		p := phys.Param{Name: r.name, Value: float64(r.get(c)), Unit: r.unit, Status: r.status, Source: r.source,
			Range: fmt.Sprintf("%d to %d", r.lo, r.hi)}
		if r.get(c) != r.get(&def) {
			p.Status, p.Source = phys.Assumed, "set for this run"
		}
		ps = append(ps, p)
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
