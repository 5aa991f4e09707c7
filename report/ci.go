package report

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strings"

	"zhuque/crashinject/result"
)

// failure is what all recorded points of a campaign have in common that have one verdict and
// one reason, numbers aside.
type failure struct {
	verdict result.Verdict
	first   result.Point
	points  uint64 // recorded ones
	print   string // identifies the failure from run to run: program, verdict, reason without numbers
}

var someNumber = regexp.MustCompile(`0x[0-9a-fA-F]+|\b[0-9a-f]{8,}\b|[0-9][0-9,]*`)

// failures lists what went wrong in a campaign, in the order of first points. A campaign on
// something broken on purpose has none as long as that was caught.
func failures(c *result.Campaign) []failure {
	if Good(c) {
		return nil
	}
	var list []failure
	at := map[string]int{}
	for _, p := range c.Samples {
		if !p.Verdict.Failed() && p.Verdict != result.Unreached {
			continue
		}
		sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%q\n%v\n%s", c.Program,
			c.Args, p.Verdict, someNumber.ReplaceAllString(p.Reason, "N")))
		print := hex.EncodeToString(sum[:16])
		i, known := at[print]
		if !known {
			i = len(list)
			at[print] = i
			list = append(list, failure{verdict: p.Verdict, first: p, print: print})
		}
		list[i].points++
	}
	return list
}

// found words a failure: where, why, how often among the recorded points, how to repeat it.
func (f *failure) found(c *result.Campaign) string {
	text := fmt.Sprintf("%s at instruction %s: %s", f.verdict, place(&f.first), f.first.Reason)
	if f.points > 1 {
		text += fmt.Sprintf(" (and %s more recorded points)", group(f.points-1))
	}
	if c.Replay != "" && f.verdict.Failed() {
		text += "\nreplay the campaign's first failure: " + c.Replay
	}
	return text
}

type (
	junitSuites struct {
		XMLName xml.Name     `xml:"testsuites"`
		Name    string       `xml:"name,attr"`
		Suites  []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Time     string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		Failure *junitWords `xml:"failure,omitempty"`
		Error   *junitWords `xml:"error,omitempty"`
		Skipped *junitWords `xml:"skipped,omitempty"`
	}
	junitWords struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes doc's campaigns as JUnit XML, a test suite each: one test for the campaign as
// a whole, and one for each failure that was recorded. What the program did wrong is a
// failure, what the simulator could not judge an error, what was not reached skipped.
func JUnit(w io.Writer, doc result.Document) error {
	out := junitSuites{Name: doc.Title}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		s := junitSuite{Name: printable(c.Name), Time: fmt.Sprintf("%.3f", c.WallSeconds)}
		whole := junitCase{Class: s.Name, Name: fmt.Sprintf("%s points, %s", group(c.Points), c.Strategy)}
		if o := outcomeOf(c); o.class != "good" {
			whole.Failure = &junitWords{Message: printable(o.text), Type: "campaign", Text: printable(realSentence(c.Counts))}
		}
		s.Cases = append(s.Cases, whole)
		for _, f := range failures(c) {
			words := &junitWords{Message: printable(f.first.Reason), Type: f.verdict.String(), Text: printable(f.found(c))}
			t := junitCase{Class: s.Name, Name: f.verdict.String() + " " + f.print}
			switch f.verdict {
			case result.Unreached:
				t.Skipped = words
			case result.SimBug, result.Unsupported:
				t.Error = words
			default:
				t.Failure = words
			}
			s.Cases = append(s.Cases, t)
		}
		for _, t := range s.Cases {
			s.Tests++
			switch {
			case t.Failure != nil:
				s.Failures++
			case t.Error != nil:
				s.Errors++
			case t.Skipped != nil:
				s.Skipped++
			}
		}
		out.Suites = append(out.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(out); err != nil {
		return err
	}
	_, err := io.WriteString(w, "\n")
	return err
}

// printable is text without what XML 1.0 cannot hold.
func printable(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\t' || r == '\n' || r >= ' ' && r != 0xFFFE && r != 0xFFFF {
			return r
		}
		return '\uFFFD'
	}, strings.ToValidUTF8(text, "\uFFFD"))
}

