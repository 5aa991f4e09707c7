package litmus

import (
	"os"
	"path/filepath"
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
