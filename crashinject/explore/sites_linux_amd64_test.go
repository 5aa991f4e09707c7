package explore

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/internal/testrig"
)

// lineWith returns the number of the first line of a file of testdata that holds a text.
func lineWith(t *testing.T, name, text string) int {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if strings.Contains(line, text) {
			return i + 1
		}
	}
	t.Fatalf("%s has no line with %q", name, text)
	return 0
}

// A failure names the store, the flush and the load by line and function; a store inside
// a library without lines by the line that called it.
func TestFailuresNameLines(t *testing.T) {
	if _, err := os.Stat("/usr/include/libpmem.h"); err != nil {
		t.Skip(err)
	}
	opt := guest(t, "push") // its settings
	out := filepath.Join(t.TempDir(), "library")
	if text, err := exec.Command(testrig.Compiler(t), "-O1", "-g", "-o",
		out, "testdata/library.c", "-lpmem").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	opt.Setup.Root, opt.Setup.Program, opt.Setup.Args = "/", out, []string{"write"}
	opt.Recover = command(t, out+" read")
	opt.Cuts = 1
	r := explored(t, opt)
	if len(r.Failures) != 1 || len(r.Failures[0].Stores) == 0 {
		t.Fatalf("failures: %s", r.Text())
	}
	lost, missed := lineWith(t, "library.c", "// lost"), lineWith(t, "library.c", "// misses it")
	found := false
	for i, s := range r.Failures[0].Stores {
		l := r.Failures[0].Loads[i]
		found = found || s.Line == lost && s.Function == "publish" && filepath.Base(s.File) == "library.c" && s.In != "" &&
			l.Line == missed && l.Function == "recover" && l.In == ""
	}
	if !found {
		t.Errorf("expected a store at line %d and a load at line %d:\n%s", lost, missed, r.Text())
	}
}

// Instructions of a program without debug information have symbols.
func TestFailuresNameSymbols(t *testing.T) {
	r := explored(t, pair(t, "torn 3", "show"))
	if len(r.Failures) == 0 {
		t.Fatal("no failure")
	}
	for _, s := range r.Failures[0].Stores {
		if !strings.HasPrefix(s.Function, "main+0x") || !strings.Contains(s.Address, ": mov") || s.File != "" {
			t.Errorf("store at %+v, expected one of main with its instruction", s.Place)
		}
	}
}

// Two instructions of one line are one finding.
func TestPerformanceByLine(t *testing.T) {
	opt := pair(t, "waste 0", "show")
	out := filepath.Join(opt.Setup.Root, "pair")
	if text, err := exec.Command(testrig.Compiler(t), "-O2", "-g", "-static", "-I",
		"../../runtime", "-o", out, "testdata/pair.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	seen := map[string]bool{}
	for _, f := range explored(t, opt).Performance {
		k := f.Kind + " " + f.String()
		if seen[k] || f.Line == 0 || filepath.Base(f.File) != "pair.c" {
			t.Errorf("%s: twice, or without its line", k)
		}
		seen[k] = true
	}
	if at := lineWith(t, "pair.c", "clwb %0"); len(seen) == 0 ||
		!strings.Contains(strings.Join(keys(seen), "\n"), fmt.Sprintf("flushed clean pair.c:%d (persist)", at)) {
		t.Errorf("no clean flush at line %d: %q", at, keys(seen))
	}
}

func keys(m map[string]bool) []string { return slices.Sorted(maps.Keys(m)) }
