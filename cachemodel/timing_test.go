package cachemodel_test

import (
	"slices"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// round is a configuration with latencies that are easy to add up: 1 GHz, so
// that nanoseconds are cycles.
func round() cachemodel.Config {
	cfg := tiny(0)
	cfg.CoreMHz = 1000
	cfg.L1D.Latency, cfg.L2.Latency, cfg.LLC.Latency = 5, 14, 70
	cfg.DRAMRead, cfg.PMEMRead = 100, 300
	cfg.DRAMWrite, cfg.PMEMWrite, cfg.DRAMNT, cfg.PMEMNT, cfg.FlushGap, cfg.NTGap = 50, 60, 80, 90, 40, 10
	cfg.StoreOverlap = 5
	cfg.FenceCycles = [cachemodel.FenceKinds]phys.Cycles{cachemodel.SFENCE: 1, cachemodel.LFENCE: 2, cachemodel.MFENCE: 3,
		cachemodel.Locked: 4, cachemodel.Serialize: 5, cachemodel.Interrupt: 0}
	return cfg
}

func TestStallCycles(t *testing.T) {
	line := func(i int) phys.Addr { return phys.PMEMBase + phys.Addr(i*phys.LineSize) }

	beyond := phys.Cycles(70 - 5)
	for _, c := range []struct {
		name   string
		before []op
		events []op
		want   phys.Cycles
	}{
		{"load from PMEM", nil, []op{ld(line(0))}, 300 - 5},
		{"load from DRAM", nil, []op{ld(0)}, 100 - 5},
		{"load across lines", nil, []op{{opLoad, line(0) + 60, make([]byte, 8)}}, 2 * (300 - 5)},
		{"L1 hit", []op{ld(line(0))}, []op{ld(line(0)), ld(line(0) + 8)}, 0},
		{"L1 hit, not the latest", []op{ld(line(0)), ld(line(2))}, []op{ld(line(0))}, 0},
		// Even lines share an L1 set of 2 ways: lines 0 and 2 move to the L2, which has 2.
		{"L2 hit", []op{ld(line(0)), ld(line(2)), ld(line(4)), ld(line(6))}, []op{ld(line(0))}, 14 - 5},
		{"LLC hit", []op{ld(line(0)), ld(line(2)), ld(line(4)), ld(line(6)), ld(line(8))}, []op{ld(line(0))}, beyond},
		{"store miss, hidden in part", []op{st(line(0), 1)}, []op{fence(cachemodel.Interrupt)}, (300 - 5) / 5},
		{"store hit", []op{ld(line(0)), st(line(0), 1)}, []op{fence(cachemodel.Interrupt)}, 0},
		{"barriers alone", nil, []op{fence(0), fence(1), fence(2), fence(3), fence(4), fence(5)}, 1 + 2 + 3 + 4 + 5},
		{"clwb alone", []op{ld(line(0)), st(line(0), 1)}, []op{fl(line(0), cachemodel.CLWB)}, 0},
		{"clwb and sfence", []op{ld(line(0)), st(line(0), 1), fl(line(0), cachemodel.CLWB)}, []op{sfence}, 60},
		{"sfence with nothing left to wait for", []op{st(line(0), 1), fl(line(0), cachemodel.CLWB), nt(line(1), 1), sfence}, []op{sfence}, 1},
		{"clwb of a clean line and sfence", []op{ld(line(0)), fl(line(0), cachemodel.CLWB)}, []op{sfence}, 1},
		{"two clwb and sfence", []op{ld(line(0)), ld(line(1)), st(line(0), 1), st(line(1), 1), fl(line(0), cachemodel.CLWB),
			fl(line(1), cachemodel.CLWB)}, []op{sfence}, 40 + 60},
		{"clwb of DRAM and sfence", []op{ld(0), st(0, 1), fl(0, cachemodel.CLWB)}, []op{sfence}, 50},
		{"ntstore and sfence", []op{nt(line(0), 1)}, []op{sfence}, 1 + 90},
		{"ntstore when all buffers are in use", []op{nt(line(0), 1), nt(line(1), 1)}, []op{nt(line(2), 1)}, 0},
		{"ntstores faster than they are accepted", []op{nt(line(0), 1), nt(line(1), 1)}, []op{nt(line(2), 1), nt(line(3), 1), nt(line(4), 1)}, 20},
		{"ntstores and sfence: the last that was sent is waited for", []op{nt(line(0), 1), nt(line(1), 1), nt(line(2), 1)}, []op{sfence}, 20 + 90},
		{"clflush waits by itself", []op{ld(line(0)), st(line(0), 1), fl(line(0), cachemodel.CLFLUSH)}, []op{fence(cachemodel.Interrupt)}, 60},
	} {
		d := newDriver(t, round())
		for _, o := range c.before {
			d.do(o)
		}
		before := d.core.Stall
		for _, o := range c.events {
			d.do(o)
		}
		if got := d.core.Stall - before; got != c.want {
			t.Errorf("%s: %d cycles, want %d", c.name, got, c.want)
		}
	}
}

// What other cores have to do with a line shows in the stall of the core that
// wants it.
func TestStallCyclesAmongCores(t *testing.T) {
	a := phys.PMEMBase
	interrupt := fence(cachemodel.Interrupt)
	beyond := phys.Cycles(70 - 5)
	for _, c := range []struct {
		name   string
		before []event
		event  event
		want   phys.Cycles
	}{
		{"load of what another core loaded", []event{{0, ld(a)}}, event{1, ld(a)}, beyond + 25},
		{"load of what another core stored", []event{{0, st(a, 1)}, {0, interrupt}}, event{1, ld(a)}, beyond + 25},
		{"load of what another core has buffered", []event{{0, st(a, 1)}}, event{1, ld(a)}, beyond + 25},
		{"load of what the LLC got when two others shared it", []event{{0, st(a, 1)}, {1, ld(a)}}, event{2, ld(a)}, beyond},
		{"load by the core that stored it, shared since", []event{{0, st(a, 1)}, {1, ld(a)}}, event{0, ld(a)}, 0},
		{"store to what another core stored", []event{{0, st(a, 1)}, {0, interrupt}, {1, st(a, 2)}}, event{1, interrupt}, (beyond + 25) / 5},
		{"store to a line shared with another core", []event{{0, ld(a)}, {1, ld(a)}, {1, st(a, 1)}}, event{1, interrupt}, (beyond + 20) / 5},
		{"store to a line that was loaded alone", []event{{1, ld(a)}, {1, st(a, 1)}}, event{1, interrupt}, 0},
		{"load after another core's store", []event{{0, ld(a)}, {1, st(a, 1)}, {1, interrupt}}, event{0, ld(a)}, beyond + 25},
		{"load after another core's clflush", []event{{0, ld(a)}, {1, fl(a, cachemodel.CLFLUSH)}, {1, interrupt}}, event{0, ld(a)}, 300 - 5},
	} {
		cfg := round()
		cfg.Cores, cfg.CoreTransfer, cfg.CoreUpgrade = 3, 25, 20
		d := newDriver(t, cfg)
		for _, e := range c.before {
			d.on(e.core).do(e.op)
		}
		before := d.h.Core(c.event.core).Stall
		d.on(c.event.core).do(c.event.op)
		if got := d.core.Stall - before; got != c.want {
			t.Errorf("%s: %d cycles, want %d", c.name, got, c.want)
		}
		if err := d.h.CheckInvariants(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// The PMEM latency that an overhead curve sweeps reaches the stall cycles.
func TestPMEMLatencyOverride(t *testing.T) {
	var stall [2]phys.Cycles
	for i, ns := range []phys.Nanos{305, 1305} {
		cfg, _ := cachemodel.Preset("icx-g2")
		cfg.PMEMRead = ns
		d := newDriver(t, cfg)
		d.load(phys.PMEMBase, 8)
		stall[i] = d.core.Stall
	}
	if got := stall[1] - stall[0]; got < 2899 || got > 2901 {
		t.Errorf("1000 ns more at 2.9 GHz cost %d cycles more, want 2900", got)
	}
}

// Flush-on-fail writes back in the order asked for, every dirty PMEM line once.
func TestDrainOrders(t *testing.T) {
	// Even lines share one L1 set of two ways. After stores to 0, 4, 2, 6, 8, 10 the
	// L1 holds 10 and 8, the L2 6 and 2, the LLC 4 (one way: it pushed 0 out). The
	// DRAM line is odd and dirty, and not for the drain.
	ops := []op{st(phys.LineSize, 1)}
	for _, i := range []int{0, 4, 2, 6, 8, 10} {
		ops = append(ops, st(phys.PMEMBase+phys.Addr(i*phys.LineSize), 1), fence(cachemodel.Interrupt))
	}
	type at struct{ line, level int }
	for order, want := range map[cachemodel.DrainOrder][]at{
		cachemodel.DrainByLevel:   {{10, 0}, {8, 0}, {6, 1}, {2, 1}, {4, 2}},
		cachemodel.DrainByAddress: {{2, 1}, {4, 2}, {6, 1}, {8, 0}, {10, 0}},
		cachemodel.DrainLRUFirst:  {{4, 2}, {2, 1}, {6, 1}, {8, 0}, {10, 0}},
	} {
		d := newDriver(t, tiny(0))
		for _, o := range ops {
			d.do(o)
		}
		var got []at
		d.h.EachDirtyPMEM(order, nil, func(l phys.LineAddr, level int) bool {
			got = append(got, at{int(l - phys.PMEMBase.Line()), level})
			return true
		})
		if !slices.Equal(got, want) {
			t.Errorf("order %q: %v, want %v", order, got, want)
		}
		n := 0
		d.h.EachDirtyPMEM(order, nil, func(phys.LineAddr, int) bool { n++; return false })
		if n != 1 {
			t.Errorf("order %q went on after false", order)
		}
	}
}

// Every order lists the lines that the inventory counts.
func TestDrainOrdersAreComplete(t *testing.T) {
	for seed := range uint64(16) {
		cfg := tiny(8 | byte(seed))
		cfg.Cores = 1 + int(seed%3)
		d := newDriver(t, cfg)
		for _, e := range programs(sample(seed, "drain", 300), cfg.Cores) {
			d.on(e.core).do(e.op)
		}
		inv := d.h.Inventory()
		for _, order := range cachemodel.DrainOrders() {
			var count [cachemodel.Levels]int
			seen := map[phys.LineAddr]bool{}
			last, lastLevel := phys.LineAddr(0), 0
			d.h.EachDirtyPMEM(order, nil, func(l phys.LineAddr, level int) bool {
				if seen[l] || !l.IsPMEM() {
					t.Errorf("order %q: line %v again or not persistent", order, l.Addr())
				}
				if order == cachemodel.DrainByAddress && l < last || order == cachemodel.DrainByLevel && level < lastLevel {
					t.Errorf("order %q: line %v at level %d after %v at level %d", order, l.Addr(), level, last.Addr(), lastLevel)
				}
				seen[l], last, lastLevel = true, l, level
				count[level]++
				return true
			})
			if count != inv.DirtyPMEM {
				t.Errorf("order %q lists %v lines, the inventory counts %v", order, count, inv.DirtyPMEM)
			}
		}
	}
	if o, err := cachemodel.ParseDrainOrder("address"); err != nil || o != cachemodel.DrainByAddress {
		t.Errorf("address is read as %q, %v", o, err)
	}
	if _, err := cachemodel.ParseDrainOrder("random"); err == nil {
		t.Error("an unknown order is accepted")
	}
}
