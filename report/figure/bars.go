package figure

import (
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// groupedBars is a plotter of hatched bars in groups. Bars grow from the lower
// edge of the panel, and so stand on a logarithmic axis as well as on a linear
// one; values of zero or less draw nothing.
type groupedBars struct {
	groups, series []string // in the order of their first bar
	bars           []bar
}

type bar struct {
	group, series    int
	value, low, high float64
}

func (g *groupedBars) add(group, series string, value, low, high float64) {
	g.bars = append(g.bars, bar{place(&g.groups, group), place(&g.series, series), value, low, high})
}

// place returns the index of name in names, which it appends when it is new.
func place(names *[]string, name string) int {
	if i := slices.Index(*names, name); i >= 0 {
		return i
	}
	*names = append(*names, name)
	return len(*names) - 1
}

// fill returns the style of a series.
func (g *groupedBars) fill(series int) fill {
	others, at := 0, 0
	for _, name := range g.series[:series+1] {
		at = rank(name, &others)
	}
	return fills[at%len(fills)]
}

func (g *groupedBars) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	w := 0.8 / float64(len(g.series))
	for _, b := range g.bars {
		if b.value <= 0 {
			continue
		}
		left := float64(b.group) - 0.4 + w*float64(b.series)
		r := vg.Rectangle{Min: vg.Point{X: x(left), Y: c.Min.Y}, Max: vg.Point{X: x(left + w*0.94), Y: y(b.value)}}
		style := g.fill(b.series)
		style.paint(&c, r)
		if b.low < b.high {
			errorBar(&c, draw.LineStyle{Color: ink, Width: vg.Points(0.8)}, (r.Min.X+r.Max.X)/2, y(b.low), y(b.high))
		}
	}
}

// DataRange returns the range of the positive values; a linear axis is extended to 0 by its owner.
func (g *groupedBars) DataRange() (xmin, xmax, ymin, ymax float64) {
	ymin, ymax = 1, 1
	for i, b := range g.bars {
		if low := max(b.low, 0); low > 0 && (i == 0 || low < ymin) {
			ymin = low
		}
		ymax = max(ymax, b.high)
	}
	return -0.5, float64(len(g.groups)) - 0.5, ymin, ymax
}
