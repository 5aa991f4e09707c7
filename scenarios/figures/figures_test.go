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
var tiny = size{operations: 48, loaded: 96, threads: []uint64{1, 2}, server: 2, latencies: []string{"100", "1000"}, created: 50, locked: 100, pages: 64}

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
	if err := r.make(context.Background(), o, picked[0].points(&tiny)); err != nil {
		t.Fatal(err)
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
