package report

import (
	"fmt"
	"math/rand/v2"

	"zhuque/crashinject/result"
	"zhuque/sim/phys"
)

// sampleDocument is a made-up document with realistic shapes, for tests of the
// report alone. Its title and environment say that nothing in it was measured.
func sampleDocument() result.Document {
	return result.Document{
		Title: "Sample report (made-up data)",
		Environment: []result.Fact{
			{Name: "data", Value: "sample made by the report's test, nothing was measured"},
			{Name: "machine", Value: "icx-g2, 1 core, eADR"},
			{Name: "version", Value: "sample"},
		},
		Commands: []string{
			"zhuque crash --every --config icx-g2 sample-counter",
			"zhuque crash --random 40000 --seed 7 --config icx-g2 sample-list -n 1000",
			"zhuque overhead --latency 100..3000 sample-counter sample-list",
		},
		Campaigns: []result.Campaign{
			sampleCampaign("sample-counter every", "sample-counter", "every", "", 12_000, 12_000, clean),
			sampleCampaign("sample-list random", "sample-list", "random 40000", "", 1_800_000, 40_000, failing),
			sampleCampaign("sample-counter every", "sample-counter", "every", "fs-base-not-saved", 12_000, 3_000, mutated),
			sampleCampaign("sample-counter short energy", "sample-counter", "every", "", 12_000, 3_000, starved),
		},
		Runs: []result.Run{
			{Name: "sample-counter", Program: "sample-counter", Instructions: 12_000, Cycles: 15_342, WallSeconds: 0.0031,
				InstructionsPerSecond: 3.87e6, Digest: "5c1f00aa5c1f00aa5c1f00aa5c1f00aa"},
			{Name: "sample-list", Program: "sample-list", Args: []string{"-n", "1000"}, Instructions: 1_800_000, Cycles: 3_912_400, WallSeconds: 0.021,
				InstructionsPerSecond: 85.7e6, Digest: "90b2d4e190b2d4e190b2d4e190b2d4e1", ExitStatus: 0,
				Counters: []byte(`{"l1_misses": 48210, "pmem_reads": 1822, "fences": 40}`)},
		},
		Overheads: []result.Overhead{sampleOverhead("sample-counter", 0.1), sampleOverhead("sample-list", 1.4)},
		Curves: []result.Curves{{Name: "sample failure", Caption: "Made-up curves.", X: "dirty (MiB)", Y: "time (ms)", Points: []result.CurvePoint{
			{Series: "by level", X: 1, Y: 0.5}, {Series: "by level", X: 16, Y: 7.25}, {Series: "by level", X: 64, Y: 9},
			{Series: "by address", X: 1, Y: 0.25}, {Series: "by address", X: 16, Y: 2}, {Series: "by address", X: 64, Y: 2.5},
			{Series: "by level", X: 16, Y: 10, Published: true}}}},
		Bars: []result.Bars{{Name: "sample server", Caption: "Made-up bars: run time of 100% stores_of nothing.", Axis: "run time / native",
			Values: []result.Bar{{Group: "95% stores", Series: "undo log", Value: 3.5, Published: 2.75}, {Group: "95% stores", Series: "redo STM", Value: 5.25},
				{Group: "5% stores", Series: "undo log", Value: 1.5, Published: 1.25}, {Group: "5% stores", Series: "redo STM", Value: 2.5}}}},
		Breakdowns: []result.Breakdown{{Name: "sample map", Caption: "A made-up operation, taken apart.",
			Parts: []result.Part{{System: "native", Part: "executing", Nanos: 120}, {System: "native", Part: "fences"},
				{System: "undo log", Part: "executing", Nanos: 240}, {System: "undo log", Part: "fences", Nanos: 310.5}}}},
		Predictions: []result.Prediction{{Name: "made-up speedup", Modelled: 3.5, Published: 2.75, Unit: "times", Source: "sample source 3"}},
		Remarks:     []string{"A made-up remark on the figures."},
		Params: []phys.Param{
			{Name: "l1d.size", Value: 48, Unit: "KiB", Status: phys.Cited, Source: "sample source 1", Range: "8..256"},
			{Name: "pmem.read_latency", Value: 305, Unit: "ns", Status: phys.Cited, Source: "sample source 2, random reads, interleaved, prefetcher off", Range: "50..5000"},
			{Name: "core.store_miss_divisor", Value: 4, Unit: "1", Status: phys.Assumed, Source: "", Range: "1..64"},
			{Name: "host.step", Value: 8.25, Unit: "ns", Status: phys.Measured, Source: "sample measurement", Range: "0.1..1000"},
		},
	}
}

