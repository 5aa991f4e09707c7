package explore

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"path"
	"slices"
	"strings"

	"zhuque/cachemodel/worlds"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

type deadlock = kernel.Deadlock

// Schema and Version identify the JSON form of a Report.
const (
	Schema  = "zhuque-explore"
	Version = 1
)

// Kind says how a world is wrong.
type Kind string

// The kinds of failures.
const (
	Signal Kind = "signal" // the recovery was killed
	Exit   Kind = "exit"   // it ended with another status
	Hang   Kind = "hang"   // it does not end
	Lost   Kind = "lost"   // it does not know what was acknowledged
	Torn   Kind = "torn"   // what it knows is no state between two operations
	Output Kind = "output" // it writes other output than --expect-output
	Check  Kind = "check"  // the check fails
)

// Counts is how much was run.
type Counts struct {
	Looks  uint64 `json:"looks"`  // crash points run
	Points uint64 `json:"points"` // crash points that they stand for
	Worlds uint64 `json:"worlds"` // ways in which recoveries come out, crash point by crash point
	// Machines is how many were run for them: one stands for all crash points that its loads
	// do not tell apart.
	Machines uint64 `json:"machines"`
	NoPool   uint64 `json:"no_pool_yet"`
	// Sampled is the crash points with more worlds than the bound, of which a sample was run.
	Sampled uint64 `json:"sampled,omitempty"`
}

// Report is what an exploration found.
type Report struct {
	Schema  string `json:"schema"`
	Version int    `json:"version"`
	Domain  string `json:"domain"`
	Verdict string `json:"verdict"` // pass or violation
	Counts
	Naive       float64       `json:"naive_log10"` // memories that enumeration would run
	Exhaustive  bool          `json:"exhaustive"`
	Stopped     string        `json:"stopped,omitempty"` // why exploring ended early
	Failures    []*Failure    `json:"failures"`
	Advice      []*Advice     `json:"advice"`
	Performance []Finding     `json:"performance"`
	Suppressed  []Suppression `json:"suppressed,omitempty"`
	Checked     uint64        `json:"checked"` // crash points whose memories were compared with those of brute force
	Baseline    Baseline      `json:"baseline"`
	Unexplored  uint64        `json:"unexplored_writes"`   // through calls and to mappings outside of /mnt/pmem, taken as durable and atomic
	Inputs      int           `json:"inputs,omitempty"`    // standard inputs explored
	Untouched   int           `json:"untouched,omitempty"` // standard inputs with which no persistent memory was touched
	Before      Counts        `json:"before_mark"`         // what was run before the first zhuque_mark, not counted above
	Notes       []string      `json:"notes,omitempty"`

	err error
	one bool // only one world was run
}

// Err is what ended an exploration before its end, nil for nothing or for a bound: such
// as something unsupported that a recovery needs.
func (r *Report) Err() error { return r.err }

// Finding is an instruction of the program that costs time or durability for nothing.
type Finding struct {
	Kind string `json:"kind"`
	Place
	Count uint64 `json:"count"`
	// Time is what the modelled processor spends on it, each time as if nothing else waited.
	Time phys.Nanos `json:"time_ns"`
}

// Baseline is the run without a power cut.
type Baseline struct {
	Program              string `json:"program"`
	Instructions         uint64 `json:"instructions"`
	Acknowledgements     int    `json:"acknowledgements"`
	Recovery             string `json:"recovery"`
	RecoveryInstructions uint64 `json:"recovery_instructions"`
}

// State says what became of a store in a failing world.
type State string

// The states.
const (
	LostStore State = "lost"
	KeptStore State = "kept" // were it lost, too, the world would be right
)

// Store is a store that must be lost, or be there, for a world to be wrong.
type Store struct {
	Place
	State   State   `json:"state"`
	Memory  string  `json:"memory,omitempty"`  // its line: FILE+OFFSET
	Missing string  `json:"missing,omitempty"` // why it could be lost
	Flush   *Place  `json:"flush,omitempty"`   // that came too early, too late or without a fence
	Fence   *Place  `json:"fence,omitempty"`   // that came too late
	Stack   []Frame `json:"stack,omitempty"`   // innermost first

	cause worlds.Cause
}

// Load is the load of a recovery that saw what became of a store.
type Load struct {
	Place
	Memory string  `json:"memory,omitempty"`
	Stack  []Frame `json:"stack,omitempty"`
}

