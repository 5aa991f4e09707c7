package report

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"unicode/utf8"

	"zhuque/crashinject/result"
)

// Text writes doc's tables for a terminal. With color, the cells of verdicts
// other than pass are coloured; the caller decides it (NO_COLOR, a pipe). If a
// campaign failed, the last line is the command that replays the first failure.
func Text(w io.Writer, doc result.Document, color bool) error {
	var b strings.Builder
	if doc.Title != "" {
		fmt.Fprintf(&b, "%s\n\n", doc.Title)
	}
	replay := ""
	if len(doc.Campaigns) > 0 {
		campaignTable(&doc, color).write(&b)
		replay = failureLines(&b, &doc)
	}
	if len(doc.Runs) > 0 {
		b.WriteString("\n")
		runTable(&doc).write(&b)
	}
	for i := range doc.Overheads {
		fmt.Fprintf(&b, "\n%s: run time relative to native\n", doc.Overheads[i].Program)
		overheadTable(&doc.Overheads[i]).write(&b)
	}
	if len(doc.Predictions) > 0 {
		b.WriteString("\n")
		predictionTable(&doc).write(&b)
	}
	for _, r := range doc.Remarks {
		fmt.Fprintf(&b, "\n%s\n", r)
	}
	if replay != "" {
		fmt.Fprintf(&b, "\nreplay the first failure:\n%s\n", replay)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func campaignTable(doc *result.Document, color bool) *textTable {
	head := append(append([]string{"campaign", "points"}, verdictNames()...), "points per second", "outcome")
	t := &textTable{head: head, left: map[int]bool{0: true, len(head) - 1: true}}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		row := []cell{{text: campaignLabel(c)}, {text: group(c.Points)}}
		for _, v := range result.Verdicts() {
			x := cell{text: group(c.Counts.Of(v))}
			if color && v != result.Pass && c.Counts.Of(v) > 0 {
				x.ansi = ansi(v)
			}
			row = append(row, x)
		}
		speed := cell{text: group(uint64(math.Round(c.PointsPerSecond)))}
		t.rows = append(t.rows, append(row, speed, cell{text: outcomeOf(c).text}))
	}
	return t
}

func campaignLabel(c *result.Campaign) string {
	if c.Mutant != "" {
		return c.Name + " [mutant " + c.Mutant + "]"
	}
	if broken(c) {
		return c.Name + " [broken on purpose]"
	}
	return c.Name
}

func ansi(v result.Verdict) string {
	switch v {
	case result.Violation, result.SimBug:
		return "\x1b[1;31m"
	case result.Detected:
		return "\x1b[36m"
	}
	return "\x1b[33m"
}

// failureLines lists the first failure of each campaign and returns the command
// that replays the first one; failures of the real thing come before those that were planted.
func failureLines(b *strings.Builder, doc *result.Document) (replay string) {
	ofBroken := ""
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		p, ok := c.FirstFailure()
		if !ok {
			continue
		}
		what := "first failure"
		if broken(c) && Good(c) {
			what = "caught first"
		}
		fmt.Fprintf(b, "\n%s: %s at instruction %s, %s: %s\n", campaignLabel(c), what, place(&p), p.Verdict, p.Reason)
		switch {
		case !broken(c) && replay == "":
			replay = c.Replay
		case broken(c) && ofBroken == "":
			ofBroken = c.Replay
		}
	}
	if replay == "" {
		return ofBroken
	}
	return replay
}

// place says where a point lies.
func place(p *result.Point) string {
	switch p.Kind {
	case result.AtInstruction:
		return group(p.At)
	case result.AtREP:
		return fmt.Sprintf("%s, iteration %s", group(p.At), group(p.Step))
	}
	return fmt.Sprintf("%s, %s step %s", group(p.At), p.Kind, group(p.Step))
}

