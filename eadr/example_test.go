package eadr_test

import (
	"fmt"

	"zhuque/eadr"
)

// A power failure of a machine with two cores: once with energy for all of the sequence,
// once with half of it.
func ExampleRun() {
	found := eadr.Inventory{
		Cores:          2,
		BufferedStores: 40,
		SaveLines:      28,
		DirtyLines:     [eadr.Levels]int{600, 9_000, 120_000},
	}
	cfg := eadr.Default(eadr.EADR)
	cfg.Energy = eadr.Needed(cfg, found)
	for range 2 {
		out := eadr.Run(cfg, found)
		fmt.Printf("%d nJ: ends in %v, %d of %d dirty lines drained, complete: %v\n",
			cfg.Energy, out.Last, out.LinesDrained, out.LinesDirty, out.Complete)
		cfg.Energy /= 2
	}
	// Output:
	// 809208501 nJ: ends in off, 129600 of 129600 dirty lines drained, complete: true
	// 404604250 nJ: ends in flush-caches, 54367 of 129600 dirty lines drained, complete: false
}
