package kernel_test

import (
	"fmt"

	"zhuque/sim/kernel"
)

// What the table says of calls: how far each works, and what a power cut in it leaves.
func ExampleLookup() {
	for _, nr := range []uint64{0, 1, 17, 60, 101, 317} {
		c, _ := kernel.Lookup(nr)
		fmt.Printf("%-8s %v: %s\n", c.Name, c.Class, c.Label())
	}
	// Output:
	// read     wait: works
	// write    count: works
	// pread64  pure: works
	// exit     final: works
	// ptrace   once: stops the run
	// seccomp  pure: always answers ENOSYS
}
