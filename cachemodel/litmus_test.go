package cachemodel_test

import (
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// The litmus tests of the persistency rules that need one core. x, y and z lie
// in different PMEM lines; x2 is in x's line.
var (
	litX  = phys.PMEMBase
	litX2 = phys.PMEMBase + 8
	litY  = phys.PMEMBase + 5*phys.LineSize
	litZ  = phys.PMEMBase + 10*phys.LineSize
)

func st(a phys.Addr, v byte) op { return op{opStore, a, []byte{v, 0, 0, 0, 0, 0, 0, 0}} }
func nt(a phys.Addr, v byte) op { return op{opNT, a, []byte{v, 0, 0, 0, 0, 0, 0, 0}} }
func fl(a phys.Addr, k cachemodel.FlushKind) op {
	return op{kind: opFlush + opKind(k), addr: a}
}
func fence(k cachemodel.FenceKind) op { return op{kind: opFence + opKind(k)} }

var (
	sfence  = fence(cachemodel.SFENCE)
	wide    = op{opStore, litX, []byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0}}
	wideNT  = op{opNT, litX, wide.data}
	aligned = op{opStore, litX, []byte{1, 1, 1, 1, 1, 1, 1, 1}}
)

const (
	allowed   = true
	forbidden = false
)

type litmus struct {
	name    string
	program []op
	atEnd   bool // the cut comes after the last event; otherwise anywhere
	outcome func(x, x2, y byte) bool
	adr     bool
	eadr    bool
	mayTear bool // worth cutting stores in parts
}

func lostXKeptY(x, _, y byte) bool { return x == 0 && y == 1 }

func xIs(v byte) func(x, x2, y byte) bool {
	return func(x, _, _ byte) bool { return x == v }
}

func torn(x, x2, _ byte) bool { return x != x2 }

