package figures

import (
	"context"
	"math"
	"slices"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
	"zhuque/scenarios/region"
)

// tiny is small enough for a test, and has every kind of run.
var tiny = size{operations: 48, loaded: 96, threads: []uint64{1, 2}, server: 2, created: 50, locked: 100, pages: 64}

// setup knows the guests, as the command does.
func setup() crashinject.Setup {
	s := crashinject.DefaultSetup()
	s.Guest = scenarios.Guest
	return s
}

// made makes a figure of that size.
func made(t *testing.T, name string) (*result.Document, runs) {
	t.Helper()
	picked, err := pick([]string{name})
	if err != nil || len(picked) != 1 {
		t.Fatalf("%s: %v, %v", name, picked, err)
	}
	r, doc := runs{}, &result.Document{}
	o := &Options{Setup: setup(), Workers: 2, Made: func(int, int, Point, *region.Cost) error { return nil }}
	if picked[0].points != nil {
		if err := r.make(context.Background(), o, picked[0].points(&tiny)); err != nil {
			t.Fatal(err)
		}
	}
	if err := picked[0].draw(&drawing{r, &tiny, &o.Setup, doc}); err != nil {
		t.Fatal(err)
	}
	if err := doc.Validate(); err != nil {
		t.Error(err)
	}
	return doc, r
}

// Zhuque is near native, and ahead of every system that logs, on every structure and number of threads.
func TestZhuqueIsAheadOfLogs(t *testing.T) {
	doc, _ := made(t, "structures")
	if len(doc.Overheads) != len(structures)*len(mixes) {
		t.Errorf("%d curves", len(doc.Overheads))
	}
	more, _ := made(t, "reservation")
	doc.Overheads = append(doc.Overheads, more.Overheads...)
	for _, o := range doc.Overheads {
		at := map[float64]map[string]float64{}
		for _, p := range o.Points {
			if at[p.Value] == nil {
				at[p.Value] = map[string]float64{}
			}
			at[p.Value][p.System] = p.RelativeToNative
		}
		for threads, v := range at {
			for _, row := range logged {
				if v[row.label] <= v["Zhuque"] {
					t.Errorf("%s, %v threads: %s takes %.2f, Zhuque %.2f of native", o.Program, threads, row.label, v[row.label], v["Zhuque"])
				}
			}
			if v["Zhuque"] < 0.9 || v["Zhuque"] > 2 {
				t.Errorf("%s, %v threads: Zhuque takes %.2f of native", o.Program, threads, v["Zhuque"])
			}
		}
	}
}

// Persistent caches help every system, and the undo log more than the STM.
func TestFlushOnFailHelps(t *testing.T) {
	doc, r := made(t, "systems")
	gain := map[string]float64{}
	for _, row := range logged {
		with, err := r.overStructures(&tiny, row)
		if err != nil {
			t.Fatal(err)
		}
		without, err := r.overStructures(&tiny, row.as("fof"))
		if err != nil {
			t.Fatal(err)
		}
		if gain[row.system] = with / without; gain[row.system] <= 1 {
			t.Errorf("%s: %.3f times faster without flushes", row.label, gain[row.system])
		}
	}
	if gain["undo"] <= gain["redo"] {
		t.Errorf("without flushes the undo log is %.3f times faster, the STM %.3f", gain["undo"], gain["redo"])
	}
	published := 0
	for _, b := range doc.Bars[0].Values {
		if b.Series == "ADR, as published: unsound" {
			published++
		}
	}
	if published != 3 {
		t.Errorf("%d bars of forms that are unsound as published, expected 3", published)
	}
}

// The parts of an operation add up to its time, and fences and flushes are none of native's.
func TestPartsAddUp(t *testing.T) {
	doc, r := made(t, "breakdown")
	for i, mix := range mixes {
		for _, row := range rows {
			c := r.of(row.point(&tiny, "hashmap", mix, 1))
			sum := 0.0
			for _, p := range doc.Breakdowns[i].Parts {
				if p.System != row.label {
					continue
				}
				sum += p.Nanos
				if row.system == "native" && (p.Part == "flushes" || p.Part == "streamed") && p.Nanos != 0 {
					t.Errorf("%s: %s take %v ns", row.label, p.Part, p.Nanos)
				}
			}
			if want := c.CoreNanos / float64(c.Operations); math.Abs(sum-want) > 1e-6*want {
				t.Errorf("%s, %s: the parts are %v ns, the operation takes %v", mix, row.label, sum, want)
			}
		}
	}
}

