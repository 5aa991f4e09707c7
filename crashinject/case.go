package crashinject

import (
	"bufio"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"zhuque/crashinject/result"
)

// Case is one judged plan with all that is needed to repeat it. Its text form is
// what zhuque replay reads:
//
//	zhuque-case 2
//	program "guest:list"
//	arg "-n"
//	env "TERM=dumb"
//	set domain "adr"
//	input program "9f86d081884c7d65…"
//	cut after 1234 step 3 recovery 7
//	restart "/usr/bin/check"
//	restart-arg "/mnt/pmem/pool"
//	restart-status "0"
//	tail
//	check "/usr/bin/check"
//	check-arg "-q"
//	expect-status "0"
//	expect-output "4 nodes\n"
//	stdin "push 3\n"
//	stdout "pipe"
//	verdict violation
//	reason "after the restart rax is 0x0 instead of 0x1"
//
// Lines that start with # and empty lines do not count. Strings are quoted as in Go.
// The lines from check to stdout belong to a world of zhuque explore, whose cuts are like
// "look 2 world /mnt/pmem/f+0x40=1" and whose recovery is the restart.
// In version 1, which is still read, a 0 of an optional setting means that it is not given.
type Case struct {
	Setup    Setup
	Plan     Plan
	Restart  *Restart       // nil: the program comes back
	Explored                // of a plan that leads to a world
	Tail     bool           // the survivor ran to the program's end
	Verdict  result.Verdict // what it was judged; zero when it was not
	Reason   string

	// Inputs are what the verdict depends on beside the setup; none for unknown.
	Inputs []Input

	version int // of the text that it was read from
}

// caseHeaders are the first lines of the versions that are read; the last is written.
var caseHeaders = []string{"zhuque-case 1", "zhuque-case 2"}

var caseHeader = caseHeaders[len(caseHeaders)-1]

// MaxCase is the length in bytes of the longest text that is read as a case; the case of a
// world has the program's input and the output that was expected in it.
const MaxCase = 16 << 20

// String renders the case as ParseCase reads it.
func (c Case) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s\nprogram %q\n", caseHeader, c.Setup.Program)
	for _, a := range c.Setup.Args {
		fmt.Fprintf(&b, "arg %q\n", a)
	}
	for _, e := range c.Setup.Env {
		fmt.Fprintf(&b, "env %q\n", e)
	}
	fields := c.Setup.Fields()
	for _, k := range slices.Sorted(maps.Keys(fields)) {
		fmt.Fprintf(&b, "set %s %q\n", k, fields[k])
	}
	for _, in := range c.Inputs {
		fmt.Fprintf(&b, "input %s %q\n", in.Name, in.Digest)
	}
	for _, cut := range c.Plan.Cuts {
		fmt.Fprintf(&b, "cut %s\n", cut)
	}
	c.Restart.write(&b)
	c.Explored.write(&b)
	if c.Tail {
		b.WriteString("tail\n")
	}
	if c.Verdict.Valid() {
		fmt.Fprintf(&b, "verdict %s\n", c.Verdict)
	}
	if c.Reason != "" {
		fmt.Fprintf(&b, "reason %q\n", c.Reason)
	}
	return b.String()
}

// SyntaxError is a case file that does not parse.
type SyntaxError struct {
	File string
	Line int
	Err  error
}

func (e *SyntaxError) Error() string { return fmt.Sprintf("%s:%d: %v", e.File, e.Line, e.Err) }
func (e *SyntaxError) Unwrap() error { return e.Err }

// ParseCase reads a case; file names it in errors.
func ParseCase(file, text string) (Case, error) {
	c, err := parseCase(file, text)
	if err == nil && len(c.Plan.Cuts) == 0 {
		return Case{}, &SyntaxError{file, strings.Count(text, "\n") + 1, fmt.Errorf("no cut: expected a line like cut after 1000")}
	}
	return c, err
}

// ParseNote reads the note of an image: a case, without cuts when nobody planned any.
func ParseNote(text string) (Case, error) { return parseCase("the image's note", text) }

