package figures

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"zhuque/crashinject/result"
	"zhuque/internal/reference"
	"zhuque/scenarios/systems"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// row is a system as a figure names it.
type row struct {
	label, system, mode string
	memory              sim.Memory
}

// The region of a system lies in persistent memory, all else in DRAM; under Zhuque everything is persistent.
var (
	native = row{"native", "native", "adr", sim.Native}
	onPMEM = row{"on PMEM", "native", "adr", sim.PMEM}
	zhuque = row{"Zhuque", "native", "adr", sim.Zhuque}
	logged = []row{
		{"undo log", "undo", "adr", sim.Native}, {"redo STM", "redo", "adr", sim.Native},
		{"sections", "fase", "adr", sim.Native}, {"clobber", "clobber", "adr", sim.Native},
	}
	rows = slices.Concat([]row{native, onPMEM, zhuque}, logged)
)

func (r row) as(mode string) row {
	r.mode = mode
	return r
}

// point is a run of a system: operations and entries are of all threads together.
func (r row) point(s *size, structure, mix string, threads uint64) Point {
	return Point{Workload: systems.Workload{System: r.system, Structure: structure, Mode: r.mode, Mix: mix,
		Threads: threads, Operations: s.operations / threads, Loaded: s.loaded}, Memory: r.memory}
}

var (
	structures = []string{"btree", "hashmap", "queue", "rbtree", "skiplist"}
	mixes      = []string{"load", "a"}
	mixNames   = map[string]string{"load": "inserts", "a": "YCSB A"}
)

func eachStructure(s *size, do func(structure, mix string, threads uint64)) {
	for _, structure := range structures {
		for _, mix := range mixes {
			for _, threads := range s.threads {
				do(structure, mix, threads)
			}
		}
	}
}

func structurePoints(s *size) (list []Point) {
	eachStructure(s, func(structure, mix string, threads uint64) {
		for _, r := range rows {
			list = append(list, r.point(s, structure, mix, threads))
		}
	})
	return list
}

// over is one system at one place of a curve.
func (r runs) over(x float64, label string, p, base Point) result.OverheadPoint {
	c := r.of(p)
	return result.OverheadPoint{System: label, Value: x, Cycles: phys.Cycles(math.Round(c.Nanos * float64(c.MHz) / 1000)),
		Instructions: c.Instructions, RelativeToNative: r.ratio(p, base), N: 1}
}

func drawStructures(s *size, r runs, doc *result.Document) error {
	for _, structure := range structures {
		for _, mix := range mixes {
			o := result.Overhead{Program: structure + ", " + mixNames[mix], Parameter: "threads"}
			for _, row := range rows[1:] {
				for _, n := range s.threads {
					o.Points = append(o.Points, r.over(float64(n), row.label, row.point(s, structure, mix, n), native.point(s, structure, mix, n)))
				}
			}
			doc.Overheads = append(doc.Overheads, o)
		}
	}
	doc.Remarks = append(doc.Remarks, "Structures: values have 256 bytes, keys follow Zipf's law, each thread has a core. The systems are forms in which no fault is known; "+
		"those of their publications that differ are in the figure of the systems. B+ tree, red-black tree, queue and skip list have one lock each, so that their time is that of the lock's holder.")
	return nil
}

func systemPoints(s *size) (list []Point) {
	for _, structure := range structures {
		for _, mix := range mixes {
			list = append(list, native.point(s, structure, mix, 1), onPMEM.point(s, structure, mix, 1), zhuque.point(s, structure, mix, 1))
			for _, row := range logged {
				for _, mode := range []string{"adr", "fof", "adr-published"} {
					list = append(list, row.as(mode).point(s, structure, mix, 1))
				}
			}
		}
	}
	return list
}

// overStructures is the geometric mean over structures and mixes of the time relative to native.
func (r runs) overStructures(s *size, row row) (float64, error) {
	var list []float64
	for _, structure := range structures {
		for _, mix := range mixes {
			list = append(list, r.ratio(row.point(s, structure, mix, 1), native.point(s, structure, mix, 1)))
		}
	}
	_, geometric, err := means(list)
	return geometric, err
}

