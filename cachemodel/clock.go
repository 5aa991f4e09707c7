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
	// Access tells of the present instruction's access, as far as the devices' model asks.
	Access() Access
}

// Access is what the address of a load depends on.
type Access struct {
	Run  uint64 // tells one execution of a block from others; 0: nothing is known, so it depends on all before
	At   uint8  // the instruction's index in the block
	From uint64 // loads of the same execution, by index, that the address depends on
	Regs uint32 // registers at the block's beginning that the address depends on
	Out  uint32 // registers at the block's end that depend on what is loaded
}

// needs reports whether the address depends on what an earlier load loads.
func (a *Access) needs(of *Access) bool {
	switch {
	case a.Run == 0 || of.Run == 0:
		return true
	case a.Run == of.Run:
		return a.From>>of.At&1 != 0
	}
	return a.Regs&of.Out != 0
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
	return [...]string{"load_l2", "load_llc", "load_core", "load_dram",
		"load_pmem", "store_buffer", "fence", "flush", "nt", "lock", "syscall"}[s]
}

// Stalls is cycles by cause.
type Stalls [StallCauses]phys.Cycles

// fenceCause is what a fence's own cost counts for.
var fenceCause = [FenceKinds]StallCause{SFENCE: StallFence, LFENCE: StallFence, MFENCE: StallFence,
	Locked: StallLock, Serialize: StallFence, Interrupt: StallCall}

// now is the core's time: a cycle for each instruction, and what it stalled.
func (c *Core) now() phys.Cycles {
	if c.Clock == nil {
		return c.Stall + c.idle
	}
	return c.Stall + c.idle + phys.Cycles(c.Clock.Executed())
}

// Time returns the core's time, and how many cycles of it the core has been busy:
// executing or stalled.
func (c *Core) Time() (now, busy phys.Cycles) { return c.now(), c.now() - c.idle }

// Idle lets the core have nothing to do until a time, if that is still to come.
func (c *Core) Idle(until phys.Cycles) {
	if now := c.now(); until > now {
		c.idle += until - now
	}
}

// Accesses returns how many lines the core's loads and its visible stores asked for.
func (c *Core) Accesses() uint64 { return c.Loads + c.committed }

// Stalls returns the core's stalls by cause.
func (c *Core) Stalls() Stalls { return c.stalls }

// Charge lets the core be busy for n cycles with what the operating system does for it.
func (c *Core) Charge(n phys.Cycles) { c.stall(StallCall, n) }

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

	burst [flushBurst]phys.Cycles // with modelled devices: when one of the next flushes may start, a ring
	next  int
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
	for _, t := range append([]phys.Cycles{p.flushStart, p.flushed, p.ntStart, p.ntSent, phys.Cycles(p.next)},
		p.burst[:]...) {
		d.U64(uint64(t))
	}
}