var litmusTests = []litmus{
	{"1: x=1; y=1", []op{st(litX, 1), st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"2: x=1; clwb x; sfence; y=1", []op{st(litX, 1), fl(litX, cachemodel.CLWB), sfence, st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"2 with clflushopt", []op{st(litX, 1), fl(litX, cachemodel.CLFLUSHOPT), sfence, st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"2 with mfence", []op{st(litX, 1), fl(litX, cachemodel.CLWB), fence(cachemodel.MFENCE), st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"2 with an interrupt for the fence", []op{st(litX, 1), fl(litX, cachemodel.CLWB), fence(cachemodel.Interrupt), st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"2 with cpuid for the fence", []op{st(litX, 1), fl(litX, cachemodel.CLWB), fence(cachemodel.Serialize), st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"3: same line x=1; x2=1", []op{st(litX, 1), st(litX2, 1)}, false,
		func(x, x2, _ byte) bool { return x == 0 && x2 == 1 }, forbidden, forbidden, false},
	{"4: x=1; clwb x; y=1", []op{st(litX, 1), fl(litX, cachemodel.CLWB), st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"5: x=1; clflush x; y=1", []op{st(litX, 1), fl(litX, cachemodel.CLFLUSH), st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"6: clwb x; x=1; sfence; y=1", []op{fl(litX, cachemodel.CLWB), st(litX, 1), sfence, st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"7: x=1; clwb x; lock xadd z; y=1", []op{st(litX, 1), fl(litX, cachemodel.CLWB), fence(cachemodel.Locked), st(litZ, 1),
		fence(cachemodel.Locked), st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"8: x=1; clwb x; lfence; y=1", []op{st(litX, 1), fl(litX, cachemodel.CLWB), fence(cachemodel.LFENCE), st(litY, 1)}, false, lostXKeptY, allowed, forbidden, false},
	{"11: movnti x,1; y=1", []op{nt(litX, 1), st(litY, 1)}, false, lostXKeptY, allowed, allowed, false},
	{"12: movnti x,1; sfence; y=1", []op{nt(litX, 1), sfence, st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"13: x=1; print", []op{st(litX, 1)}, true, xIs(0), allowed, allowed, false},
	{"14: x=1; sfence; print", []op{st(litX, 1), sfence}, true, xIs(0), allowed, forbidden, false},
	{"15: aligned 8-byte store torn", []op{aligned}, false, nil, forbidden, forbidden, true},
	{"16: 16-byte store torn at 8 B", []op{wide}, false, torn, allowed, allowed, true},
	{"16 with movntdq", []op{wideNT}, false, torn, allowed, allowed, false},
	{"17: x=1; clwb x; x=2; sfence: x=0", flushBetween, true, xIs(0), forbidden, forbidden, false},
	{"17: x=1; clwb x; x=2; sfence: x=1", flushBetween, true, xIs(1), allowed, forbidden, false},
	{"17: x=1; clwb x; x=2; sfence: x=2", flushBetween, true, xIs(2), allowed, allowed, false},
	{"rule 5: x=1; clflush x; movnti y,1", []op{st(litX, 1), fl(litX, cachemodel.CLFLUSH), nt(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
	{"rule 10, same address: movnti x,1; x=2; sfence", []op{nt(litX, 1), st(litX, 2), sfence}, true, xIs(0), forbidden, forbidden, false},
	{"rule 10, same address: x=1; movnti x,2", []op{st(litX, 1), nt(litX, 2), st(litY, 1)}, false, lostXKeptY, forbidden, forbidden, false},
}

var flushBetween = []op{st(litX, 1), fl(litX, cachemodel.CLWB), st(litX, 2), sfence}

// What may happen between two instructions without the program's doing.
const (
	nothing    = iota
	interrupts // drain the store buffer
	pressure   // other lines push everything out of the caches
	gapEvents
)

// explore runs a litmus test over every choice that the model has: store
// buffers that hold 1 or 4 entries, interrupts and evictions in every gap, every
// cut and every loss. It reports whether the outcome was seen.
func (lt *litmus) explore(t *testing.T, eadr bool) (seen bool, images int) {
	gaps := 1
	for range lt.program[1:] {
		gaps *= gapEvents
	}
	for _, evicts := range []bool{false, true} {
		for _, entries := range []int{1, 4} {
			cfg := tiny(2)
			cfg.CLWBEvicts, cfg.StoreBuffer = evicts, entries
			for plan := range gaps {
				d := newDriver(t, cfg)
				for i, o := range lt.program {
					d.do(o)
					if !lt.atEnd || i == len(lt.program)-1 {
						s, n := lt.cut(d, eadr)
						seen, images = seen || s, images+n
					}
					d.gap(plan % gapEvents)
					plan /= gapEvents
				}
			}
		}
	}
	return seen, images
}

func (d *driver) gap(event int) {
	switch event {
	case pressure:
		for i := range phys.Addr(6) {
			d.load(litZ+(20+i)*phys.LineSize, 8)
		}
	case interrupts:
		d.core.Fence(cachemodel.Interrupt)
	}
}

// cut tries every loss at this place.
func (lt *litmus) cut(d *driver, eadr bool) (seen bool, images int) {
	lines := []phys.LineAddr{litX.Line(), litY.Line()} // z is always lost
	subsets, tears, wcs := 1<<len(lines), uint8(1), 1
	if eadr {
		subsets = 1
	}
	if lt.mayTear {
		tears = 4
	}
	if d.h.Inventory().WCEntries > 0 {
		wcs = 5 // kept, lost, or one or both of the first pieces kept
	}
	for lost := range subsets {
		for keep := -1; keep <= d.h.Inventory().BufferedStores; keep++ {
			for tear := range tears {
				for wc := range wcs {
					loss := cachemodel.Loss{KeepStores: []int{keep}, Tear: []uint8{tear}, WCLost: wc > 0}
					if wc > 0 {
						loss.WCKept = func(_ phys.LineAddr, piece int) bool { return (wc-1)>>piece&1 != 0 }
					}
					if !eadr {
						loss.CachesLost = func(l phys.LineAddr) bool {
							for i := range lines {
								if lines[i] == l {
									return lost>>i&1 != 0
								}
							}
							return true
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

func (lt *litmus) holds(f flat) bool {
	if lt.outcome == nil { // the eight bytes are not all equal
		b := f.get(litX, 8)
		for _, v := range b {
			if v != b[0] {
				return true
			}
		}
		return false
	}
	return lt.outcome(f.get(litX, 1)[0], f.get(litX2, 1)[0], f.get(litY, 1)[0])
}

func TestLitmus(t *testing.T) {
	for _, lt := range litmusTests {
		for _, domain := range []struct {
			name string
			eadr bool
			want bool
		}{{"ADR", false, lt.adr}, {"eADR", true, lt.eadr}} {
			t.Run(fmt.Sprintf("%s/%s", lt.name, domain.name), func(t *testing.T) {
				seen, images := lt.explore(t, domain.eadr)
				if seen != domain.want {
					t.Errorf("outcome seen: %v, want %v, in %d crash images", seen, domain.want, images)
				}
			})
		}
	}
}
