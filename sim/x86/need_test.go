package x86

import (
	"os"
	"testing"
)

// need ends a test whose means are missing on this machine: it fails in CI, where
// an oracle that did not speak must not look like one that agreed, and is skipped
// with the reason elsewhere.
func need(t testing.TB, format string, a ...any) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatalf(format, a...)
	}
	t.Skipf(format, a...)
}
