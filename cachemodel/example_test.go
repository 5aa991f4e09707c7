package cachemodel_test

import (
	"fmt"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// Three words are stored to persistent memory. The first is flushed and fenced, the second
// is in a cache, the third still in the store buffer: what does a power cut take back?
func ExampleHierarchy_TakeBacks() {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		fmt.Println(err)
		return
	}
	memory := flat{} // current bytes
	h, err := cachemodel.New(cfg, memory)
	if err != nil {
		fmt.Println(err)
		return
	}
	core := h.Core(0)
	store := func(a phys.Addr, v byte) {
		if core.SB.Push(a, 1, uint64(memory.get(a, 1)[0]), 0) { // the byte that is replaced
			core.Pushed()
		}
		memory.put(a, []byte{v})
	}
	first, second, third := phys.PMEMBase, phys.PMEMBase+0x40, phys.PMEMBase+0x80
	store(first, 1)
	core.Flush(first.Line(), cachemodel.CLWB)
	store(second, 2)
	core.Fence(cachemodel.SFENCE) // drains the store buffer and waits for the flush
	store(third, 3)

	show := func(domain string, loss cachemodel.Loss) {
		image := memory.clone()
		h.TakeBacks(loss, image.put)
		fmt.Println(domain, image.get(first, 1), image.get(second, 1), image.get(third, 1))
	}
	all := func(phys.LineAddr) bool { return true }
	show("eADR, buffers drained:", cachemodel.Loss{})
	show("eADR, buffers lost:   ", cachemodel.Loss{KeepStores: []int{0}})
	show("ADR:                  ", cachemodel.Loss{KeepStores: []int{0}, CachesLost: all})
	// Output:
	// eADR, buffers drained: [1] [2] [3]
	// eADR, buffers lost:    [1] [2] [0]
	// ADR:                   [1] [0] [0]
}
