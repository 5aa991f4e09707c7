package figure

import (
	"bytes"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"

	"zhuque/crashinject/result"
)

// sample reads a CSV that the report's golden test wrote.
func sample(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("..", "testdata", "sample", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func svg(t *testing.T, f *Figure, err error) string {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := f.SVG(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

var cases = []struct {
	csv, column, from, to string // an edit of the data that must show in the picture
	draw                  func([]byte) (*Figure, error)
}{
	{"verdicts-sample-list-random.csv", "violation", ",600004,3,1,", ",600004,3,0,", Verdicts},
	{"cut-sample-list-random.csv", "dirty_lines", "", "", Cut},
	{"overhead-sample-list.csv", "relative_to_native", "2.423333333333333", "3", Overhead},
	{"overhead-summary.csv", "system", "native-on-PMEM", "undo-log", OverheadBars},
	{"bars-sample-server.csv", "published", "2.75", "1.75", Bars},
	{"breakdown-sample-map.csv", "nanos", "310.5", "200", Stacked},
}

// TestAFigureShowsItsCSV would catch a figure that ignores what it was given.
func TestAFigureShowsItsCSV(t *testing.T) {
	for _, tc := range cases {
		data := sample(t, tc.csv)
		f, err := tc.draw(data)
		before := svg(t, f, err)
		lines := bytes.Split(data, []byte("\n"))
		edited := bytes.Join(lines[:len(lines)-2], []byte("\n")) // the last row is gone
		if tc.from != "" {
			edited = bytes.Replace(data, []byte(tc.from), []byte(tc.to), 1)
			if bytes.Equal(edited, data) {
				t.Fatalf("%s holds no %q", tc.csv, tc.from)
			}
		}
		g, err := tc.draw(edited)
		if svg(t, g, err) == before {
			t.Errorf("%s: a change of the data does not show", tc.csv)
		}
	}
}

func TestUnitsAndNamesAreOnTheFigure(t *testing.T) {
	for _, tc := range []struct {
		csv   string
		draw  func([]byte) (*Figure, error)
		words []string
	}{
		{cases[0].csv, Verdicts, []string{"points per bin", "guest instructions", ">violation<", ">unsupported<"}},
		{cases[1].csv, Cut, []string{"dirty lines (64 B)", "flush time (µs)", "guest instructions", "all memory", "PMEM", "did not pass"}},
		{cases[2].csv, Overhead, []string{"PMEM read latency (ns)", "run time / native", "Zhuque", "native-on-PMEM", ">3,000<"}},
		{cases[3].csv, OverheadBars, []string{"run time / native", "500 ns", "sample-counter", "sample-list", "Zhuque"}},
	} {
		f, err := tc.draw(sample(t, tc.csv))
		text := svg(t, f, err)
		for _, w := range append(tc.words, "Arial") {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the figure does not show %q", tc.csv, w)
			}
		}
		if strings.Contains(text, ">-0<") || strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("%s: the figure shows a negative zero or no number", tc.csv)
		}
	}
}

func TestBadDataIsRefused(t *testing.T) {
	const bins = "from,to,pass,violation,detected,unsupported,simbug,timeout,unreached\n"
	const bars = "program,system,pmem_latency_nanos,relative_to_native,n,low,high\n"
	for _, tc := range []struct {
		text, want string
		draw       func([]byte) (*Figure, error)
	}{
		{"", "empty", Verdicts},
		{bins, "no rows", Verdicts},
		{"from,to\n0,1\n", `column "pass" is missing`, Verdicts},
		{bins + "0,9,1,0,0,0,0,0\n", "wrong number of fields", Verdicts},
		{bins + "0,9,1,0,0,0,0,x,0\n", `row 1, column "timeout" is "x"`, Verdicts},
		{bins + "9,0,1,0,0,0,0,0,0\n", "before it starts", Verdicts},
		{"at,verdict,dirty_lines,dirty_pmem,flush_nanos\n1,fine,1,1,1\n", `row 1: verdict "fine"`, Cut},
		{"system,pmem_latency_nanos,relative_to_native,n,low,high\na,NaN,1,1,,\n", `column "pmem_latency_nanos" is "NaN"`, Overhead},
		{bars + "p,a,100,1,1,,\np,b,200,1,1,,\n", "expected 100 ns", OverheadBars},
		{bars + "p,a,100,1,1,0,0\n", "expected at least two runs, or empty columns", OverheadBars},
	} {
		if _, err := tc.draw([]byte(tc.text)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%q: error is %v, expected it to say %q", tc.text, err, tc.want)
		}
	}
}

// TestOddShapesDraw covers what makes gonum/plot panic or divide by zero: one
// point, no failures, all zero, equal values, bars and lines on a logarithmic axis.
func TestOddShapesDraw(t *testing.T) {
	const bins = "from,to,pass,violation,detected,unsupported,simbug,timeout,unreached\n"
	const cuts = "at,verdict,dirty_lines,dirty_pmem,flush_nanos\n"
	const curve = "system,pmem_latency_nanos,relative_to_native,n,low,high\n"
	const bars = "program,system,pmem_latency_nanos,relative_to_native,n,low,high\n"
	for i, tc := range []struct {
		text string
		draw func([]byte) (*Figure, error)
	}{
		{bins + "0,0,0,0,0,0,0,0,0\n", Verdicts},
		{bins + "5,5,1,0,0,0,0,0,0\n", Verdicts},
		{bins + "0,18446744073709551614,1,1,1,1,1,1,1\n", Verdicts},
		{cuts + "7,pass,0,0,0\n", Cut},
		{cuts + "7,timeout,3,2,9\n7,violation,3,2,9\n", Cut},
		{curve + "native,300,1,1,,\n", Overhead},
		{curve + "native,0,0,1,,\n", Overhead},
		{curve + "native,100,1,1,,\nlog,3000,250,3,200,300\n", Overhead},
		{bars + "p,native,300,1,1,,\np,log,300,250,3,200,300\n", OverheadBars},
		{bars + "p,native,300,0,1,,\n", OverheadBars},
	} {
		f, err := tc.draw([]byte(tc.text))
		text := svg(t, f, err)
		if strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
			t.Errorf("case %d draws something that is no number", i)
		}
		if err := f.PNG(&bytes.Buffer{}); err != nil {
			t.Errorf("case %d: %v", i, err)
		}
	}
}

func TestThinKeepsTheExtremes(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	points := make(plotter.XYs, 20_000)
	for i := range points {
		points[i] = plotter.XY{X: float64(r.IntN(1_000_000)), Y: r.Float64()}
	}
	points[777].Y, points[888].Y = 50, -50
	top, bottom := points[777], points[888]
	out := thin(append(plotter.XYs{}, points...))
	if len(out) > 4*columns {
		t.Errorf("%d points are left of %d, expected at most %d", len(out), len(points), 4*columns)
	}
	has := func(list plotter.XYs, p plotter.XY) bool {
		for _, q := range list {
			if p == q {
				return true
			}
		}
		return false
	}
	if !has(out, top) || !has(out, bottom) {
		t.Error("the highest or the lowest point is gone")
	}
	for i := 1; i < len(out); i++ {
		if out[i].X < out[i-1].X {
			t.Fatalf("point %d is left of the one before", i)
		}
	}
	if short := thin(points[:100]); len(short) != 100 {
		t.Errorf("100 points became %d", len(short))
	}
	if h := highest(append(plotter.XYs{}, points...)); len(h) > crossColumns || !has(h, top) {
		t.Errorf("%d crosses; highest kept: %v", len(h), has(h, top))
	}
}

func TestHatchStaysInside(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for range 200 {
		box := vg.Rectangle{Min: vg.Point{X: vg.Length(r.Float64() * 100), Y: vg.Length(r.Float64() * 100)}}
		box.Max = vg.Point{X: box.Min.X + vg.Length(r.Float64()*60), Y: box.Min.Y + vg.Length(r.Float64()*60)}
		lines := fill{hatch: rising | falling | level}.hatchLines(box)
		for _, l := range lines {
			for _, p := range l {
				const e = 1e-9
				if p.X < box.Min.X-e || p.X > box.Max.X+e || p.Y < box.Min.Y-e || p.Y > box.Max.Y+e {
					t.Fatalf("%v leaves %v", p, box)
				}
			}
		}
		if size := box.Size(); size.X > 12 && size.Y > 12 && len(lines) < 9 {
			t.Fatalf("%d lines in %v", len(lines), size)
		}
	}
}

func TestVerdictsLookDifferentInGrey(t *testing.T) {
	seen := map[string]result.Verdict{}
	for _, v := range result.Verdicts() {
		f := verdictFill(v)
		red, green, blue, _ := f.color.RGBA()
		luma := (299*red + 587*green + 114*blue) / 1000 >> 8
		look := fmt.Sprintf("grey %d hatch %d", luma/24, f.hatch)
		if other, ok := seen[look]; ok {
			t.Errorf("%v and %v look the same in grey: %s", v, other, look)
		}
		seen[look] = v
		if v == result.Violation && luma > 80 {
			t.Errorf("violation has grey level %d, expected the darkest", luma)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, tc := range []struct {
		lo, hi float64
		want   string
	}{
		{0, 12000, "0 5,000 10,000"}, {0, 1, "0 0.2 0.4 0.6 0.8 1"}, {-1, 1, "-1 -0.5 0 0.5 1"}, {0, 0, "0"}, {999, 1001, "999 999.5 1,000 1,000.5 1,001"},
	} {
		var labels []string
		for _, tick := range (linearTicks{}).Ticks(tc.lo, tc.hi) {
			labels = append(labels, tick.Label)
		}
		if got := strings.Join(labels, " "); got != tc.want {
			t.Errorf("%g to %g: %s, expected %s", tc.lo, tc.hi, got, tc.want)
		}
	}
	for _, tick := range (logTicks{}).Ticks(0.5, 5000) {
		if tick.Value <= 0 || math.IsInf(tick.Value, 0) || tick.Value > 5000.5 {
			t.Errorf("logarithmic tick at %g", tick.Value)
		}
	}
}
