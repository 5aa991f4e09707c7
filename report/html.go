package report

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"zhuque/crashinject/result"
	"zhuque/sim/phys"
)

//go:embed report.html.tmpl
var pageText string

var pageTemplate = template.Must(template.New("report").Parse(pageText))

// shownFailures bounds the different failures that a campaign's section lists.
const shownFailures = 12

// page is what the template reads: text ready to show, no arithmetic left.
type page struct {
	Title       string
	Headline    string
	Class       string
	Totals      []labelled
	Campaigns   []campaignView
	Commands    []string
	Environment []result.Fact
	Figures     []figureView
	Runs        []runView
	Overheads   []overheadView
	Remarks     []string
	Predictions []predictionView
	Over        string // what they have in common, "" for nothing
	Params      []paramView
	Verdicts    []labelled
	Kinds       []labelled
	Records     string // which points results.json has
}

type labelled struct{ Name, Text, Class string }

type campaignView struct {
	Name, Broken, Program, Strategy, Seed, Range, Instructions string
	Points, Speed, Wall, Outcome, Class, Digest, Share, Replay string
	Counts                                                     []labelled
	Config                                                     []result.Fact
	Failures                                                   []failureView
	MoreFailures                                               string
	Kept                                                       string
}

type failureView struct {
	Index, Place, Verdict, Reason, Plan, Machine, Alike string
	kept                                                int // samples with this verdict and reason
}

type figureView struct {
	Name, Caption string
	SVG           template.HTML
}

type runView struct{ Name, Instructions, Cycles, CPI, Wall, Speed, Exit, Digest, Counters string }

type predictionView struct{ Name, Modelled, Published, Factor string }

type overheadView struct {
	Program string
	Axis    string
	Systems []string
	Rows    []overheadRow
}

type overheadRow struct {
	Latency string
	Cells   []overheadCell
}

type overheadCell struct{ Value, Interval string }

type paramView struct{ Name, Value, Unit, Status, Source, Range string }

func newPage(doc *result.Document) *page {
	h := headline(doc)
	p := &page{Title: doc.Title, Headline: h.text, Class: h.class, Commands: doc.Commands, Environment: doc.Environment}
	if p.Title == "" {
		p.Title = "Zhuque Sim report"
	}
	for i := range doc.Campaigns {
		p.Campaigns = append(p.Campaigns, viewCampaign(&doc.Campaigns[i]))
	}
	if len(doc.Campaigns) > 0 {
		p.Totals = viewCounts(realCounts(doc))
	}
	for i := range doc.Runs {
		p.Runs = append(p.Runs, viewRun(&doc.Runs[i]))
	}
	for i := range doc.Overheads {
		p.Overheads = append(p.Overheads, viewOverhead(&doc.Overheads[i]))
		if p.Over = " over PMEM latency"; doc.Overheads[i].Parameter != "" {
			p.Over = ""
		}
	}
	p.Remarks = doc.Remarks
	for i := range doc.Predictions {
		q := &doc.Predictions[i]
		p.Predictions = append(p.Predictions, predictionView{q.Name, times(q.Modelled) + " " + q.Unit, times(q.Published) + " " + q.Unit, times(q.Factor())})
	}
	for _, q := range doc.Params {
		p.Params = append(p.Params, viewParam(q))
	}
	for _, v := range result.Verdicts() {
		p.Verdicts = append(p.Verdicts,
			labelled{Name: v.String(), Text: v.Meaning() + " Exit status " + strconv.Itoa(v.ExitCode()) + "."})
	}
	p.Kinds, p.Records = kindGlossary(), contents(doc)
	return p
}

func kindGlossary() []labelled {
	return []labelled{
		{Name: string(result.AtInstruction), Text: "The cut falls between two guest instructions."},
		{Name: string(result.AtREP), Text: "The cut falls between two iterations of a repeated string instruction."},
		{Name: string(result.AtRuntime), Text: "The cut falls between two stores of the Zhuque runtime's own bookkeeping."},
		{Name: string(result.AtPowerFail), Text: "Energy ends inside the power-fail sequence."},
		{Name: string(result.AtRecovery), Text: "Power is cut again while a recovery runs."},
	}
}

func viewCounts(c result.Counts) []labelled {
	var list []labelled
	for _, v := range result.Verdicts() {
		class := "zero"
		if c.Of(v) > 0 {
			class = v.String()
		}
		list = append(list, labelled{Name: v.String(), Text: group(c.Of(v)), Class: class})
	}
	return list
}

func viewCampaign(c *result.Campaign) campaignView {
	o := outcomeOf(c)
	v := campaignView{
		Name: c.Name, Broken: brokenLabel(c), Program: strings.Join(append([]string{c.Program}, c.Args...), " "), Strategy: c.Strategy,
		Seed: u(c.Seed), Range: group(c.From) + " to " + group(c.To), Instructions: group(c.Instructions), Points: group(c.Points),
		Speed: group(uint64(math.Round(c.PointsPerSecond))), Wall: scaled(c.WallSeconds*1e3, "ms", "s"), Outcome: o.text, Class: o.class,
		Digest: c.Digest, Share: violationShare(c), Replay: c.Replay, Counts: viewCounts(c.Counts), Kept: sampleNote(c),
	}
	for _, k := range slices.Sorted(maps.Keys(c.Config)) {
		v.Config = append(v.Config, result.Fact{Name: k, Value: c.Config[k]})
	}
	v.Failures = viewFailures(c)
	more := c.Points - c.Counts.Pass
	for _, f := range v.Failures {
		more -= uint64(f.kept)
	}
	if more > 0 {
		v.MoreFailures = group(more)
	}
	return v
}