func parseCase(file, text string) (Case, error) {
	c := Case{Setup: DefaultSetup()}
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, MaxCase)
	n, header := 0, false
	for lines.Scan() {
		n++
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		if !header {
			if c.version = 1 + slices.Index(caseHeaders, line); c.version == 0 {
				return Case{}, &SyntaxError{file, n, fmt.Errorf("%q: expected %q as the first line", clip(line), caseHeader)}
			}
			header = true
			continue
		}
		if err := c.line(line); err != nil {
			return Case{}, &SyntaxError{file, n, err}
		}
	}
	switch {
	case lines.Err() != nil:
		return Case{}, &SyntaxError{file, n + 1, lines.Err()}
	case !header:
		return Case{}, &SyntaxError{file, n + 1, fmt.Errorf("the file is empty: expected %q", caseHeader)}
	case c.Setup.Program == "":
		return Case{}, &SyntaxError{file, n + 1, fmt.Errorf("no program: expected a line like program \"/bin/true\"")}
	}
	c.version = 0 // what was read is printed in the present one
	return c, nil
}

func clip(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

// set changes a setting as the case's version means it.
func (c *Case) set(name, value string) error {
	if r := findSetting(name); c.version == 1 && r != nil && r.zeroAbsent && value == "0" {
		return nil
	}
	return c.Setup.Set(name, value)
}

func (c *Case) line(line string) error {
	key, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	quoted := func() (string, error) {
		s, err := strconv.Unquote(rest)
		if err != nil || !strings.HasPrefix(rest, `"`) {
			return "", fmt.Errorf("%s %s: expected a string in double quotes", key, clip(rest))
		}
		return s, nil
	}
	var err error
	switch key {
	case "program":
		c.Setup.Program, err = quoted()
	case "arg":
		var s string
		s, err = quoted()
		c.Setup.Args = append(c.Setup.Args, s)
	case "env":
		var s string
		s, err = quoted()
		c.Setup.Env = append(c.Setup.Env, s)
	case "set":
		name, value, _ := strings.Cut(rest, " ")
		rest = strings.TrimSpace(value)
		var s string
		if s, err = quoted(); err == nil {
			err = c.set(name, s)
		}
	case "input":
		name, value, _ := strings.Cut(rest, " ")
		rest = strings.TrimSpace(value)
		var s string
		s, err = quoted()
		c.Inputs = append(c.Inputs, Input{name, s})
	case "cut":
		var cut Cut
		cut, err = parseCut(rest, c.version == 1)
		c.Plan.Cuts = append(c.Plan.Cuts, cut)
	case "restart", "restart-arg", "restart-status":
		var s string
		if s, err = quoted(); err == nil {
			err = c.restartLine(key, s)
		}
	case "tail":
		c.Tail = true
		if rest != "" {
			err = fmt.Errorf("tail takes nothing, found %q", clip(rest))
		}
	case "verdict":
		c.Verdict, err = result.ParseVerdict(rest)
	case "reason":
		c.Reason, err = quoted()
	case "check", "check-arg", "expect-status", "expect-output", "stdin", "stdout":
		var s string
		if s, err = quoted(); err == nil {
			err = c.exploredLine(key, s)
		}
	default:
		err = fmt.Errorf("%q: expected one of program, arg, env, set, input, cut, restart, restart-arg, restart-status, "+
			"check, check-arg, expect-status, expect-output, stdin, stdout, tail, verdict, reason", clip(key))
	}
	return err
}

// Judge runs a case: the program uncut as far as the first failure, then the plan.
func (c *Case) Judge() (result.Point, error) {
	if c.Plan.OfWorlds() {
		return result.Point{}, ErrOfWorlds
	}
	if err := c.Explored.fits(c.Plan); err != nil {
		return result.Point{}, err
	}
	if err := c.Plan.fits(max(c.Setup.Cores, 1)); err != nil {
		return result.Point{}, err
	}
	if err := c.Restart.fits(c.Plan); err != nil {
		return result.Point{}, err
	}
	if err := c.Fresh(); err != nil {
		return result.Point{}, err
	}
	camp := Campaign{Setup: c.Setup, Restart: c.Restart}
	base, cfg, err := camp.baseline(context.Background())
	if err != nil {
		return result.Point{}, err
	}
	v := &verifier{setup: &c.Setup, cfg: cfg, base: base, oracle: base.oracle}
	return v.fromStart(c.Plan, c.Tail)
}

// fromStart judges a plan on a fresh main line.
func (v *verifier) fromStart(plan Plan, tail bool) (result.Point, error) {
	main, err := v.start()
	if err != nil {
		return result.Point{}, err
	}
	if stop := main.RunUntil(plan.Cuts[0].After); !reached(stop) {
		p := result.Point{At: main.Retired(), Kind: result.AtInstruction, Plan: plan.String()}
		run := survivor{v: v, p: &p, ref: main, m: main}
		run.overdue(stop, stop, "after", main.Retired())
		return p, nil
	}
	p := v.judge(main, plan, tail)
	p.Plan = plan.String()
	return p, nil
}
