package explore

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"zhuque/crashinject"
	judged "zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// way is one number of a Failure.World: a crash point, or how a load came out.
type way struct {
	n    uint64
	line phys.LineAddr // of the load, or one of those that stand for something else
}

// Lines of ways that are no loads of the recovery.
const (
	aLook  = ^phys.LineAddr(0)     // the program's crash point of this number, or the recovery's instruction
	aStart = ^phys.LineAddr(0) - 1 // what is read before a program starts, as its own file is
)

// ways are the numbers of a path.
func ways(path []way) []uint64 {
	list := make([]uint64, len(path))
	for i, s := range path {
		list[i] = s.n
	}
	return list
}

// lines names the lines of a path as cases have them, by what the last cut left; "" for a cut.
func lines(path []way, left *sim.Left) []string {
	names := make([]string, len(path))
	for i, s := range path {
		switch s.line {
		case aLook:
		case aStart:
			names[i] = "start+0x0"
		default:
			names[i] = cmp.Or(left.Where(s.line), fmt.Sprintf("pmem+%#x", uint64(s.line.Addr()))) // of a file that is gone
		}
	}
	return names
}

// reason is what a case says of how its world is wrong.
func reason(k Kind, what string) string { return crashinject.Printable(fmt.Sprintf("%s: %s", k, what)) }

// Case is a failure as zhuque replay reads it. Errors: what keeps an input from being read, and
// that there is too much of it.
func (f *Failure) Case(opt *Options) (crashinject.Case, error) {
	c := crashinject.Case{Setup: opt.Setup, Restart: opt.Recover,
		Verdict: judged.Violation, Reason: reason(f.Kind, f.What)}
	c.Explored = crashinject.Explored{Check: opt.Check, Status: opt.Status, Pipe: opt.Pipe}
	switch {
	case f.Input != nil:
		c.Input = &f.Input.Text
	case opt.Input != nil:
		text := string(opt.Input)
		c.Input = &text
	}
	if opt.Output != nil {
		text := string(opt.Output)
		c.Output = &text
	}
	names := lines(f.path, f.left)
	for i, s := range f.path {
		last := len(c.Plan.Cuts) - 1
		switch {
		case i == 0:
			c.Plan.Cuts = append(c.Plan.Cuts, crashinject.Cut{Look: s.n})
		case names[i] == "":
			c.Plan.Cuts = append(c.Plan.Cuts, crashinject.Cut{After: s.n})
		default:
			cut := &c.Plan.Cuts[last]
			cut.Worlds = append(cut.Worlds, crashinject.World{Line: names[i], Way: s.n})
		}
	}
	c, err := c.Digested()
	if err == nil && len(c.String()) > crashinject.MaxCase {
		err = fmt.Errorf("a case of this failure is longer than %d bytes: "+
			"its standard input, or the output that is expected, is too long", crashinject.MaxCase)
	}
	return c, err
}

// replay is what is known of the world that a case leads to.
type replay struct {
	lines  []string // that it decides
	reason string   // of the case, "" for unknown
	met    bool     // it was run
	other  string   // what a world at the same place decides instead of those lines
	told   []*wrong // how it is wrong
}

// meet notes that a world was run to its end, and reports whether it may be judged: one that
// decides other lines than the case has is another world.
func (x *explorer) meet(left *sim.Left) bool {
	r := x.replay
	if r == nil || len(x.path) != len(x.opt.Only) {
		return true
	}
	for i, name := range lines(x.path, left) {
		if name != r.lines[i] {
			r.other = fmt.Sprintf("the world decides %s, where %s was expected", name, r.lines[i])
			return false
		}
	}
	r.met = true
	return true
}

// asked reports whether anybody asks why a world is wrong. Of a case's world that is wrong in
// several ways the one that the case has is explained.
func (x *explorer) asked(w *wrong) bool {
	if x.opt.Only == nil {
		return true
	}
	if !slices.Equal(ways(w.path), x.opt.Only) {
		return false
	}
	r := x.replay
	if r == nil {
		return true
	}
	r.told = append(r.told, w)
	return r.reason == "" || r.reason == reason(w.kind, w.what)
}

// Foreign are the settings of machines that explore does not have.
var Foreign = []string{"memory", "flush", "mutant", "energy", "sigpwr"}

// Replay judges the world of a case again; why says what it is wrong by, nil for nothing.
// Errors: *crashinject.Stale, what a world cannot have, and those of Explore.
func Replay(ctx context.Context, c *crashinject.Case) (p judged.Point, why *Failure, err error) {
	opt, known, err := options(c)
	if err != nil {
		return p, nil, err
	}
	x := newExplorer(ctx, opt)
	x.replay = known
	if err := x.explore(); err != nil {
		return p, nil, err
	}
	p = judged.Point{Kind: judged.AtInstruction, Plan: c.Plan.String(), Verdict: judged.Pass}
	switch {
	case x.stopped != nil:
		return p, nil, x.stopped
	case !known.met:
		p.Verdict = judged.Unreached
		p.Reason = cmp.Or(known.other,
			"there is no such world: fewer crash points, or other loads that several memories decide")
		return p, nil, nil
	case len(known.told) == 0:
		return p, nil, nil
	}
	w := known.told[0]
	for _, other := range known.told {
		if reason(other.kind, other.what) == known.reason {
			w = other
		}
	}
	p.Verdict, p.At, p.Reason = judged.Violation, w.at, reason(w.kind, w.what)
	if len(x.res.Failures) > 0 {
		why = x.res.Failures[0]
	}
	return p, why, nil
}

// options are how the world of a case is explored.
func options(c *crashinject.Case) (*Options, *replay, error) {
	if err := c.WorldFits(); err != nil {
		return nil, nil, err
	}
	usual, given := crashinject.DefaultSetup(), c.Setup.Fields()
	for _, name := range Foreign {
		if v, ok := given[name]; ok && v != usual.Fields()[name] {
			return nil, nil, fmt.Errorf("set %s %q: explore has its own machine, "+
				"of which persistent memory is the files of /mnt/pmem", name, v)
		}
	}
	if n := len(c.Plan.Cuts); n > MostCuts {
		return nil, nil, fmt.Errorf("%d cuts: expected at most %d", n, MostCuts)
	}
	if err := c.Fresh(); err != nil {
		return nil, nil, err
	}
	opt := &Options{Setup: c.Setup, Recover: c.Restart, Check: c.Check, Status: c.Status,
		Pipe: c.Pipe, Cuts: len(c.Plan.Cuts)}
	if c.Output != nil {
		opt.Output = []byte(*c.Output)
	}
	if c.Input != nil {
		opt.Input = []byte(*c.Input)
	}
	known := &replay{reason: c.Reason}
	for i, cut := range c.Plan.Cuts {
		at := cut.Look
		if i > 0 {
			at = cut.After
		}
		opt.Only, known.lines = append(opt.Only, at), append(known.lines, "")
		for _, w := range cut.Worlds {
			opt.Only, known.lines = append(opt.Only, w.Way), append(known.lines, w.Line)
		}
	}
	return opt, known, nil
}
