package cachemodel_test

import (
	"bytes"
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/cachemodel/refmodel"
)

// counts returns the counters that both implementations keep.
func counts(s cachemodel.Stats) refmodel.Counts {
	return refmodel.Counts{
		PMEMReads: s.PMEMReads, DRAMReads: s.DRAMReads, PMEMWrites: s.PMEMWrites, DRAMWrites: s.DRAMWrites,
		Transfers: s.Transfers, Downgrades: s.Downgrades, Upgrades: s.Upgrades, Invalidated: s.Invalidations,
		L1Misses: s.L1LoadMisses + s.L1StoreMisses, L2Misses: s.L2Misses, LLCMisses: s.LLCMisses,
		WriteBacks:      [cachemodel.Levels]uint64{s.L1WriteBacks, s.L2WriteBacks, s.LLCWriteBacks},
		FlushWriteBacks: s.FlushWriteBacks,
		StoresCommitted: s.StoresCommitted, WCEvictions: s.WCEvictions, WCPartial: s.WCPartial, NTOp: s.NTStores,
	}
}

// compareRun runs a program on both implementations and compares loads,
// inventories, counters and, after every event, the images of some cuts (0 for
// every cut that losses has).
func compareRun(cfg cachemodel.Config, d *driver, events []event, cuts int) (images int, err error) {
	ref := refmodel.New(cfg)
	for i, e := range events {
		at := func(format string, args ...any) error {
			return fmt.Errorf("after event %d (%v): %s", i, e, fmt.Sprintf(format, args...))
		}
		if got, want := d.on(e.core).do(e.op), doRef(ref, e); !bytes.Equal(got, want) {
			return images, at("loaded %x, want %x", got, want)
		}
		if got, want := d.h.Inventory(), ref.Inventory(); got != want {
			return images, at("inventory %+v, want %+v", got, want)
		}
		if got := counts(d.h.Stats()); got != ref.Counts {
			return images, at("counters %+v, want %+v", got, ref.Counts)
		}
		if err := d.h.CheckInvariants(); err != nil {
			return images, at("%v", err)
		}
		if err := ref.Check(); err != nil {
			return images, at("reference: %v", err)
		}
		for _, loss := range d.someLosses(i, cuts) {
			images++
			if err := compareImages(d.image(loss), ref.Crash(loss)); err != nil {
				return images, at("keep %d, tear %b, WC lost %v, some WC kept %v, caches lost %v: %v",
					loss.KeepStores, loss.Tear, loss.WCLost, loss.WCKept != nil, loss.CachesLost != nil, err)
			}
		}
	}
	return images, nil
}

// someLosses picks what to compare after event i.
func (d *driver) someLosses(i, cuts int) (some []cachemodel.Loss) {
	var buffered []int
	for k := range d.h.Config().Cores {
		buffered = append(buffered, d.h.Core(k).BufferedStores())
	}
	if len(buffered) > 1 {
		return lossesAmong(buffered, uint64(i), max(cuts, 1))
	}
	all := losses(buffered[0], uint64(i))
	if cuts == 0 {
		return all
	}
	for k := range cuts {
		some = append(some, all[(i+k*17)%len(all)]) // 17 is coprime to what losses multiplies
	}
	return some
}

func listing(events []event) (s string) {
	for i, e := range events {
		s += fmt.Sprintf("%3d %v\n", i, e)
	}
	return s
}

// The crash image of every cut after every event of random programs is the one
// of the implementation that carries data.
func TestCrashImagesEqualReference(t *testing.T) {
	programs, images := 16, 0
	if testing.Short() {
		programs = 4
	}
	for seed := range uint64(programs) {
		choice := byte(seed)
		ops := program(sample(seed, "crash images", 80))
		cfg := tiny(choice)
		n, err := compareRun(cfg, newDriver(t, cfg), alone(ops), 0)
		images += n
		if err != nil {
			t.Fatalf("seed %d, configuration %d: %v", seed, choice, err)
		}
	}
	t.Logf("%d crash images of %d programs compared", images, programs)
}

