package report

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"zhuque/crashinject/result"
)

// WriteAll writes doc and everything drawn from it into dir, which it creates
// when it is missing. Each file appears whole or not at all. On an error the
// files written so far stay; the error says which file failed, why, and how many
// are there. results.json is written first, report.html last.
func WriteAll(dir string, doc result.Document) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return fmt.Errorf("report folder %s: %w", dir, err)
	}
	return writeAll(dir, doc, result.WriteFile)
}

type writeFile func(path string, write func(io.Writer) error) error

func writeAll(dir string, doc result.Document, file writeFile) error {
	written := 0
	put := func(name string, write func(io.Writer) error) error {
		if err := file(filepath.Join(dir, name), write); err != nil {
			return fmt.Errorf("the report in %s is incomplete, %d files were written: %w", dir, written, err)
		}
		written++
		return nil
	}
	bytes := func(name string, text []byte) error {
		return put(name, func(w io.Writer) error { _, err := w.Write(text); return err })
	}
	doc.Contents = contents(&doc)
	if err := put("results.json", func(w io.Writer) error { return result.Write(w, doc) }); err != nil {
		return err
	}
	for _, t := range tables(&doc) {
		if err := bytes(t.name, t.text); err != nil {
			return err
		}
	}
	page := newPage(&doc)
	drawings := figures(&doc)
	for _, d := range drawings {
		if err := bytes(d.name+".csv", d.csv); err != nil {
			return err
		}
		spec, err := d.vega()
		if err != nil {
			return fmt.Errorf("the report in %s is incomplete, %d files were written: %w", dir, written, err)
		}
		if err := bytes(d.name+".vl.json", spec); err != nil {
			return err
		}
		for i, as := range forms {
			text, err := d.render(as)
			if err != nil {
				return fmt.Errorf("the report in %s is incomplete, %d files were written: %w", dir, written, err)
			}
			if err := bytes(d.name+as.ending, text); err != nil {
				return err
			}
			if i == 0 {
				page.addFigure(&d, text)
			}
		}
	}
	if len(drawings) > 0 {
		latex, markdown := snippets(drawings)
		if err := bytes("figures.tex", latex); err != nil {
			return err
		}
		if err := bytes("figures.md", markdown); err != nil {
			return err
		}
	}
	return put("report.html", page.write)
}

type tableFile struct {
	name string
	text []byte
}

func tables(doc *result.Document) []tableFile {
	var list []tableFile
	if len(doc.Campaigns) > 0 {
		list = append(list, tableFile{"campaigns.csv", campaignsCSV(doc)})
	}
	if len(doc.Runs) > 0 {
		list = append(list, tableFile{"runs.csv", runsCSV(doc)})
	}
	if len(doc.Predictions) > 0 {
		list = append(list, tableFile{"predictions.csv", predictionsCSV(doc)})
	}
	if len(doc.Params) > 0 {
		list = append(list, tableFile{"params.csv", paramsCSV(doc)})
	}
	return list
}

// HTML writes the offline report alone.
func HTML(w io.Writer, doc result.Document) error {
	page := newPage(&doc)
	for _, d := range figures(&doc) {
		svg, err := d.render(forms[0])
		if err != nil {
			return err
		}
		page.addFigure(&d, svg)
	}
	return page.write(w)
}
