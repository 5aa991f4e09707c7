package report

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"slices"
	"strconv"

	"zhuque/crashinject/result"
)

// csvText writes records in CSV form: numbers unscaled, times and sizes in the unit of the column's name.
func csvText(head []string, rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{head}, rows...)); err != nil {
		panic("BUG: CSV into memory: " + err.Error())
	}
	return b.Bytes()
}

func u(v uint64) string { return strconv.FormatUint(v, 10) }

func float(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }

func countCells(c result.Counts) []string {
	var cells []string
	for _, v := range result.Verdicts() {
		cells = append(cells, u(c.Of(v)))
	}
	return cells
}

func verdictNames() []string {
	var names []string
	for _, v := range result.Verdicts() {
		names = append(names, v.String())
	}
	return names
}

func campaignsCSV(doc *result.Document) []byte {
	head := []string{"campaign", "program", "strategy", "seed", "mutant", "from", "to", "instructions", "points"}
	head = append(head, verdictNames()...)
	head = append(head, "points_per_second", "wall_seconds", "workers", "digest")
	var rows [][]string
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		row := []string{c.Name, c.Program, c.Strategy, u(c.Seed),
			c.Mutant, u(c.From), u(c.To), u(c.Instructions), u(c.Points)}
		row = append(row, countCells(c.Counts)...)
		rows = append(rows, append(row, float(c.PointsPerSecond), float(c.WallSeconds), strconv.Itoa(c.Workers), c.Digest))
	}
	return csvText(head, rows)
}

func runsCSV(doc *result.Document) []byte {
	var rows [][]string
	for i := range doc.Runs {
		r := &doc.Runs[i]
		rows = append(rows, []string{r.Name, r.Program, u(r.Instructions), u(uint64(r.Cycles)), float(r.WallSeconds),
			float(r.InstructionsPerSecond), strconv.Itoa(r.ExitStatus), r.Digest})
	}
	return csvText([]string{"run", "program", "instructions", "cycles",
		"wall_seconds", "instructions_per_second", "exit_status", "digest"}, rows)
}

func paramsCSV(doc *result.Document) []byte {
	var rows [][]string
	for _, p := range doc.Params {
		rows = append(rows, []string{p.Name, float(p.Value), p.Unit, string(p.Status), p.Source, p.Range})
	}
	return csvText([]string{"name", "value", "unit", "status", "source", "range"}, rows)
}

func verdictsCSV(c *result.Campaign) []byte {
	var rows [][]string
	for _, b := range c.Histogram {
		rows = append(rows, append([]string{u(b.From), u(b.To)}, countCells(b.Counts)...))
	}
	return csvText(append([]string{"from", "to"}, verdictNames()...), rows)
}

func cutCSV(c *result.Campaign) []byte {
	head := []string{"index", "at", "kind", "step", "verdict",
		"dirty_lines", "dirty_pmem", "buffered_stores", "flush_nanos",
		"energy_nj", "recovery_steps", "memory_pages_compared", "tail", "reason", "plan"}
	var rows [][]string
	for i := range c.Samples {
		p := &c.Samples[i]
		rows = append(rows, []string{u(p.Index), u(p.At), string(p.Kind), u(p.Step), p.Verdict.String(), u(p.DirtyLines), u(p.DirtyPMEM),
			u(p.BufferedStores), u(uint64(p.FlushNanos)), u(uint64(p.EnergyNJ)), u(p.RecoverySteps), u(p.MemoryPagesCompared),
			strconv.FormatBool(p.Tail), p.Reason, p.Plan})
	}
	return csvText(head, rows)
}

func overheadCSV(o *result.Overhead) []byte {
	var rows [][]string
	for i := range o.Points {
		rows = append(rows, overheadCells(o, &o.Points[i]))
	}
	head := slices.Clone(overheadHead)
	if o.Parameter != "" {
		head[1] = o.Parameter
	}
	return csvText(head, rows)
}

var overheadHead = []string{"system", "pmem_latency_nanos", "cycles",
	"instructions", "relative_to_native", "n", "low", "high"}

func overheadCells(o *result.Overhead, p *result.OverheadPoint) []string {
	low, high := "", "" // one run spans nothing
	if p.N > 1 {
		low, high = float(p.Low), float(p.High)
	}
	return []string{p.System, float(o.X(p)), u(uint64(p.Cycles)), u(p.Instructions),
		float(p.RelativeToNative), strconv.Itoa(max(p.N, 1)), low, high}
}

