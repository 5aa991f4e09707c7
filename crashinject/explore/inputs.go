package explore

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Input is a standard input of the program.
type Input struct {
	N    int    `json:"n"` // its number, which --stdin-input takes
	Text string `json:"text"`
}

// Inputs explores a program with each of several standard inputs, and makes one report of
// it. An input with which the program stores to no persistent memory is left out, and counted.
// Errors: as those of Explore, of the first input that has one, NoPMEM only if all have it.
func Inputs(ctx context.Context, opt *Options, from, to int, input func(n int) []byte) (all *Report, err error) {
	untouched := 0
	for n := from; n < to; n++ {
		one := *opt
		one.Input = append([]byte{}, input(n)...)
		if all != nil && opt.Worlds != 0 {
			if one.Worlds -= min(one.Worlds, all.Worlds+all.Before.Worlds); one.Worlds == 0 {
				all.stop(fmt.Sprintf("%v of %d", errBound, opt.Worlds))
				break
			}
		}
		r, e := Explore(ctx, &one)
		var nothing *NoPMEM
		switch {
		case errors.As(e, &nothing):
			err = e
			untouched++
			continue
		case e != nil:
			return nil, fmt.Errorf("standard input %d (%q): %w", n, clip(string(one.Input)), e)
		}
		in := Input{n, string(one.Input)}
		for _, f := range r.Failures {
			f.Input = &in
		}
		if all == nil {
			all = r
			all.Inputs = 1
			continue
		}
		all.add(r)
	}
	if all == nil {
		return nil, err
	}
	all.Untouched = untouched
	return all, nil
}

func (r *Report) stop(why string) {
	if r.Stopped == "" {
		r.Stopped = why
	}
	r.Exhaustive = false
}

// add puts another report's into r.
func (r *Report) add(o *Report) {
	r.Inputs++
	r.Counts.add(o.Counts)
	r.Before.add(o.Before)
	r.Naive = logAdd(r.Naive, o.Naive, false)
	r.Exhaustive = r.Exhaustive && o.Exhaustive
	r.Unexplored += o.Unexplored
	r.Checked += o.Checked
	if o.Verdict != "pass" {
		r.Verdict = o.Verdict
	}
	if o.Stopped != "" {
		r.stop(o.Stopped)
	}
	if r.err == nil {
		r.err = o.err
	}
	for _, f := range o.Failures {
		if i := slices.IndexFunc(r.Failures, func(old *Failure) bool { return old.identity() == f.identity() }); i >= 0 {
			r.Failures[i].Count += f.Count
			r.Failures[i].also(f.Kind)
			continue
		}
		r.Failures = append(r.Failures, f)
	}
	for _, a := range o.Advice {
		if i := slices.IndexFunc(r.Advice, func(old *Advice) bool { return old.identity() == a.identity() }); i >= 0 {
			r.Advice[i].Count += a.Count
			continue
		}
		r.Advice = append(r.Advice, a)
	}
	for _, f := range o.Performance {
		if i := slices.IndexFunc(r.Performance, func(old Finding) bool { return old.Kind == f.Kind && old.source() == f.source() }); i >= 0 {
			r.Performance[i].Count += f.Count
			r.Performance[i].Time += f.Time
			continue
		}
		r.Performance = append(r.Performance, f)
	}
	for _, n := range o.Notes {
		if !slices.Contains(r.Notes, n) {
			r.note(n)
		}
	}
	r.Suppressed = slices.Clone(o.Suppressed) // they count on
}

func (c *Counts) add(o Counts) {
	c.Looks += o.Looks
	c.Points += o.Points
	c.Worlds += o.Worlds
	c.Machines += o.Machines
	c.NoPool += o.NoPool
	c.Sampled += o.Sampled
}

// text names an input.
func (in *Input) text(b *strings.Builder) {
	fmt.Fprintf(b, "  standard input %d: %q\n", in.N, bytes.TrimSpace([]byte(clip(in.Text))))
}
