package result

import (
	"errors"
	"fmt"
	"math"
)

// Validate reports the first contradiction inside d: sums that do not add up,
// points outside their campaign, numbers that are not finite, a digest that does
// not match its campaign.
func (d *Document) Validate() error {
	for i := range d.Campaigns {
		if err := d.Campaigns[i].validate(); err != nil {
			return fmt.Errorf("campaign %d (%q): %w", i+1, d.Campaigns[i].Name, err)
		}
	}
	for i := range d.Runs {
		r := &d.Runs[i]
		if err := finite("wall_seconds", r.WallSeconds, "instructions_per_second", r.InstructionsPerSecond); err != nil {
			return fmt.Errorf("run %d (%q): %w", i+1, r.Name, err)
		}
	}
	for i := range d.Overheads {
		o := &d.Overheads[i]
		for j := range o.Points {
			if err := o.Points[j].validate(); err != nil {
				return fmt.Errorf("overhead %d (%q), point %d: %w", i+1, o.Program, j+1, err)
			}
		}
	}
	if err := d.validateFigures(); err != nil {
		return err
	}
	for i := range d.Params {
		if v := d.Params[i].Value; math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("parameter %q: the value is %v, expected a finite number", d.Params[i].Name, v)
		}
	}
	return nil
}

func (d *Document) validateFigures() error {
	for i := range d.Bars {
		for j := range d.Bars[i].Values {
			b := &d.Bars[i].Values[j]
			if err := finite("value", b.Value, "published", b.Published); err != nil {
				return fmt.Errorf("bars %d (%q), value %d: %w", i+1, d.Bars[i].Name, j+1, err)
			}
		}
	}
	for i := range d.Curves {
		for j := range d.Curves[i].Points {
			if p := &d.Curves[i].Points[j]; finite("x", p.X, "y", p.Y) != nil {
				return fmt.Errorf("curves %d (%q), point %d: %w", i+1, d.Curves[i].Name, j+1, finite("x", p.X, "y", p.Y))
			}
		}
	}
	for i := range d.Breakdowns {
		for j := range d.Breakdowns[i].Parts {
			if err := finite("nanos", d.Breakdowns[i].Parts[j].Nanos); err != nil {
				return fmt.Errorf("breakdown %d (%q), part %d: %w", i+1, d.Breakdowns[i].Name, j+1, err)
			}
		}
	}
	for i := range d.Predictions {
		p := &d.Predictions[i]
		if err := finite("modelled", p.Modelled, "published", p.Published); err != nil {
			return fmt.Errorf("prediction %d (%q): %w", i+1, p.Name, err)
		}
	}
	return nil
}

func (c *Campaign) validate() error {
	if c.From > c.To {
		return fmt.Errorf("\"from\" is %d and \"to\" is %d, expected from <= to", c.From, c.To)
	}
	if n := c.Counts.Total(); n != c.Points {
		return fmt.Errorf("the verdicts add up to %d, \"points\" is %d", n, c.Points)
	}
	if err := finite("wall_seconds", c.WallSeconds, "points_per_second", c.PointsPerSecond); err != nil {
		return err
	}
	if err := c.validateHistogram(); err != nil {
		return err
	}
	if err := c.validateSamples(); err != nil {
		return err
	}
	if c.Digest == "" {
		return errors.New("\"digest\" is missing")
	}
	if want := c.digest(); c.Digest != want {
		return fmt.Errorf("\"digest\" is %s, the campaign's content gives %s: the record was changed after it was written",
			c.Digest, want)
	}
	return nil
}

func (c *Campaign) validateHistogram() error {
	if len(c.Histogram) == 0 {
		return nil
	}
	var sum Counts
	next := c.From
	for i, b := range c.Histogram {
		if b.From != next || b.To < b.From || b.To > c.To {
			return fmt.Errorf("histogram bin %d covers %d..%d, expected it to start at %d and end by %d",
				i+1, b.From, b.To, next, c.To)
		}
		next = b.To + 1
		sum = sum.Plus(b.Counts)
	}
	if last := c.Histogram[len(c.Histogram)-1].To; last != c.To {
		return fmt.Errorf("the histogram ends at instruction %d, \"to\" is %d", last, c.To)
	}
	if sum != c.Counts {
		return fmt.Errorf("the histogram's bins do not add up to \"counts\": %+v against %+v", sum, c.Counts)
	}
	return nil
}

func (c *Campaign) validateSamples() error {
	var sum Counts
	var points [4]uint64
	for i := range c.Samples {
		p := &c.Samples[i]
		if err := p.check(c.From, c.To); err != nil {
			return fmt.Errorf("sample %d: %w", i+1, err)
		}
		if i > 0 && p.Index <= c.Samples[i-1].Index {
			return fmt.Errorf("sample %d has index %d after index %d, expected rising indices",
				i+1, p.Index, c.Samples[i-1].Index)
		}
		sum.Add(p.Verdict, 1)
		points = addWords(points, words(p.hash()))
	}
	for _, v := range Verdicts() {
		if sum.Of(v) > c.Counts.Of(v) {
			return fmt.Errorf("%d samples say %s, \"counts\" has %d", sum.Of(v), v, c.Counts.Of(v))
		}
	}
	if c.Complete() && c.PointsDigest != hexWords(points) {
		return errors.New("the samples do not match \"points_digest\": a point was changed after it was written")
	}
	return nil
}

// check reports what makes p unfit for a campaign over from..to.
func (p *Point) check(from, to uint64) error {
	switch {
	case !p.Verdict.Valid():
		return fmt.Errorf("point %d carries no verdict", p.Index)
	case !p.Kind.Valid():
		return fmt.Errorf("point %d has kind %q, expected one of %v", p.Index, p.Kind, Kinds())
	case p.At < from || p.At > to:
		return fmt.Errorf("point %d is at instruction %d, outside %d..%d", p.Index, p.At, from, to)
	case p.Verdict != Pass && p.Reason == "":
		return fmt.Errorf("point %d is %s without a reason", p.Index, p.Verdict)
	}
	return nil
}

func (p *OverheadPoint) validate() error {
	err := finite("pmem_latency_nanos", p.PMEMLatencyNanos, "value", p.Value,
		"relative_to_native", p.RelativeToNative, "low", p.Low, "high", p.High)
	switch {
	case err != nil:
		return err
	case p.System == "":
		return errors.New("\"system\" is empty")
	case p.N > 1 && (p.Low > p.RelativeToNative || p.High < p.RelativeToNative):
		return fmt.Errorf("%g lies outside its own interval %g..%g", p.RelativeToNative, p.Low, p.High)
	}
	return nil
}

// finite takes name, value pairs and reports the first value that is negative, infinite or not a number.
func finite(pairs ...any) error {
	for i := 0; i < len(pairs); i += 2 {
		if v := pairs[i+1].(float64); math.IsNaN(v) || math.IsInf(v, 0) || v < 0 {
			return fmt.Errorf("%q is %v, expected a finite number that is not negative", pairs[i], v)
		}
	}
	return nil
}
