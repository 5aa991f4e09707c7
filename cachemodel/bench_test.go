package cachemodel_test

import (
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

func newBench(b *testing.B) *driver {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		b.Fatal(err)
	}
	return newDriver(b, cfg)
}

// touch is the port's way to load.
func touch(c *cachemodel.Core, l phys.LineAddr) {
	if c.MRU[l&c.MRUMask&63] != l {
		c.Load(l)
	}
}

const pmemLine = phys.LineAddr(phys.PMEMBase >> phys.LineShift)

func BenchmarkLoadMRU(b *testing.B) {
	c := newBench(b).core
	for i := 0; b.Loop(); i++ {
		touch(c, pmemLine+phys.LineAddr(i&63))
	}
}

// loads cycles through n lines that share an L1 set (64 sets) and, with 1024 in
// between, an L2 set.
func loads(b *testing.B, n int, stride phys.LineAddr) {
	c := newBench(b).core
	for range 2 {
		for i := range n {
			touch(c, pmemLine+phys.LineAddr(i)*stride)
		}
	}
	i := 0
	for b.Loop() {
		touch(c, pmemLine+phys.LineAddr(i)*stride)
		if i++; i == n {
			i = 0
		}
	}
}

func BenchmarkLoadL1(b *testing.B)     { loads(b, 8, 64) }
func BenchmarkLoadL2(b *testing.B)     { loads(b, 24, 64) }
func BenchmarkLoadLLC(b *testing.B)    { loads(b, 40, 1024) }
func BenchmarkLoadMemory(b *testing.B) { loads(b, 1<<20, 1) }

func BenchmarkStoreHit(b *testing.B) {
	c := newBench(b).core
	for i := 0; b.Loop(); i++ {
		if c.SB.Push(phys.PMEMBase+phys.Addr(i&0xff8), 8, 1, 0) {
			c.Pushed()
		}
	}
}

// benchCores runs a benchmark with several numbers of cores.
func benchCores(b *testing.B, fn func(b *testing.B, d *driver, cores int)) {
	for _, cores := range []int{1, 2, 8} {
		b.Run(fmt.Sprint(cores, "cores"), func(b *testing.B) {
			cfg, err := cachemodel.Preset("")
			if err != nil {
				b.Fatal(err)
			}
			cfg.Cores = cores
			fn(b, newDriver(b, cfg), cores)
		})
	}
}

// One core stores to its own lines while the others are idle.
func BenchmarkStoreHitAmongCores(b *testing.B) {
	benchCores(b, func(b *testing.B, d *driver, _ int) {
		c := d.core
		for i := 0; b.Loop(); i++ {
			if c.SB.Push(phys.PMEMBase+phys.Addr(i&0xff8), 8, 1, 0) {
				c.Pushed()
			}
		}
	})
}

// One core loads lines of its L1 that the filter does not hold.
func BenchmarkLoadL1AmongCores(b *testing.B) {
	benchCores(b, func(b *testing.B, d *driver, _ int) {
		for i := 0; b.Loop(); i++ {
			touch(d.core, pmemLine+phys.LineAddr(i&7)*64)
		}
	})
}

// All cores store to one line in turn and load it first.
func BenchmarkPingPong(b *testing.B) {
	benchCores(b, func(b *testing.B, d *driver, cores int) {
		d.mem.line(pmemLine)
		for i := 0; b.Loop(); i++ {
			c := d.h.Core(i % cores)
			touch(c, pmemLine)
			if c.SB.Push(phys.PMEMBase, 8, 1, 0) {
				c.Pushed()
			}
		}
	})
}

// Every store dirties a clean line; once the caches are full it pushes a dirty one out of the LLC.
func BenchmarkStoreMiss(b *testing.B) {
	d := newBench(b)
	for i := range phys.LineAddr(1 << 20) {
		d.mem.line(pmemLine + i)
	}
	for i := 0; b.Loop(); i++ {
		if d.core.SB.Push(phys.PMEMBase+phys.Addr(i&(1<<20-1))<<phys.LineShift, 8, 1, 0) {
			d.core.Pushed()
		}
	}
}

func BenchmarkPersist(b *testing.B) {
	d := newBench(b)
	for b.Loop() {
		d.core.SB.Push(phys.PMEMBase, 8, 1, 0)
		d.core.Flush(pmemLine, cachemodel.CLWB)
		d.core.Fence(cachemodel.SFENCE)
	}
}

// dirtyMachine has about n dirty PMEM lines and a full store buffer.
func dirtyMachine(b *testing.B, n int) *driver {
	d := newBench(b)
	for i := range n {
		d.store(phys.PMEMBase+phys.Addr(i)<<phys.LineShift, []byte{1})
	}
	return d
}

func BenchmarkNew(b *testing.B) {
	cfg, _ := cachemodel.Preset("")
	b.ReportAllocs()
	for b.Loop() {
		if _, err := cachemodel.New(cfg, flat{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFork(b *testing.B) {
	d := dirtyMachine(b, 20_000)
	b.ReportAllocs()
	for b.Loop() {
		d.h.Fork(d.mem)
	}
}

func takeBacks(b *testing.B, loss cachemodel.Loss) {
	d := dirtyMachine(b, 20_000)
	n := 0
	b.ReportAllocs()
	for b.Loop() {
		d.h.Inventory()
		d.h.TakeBacks(loss, func(phys.Addr, []byte) { n++ })
	}
	b.ReportMetric(float64(n)/float64(b.N), "put/op")
}

func BenchmarkTakeBacksDrained(b *testing.B) { takeBacks(b, cachemodel.Loss{KeepStores: []int{-1}}) }

func BenchmarkTakeBacksStoresLost(b *testing.B) {
	takeBacks(b, cachemodel.Loss{KeepStores: []int{0}, WCLost: true})
}

func BenchmarkTakeBacksCachesLost(b *testing.B) {
	takeBacks(b, cachemodel.Loss{CachesLost: func(phys.LineAddr) bool { return true }})
}
