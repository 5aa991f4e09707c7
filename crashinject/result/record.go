package result

import (
	"encoding/json"

	"zhuque/sim/phys"
)

// Schema and Version identify the JSON form of a Document. Version rises when a
// key changes its meaning or a reader of the previous version would misread the file.
const (
	Schema  = "zhuque-sim-result"
	Version = 1
)

// Kind says at what sort of step the power was cut.
type Kind string

const (
	AtInstruction Kind = "instruction" // between two guest instructions
	AtREP         Kind = "rep"         // between two iterations of a string instruction
	AtRuntime     Kind = "runtime"     // between two stores of the Zhuque runtime
	AtPowerFail   Kind = "powerfail"   // inside the power-fail sequence
	AtRecovery    Kind = "recovery"    // inside a recovery
)

// Kinds lists all kinds in display order.
func Kinds() []Kind {
	return []Kind{AtInstruction, AtREP, AtRuntime, AtPowerFail, AtRecovery}
}

// Valid reports whether k is one of the five kinds.
func (k Kind) Valid() bool {
	for _, w := range Kinds() {
		if k == w {
			return true
		}
	}
	return false
}

// Point is the record of one power cut. Everything in it is a function of the
// program, the configuration and the plan: no wall time, no host fact.
type Point struct {
	Index   uint64  `json:"index"`             // position in the campaign's plan, unique in it
	At      uint64  `json:"at"`                // guest instructions completed before the cut
	Kind    Kind    `json:"kind"`              // what sort of step was cut
	Step    uint64  `json:"step"`              // step inside At, in the unit of Kind; 0 for AtInstruction
	Verdict Verdict `json:"verdict"`           // never absent
	Reason  string  `json:"reason,omitempty"`  // one sentence; required unless Verdict is Pass
	Plan    string  `json:"plan,omitempty"`    // the plan as text, sufficient for a replay
	Redrawn bool    `json:"redrawn,omitempty"` // a word of the plan that was drawn first was not reached, and drawn again

	DirtyLines          uint64          `json:"dirty_lines"`           // dirty cache lines at the cut, all memory
	DirtyPMEM           uint64          `json:"dirty_pmem"`            // of these, lines of persistent memory
	BufferedStores      uint64          `json:"buffered_stores"`       // stores not yet visible at the cut
	FlushNanos          phys.Nanos      `json:"flush_nanos"`           // virtual time of the power-fail sequence
	EnergyNJ            phys.NanoJoules `json:"energy_nj"`             // energy used by the power-fail sequence
	RecoverySteps       uint64          `json:"recovery_steps"`        // stores and calls made by recovery
	MemoryPagesCompared uint64          `json:"memory_pages_compared"` // 4 KiB pages compared, shared ones included
	Tail                bool            `json:"tail"`                  // output to the program's end was compared too
}

// Peak holds the largest value of a quantity over all points of a campaign.
type Peak struct {
	DirtyLines     uint64          `json:"dirty_lines"`
	DirtyPMEM      uint64          `json:"dirty_pmem"`
	BufferedStores uint64          `json:"buffered_stores"`
	FlushNanos     phys.Nanos      `json:"flush_nanos"`
	EnergyNJ       phys.NanoJoules `json:"energy_nj"`
	RecoverySteps  uint64          `json:"recovery_steps"`
}

// Bin counts the verdicts of points whose At lies in From..To, both included.
type Bin struct {
	From   uint64 `json:"from"`
	To     uint64 `json:"to"`
	Counts Counts `json:"counts"`
}