func runTable(doc *result.Document) *textTable {
	t := &textTable{head: []string{"run", "instructions", "cycles", "cycles per instruction", "wall (s)",
		"million instructions per second", "exit", "digest"}, left: map[int]bool{0: true, 7: true}}
	for i := range doc.Runs {
		r := &doc.Runs[i]
		t.rows = append(t.rows, []cell{{text: r.Name}, {text: group(r.Instructions)}, {text: group(uint64(r.Cycles))},
			{text: ratio(float64(r.Cycles), float64(r.Instructions))}, {text: strconv.FormatFloat(r.WallSeconds, 'f', 3, 64)},
			{text: strconv.FormatFloat(r.InstructionsPerSecond/1e6, 'f', 2, 64)}, {text: strconv.Itoa(r.ExitStatus)}, {text: short(r.Digest)}})
	}
	return t
}

// overheadTable has one row per PMEM latency and one column per system.
func overheadTable(o *result.Overhead) *textTable {
	v := viewOverhead(o)
	t := &textTable{head: append([]string{cmp.Or(o.Parameter, "PMEM latency (ns)")}, v.Systems...)}
	for _, r := range v.Rows {
		row := []cell{{text: r.Latency}}
		for i := range v.Systems {
			text := "-"
			if i < len(r.Cells) {
				if text = r.Cells[i].Value; r.Cells[i].Interval != "" {
					text += " (" + r.Cells[i].Interval + ")"
				}
			}
			row = append(row, cell{text: text})
		}
		t.rows = append(t.rows, row)
	}
	return t
}

func predictionTable(doc *result.Document) *textTable {
	t := &textTable{head: []string{"beside published results", "modelled", "published", "factor"}, left: map[int]bool{0: true}}
	for i := range doc.Predictions {
		p := &doc.Predictions[i]
		t.rows = append(t.rows, []cell{{text: p.Name}, {text: times(p.Modelled)}, {text: times(p.Published)}, {text: times(p.Factor())}})
	}
	return t
}

func interval(p *result.OverheadPoint) string {
	if p.N < 2 {
		return "-"
	}
	return times(p.Low) + " to " + times(p.High)
}

func times(v float64) string { return strconv.FormatFloat(v, 'f', 3, 64) }

func ratio(a, b float64) string {
	if b == 0 {
		return "-"
	}
	return strconv.FormatFloat(a/b, 'f', 2, 64)
}

func short(digest string) string { return digest[:min(len(digest), 12)] }

// group writes a whole number with commas.
func group(v uint64) string {
	s := u(v)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

type cell struct {
	text string
	ansi string // colour before the text; empty for none
}

// textTable is an aligned table; long column heads are broken over lines.
type textTable struct {
	head []string
	left map[int]bool // columns aligned to the left
	rows [][]cell
}

func (t *textTable) write(b *strings.Builder) {
	heads := make([][]string, len(t.head))
	widths := make([]int, len(t.head))
	lines := 0
	for i, h := range t.head {
		for _, r := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(r[i].text))
		}
		heads[i] = wrap(h, max(widths[i], 11))
		for _, part := range heads[i] {
			widths[i] = max(widths[i], utf8.RuneCountInString(part))
		}
		lines = max(lines, len(heads[i]))
	}
	for l := range lines {
		row := make([]cell, len(heads))
		for i, parts := range heads {
			if k := l - (lines - len(parts)); k >= 0 {
				row[i].text = parts[k]
			}
		}
		t.line(b, row, widths)
	}
	rule := make([]cell, len(widths))
	for i, w := range widths {
		rule[i].text = strings.Repeat("-", w)
	}
	t.line(b, rule, widths)
	for _, r := range t.rows {
		t.line(b, r, widths)
	}
}

func (t *textTable) line(b *strings.Builder, row []cell, widths []int) {
	var line strings.Builder
	for i, c := range row {
		if i > 0 {
			line.WriteString("  ")
		}
		pad := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c.text))
		text := c.text
		if c.ansi != "" {
			text = c.ansi + text + "\x1b[0m"
		}
		if t.left[i] {
			line.WriteString(text + pad)
		} else {
			line.WriteString(pad + text)
		}
	}
	b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
}

// wrap breaks s between words into lines of at most width, or of one longer word.
func wrap(s string, width int) []string {
	var lines []string
	for _, word := range strings.Fields(s) {
		if n := len(lines); n > 0 && len(lines[n-1])+1+len(word) <= width {
			lines[n-1] += " " + word
		} else {
			lines = append(lines, word)
		}
	}
	return lines
}
