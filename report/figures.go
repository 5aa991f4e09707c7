package report

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"strings"

	"zhuque/crashinject/result"
	"zhuque/report/figure"
)

// drawn is one figure with the CSV that it is a function of.
type drawn struct {
	name    string // file name without ending
	caption string
	csv     []byte
	draw    func([]byte) (*figure.Figure, error)
}

// figures lists doc's figures in the order in which the report shows them.
func figures(doc *result.Document) []drawn {
	var list []drawn
	names := fileNames{}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		base := names.of(campaignFile(c))
		if len(c.Histogram) > 0 {
			list = append(list, drawn{"verdicts-" + base, verdictsCaption(c), verdictsCSV(c), figure.Verdicts})
		}
		if len(c.Samples) > 0 {
			list = append(list, drawn{"cut-" + base, cutCaption(c), cutCSV(c), figure.Cut})
		}
	}
	names = fileNames{"summary": true}
	for i := range doc.Overheads {
		o := &doc.Overheads[i]
		if len(o.Points) > 0 {
			list = append(list,
				drawn{"overhead-" + names.of(slug(o.Program)), overheadCaption(o), overheadCSV(o), figure.Overhead})
		}
	}
	for i := range doc.Bars {
		b := &doc.Bars[i]
		list = append(list, drawn{"bars-" + names.of(slug(b.Name)), b.Caption, barsCSV(b), figure.Bars})
	}
	for i := range doc.Curves {
		c := &doc.Curves[i]
		list = append(list, drawn{"curves-" + names.of(slug(c.Name)), c.Caption, curvesCSV(c), figure.Curves})
	}
	for i := range doc.Breakdowns {
		b := &doc.Breakdowns[i]
		list = append(list, drawn{"breakdown-" + names.of(slug(b.Name)), b.Caption, breakdownCSV(b), figure.Stacked})
	}
	if text, latency, ok := overheadSummaryCSV(doc); ok {
		caption := fmt.Sprintf("Run time relative to native at %s ns PMEM read latency, all programs.", float(latency))
		list = append(list,
			drawn{"overhead-summary", caption + intervalNote(pointsAt(doc, latency)), text, figure.OverheadBars})
	}
	return list
}

func campaignFile(c *result.Campaign) string {
	if c.Mutant != "" {
		return slug(c.Name + "-" + c.Mutant)
	}
	return slug(c.Name)
}

func verdictsCaption(c *result.Campaign) string {
	width := c.Histogram[0].To - c.Histogram[0].From + 1
	return fmt.Sprintf("%s: verdicts over the instruction axis, all %s points in %d bins of %s instructions. A row's height is its own largest bin, given in brackets.",
		campaignLabel(c), group(c.Points), len(c.Histogram), group(width))
}

func cutCaption(c *result.Campaign) string {
	return fmt.Sprintf("%s: dirty cache lines at the cut and virtual time of the power-fail sequence, %s. Largest over all points: %s dirty lines (%s in PMEM), %s, %s.",
		campaignLabel(c), sampleNote(c), group(c.Peak.DirtyLines), group(c.Peak.DirtyPMEM), scaled(float64(c.Peak.FlushNanos), "ns", "µs", "ms", "s"), scaled(float64(c.Peak.EnergyNJ), "nJ", "µJ", "mJ", "J"))
}

func overheadCaption(o *result.Overhead) string {
	text := fmt.Sprintf("%s: modelled run time relative to native over %s.",
		o.Program, cmp.Or(o.Parameter, "the PMEM read latency"))
	return text + intervalNote(o.Points)
}

// intervalNote says what the error bars of a figure are, or why there is none.
func intervalNote(points []result.OverheadPoint) string {
	varied, bars := false, false
	for i := range points {
		varied = varied || points[i].N > 1
		bars = bars || points[i].N > 1 && points[i].Low < points[i].High
	}
	switch {
	case bars:
		return " Error bars span the smallest and largest run."
	case varied:
		return " All runs of a point took the same time: no error bars."
	}
	return " One run a point: no error bars. The same run again takes the same modelled time."
}

// form is a file that a figure is written as.
type form struct {
	ending string
	write  func(*figure.Figure, io.Writer) error
}

// forms are the files of a figure. The first is the one in the page.
var forms = []form{
	{".svg", (*figure.Figure).SVG},
	{".png", (*figure.Figure).PNG},
	{".pdf", func(f *figure.Figure, w io.Writer) error { return f.PDF(w, figure.Column) }},
	{"-wide.pdf", func(f *figure.Figure, w io.Writer) error { return f.PDF(w, figure.Wide) }},
}

// render draws the figure from its CSV, in one of the forms.
func (d *drawn) render(as form) ([]byte, error) {
	f, err := d.draw(d.csv)
	if err != nil {
		return nil, fmt.Errorf("figure %s: %w", d.name, err)
	}
	var b bytes.Buffer
	if err := as.write(f, &b); err != nil {
		return nil, fmt.Errorf("figure %s: %w", d.name+as.ending, err)
	}
	return b.Bytes(), nil
}

// slug turns a name into a file name: small letters, digits and single dashes.
func slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 80 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); s != "" {
		return s
	}
	return "unnamed"
}

// fileNames hands out each name once.
type fileNames map[string]bool

func (f fileNames) of(name string) string {
	unique := name
	for i := 2; f[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", name, i)
	}
	f[unique] = true
	return unique
}

// scaled writes v in the largest of units, each a thousand times the one before, that leaves at least 1.
func scaled(v float64, units ...string) string {
	i := 0
	for v >= 1000 && i < len(units)-1 {
		v, i = v/1000, i+1
	}
	return fmt.Sprintf("%.4g %s", v, units[i])
}
