package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/sim/hostdir"
)

// Runs are kept: the second time none is made, one that a kill has cut short is made again, and what
// is drawn is the same.
func TestFiguresGoOn(t *testing.T) {
	dir := t.TempDir()
	args := strings.Fields("figures --out f breakdown")
	first := zhuque(t, dir, "", args...).want(t, 0)
	if !strings.Contains(first.stderr, "14 of 14: ") {
		t.Errorf("said\n%s", first.stderr)
	}
	file := filepath.Join(dir, "f", runsFile)
	runs, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	drawn, err := os.ReadFile(filepath.Join(dir, "f", "breakdown-hashmap-load.svg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, runs[:len(runs)-40], 0o644); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{1, 0} {
		if out := zhuque(t, dir, "", args...).want(t, 0); strings.Count(out.stderr, " of 14: ") != want {
			t.Errorf("%d runs were to be made; said\n%s", want, out.stderr)
		}
		again, err := os.ReadFile(filepath.Join(dir, "f", "breakdown-hashmap-load.svg"))
		if err != nil || string(again) != string(drawn) {
			t.Errorf("another figure: %v", err)
		}
	}
}

func TestFiguresRefuses(t *testing.T) {
	dir := t.TempDir()
	// A program that does not come to its end is what cannot be judged, and nothing is drawn.
	zhuque(t, dir, "", strings.Fields("figures --out short --set max-instructions=10 breakdown")...).want(t, 16)
	if _, err := os.Stat(filepath.Join(dir, "short", "report.html")); err == nil {
		t.Error("a report of a run that failed")
	}
	for name, text := range map[string]string{"noise": "noise\n", "other": "{\"made\":\"0\"}\n", "empty": "{}\n{}\n", "notes": "notes without an end"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, runsFile), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for args, says := range map[string]string{
		"circles":                      `figure "circles": expected one of micro`,
		"--quick --full breakdown":     "expected one of them",
		"--workers 0 breakdown":        "--workers 0",
		"--set cache.nope=1 breakdown": "cache.nope",
		"--preset none breakdown":      "none",
		"--out noise breakdown":        "noise/runs.jsonl: line 1 is no run",
		"--out other breakdown":        "other/runs.jsonl: the runs are of other programs",
		"--out notes breakdown":        "notes/runs.jsonl: line 1 is no run",
		"--out empty breakdown":        "empty/runs.jsonl",
	} {
		out := zhuque(t, dir, "", append([]string{"figures"}, strings.Fields(args)...)...).want(t, 2)
		if !strings.Contains(out.stderr, says) {
			t.Errorf("%s: said %q, expected %q", args, out.stderr, says)
		}
	}
}

// Runs of another seed or other turns are other runs.
func TestFiguresKnowsSettings(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", strings.Fields("figures --out f breakdown")...).want(t, 0)
	for _, set := range []string{"seed=2", "quantum=500", "flush=runtime"} {
		args := append(strings.Fields("figures --out f breakdown --set"), set)
		if out := zhuque(t, dir, "", args...).want(t, 2); !strings.Contains(out.stderr, "expected another --out") {
			t.Errorf("%s: said %q", set, out.stderr)
		}
	}
}

// What is there and is no file is neither read nor written.
func TestFiguresRefusesLinks(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "f"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("../elsewhere", filepath.Join(dir, "f", runsFile)); err != nil {
		t.Fatal(err)
	}
	out := zhuque(t, dir, "", strings.Fields("figures --out f breakdown")...).want(t, 2)
	if !strings.Contains(out.stderr, "expected a regular file") {
		t.Errorf("said %q", out.stderr)
	}
	if _, err := os.Lstat(filepath.Join(dir, "elsewhere")); err == nil {
		t.Error("a file was written beside the folder")
	}
}

// A line that somebody has changed, one without an end, and a folder that another one draws into
// are refused; none is changed.
func TestFiguresRefusesWhatIsNotItsOwn(t *testing.T) {
	dir := t.TempDir()
	args := strings.Fields("figures --out f breakdown")
	zhuque(t, dir, "", args...).want(t, 0)
	file := filepath.Join(dir, "f", runsFile)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for says, text := range map[string]string{
		"line 2 is no run":  strings.Replace(string(whole), `"Nanos":`, `"Nanos":1`, 1),
		"line 16 is no run": string(whole) + `{"name":"more","cost":{"Operations":1,"MHz":1,"Nanos":1}}` + "\n",
		"line 16: expected": string(whole) + strings.Repeat(" ", longestRun+1),
	} {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if out := zhuque(t, dir, "", args...).want(t, 2); !strings.Contains(out.stderr, says) {
			t.Errorf("said %q, expected %q", out.stderr, says)
		}
		if now, err := os.ReadFile(file); err != nil || string(now) != text {
			t.Errorf("%s: the file was changed: %v", says, err)
		}
	}
	f, err := os.OpenFile(file, os.O_RDWR|os.O_TRUNC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := hostdir.Lock(f); err != nil {
		t.Fatal(err)
	}
	if out := zhuque(t, dir, "", args...).want(t, 2); !strings.Contains(out.stderr, "another zhuque figures draws into f") {
		t.Errorf("said %q", out.stderr)
	}
}
