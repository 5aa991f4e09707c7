package figure

import (
	"bytes"
	"image/color"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgimg"
	"gonum.org/v1/plot/vg/vgsvg"
)

const (
	width   = 15 * vg.Centimeter
	pngDPI  = 160
	nTicks  = 5
	fontPts = 10.5
)

// Figure is one or more panels, one above the other with common left and right
// edges, under one legend.
type Figure struct {
	panels []*plot.Plot
	legend []entry
	height vg.Length
	groups []string // names under the groups of bars; nil where there is a scale
}

// SVG writes the figure as scalable vector graphics.
func (f *Figure) SVG(w io.Writer) error {
	c := vgsvg.New(width, f.height)
	f.draw(draw.New(c), sans(fontPts))
	var b bytes.Buffer
	if _, err := c.WriteTo(&b); err != nil {
		return err
	}
	// A reader without the compiled-in font takes one of the same metrics.
	_, err := w.Write(bytes.ReplaceAll(b.Bytes(), []byte("font-family:Liberation Sans;"),
		[]byte("font-family:Liberation Sans,Arial,Helvetica,sans-serif;")))
	return err
}

// PNG writes the figure as a raster image of 160 dots per inch.
func (f *Figure) PNG(w io.Writer) error {
	c := vgimg.NewWith(vgimg.UseWH(width, f.height), vgimg.UseDPI(pngDPI))
	f.draw(draw.New(c), sans(fontPts))
	_, err := vgimg.PngCanvas{Canvas: c}.WriteTo(w)
	return err
}

// draw draws with labels in one font, and all smaller text one point below it.
func (f *Figure) draw(c draw.Canvas, text font.Font) {
	c.SetColor(color.White)
	c.Fill(c.Rectangle.Path())
	c = draw.Crop(c, 4, -10, 4, -4)
	c = drawLegend(c, f.legend, text)
	rows := make([][]*plot.Plot, len(f.panels))
	overhang := vg.Length(0)
	for i, p := range f.panels {
		rows[i] = make([]*plot.Plot, 1)
		rows[i][0], overhang = f.lettered(p, text, c.Max.X-c.Min.X)
	}
	c = draw.Crop(c, overhang, 0, 0, 0)
	tiles := draw.Tiles{Rows: len(rows), Cols: 1, PadY: 8}
	for i, canvases := range plot.Align(rows, tiles, c) {
		rows[i][0].Draw(canvases[0])
	}
}

// lettered returns a panel with its text in a font. Names of groups that are too wide to stand side by
// side lean; overhang is how far they reach to the left of what else the panel has.
func (f *Figure) lettered(panel *plot.Plot, text font.Font, width vg.Length) (_ *plot.Plot, overhang vg.Length) {
	const lean = math.Pi / 5
	p := *panel
	small := text
	small.Size--
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.Label.TextStyle.Font, a.Tick.Label.Font = text, small
	}
	left := 2.5 * text.Size // label and numbers of the other axis
	room := (width - left) / vg.Length(max(len(f.groups), 1))
	label := &p.X.Tick.Label
	if slices.ContainsFunc(f.groups, func(name string) bool { return label.Width(name) > 0.95*room }) {
		label.Rotation, label.XAlign, label.YAlign = lean, draw.XRight, draw.YCenter
		for i, name := range f.groups {
			overhang = max(overhang, vg.Length(math.Cos(lean))*label.Width(name)-left-room*(vg.Length(i)+0.5))
		}
	}
	return &p, overhang
}

// newPanel returns an empty plot in the report's style.
func newPanel(xLabel, yLabel string) *plot.Plot {
	p := plot.New()
	p.BackgroundColor = color.White
	for _, a := range []*plot.Axis{&p.X, &p.Y} {
		a.LineStyle.Width = vg.Points(0.6)
		a.Tick.LineStyle.Width = vg.Points(0.6)
		a.Tick.Length = vg.Points(4)
		a.Tick.Marker = linearTicks{}
		a.Padding = 0
	}
	p.X.Label.Text, p.Y.Label.Text = xLabel, yLabel
	p.X.Label.Padding, p.Y.Label.Padding = 3, 4
	return p
}

func sans(size float64) font.Font {
	return font.Font{Typeface: "Liberation", Variant: "Sans", Size: font.Length(size)}
}

// linearTicks puts about nTicks ticks at multiples of 1, 2 or 5 times a power of
// ten and writes whole numbers with commas.
type linearTicks struct{}

func (linearTicks) Ticks(lo, hi float64) []plot.Tick {
	step := niceStep((hi - lo) / nTicks)
	var ticks []plot.Tick
	for i := math.Ceil(lo/step - 1e-9); i*step <= hi+step*1e-9; i++ {
		ticks = append(ticks, plot.Tick{Value: i * step, Label: number(i * step)})
	}
	return ticks
}

func niceStep(raw float64) float64 {
	if raw <= 0 || math.IsInf(raw, 0) || math.IsNaN(raw) {
		return 1
	}
	unit := math.Pow(10, math.Floor(math.Log10(raw)))
	for _, m := range []float64{1, 2, 5} {
		if raw <= m*unit*1.0001 {
			return m * unit
		}
	}
	return 10 * unit
}

// logTicks labels 1, 2, 3 and 5 times each power of ten, or only the powers when
// the range spans more than two decades.
type logTicks struct{}

func (logTicks) Ticks(lo, hi float64) []plot.Tick {
	wide := hi/lo > 100
	var ticks []plot.Tick
	for e := math.Floor(math.Log10(lo)); e <= math.Ceil(math.Log10(hi)); e++ {
		for m := 1.0; m < 10; m++ {
			v := m * math.Pow(10, e)
			if v < lo*0.9999 || v > hi*1.0001 {
				continue
			}
			t := plot.Tick{Value: v}
			if m == 1 || !wide && (m == 2 || m == 3 || m == 5) {
				t.Label = number(v)
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

// number writes v shortly and exactly enough for an axis, with commas.
func number(v float64) string {
	if v == 0 {
		return "0" // also for a negative zero
	}
	s := strconv.FormatFloat(v, 'g', 6, 64)
	if v == math.Trunc(v) && math.Abs(v) < 1e15 {
		s = strconv.FormatFloat(v, 'f', 0, 64)
	}
	if strings.Contains(s, "e") {
		return s
	}
	whole, _, _ := strings.Cut(s, ".")
	fraction := s[len(whole):]
	for i := len(whole) - 3; i > 0 && whole[i-1] != '-'; i -= 3 {
		whole = whole[:i] + "," + whole[i:]
	}
	return whole + fraction
}
