package figures

import (
	"maps"
	"slices"

	"zhuque/crashinject/result"
	"zhuque/scenarios/region"
	"zhuque/sim/phys"
)

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
func takeApart(c *region.Cost) (list []result.Part) {
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

func drawBreakdown(d *drawing) error {
	for _, mix := range mixes {
		b := result.Breakdown{Name: "hashmap " + mix, Caption: "An operation of the hash map, one thread, " + mixNames[mix] + ", taken apart by what the core waits for."}
		for _, row := range rows {
			for _, p := range takeApart(d.of(row.point(d.size, "hashmap", mix, 1))) {
				p.System = row.label
				b.Parts = append(b.Parts, p)
			}
		}
		d.doc.Breakdowns = append(d.doc.Breakdowns, b)
	}
	return nil
}
