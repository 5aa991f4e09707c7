package report

import (
	"bytes"
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/crashinject/result"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// golden compares got with testdata/name, or replaces it under -rewrite.
func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *rewrite {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(want, got) {
		t.Errorf("%s differs; if that is meant, run with -rewrite (-want +got):\n%s",
			path, cmp.Diff(string(want), string(got)))
	}
}

func filesIn(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = b
	}
	return files
}

func TestTextTables(t *testing.T) {
	var plain, coloured bytes.Buffer
	if err := Text(&plain, smallDocument(), false); err != nil {
		t.Fatal(err)
	}
	if err := Text(&coloured, smallDocument(), true); err != nil {
		t.Fatal(err)
	}
	golden(t, "sample.txt", plain.Bytes())
	if bytes.Contains(plain.Bytes(), []byte("\x1b")) {
		t.Error("escape codes without colour")
	}
	if !bytes.Contains(coloured.Bytes(), []byte("\x1b[1;31m")) {
		t.Error("violations are not coloured")
	}
	if stripped := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAll(coloured.Bytes(),
		nil); !bytes.Equal(stripped, plain.Bytes()) {
		t.Error("colour moves the columns")
	}
	lines := strings.Split(strings.TrimSpace(plain.String()), "\n")
	if last := lines[len(lines)-1]; last != smallDocument().Campaigns[1].Replay {
		t.Errorf("the last line is %q, expected the real runtime's replay command", last)
	}
}

func TestFilesAreGoldenAndTheSameEveryTime(t *testing.T) {
	a, b := filepath.Join(t.TempDir(), "new", "folder"), t.TempDir()
	for _, dir := range []string{a, b} {
		if err := WriteAll(dir, smallDocument()); err != nil {
			t.Fatal(err)
		}
	}
	first, second := filesIn(t, a), filesIn(t, b)
	if len(first) != len(second) {
		t.Fatalf("%d files, then %d", len(first), len(second))
	}
	for name, text := range first {
		if !bytes.Equal(text, second[name]) {
			t.Errorf("%s differs between two runs", name)
		}
		switch filepath.Ext(name) {
		case ".csv", ".svg", ".json", ".tex", ".md":
			golden(t, filepath.Join("sample", name), text)
		case ".png":
			if !bytes.HasPrefix(text, []byte("\x89PNG")) || first[strings.TrimSuffix(name, ".png")+".csv"] == nil {
				t.Errorf("%s is no PNG or has no CSV", name)
			}
		case ".pdf": // as wide as a column of 3.33 inches, or both with what is between them
			wide := strings.HasSuffix(name, "-wide.pdf")
			box := map[bool]string{false: "/MediaBox [0 0 239.76 ", true: "/MediaBox [0 0 504.00 "}[wide]
			if !bytes.HasPrefix(text, []byte("%PDF")) || !bytes.Contains(text, []byte(box)) || !bytes.Contains(text, []byte("/CreationDate (D:1970")) {
				t.Errorf("%s is no PDF with %s, made at no time", name, box)
			}
		}
	}
	if entries, err := os.ReadDir(filepath.Join("testdata", "sample")); err != nil {
		t.Error(err)
	} else {
		for _, e := range entries {
			if first[e.Name()] == nil {
				t.Errorf("golden file %s is not written any more", e.Name())
			}
		}
	}
	doc, err := result.Load(filepath.Join(a, "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	again := t.TempDir()
	if err := WriteAll(again, doc); err != nil {
		t.Fatal(err)
	}
	for name, text := range filesIn(t, again) {
		if !bytes.Equal(text, first[name]) {
			t.Errorf("%s differs when made from results.json", name)
		}
	}
}

// TestHTMLIsOneOfflineFile parses the page as XML, which it is written to be,
// and looks for anything that could leave it.
func TestHTMLIsOneOfflineFile(t *testing.T) {
	doc := smallDocument()
	hostile := `<script src="http://example.com/x.js"></script> & "quoted"`
	doc.Campaigns[1].Name = hostile
	doc.Campaigns[1].Seal()
	var b bytes.Buffer
	if err := HTML(&b, doc); err != nil {
		t.Fatal(err)
	}
	dec := xml.NewDecoder(bytes.NewReader(b.Bytes()))
	dec.Entity = xml.HTMLEntity
	var text strings.Builder
	figures, sections := 0, map[string]bool{}
	inHeading := false
	for {
		token, err := dec.Token()
		if err == io.EOF {
			break
		}
		if err != nil {
			line, column := dec.InputPos()
			t.Fatalf("line %d, column %d: %v", line, column, err)
		}
		switch e := token.(type) {
		case xml.StartElement:
			checkOffline(t, e)
			inHeading = e.Name.Local == "h2"
			if e.Name.Local == "figure" {
				figures++
			}
		case xml.EndElement:
			inHeading = false
		case xml.CharData:
			text.Write(e)
			if inHeading {
				sections[string(e)] = true
			}
		}
	}
	if figures != 12 {
		t.Errorf("%d figures, expected 12: two for each campaign, one for each overhead, the summary, bars, curves, a breakdown", figures)
	}
	for _, s := range []string{"Campaigns", "Failures", "What was run, and how to repeat it",
		"Figures", "What to think of the figures", "Beside published results", "Uncut runs", "Model parameters", "Glossary"} {
		if !sections[s] {
			t.Errorf("section %q is missing", s)
		}
	}
	seen := text.String()
	want := []string{hostile, doc.Campaigns[1].Replay, doc.Campaigns[1].Digest, doc.Commands[2],
		"sample made by the report's test", "core.store_miss_divisor", headline(&doc).text,
		doc.Remarks[0], doc.Predictions[0].Name, "1.273"}
	for _, v := range result.Verdicts() {
		want = append(want, v.Meaning())
	}
	for _, w := range want {
		if !strings.Contains(seen, w) {
			t.Errorf("the page does not say %q", w)
		}
	}
	if i := strings.Index(seen, "url("); i >= 0 || strings.Contains(seen, "@import") {
		t.Error("the style sheet loads something")
	}
}

func checkOffline(t *testing.T, e xml.StartElement) {
	t.Helper()
	switch e.Name.Local {
	case "script", "link", "iframe", "img", "image", "object", "use", "a":
		t.Errorf("<%s> is in the page", e.Name.Local)
	}
	for _, a := range e.Attr {
		namespace := a.Name.Local == "xmlns" || a.Name.Space == "xmlns"
		switch {
		case namespace:
		case a.Name.Local == "src" || a.Name.Local == "href" || strings.Contains(a.Value, "url("):
			t.Errorf("<%s %s=%q> refers to something outside", e.Name.Local, a.Name.Local, a.Value)
		case strings.Contains(a.Value, "://") && a.Name.Local != "aria-label":
			t.Errorf("<%s %s=%q> holds an address", e.Name.Local, a.Name.Local, a.Value)
		}
	}
}

// TestAFullDiskAtAnyFile lets the disk fill up at each file in turn.
func TestAFullDiskAtAnyFile(t *testing.T) {
	doc := smallDocument()
	doc.Campaigns, doc.Overheads = doc.Campaigns[:1], doc.Overheads[:1] // fewer pictures to draw again and again
	total := 0
	if err := writeAll(t.TempDir(), doc, func(path string, write func(io.Writer) error) error { total++; return write(io.Discard) }); err != nil {
		t.Fatal(err)
	}
	for fail := 0; fail < total; fail++ {
		dir := t.TempDir()
		n := 0
		var failed string
		err := writeAll(dir, doc, func(path string, write func(io.Writer) error) error {
			n++
			if n <= fail {
				return result.WriteFile(path, write)
			}
			failed = path
			return result.WriteFile(path, func(w io.Writer) error {
				if err := write(w); err != nil {
					return err
				}
				return syscall.ENOSPC
			})
		})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatalf("file %d: error is %v", fail, err)
		}
		for _, want := range []string{failed, fmt.Sprintf("%d files were written", fail), "incomplete"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not say %q: %v", want, err)
			}
		}
		files := filesIn(t, dir)
		if len(files) != fail {
			t.Errorf("%d files are there, expected the %d written before the disk was full", len(files), fail)
		}
		if fail > 0 && !bytes.Contains(files["results.json"], []byte(result.Schema)) {
			t.Error("results.json was not written first")
		}
	}
}

