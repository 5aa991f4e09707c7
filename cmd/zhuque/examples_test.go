package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var exampleStatus = regexp.MustCompile(`^(.*?)\s+# exit status (\d+)$`)

// words splits a command line with double quotes.
var shellWords = regexp.MustCompile(`"([^"]*)"|(\S+)`)

// Every example of every verb works as it stands, in the order of the text.
func TestExamples(t *testing.T) {
	for _, c := range root().Commands() {
		if c.Name() == "completion" || c.Name() == "help" {
			continue // they come with the library
		}
		t.Run(c.Name(), func(t *testing.T) {
			if c.Example == "" || c.Long == "" {
				t.Fatal("no example or no description")
			}
			if c.Name() == "demo" && testing.Short() {
				t.Skip("takes long")
			}
			t.Parallel()
			dir := t.TempDir()
			giveLitmus(t, dir)
			for _, line := range strings.Split(c.Example, "\n") {
				runExample(t, c, dir, strings.TrimSpace(line))
			}
		})
	}
}

// giveLitmus puts the test that the examples call my.litmus into a directory.
func giveLitmus(t *testing.T, dir string) {
	t.Helper()
	tests, err := filepath.Glob("../../cachemodel/testdata/*.litmus")
	if err != nil || len(tests) == 0 {
		t.Fatalf("no litmus tests: %v", err)
	}
	text, err := os.ReadFile(tests[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "my.litmus"), text, 0o600); err != nil {
		t.Fatal(err)
	}
}

func runExample(t *testing.T, c *cobra.Command, dir, line string) {
	t.Helper()
	status := 0
	if m := exampleStatus.FindStringSubmatch(line); m != nil {
		line = m[1]
		status, _ = strconv.Atoi(m[2])
	}
	var args []string
	for _, w := range shellWords.FindAllStringSubmatch(line, -1) {
		args = append(args, w[1]+w[2])
	}
	if len(args) < 2 || args[0] != "zhuque" {
		t.Fatalf("example %q: expected zhuque VERB …", line)
	}
	r := zhuque(t, dir, "", args[1:]...)
	if r.status != status {
		t.Errorf("%s\nexit status %d, the text says %d\nstandard error: %.2000s", line, r.status, status, r.stderr)
	}
	if r.stdout == "" && status == 0 && c.Name() != "resume" && !strings.Contains(line, "--save") {
		t.Errorf("%s\nnothing on standard output", line)
	}
}

// Every verb says how it is used, on standard output and with status 0.
func TestHelp(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "").want(t, 0)
	for _, c := range root().Commands() {
		if !strings.Contains(r.stdout, c.Name()) {
			t.Errorf("zhuque without arguments does not name %s", c.Name())
		}
		h := zhuque(t, dir, "", c.Name(), "--help").want(t, 0)
		for _, s := range []string{"Usage:", "Examples:"} {
			if !strings.Contains(h.stdout, s) || h.stderr != "" {
				t.Errorf("zhuque %s --help: no %q on standard output, or something on standard error %q", c.Name(), s, h.stderr)
			}
		}
	}
}

// What a shell asks for is completed from the tables.
func TestCompletion(t *testing.T) {
	dir := t.TempDir()
	for _, tc := range []struct {
		args []string
		want string
	}{
		{[]string{"run", "--domain", ""}, "adr\n"},
		{[]string{"run", "--mutant", "x"}, "x87-not-saved\n"},
		{[]string{"run", "gue"}, "guest:counter\n"},
		{[]string{"campaign", "list"}, "list-calls\n"},
		{[]string{"campaign", "--strategy", ""}, "fuzz\n"},
		{[]string{"scenarios", "--format", ""}, "json\n"},
	} {
		if r := zhuque(t, dir, "", append([]string{"__complete"}, tc.args...)...).want(t,
			0); !strings.Contains(r.stdout, tc.want) {
			t.Errorf("%q completes to %q, expected %q in it", tc.args, r.stdout, tc.want)
		}
	}
	for _, shell := range []string{"bash", "zsh", "fish", "powershell"} {
		if r := zhuque(t, dir, "", "completion", shell).want(t, 0); !strings.Contains(r.stdout, "zhuque") {
			t.Errorf("no completion script for %s", shell)
		}
	}
}
