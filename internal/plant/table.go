package main

import (
	"bufio"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
)

// equivalentsText lists defects that nobody can notice: key, tabulator, reason.
//
//go:embed equivalents.txt
var equivalentsText string

// equivalents reads the list: reasons by key.
func equivalents(text string) (map[string]string, error) {
	list := map[string]string{}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, reason, ok := strings.Cut(line, "\t")
		if !ok || reason == "" || list[key] != "" {
			return nil, fmt.Errorf("equivalents.txt: %q: expected a key, a tabulator and a reason, once", line)
		}
		list[key] = reason
	}
	return list, nil
}

// table is what a run measured.
type table struct {
	Seed    uint64         `json:"seed"`
	Points  uint64         `json:"points"`
	Sites   int            `json:"sites"` // places where a defect could be planted
	Counts  map[string]int `json:"counts"`
	Defects []measured     `json:"defects"`
}

// classes lists who may notice, in the order of the table.
var classes = []string{byScenarios, byGuests, byTests, byNothing, equivalent}

// count fills Counts.
func (t *table) count() {
	t.Counts = map[string]int{}
	for _, m := range t.Defects {
		t.Counts[m.By]++
	}
}

// real is how many defects somebody could notice.
func (t *table) real() int { return len(t.Defects) - t.Counts[equivalent] }

// text prints the table.
func (t *table) text(out io.Writer) error {
	t.count()
	w := bufio.NewWriter(out)
	fmt.Fprintf(w, "%d defects of %d that can be planted, seed %d; campaigns of %d points\n\n",
		len(t.Defects), t.Sites, t.Seed, t.Points)
	cross(w, "AREA", t.Defects, func(m measured) string { return m.Area })
	fmt.Fprintln(w)
	cross(w, "KIND", t.Defects, func(m measured) string { return m.Kind })
	if t.real() > 0 {
		fmt.Fprintf(w, "\n%.0f %% caught by campaigns of the registry (%d of %d; equivalents are not counted)\n",
			100*float64(t.Counts[byScenarios])/float64(t.real()), t.Counts[byScenarios], t.real())
	}
	for _, by := range classes[1:] {
		for _, m := range t.Defects {
			if m.By == by {
				fmt.Fprintf(w, "%s: %s\n    %s %s %s\n", by, m.Key, m.At, m.Which, m.How)
			}
		}
	}
	return w.Flush()
}

// cross prints how many defects of each group were noticed by whom.
func cross(w io.Writer, head string, list []measured, group func(measured) string) {
	counts := map[string]map[string]int{}
	var names []string
	for _, m := range list {
		g := group(m)
		if counts[g] == nil {
			counts[g] = map[string]int{}
			names = append(names, g)
		}
		counts[g][m.By]++
	}
	slices.Sort(names)
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "%s\t%s\t\n", head, strings.ToUpper(strings.Join(classes, "\t")))
	sum := map[string]int{}
	for _, n := range append(names, "all") {
		fmt.Fprint(t, n)
		for _, c := range classes {
			v := counts[n][c]
			if sum[c] += v; n == "all" {
				v = sum[c]
			}
			fmt.Fprintf(t, "\t%d", v)
		}
		fmt.Fprintln(t, "\t")
	}
	t.Flush()
}

// readState reads what an earlier run measured, one object a line, by key.
func readState(r io.Reader) (map[string]measured, error) {
	list := map[string]measured{}
	for d := json.NewDecoder(r); ; {
		var m measured
		switch err := d.Decode(&m); err {
		case nil:
			list[m.Key] = m
		case io.EOF, io.ErrUnexpectedEOF: // the last line of a run that was killed
			return list, nil
		default:
			return nil, err
		}
	}
}