func drawSystems(s *size, r runs, doc *result.Document) error {
	b := result.Bars{Name: "systems", Axis: "run time / native", Caption: "One thread: geometric mean of the run time relative to native over five structures and two mixes, with ADR, " +
		"with persistent caches and without flushes, and in the form of the publication where a fault of it is known: such a bar enters no mean elsewhere."}
	add := func(r runs, group, series string, row row) error {
		v, err := r.overStructures(s, row)
		b.Values = append(b.Values, result.Bar{Group: group, Series: series, Value: v})
		return err
	}
	for _, row := range []row{onPMEM, zhuque} {
		if err := add(r, row.label, "flush-on-fail", row); err != nil {
			return err
		}
	}
	unsound := map[string]bool{}
	for _, sys := range systems.List() {
		unsound[sys.Name] = sys.Unsound != ""
	}
	for _, row := range logged {
		for _, form := range [][2]string{{"flush-on-fail", "fof"}, {"ADR", "adr"}, {"ADR, as published: unsound", "adr-published"}} {
			if form[1] == "adr-published" && !unsound[row.system] {
				continue
			}
			if err := add(r, row.label, form[0], row.as(form[1])); err != nil {
				return err
			}
		}
	}
	doc.Bars = append(doc.Bars, b)
	return nil
}

func (r row) at(s *size, latency string) Point {
	p := r.point(s, "hashmap", "load", 1)
	p.Param = "cache.pmem.read=" + latency
	return p
}

func latencyPoints(s *size) (list []Point) {
	for _, latency := range s.latencies {
		for _, row := range rows {
			list = append(list, row.at(s, latency))
		}
	}
	return list
}

func drawLatency(s *size, r runs, doc *result.Document) error {
	o := result.Overhead{Program: "hashmap, inserts, one thread", Parameter: "PMEM read latency (ns)"}
	for _, row := range rows[1:] {
		for _, latency := range s.latencies {
			x, err := strconv.ParseFloat(latency, 64)
			if err != nil {
				return err
			}
			o.Points = append(o.Points, r.over(x, row.label, row.at(s, latency), native.at(s, latency)))
		}
	}
	doc.Overheads = append(doc.Overheads, o)
	return nil
}

func breakdownPoints(s *size) (list []Point) {
	for _, mix := range mixes {
		for _, row := range rows {
			list = append(list, row.point(s, "hashmap", mix, 1))
		}
	}
	return list
}

// parts are what a core's time goes to, by the names of the stalls' causes; what is left is executing.
var parts = []struct {
	name   string
	causes []string
}{
	{"loads", []string{"load_l2", "load_llc", "load_core", "load_dram", "load_pmem"}},
	{"stores", []string{"store_buffer"}},
	{"fences", []string{"fence"}},
	{"flushes", []string{"flush"}},
	{"streamed", []string{"nt"}},
	{"locked", []string{"lock"}},
}

// takeApart returns the parts of an operation's time, in nanoseconds, and what no part has.
func takeApart(c *systems.Cost) (list []result.Part) {
	each := func(n phys.Cycles) float64 { return float64(n) * 1000 / float64(c.MHz) / float64(c.Operations) }
	left, known := c.CoreNanos/float64(c.Operations), map[string]bool{}
	other := phys.Cycles(0)
	for _, p := range parts {
		sum := phys.Cycles(0)
		for _, cause := range p.causes {
			sum += c.Stalls[cause]
			known[cause] = true
		}
		left -= each(sum)
		list = append(list, result.Part{Part: p.name, Nanos: each(sum)})
	}
	for _, cause := range slices.Sorted(maps.Keys(c.Stalls)) {
		if !known[cause] {
			other += c.Stalls[cause]
		}
	}
	left -= each(other)
	return append([]result.Part{{Part: "executing", Nanos: max(left, 0)}}, append(list, result.Part{Part: "kernel", Nanos: each(other)})...)
}