// Longer programs, one cut an event.
func TestLongRunsEqualReference(t *testing.T) {
	for seed := range uint64(16) {
		cfg := tiny(byte(seed))
		if _, err := compareRun(cfg, newDriver(t, cfg), alone(program(sample(seed, "long", 1200))), 1); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

// The same on several cores: what reaches a core, and what a cut takes from
// whom.
func TestCoresEqualReference(t *testing.T) {
	programsEach := uint64(16)
	if testing.Short() {
		programsEach = 6
	}
	for _, cores := range []int{1, 2, 3, 8} {
		images := 0
		for seed := range programsEach {
			cfg := tiny(byte(seed))
			cfg.Cores = cores
			events := programs(sample(seed, fmt.Sprint("cores ", cores), 800), cores)
			n, err := compareRun(cfg, newDriver(t, cfg), events, 4)
			images += n
			if err != nil {
				t.Fatalf("%d cores, seed %d: %v", cores, seed, err)
			}
		}
		t.Logf("%d cores: %d crash images of %d programs compared", cores, images, programsEach)
	}
}

func FuzzCrashImage(f *testing.F) {
	for seed := range uint64(8) {
		f.Add(byte(seed*3), byte(seed), sample(seed, "corpus", 40))
	}
	f.Fuzz(func(t *testing.T, choice, cores byte, in []byte) {
		cfg := tiny(choice)
		cfg.Cores = 1 + int(cores%8)
		events := programs(in[:min(len(in), 60*eventSize)], cfg.Cores)
		if _, err := compareRun(cfg, newDriver(t, cfg), events, 5); err != nil {
			t.Fatalf("%v\n%s", err, listing(events))
		}
	})
}

// A fork in mid-run goes on like the original, and neither sees the other.
func TestForkEqualsUnforked(t *testing.T) {
	for seed := range uint64(32) {
		cfg := tiny(byte(seed))
		cfg.Cores = 1 + int(seed%4)
		events := programs(sample(seed, "fork", 400), cfg.Cores)
		whole := newDriver(t, cfg)
		for _, e := range events {
			whole.on(e.core).do(e.op)
		}
		want := whole.digest()

		parent := newDriver(t, cfg)
		var forks []*driver
		for i, e := range events {
			if i%97 == 50 {
				forks = append(forks, parent.fork())
				stray := parent.fork()
				for _, e := range events[len(events)-i:] { // another future
					stray.on(e.core).do(e.op)
				}
			}
			parent.on(e.core).do(e.op)
		}
		if got := parent.digest(); got != want {
			t.Fatalf("seed %d: the run with forks ends with %s, without with %s", seed, got, want)
		}
		for k, f := range forks {
			for _, e := range events[50+97*k:] {
				f.on(e.core).do(e.op)
			}
			if got := f.digest(); got != want {
				t.Fatalf("seed %d: fork %d ends with %s, the original with %s", seed, k, got, want)
			}
			if err := f.h.CheckInvariants(); err != nil {
				t.Fatalf("seed %d: fork %d: %v", seed, k, err)
			}
		}
	}
}

// A crash check leaves the hierarchy as it was.
func TestTakeBacksChangeNothing(t *testing.T) {
	for cores := 1; cores <= 3; cores += 2 {
		cfg := tiny(0)
		cfg.Cores = cores
		d := newDriver(t, cfg)
		for i, e := range programs(sample(1, "unchanged", 200), cores) {
			d.on(e.core).do(e.op)
			before := d.digest()
			for _, loss := range d.someLosses(i, 20) {
				d.image(loss)
			}
			if d.digest() != before {
				t.Fatalf("TakeBacks after event %d changed the hierarchy", i)
			}
		}
	}
}

// The MRU filter is only a shortcut: asking the model about every load gives the
// same state and the same stall cycles, on every core.
func TestMRUFilterChangesNothing(t *testing.T) {
	for seed := range uint64(64) {
		cfg := tiny(byte(seed))
		cfg.Cores = 1 + int(seed%4)
		a, b := newDriver(t, cfg), newDriver(t, cfg)
		b.noFilter = true
		for i, e := range programs(sample(seed, "mru", 800), cfg.Cores) {
			a.on(e.core).do(e.op)
			b.on(e.core).do(e.op)
			if a.core.Stall != b.core.Stall {
				t.Fatalf("seed %d: after event %d (%v) %d stall cycles with the filter, %d without",
					seed, i, e, a.core.Stall, b.core.Stall)
			}
		}
		if a.digest() != b.digest() {
			t.Fatalf("seed %d: the filter changes the state", seed)
		}
	}
}
