package explore

import (
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/eadr"
	"zhuque/internal/testrig"
)

// race explores testdata/race.c with lines.
func race(t *testing.T, how string, cores uint64) *Options {
	opt := guest(t, "race")
	out := filepath.Join(opt.Setup.Root, "race")
	if text, err := exec.Command(testrig.Compiler(t), "-O1", "-g", "-static",
		"-pthread", "-o", out, "testdata/race.c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	opt.Setup.Args, opt.Recover = []string{how}, command(t, "/race read")
	for name, value := range map[string]string{"cores": string('0' + rune(cores)), "quantum": "500"} {
		if err := opt.Setup.Set(name, value); err != nil {
			t.Fatal(err)
		}
	}
	return opt
}

func kinds(r *Report) (list []Kind) {
	for _, a := range r.Advice {
		list = append(list, a.Kind)
	}
	return list
}

// A thread that acts on a store that is not durable is found, on one core and on two, with the
// lines of store, load and dependent store; one that waits is not; and under eADR there is none.
func TestRaces(t *testing.T) {
	for _, cores := range []uint64{1, 2} {
		opt := race(t, "late", cores)
		r := explored(t, opt)
		if r.Verdict != "pass" || !slices.Contains(kinds(r), RaceAdvice) || !slices.Contains(kinds(r), Robustness) {
			t.Fatalf("%d cores: verdict %s, advice %v", cores, r.Verdict, kinds(r))
		}
		a := r.Advice[slices.Index(kinds(r), RaceAdvice)]
		if a.Stores[0].Line != lineWith(t, "race.c", "// early") || a.Loads[0].Line != lineWith(t, "race.c", "// seen") ||
			a.Stores[1].Line != lineWith(t, "race.c", "// dependent") {
			t.Errorf("%d cores:\n%s", cores, r.Text())
		}
		opt.FailOn = []Kind{RaceAdvice}
		if r := explored(t, opt); r.Verdict != "violation" || len(r.Failures) != 0 {
			t.Errorf("with --fail-on race the verdict is %s", r.Verdict)
		}
		opt.Setup.Domain = eadr.EADR
		if r := explored(t, opt); len(r.Advice) != 0 || r.Verdict != "pass" {
			t.Errorf("eadr: %s", r.Text())
		}
		right := race(t, "right", cores)
		right.FailOn = []Kind{RaceAdvice, Robustness}
		if r := explored(t, right); len(r.Advice) != 0 || r.Verdict != "pass" {
			t.Errorf("%d cores, right: %s", cores, r.Text())
		}
	}
}

// A robust program has no advice; one that orders nothing has, whether or not its recovery minds.
func TestRobustness(t *testing.T) {
	if r := explored(t, pair(t, "right 3", "show")); len(r.Advice) != 0 {
		t.Errorf("right: %s", r.Text())
	}
	opt := pair(t, "lost 3", "memo-show")
	opt.Cuts = 1
	if r := explored(t, opt); slices.Contains(kinds(r), RaceAdvice) {
		t.Errorf("a race of one thread: %s", r.Text())
	}
	if r := explored(t, pair(t, "lost 3", "show")); !slices.Contains(kinds(r), Robustness) {
		t.Errorf("no advice: %s", r.Text())
	}
}

// What a report suggests as suppressions takes all of it out, and what names another
// function nothing.
func TestSuppressions(t *testing.T) {
	opt := race(t, "late", 2)
	opt.FailOn = []Kind{RaceAdvice, Robustness}
	text := explored(t, opt).Suppressions()
	all, err := ParseSuppressions("all.supp", text)
	if err != nil {
		t.Fatal(err)
	}
	opt.Suppress = all
	if r := explored(t, opt); r.Verdict != "pass" || len(r.Advice) != 0 ||
		len(r.Suppressed) == 0 || r.Suppressed[0].Used == 0 {
		t.Errorf("suppressed by\n%s: %s", text, r.Text())
	}
	for _, tc := range []struct {
		entry string
		takes bool
	}{
		{"zhuque:race\nfun:main", true},
		{"zhuque:*\nfun:m?in", true},
		{"zhuque:robustness\nfun:main", false},
		{"zhuque:race\nfun:second", false},
		{"zhuque:race\n...\nfun:main", true},
		{"zhuque:lost,race\nsrc:race.c", true},
		{"zhuque:race\nsrc:race.c:1", false},
		{"zhuque:race\nobj:*race", true},
	} {
		opt.FailOn = []Kind{RaceAdvice}
		if opt.Suppress, err = ParseSuppressions("one.supp", "# a comment\n{\n  one\n"+tc.entry+"\n}\n"); err != nil {
			t.Fatal(err)
		}
		if r := explored(t, opt); (r.Verdict == "pass") != tc.takes {
			t.Errorf("%q: verdict %s\n%s", tc.entry, r.Verdict, r.Text())
		}
	}
	opt = pair(t, "torn 2", "exit-show")
	if opt.Suppress, err = ParseSuppressions("s", "{\nknown\nzhuque:exit\n...\n}\n"); err != nil {
		t.Fatal(err)
	}
	if r := explored(t, opt); len(r.Failures) != 0 || len(r.Suppressed) != 1 {
		t.Errorf("a failure is not suppressed: %s", r.Text())
	}
}

// A bad suppression file is named with line and column.
func TestBadSuppressions(t *testing.T) {
	for _, tc := range []struct {
		text         string
		line, column int
	}{
		{"nothing", 1, 1},
		{"{\n name\n zhuque:rase\n}", 3, 9},
		{"{\n name\n zhuque:race,,\n}", 3, 14},
		{"{\n name\n Memcheck:Leak\n}", 3, 2},
		{"{\n name\n zhuque:race\n main\n}", 4, 2},
		{"{\n name\n zhuque:race\n fun:\n}", 4, 6},
		{"{\n name\n}", 3, 1},
		{"{\n}", 2, 1},
		{"{\n name\n zhuque:race\n", 1, 1},
		{"{\n name\n zhuque:race\n{\n", 4, 1},
		{"}\n", 1, 1},
	} {
		_, err := ParseSuppressions("bad.supp", tc.text)
		var e *SuppressionError
		if !errors.As(err, &e) || e.Line != tc.line || e.Column != tc.column ||
			!strings.HasSuffix(e.Error(), "^") || !strings.HasPrefix(e.Error(), "bad.supp:") {
			t.Errorf("%q: %v, expected line %d, column %d", tc.text, err, tc.line, tc.column)
		}
	}
	if list, err := ParseSuppressions("empty", ""); err != nil || len(list) != 0 {
		t.Errorf("an empty file: %v, %v", list, err)
	}
}

func FuzzSuppressions(f *testing.F) {
	f.Add("{\nname\nzhuque:race\nfun:*\n...\n}\n")
	f.Fuzz(func(_ *testing.T, text string) {
		list, err := ParseSuppressions("f", text)
		if err != nil {
			_ = err.Error()
		}
		for _, s := range list {
			s.takes(RaceAdvice, []Frame{{Function: "main"}, {Object: "x"}})
		}
	})
}
