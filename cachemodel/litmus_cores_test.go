package cachemodel_test

import (
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// thread is what one core does: all of ops, or nothing after a first load of
// flag that gives 0.
type thread struct {
	flag phys.Addr // 0: no condition
	ops  []op
}

func run(ops ...op) thread                   { return thread{0, ops} }
func after(flag phys.Addr, ops ...op) thread { return thread{flag, ops} }

func ld(a phys.Addr) op { return op{opLoad, a, make([]byte, 8)} }

var mfence, locked = fence(cachemodel.MFENCE), fence(cachemodel.Locked)

// The litmus tests of two cores: numbers 9 and 10 of the persistency rules, and
// the others with a second core that has seen what the first one stored.
var coreLitmusTests = []struct {
	name    string
	threads [2]thread
	atEnd   bool
	outcome func(x, x2, y byte) bool
	adr     bool
	eadr    bool
}{
	{"9: T1 x=1. T2 if(x){y=1; clwb y; sfence}",
		[2]thread{run(st(litX, 1)), after(litX, st(litY, 1), fl(litY, cachemodel.CLWB), sfence)}, false, lostXKeptY, allowed, forbidden},
	{"10: T1 x=1. T2 if(x){clwb x; sfence; y=1}",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLWB), sfence, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"10 with clflushopt and mfence",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLFLUSHOPT), mfence, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"10, the line in the other core's cache: T1 x=1; z=1. T2 if(z){clwb x; sfence; y=1}",
		[2]thread{run(st(litX, 1), st(litZ, 1)), after(litZ, fl(litX, cachemodel.CLWB), sfence, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"10, the line in the other core's cache: T1 x=1; z=1. T2 if(z){clflush x; y=1}",
		[2]thread{run(st(litX, 1), st(litZ, 1)), after(litZ, fl(litX, cachemodel.CLFLUSH), st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"10, the line in the other core's cache: T1 x=1; z=1. T2 if(z){movnti x2,1; y=1}",
		[2]thread{run(st(litX, 1), st(litZ, 1)), after(litZ, nt(litX2, 1), st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"1: T1 x=1. T2 if(x){y=1}",
		[2]thread{run(st(litX, 1)), after(litX, st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"2: T1 x=1; clwb x; sfence; z=1. T2 if(z){y=1}",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB), sfence, st(litZ, 1)), after(litZ, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"3, same line: T1 x=1. T2 if(x){x2=1}",
		[2]thread{run(st(litX, 1)), after(litX, st(litX2, 1))}, false,
		func(x, x2, _ byte) bool { return x == 0 && x2 == 1 }, forbidden, forbidden},
	{"4: T1 x=1. T2 if(x){clwb x; y=1}",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLWB), st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"5: T1 x=1. T2 if(x){clflush x; y=1}",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLFLUSH), st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"6, unsynchronized: T1 x=1. T2 clwb x; sfence; y=1",
		[2]thread{run(st(litX, 1)), run(fl(litX, cachemodel.CLWB), sfence, st(litY, 1))}, false, lostXKeptY, allowed, allowed},
	{"7: T1 x=1. T2 if(x){clwb x; lock xadd z; y=1}",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLWB), locked, st(litZ, 1), locked, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"8: T1 x=1. T2 if(x){clwb x; lfence; y=1}",
		[2]thread{run(st(litX, 1)), after(litX, fl(litX, cachemodel.CLWB), fence(cachemodel.LFENCE), st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"rule 6, the barrier of another core: T1 x=1; clwb x. T2 if(x){sfence; y=1}",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB)), after(litX, sfence, st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"rule 6, a locked instruction of another core: T1 x=1; clwb x. T2 if(x){lock xadd z; y=1}",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB)), after(litX, locked, st(litZ, 1), locked, st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"11: T1 movnti x,1. T2 if(x){y=1}: visible and persistent together",
		[2]thread{run(nt(litX, 1)), after(litX, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"11: T1 movnti x,1; z=1. T2 if(z){y=1}",
		[2]thread{run(nt(litX, 1), st(litZ, 1)), after(litZ, st(litY, 1))}, false, lostXKeptY, allowed, allowed},
	{"12: T1 movnti x,1; sfence; z=1. T2 if(z){y=1}",
		[2]thread{run(nt(litX, 1), sfence, st(litZ, 1)), after(litZ, st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"12, the barrier of another core: T1 movnti x,1; z=1. T2 if(z){sfence; y=1}",
		[2]thread{run(nt(litX, 1), st(litZ, 1)), after(litZ, sfence, st(litY, 1))}, false, lostXKeptY, allowed, allowed},
	{"rule 10: T1 movnti x,1. T2 if(x){x=2; y=1}: x=0",
		[2]thread{run(nt(litX, 1)), after(litX, st(litX, 2), st(litY, 1))}, false, lostXKeptY, forbidden, forbidden},
	{"14: T1 x=1; sfence; z=1. T2 if(z){y=1}",
		[2]thread{run(st(litX, 1), sfence, st(litZ, 1)), after(litZ, st(litY, 1))}, false, lostXKeptY, allowed, forbidden},
	{"17: T1 x=1; clwb x; sfence. T2 if(x){x=2}: x=0",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB), sfence), after(litX, st(litX, 2))}, true, xIs(0), forbidden, forbidden},
	{"17: T1 x=1; clwb x; sfence. T2 if(x){x=2; mfence}: x=1",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB), sfence), after(litX, st(litX, 2), mfence)}, true, xIs(1), allowed, allowed},
	{"two flushes: T1 x=1; clwb x. T2 if(x){x=2; clwb x; sfence; y=1}: x<2",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB)),
			after(litX, st(litX, 2), fl(litX, cachemodel.CLWB), sfence, st(litY, 1))}, false,
		func(x, _, y byte) bool { return x < 2 && y == 1 }, forbidden, forbidden},
	{"two flushes, the older barrier last: T1 x=1; clwb x; sfence. T2 if(x){x=2; clwb x; sfence; y=1}: x<2",
		[2]thread{run(st(litX, 1), fl(litX, cachemodel.CLWB), sfence),
			after(litX, st(litX, 2), fl(litX, cachemodel.CLWB), sfence, st(litY, 1))}, false,
		func(x, _, y byte) bool { return x < 2 && y == 1 }, forbidden, forbidden},
	{"message passing: T1 x=1; y=1. T2 if(y){clwb y; sfence; x2=1}",
		[2]thread{run(st(litX, 1), st(litY, 1)), after(litY, fl(litY, cachemodel.CLWB), sfence)}, false, lostXKeptY, allowed, forbidden},
}