func drawBreakdown(s *size, r runs, doc *result.Document) error {
	for _, mix := range mixes {
		b := result.Breakdown{Name: "hashmap " + mix, Caption: "An operation of the hash map, one thread, " + mixNames[mix] + ", taken apart by what the core waits for."}
		for _, row := range rows {
			for _, p := range takeApart(r.of(row.point(s, "hashmap", mix, 1))) {
				p.System = row.label
				b.Parts = append(b.Parts, p)
			}
		}
		doc.Breakdowns = append(doc.Breakdowns, b)
	}
	return nil
}

func drawWrites(s *size, r runs, doc *result.Document) error {
	for _, mix := range mixes {
		b := result.Bars{Name: "writes " + mix, Axis: "per operation", Caption: "An operation of the hash map, one thread, " + mixNames[mix] + ": what it orders, and what it writes. " +
			"Lines have 64 bytes; the medium takes blocks of 256. What stays dirty in the caches is not written yet."}
		for _, row := range rows[1:] {
			c := r.of(row.point(s, "hashmap", mix, 1))
			n, st := float64(c.Operations), &c.Stats
			for _, v := range []struct {
				series string
				value  float64
			}{
				{"fences", float64(st.SFENCE + st.MFENCE)}, {"lines flushed", float64(st.CLWB + st.CLFLUSH + st.CLFLUSHOPT)},
				{"lines streamed", float64(st.WCEvictions)}, {"lines to PMEM", float64(st.PMEMWrites)}, {"blocks of the medium", float64(c.MediaBytes) / 256},
			} {
				b.Values = append(b.Values, result.Bar{Group: row.label, Series: v.series, Value: v.value / n})
			}
		}
		doc.Bars = append(doc.Bars, b)
	}
	return nil
}

// shares are the percentages of stores of the server.
var shares = []string{"95", "75", "25", "5"}

// serverRows are the systems that the published figure has, as it calls them.
var serverRows = []struct {
	published string
	row       row
}{
	{"zhuque", zhuque},
	{"pmdk-adr", logged[0]}, {"pmdk-fof", logged[0].as("fof")},
	{"mnemosyne-adr", logged[1]}, {"mnemosyne-fof", logged[1].as("fof")},
	{"clobber-adr", logged[3]}, {"clobber-fof", logged[3].as("fof")},
}

func serverPoints(s *size) (list []Point) {
	for _, share := range shares {
		for _, row := range serverRows {
			list = append(list, row.row.point(s, "server", "i"+share, s.server))
		}
	}
	return list
}

// publishedServer returns the throughput of the published figure by share of stores and system.
func publishedServer() (map[[2]string]reference.Point, error) {
	points, err := reference.Published("7")
	if err != nil {
		return nil, err
	}
	all := map[[2]string]reference.Point{}
	for _, p := range points {
		_, mix, _ := strings.Cut(p.Workload, "threads ")
		share, _, ok := strings.Cut(mix, "%")
		if !ok {
			return nil, fmt.Errorf("published figure 7: %q names no share of inserts", p.Workload)
		}
		all[[2]string{share, p.System}] = p
	}
	return all, nil
}