// smallDocument is a sample of the same shape with few points, for golden files.
func smallDocument() result.Document {
	d := sampleDocument()
	d.Title = "Small sample (made-up data)"
	d.Campaigns = []result.Campaign{
		sampleCampaign("sample-counter every", "sample-counter", "every", "", 40, 40, clean),
		sampleCampaign("sample-list random", "sample-list", "random 60", "", 1_800_000, 60, failing),
		sampleCampaign("sample-counter every", "sample-counter", "every", "fs-base-not-saved", 40, 40, mutated),
	}
	return d
}

// judge gives the i-th of n points its verdict and reason.
type judge func(i, n uint64, r *rand.Rand) (result.Verdict, string)

func clean(uint64, uint64, *rand.Rand) (result.Verdict, string) { return result.Pass, "" }

func failing(i, n uint64, r *rand.Rand) (result.Verdict, string) {
	switch {
	case i == n/3, i == n/3+2:
		return result.Violation, "page 0x7fff0000 differs from the uncut run in 8 bytes at offset 0x2a8: 0x0 instead of 0x4f1"
	case i > n/2 && i < n/2+n/1000+4 && r.IntN(3) == 0:
		return result.Unsupported, "system call 291 (epoll_create1) at 0x401a2c is not modelled"
	case i == n-n/20:
		return result.Timeout, "the recovered process did not end within 8 times the instructions of the uncut run"
	case i == n-n/50-1:
		return result.SimBug, "BUG: line 0x10000000400 is dirty in two levels"
	}
	return result.Pass, ""
}

func mutated(i, n uint64, _ *rand.Rand) (result.Verdict, string) {
	if i > n/10 {
		return result.Violation, "FS base is 0x0 instead of 0x4c33c0"
	}
	return result.Pass, ""
}

func starved(i, n uint64, r *rand.Rand) (result.Verdict, string) {
	if r.Uint64N(n) < i {
		return result.Detected, "the completion mark is missing: the hold-up energy ended while caches were flushed"
	}
	return result.Pass, ""
}

func sampleCampaign(name, program, strategy, mutant string,
	instructions, points uint64, verdict judge) result.Campaign {
	c := result.Campaign{
		Name: name, Program: program, Strategy: strategy, Seed: 7, Mutant: mutant, Instructions: instructions,
		Config:  map[string]string{"machine": "icx-g2", "domain": "eadr", "store-buffer": "drain"},
		Workers: 2, WallSeconds: float64(points) / 21_500, PointsPerSecond: 21_500,
	}
	if program == "sample-list" {
		c.Args = []string{"-n", "1000"}
	}
	r := rand.New(rand.NewPCG(7, points))
	col := result.NewCollector(0, instructions, result.Limits{Bins: int(min(100, points/4))})
	for i := range points {
		at := i * instructions / points
		v, reason := verdict(i, points, r)
		dirty := min(at/6+20, 19_000) - min(at/6, 900)*uint64(r.IntN(100))/400
		p := result.Point{
			Index: i, At: at, Kind: result.AtInstruction, Verdict: v, Reason: reason, Plan: fmt.Sprintf("at=%d", at),
			DirtyLines: dirty, DirtyPMEM: dirty * 4 / 5, BufferedStores: r.Uint64N(72), FlushNanos: phys.Nanos(4_000 + dirty*11),
			EnergyNJ: phys.NanoJoules(90_000 + dirty*420), RecoverySteps: 120 + dirty/50,
			MemoryPagesCompared: 64 + at/4096, Tail: i%64 == 0,
		}
		if i%97 == 5 {
			p.Kind, p.Step = result.AtRuntime, i%7
			p.Plan = fmt.Sprintf("at=%d runtime=%d", at, p.Step)
		}
		col.Add(p)
	}
	col.Fill(&c)
	if p, ok := c.FirstFailure(); ok {
		c.Replay = fmt.Sprintf("zhuque replay --seed 7 --plan '%s' %s", p.Plan, program)
	}
	c.Seal()
	return c
}

func sampleOverhead(program string, slope float64) result.Overhead {
	o := result.Overhead{Program: program}
	for _, latency := range []float64{100, 200, 305, 500, 1000, 3000} {
		for _, s := range []struct {
			name          string
			fixed, memory float64
			n             int
		}{{"native", 1, 0, 1}, {"native-on-PMEM", 1, slope / 300, 1}, {"Zhuque", 1.06, slope / 280, 5}} {
			rel := s.fixed + s.memory*latency
			p := result.OverheadPoint{System: s.name, PMEMLatencyNanos: latency,
				Cycles: phys.Cycles(rel * 4e6), Instructions: 1_800_000, RelativeToNative: rel}
			if s.n > 1 {
				p.N, p.Low, p.High = s.n, rel*0.96, rel*1.05
			}
			o.Points = append(o.Points, p)
		}
	}
	return o
}