// A gap between two events may let one core be interrupted, or push everything
// out of its caches.
type coreGap struct{ at, core, event int }

// gapPlans are all ways to have at most one thing happen in at most one gap.
func gapPlans(events int) []coreGap {
	plans := []coreGap{{event: nothing}}
	for at := range events {
		for core := range 2 {
			plans = append(plans, coreGap{at, core, interrupts}, coreGap{at, core, pressure})
		}
	}
	return plans
}

// interleavings calls fn with every order of n steps of core 0 and m of core 1.
func interleavings(n, m int, order []int, fn func([]int)) {
	if n == 0 && m == 0 {
		fn(order)
		return
	}
	if n > 0 {
		interleavings(n-1, m, append(order, 0), fn)
	}
	if m > 0 {
		interleavings(n, m-1, append(order, 1), fn)
	}
}

// steps returns the events of a thread, the load of its flag included.
func (t thread) steps() []op {
	if t.flag == 0 {
		return t.ops
	}
	return append([]op{ld(t.flag)}, t.ops...)
}

func TestLitmusOfTwoCores(t *testing.T) {
	for _, lt := range coreLitmusTests {
		for _, domain := range []struct {
			name string
			eadr bool
			want bool
		}{{"ADR", false, lt.adr}, {"eADR", true, lt.eadr}} {
			t.Run(fmt.Sprintf("%s/%s", lt.name, domain.name), func(t *testing.T) {
				one := litmus{outcome: lt.outcome}
				seen, images := false, 0
				steps := [2][]op{lt.threads[0].steps(), lt.threads[1].steps()}
				total := len(steps[0]) + len(steps[1])
				interleavings(len(steps[0]), len(steps[1]), nil, func(order []int) {
					for _, gap := range gapPlans(total) {
						for choice := range 4 {
							s, n := one.twoCores(t, lt.threads, steps, order, gap, choice, domain.eadr, lt.atEnd)
							seen, images = seen || s, images+n
						}
					}
				})
				if seen != domain.want {
					t.Errorf("outcome seen: %v, want %v, in %d crash images", seen, domain.want, images)
				}
			})
		}
	}
}