// Failure is a kind of world that is wrong.
type Failure struct {
	Kind   Kind    `json:"kind"`
	Also   []Kind  `json:"also,omitempty"` // other ways in which worlds of the same cause are wrong
	What   string  `json:"what"`
	Stores []Store `json:"stores"` // the smallest set: those lost first, then those kept
	Loads  []Load  `json:"loads"`  // in the recovery, one for each store
	Replay string  `json:"replay"`
	At     uint64  `json:"at"`   // instructions before the cut
	Cuts   int     `json:"cuts"` // power cuts
	Count  uint64  `json:"worlds"`
	Input  *Input  `json:"input,omitempty"` // standard input, where there are several
	// Larger: the set may have stores that need not be lost; there were too many worlds to find out.
	Larger bool `json:"not_minimal,omitempty"`

	// World leads to the first world: the number of the crash point from 1, the way in which each
	// load came out from 0; where the recovery was cut, the instruction there, and so on.
	World []uint64 `json:"world"`

	path []way     // to that world
	left *sim.Left // what the last cut left
	wish worlds.Wish
}

func newReport(opt *Options) *Report {
	return &Report{Schema: Schema, Version: Version, Domain: opt.Setup.Domain.String(), Failures: []*Failure{}, Advice: []*Advice{}, Performance: []Finding{}}
}

func (r *Report) note(s string) { r.Notes = append(r.Notes, s) }

// report completes the record.
func (x *explorer) report() {
	r := x.res
	r.Verdict, r.one = "pass", x.opt.Only != nil
	x.advise()
	x.suppress()
	if len(r.Failures) > 0 || slices.ContainsFunc(r.Advice, func(a *Advice) bool { return slices.Contains(x.opt.FailOn, a.Kind) }) {
		r.Verdict = "violation"
	}
	r.Naive = math.Round(x.naive*1000) / 1000
	if x.stopped != nil {
		r.Stopped, r.err = x.stopped.Error(), x.stopped
		if errors.Is(x.stopped, errBound) {
			r.Stopped, r.err = fmt.Sprintf("%s of %d", r.Stopped, x.opt.Worlds), nil
		}
	}
	r.Exhaustive = x.stopped == nil && r.Unexplored == 0 && r.Sampled+r.Before.Sampled == 0 && x.opt.Only == nil
}

// Text renders the report for a reader.
func (r *Report) Text() string {
	var b strings.Builder
	how := "exhaustive"
	switch {
	case r.one:
		how = "one world"
	case r.Stopped != "":
		how = "not exhaustive: " + r.Stopped
	case r.Sampled+r.Before.Sampled > 0:
		how = fmt.Sprintf("not exhaustive: at %d crash points a sample of the worlds, see --bound-point", r.Sampled+r.Before.Sampled)
	case r.Unexplored > 0:
		how = fmt.Sprintf("not exhaustive: %d writes through calls, or to mappings outside of /mnt/pmem, are taken as durable and atomic", r.Unexplored)
	}
	on := ""
	if r.Machines < r.Worlds {
		on = fmt.Sprintf(" on %d machines", r.Machines)
	}
	fmt.Fprintf(&b, "%s: %d crash points run for %d, %d worlds%s, of 10^%.1f memories; domain %s, %s\n", r.Verdict, r.Looks, r.Points, r.Worlds, on, r.Naive, r.Domain, how)
	if r.Inputs > 0 {
		fmt.Fprintf(&b, "%d standard inputs explored, with %d more no persistent memory is touched\n", r.Inputs, r.Untouched)
	}
	if r.NoPool > 0 {
		fmt.Fprintf(&b, "no pool yet in %d of them\n", r.NoPool)
	}
	if r.Before != (Counts{}) {
		fmt.Fprintf(&b, "before the first mark: %d crash points run for %d, %d worlds\n", r.Before.Looks, r.Before.Points, r.Before.Worlds)
	}
	fmt.Fprintf(&b, "baseline: the program %s after %d instructions and %d acknowledgements, the recovery %s after %d instructions\n", r.Baseline.Program, r.Baseline.Instructions, r.Baseline.Acknowledgements, r.Baseline.Recovery, r.Baseline.RecoveryInstructions)
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, f := range r.Performance {
		fmt.Fprintf(&b, "performance: %s, %d times", f.Kind, f.Count)
		if f.Time > 0 {
			fmt.Fprintf(&b, ", %d ns lost", f.Time)
		}
		fmt.Fprintf(&b, ", at %s\n", f.Place)
	}
	if len(r.Advice) > 0 {
		fmt.Fprintln(&b, "advice, in spite of which a program may be right:")
	}
	for _, a := range r.Advice {
		a.text(&b)
	}
	for _, s := range r.Suppressed {
		fmt.Fprintf(&b, "suppressed: %d by %q\n", s.Used, s.Name)
	}
	for i, f := range r.Failures {
		fmt.Fprintf(&b, "\nfailure %d, %s", i+1, f.Text())
	}
	return b.String()
}

