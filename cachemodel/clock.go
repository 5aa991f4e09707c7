package cachemodel

import (
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// Clock tells a core's progress.
type Clock interface {
	// Executed returns the instructions that the core has completed, those before the
	// present one in its block included.
	Executed() uint64
}

// StallCause is what a core waited for.
type StallCause uint8

// The causes of stalls.
const (
	StallLoadL2 StallCause = iota // loads, by where the line was
	StallLoadLLC
	StallLoadCore // another core's L1D or L2
	StallLoadDRAM
	StallLoadPMEM
	StallStoreBuffer // store misses and upgrades that the store buffer did not hide
	StallFence       // SFENCE, LFENCE, MFENCE and serializing instructions themselves
	StallFlush       // flushed lines on their way to the memory controller
	StallNT          // write-combining buffers on their way there
	StallLock        // locked instructions themselves
	StallCall        // interrupts, exceptions, system calls
	StallCauses      // how many there are
)

func (s StallCause) String() string {
	return [...]string{"load_l2", "load_llc", "load_core", "load_dram", "load_pmem", "store_buffer", "fence", "flush", "nt", "lock", "syscall"}[s]
}

// Stalls is cycles by cause.
type Stalls [StallCauses]phys.Cycles

// fenceCause is what a fence's own cost counts for.
var fenceCause = [FenceKinds]StallCause{SFENCE: StallFence, LFENCE: StallFence, MFENCE: StallFence,
	Locked: StallLock, Serialize: StallFence, Interrupt: StallCall}

// now is the core's time: a cycle for each instruction, and what it stalled.
func (c *Core) now() phys.Cycles {
	if c.Clock == nil {
		return c.Stall
	}
	return c.Stall + phys.Cycles(c.Clock.Executed())
}

// Time returns the cycles that the core has been busy: executing or stalled.
func (c *Core) Time() phys.Cycles { return c.now() }

// Accesses returns how many lines the core's loads and its visible stores asked for.
func (c *Core) Accesses() uint64 { return c.Loads + c.committed }

// Stalls returns the core's stalls by cause.
func (c *Core) Stalls() Stalls { return c.stalls }

// stall lets the core wait for n cycles.
func (c *Core) stall(cause StallCause, n phys.Cycles) {
	c.Stall += n
	c.stalls[cause] += n
}

// until lets the core wait for a time, if that is still to come.
func (c *Core) until(cause StallCause, t phys.Cycles) {
	if now := c.now(); t > now {
		c.stall(cause, t-now)
	}
}

// channel is what a core has on its way to the memory controller, as times: nothing is
// performed when they come. A line starts a gap after the one before it of its kind.
type channel struct {
	flushStart, flushed phys.Cycles // the next flush may start; all flushes so far are accepted
	ntStart, ntSent     phys.Cycles // the same of write-combining buffers
}

// flush sends a line that was flushed at a time.
func (p *channel) flush(at, latency, gap phys.Cycles) {
	at = max(at, p.flushStart)
	p.flushStart, p.flushed = at+gap, max(p.flushed, at+latency)
}

// nt sends a write-combining buffer at a time and returns when it starts.
func (p *channel) nt(at, latency, gap phys.Cycles) (start phys.Cycles) {
	start = max(at, p.ntStart)
	p.ntStart, p.ntSent = start+gap, max(p.ntSent, start+latency)
	return start
}

func (p *channel) addTo(d *det.Digest) {
	for _, t := range []phys.Cycles{p.flushStart, p.flushed, p.ntStart, p.ntSent} {
		d.U64(uint64(t))
	}
}
