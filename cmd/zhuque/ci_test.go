package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A campaign that finds a violation says so in every form, whose fingerprint is the same the
// next time; one that passes is green in all of them.
func TestCampaignForCI(t *testing.T) {
	dir := t.TempDir()
	fingerprint := ""
	for _, seed := range []string{"1", "2"} {
		zhuque(t, dir, "", "campaign", "--mutant", "x87-not-saved", "--seed", seed,
			"--junit", "j.xml", "--sarif", "s.json", "--markdown", "m.md").want(t, 10)
	}
	read := func(name string) string {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	// A mutant that is caught is no failure: CI that runs the mutants wants them caught.
	if text := read("j.xml"); strings.Contains(text, "<failure") {
		t.Errorf("the caught mutant is a failure:\n%s", text)
	}
	for _, seed := range []string{"1", "2"} {
		zhuque(t, dir, "", "campaign", "--strategy", "random", "--points", "5", "--seed", seed, "--domain",
			"adr", "--junit", "j.xml", "--sarif", "s.json", "--markdown", "m.md", "--", "guest:list").want(t, 11)
		var log struct {
			Runs []struct {
				Results []struct {
					RuleID              string
					PartialFingerprints map[string]string
				}
			}
		}
		if err := json.Unmarshal([]byte(read("s.json")), &log); err != nil ||
			len(log.Runs[0].Results) != 1 || log.Runs[0].Results[0].RuleID != "detected" {
			t.Fatalf("%v: %s", err, read("s.json"))
		}
		if now := log.Runs[0].Results[0].PartialFingerprints["zhuqueFailure/v1"]; fingerprint != "" && now != fingerprint ||
			now == "" {
			t.Errorf("fingerprint %s, with another seed %s", fingerprint, now)
		} else {
			fingerprint = now
		}
		if text := read("j.xml"); xml.Unmarshal([]byte(text), new(any)) == nil &&
			!strings.Contains(text, `type="detected"`) || !strings.Contains(text, "zhuque replay") {
			t.Errorf("JUnit:\n%s", text)
		}
		if !strings.Contains(read("m.md"), "| detected |") {
			t.Errorf("Markdown:\n%s", read("m.md"))
		}
	}
	zhuque(t, dir, "", "campaign", "--junit", "none/j.xml", "--", "guest:hello").want(t, 2, "--junit")
}

// A budget ends a campaign that would take hours, and the verdict is that of what was
// judged; one that is over before the first point was judged is no pass.
func TestBudget(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "", "campaign", "--budget", "5s", "--out", "o",
		"--", "guest:counter").want(t, 0, "the budget is used up after")
	if !strings.Contains(r.stdout, "pass") {
		t.Errorf("%q", r.stdout)
	}
	zhuque(t, dir, "", "campaign", "--budget", "1ns", "--", "guest:sha").want(t, 14, "before the first point")
	zhuque(t, dir, "", "campaign", "--budget", "-1s", "--", "guest:sha").want(t, 2, "--budget")
	zhuque(t, dir, "", "campaign", "--budget", "soon", "--", "guest:sha").want(t, 2, "budget")
}
