package figure

import (
	"cmp"
	"fmt"
	"slices"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"zhuque/crashinject/result"
)

// columns into which long series are thinned, and fewer for crosses, which would hide each other.
const columns, crossColumns = 500, 90

// Cut draws what a power cut found: above, the dirty lines of all memory and of
// PMEM, with crosses at cuts that did not pass (the highest in each of 90
// columns); below, the time that the power-fail sequence took. Long series are
// thinned to the smallest and largest value in each of 500 columns.
//
// The CSV has one row per point, in any order, with the columns at, verdict,
// dirty_lines, dirty_pmem and flush_nanos.
func Cut(text []byte) (*Figure, error) {
	t, err := readTable(text, "at", "verdict", "dirty_lines", "dirty_pmem", "flush_nanos")
	if err != nil {
		return nil, err
	}
	var all, pmem, micros, failed plotter.XYs
	for i := range t.rows {
		v, err := t.numbers(i, "at", "dirty_lines", "dirty_pmem", "flush_nanos")
		if err != nil {
			return nil, err
		}
		verdict, err := result.ParseVerdict(t.text(i, "verdict"))
		if err != nil {
			return nil, fmt.Errorf("figure data: row %d: %w", i+1, err)
		}
		all = append(all, plotter.XY{X: v[0], Y: v[1]})
		pmem = append(pmem, plotter.XY{X: v[0], Y: v[2]})
		micros = append(micros, plotter.XY{X: v[0], Y: v[3] / 1000})
		if verdict != result.Pass {
			failed = append(failed, plotter.XY{X: v[0], Y: v[1]})
		}
	}
	lines := newPanel("", "dirty lines (64 B)")
	flush := newPanel("cut after this many guest instructions", "flush time (µs)")
	// PMEM is drawn inside the broad line of all memory, which it often equals.
	black := draw.LineStyle{Color: gray(0), Width: vg.Points(0.8)}
	broad := draw.LineStyle{Color: gray(0xb8), Width: vg.Points(2.8)}
	lo, hi := xRange(all)
	for _, s := range []struct {
		p    *plot.Plot
		data plotter.XYs
		line draw.LineStyle
	}{{lines, all, broad}, {lines, pmem, black}, {flush, micros, black}} {
		l := &plotter.Line{XYs: thin(s.data), LineStyle: s.line}
		s.p.Add(l)
		s.p.X.Min, s.p.X.Max = lo, hi
		s.p.Y.Min = 0
		s.p.Y.Max = max(s.p.Y.Max*1.06, 1e-3)
	}
	f := &Figure{panels: []*plot.Plot{lines, flush}, height: 330}
	f.legend = []entry{{text: "all memory", line: &broad}, {text: "PMEM", line: &black}}
	if len(failed) > 0 {
		lines.Add(&plotter.Scatter{XYs: highest(failed), GlyphStyle: failureGlyph})
		g := failureGlyph
		f.legend = append(f.legend, entry{text: "cut that did not pass", glyph: &g})
	}
	return f, nil
}

func xRange(points plotter.XYs) (lo, hi float64) {
	lo, hi = points[0].X, points[0].X
	for _, p := range points {
		lo, hi = min(lo, p.X), max(hi, p.X)
	}
	if lo == hi {
		hi = lo + 1
	}
	return lo, hi
}

// thin sorts points by x, keeping the order of equal ones, and keeps at most the
// first, the smallest, the largest and the last point of each column, which draw
// the same picture.
func thin(points plotter.XYs) plotter.XYs {
	sortByX(points)
	if len(points) <= 4*columns {
		return points
	}
	var out plotter.XYs
	eachColumn(points, columns, func(start, end int) {
		low, high := start, start
		for i := start; i < end; i++ {
			if points[i].Y < points[low].Y {
				low = i
			}
			if points[i].Y > points[high].Y {
				high = i
			}
		}
		keep := []int{start, low, high, end - 1}
		slices.Sort(keep)
		for _, i := range slices.Compact(keep) {
			out = append(out, points[i])
		}
	})
	return out
}

// highest sorts points by x and keeps the highest of each column.
func highest(points plotter.XYs) plotter.XYs {
	sortByX(points)
	var out plotter.XYs
	eachColumn(points, crossColumns, func(start, end int) {
		top := points[start]
		for _, p := range points[start:end] {
			if p.Y > top.Y {
				top = p
			}
		}
		out = append(out, top)
	})
	return out
}

func sortByX(points plotter.XYs) {
	slices.SortStableFunc(points, func(a, b plotter.XY) int { return cmp.Compare(a.X, b.X) })
}

// eachColumn divides the x range of sorted points into n columns of equal width
// and calls f with the index range of each that holds a point.
func eachColumn(points plotter.XYs, n int, f func(start, end int)) {
	lo, hi := xRange(points)
	column := func(p plotter.XY) int { return min(int((p.X-lo)/(hi-lo)*float64(n)), n-1) }
	for start := 0; start < len(points); {
		end := start + 1
		for end < len(points) && column(points[end]) == column(points[start]) {
			end++
		}
		f(start, end)
		start = end
	}
}
