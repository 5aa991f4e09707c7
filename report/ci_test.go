package report

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// The three forms agree with each other and with the campaigns: a clean one has no failure,
// one that was broken on purpose and caught has none either.
func TestCIForms(t *testing.T) {
	doc := smallDocument()
	var x, s, m, a bytes.Buffer
	for _, err := range []error{JUnit(&x, doc), SARIF(&s, doc), Markdown(&m, doc), Annotations(&a, doc)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	var suites junitSuites
	if err := xml.Unmarshal(x.Bytes(), &suites); err != nil {
		t.Fatal(err)
	}
	found := 0
	for i, suite := range suites.Suites {
		c := &doc.Campaigns[i]
		list := failures(c)
		bad := suite.Failures + suite.Errors + suite.Skipped
		if want := len(list); Good(c) && bad != 0 || !Good(c) && (bad != want+1 || want == 0) ||
			suite.Tests != len(suite.Cases) || suite.Tests != want+1 {
			t.Errorf("%s: %d tests, %d not passed, %d failures are recorded, good %v", c.Name, suite.Tests, bad, want, Good(c))
		}
		found += len(list)
	}
	var log struct {
		Version string
		Runs    []struct {
			Results []struct {
				RuleID              string
				PartialFingerprints map[string]string
			}
		}
	}
	if err := json.Unmarshal(s.Bytes(), &log); err != nil || log.Version != "2.1.0" ||
		len(log.Runs) != 1 || len(log.Runs[0].Results) != found || found == 0 {
		t.Fatalf("SARIF %s with %d results, %v: expected %d", log.Version, len(log.Runs[0].Results), err, found)
	}
	if rows := strings.Count(m.String(), "\n| "); rows != len(doc.Campaigns)+1 ||
		strings.Count(m.String(), "\n- ") != found {
		t.Errorf("Markdown has %d rows of a table for %d campaigns and another number of failures than %d:\n%s",
			rows, len(doc.Campaigns), found, m.String())
	}
}

// A failure is known again when numbers in its words differ, and another verdict, program or
// reason is another failure.
func TestFingerprints(t *testing.T) {
	print := func(program string, v result.Verdict, reason string) string {
		c := result.Campaign{Program: program, Points: 1, Samples: []result.Point{{Verdict: v, Reason: reason, At: 7}}}
		c.Counts.Add(v, 1)
		return failures(&c)[0].print
	}
	first := print("a", result.Violation, "page 0x7f00 differs at byte 1,234")
	if again := print("a", result.Violation, "page 0x7e10 differs at byte 9"); again != first {
		t.Errorf("the same failure at another address: %s and %s", first, again)
	}
	for _, other := range []string{print("b", result.Violation, "page 0x7f00 differs at byte 1,234"),
		print("a", result.Detected, "page 0x7f00 differs at byte 1,234"),
		print("a", result.Violation, "register 0x7f00 differs at byte 1,234")} {
		if other == first {
			t.Errorf("another failure has the fingerprint %s too", other)
		}
	}
}

// Names and reasons may hold anything.
func TestCIFormsOfOddText(t *testing.T) {
	odd := "a|b<c>&\"\x00\x1b[31m\xff\n]]>￾"
	doc := result.Document{Title: odd, Campaigns: []result.Campaign{{Name: odd, Program: odd, Points: 1, Counts: result.Counts{Violation: 1},
		Samples: []result.Point{{Verdict: result.Violation, Reason: odd}}, Replay: odd}}}
	var x, s, m, a bytes.Buffer
	for _, err := range []error{JUnit(&x, doc), SARIF(&s, doc), Markdown(&m, doc), Annotations(&a, doc)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := xml.Unmarshal(x.Bytes(), new(junitSuites)); err != nil {
		t.Errorf("JUnit: %v", err)
	}
	if line := a.String(); !strings.HasPrefix(line, "::error title=") || strings.Count(line, "\n") != 1 || strings.Count(line, "::") != 2 {
		t.Errorf("annotations: %q", line)
	}
	if !json.Valid(s.Bytes()) || strings.ContainsAny(s.String()+m.String()+x.String()+a.String(), "\x00\x1b") {
		t.Error("control characters are passed on")
	}
}
