package litmus

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/cachemodel/worlds"
)

// files reads the tests of cachemodel/testdata.
func files(t testing.TB) (tests []*Test) {
	t.Helper()
	names, err := filepath.Glob("../testdata/*.litmus")
	if err != nil || len(names) < 60 {
		t.Fatalf("%d litmus tests, %v", len(names), err)
	}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		test, err := Parse(name, string(text))
		if err != nil {
			t.Fatal(err)
		}
		tests = append(tests, test)
	}
	return tests
}

// What the rules and the literature expect of each test holds of its outcomes.
func TestLitmus(t *testing.T) {
	for _, test := range files(t) {
		for _, d := range []worlds.Domain{worlds.ADR, worlds.EADR} {
			r, err := test.Explore(d)
			if err != nil {
				t.Error(err)
				continue
			}
			for i := range test.Conditions {
				if c := &test.Conditions[i]; c.In(d) && !r.Holds(c) {
					t.Errorf("%s:%d: %v: %v does not hold; %d outcomes", test.File, c.Line, d, c, len(r.Outcomes))
				}
			}
			t.Logf("%s %v: %d states, %d outcomes", test.Name, d, r.States, len(r.Outcomes))
		}
	}
}

// What would not end is refused, with a bound.
func TestTooLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString("litmus large\n{ a=0; b=0; c=0; d=0; }\n P0 | P1 | P2 | P3 ;\n")
	for range 6 {
		b.WriteString(" a = 1 | b = 2 | c = 3 | d = 4 ;\n")
	}
	b.WriteString("both: exists (a=1)\n")
	test, err := Parse("t", b.String())
	if err != nil {
		t.Fatal(err)
	}
	if _, err = test.Explore(worlds.ADR); err == nil || !strings.Contains(err.Error(), "t:1: litmus large has more than") {
		t.Errorf("error %v, expected the bound on states", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, test := range files(f) {
		text, err := os.ReadFile(test.File)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		if test, err := Parse("fuzz", text); err == nil && (len(test.Sections) == 0 || len(test.Conditions) == 0) {
			t.Errorf("a test without threads or without a condition")
		}
	})
}
