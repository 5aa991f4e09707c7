//go:build !(linux && amd64)

package hwtest

// Intel reports whether the host's processor is one of Intel's.
func Intel() bool { return false }
