package result

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// kept is a collector as JSON: all that a later merge needs, and no more.
type kept struct {
	From, To uint64
	Limits   Limits
	Counts   Counts
	Bins     map[int]Counts `json:",omitempty"` // those that are not empty, by number
	Peak     Peak
	Redrawn  uint64   `json:",omitempty"`
	Shares   []uint64 `json:",omitempty"` // points of each that is expected
	Other    uint64   `json:",omitempty"`
	Odd      *Point   `json:",omitempty"`
	Sum      [4]uint64
	Samples  map[string]keptSamples
}

type keptSamples struct {
	Stride uint64
	First  Point
	Points []Point `json:",omitempty"`
}

// Coarse has passes sampled for a number of points from the start: no more are kept of a part of them
// than of all. It must be the same for all parts, and comes before the first point.
func (c *Collector) Coarse(points uint64) {
	s := &c.samples[Pass]
	for points/s.stride > uint64(s.limit) && s.stride < 1<<63 {
		s.stride *= 2
	}
}

// MarshalJSON writes what UnmarshalJSON reads back into a collector that Merge takes.
func (c *Collector) MarshalJSON() ([]byte, error) {
	k := kept{From: c.from, To: c.to, Limits: c.limits, Counts: c.counts, Bins: map[int]Counts{}, Peak: c.peak, Redrawn: c.redrawn,
		Other: c.expected.other, Odd: c.expected.odd, Sum: c.sum, Samples: map[string]keptSamples{}}
	for i := range c.bins {
		if n := c.bins[i].Counts; n != (Counts{}) {
			k.Bins[i] = n
		}
	}
	for _, s := range c.expected.shares {
		k.Shares = append(k.Shares, s.Points)
	}
	for _, v := range Verdicts() {
		if s := &c.samples[v]; s.any {
			k.Samples[v.String()] = keptSamples{Stride: s.stride, First: s.first, Points: s.kept}
		}
	}
	return json.Marshal(k)
}

// Absorb merges a collector of the same campaign that MarshalJSON has written. Errors: text that is of
// another campaign, or was written by nobody; c is unchanged then.
func (c *Collector) Absorb(text []byte) error {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return err
	}
	if k.From != c.from || k.To != c.to || k.Limits != c.limits || len(k.Shares) != len(c.expected.shares) {
		return errors.New("it is of another campaign")
	}
	o := NewCollector(k.From, k.To, k.Limits)
	o.Expect(c.expected.shares)
	o.counts, o.peak, o.redrawn, o.sum = k.Counts, k.Peak, k.Redrawn, k.Sum
	o.expected.other, o.expected.odd = k.Other, k.Odd
	for i, n := range k.Shares {
		o.expected.shares[i].Points = n
	}
	binned := Counts{}
	for i, n := range k.Bins {
		if i < 0 || i >= len(o.bins) {
			return fmt.Errorf("bin %d: expected 0 to %d", i, len(o.bins)-1)
		}
		o.bins[i].Counts, binned = n, binned.Plus(n)
	}
	if binned != k.Counts {
		return errors.New("its histogram does not add up to its verdicts")
	}
	for name, s := range k.Samples {
		i := slices.IndexFunc(Verdicts(), func(v Verdict) bool { return v.String() == name })
		if i < 0 || s.Stride == 0 || s.Stride&(s.Stride-1) != 0 {
			return fmt.Errorf("samples of %q by %d: expected a verdict, and a power of two", name, s.Stride)
		}
		to := &o.samples[Verdicts()[i]]
		to.any, to.first, to.stride, to.kept = true, s.First, s.Stride, s.Points
	}
	c.Merge(o)
	return nil
}