// Campaign is the record of one campaign. A Collector fills the fields from
// Points to Samples; Digest covers everything but WallSeconds, PointsPerSecond, Workers and Replay.
type Campaign struct {
	Name     string            `json:"name"`
	Program  string            `json:"program"`
	Args     []string          `json:"args,omitempty"`
	Config   map[string]string `json:"config,omitempty"` // what decides the outcome; no host facts
	Strategy string            `json:"strategy"`         // how the points were chosen, as text that parses back
	Seed     uint64            `json:"seed,string"`      // a string in JSON: 64 bits do not fit a JavaScript number
	From     uint64            `json:"from"`             // first instruction count at which a cut may fall
	To       uint64            `json:"to"`               // last one, included
	Mutant   string            `json:"mutant,omitempty"` // name of the planted bug; empty for the real runtime
	Expect   Verdict           `json:"expect,omitempty"` // what every point must be on a platform broken on purpose, with Expected the worst of those; absent: pass

	// Expected is which parts of its points a campaign expects, with how many there were;
	// absent: all points are Expect. Unexpected counts the points of none, Odd is the first.
	Expected   []Share `json:"expected,omitempty"`
	Unexpected uint64  `json:"unexpected,omitempty"`
	Odd        *Point  `json:"odd,omitempty"`

	Instructions uint64 `json:"instructions"` // length of the uncut run

	Points       uint64  `json:"points"`        // points judged
	Redrawn      uint64  `json:"redrawn"`       // of these, whose plan was drawn again as the run did not have what it named
	Counts       Counts  `json:"counts"`        // of all points
	Histogram    []Bin   `json:"histogram"`     // over From..To, all points
	Peak         Peak    `json:"peak"`          // over all points
	PointsDigest string  `json:"points_digest"` // independent of the order in which points were judged
	Samples      []Point `json:"samples"`       // by index: failures and evenly spaced passes, bounded

	Digest          string  `json:"digest"`            // see Seal
	WallSeconds     float64 `json:"wall_seconds"`      // host time
	PointsPerSecond float64 `json:"points_per_second"` // Points / WallSeconds
	Workers         int     `json:"workers"`
	Replay          string  `json:"replay,omitempty"` // command that repeats the first failure
}

// Complete reports whether Samples holds every point that was judged.
func (c *Campaign) Complete() bool { return uint64(len(c.Samples)) == c.Points }

// FirstFailure returns the kept point with the smallest index that failed.
func (c *Campaign) FirstFailure() (Point, bool) {
	for _, p := range c.Samples {
		if p.Verdict.Failed() {
			return p, true
		}
	}
	return Point{}, false
}

// First returns the kept point with the smallest index that has a verdict.
func (c *Campaign) First(v Verdict) (Point, bool) {
	for _, p := range c.Samples {
		if p.Verdict == v {
			return p, true
		}
	}
	return Point{}, false
}

// Run is the record of one uncut run.
type Run struct {
	Name         string            `json:"name"`
	Program      string            `json:"program"`
	Args         []string          `json:"args,omitempty"`
	Config       map[string]string `json:"config,omitempty"`
	Instructions uint64            `json:"instructions"`
	Cycles       phys.Cycles       `json:"cycles"` // modelled core clock, all cores together

	ElapsedCycles     phys.Cycles            `json:"elapsed_cycles"` // of the core that is latest
	ElapsedNanos      phys.Nanos             `json:"elapsed_nanos"`
	CoreCycles        []phys.Cycles          `json:"core_cycles"`     // busy, by core
	Order             string                 `json:"order,omitempty"` // what decided which of several cores goes next: see sim.Time
	Stalls            map[string]phys.Cycles `json:"stalls"`          // by cause, all cores together
	Hits              Levels                 `json:"hits"`
	Misses            Levels                 `json:"misses"`
	MediaBytesWritten phys.Bytes             `json:"media_bytes_written"`

	WallSeconds           float64         `json:"wall_seconds"`
	InstructionsPerSecond float64         `json:"instructions_per_second"` // guest instructions per host second
	Digest                string          `json:"digest"`                  // of the machine's final state
	ExitStatus            int             `json:"exit_status"`             // as a shell shows it: 128+n for signal n
	Counters              json.RawMessage `json:"counters,omitempty"`      // cache and memory counters, as the model names them
}

// Levels counts by cache level.
type Levels struct {
	L1D uint64 `json:"l1d"`
	L2  uint64 `json:"l2"`
	LLC uint64 `json:"llc"`
}

// OverheadPoint is one measured cost. RelativeToNative is Cycles divided by the
// cycles of the native system on the same program, at the latency the caller chose as base.
type OverheadPoint struct {
	System           string      `json:"system"`
	PMEMLatencyNanos float64     `json:"pmem_latency_nanos"` // PMEM read latency of the model; 0 where another parameter varies
	Value            float64     `json:"value,omitempty"`    // of Overhead.Parameter
	Cycles           phys.Cycles `json:"cycles"`             // until the last core was done, where Overhead.Parameter is given; else of all cores
	Instructions     uint64      `json:"instructions"`
	RelativeToNative float64     `json:"relative_to_native"`
	N                int         `json:"n,omitempty"`    // runs with different seeds behind the value; 0 or 1: a single one
	Low              float64     `json:"low,omitempty"`  // smallest RelativeToNative of the N runs; absent with one
	High             float64     `json:"high,omitempty"` // largest one
}

