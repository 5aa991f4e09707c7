package crashinject

import (
	"slices"
	"strings"
	"testing"
)

// Variations of standard input are made of the example's words, differ from each other, and
// are the same again for the same seed.
func TestFuzzLines(t *testing.T) {
	example := []byte("put a 1\nput b 2\ndel a\nget b\n")
	if got := string(FuzzLines(example, 1, 0)); got != string(example) {
		t.Errorf("variation 0 is %q, expected the example", got)
	}
	seen := map[string]bool{}
	verbs := []string{"put", "del", "get"}
	for n := range 200 {
		got := string(FuzzLines(example, 1, n))
		if again := string(FuzzLines(example, 1, n)); got != again {
			t.Fatalf("variation %d is %q, and %q again", n, got, again)
		}
		seen[got] = true
		for line := range strings.Lines(got) {
			if verb := strings.Fields(line); len(verb) > 0 && !slices.Contains(verbs, verb[0]) {
				t.Errorf("variation %d has the line %q", n, line)
			}
		}
		if lines := strings.Count(got, "\n"); lines > 2*4+8 {
			t.Errorf("variation %d has %d lines", n, lines)
		}
	}
	if len(seen) < 120 {
		t.Errorf("%d different variations of 200", len(seen))
	}
	if slices.Equal(FuzzLines(example, 1, 7), FuzzLines(example, 2, 7)) {
		t.Error("two seeds give the same variation")
	}
	for _, odd := range []string{"", "\n", "x", "\n\n\n", strings.Repeat("a", 1<<16)} {
		for n := range 50 {
			FuzzLines([]byte(odd), 3, n)
		}
	}
}
