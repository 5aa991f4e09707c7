package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"strings"
)

// vega describes a figure in Vega-Lite (version 5): the same data, which lies beside it as CSV, for a
// reader who wants another size, another style or a picture to point at.
func (d *drawn) vega() ([]byte, error) {
	head, err := csv.NewReader(bytes.NewReader(d.csv)).Read()
	if err != nil {
		return nil, fmt.Errorf("figure %s: %w", d.name, err)
	}
	spec := map[string]any{
		"$schema": "https://vega.github.io/schema/vega-lite/v5.json", "description": d.caption,
		"data": map[string]any{"url": d.name + ".csv"}, "width": 425,
	}
	for k, v := range d.marks(head) {
		spec[k] = v
	}
	text, err := json.MarshalIndent(spec, "", "  ")
	return append(text, '\n'), err
}

// field is a channel of a mark. Names with brackets, dots or quotes are paths to Vega-Lite: these are escaped.
func field(name, kind string, more ...any) map[string]any {
	escaped := strings.NewReplacer(".", `\.`, "[", `\[`, "]", `\]`, "'", `\'`).Replace(name)
	c := map[string]any{"field": escaped, "type": kind, "title": name}
	for i := 0; i+1 < len(more); i += 2 {
		c[more[i].(string)] = more[i+1]
	}
	return c
}

func bars(x, offset, y string) map[string]any {
	return map[string]any{"mark": "bar", "encoding": map[string]any{
		"x":       field(x, "nominal", "sort", nil, "axis", map[string]any{"labelAngle": 0}),
		"xOffset": field(offset, "nominal", "sort", nil), "color": field(offset, "nominal", "sort", nil),
		"y": field(y, "quantitative")}}
}

// marks says how the columns are drawn, by the kind of figure that its name begins with.
func (d *drawn) marks(head []string) map[string]any {
	kind, _, _ := strings.Cut(d.name, "-")
	switch {
	case d.name == "overhead-summary":
		return bars("program", "system", "relative_to_native")
	case kind == "overhead":
		return map[string]any{"mark": map[string]any{"type": "line", "point": true}, "encoding": map[string]any{
			"x": field(head[1], "quantitative"), "y": field("relative_to_native", "quantitative"),
			"strokeDash": field("system", "nominal", "sort", nil), "shape": field("system", "nominal", "sort", nil)}}
	case kind == "bars":
		b := bars("group", "series", head[2])
		points := map[string]any{"mark": map[string]any{"type": "point", "shape": "diamond", "filled": true, "fill": "white", "stroke": "black"},
			"transform": []any{map[string]any{"filter": "isValid(datum.published)"}},
			"encoding": map[string]any{"x": field("group", "nominal", "sort", nil), "xOffset": field("series", "nominal", "sort", nil),
				"y": field("published", "quantitative")}}
		return map[string]any{"layer": []any{b, points}}
	case kind == "curves":
		return map[string]any{"mark": map[string]any{"type": "line", "point": true}, "encoding": map[string]any{
			"x": field(head[1], "quantitative"), "y": field(head[2], "quantitative"),
			"strokeDash": field("origin", "nominal", "sort", nil), "color": field("series", "nominal", "sort", nil)}}
	case kind == "breakdown":
		return map[string]any{"mark": "bar", "encoding": map[string]any{"x": field("system", "nominal", "sort", nil),
			"y": field("nanos", "quantitative", "stack", "zero"), "color": field("part", "nominal", "sort", nil)}}
	case kind == "verdicts":
		return map[string]any{"transform": []any{map[string]any{"fold": head[2:], "as": []string{"verdict", "points"}}},
			"mark": "bar", "encoding": map[string]any{"x": field(head[0], "quantitative"), "x2": map[string]any{"field": head[1]},
				"y": field("points", "quantitative"), "row": field("verdict", "nominal", "sort", nil)}}
	}
	return map[string]any{"mark": "point", "encoding": map[string]any{
		"x": field("at", "quantitative"), "y": field("dirty_lines", "quantitative"), "shape": field("verdict", "nominal")}}
}

// snippets are the figures for a document in LaTeX or Markdown, ready to paste.
func snippets(list []drawn) (latex, markdown []byte) {
	var l, m bytes.Buffer
	for i := range list {
		d := &list[i]
		fmt.Fprintf(&l, "\\begin{figure}\n  \\centering\n  \\includegraphics{%s.pdf}\n  \\caption{%s}\n  \\label{fig:%s}\n\\end{figure}\n\n", d.name, latexText.Replace(d.caption), d.name)
		fmt.Fprintf(&m, "![%s](%s.svg)\n\n", markdownText.Replace(d.caption), d.name)
	}
	return l.Bytes(), m.Bytes()
}

var latexText = strings.NewReplacer(`\`, `\textbackslash{}`, "{", `\{`, "}", `\}`, "$", `\$`, "&", `\&`, "#", `\#`, "_", `\_`,
	"%", `\%`, "~", `\textasciitilde{}`, "^", `\textasciicircum{}`, "\n", " ", "µ", `\textmu{}`)

var markdownText = strings.NewReplacer(`\`, `\\`, "[", `\[`, "]", `\]`, "*", `\*`, "_", `\_`, "`", "\\`", "<", "&lt;", "\n", " ")