// overheadSummaryCSV holds all programs at one latency that all of them were
// measured at: the middle one of those. ok is false with fewer than two programs
// or when they share no latency.
func overheadSummaryCSV(doc *result.Document) (text []byte, latency float64, ok bool) {
	if len(doc.Overheads) < 2 || slices.ContainsFunc(doc.Overheads, func(o result.Overhead) bool { return o.Parameter != "" }) {
		return nil, 0, false
	}
	var shared []float64
	for i := range doc.Overheads[0].Points {
		x := doc.Overheads[0].Points[i].PMEMLatencyNanos
		if everyProgramHas(doc, x) {
			shared = insertSorted(shared, x)
		}
	}
	if len(shared) == 0 {
		return nil, 0, false
	}
	latency = shared[len(shared)/2]
	var rows [][]string
	for i := range doc.Overheads {
		o := &doc.Overheads[i]
		for j := range o.Points {
			if o.Points[j].PMEMLatencyNanos == latency {
				rows = append(rows, append([]string{o.Program}, overheadCells(o, &o.Points[j])...))
			}
		}
	}
	return csvText(append([]string{"program"}, overheadHead...), rows), latency, true
}

// pointsAt returns what all programs cost at one latency.
func pointsAt(doc *result.Document, latency float64) (list []result.OverheadPoint) {
	for i := range doc.Overheads {
		for _, p := range doc.Overheads[i].Points {
			if p.PMEMLatencyNanos == latency {
				list = append(list, p)
			}
		}
	}
	return list
}

func everyProgramHas(doc *result.Document, latency float64) bool {
	for i := range doc.Overheads {
		has := false
		for j := range doc.Overheads[i].Points {
			has = has || doc.Overheads[i].Points[j].PMEMLatencyNanos == latency
		}
		if !has {
			return false
		}
	}
	return true
}

// insertSorted adds x to a rising list that holds each value once.
func insertSorted(list []float64, x float64) []float64 {
	i := 0
	for i < len(list) && list[i] < x {
		i++
	}
	if i < len(list) && list[i] == x {
		return list
	}
	list = append(list, 0)
	copy(list[i+1:], list[i:])
	list[i] = x
	return list
}

// sampleNote says which points a list of samples stands for.
func sampleNote(c *result.Campaign) string {
	if c.Complete() {
		return fmt.Sprintf("all %s points", group(c.Points))
	}
	return fmt.Sprintf("%s of %s points, evenly spaced within each verdict",
		group(uint64(len(c.Samples))), group(c.Points))
}

// contents says in words which points results.json has: counts and histograms cover all.
func contents(doc *result.Document) string {
	var kept, all result.Counts
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		all = all.Plus(c.Counts)
		for j := range c.Samples {
			kept.Add(c.Samples[j].Verdict, 1)
		}
	}
	if all.Total() == 0 {
		return ""
	}
	part := func(n, of uint64, what string) string {
		if n == of {
			return fmt.Sprintf("all %s %s", group(of), what)
		}
		return fmt.Sprintf("%s of %s %s, evenly spaced", group(n), group(of), what)
	}
	return fmt.Sprintf("the counts and histograms of all %s points, and a record of each of %s and %s",
		group(all.Total()), part(kept.Total()-kept.Pass, all.Total()-all.Pass, "failures"), part(kept.Pass, all.Pass, "passes"))
}

func barsCSV(b *result.Bars) []byte {
	var rows [][]string
	for _, v := range b.Values {
		published := ""
		if v.Published > 0 {
			published = float(v.Published)
		}
		rows = append(rows, []string{v.Group, v.Series, float(v.Value), published})
	}
	return csvText([]string{"group", "series", b.Axis, "published"}, rows)
}

func curvesCSV(c *result.Curves) []byte {
	var rows [][]string
	for _, p := range c.Points {
		origin := "modelled"
		if p.Published {
			origin = "published"
		}
		rows = append(rows, []string{p.Series, float(p.X), float(p.Y), origin})
	}
	return csvText([]string{"series", c.X, c.Y, "origin"}, rows)
}

func breakdownCSV(b *result.Breakdown) []byte {
	var rows [][]string
	for _, p := range b.Parts {
		rows = append(rows, []string{p.System, p.Part, float(p.Nanos)})
	}
	return csvText([]string{"system", "part", "nanos"}, rows)
}

func predictionsCSV(doc *result.Document) []byte {
	var rows [][]string
	for i := range doc.Predictions {
		p := &doc.Predictions[i]
		rows = append(rows, []string{p.Name, float(p.Modelled), float(p.Published), p.Unit, float(p.Factor()), p.Source})
	}
	return csvText([]string{"prediction", "modelled", "published", "unit", "factor", "source"}, rows)
}
