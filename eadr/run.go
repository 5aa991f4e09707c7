package eadr

import "zhuque/sim/phys"

// Inventory is what the power failure finds.
type Inventory struct {
	Cores          int
	BufferedStores int         // in all store buffers; with LoseOthers, in the handler's core's
	SaveLines      int         // lines that the cores write to save their registers
	DirtyLines     [Levels]int // dirty lines of persistent memory, without the save areas
	DirtyDRAM      [Levels]int // dirty lines of DRAM: flushed along the way, saving nothing
	QueuedLines    int         // accepted by a write-pending queue before the failure, not yet on the medium
	WCLines        int         // write-combining buffers of persistent memory, which interrupt entry drains
}

// Result says how far a state came.
type Result uint8

const (
	NotReached Result = iota
	Skipped           // the domain has no such state
	CutShort          // the energy ended in it
	Done
)

func (r Result) String() string { return nameOf(resultNames[:], uint8(r), "result") }

// Step is what one state did.
type Step struct {
	Result Result
	Items  int // stores, save-area lines or lines moved
	Of     int // out of so many
	Time   phys.Nanos
	Energy phys.NanoJoules
}

// Outcome is what a power-fail sequence left.
type Outcome struct {
	Steps [NumStates]Step // indexed by State
	Last  State           // Off, or the state in which the energy ended

	StoresDrained   int  // buffered stores that became visible, each core's oldest first
	WCOnMedium      int  // write-combining buffers on the medium, the first of the inventory
	LinesDirty      int  // dirty lines of persistent memory that were found
	LinesDrained    int  // how many of them are on the medium, the first in drain order
	SaveLinesOnPMEM int  // save-area lines on the medium; they drain after all others
	RegistersSaved  bool // all save-area lines are on the medium
	AcceptedLost    int  // lines lost although a write-pending queue had accepted them before the failure
	WPQDrained      bool
	Complete        bool // the complete mark is on the medium
	Clean           bool // all that the domain promises was done: the dirty-shutdown count stays

	Time       phys.Nanos // of the whole sequence
	FlushTime  phys.Nanos // from the start of the cache flush to the empty DIMM buffers
	EnergyUsed phys.NanoJoules
}

// Needed returns the least energy with which the whole sequence ends; Unlimited where none does.
func Needed(cfg Config, inv Inventory) phys.NanoJoules {
	cfg.Energy = Unlimited
	s := newSequence(&cfg, &inv)
	all := s.left
	if s.run(); s.out.Last != Off {
		return Unlimited
	}
	used := all - s.left
	return phys.NanoJoules(used/picoPerNano + min(used%picoPerNano, 1)) // a step's Energy drops its fraction
}

// Ample reports whether the energy lasts for the whole sequence.
func Ample(cfg Config, inv Inventory) bool {
	out := Run(cfg, inv)
	return out.Last == Off
}

// Run goes through the power-fail sequence until it is off or the energy has
// ended. It allocates nothing. The configuration must be valid.
func Run(cfg Config, inv Inventory) Outcome {
	if cfg.DIMMs == 0 || cfg.WriteBandwidth == 0 || cfg.DRAMBandwidth == 0 ||
		cfg.PackageWatts == 0 || cfg.DrainWatts == 0 {
		panic("BUG: eadr.Run with a configuration that Validate refuses")
	}
	s := newSequence(&cfg, &inv)
	s.run()
	return s.out
}

func newSequence(cfg *Config, inv *Inventory) sequence {
	return sequence{cfg: cfg, inv: inv, left: mul(uint64(cfg.Energy), picoPerNano)}
}

// run goes through the states.
func (s *sequence) run() {
	out := &s.out
	for _, n := range s.inv.DirtyLines {
		out.LinesDirty += n
	}
	out.Steps[Running].Result = Done
	state := Running
	for state != Off {
		to, skipped := s.cfg.next(state)
		if skipped != state {
			out.Steps[skipped].Result = Skipped
		}
		state = to
		if !s.enter(state) {
			break
		}
	}
	out.Last = state
	s.settle()
}

const picoPerNano = 1000

// sequence is a Run under way. Times are in picoseconds, energy in picojoules.
type sequence struct {
	cfg  *Config
	inv  *Inventory
	out  Outcome
	left uint64 // energy
	wc   int    // write-combining buffers that a write-pending queue accepted
}

// part is a stretch of a state: something fixed, then items one after the other,
// as many at a time as lanes.
type part struct {
	fixed, each  uint64 // picoseconds
	items, lanes int
}

// enter runs a state and reports whether the energy lasted.
func (s *sequence) enter(state State) bool {
	watts := s.cfg.runWatts()
	if state > FlushCaches {
		watts = s.cfg.drainWatts()
	}
	step := &s.out.Steps[state]
	parts, n := s.parts(state)
	for _, p := range parts[:n] {
		step.Of += p.items
	}
	var spent, time uint64
	step.Result = Done
	for i, p := range parts[:n] {
		k, ps, ok := p.run(s.left / watts)
		step.Items += k
		switch {
		case state != Interrupt:
		case i == 0:
			s.out.StoresDrained = k
		default:
			s.wc = k
		}
		time = add(time, ps)
		e := min(mul(ps, watts), s.left)
		if !ok {
			e, step.Result = s.left, CutShort
		}
		spent = add(spent, e)
		s.left -= e
		if !ok {
			break
		}
	}
	step.Time = phys.Nanos(time / picoPerNano)
	step.Energy = phys.NanoJoules(spent / picoPerNano)
	s.out.Time += step.Time
	s.out.EnergyUsed += step.Energy
	if state == FlushCaches || state == DrainWPQ || state == DrainDIMM {
		s.out.FlushTime += step.Time
	}
	return step.Result == Done
}

