package figure

import (
	"image/color"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// Bars draws a value for each series in each group, and a diamond where a published value stands
// beside it. The axis is logarithmic when the values span more than a factor of ten.
//
// The CSV has one row per bar with the columns group, series, the value (the third, whose name
// is that of the axis) and published (empty: none).
func Bars(text []byte) (*Figure, error) {
	t, err := readTable(text, "group", "series", "published")
	if err != nil {
		return nil, err
	}
	axis := t.named(2)
	g := groupedBars{}
	var marks []bar
	for i := range t.rows {
		v, err := t.numbers(i, axis)
		if err != nil {
			return nil, err
		}
		g.add(t.text(i, "group"), t.text(i, "series"), v[0], v[0], v[0])
		if t.text(i, "published") == "" {
			continue
		}
		if v, err = t.numbers(i, "published"); err != nil {
			return nil, err
		}
		b := g.bars[len(g.bars)-1]
		b.value, b.low, b.high = v[0], v[0], v[0]
		marks = append(marks, b)
	}
	p := newPanel("", axis)
	p.Add(&g)
	f := &Figure{panels: []*plot.Plot{p}, height: 260}
	for i, name := range g.series {
		style := g.fill(i)
		f.legend = append(f.legend, entry{text: name, fill: &style})
	}
	if len(marks) > 0 {
		p.Add(&diamonds{groupedBars{groups: g.groups, series: g.series, bars: marks}})
		glyph := publishedGlyph
		f.legend = append(f.legend, entry{text: "published", glyph: &glyph})
	}
	f.nameGroups(g.groups)
	scaleRatio(&p.Y)
	return f, nil
}

// nameGroups labels the groups under the one panel.
func (f *Figure) nameGroups(names []string) {
	ticks := make([]plot.Tick, len(names))
	for i, name := range names {
		ticks[i] = plot.Tick{Value: float64(i), Label: name}
	}
	p := f.panels[0]
	p.X.Min, p.X.Max = -0.5, float64(len(ticks))-0.5
	p.X.Tick.Marker = plot.ConstantTicks(ticks)
	p.X.Tick.LineStyle.Color = color.Transparent
	f.groups = names
}

var publishedGlyph = draw.GlyphStyle{Color: ink, Radius: 3.4, Shape: diamond{}}

// diamond is a white glyph with a dark edge: it shows on every fill.
type diamond struct{}

func (diamond) DrawGlyph(c *draw.Canvas, style draw.GlyphStyle, at vg.Point) {
	r := style.Radius
	edge := []vg.Point{{X: at.X - r, Y: at.Y}, {X: at.X, Y: at.Y + r}, {X: at.X + r, Y: at.Y}, {X: at.X, Y: at.Y - r}}
	c.FillPolygon(color.White, edge)
	c.StrokeLines(draw.LineStyle{Color: style.Color, Width: vg.Points(1)}, append(edge, edge[0]))
}

// diamonds are published values, over the bars of the same groups and series.
type diamonds struct{ groupedBars }

func (d *diamonds) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	w := 0.8 / float64(len(d.series))
	for _, b := range d.bars {
		c.DrawGlyph(publishedGlyph, vg.Point{X: x(float64(b.group) - 0.4 + w*(float64(b.series)+0.47)), Y: y(b.value)})
	}
}

// Stacked draws for each system a bar of parts that add up, in the order of the rows.
//
// The CSV has one row per part with the columns system, part and nanos.
func Stacked(text []byte) (*Figure, error) {
	t, err := readTable(text, "system", "part", "nanos")
	if err != nil {
		return nil, err
	}
	s := &stacks{}
	for i := range t.rows {
		v, err := t.numbers(i, "nanos")
		if err != nil {
			return nil, err
		}
		s.bars = append(s.bars, bar{group: place(&s.groups, t.text(i, "system")), series: place(&s.series, t.text(i, "part")), value: max(v[0], 0)})
	}
	p := newPanel("", "ns per operation")
	p.Add(s)
	p.Y.Min, p.Y.Max = 0, p.Y.Max*1.05
	f := &Figure{panels: []*plot.Plot{p}, height: 270}
	f.nameGroups(s.groups)
	for i, name := range s.series {
		style := fills[i%len(fills)]
		f.legend = append(f.legend, entry{text: name, fill: &style})
	}
	return f, nil
}

// stacks is a plotter of stacked bars.
type stacks struct {
	groups, series []string
	bars           []bar
}

func (s *stacks) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	top := make([]float64, len(s.groups))
	for i := range s.series {
		for _, b := range s.bars {
			if b.series != i || b.value <= 0 {
				continue
			}
			low := top[b.group]
			top[b.group] += b.value
			at := float64(b.group)
			fills[i%len(fills)].paint(&c, vg.Rectangle{Min: vg.Point{X: x(at - 0.32), Y: y(low)}, Max: vg.Point{X: x(at + 0.32), Y: y(top[b.group])}})
		}
	}
}

func (s *stacks) DataRange() (xmin, xmax, ymin, ymax float64) {
	sums := make([]float64, len(s.groups))
	for _, b := range s.bars {
		sums[b.group] += b.value
	}
	return -0.5, float64(len(s.groups)) - 0.5, 0, max(slices.Max(sums), 1)
}