func (p Place) String() string {
	in := ""
	if p.In != "" {
		in = ", in " + p.In
	}
	switch {
	case p.File != "" && p.Function != "":
		return fmt.Sprintf("%s:%d (%s)%s", path.Base(p.File), p.Line, p.Function, in)
	case p.File != "":
		return fmt.Sprintf("%s:%d%s", path.Base(p.File), p.Line, in)
	case p.Function != "":
		return fmt.Sprintf("%s (%s)", p.Address, p.Function)
	}
	return p.Address
}

// Text renders a failure for a reader.
func (f *Failure) Text() string {
	kinds := string(f.Kind)
	for _, k := range f.Also {
		kinds += " and " + string(k)
	}
	text := fmt.Sprintf("%s, in %d worlds: %s\n%s", kinds, f.Count, f.What, f.Why())
	if f.Replay != "" {
		text += fmt.Sprintf("  %s\n", f.Replay)
	}
	return text
}

// Why names the stores that are lost and kept, and the loads that saw it.
func (f *Failure) Why() string {
	b := &strings.Builder{}
	if f.lost() == 0 {
		fmt.Fprintf(b, "  nothing is lost: every store up to instruction %d, where the power is cut, is persisted\n", f.At)
	}
	if f.Larger {
		fmt.Fprintln(b, "  the set of stores may be larger than it need be")
	}
	for i := range f.Stores {
		s, l := &f.Stores[i], &f.Loads[i]
		fmt.Fprintf(b, "  %s: stored at %s to %s", s.State, s.Place, cmp.Or(s.Memory, "memory without a file"))
		if s.State == LostStore {
			fmt.Fprintf(b, ", %s", s.why())
		} else if f.lost() > 0 {
			fmt.Fprint(b, ", may be written back before")
		}
		fmt.Fprintf(b, "; seen by the load at %s\n", l.Place)
		writeStack(b, "stored", s.Stack)
		writeStack(b, "loaded", l.Stack)
	}
	if f.Input != nil {
		f.Input.text(b)
	}
	return b.String()
}

// writeStack writes the callers that have lines, the innermost first, where there are any
// beside the frame that is named already.
func writeStack(b *strings.Builder, what string, stack []Frame) {
	var lines []string
	for _, f := range stack {
		if f.Line > 0 {
			lines = append(lines, fmt.Sprintf("%s:%d (%s)", path.Base(f.File), f.Line, f.Function))
		}
		if f.Function == "main" {
			break // what called it is the C library's
		}
	}
	if len(lines) > 1 {
		fmt.Fprintf(b, "    %s by %s\n", what, strings.Join(lines, ", called by "))
	}
}

// why says what a lost store lacks.
func (s *Store) why() string {
	flush, fence := "", ""
	if s.Flush != nil {
		flush = " at " + s.Flush.String()
	}
	if s.Fence != nil {
		fence = " at " + s.Fence.String()
	}
	switch s.cause.Why {
	case worlds.NoFlush:
		switch {
		case s.Flush == nil:
			return "never flushed"
		case s.Fence == nil:
			return "flushed too late" + flush
		}
		return "flushed too late" + flush + ", fenced" + fence
	case worlds.FlushedBefore:
		return "flushed" + flush + " before the store"
	case worlds.NoFence:
		if fence != "" {
			return "flushed" + flush + ", fenced too late" + fence
		}
		return "flushed" + flush + ", not fenced"
	}
	if fence != "" {
		return "in a buffer of the processor until the fence" + fence
	}
	return "in a buffer of the processor, not fenced"
}