// What an operation orders and writes is what was counted; native runs order nothing, and no log
// writes less than the value that it stores.
func TestWritesAreCounted(t *testing.T) {
	doc, r := made(t, "writes")
	for i, mix := range mixes {
		for _, b := range doc.Bars[i].Values {
			at := slices.IndexFunc(rows, func(row row) bool { return row.label == b.Group })
			c := r.of(rows[at].point(&tiny, "hashmap", mix, 1))
			switch {
			case b.Series == "fences" && b.Value != float64(c.Stats.SFENCE+c.Stats.MFENCE)/float64(c.Operations):
				t.Errorf("%s, %s: %v fences, counted %d and %d", mix, b.Group, b.Value, c.Stats.SFENCE, c.Stats.MFENCE)
			case rows[at].system == "native" && b.Series != "lines to PMEM" && b.Series != "blocks of the medium" && b.Value != 0:
				t.Errorf("%s, %s: %v %s", mix, b.Group, b.Value, b.Series)
			case rows[at].system != "native" && b.Series == "lines to PMEM" && mix == "load" && b.Value < 4:
				t.Errorf("%s, %s: %v lines for a value of four", mix, b.Group, b.Value)
			}
		}
	}
}

// What is predicted is what is drawn, beside the published values of the same row.
func TestPredictionsAreTheBars(t *testing.T) {
	for _, name := range []string{"server", "speedups", "micro"} {
		doc, _ := made(t, name)
		bars := slices.DeleteFunc(slices.Clone(doc.Bars[0].Values), func(b result.Bar) bool { return b.Published == 0 })
		if len(bars) != len(doc.Predictions) || len(bars) == 0 || len(doc.Remarks) != 1 {
			t.Fatalf("%s: %d bars, %d predictions, %d remarks", name, len(bars), len(doc.Predictions), len(doc.Remarks))
		}
		for i, p := range doc.Predictions {
			if p.Modelled != bars[i].Value || p.Published != bars[i].Published || p.Published <= 0 || p.Source == "" {
				t.Errorf("%s: predicted %+v, drawn %+v", name, p, bars[i])
			}
		}
	}
	if p, _, err := publishedMicro("zhuque"); err != nil || len(p) != 11 || math.Abs(p["anon_slab"]-1.0202) > 1e-4 {
		t.Errorf("published: %v, %v", p, err)
	}
	if p, err := publishedServer(); err != nil || len(p) != 28 || p[[2]string{"5", "pmdk-fof"}].Value != 12.1 {
		t.Errorf("published: %d points, %v", len(p), err)
	}
}

func TestMeansAndRanks(t *testing.T) {
	if a, g, err := means([]float64{1, 4}); a != 2.5 || math.Abs(g-2) > 1e-12 || err != nil {
		t.Errorf("means of 1 and 4: %v, %v, %v", a, g, err)
	}
	if _, _, err := means(nil); err == nil {
		t.Error("the mean of nothing")
	}
	if r := ranks([]float64{30, 10, 20, 20}); !slices.Equal(r, []float64{4, 1, 2.5, 2.5}) {
		t.Errorf("ranks %v", r)
	}
	for _, tc := range []struct {
		b    []float64
		want float64
	}{{[]float64{2, 4, 6, 9}, 1}, {[]float64{9, 6, 4, 2}, -1}, {[]float64{1, 3, 2, 4}, 0.8}} {
		if c := rankCorrelation([]float64{1, 2, 3, 4}, tc.b); math.Abs(c-tc.want) > 1e-12 {
			t.Errorf("rank correlation with %v: %v, expected %v", tc.b, c, tc.want)
		}
	}
}

// An error of a run ends the others, and nothing is drawn; an unknown figure is refused.
func TestErrors(t *testing.T) {
	p := native.point(&tiny, "hashmap", "load", 1)
	p.Args = []string{"tree"}
	o := &Options{Setup: setup(), Workers: 2, Made: func(int, int, Point, *region.Cost) error { return nil }}
	if err := (runs{}).make(context.Background(), o, []Point{p, p}); err == nil {
		t.Error("a program that fails is no error")
	}
	if Check([]string{"structures", "circles"}) == nil || Check(nil) != nil {
		t.Error("names are not checked")
	}
}

