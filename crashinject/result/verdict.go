package result

import (
	"fmt"
	"strings"
)

// Verdict is the outcome of one crash point. The zero value is no verdict at
// all: a point that nobody judged can never be read as a pass.
type Verdict uint8

const (
	// Pass: after recovery memory, registers and (where checked) later behaviour were identical.
	Pass Verdict = iota + 1
	// Violation: the recovered process differs and nothing reported it: silent corruption.
	Violation
	// Detected: recovery refused the image and said why; nothing was resumed.
	Detected
	// Unsupported: the run reached something that the simulator does not model.
	Unsupported
	// SimBug: the simulator contradicted itself; the point says nothing about the program.
	SimBug
	// Timeout: the step budget ended before the point could be judged.
	Timeout
	// Unreached: the plan names a place or an amount that the run does not have.
	Unreached
)

type verdictRow struct {
	name     string
	exit     int
	severity int
	meaning  string
}

var verdictRows = [...]verdictRow{
	Pass: {"pass", 0, 2,
		"After the power cut and recovery, every compared page and every register equals the baseline run; where the tail was checked, all later output did too."},
	Violation: {"violation", 10, 7,
		"The recovered process differs from the baseline run and recovery did not notice. This is silent corruption, the worst outcome."},
	Detected: {"detected", 11, 3,
		"Recovery found the image damaged or incomplete, refused to resume it and gave the reason. Nothing wrong was executed."},
	Unsupported: {"unsupported", 12, 4,
		"The run reached an instruction, system call or state that the simulator does not model. The run stopped there; it is not counted as a pass."},
	SimBug: {"simbug", 13, 6,
		"The simulator broke one of its own invariants. The point says nothing about the program and is to be reported with its replay command."},
	Timeout: {"timeout", 14, 5,
		"The step budget ended before the point could be judged. A hang after recovery shows up here; it is not counted as a pass."},
	Unreached: {"unreached", 15, 1,
		"The plan names a place that the run never comes to, or more steps, iterations or stores than that place has. Nothing was cut as written; it is not counted as a pass."},
}

// Verdicts lists all verdicts in the order in which tables show them.
func Verdicts() []Verdict {
	return []Verdict{Pass, Violation, Detected, Unsupported, SimBug, Timeout, Unreached}
}

// Valid reports whether v is one of the seven verdicts.
func (v Verdict) Valid() bool { return v >= Pass && v <= Unreached }

// Failed reports whether a point was judged and did not pass.
func (v Verdict) Failed() bool { return v.Valid() && v != Pass && v != Unreached }

// String returns the verdict's name, as Parse reads it back.
func (v Verdict) String() string {
	if !v.Valid() {
		return fmt.Sprintf("no verdict (%d)", uint8(v))
	}
	return verdictRows[v].name
}

// ExitCode returns the process exit status that reports v: 0 for pass, 10 to 15
// for the others. It panics for a value that is no verdict.
func (v Verdict) ExitCode() int {
	v.mustBeValid()
	return verdictRows[v].exit
}

// Meaning returns one or two sentences that explain v to a reader.
func (v Verdict) Meaning() string {
	v.mustBeValid()
	return verdictRows[v].meaning
}

// Worse reports whether v is more serious than w: violation, simbug, timeout,
// unsupported, detected, pass, unreached: a campaign that reached any point is judged by
// those. Any verdict is worse than none.
func (v Verdict) Worse(w Verdict) bool { return v.severity() > w.severity() }

func (v Verdict) severity() int {
	if !v.Valid() {
		return 0
	}
	return verdictRows[v].severity
}

func (v Verdict) mustBeValid() {
	if !v.Valid() {
		panic(fmt.Sprintf("BUG: result.Verdict(%d) used without a judgement", uint8(v)))
	}
}

// ParseVerdict reads a verdict's name.
func ParseVerdict(s string) (Verdict, error) {
	names := make([]string, 0, len(verdictRows))
	for _, v := range Verdicts() {
		if verdictRows[v].name == s {
			return v, nil
		}
		names = append(names, verdictRows[v].name)
	}
	return 0, fmt.Errorf("verdict %q: expected one of %s", s, strings.Join(names, ", "))
}

// MarshalText implements encoding.TextMarshaler; a value that is no verdict is an error.
func (v Verdict) MarshalText() ([]byte, error) {
	if !v.Valid() {
		return nil, fmt.Errorf("a point carries no verdict (value %d)", uint8(v))
	}
	return []byte(verdictRows[v].name), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (v *Verdict) UnmarshalText(b []byte) error {
	w, err := ParseVerdict(string(b))
	if err != nil {
		return err
	}
	*v = w
	return nil
}

// Counts holds one number of points per verdict.
type Counts struct {
	Pass        uint64 `json:"pass"`
	Violation   uint64 `json:"violation"`
	Detected    uint64 `json:"detected"`
	Unsupported uint64 `json:"unsupported"`
	SimBug      uint64 `json:"simbug"`
	Timeout     uint64 `json:"timeout"`
	Unreached   uint64 `json:"unreached"`
}

func (c *Counts) field(v Verdict) *uint64 {
	switch v {
	case Pass:
		return &c.Pass
	case Violation:
		return &c.Violation
	case Detected:
		return &c.Detected
	case Unsupported:
		return &c.Unsupported
	case SimBug:
		return &c.SimBug
	case Timeout:
		return &c.Timeout
	case Unreached:
		return &c.Unreached
	}
	panic(fmt.Sprintf("BUG: result.Verdict(%d) counted without a judgement", uint8(v)))
}

// Add counts n more points with verdict v. It panics for a value that is no verdict.
func (c *Counts) Add(v Verdict, n uint64) { *c.field(v) += n }

// Of returns the number of points with verdict v.
func (c Counts) Of(v Verdict) uint64 { return *c.field(v) }

// Total returns the number of points of all verdicts.
func (c Counts) Total() uint64 {
	return c.Pass + c.Violation + c.Detected + c.Unsupported + c.SimBug + c.Timeout + c.Unreached
}

// Plus returns the sum of c and d.
func (c Counts) Plus(d Counts) Counts {
	for _, v := range Verdicts() {
		c.Add(v, d.Of(v))
	}
	return c
}

// Worst returns the most serious verdict that occurs; ok is false when no point was counted.
func (c Counts) Worst() (worst Verdict, ok bool) {
	for _, v := range Verdicts() {
		if c.Of(v) > 0 && v.Worse(worst) {
			worst, ok = v, true
		}
	}
	return worst, ok
}