// Overhead is the cost of several systems on one program over PMEM read latency, or over
// another parameter.
type Overhead struct {
	Program   string          `json:"program"`
	Parameter string          `json:"parameter,omitempty"` // name and unit of what varies; "" for the PMEM read latency
	Points    []OverheadPoint `json:"points"`
}

// X returns where a point lies on the axis of what varies.
func (o *Overhead) X(p *OverheadPoint) float64 {
	if o.Parameter == "" {
		return p.PMEMLatencyNanos
	}
	return p.Value
}

// Fact is one line about the environment of a document, as the caller words it.
type Fact struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Bars is a value for each series in each group.
type Bars struct {
	Name    string `json:"name"`
	Caption string `json:"caption"`
	Axis    string `json:"axis"` // what the values are, with the unit
	Values  []Bar  `json:"values"`
}

// Bar is one of them. Published is a measured value that stands beside it, 0 for none.
type Bar struct {
	Group     string  `json:"group"`
	Series    string  `json:"series"`
	Value     float64 `json:"value"`
	Published float64 `json:"published,omitempty"`
}

// Curves are values over another one, for several series.
type Curves struct {
	Name    string       `json:"name"`
	Caption string       `json:"caption"`
	X       string       `json:"x"` // what the axes are, with units
	Y       string       `json:"y"`
	Points  []CurvePoint `json:"points"`
}

// CurvePoint is a point of a curve. Published says that it was measured, and by others.
type CurvePoint struct {
	Series    string  `json:"series"`
	X         float64 `json:"x"`
	Y         float64 `json:"y"`
	Published bool    `json:"published,omitempty"`
}

// Breakdown is what an operation takes under several systems, taken apart.
type Breakdown struct {
	Name    string `json:"name"`
	Caption string `json:"caption"`
	Parts   []Part `json:"parts"`
}

// Part is time that a system's operation spends on one thing.
type Part struct {
	System string  `json:"system"`
	Part   string  `json:"part"`
	Nanos  float64 `json:"nanos"`
}

// Prediction is a modelled value beside a published one, which the model was not fitted to.
type Prediction struct {
	Name      string  `json:"name"`
	Modelled  float64 `json:"modelled"`
	Published float64 `json:"published"`
	Unit      string  `json:"unit"`
	Source    string  `json:"source"`
}

// Factor is how far the two are apart, at least 1.
func (p *Prediction) Factor() float64 {
	return max(p.Modelled/p.Published, p.Published/p.Modelled)
}

// Document is everything that one report shows.
type Document struct {
	Schema      string       `json:"schema"`  // Schema; filled by Write when empty
	Version     int          `json:"version"` // Version; filled by Write when 0
	Title       string       `json:"title,omitempty"`
	Contents    string       `json:"contents,omitempty"` // which points are here, in words
	Environment []Fact       `json:"environment,omitempty"`
	Commands    []string     `json:"commands,omitempty"` // command lines that made this document, in order
	Campaigns   []Campaign   `json:"campaigns,omitempty"`
	Runs        []Run        `json:"runs,omitempty"`
	Overheads   []Overhead   `json:"overheads,omitempty"`
	Bars        []Bars       `json:"bars,omitempty"`
	Curves      []Curves     `json:"curves,omitempty"`
	Breakdowns  []Breakdown  `json:"breakdowns,omitempty"`
	Predictions []Prediction `json:"predictions,omitempty"`
	Remarks     []string     `json:"remarks,omitempty"` // on the figures, a paragraph each
	Params      []phys.Param `json:"params,omitempty"`  // the values the model used
}

// Counts returns the verdicts of all campaigns together.
func (d *Document) Counts() Counts {
	var sum Counts
	for i := range d.Campaigns {
		sum = sum.Plus(d.Campaigns[i].Counts)
	}
	return sum
}
