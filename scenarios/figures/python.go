package figures

import (
	"crypto/sha256"
	"embed"
	"fmt"
	"strings"

	"zhuque/crashinject/result"
	"zhuque/internal/reference"
	"zhuque/scenarios/region"
)

//go:embed python
var scripts embed.FS

// pythonWorkloads are programs of our own after those of the published figure, which are large
// packages in part. Each has a function work(n).
var pythonWorkloads = []struct {
	script, published string
	few, many         uint64
}{
	{"deltablue", "Deltablue", 400, 4000},
	{"genshi", "Genshi", 60, 1000},
	{"chameleon", "Chameleon", 200, 2000},
	{"fannkuch", "Fannkuch", 6, 8},
	{"go", "Go", 1, 10},
	{"django_template", "Django_template", 60, 1000},
	{"pyaes", "Crypto_pyaes", 40, 1000},
	{"float", "Float", 2000, 50_000},
}

// pythonPoints are a run of each program, and one that does all but the work, which is taken off it.
func pythonPoints(s *size) (list []Point) {
	if s.python == "" {
		return nil
	}
	for i := range pythonWorkloads {
		for _, row := range microRows {
			list = append(list, s.pythonPoint(i, row, false), s.pythonPoint(i, row, true))
		}
	}
	return list
}

func (s *size) pythonPoint(i int, row row, works bool) Point {
	w := &pythonWorkloads[i]
	n := w.few
	if s.full {
		n = w.many
	}
	text, err := scripts.ReadFile("python/" + w.script + ".py")
	if err != nil {
		panic("BUG: " + err.Error())
	}
	label := fmt.Sprintf("%s %s.py %.4x", s.python, w.script, sha256.Sum256(text))
	if works {
		text = fmt.Appendf(text, "\n\nprint(work(%d))\n", n)
		label = fmt.Sprintf("%s work(%d)", label, n)
	}
	// -I and -S: neither the user's environment nor what is installed has a say.
	return Point{Memory: row.memory, Program: region.Program{Name: s.python, Args: []string{"-I", "-S", "-c", string(text)},
		Label: label, Cores: 1, Operations: n, Whole: true}}
}

// publishedPython returns Zhuque's published time relative to native.
func publishedPython() (ratios map[string]float64, source string, err error) {
	points, err := reference.Published("6")
	if err != nil {
		return nil, "", err
	}
	times := map[string]float64{}
	for _, p := range points {
		times[p.Workload+" "+p.System], source = p.Value, p.Source
	}
	ratios = map[string]float64{}
	for _, w := range pythonWorkloads {
		is, of := times["python "+w.published+" zhuque"], times["python "+w.published+" native"]
		if is <= 0 || of <= 0 {
			return nil, "", fmt.Errorf("published figure 6 has no %s", w.published)
		}
		ratios[w.published] = is / of
	}
	return ratios, source, nil
}

func drawPython(d *drawing) error {
	if d.size.python == "" {
		d.doc.Remarks = append(d.doc.Remarks, "Python: not drawn, there is no python3 here (--python).")
		return nil
	}
	published, source, err := publishedPython()
	if err != nil {
		return err
	}
	b := result.Bars{Name: "python", Axis: "run time / native", Caption: "Python programs on an unmodified python3, run time relative to native in DRAM, start-up taken off. " +
		"Diamonds: figure 6 of the paper, whose programs these are after."}
	took := func(i int, row row) float64 {
		return d.of(d.size.pythonPoint(i, row, true)).Nanos - d.of(d.size.pythonPoint(i, row, false)).Nanos
	}
	var modelled, measured, factors []float64
	for i, w := range pythonWorkloads {
		printed := map[string]bool{}
		for _, row := range microRows {
			printed[d.of(d.size.pythonPoint(i, row, true)).Prints] = true
		}
		if len(printed) != 1 {
			return region.NewFailed("%s.py prints another thing in another memory", w.script)
		}
		want := published[w.published]
		for _, row := range microRows[1:] {
			bar := result.Bar{Group: strings.ReplaceAll(w.script, "_", " "), Series: row.label, Value: took(i, row) / took(i, native)}
			if row == zhuque {
				bar.Published = want
				modelled, measured, factors = append(modelled, bar.Value), append(measured, want), append(factors, max(bar.Value/want, want/bar.Value))
				d.doc.Predictions = append(d.doc.Predictions, result.Prediction{Name: w.script + ".py: Zhuque's time relative to native", Modelled: bar.Value, Published: want, Unit: "times", Source: source})
			}
			b.Values = append(b.Values, bar)
		}
	}
	d.doc.Bars = append(d.doc.Bars, b)
	_, ours, err := means(modelled)
	if err != nil {
		return err
	}
	_, theirs, err := means(measured)
	if err != nil {
		return err
	}
	_, factor, err := means(factors)
	if err != nil {
		return err
	}
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("Python: Zhuque takes %.3f times native in the geometric mean of %d programs, %.3f as published; the geometric mean of the factors between them is %.3f. "+
		"Memory that a program has touched stays in the caches, and what an interpreter does for each step hides the rest.", ours, len(modelled), theirs, factor))
	return nil
}