// viewFailures returns the failures by severity, then by index, those with the
// same verdict and reason as one: a violation is listed even when a thousand cuts
// before it were detected.
func viewFailures(c *result.Campaign) []failureView {
	type likeness struct {
		verdict result.Verdict
		reason  string
	}
	var first []*result.Point
	like := map[likeness]int{}
	for i := range c.Samples {
		p := &c.Samples[i]
		if p.Verdict == result.Pass {
			continue
		}
		k := likeness{p.Verdict, p.Reason}
		if like[k] == 0 {
			first = append(first, p)
		}
		like[k]++
	}
	slices.SortStableFunc(first, func(a, b *result.Point) int {
		switch {
		case a.Verdict.Worse(b.Verdict):
			return -1
		case b.Verdict.Worse(a.Verdict):
			return 1
		}
		return 0
	})
	var views []failureView
	for _, p := range first[:min(len(first), shownFailures)] {
		v := failureView{
			Index: group(p.Index), Place: place(p), Verdict: p.Verdict.String(), Reason: p.Reason, Plan: p.Plan,
			Machine: group(p.DirtyLines) + " dirty lines, " + group(p.BufferedStores) + " buffered stores, flush " +
				scaled(float64(p.FlushNanos), "ns", "µs", "ms", "s"),
			kept: like[likeness{p.Verdict, p.Reason}],
		}
		if v.kept > 1 {
			v.Alike = "and " + group(uint64(v.kept-1)) + " later with the same reason"
		}
		views = append(views, v)
	}
	return views
}

func viewRun(r *result.Run) runView {
	return runView{
		Name: r.Name, Instructions: group(r.Instructions), Cycles: group(uint64(r.Cycles)), CPI: ratio(float64(r.Cycles), float64(r.Instructions)),
		Wall: strconv.FormatFloat(r.WallSeconds, 'f', 3, 64), Speed: strconv.FormatFloat(r.InstructionsPerSecond/1e6, 'f', 2, 64),
		Exit: strconv.Itoa(r.ExitStatus), Digest: short(r.Digest), Counters: indented(r.Counters),
	}
}

// indented lays JSON out in one way, however its writer did.
func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		return string(raw)
	}
	return b.String()
}

// viewOverhead lays the points out with one row per latency and one column per
// system, both in the order in which they first occur.
func viewOverhead(o *result.Overhead) overheadView {
	v := overheadView{Program: o.Program, Axis: cmp.Or(o.Parameter, "PMEM read latency (ns)")}
	for i := range o.Points {
		p := &o.Points[i]
		column := slices.Index(v.Systems, p.System)
		if column < 0 {
			column = len(v.Systems)
			v.Systems = append(v.Systems, p.System)
		}
		row := slices.IndexFunc(v.Rows, func(r overheadRow) bool { return r.Latency == float(o.X(p)) })
		if row < 0 {
			row = len(v.Rows)
			v.Rows = append(v.Rows, overheadRow{Latency: float(o.X(p))})
		}
		for len(v.Rows[row].Cells) <= column {
			v.Rows[row].Cells = append(v.Rows[row].Cells, overheadCell{Value: "-"})
		}
		c := overheadCell{Value: times(p.RelativeToNative)}
		if p.N > 1 {
			c.Interval = interval(p) + ", n = " + strconv.Itoa(p.N)
		}
		v.Rows[row].Cells[column] = c
	}
	return v
}

func viewParam(q phys.Param) paramView {
	source := q.Source
	if source == "" {
		source = "none"
	}
	value := float(q.Value)
	if whole := uint64(q.Value); float64(whole) == q.Value {
		value = group(whole)
	}
	return paramView{q.Name, value, q.Unit, string(q.Status), source, q.Range}
}

var (
	beforeSVG = regexp.MustCompile(`(?s)^.*?<svg `)
	fixedSize = regexp.MustCompile(`^(<svg )width="[^"]*" height="[^"]*"`)
	comments  = regexp.MustCompile(`(?s)<!--.*?-->`)
)

// addFigure embeds an SVG: without the XML head, and without its fixed size so
// that it shrinks with the page.
func (p *page) addFigure(d *drawn, svg []byte) {
	text := beforeSVG.ReplaceAllString(string(svg), "<svg ")
	text = fixedSize.ReplaceAllString(text, `${1}class="plot"`)
	text = comments.ReplaceAllString(text, "")
	p.Figures = append(p.Figures, figureView{Name: d.name, Caption: d.caption, SVG: template.HTML(text)})
}

func (p *page) write(w io.Writer) error { return pageTemplate.Execute(w, p) }
