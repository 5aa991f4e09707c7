package result

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/phys"
)

func TestVerdictsRoundTripWithTheirExitCodes(t *testing.T) {
	want := map[string]int{"pass": 0, "violation": 10, "detected": 11,
		"unsupported": 12, "simbug": 13, "timeout": 14, "unreached": 15}
	if len(Verdicts()) != len(want) {
		t.Fatalf("%d verdicts, expected %d", len(Verdicts()), len(want))
	}
	for _, v := range Verdicts() {
		if code, ok := want[v.String()]; !ok || code != v.ExitCode() {
			t.Errorf("%v exits with %d", v, v.ExitCode())
		}
		if w, err := ParseVerdict(v.String()); err != nil || w != v {
			t.Errorf("%v parses as %v, %v", v, w, err)
		}
		if v != Pass && v.Worse(Pass) != v.Failed() || v != Violation && !Violation.Worse(v) {
			t.Errorf("%v is out of order", v)
		}
	}
}

func TestNoVerdictIsNotAPass(t *testing.T) {
	var none Verdict
	if none.Valid() || none == Pass {
		t.Error("the zero verdict counts")
	}
	if b, err := none.MarshalText(); err == nil {
		t.Errorf("the zero verdict was written as %q", b)
	}
	for name, f := range map[string]func(){
		"ExitCode":   func() { none.ExitCode() },
		"Counts.Add": func() { new(Counts).Add(none, 1) },
		"Add":        func() { NewCollector(0, 9, Limits{}).Add(Point{Kind: AtInstruction}) },
		"outside":    func() { NewCollector(0, 9, Limits{}).Add(Point{Kind: AtInstruction, Verdict: Pass, At: 10}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s accepted it", name)
				}
			}()
			f()
		}()
	}
}

func TestWorst(t *testing.T) {
	if _, ok := (Counts{}).Worst(); ok {
		t.Error("an empty campaign has a verdict")
	}
	if v, _ := (Counts{Pass: 5, Detected: 1, Timeout: 1}).Worst(); v != Timeout {
		t.Errorf("worst is %v, expected timeout", v)
	}
}

// randomPoints returns n points with indices 0..n-1 in random order.
func randomPoints(r *rand.Rand, n int, from, to uint64) []Point {
	points := make([]Point, n)
	for i := range points {
		v := Pass
		if r.IntN(3) == 0 {
			v = Verdicts()[r.IntN(len(Verdicts()))]
		}
		points[i] = Point{
			Index: uint64(i), At: from + r.Uint64N(to-from+1), Kind: Kinds()[r.IntN(5)], Verdict: v, Reason: "because",
			DirtyLines: r.Uint64N(100), FlushNanos: phys.Nanos(r.Uint64N(1000)),
		}
	}
	r.Shuffle(n, func(i, j int) { points[i], points[j] = points[j], points[i] })
	return points
}

// TestOrderAndWorkersDoNotMatter would catch a digest, a sample or a bin that
// depends on which worker finished first.
func TestOrderAndWorkersDoNotMatter(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		from := r.Uint64N(1000)
		to := from + r.Uint64N(1000)
		limits := Limits{Passes: 1 + r.IntN(40), Failures: 1 + r.IntN(20), Bins: 1 + r.IntN(30)}
		points := randomPoints(r, 1+r.IntN(300), from, to)
		one := NewCollector(from, to, limits)
		workers := []*Collector{NewCollector(from, to, limits),
			NewCollector(from, to, limits), NewCollector(from, to, limits)}
		shares := [3]int{1 + r.IntN(3), 0, 1} // uneven, so that workers thin their samples differently
		for _, p := range points {
			w := 0
			if r.IntN(8) == 0 {
				w = shares[r.IntN(3)] % 3
			}
			workers[w].Add(p)
		}
		slices.SortFunc(points, byIndex)
		for _, p := range points {
			one.Add(p)
		}
		workers[2].Merge(workers[0])
		workers[2].Merge(workers[1])
		var a, b Campaign
		one.Fill(&a)
		workers[2].Fill(&b)
		a.Seal()
		b.Seal()
		if diff := cmp.Diff(a, b); diff != "" {
			t.Fatalf("one worker against three (-one +three):\n%s", diff)
		}
		if err := (&Document{Campaigns: []Campaign{a}}).Validate(); err != nil {
			t.Fatal(err)
		}
		checkSamples(t, points, a, limits)
		f, ok := one.FirstFailure()
		if g, okG := a.FirstFailure(); ok != okG || f != g {
			t.Fatalf("first failure %v %v, in the record %v %v", f, ok, g, okG)
		}
	}
}

