package mem_test

import (
	"fmt"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// A fork shares every page that neither side has written since, and Diff looks at no other.
func ExampleStore_Fork() {
	memory := mem.NewStore()
	memory.Write(0x1000, []byte("left alone"))
	memory.Write(0x2000, []byte("before"))

	fork := memory.Fork()
	fork.Write(0x2000, []byte("after "))

	mem.Diff(memory, fork, 0, 1<<20, func(f phys.Frame, a, b *mem.Page) bool {
		fmt.Printf("frame %#x: %q and %q\n", f, a[:6], b[:6])
		return true
	})
	// Output: frame 0x2: "before" and "after "
}
