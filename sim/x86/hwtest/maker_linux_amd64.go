package hwtest

import (
	"bytes"
	"os"
)

// Intel reports whether the host's processor is one of Intel's. The model follows AMD's where
// the manuals leave something open: see the RATIONALE of sim/x86.
func Intel() bool {
	b, err := os.ReadFile("/proc/cpuinfo")
	return err == nil && bytes.Contains(b, []byte("GenuineIntel"))
}
