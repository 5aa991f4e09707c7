package figure

import (
	"image/color"
	"math"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"zhuque/crashinject/result"
)

// hatch is a set of line directions drawn over a fill.
type hatch uint8

const (
	rising  hatch = 1 << iota // lines like /
	falling                   // lines like \
	level                     // lines like -
)

// fill is how an area is painted.
type fill struct {
	color color.Color
	hatch hatch
}

func gray(v uint8) color.Color { return color.Gray{Y: v} }

var ink = gray(0x20)

var (
	outline  = draw.LineStyle{Color: ink, Width: vg.Points(0.4)}
	hatching = draw.LineStyle{Color: ink, Width: vg.Points(0.5)}
)

// fills of the systems in grouped bars, in the order of their first row.
var fills = []fill{
	{gray(0x58), 0}, {gray(0xff), rising}, {gray(0xc8), 0}, {gray(0xff), level},
	{gray(0x98), falling}, {gray(0xff), rising | falling}, {gray(0xe8), falling}, {gray(0x28), 0},
}

func verdictFill(v result.Verdict) fill {
	switch v {
	case result.Pass:
		return fill{gray(0xc4), 0}
	case result.Violation:
		return fill{color.RGBA{R: 0x8e, G: 0x10, B: 0x10, A: 0xff}, 0}
	case result.Detected:
		return fill{gray(0xff), rising}
	case result.Unsupported:
		return fill{gray(0xff), level}
	case result.SimBug:
		return fill{gray(0xd8), rising | falling}
	case result.Unreached:
		return fill{gray(0xe8), level}
	}
	return fill{gray(0xff), falling}
}

// paint fills r and outlines it.
func (f fill) paint(c *draw.Canvas, r vg.Rectangle) { f.paintSkyline(c, []vg.Rectangle{r}) }

// paintSkyline fills and outlines rectangles that stand side by side on one line.
func (f fill) paintSkyline(c *draw.Canvas, bars []vg.Rectangle) {
	var edge []vg.Point
	edge = append(edge, bars[0].Min)
	for _, r := range bars {
		edge = append(edge, vg.Point{X: r.Min.X, Y: r.Max.Y}, r.Max)
	}
	last := bars[len(bars)-1]
	edge = append(edge, vg.Point{X: last.Max.X, Y: last.Min.Y})
	c.FillPolygon(f.color, edge)
	for _, r := range bars {
		for _, s := range f.hatchLines(r) {
			c.StrokeLine2(hatching, s[0].X, s[0].Y, s[1].X, s[1].Y)
		}
	}
	c.StrokeLines(outline, append(edge, bars[0].Min))
}

// hatchLines returns the hatch clipped to r. The lines lie on one grid for the
// whole canvas, so that the hatches of touching areas continue each other.
func (f fill) hatchLines(r vg.Rectangle) [][2]vg.Point {
	const gap = 3.6
	var lines [][2]vg.Point
	grid := func(from, to vg.Length, line func(k vg.Length) (a, b vg.Point)) {
		for k := vg.Length(math.Ceil(float64(from)/gap)) * gap; k < to; k += gap {
			if a, b := line(k); a.X < b.X {
				lines = append(lines, [2]vg.Point{a, b})
			}
		}
	}
	if f.hatch&rising != 0 { // y = x + k
		grid(r.Min.Y-r.Max.X, r.Max.Y-r.Min.X, func(k vg.Length) (a, b vg.Point) {
			lo, hi := max(r.Min.X, r.Min.Y-k), min(r.Max.X, r.Max.Y-k)
			return vg.Point{X: lo, Y: lo + k}, vg.Point{X: hi, Y: hi + k}
		})
	}
	if f.hatch&falling != 0 { // y = k - x
		grid(r.Min.X+r.Min.Y, r.Max.X+r.Max.Y, func(k vg.Length) (a, b vg.Point) {
			lo, hi := max(r.Min.X, k-r.Max.Y), min(r.Max.X, k-r.Min.Y)
			return vg.Point{X: lo, Y: k - lo}, vg.Point{X: hi, Y: k - hi}
		})
	}
	if f.hatch&level != 0 {
		grid(r.Min.Y, r.Max.Y, func(k vg.Length) (a, b vg.Point) {
			return vg.Point{X: r.Min.X, Y: k}, vg.Point{X: r.Max.X, Y: k}
		})
	}
	return lines
}

