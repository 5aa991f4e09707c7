package persistent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/explore"
	"zhuque/eadr"
	"zhuque/internal/testrig"
)

// built compiles a program with a fault and returns what explores it.
func built(t *testing.T, name, fault string, operations int) *explore.Options {
	t.Helper()
	s := crashinject.DefaultSetup()
	s.Root, s.Program, s.Args = testrig.EmptyRoot(t), "/"+name, []string{"run", fmt.Sprint(operations)}
	args := []string{"-O1", "-g", "-static", "-DPLANTED=" + fault, "-o", filepath.Join(s.Root, name), "src/" + name + ".c"}
	if text, err := exec.Command(testrig.Compiler(t), args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	r, err := crashinject.ParseRestart("/"+name+" check", 0)
	if err != nil {
		t.Fatal(err)
	}
	return &explore.Options{Setup: s, Recover: r, Cuts: 2}
}

// blamed are the lines of a program that a fault is to be blamed on.
func blamed(t *testing.T, name, fault string) (lines []int) {
	t.Helper()
	data, err := os.ReadFile(name + ".c")
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(string(data), "\n") {
		if _, words, ok := strings.Cut(line, "// blame "); ok && slices.Contains(strings.Fields(words), fault) {
			lines = append(lines, i+1)
		}
	}
	if lines == nil {
		t.Fatalf("%s.c has no line to blame for %s", name, fault)
	}
	return lines
}

// Programs and their faults. The second list is of those that eADR does not mend: stores in the
// wrong order, stores that tear, and what is not drained from buffers before it is acknowledged.
var programs = []struct {
	name          string
	operations    int
	flushes, both string
}{
	{"list", 4, "missing_flush missing_fence flush_early wrong_range", "publish_early"},
	{"sumlog", 3, "", "torn missing_drain missing_flush missing_fence"},
	{"log", 3, "missing_flush missing_fence", "commit_early"},
	{"slots", 3, "missing_flush missing_fence flush_early wrong_range", "commit_early torn"},
	{"hash", 4, "missing_flush missing_fence wrong_range", "commit_early"},
	{"btree", 7, "missing_flush missing_fence wrong_range", "publish_early commit_early"},
	{"blocks", 4, "missing_flush missing_fence", "double_free"},
}

// The right program has no failure under either domain; each fault is found, with its line.
func TestPlantedFaults(t *testing.T) {
	for _, p := range programs {
		for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
			run := func(fault string) *explore.Report {
				opt := built(t, p.name, fault, p.operations)
				opt.Setup.Domain = domain
				r, err := explore.Explore(context.Background(), opt)
				if err != nil {
					t.Fatalf("%s, %s, %v: %v", p.name, fault, domain, err)
				}
				return r
			}
			harmless := []string{"none"}
			faults := strings.Fields(p.both)
			if domain == eadr.EADR {
				harmless = append(harmless, strings.Fields(p.flushes)...)
			} else {
				faults = append(faults, strings.Fields(p.flushes)...)
			}
			for _, fault := range harmless {
				if r := run(fault); len(r.Failures) != 0 || !r.Exhaustive || r.Verdict != "pass" {
					t.Errorf("%s, %s, %v is right:\n%s", p.name, fault, domain, r.Text())
				}
			}
			for _, fault := range faults {
				lines := blamed(t, "src/"+p.name, fault)
				if r := run(fault); !names(r, p.name+".c", lines) || r.Verdict != "violation" {
					t.Errorf("%s, %s, %v: expected one of lines %d to be blamed:\n%s",
						p.name, fault, domain, lines, r.Text())
				}
			}
		}
	}
}

// names reports whether a failure names one of the lines as that of a store or of a call that led to it.
func names(r *explore.Report, file string, lines []int) bool {
	for _, f := range r.Failures {
		for _, s := range f.Stores {
			for _, f := range append(s.Stack, explore.Frame{File: s.File, Line: s.Line}) {
				if filepath.Base(f.File) == file && slices.Contains(lines, f.Line) {
					return true
				}
			}
		}
	}
	return false
}

// A bound on worlds ends exploring in the middle of an operation; what was in flight is judged by what
// comes right after it, and by nothing later.
func TestBoundInTheMiddleOfAnOperation(t *testing.T) {
	opt := built(t, "list", "none", 5)
	opt.Cuts = 1
	for opt.Worlds = 1; ; opt.Worlds++ {
		r, err := explore.Explore(context.Background(), opt)
		if err != nil {
			t.Fatal(err)
		}
		if len(r.Failures) > 0 {
			t.Errorf("at most %d worlds: %s", opt.Worlds, r.Text())
		}
		if r.Exhaustive {
			return
		}
	}
}