// checkSamples states the rule of doc.go in the slowest way.
func checkSamples(t *testing.T, points []Point, rec Campaign, limits Limits) {
	t.Helper()
	var want []Point
	for _, v := range Verdicts() {
		limit := limits.Failures
		if v == Pass {
			limit = limits.Passes
		}
		for stride := uint64(1); ; stride *= 2 {
			var kept []Point
			first := true
			over := 0
			for _, p := range points {
				if p.Verdict == v && (p.Index%stride == 0 || first) {
					kept = append(kept, p)
					if p.Index%stride == 0 {
						over++
					}
				}
				first = first && p.Verdict != v
			}
			if over <= limit {
				want = append(want, kept...)
				break
			}
		}
	}
	slices.SortFunc(want, byIndex)
	if diff := cmp.Diff(want, rec.Samples, cmp.Transformer("nonNil", func(p []Point) []Point { return append([]Point{}, p...) })); diff != "" {
		t.Fatalf("samples (-want +got):\n%s", diff)
	}
}

func TestDigestIgnoresTheHostAndNothingElse(t *testing.T) {
	base := fullDocument().Campaigns[0]
	digest := func(change func(*Campaign)) string {
		c := base
		c.Samples = slices.Clone(base.Samples)
		c.Histogram = slices.Clone(base.Histogram)
		change(&c)
		c.Seal()
		return c.Digest
	}
	if digest(func(c *Campaign) { c.WallSeconds, c.PointsPerSecond, c.Workers, c.Replay = 9, 9, 9, "x" }) != base.Digest {
		t.Error("the digest depends on the host")
	}
	seen := map[string]string{base.Digest: "base"}
	for name, change := range map[string]func(*Campaign){
		"args":   func(c *Campaign) { c.Args = []string{"-n3"} },
		"args2":  func(c *Campaign) { c.Args = []string{"-n", "3", ""} },
		"config": func(c *Campaign) { c.Config = map[string]string{"machine": "clx-g1"} },
		"seed":   func(c *Campaign) { c.Seed++ },
		"counts": func(c *Campaign) { c.Counts.Timeout++ },
		"bin":    func(c *Campaign) { c.Histogram[1].Counts.Pass++ },
		"peak":   func(c *Campaign) { c.Peak.EnergyNJ++ },
		"mutant": func(c *Campaign) { c.Mutant = "" },
		"expect": func(c *Campaign) { c.Expect = Timeout },
		"points": func(c *Campaign) { c.PointsDigest = "00" },
	} {
		d := digest(change)
		if other, ok := seen[d]; ok {
			t.Errorf("%s and %s have the same digest", name, other)
		}
		seen[d] = name
	}
}

// TestEveryFieldOfAPointIsDigested changes one field at a time.
func TestEveryFieldOfAPointIsDigested(t *testing.T) {
	seen := map[[32]byte]int{(&Point{}).hash(): -1}
	for i, p := range []Point{
		{Index: 1}, {At: 1}, {Kind: "rep"}, {Step: 1}, {Verdict: Pass}, {Reason: "r"}, {Plan: "r"}, {DirtyLines: 1}, {DirtyPMEM: 1},
		{BufferedStores: 1}, {FlushNanos: 1}, {EnergyNJ: 1}, {RecoverySteps: 1}, {MemoryPagesCompared: 1}, {Tail: true},
	} {
		if other, ok := seen[p.hash()]; ok {
			t.Errorf("points %d and %d have the same digest", i, other)
		}
		seen[p.hash()] = i
	}
}

func TestBinsCoverTheRangeWithoutGaps(t *testing.T) {
	for _, tc := range []struct {
		from, to uint64
		n        int
	}{{0, 0, 100}, {5, 104, 100}, {5, 105, 100}, {0, 99, 7}, {0, math.MaxUint64 - 1, 3}, {math.MaxUint64 - 5, math.MaxUint64, 4}, {1, math.MaxUint64, 1}} {
		bins := makeBins(tc.from, tc.to, tc.n)
		if len(bins) > tc.n {
			t.Errorf("%v: %d bins", tc, len(bins))
		}
		next := tc.from
		for _, b := range bins {
			if b.From != next || b.To < b.From {
				t.Errorf("%v: bin %v starts after %d", tc, b, next)
			}
			next = b.To + 1
		}
		if next != tc.to+1 {
			t.Errorf("%v: ends at %d", tc, next-1)
		}
	}
}

func BenchmarkCollect(b *testing.B) {
	points := randomPoints(rand.New(rand.NewPCG(1, 2)), 4096, 0, 1e6)
	c := NewCollector(0, 1e6, Limits{})
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		p := points[i%len(points)]
		p.Index = uint64(i)
		c.Add(p)
	}
}
