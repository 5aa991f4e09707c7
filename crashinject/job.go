package crashinject

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"zhuque/crashinject/result"
)

// Job is a part of a campaign's points that is judged as a whole: those with the indices [Lo, Hi). Which
// jobs a campaign has depends on its points alone, not on who judges them.
type Job struct{ Lo, Hi uint64 }

// Judged is a job with what came out.
type Judged struct {
	Job
	Result []byte         // a result.Collector as JSON
	Failed []result.Point // all that did not pass, in order
}

// Ledger keeps the jobs of one campaign that were judged. Keep is called by several goroutines.
type Ledger interface {
	// Open says which campaign it is, and returns the results of the jobs that were judged before.
	Open(Description) (map[Job][]byte, error)
	Keep(Judged) error
}

// Description says which campaign a ledger is of: two with the same description have the same results.
type Description struct {
	Fields map[string]string // by name, in words
	Points uint64
	Jobs   uint64
}

// Shard is one of N parts of a campaign's jobs, counted from 1; the zero one is the only one.
type Shard struct{ I, N uint64 }

// ParseShard reads I/N.
func ParseShard(text string) (s Shard, err error) {
	i, n, ok := strings.Cut(text, "/")
	if s.I, err = strconv.ParseUint(i, 10, 32); err == nil && ok {
		s.N, err = strconv.ParseUint(n, 10, 32)
	}
	if err != nil || !ok || s.I < 1 || s.I > s.N {
		return Shard{}, fmt.Errorf("shard %q: expected I/N with I from 1 to N, as in 2/8", text)
	}
	return s, nil
}

// has tells whether a job belongs to the shard.
func (s Shard) has(job int) bool { return s.N == 0 || uint64(job)%s.N == s.I-1 }

// A job is a 256th of the points, but neither so small that keeping it costs more than judging it nor
// so large that a kill loses much.
const smallestJob, largestJob, usualJobs = 16, 8192, 256

// allJobs divides the points.
func (p *pointSet) allJobs() (list []Job) {
	each := min(max((p.total+usualJobs-1)/usualJobs, smallestJob), largestJob)
	for lo := uint64(0); lo < p.total; lo += each {
		list = append(list, Job{lo, min(lo+each, p.total)})
	}
	return list
}

// jobs returns what is left to judge, and adds what was judged before to total.
func (c *Campaign) jobs(points *pointSet, workers int, total *result.Collector) ([]planRange, error) {
	if c.Ledger == nil && c.Shard.N == 0 {
		return points.split(workers), nil
	}
	all := points.allJobs()
	var known map[Job][]byte
	if c.Ledger != nil {
		d, err := c.describe(points, len(all))
		if err != nil {
			return nil, err
		}
		if known, err = c.Ledger.Open(d); err != nil {
			return nil, err
		}
	}
	var todo []planRange
	for i, j := range all {
		text, ok := known[j]
		switch {
		case ok:
			if err := total.Absorb(text); err != nil {
				return nil, fmt.Errorf("the ledger's job of points %d to %d: %w", j.Lo, j.Hi-1, err)
			}
		case c.Shard.has(i):
			todo = append(todo, planRange{j.Lo, j.Hi})
		}
	}
	return todo, nil
}

// describe says what decides the campaign's results.
func (c *Campaign) describe(points *pointSet, jobs int) (Description, error) {
	d := Description{Points: points.total, Jobs: uint64(jobs), Fields: map[string]string{
		"program": c.Setup.Program, "arguments": fmt.Sprintf("%q", c.Setup.Args), "environment": fmt.Sprintf("%q", c.Setup.Env),
		"strategy": fmt.Sprintf("%s, seed %d", c.strategies(), c.Strategy.Seed),
		"range":    fmt.Sprintf("%d to %d", points.from, points.to), "tails": fmt.Sprint(c.Tails),
	}}
	for name, value := range c.Setup.Fields() {
		d.Fields["setting "+name] = value
	}
	for _, in := range c.inputs {
		d.Fields["input "+in.Name] = in.Digest
	}
	for _, more := range []struct {
		name string
		what any
		none bool
	}{{"restart", c.Restart, c.Restart == nil}, {"expected", c.Expect, c.Expect == nil}, {"other strategies", c.Also, c.Also == nil}} {
		if more.none {
			continue
		}
		text, err := json.Marshal(more.what)
		if err != nil {
			return d, err
		}
		d.Fields[more.name] = string(text)
	}
	return d, nil
}

// judgeJob judges a stretch into a result, and keeps it. One that was not judged to its end is not kept.
func (c *Campaign) judgeJob(ctx context.Context, v *verifier, points *pointSet, s stretch, into *result.Collector, done *atomic.Uint64, found *discovery) error {
	if c.Ledger == nil {
		return c.judgeStretch(ctx, v, points, s, into.Add, done, found)
	}
	own := c.collector(points)
	j := Judged{Job: Job{s.plans.lo, s.plans.hi}}
	err := c.judgeStretch(ctx, v, points, s, func(p result.Point) {
		own.Add(p)
		if p.Verdict != result.Pass {
			j.Failed = append(j.Failed, p)
		}
	}, done, found)
	into.Merge(own)
	if err != nil || own.Counts().Total() != j.Hi-j.Lo {
		return err
	}
	if j.Result, err = own.MarshalJSON(); err != nil {
		return err
	}
	slices.SortFunc(j.Failed, func(a, b result.Point) int { return cmp.Compare(a.Index, b.Index) })
	return c.Ledger.Keep(j)
}