// A power failure takes longer the more is dirty, up to what the caches hold, and least in the order of
// addresses; a recovery reads what describes a process, and none of its memory.
func TestFailuresAndRecoveries(t *testing.T) {
	doc, _ := made(t, "failure")
	last := map[string]float64{}
	for _, p := range doc.Curves[0].Points {
		if !p.Published {
			if p.Y < last[p.Series] || p.Y <= 0 {
				t.Errorf("%s, %v MiB: %v ms after %v", p.Series, p.X, p.Y, last[p.Series])
			}
			last[p.Series] = p.Y
		}
	}
	if len(last) != 3 || last["address"] >= last["level"] {
		t.Errorf("the longest drains: %v", last)
	}
	doc, _ = made(t, "recovery")
	read := map[string][]float64{}
	for _, p := range doc.Curves[0].Points {
		read[p.Series] = append(read[p.Series], p.Y)
	}
	for series, list := range read {
		first, last := list[0], list[len(list)-1]
		if series == "pages" && last != first || series != "pages" && last < 10*first {
			t.Errorf("%s: the recovery reads %v KiB", series, list)
		}
	}
}

// What a value of a parameter changes is what it should: time with the latency, and where a DIMM is
// slow only for those that write to it; the cost of calls with their rate.
func TestParametersMoveTheCurves(t *testing.T) {
	docs := map[string]*result.Document{}
	at := func(name, system string, point int) float64 {
		doc := docs[name]
		if doc == nil {
			doc, _ = made(t, name)
			docs[name] = doc
		}
		n := 0
		for _, p := range doc.Overheads[0].Points {
			if p.System == system {
				if n == point {
					return p.RelativeToNative
				}
				n++
			}
		}
		t.Fatalf("%s has no point %d of %s", name, point, system)
		return 0
	}
	if a, b := at("latency", "Zhuque", 0), at("latency", "Zhuque", 2); b < 1.5*a {
		t.Errorf("Zhuque at the shortest and the longest latency: %v, %v", a, b)
	}
	if a, b := at("bandwidth", "sections", 0), at("bandwidth", "sections", 3); b < 2*a {
		t.Errorf("sections at the fastest and the slowest DIMM: %v, %v", a, b)
	}
	if a, b := at("bandwidth", "Zhuque", 0), at("bandwidth", "Zhuque", 3); b > 1.05*a {
		t.Errorf("Zhuque at the fastest and the slowest DIMM: %v, %v", a, b)
	}
	if a, b := at("calls", "Zhuque", 0), at("calls", "Zhuque", 3); a <= b || b < 1 {
		t.Errorf("Zhuque with the most and the fewest calls: %v, %v", a, b)
	}
}

// A server with one lock does not gain by threads, under no system but the STM, whose transactions do
// not take it; what is predicted is beside what is published.
func TestOneLockIsFlat(t *testing.T) {
	doc, _ := made(t, "locked")
	if len(doc.Curves) != 2 || len(doc.Predictions) == 0 || len(doc.Remarks) != 2 {
		t.Fatalf("%d curves, %d predictions, remarks %q", len(doc.Curves), len(doc.Predictions), doc.Remarks)
	}
	for _, p := range doc.Curves[0].Points {
		if p.Series == "native" && !p.Published && (p.Y < 0.7 || p.Y > 1.3) {
			t.Errorf("native with %v threads: %v of one", p.X, p.Y)
		}
	}
	for version, want := range map[string]int{"1.2.5": 5 * 3, "1.6.17": 2 * 3} {
		if list, source, err := publishedThreads(version, "75", 4); err != nil || len(list) != want || source == "" {
			t.Errorf("published %s: %d points of %q, %v, expected %d", version, len(list), source, err, want)
		}
	}
	if doc, _ := made(t, "memcached"); len(doc.Curves) != 0 || len(doc.Remarks) != 1 {
		t.Errorf("without a memcached: %d curves, remarks %q", len(doc.Curves), doc.Remarks)
	}
}
