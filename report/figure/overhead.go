package figure

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Overhead draws, for one program, the run time of each system relative to
// native over the PMEM read latency or another parameter, with an interval from the smallest to the
// largest run where there were several. An axis that spans more than a factor of
// ten is logarithmic.
//
// The CSV has one row per point with the columns system, what varies (the second:
// pmem_latency_nanos, or the name that the axis gets), relative_to_native, n, low and high
// (both empty: no interval).
func Overhead(text []byte) (*Figure, error) {
	t, err := readTable(text, "system", "relative_to_native", "n", "low", "high")
	if err != nil {
		return nil, err
	}
	x, label := t.named(1), t.named(1)
	if x == "pmem_latency_nanos" {
		label = "PMEM read latency (ns)"
	}
	p := newPanel(label, "run time / native")
	f := &Figure{panels: []*plot.Plot{p}, height: 250}
	var names []string
	others := 0
	series := map[string]*intervals{}
	for i := range t.rows {
		v, err := t.numbers(i, x, "relative_to_native", "n")
		if err != nil {
			return nil, err
		}
		low, high, err := t.interval(i, v[2], v[1])
		if err != nil {
			return nil, err
		}
		name := t.text(i, "system")
		if series[name] == nil {
			series[name] = &intervals{pen: pens[rank(name, &others)%len(pens)]}
			names = append(names, name)
		}
		series[name].add(v[0], v[1], low, high)
	}
	// Zhuque lies at the bottom: its line is the broadest.
	slices.SortStableFunc(names, func(a, b string) int {
		switch zhuque := strings.EqualFold(a, "zhuque"); {
		case zhuque == strings.EqualFold(b, "zhuque"):
			return 0
		case zhuque:
			return -1
		}
		return 1
	})
	for _, name := range names {
		s := series[name]
		s.sort()
		p.Add(s)
		line, glyph := s.pen.line, s.pen.glyph
		f.legend = append(f.legend, entry{text: name, line: &line, glyph: &glyph})
	}
	scaleLatency(&p.X)
	scaleRatio(&p.Y)
	return f, nil
}

func scaleLatency(a *plot.Axis) {
	if a.Min > 0 && a.Max/a.Min > 10 {
		a.Scale, a.Tick.Marker = plot.LogScale{}, logTicks{}
		return
	}
	room := (a.Max - a.Min) * 0.03
	if room == 0 {
		room = 1
	}
	a.Min, a.Max = a.Min-room, a.Max+room
}

func scaleRatio(a *plot.Axis) {
	if a.Min > 0 && a.Max/a.Min > 10 {
		a.Min, a.Max = a.Min*0.9, a.Max*1.15
		a.Scale, a.Tick.Marker = plot.LogScale{}, logTicks{}
		return
	}
	a.Min, a.Max = 0, a.Max*1.08
}

// intervals is a plotter of one series: line, glyphs and error bars.
type intervals struct {
	pen       pen
	points    plotter.XYs
	low, high []float64 // equal to the value where there is no interval
}

func (s *intervals) add(x, y, low, high float64) {
	s.points = append(s.points, plotter.XY{X: x, Y: y})
	s.low, s.high = append(s.low, low), append(s.high, high)
}

func (s *intervals) sort() {
	order := make([]int, len(s.points))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(s.points[a].X, s.points[b].X)
	})
	sorted := intervals{pen: s.pen}
	for _, i := range order {
		sorted.points = append(sorted.points, s.points[i])
		sorted.low, sorted.high = append(sorted.low, s.low[i]), append(sorted.high, s.high[i])
	}
	*s = sorted
}

func (s *intervals) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	line := make([]vg.Point, len(s.points))
	for i, pt := range s.points {
		line[i] = vg.Point{X: x(pt.X), Y: y(pt.Y)}
	}
	c.StrokeLines(s.pen.line, line)
	bar := draw.LineStyle{Color: s.pen.line.Color, Width: vg.Points(0.7)}
	for i, at := range line {
		if s.low[i] < s.high[i] {
			errorBar(&c, bar, at.X, y(s.low[i]), y(s.high[i]))
		}
		c.DrawGlyph(s.pen.glyph, at)
	}
}

func (s *intervals) DataRange() (xmin, xmax, ymin, ymax float64) {
	xmin, xmax = xRange(s.points)
	if len(s.points) == 1 {
		xmax = xmin
	}
	return xmin, xmax, slices.Min(s.low), slices.Max(s.high)
}

func errorBar(c *draw.Canvas, style draw.LineStyle, x, low, high vg.Length) {
	const cap = 2.5
	c.StrokeLine2(style, x, low, x, high)
	c.StrokeLine2(style, x-cap, low, x+cap, low)
	c.StrokeLine2(style, x-cap, high, x+cap, high)
}

// OverheadBars draws the run time relative to native of each system, grouped by
// program, at the one PMEM read latency that all rows share. The axis is
// logarithmic when the values span more than a factor of ten; bars then stand on
// the bottom edge, which is labelled.
//
// The CSV has one row per bar with the columns program, system,
// pmem_latency_nanos, relative_to_native, n, low and high.
func OverheadBars(text []byte) (*Figure, error) {
	t, err := readTable(text, "program", "system", "pmem_latency_nanos", "relative_to_native", "n", "low", "high")
	if err != nil {
		return nil, err
	}
	var g groupedBars
	latency := math.NaN()
	for i := range t.rows {
		v, err := t.numbers(i, "pmem_latency_nanos", "relative_to_native", "n")
		if err != nil {
			return nil, err
		}
		low, high, err := t.interval(i, v[2], v[1])
		if err != nil {
			return nil, err
		}
		if i > 0 && v[0] != latency {
			return nil,
				fmt.Errorf("figure data: row %d has PMEM latency %g ns, expected %g ns as in the rows before", i+1, v[0], latency)
		}
		latency = v[0]
		g.add(t.text(i, "program"), t.text(i, "system"), v[1], low, high)
	}
	p := newPanel("", "run time / native")
	p.Add(&g)
	p.X.Label.Text = "at " + number(latency) + " ns PMEM read latency"
	scaleRatio(&p.Y)
	f := &Figure{panels: []*plot.Plot{p}, height: 250}
	f.nameGroups(g.groups)
	for i, name := range g.series {
		style := g.fill(i)
		f.legend = append(f.legend, entry{text: name, fill: &style})
	}
	return f, nil
}
