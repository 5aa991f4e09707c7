package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"testing"

	"zhuque/crashinject/result"
)

var (
	statusRow     = regexp.MustCompile(`(?m)^\| (\d+) \| ([a-z]*) ?\|`)
	statusLiteral = regexp.MustCompile(`\bexit\(\d|exitError\{(status: )?\d`)
)

// The README's table has the rows of the one in the code.
func TestStatusesOfTheReadme(t *testing.T) {
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	written := map[int]string{}
	for _, m := range statusRow.FindAllStringSubmatch(string(text), -1) {
		code, _ := strconv.Atoi(m[1])
		written[code] = m[2]
	}
	for _, s := range result.Statuses() {
		if verdict, ok := written[s.Code]; s.Code < result.StatusSimulator && (!ok || verdict != s.Verdict) {
			t.Errorf("status %d: the README has %q (in its table: %v), expected %q", s.Code, verdict, ok, s.Verdict)
		}
		delete(written, s.Code)
	}
	if len(written) > 0 {
		t.Errorf("the README has statuses that the program does not know: %v", written)
	}
}

// No verb has an exit status of its own.
func TestStatusesHaveNames(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil || !slices.Contains(files, "main.go") {
		t.Fatalf("sources not found: %v", err)
	}
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if m := statusLiteral.FindString(string(text)); m != "" && name != "statuses_test.go" {
			t.Errorf("%s: %q: expected a name of result.Statuses", name, m)
		}
	}
}