func TestWriteAllIntoSomethingElse(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("mine"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteAll(file, smallDocument()); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("a file in place of the folder: %v", err)
	}
	if b, _ := os.ReadFile(file); string(b) != "mine" {
		t.Error("the file was replaced")
	}
	bad := smallDocument()
	bad.Campaigns[0].Counts.Pass--
	dir := t.TempDir()
	if err := WriteAll(dir, bad); err == nil || !strings.Contains(err.Error(), "add up") {
		t.Errorf("a document that contradicts itself: %v", err)
	}
	if files := filesIn(t, dir); len(files) != 0 {
		t.Errorf("%d files were written from it", len(files))
	}
}

func TestHeadline(t *testing.T) {
	campaign := func(mutant string, c result.Counts) result.Campaign {
		return result.Campaign{Name: "x", Mutant: mutant, Counts: c, Points: c.Total()}
	}
	refusing := func(c result.Counts) result.Campaign {
		return result.Campaign{Name: "x", Expect: result.Detected, Counts: c, Points: c.Total()}
	}
	for _, tc := range []struct {
		campaigns []result.Campaign
		class     string
		text      string
	}{
		{nil, "none", "This document holds no campaign."},
		{[]result.Campaign{campaign("", result.Counts{})}, "bad", "No power cut was judged."},
		{[]result.Campaign{campaign("", result.Counts{Pass: 1})}, "good", "1 power cut, all recovered identically."},
		{[]result.Campaign{campaign("", result.Counts{Pass: 1500}), campaign("", result.Counts{})}, "bad", "1,500 power cuts, all recovered identically. 1 of 2 campaigns judged nothing."},
		{[]result.Campaign{campaign("", result.Counts{Pass: 5, Unsupported: 1})}, "bad", "6 power cuts: 5 recovered identically, 1 unsupported."},
		{[]result.Campaign{campaign("", result.Counts{Pass: 5, Violation: 2, SimBug: 2, Timeout: 1})}, "bad", "10 power cuts: 5 recovered identically, 2 violations, 2 simulator bugs, 1 timeout."},
		{[]result.Campaign{campaign("", result.Counts{Pass: 5}), campaign("m", result.Counts{Violation: 9})}, "good", "5 power cuts, all recovered identically. 1 of 1 campaigns broken on purpose were caught."},
		{[]result.Campaign{refusing(result.Counts{Detected: 7})}, "good", "1 of 1 campaigns broken on purpose were caught."},
		{[]result.Campaign{refusing(result.Counts{Detected: 7, Pass: 1}), refusing(result.Counts{})}, "bad", "0 of 2 campaigns broken on purpose were caught."},
		{[]result.Campaign{campaign("m", result.Counts{Pass: 9}), campaign("n", result.Counts{Timeout: 9})}, "bad", "0 of 2 campaigns broken on purpose were caught."},
	} {
		if got := headline(&result.Document{Campaigns: tc.campaigns}); got != (outcome{tc.text, tc.class}) {
			t.Errorf("headline is %q (%s), expected %q (%s)", got.text, got.class, tc.text, tc.class)
		}
	}
}

