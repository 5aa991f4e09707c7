package report

import (
	"fmt"
	"math"
	"strings"

	"zhuque/crashinject/result"
)

// Change is a value of two documents. Low and High are where several runs of it lay; N is 1 for one run,
// whose value is the same whenever it is made.
type Change struct {
	Figure string `json:"figure"`
	Name   string `json:"name"`
	Unit   string `json:"unit"`
	Old    Sample `json:"old"`
	New    Sample `json:"new"`
}

// Sample is a value, and the interval of the runs behind it.
type Sample struct {
	Value float64 `json:"value"`
	N     int     `json:"n"`
	Low   float64 `json:"low"`
	High  float64 `json:"high"`
}

// Ratio is the new value over the old one; not a number where the old one is none.
func (c *Change) Ratio() float64 { return c.New.Value / c.Old.Value }

// Differs reports whether no run of the one lies among the runs of the other.
func (c *Change) Differs() bool { return c.New.Low > c.Old.High || c.New.High < c.Old.Low }

// Comparison is what two documents have in common, in the order of the old one.
type Comparison struct {
	Changes          []Change `json:"changes"`
	OnlyOld, OnlyNew int
	Params           []string `json:"parameters,omitempty"` // that differ, in words
}

// Compare compares the measured values of two documents: overheads, bars, breakdowns.
func Compare(old, new *result.Document) *Comparison {
	c := &Comparison{Params: differingParams(old, new)}
	before, after := values(old), values(new)
	at := map[[2]string]int{}
	for i := range after {
		at[[2]string{after[i].Figure, after[i].Name}] = i
	}
	for _, v := range before {
		i, ok := at[[2]string{v.Figure, v.Name}]
		if !ok {
			c.OnlyOld++
			continue
		}
		v.New = after[i].Old
		c.Changes = append(c.Changes, v)
	}
	c.OnlyNew = len(after) - len(c.Changes)
	return c
}

func one(v float64) Sample { return Sample{v, 1, v, v} }

// values lists what a document has measured, each name once in its figure.
func values(d *result.Document) (list []Change) {
	for i := range d.Overheads {
		o := &d.Overheads[i]
		for j := range o.Points {
			p := &o.Points[j]
			s := one(p.RelativeToNative)
			if p.N > 1 {
				s = Sample{p.RelativeToNative, p.N, p.Low, p.High}
			}
			list = append(list, Change{Figure: o.Program, Name: fmt.Sprintf("%s at %s", p.System, float(o.X(p))), Unit: "run time / native", Old: s})
		}
	}
	for i := range d.Bars {
		for _, v := range d.Bars[i].Values {
			list = append(list, Change{Figure: d.Bars[i].Name, Name: v.Group + ", " + v.Series, Unit: d.Bars[i].Axis, Old: one(v.Value)})
		}
	}
	for i := range d.Curves {
		for _, p := range d.Curves[i].Points {
			if !p.Published {
				list = append(list, Change{Figure: d.Curves[i].Name, Name: fmt.Sprintf("%s at %s", p.Series, float(p.X)), Unit: d.Curves[i].Y, Old: one(p.Y)})
			}
		}
	}
	for i := range d.Breakdowns {
		for _, p := range d.Breakdowns[i].Parts {
			list = append(list, Change{Figure: d.Breakdowns[i].Name, Name: p.System + ", " + p.Part, Unit: "ns", Old: one(p.Nanos)})
		}
	}
	return list
}

func differingParams(old, new *result.Document) (list []string) {
	was := map[string]float64{}
	for _, p := range old.Params {
		was[p.Name] = p.Value
	}
	for _, p := range new.Params {
		v, ok := was[p.Name]
		switch {
		case !ok:
			list = append(list, fmt.Sprintf("%s is %s, and no parameter of the old one", p.Name, float(p.Value)))
		case v != p.Value:
			list = append(list, fmt.Sprintf("%s is %s, was %s", p.Name, float(p.Value), float(v)))
		}
		delete(was, p.Name)
	}
	for _, p := range old.Params {
		if v, ok := was[p.Name]; ok {
			list = append(list, fmt.Sprintf("%s was %s, and is no parameter of the new one", p.Name, float(v)))
		}
	}
	return list
}

// Text renders a comparison in benchstat's manner: a table for each figure with the geometric mean of its
// ratios, ~ where the runs of the two overlap or are equal.
func (c *Comparison) Text() string {
	var b strings.Builder
	for _, p := range c.Params {
		fmt.Fprintf(&b, "parameter: %s\n", p)
	}
	for i := 0; i < len(c.Changes); {
		j := i
		for j < len(c.Changes) && c.Changes[j].Figure == c.Changes[i].Figure {
			j++
		}
		if b.Len() > 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%s: %s\n", c.Changes[i].Figure, c.Changes[i].Unit)
		changeTable(c.Changes[i:j]).write(&b)
		i = j
	}
	if c.OnlyOld+c.OnlyNew > 0 {
		fmt.Fprintf(&b, "\nnot compared: %d values of the old one alone, %d of the new one alone\n", c.OnlyOld, c.OnlyNew)
	}
	return b.String()
}

func changeTable(list []Change) *textTable {
	t := &textTable{head: []string{"", "old", "new", "new vs old"}, left: map[int]bool{0: true}}
	sum, n := 0.0, 0
	for i := range list {
		c := &list[i]
		if r := c.Ratio(); r > 0 && !math.IsInf(r, 0) {
			sum += math.Log(r)
			n++
		}
		t.rows = append(t.rows, []cell{{text: c.Name}, {text: c.Old.text()}, {text: c.New.text()}, {text: c.text()}})
	}
	if n > 0 {
		t.rows = append(t.rows, []cell{{text: fmt.Sprintf("geometric mean of %d", n)}, {}, {}, {text: growth(math.Exp(sum / float64(n)))}})
	}
	return t
}

func (s Sample) text() string {
	if s.N < 2 {
		return times(s.Value)
	}
	return fmt.Sprintf("%s (%s to %s, n=%d)", times(s.Value), times(s.Low), times(s.High), s.N)
}

func (c *Change) text() string {
	switch r := c.Ratio(); {
	case !c.Differs():
		return "~"
	case math.IsInf(r, 0) || math.IsNaN(r):
		return "-" // from nothing
	default:
		return growth(r)
	}
}

func growth(ratio float64) string { return fmt.Sprintf("%+.2f%%", (ratio-1)*100) }
