package cachemodel_test

import (
	"bytes"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// A write from outside is part of what a flush that saw the line before it guarantees.
func TestOverwriteIsUnderPendingFlushes(t *testing.T) {
	d := newDriver(t, roomy(t))
	a := phys.PMEMBase
	d.store(a, []byte{1, 1, 1, 1})
	d.core.Flush(a.Line(), cachemodel.CLWB)
	d.core.Fence(cachemodel.Serialize) // the flush leaves the buffer and stays pending
	d.store(a, []byte{2, 2, 2, 2})
	d.core.Fence(cachemodel.Serialize) // what the flush saw is kept apart now
	d.do(op{opOver, a + 1, []byte{7}})
	d.core.Fence(cachemodel.SFENCE)
	lost := d.image(cachemodel.Loss{CachesLost: func(phys.LineAddr) bool { return true }})
	if got, want := lost.get(a, 4), []byte{1, 7, 1, 1}; !bytes.Equal(got, want) {
		t.Errorf("after the cut the line holds %v, want %v", got, want)
	}
}

// Leaving tells how many more lines are dirty when the buffers have drained.
func TestLeavingIsWhatDrains(t *testing.T) {
	d := newDriver(t, roomy(t))
	for i := range phys.Addr(40) {
		d.store(phys.PMEMBase+128*(i%10), []byte{byte(i)})
		if i%7 == 6 {
			d.core.Fence(cachemodel.Interrupt)
		}
	}
	d.ntstore(phys.PMEMBase+4096, []byte{1})
	d.store(phys.PMEMBase+8192, make([]byte, 8))
	d.store(phys.PMEMBase+8200, make([]byte, 8))
	before := d.h.Inventory()
	all := d.h.Leaving(nil)
	d.core.Fence(cachemodel.Interrupt)
	after := d.h.Inventory()
	if got, want := len(all.Dirtied), after.DirtyPMEM[0]-before.DirtyPMEM[0]; got != want || want == 0 {
		t.Errorf("%d lines would become dirty, %d did", got, want)
	}
	if all.Stores != before.BufferedStores || all.WC != before.WCEntries || all.WC != 1 {
		t.Errorf("%d stores and %d buffers would leave, there were %d and %d",
			all.Stores, all.WC, before.BufferedStores, before.WCEntries)
	}
	if none := d.h.Leaving([]int{0}); none.Stores != 0 || len(none.Dirtied) != 0 {
		t.Errorf("with nothing kept, %+v leaves", none)
	}
}

// roomy returns the default configuration.
func roomy(t *testing.T) cachemodel.Config {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		t.Fatal(err)
	}
	cfg.Cores = 1
	return cfg
}