// A page of figures alone says how near they are to what was published.
func TestHeadlineOfFigures(t *testing.T) {
	doc := result.Document{Bars: []result.Bars{{Name: "b", Axis: "x", Values: []result.Bar{{Group: "g", Series: "s", Value: 1}}}},
		Predictions: []result.Prediction{{Modelled: 2, Published: 1}, {Modelled: 1, Published: 2}}}
	want := "1 figure. Of 2 modelled values beside published ones the geometric mean of the factors between them is 2.00; nothing was fitted to them."
	if got := headline(&doc).text; got != want {
		t.Errorf("%q, expected %q", got, want)
	}
}

// The exact interval has its known values, whichever sum is the shorter one, and for large numbers.
func TestExactInterval(t *testing.T) {
	for _, tc := range []struct {
		k, n      uint64
		low, high float64
	}{{0, 10, 0, 0.25887}, {5, 10, 0.18709, 0.81291}, {10, 10, 0.74113, 1}, {1, 100, 0.00025, 0.05446}, {99, 100, 0.94554, 0.99975},
		{0, 2000, 0, 0.00150}, {0, 10_000_000, 0, 0}, {500_000, 1_000_000, 0.49902, 0.50098}, {0, 1, 0, 0.95}, {1, 1, 0.05, 1}} {
		low, high := exact(tc.k, tc.n)
		if math.Abs(low-tc.low) > 1e-4 || math.Abs(high-tc.high) > 1e-4 {
			t.Errorf("%d of %d: %.5f to %.5f, expected %.5f to %.5f", tc.k, tc.n, low, high, tc.low, tc.high)
		}
	}
}

func TestFileNamesAreSafeAndDistinct(t *testing.T) {
	names := fileNames{}
	for _, tc := range []struct{ name, want string }{
		{"../../etc/passwd", "etc-passwd"}, {"A  b", "a-b"}, {"a/b", "a-b-2"}, {"", "unnamed"}, {"漢字", "unnamed-2"},
		{strings.Repeat("long ", 60), strings.TrimSuffix(strings.Repeat("long-", 16), "-")},
	} {
		if got := names.of(slug(tc.name)); got != tc.want {
			t.Errorf("%q becomes %q, expected %q", tc.name, got, tc.want)
		}
	}
}

func TestScaled(t *testing.T) {
	for _, tc := range []struct {
		v    float64
		want string
	}{{0, "0 ns"}, {999, "999 ns"}, {1000, "1 µs"}, {26_140, "26.14 µs"}, {8e12, "8000 s"}} {
		if got := scaled(tc.v, "ns", "µs", "ms", "s"); got != tc.want {
			t.Errorf("%v is %q, expected %q", tc.v, got, tc.want)
		}
	}
}

// TestAnEmptyDocument would catch a page or table that needs what may be absent.
func TestAnEmptyDocument(t *testing.T) {
	var page, text bytes.Buffer
	if err := HTML(&page, result.Document{}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(page.String(), "This document holds no campaign.") || strings.Contains(page.String(), "<figure") {
		t.Error("the page of an empty document claims something")
	}
	if err := Text(&text, result.Document{}, false); err != nil || text.Len() != 0 {
		t.Errorf("the text of an empty document is %q (%v)", text.String(), err)
	}
	dir := t.TempDir()
	if err := WriteAll(dir, result.Document{}); err != nil {
		t.Fatal(err)
	}
	if files := filesIn(t, dir); len(files) != 2 {
		t.Errorf("%d files, expected results.json and report.html", len(files))
	}
}