// pen is how a series of points is drawn.
type pen struct {
	line  draw.LineStyle
	glyph draw.GlyphStyle
}

var pens = []pen{
	newPen(0x00, 1.6, nil, draw.CircleGlyph{}),
	newPen(0x50, 1.2, []vg.Length{6, 3}, draw.SquareGlyph{}),
	newPen(0x70, 1.2, []vg.Length{1.5, 2.5}, draw.TriangleGlyph{}).larger(),
	newPen(0x30, 1.0, []vg.Length{8, 3, 1.5, 3}, draw.RingGlyph{}),
	newPen(0x90, 1.6, nil, draw.BoxGlyph{}),
	newPen(0x60, 1.0, []vg.Length{3, 2}, draw.PyramidGlyph{}),
	newPen(0x40, 1.0, []vg.Length{10, 4}, draw.PlusGlyph{}),
	newPen(0x70, 1.0, []vg.Length{1, 3}, draw.CrossGlyph{}),
}

func newPen(level uint8, width float64, dashes []vg.Length, shape draw.GlyphDrawer) pen {
	return pen{
		line:  draw.LineStyle{Color: gray(level), Width: vg.Points(width), Dashes: dashes},
		glyph: draw.GlyphStyle{Color: gray(level), Radius: 2.6, Shape: shape},
	}
}

// larger makes the glyph stand out around one of Zhuque's at the same place.
func (p pen) larger() pen {
	p.glyph.Radius *= 1.8
	return p
}

// rank returns the style of the k-th other system; Zhuque always has the first, strongest one.
func rank(name string, k *int) int {
	if strings.EqualFold(name, "zhuque") {
		return 0
	}
	*k++
	return *k
}

// failureGlyph marks a cut that did not pass.
var failureGlyph = draw.GlyphStyle{Color: color.RGBA{R: 0x8e, G: 0x10, B: 0x10, A: 0xff},
	Radius: 3.2, Shape: draw.CrossGlyph{}}

// entry is one item of a legend: exactly one of the pointers is set.
type entry struct {
	text  string
	fill  *fill
	line  *draw.LineStyle
	glyph *draw.GlyphStyle
}

// drawLegend draws the entries in rows along the top of c and returns what is left of c.
func drawLegend(c draw.Canvas, entries []entry, text font.Font) draw.Canvas {
	if len(entries) == 0 {
		return c
	}
	const gap = 5
	thumb, row := 2*text.Size, 1.45*text.Size
	text.Size -= 0.5
	style := draw.TextStyle{Color: ink, Font: text, Handler: newPanel("", "").X.Label.TextStyle.Handler}
	x, y := c.Min.X+4, c.Max.Y-row
	for _, e := range entries {
		w := thumb + gap + style.Width(e.text) + 14
		if x+w > c.Max.X && x > c.Min.X+4 {
			x, y = c.Min.X+4, y-row
		}
		box := vg.Rectangle{Min: vg.Point{X: x, Y: y + 0.1*row}, Max: vg.Point{X: x + thumb, Y: y + 0.7*row}}
		middle := (box.Min.Y + box.Max.Y) / 2
		if e.fill != nil {
			e.fill.paint(&c, box)
		}
		if e.line != nil {
			c.StrokeLine2(*e.line, box.Min.X, middle, box.Max.X, middle)
		}
		if e.glyph != nil {
			c.DrawGlyph(*e.glyph, vg.Point{X: (box.Min.X + box.Max.X) / 2, Y: middle})
		}
		c.FillText(style, vg.Point{X: box.Max.X + gap, Y: y + 0.17*row}, e.text)
		x += w
	}
	c.Max.Y = y - 5
	return c
}
