package cachemodel_test

import (
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// counted is a clock that the test sets.
type counted uint64

func (c *counted) Executed() uint64          { return uint64(*c) }
func (c *counted) Access() cachemodel.Access { return cachemodel.Access{} }

// What a non-temporal store costs is paid once: at the buffers while they are full, and at
// a fence only what is still on its way then.
func TestNTStoresArePaidOnce(t *testing.T) {
	const n = 10_000
	run := func(pause counted, fenced bool) phys.Cycles {
		cfg, _ := cachemodel.Preset("")
		d := newDriver(t, cfg)
		clock := new(counted)
		d.core.Clock = clock
		for i := range n {
			for off := range phys.Addr(8) {
				d.core.NTStore(phys.PMEMBase+phys.Addr(i*phys.LineSize)+8*off, 8, 0, 0)
				*clock++
			}
		}
		*clock += pause
		if fenced {
			d.core.Fence(cachemodel.SFENCE)
		}
		var sum phys.Cycles
		for _, v := range d.core.Stalls() {
			sum += v
		}
		if sum != d.core.Stall {
			t.Errorf("the causes sum up to %d cycles, the stall is %d", sum, d.core.Stall)
		}
		return d.core.Stall
	}
	cfg, _ := cachemodel.Preset("")
	buffers := phys.Cycles(cfg.WCBuffers) * 44 // cycles of a gap of 15 ns
	without, with, paused := run(0, false), run(0, true), run(1_000_000, true)
	if with < without+200 || with > without+buffers+300 {
		t.Errorf("%d stores stall %d cycles, with a fence %d: expected those of what is on its way more", n, without, with)
	}
	if paused > without+300 {
		t.Errorf("after a pause of a million cycles the fence stalls %d cycles more", paused-without)
	}
}

// What a fence waits for has been on its way since the flush.
func TestFlushesDrainWhileTheCoreExecutes(t *testing.T) {
	run := func(pause counted) phys.Cycles {
		d := newDriver(t, round())
		clock := new(counted)
		d.core.Clock = clock
		d.do(ld(phys.PMEMBase))
		d.do(st(phys.PMEMBase, 1))
		d.do(fl(phys.PMEMBase, cachemodel.CLWB))
		*clock += pause
		before := d.core.Stall
		d.do(sfence)
		return d.core.Stall - before
	}
	for pause, want := range map[counted]phys.Cycles{0: 60, 30: 30, 59: 1, 60: 1, 1000: 1} {
		if got := run(pause); got != want {
			t.Errorf("a fence %d cycles after the flush stalls %d cycles, want %d", pause, got, want)
		}
	}
}
