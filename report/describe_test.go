package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

// A description names columns that its CSV has, and every figure has one.
func TestDescriptionsNameColumns(t *testing.T) {
	doc := smallDocument()
	for _, d := range figures(&doc) {
		text, err := d.vega()
		if err != nil {
			t.Fatal(err)
		}
		head, err := csv.NewReader(bytes.NewReader(d.csv)).Read()
		if err != nil {
			t.Fatal(err)
		}
		made := []string{"verdict", "points"} // by the fold of a figure of verdicts
		seen := 0
		var look func(v any)
		look = func(v any) {
			switch v := v.(type) {
			case []any:
				for _, e := range v {
					look(e)
				}
			case map[string]any:
				for k, e := range v {
					name, ok := e.(string)
					if k == "field" && ok {
						seen++
						if name = strings.ReplaceAll(name, `\`, ""); !slices.Contains(head, name) && !slices.Contains(made, name) {
							t.Errorf("%s: %q is no column of %q", d.name, name, head)
						}
					}
					look(e)
				}
			}
		}
		var spec any
		if err := json.Unmarshal(text, &spec); err != nil {
			t.Fatal(err)
		}
		if look(spec); seen < 3 {
			t.Errorf("%s: %d channels\n%s", d.name, seen, text)
		}
	}
}

// A caption is text in LaTeX and in Markdown, whatever it says.
func TestSnippetsAreText(t *testing.T) {
	latex, markdown := snippets([]drawn{{name: "a", caption: "100% of $x_1 & [y] #2"}})
	if want := `\caption{100\% of \$x\_1 \& [y] \#2}`; !bytes.Contains(latex, []byte(want)) {
		t.Errorf("LaTeX %s, expected %s", latex, want)
	}
	if want := `![100% of $x\_1 & \[y\] #2](a.svg)`; !bytes.Contains(markdown, []byte(want)) {
		t.Errorf("Markdown %s, expected %s", markdown, want)
	}
}
