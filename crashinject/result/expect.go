package result

import (
	"fmt"
	"slices"
	"strings"
)

// Share is what a campaign expects of a part of its points: their verdict, what the reason
// of each says, and how many of a hundred they are.
type Share struct {
	Verdict Verdict `json:"verdict"`
	Reason  string  `json:"reason,omitempty"` // what each reason contains
	Least   uint64  `json:"least_percent"`
	Most    uint64  `json:"most_percent"`
	Points  uint64  `json:"points"` // that were
}

func (s Share) String() string {
	text := fmt.Sprintf("%d to %d %%", s.Least, s.Most)
	if s.Least == s.Most {
		text = fmt.Sprintf("%d %%", s.Least)
	}
	text += " " + s.Verdict.String()
	if s.Reason != "" {
		text += " (" + s.Reason + ")"
	}
	return text
}

// has tells whether a point belongs to the share.
func (s *Share) has(p *Point) bool {
	return s.Verdict == p.Verdict && strings.Contains(p.Reason, s.Reason)
}

// within tells whether the share came out as expected, of a number of points.
func (s *Share) within(points uint64) bool {
	return s.Points*100 >= s.Least*points && s.Points*100 <= s.Most*points
}

// Loosened returns shares of the same verdicts and reasons, of any size.
func Loosened(list []Share) []Share {
	list = slices.Clone(list)
	for i := range list {
		list[i].Least, list[i].Most = 0, 100
	}
	return list
}

// expected counts points by the shares that a campaign expects.
type expected struct {
	shares []Share
	other  uint64 // points of none
	odd    *Point // of these, the one with the smallest index
}

// Expect says what Fill is to count beside the verdicts; before the first point.
func (c *Collector) Expect(list []Share) { c.expected.shares = slices.Clone(list) }

func (e *expected) add(p *Point) {
	if len(e.shares) == 0 {
		return
	}
	if i := slices.IndexFunc(e.shares, func(s Share) bool { return s.has(p) }); i >= 0 {
		e.shares[i].Points++
		return
	}
	e.other++
	e.note(p)
}

func (e *expected) note(p *Point) {
	if p != nil && (e.odd == nil || p.Index < e.odd.Index) {
		q := *p
		e.odd = &q
	}
}

func (e *expected) merge(o *expected) {
	for i := range e.shares {
		e.shares[i].Points += o.shares[i].Points
	}
	e.other += o.other
	e.note(o.odd)
}

// MainVerdict returns the worst verdict of shares, none without any.
func MainVerdict(list []Share) (v Verdict) {
	for _, s := range list {
		if s.Verdict.Worse(v) {
			v = s.Verdict
		}
	}
	return v
}

// AsExpected returns nil where a campaign's points are what the campaign expects of them,
// or all passed and it expects nothing else; otherwise what is not so.
func (c *Campaign) AsExpected() error {
	switch {
	case c.Points == 0:
		return fmt.Errorf("no point was judged")
	case len(c.Expected) > 0:
		return c.sharesHold()
	}
	want := Pass
	if c.Expect.Valid() {
		want = c.Expect
	}
	if n := c.Counts.Of(want); n != c.Points {
		err := fmt.Errorf("%d of %d points are %v", n, c.Points, want)
		if i := slices.IndexFunc(c.Samples, func(p Point) bool { return p.Verdict != want }); i >= 0 {
			p := &c.Samples[i]
			err = fmt.Errorf("%w; %s: %v: %s", err, p.Plan, p.Verdict, p.Reason)
		}
		return err
	}
	return nil
}

func (c *Campaign) sharesHold() error {
	if p := c.Odd; p != nil {
		return fmt.Errorf("%d of %d points are none of what is expected; %s: %v: %s",
			c.Unexpected, c.Points, p.Plan, p.Verdict, p.Reason)
	}
	for i := range c.Expected {
		if s := &c.Expected[i]; !s.within(c.Points) {
			return fmt.Errorf("%d of %d points are expected to be %v, %d are", c.Points*s.Least/100, c.Points, s, s.Points)
		}
	}
	return nil
}