func drawServer(s *size, r runs, doc *result.Document) error {
	published, err := publishedServer()
	if err != nil {
		return err
	}
	b := result.Bars{Name: "server", Axis: "run time / Zhuque", Caption: fmt.Sprintf("A key-value server with one lock, %d threads, 256-byte values, by the share of stores: run time of the same operations relative to Zhuque's; adr with flushes, fof (flush-on-fail) without. "+
		"Diamonds: memcached 1.2.5 with 24 threads, figure 7 of the paper, as ratios of throughput.", s.server)}
	var modelled, measured, factors []float64
	for _, share := range shares {
		base := zhuque.point(s, "server", "i"+share, s.server)
		for _, row := range serverRows[1:] {
			v := r.ratio(row.row.point(s, "server", "i"+share, s.server), base)
			p, ok := published[[2]string{share, row.published}]
			of, ok2 := published[[2]string{share, "zhuque"}]
			if !ok || !ok2 {
				return fmt.Errorf("published figure 7 has no %s with %s%% inserts", row.published, share)
			}
			want := of.Value / p.Value
			b.Values = append(b.Values, result.Bar{Group: share + "% stores", Series: row.row.label + ", " + row.row.mode, Value: v, Published: want})
			modelled, measured, factors = append(modelled, v), append(measured, want), append(factors, max(v/want, want/v))
			doc.Predictions = append(doc.Predictions, result.Prediction{Name: fmt.Sprintf("server, %s%% stores, %s: Zhuque is faster by", share, row.published), Modelled: v, Published: want, Unit: "times", Source: p.Source})
		}
	}
	doc.Bars = append(doc.Bars, b)
	_, factor, err := means(factors)
	if err != nil {
		return err
	}
	low := 0
	for i := range modelled {
		if modelled[i] < measured[i] {
			low++
		}
	}
	doc.Remarks = append(doc.Remarks, fmt.Sprintf("Server: the rank correlation of the %d modelled ratios with the published ones is %.2f, the geometric mean of the factors between them %.2f; %d of them are below. "+
		"The published server is memcached with its network in front, of which each request pays the same under every system: that may bring the published ratios nearer to 1. Ours has no network, and values of 256 bytes.",
		len(modelled), rankCorrelation(modelled, measured), factor, low))
	return nil
}

// publishedMeans are the headline speedups of Zhuque (USENIX ATC 2023): the arithmetic mean as published, and
// the geometric one of the published points.
var publishedMeans = map[string][2]float64{"undo": {5.24, 2.77}, "redo": {3.01, 2.63}, "fase": {5.43, 4.17}, "clobber": {4.11, 2.24}}

func drawSpeedups(s *size, r runs, doc *result.Document) error {
	b := result.Bars{Name: "speedups", Axis: "speedup of Zhuque", Caption: "How much faster Zhuque is than each system, over five structures, two mixes and all numbers of threads. Diamonds: the means of the paper, over other workloads."}
	for _, row := range logged {
		var list []float64
		eachStructure(s, func(structure, mix string, threads uint64) {
			list = append(list, r.ratio(row.point(s, structure, mix, threads), zhuque.point(s, structure, mix, threads)))
		})
		arithmetic, geometric, err := means(list)
		if err != nil {
			return err
		}
		for i, v := range []float64{arithmetic, geometric} {
			mean := []string{"arithmetic", "geometric"}[i]
			want := publishedMeans[row.system][i]
			b.Values = append(b.Values, result.Bar{Group: row.label, Series: mean + " mean", Value: v, Published: want})
			doc.Predictions = append(doc.Predictions, result.Prediction{Name: "speedup of Zhuque over the " + row.label + ", " + mean + " mean", Modelled: v, Published: want, Unit: "times", Source: "Zhuque, USENIX ATC 2023"})
		}
	}
	doc.Bars = append(doc.Bars, b)
	doc.Remarks = append(doc.Remarks, "Speedups: the published means are over data structures, servers and applications, each with the libraries' own code; ours are over five structures and the algorithms alone. "+
		"The STM logs a word with its address and a mask, and a value of 256 bytes is 32 such entries; sections flush each store by itself: both weigh more here than in applications that compute between their stores.")
	return nil
}

// rankCorrelation is Spearman's: of the ranks, equal values sharing theirs.
func rankCorrelation(a, b []float64) float64 {
	x, y := ranks(a), ranks(b)
	mean := float64(len(x)+1) / 2
	var xy, xx, yy float64
	for i := range x {
		xy += (x[i] - mean) * (y[i] - mean)
		xx += (x[i] - mean) * (x[i] - mean)
		yy += (y[i] - mean) * (y[i] - mean)
	}
	return xy / math.Sqrt(xx*yy)
}

func ranks(v []float64) []float64 {
	order := make([]int, len(v))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(v[a], v[b]) })
	r := make([]float64, len(v))
	for i := 0; i < len(order); {
		j := i
		for j < len(order) && v[order[j]] == v[order[i]] {
			j++
		}
		for k := i; k < j; k++ {
			r[order[k]] = float64(i+j+1) / 2
		}
		i = j
	}
	return r
}
