package figures

import (
	"fmt"
	"slices"
	"strings"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/reference"
	"zhuque/scenarios/region"
	"zhuque/sim"
)

// micro is the guest of the micro-benchmarks.
const micro = "micro"

// microGroups are the five groups of the published figure.
var microGroups = []struct {
	name, unit string
	workloads  []string
	count      func(s *size) uint64
}{
	{"threads, large stacks", "threads", []string{"createjoin_serial1", "createjoin_serial2", "create_serial1"}, func(s *size) uint64 { return s.created }},
	{"threads, small stacks", "threads", []string{"createjoin_minimal1", "createjoin_minimal2"}, func(s *size) uint64 { return s.created }},
	{"lock", "rounds", []string{"uselesslock"}, func(s *size) uint64 { return s.locked }},
	{"anonymous memory", "pages", []string{"anon_slab", "anon_chunks"}, func(s *size) uint64 { return s.pages }},
	{"files", "pages", []string{"file_slab", "file_chunks", "files_chunks"}, func(s *size) uint64 { return s.pages }},
}

// microRows are the ends between which the published figure lies. Threads wait for one another, so
// there is a second core for them.
var microRows = []row{native, onPMEM, zhuque}

func microPoint(workload string, n uint64, memory sim.Memory) Point {
	return Point{Memory: memory, Program: region.Program{Name: crashinject.GuestPrefix + micro, Cores: 2, Operations: n,
		Args: []string{workload, fmt.Sprint(n)}}}
}

func eachMicro(s *size, do func(workload string, n uint64)) {
	for _, g := range microGroups {
		for _, w := range g.workloads {
			do(w, g.count(s))
		}
	}
}

func microPoints(s *size) (list []Point) {
	eachMicro(s, func(workload string, n uint64) {
		for _, row := range microRows {
			list = append(list, microPoint(workload, n, row.memory))
		}
	})
	return list
}

// publishedMicro returns a system's published time relative to native, by workload.
func publishedMicro(system string) (ratios map[string]float64, source string, err error) {
	points, err := reference.Published("5")
	if err != nil {
		return nil, "", err
	}
	times := map[[2]string]float64{}
	for _, p := range points {
		_, workload, _ := strings.Cut(p.Workload, " ")
		times[[2]string{workload, p.System}], source = p.Value, p.Source
	}
	ratios = map[string]float64{}
	for k, v := range times {
		if k[1] == system && times[[2]string{k[0], "native"}] > 0 {
			ratios[k[0]] = v / times[[2]string{k[0], "native"}]
		}
	}
	return ratios, source, nil
}

func drawMicro(d *drawing) error {
	published, source, err := publishedMicro("zhuque")
	if err != nil {
		return err
	}
	inDRAM, _, err := publishedMicro("zhuque-on-dram")
	if err != nil {
		return err
	}
	b := result.Bars{Name: "micro", Axis: "run time / native", Caption: fmt.Sprintf("Micro-benchmarks: %d threads, %d rounds of a lock, %d pages, run time relative to native in DRAM. "+
		"Diamonds: figure 5 of the paper.", d.size.created, d.size.locked, d.size.pages)}
	var modelled, measured, factors []float64
	eachMicro(d.size, func(workload string, n uint64) {
		want := published[workload]
		for _, row := range microRows[1:] {
			v := d.ratio(microPoint(workload, n, row.memory), microPoint(workload, n, native.memory))
			bar := result.Bar{Group: workload, Series: row.label, Value: v}
			if row.label == zhuque.label {
				bar.Published = want
				modelled, measured, factors = append(modelled, v), append(measured, want), append(factors, max(v/want, want/v))
				d.doc.Predictions = append(d.doc.Predictions, result.Prediction{Name: workload + ": Zhuque's time relative to native", Modelled: v, Published: want, Unit: "times", Source: source})
			}
			b.Values = append(b.Values, bar)
		}
	})
	d.doc.Bars = append(d.doc.Bars, b)
	_, factor, err := means(factors)
	if err != nil {
		return err
	}
	own, both := []float64{}, []float64{}
	for _, w := range slices.Concat(microGroups[0].workloads, microGroups[1].workloads) {
		own, both = append(own, inDRAM[w]), append(both, published[w])
	}
	_, ofThreads, err := means(both)
	if err != nil {
		return err
	}
	_, ofThreadsInDRAM, err := means(own)
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("Micro-benchmarks: the rank correlation of the %d modelled ratios with the published ones is %.2f, the geometric mean of the factors between them %.2f. "+
		"The model charges the records that the runtime writes, and the same kernel to all. The published runtime takes %.1f times native for threads with persistent memory, and %.1f times with DRAM in its place: most of that is code of its own, which is not modelled. "+
		"Its files lie on a file system that keeps a journal in persistent memory; ours do not.", len(modelled), rankCorrelation(modelled, measured), factor, ofThreads, ofThreadsInDRAM))
	return err
}
