package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// compiler is testrig.Compiler: a program that imports testrig starts over where a signal is
// ignored, and these tests run themselves as zhuque, under nohup too.
func compiler(t *testing.T) string {
	t.Helper()
	gcc, err := exec.LookPath("gcc")
	if err != nil && os.Getenv("CI") != "true" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return gcc
}

// planted builds a program of scenarios/persistent with a fault, and explores it.
func planted(t *testing.T, fault string, flags ...string) (dir string, r ran) {
	t.Helper()
	dir = t.TempDir()
	compile(t, dir, fault)
	flags = append([]string{"explore", "--recover", "./list check"}, flags...)
	return dir, zhuque(t, dir, "", append(flags, "--", "./list", "run", "3")...)
}

func compile(t *testing.T, dir, fault string) {
	t.Helper()
	gcc := exec.Command(compiler(t), "-O1", "-g", "-static", "-DPLANTED="+fault,
		"-o", filepath.Join(dir, "list"), "../../scenarios/persistent/src/list.c")
	if text, err := gcc.CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
}

// replays are the commands that a report of explore names.
func replays(stdout string) (names []string) {
	for line := range strings.Lines(stdout) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "zhuque replay "); ok {
			names = append(names, name)
		}
	}
	return names
}

// What explore finds, replay finds and explains in the same words.
func TestWorldsAreReplayed(t *testing.T) {
	dir, r := planted(t, "missing_fence")
	r.want(t, 10)
	names := replays(r.stdout)
	if len(names) == 0 || names[0] != "zhuque-out/list-1/failure-1-signal/world.case" {
		t.Fatalf("replays %q of\n%s", names, r.stdout)
	}
	for _, name := range names {
		again := zhuque(t, dir, "", "replay", name).want(t, 10)
		lines := strings.SplitN(again.stdout, "\n", 3)
		why := strings.TrimSuffix(lines[2], "\n")
		if !strings.HasPrefix(lines[0], "violation: look ") || why == "" ||
			!strings.Contains(r.stdout, why+"\n  zhuque replay "+name+"\n") {
			t.Errorf("%s is explained by\n%s\nand was by\n%s", name, again.stdout, r.stdout)
		}
		text, err := os.ReadFile(filepath.Join(dir, filepath.Dir(name), "failure.txt"))
		if err != nil || !strings.Contains(r.stdout, string(text)) {
			t.Errorf("failure.txt: %q, %v", text, err)
		}
		var point struct {
			Verdict, Reason string
			Failure         struct{ Stores []struct{ State string } }
		}
		js := zhuque(t, dir, "", "replay", "--format", "json", name).want(t, 10)
		if err := json.Unmarshal([]byte(js.stdout), &point); err != nil ||
			point.Verdict != "violation" || point.Reason != lines[1] || len(point.Failure.Stores) == 0 {
			t.Errorf("%s: %v, %+v", js.stdout, err, point)
		}
	}
}

// A directory of one's own keeps what it has: the same failure again is the same folder.
func TestFoldersOfFailures(t *testing.T) {
	dir, r := planted(t, "missing_flush", "--out", "found")
	first := replays(r.want(t, 10).stdout)
	again := zhuque(t, dir, "", "explore", "--recover", "./list check",
		"--out", "found", "--", "./list", "run", "3").want(t, 10)
	if second := replays(again.stdout); strings.Join(first, " ") != strings.Join(second, " ") ||
		first[0] != "found/failure-1-signal/world.case" {
		t.Errorf("the same failures are in %q and in %q", first, second)
	}
	compile(t, dir, "wrong_range")
	other := zhuque(t, dir, "", "explore", "--recover", "./list check",
		"--out", "found", "--", "./list", "run", "3").want(t, 10)
	if name := replays(other.stdout)[0]; name != "found/failure-1-signal-2/world.case" {
		t.Errorf("another failure is in %s", name)
	}
	zhuque(t, dir, "", "replay", first[0]).want(t, 2, `the case is stale: its input "program" has changed`)
	compile(t, dir, "none")
	right := zhuque(t, dir, "", "explore", "--recover", "./list check",
		"--out", "right", "--", "./list", "run", "3").want(t, 0)
	if len(replays(right.stdout)) != 0 {
		t.Errorf("a right program: %s", right.stdout)
	}
	zhuque(t, dir, "", "explore", "--out", "list", "--", "./list", "run", "3").want(t, 2, "--out")
}

// A case file that somebody damaged or edited says what is wrong with it.
func TestDamagedWorlds(t *testing.T) {
	dir, r := planted(t, "missing_flush")
	name := replays(r.want(t, 10).stdout)[0]
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	text := string(data)
	cut := text[strings.Index(text, "cut look"):]
	cut = cut[:strings.Index(cut, "\n")]
	for _, c := range []struct {
		from, to string
		status   int
		says     string
	}{
		{cut, "cut look 0", 2, "look 0: expected at least 1"},
		{cut, "cut look 1 world f=0", 2, `"world" "f=0": expected FILE+OFFSET=N`},
		{cut, "cut look 1 world /mnt/pmem/list+0x41=0", 2, "a line of 64 bytes"},
		{cut, "cut world /mnt/pmem/list+0x40=0", 2, `expected "after N"`},
		{cut, "cut after 9 world /mnt/pmem/list+0x40=0", 2, `a world begins with "look N"`},
		{cut, "cut look 1 keep 3", 2, "a world takes the words look, after and world alone"},
		{cut, "cut look 99", 13, "the file says violation, this run says unreached"},
		{cut, cut + "\ntail", 2, "tail: a world's recovery"},
		{cut, cut + "\nset mutant \"x87-not-saved\"", 2, "set mutant"},
		{cut, "", 2, "no cut"},
		{cut, "cut after 5\nexpect-status \"1\"", 2, "belong to a world of zhuque explore"},
		{"restart-arg", "restart-argument", 2, "expected one of program, arg"},
		{"\nrestart ", "\ncheck ", 2, "restart-arg before restart"},
		{"reason \"signal", "reason \"exit", 13, "the file gives the reason"},
		{"verdict violation", "verdict pass", 13, "the file says pass, this run says violation"},
		{"zhuque-case 2", "zhuque-case 9", 2, `expected "zhuque-case 2"`},
		{text[len(text)/2:], "", 2, "damaged.case:"},
	} {
		if !strings.Contains(text, c.from) {
			t.Fatalf("the case has no %q:\n%s", c.from, text)
		}
		if err := os.WriteFile(filepath.Join(dir, "damaged.case"),
			[]byte(strings.Replace(text, c.from, c.to, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		if r := zhuque(t, dir, "", "replay", "damaged.case"); r.status != c.status ||
			!strings.Contains(r.stderr, c.says) || strings.Count(r.stderr, "\n") > 2 {
			t.Errorf("%q for %q: exit status %d, %q: expected %d, %q", c.to, c.from, r.status, r.stderr, c.status, c.says)
		}
	}
}
