//go:build !(linux && amd64)

package kernel

import "testing"

func hostAsked(t testing.TB) asked {
	t.Fatal("-rewrite: expected a Linux host of x86-64")
	return nil
}