// twoCores runs one interleaving and tries every cut.
func (lt *litmus) twoCores(t *testing.T, threads [2]thread, steps [2][]op,
	order []int, gap coreGap, choice int, eadr, atEnd bool) (seen bool, images int) {
	cfg := tiny(2)
	cfg.Cores, cfg.CLWBEvicts, cfg.StoreBuffer = 2, choice&1 != 0, []int{1, 4}[choice>>1]
	d := newDriver(t, cfg)
	var next [2]int
	var skip [2]bool
	for i, core := range order {
		o := steps[core][next[core]]
		if !skip[core] {
			got := d.on(core).do(o)
			skip[core] = next[core] == 0 && threads[core].flag != 0 && got[0] == 0
		}
		next[core]++
		if !atEnd || i == len(order)-1 {
			s, n := lt.cutCores(d, eadr)
			seen, images = seen || s, images+n
		}
		if gap.event != nothing && gap.at == i {
			d.on(gap.core).gap(gap.event)
		}
	}
	return seen, images
}

// cutCores tries every loss of both cores' buffers and of the lines of x and y.
func (lt *litmus) cutCores(d *driver, eadr bool) (seen bool, images int) {
	subsets, wcs := 4, 1
	if eadr {
		subsets = 1
	}
	if d.h.Inventory().WCEntries > 0 {
		wcs = 2
	}
	for keep0 := 0; keep0 <= d.h.Core(0).BufferedStores(); keep0++ {
		for keep1 := 0; keep1 <= d.h.Core(1).BufferedStores(); keep1++ {
			for lost := range subsets {
				for wc := range wcs {
					loss := cachemodel.Loss{KeepStores: []int{keep0, keep1}, WCLost: wc > 0}
					if !eadr {
						loss.CachesLost = func(l phys.LineAddr) bool {
							return l != litX.Line() && l != litY.Line() || l == litX.Line() && lost&1 != 0 || l == litY.Line() && lost&2 != 0
						}
					}
					images++
					seen = seen || lt.holds(d.image(loss))
				}
			}
		}
	}
	return seen, images
}

// What loads can see of TSO: stores take effect for loads in one global order at
// once, so the one outcome that TSO adds to sequential consistency, both loads of
// the store-buffering test giving 0, is not produced; see the package comment.
func TestStoreBufferingOfTwoCores(t *testing.T) {
	seen := map[[2]byte]bool{}
	steps := [2][]op{{st(litX, 1), ld(litY)}, {st(litY, 1), ld(litX)}}
	interleavings(2, 2, nil, func(order []int) {
		cfg := tiny(2)
		cfg.Cores = 2
		d := newDriver(t, cfg)
		var next [2]int
		var loaded [2]byte
		for _, core := range order {
			if got := d.on(core).do(steps[core][next[core]]); got != nil {
				loaded[core] = got[0]
			}
			next[core]++
		}
		seen[loaded] = true
	})
	if seen[[2]byte{0, 0}] || len(seen) != 3 {
		t.Errorf("loads gave %v, want every outcome but 0 and 0", seen)
	}
}