// run moves as many items as limit picoseconds allow, and reports whether they were all.
func (p part) run(limit uint64) (k int, ps uint64, all bool) {
	if p.fixed > limit {
		return 0, limit, false
	}
	rounds := uint64((p.items + p.lanes - 1) / p.lanes)
	if need := add(p.fixed, mul(rounds, p.each)); need <= limit {
		return p.items, need, true
	}
	return int((limit-p.fixed)/p.each) * p.lanes, limit, false
}

// maxParts is the most that a state has: one a level, and the save areas.
const maxParts = Levels + 1

// parts lists the work of a state.
func (s *sequence) parts(state State) (ps [maxParts]part, n int) {
	c, inv := s.cfg, s.inv
	lanes := max(inv.Cores, 1)
	switch state {
	case Interrupt:
		ps[0] = part{fixed: pico(c.InterruptLatency), lanes: lanes}
		if c.StoreBuffer != LoseStores {
			ps[0].items, ps[0].each = inv.BufferedStores, pico(c.StoreDrain)
			ps[1] = part{items: inv.WCLines, each: c.line(), lanes: 1}
			return ps, 2
		}
	case SaveRegisters:
		ps[0] = part{fixed: pico(c.RegisterSave), items: inv.SaveLines, each: pico(c.SaveLine), lanes: lanes}
	case FlushCaches:
		return s.flushParts(), maxParts
	case DrainWPQ:
		ps[0] = part{items: s.inWPQ(), each: c.line(), lanes: 1}
	case DrainDIMM:
		ps[0] = part{items: s.inDIMMs(s.inWPQ()), each: c.line(), lanes: 1}
	case MarkComplete:
		ps[0] = part{fixed: pico(c.Mark), lanes: 1}
	case Off:
		return ps, 0
	}
	return ps, 1
}

// flushParts lists the dirty lines in drain order. Lines of DRAM lie evenly
// among those of persistent memory of their level.
func (s *sequence) flushParts() (ps [maxParts]part) {
	c, inv := s.cfg, s.inv
	dram := phys.LineSize * second * picoPerNano / uint64(c.DRAMBandwidth)
	var all, extra uint64 // for AddressOrder: lines, and what is spread over them
	for i := range Levels {
		n := uint64(inv.DirtyLines[i])
		other := add(mul(uint64(inv.DirtyDRAM[i]), add(dram, pico(c.Hop[i]))), mul(n, pico(c.Hop[i])))
		all, extra = all+n, add(extra, other)
		ps[i] = spread(inv.DirtyLines[i], c.line(), other)
	}
	switch c.DrainOrder {
	case AddressOrder:
		ps = [maxParts]part{spread(int(all), c.line(), extra), {lanes: 1}, {lanes: 1}}
	case LRUFirstOrder:
		ps[0], ps[Levels-1] = ps[Levels-1], ps[0]
	}
	ps[0].fixed = add(ps[0].fixed, pico(c.FlushWalk))
	ps[Levels] = part{items: inv.SaveLines, each: add(c.line(), pico(c.Hop[0])), lanes: 1}
	return ps
}

// spread is n lines of each picoseconds with extra picoseconds evenly among them.
func spread(n int, each, extra uint64) part {
	if n == 0 {
		return part{fixed: extra, lanes: 1}
	}
	return part{items: n, each: add(each, (extra+uint64(n)-1)/uint64(n)), lanes: 1}
}

// line is the time of one line on its way to the medium. Lines that do not meet
// their neighbours in the DIMM's buffer each cost a whole 256-byte write.
func (c *Config) line() uint64 {
	t := phys.LineSize * second * picoPerNano / uint64(c.WriteBandwidth)
	if c.DrainOrder != AddressOrder {
		t *= c.Scatter
	}
	return t
}

func pico(t phys.Nanos) uint64 { return mul(uint64(t), picoPerNano) }

// accepted is how many lines have entered a write-pending queue so far.
func (s *sequence) accepted() int { return s.inv.QueuedLines + s.wc + s.out.Steps[FlushCaches].Items }

// inWPQ is how many of them are in the queues when the caches are flushed: a
// full queue holds up the flush, so that the rest has left it.
func (s *sequence) inWPQ() int {
	return min(s.accepted(), int(s.cfg.WPQLines*s.cfg.DIMMs))
}

// inDIMMs is how many lines the DIMMs hold when fromWPQ have come out of the last inWPQ.
func (s *sequence) inDIMMs(fromWPQ int) int {
	return min(s.accepted()-s.inWPQ()+fromWPQ, int(s.cfg.DIMMLines*s.cfg.DIMMs))
}

// settle counts what is on the medium.
func (s *sequence) settle() {
	out, inv := &s.out, s.inv
	fromWPQ, fromDIMM := out.Steps[DrainWPQ].Items, out.Steps[DrainDIMM].Items
	medium := s.accepted() - s.inWPQ() + fromWPQ - s.inDIMMs(fromWPQ) + fromDIMM
	out.AcceptedLost = max(inv.QueuedLines-medium, 0)
	out.WCOnMedium = min(max(medium-inv.QueuedLines, 0), s.wc)
	flushed := max(medium-inv.QueuedLines-s.wc, 0)
	out.LinesDrained = min(flushed, out.LinesDirty)
	out.SaveLinesOnPMEM = max(flushed-out.LinesDirty, 0)
	out.RegistersSaved = out.Steps[FlushCaches].Result == Done && out.SaveLinesOnPMEM == inv.SaveLines
	out.WPQDrained = out.Steps[DrainWPQ].Result == Done
	out.Complete = out.Steps[MarkComplete].Result == Done
	out.Clean = out.Last == Off
	if out.Clean {
		out.Steps[Off].Result = Done
	}
}