// SARIF writes doc's failures in the Static Analysis Results Interchange Format 2.1.0
// (OASIS): a result for each failure that was recorded, with a fingerprint that is the same
// from run to run. Verdicts are the rules.
func SARIF(w io.Writer, doc result.Document) error {
	type message struct {
		Text string `json:"text"`
	}
	type object = map[string]any
	var rules, results []object
	for _, v := range result.Verdicts() {
		if v != result.Pass {
			rules = append(rules, object{"id": v.String(), "shortDescription": message{v.Meaning()}})
		}
	}
	results = []object{}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		for _, f := range failures(c) {
			level := "error"
			if f.verdict == result.Unreached {
				level = "note"
			}
			results = append(results, object{
				"ruleId": f.verdict.String(), "level": level, "message": message{printable(c.Name + ": " + f.found(c))},
				"locations": []object{{
					"physicalLocation": object{"artifactLocation": object{"uri": artifact(c.Program)}},
					"logicalLocations": []object{{"name": printable(c.Name), "fullyQualifiedName": fmt.Sprintf("%s at instruction %d", printable(c.Name), f.first.At)}},
				}},
				"partialFingerprints": object{"zhuqueFailure/v1": f.print},
				"properties":          object{"points": f.points, "plan": f.first.Plan},
			})
		}
	}
	text, err := json.MarshalIndent(object{
		"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
		"runs": []object{{
			"tool":    object{"driver": object{"name": "Zhuque Sim", "rules": rules}},
			"results": results,
		}},
	}, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(text, '\n'))
	return err
}

// artifact is a program's name as a relative or absolute URI reference.
func artifact(program string) string {
	var b strings.Builder
	for i := range len(program) {
		switch c := program[i]; {
		case c == '/' || c == '.' || c == '-' || c == '_' || c == '~' ||
			c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// Markdown writes a summary of doc's campaigns for a page such as that of a CI job: a table,
// and the failures that were recorded.
func Markdown(w io.Writer, doc result.Document) error {
	var b bytes.Buffer
	cell := func(text string) string {
		return strings.NewReplacer("|", "\\|", "\n", " ", "<", "&lt;").Replace(printable(text))
	}
	fmt.Fprintf(&b, "### %s\n\n%s\n\n| campaign | points |", cell(doc.Title), cell(headline(&doc).text))
	for _, v := range result.Verdicts() {
		fmt.Fprintf(&b, " %s |", v)
	}
	b.WriteString(" outcome |\n|---|--:|" + strings.Repeat("--:|", len(result.Verdicts())) + "---|\n")
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		fmt.Fprintf(&b, "| %s | %s |", cell(c.Name), group(c.Points))
		for _, v := range result.Verdicts() {
			fmt.Fprintf(&b, " %s |", group(c.Counts.Of(v)))
		}
		fmt.Fprintf(&b, " %s |\n", cell(outcomeOf(c).text))
	}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		for j, f := range failures(c) {
			if j == 0 {
				fmt.Fprintf(&b, "\n#### %s\n\n", cell(c.Name))
			}
			fmt.Fprintf(&b, "- %s\n", cell(f.found(c)))
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// Annotations writes doc's failures as workflow commands of GitHub, which shows them beside the run.
func Annotations(w io.Writer, doc result.Document) error {
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		for _, f := range failures(c) {
			title := commandProperty.Replace(printable(fmt.Sprintf("%s: %v", c.Name, f.verdict)))
			if _, err := fmt.Fprintf(w, "::error title=%s::%s\n", title, commandData.Replace(printable(f.found(c)))); err != nil {
				return err
			}
		}
	}
	return nil
}

// What has a meaning in a workflow command, in its message and in its properties.
var (
	commandData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	commandProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
