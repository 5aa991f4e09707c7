package figure

import (
	"fmt"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"zhuque/crashinject/result"
)

// Verdicts draws where on the instruction axis which verdicts fell: one row for
// each verdict that occurs, and always one for violation. A bar's height is the
// number of points in its bin relative to the row's largest bin, which the label
// gives in brackets, so that one violation among a million passes is a full bar.
//
// The CSV has one row per bin with the columns from, to (instructions, both
// included) and one column per verdict with the number of points.
func Verdicts(text []byte) (*Figure, error) {
	names := []string{"from", "to"}
	for _, v := range result.Verdicts() {
		names = append(names, v.String())
	}
	t, err := readTable(text, names...)
	if err != nil {
		return nil, err
	}
	s := strip{rows: make([]stripRow, len(result.Verdicts()))}
	for i := range t.rows {
		v, err := t.numbers(i, names...)
		if err != nil {
			return nil, err
		}
		if v[1] < v[0] {
			return nil, fmt.Errorf("figure data: row %d ends at %g before it starts at %g", i+1, v[1], v[0])
		}
		s.from, s.to = append(s.from, v[0]), append(s.to, v[1]+1)
		for j := range s.rows {
			s.rows[j].add(v[2+j])
		}
	}
	for j, v := range result.Verdicts() {
		s.rows[j].verdict = v
	}
	s.keepUsed()
	p := newPanel("cut after this many guest instructions", "points per bin")
	p.Add(&s)
	p.X.Min, p.X.Max = s.from[0], s.to[len(s.to)-1]
	p.Y.Min, p.Y.Max = 0, float64(len(s.rows))
	p.Y.Tick.Marker = &s
	p.Y.Tick.LineStyle.Width = 0
	return &Figure{panels: []*plot.Plot{p}, height: vg.Length(52 + 38*len(s.rows))}, nil
}

type stripRow struct {
	verdict    result.Verdict
	counts     []float64
	total, max float64
}

func (r *stripRow) add(n float64) {
	r.counts = append(r.counts, n)
	r.total += n
	r.max = max(r.max, n)
}

// strip is a plotter of stacked rows of bars and the ticker of their labels.
type strip struct {
	from, to []float64
	rows     []stripRow // first row on top
}

func (s *strip) keepUsed() {
	used := s.rows[:0]
	for _, r := range s.rows {
		if r.total > 0 || r.verdict == result.Violation {
			used = append(used, r)
		}
	}
	s.rows = used
}

// base returns the y value on which row i stands.
func (s *strip) base(i int) float64 { return float64(len(s.rows) - 1 - i) }

func (s *strip) Ticks(float64, float64) []plot.Tick {
	var ticks []plot.Tick
	for i, r := range s.rows {
		label := fmt.Sprintf("%s\n%s", r.verdict, number(r.total))
		if r.total > 0 {
			label += fmt.Sprintf(" (max %s)", number(r.max))
		}
		ticks = append(ticks, plot.Tick{Value: s.base(i) + 0.42, Label: label})
	}
	return ticks
}

func (s *strip) Plot(c draw.Canvas, p *plot.Plot) {
	x, y := p.Transforms(&c)
	for i := range s.rows {
		s.plotRow(&c, i, x, y)
		base := y(s.base(i))
		c.StrokeLine2(draw.LineStyle{Color: ink, Width: vg.Points(0.6)}, c.Min.X, base, c.Max.X, base)
	}
}

// plotRow draws touching bars as one area, so that no seams show between them.
func (s *strip) plotRow(c *draw.Canvas, row int, x, y func(float64) vg.Length) {
	const full, least = 0.84, 0.06 // heights in rows
	r, base := &s.rows[row], s.base(row)
	style := verdictFill(r.verdict)
	var bars []vg.Rectangle
	for j, n := range r.counts {
		if n > 0 {
			top := base + max(least, full*n/r.max)
			bars = append(bars,
				vg.Rectangle{Min: vg.Point{X: x(s.from[j]), Y: y(base)}, Max: vg.Point{X: x(s.to[j]), Y: y(top)}})
		}
		if len(bars) > 0 && (j == len(r.counts)-1 || r.counts[j+1] == 0) {
			style.paintSkyline(c, bars)
			bars = nil
		}
	}
}
