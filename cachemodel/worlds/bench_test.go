package worlds_test

import (
	"testing"

	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// zeros is a memory that shows zeros: the benchmarks measure the record alone.
type zeros struct{}

func (zeros) ReadLine(_ phys.LineAddr, dst *[phys.LineSize]byte) { *dst = [phys.LineSize]byte{} }

var eight = []byte{1, 2, 3, 4, 5, 6, 7, 8}

// A store to a line that is open.
func BenchmarkStoreOpenLine(b *testing.B) {
	m := worlds.New(worlds.Config{}, zeros{})
	b.ReportAllocs()
	for i := range b.N {
		if i%64 == 0 {
			m = worlds.New(worlds.Config{}, zeros{})
		}
		m.Store(0, lineOf(0)+phys.Addr(i%8*8), eight, 1)
	}
}

// A store that opens a line, its flush and the fence that closes it.
func BenchmarkStoreFlushFence(b *testing.B) {
	m := worlds.New(worlds.Config{}, zeros{})
	b.ReportAllocs()
	for i := range b.N {
		a := lineOf(i % 1024)
		m.Store(0, a, eight, 1)
		m.Flush(0, a.Line(), worlds.CLWB, 2)
		m.Fence(0, worlds.SFENCE, 3)
	}
}

// A flush of a line that has nothing to write back.
func BenchmarkFlushClean(b *testing.B) {
	m := worlds.New(worlds.Config{}, zeros{})
	b.ReportAllocs()
	for i := range b.N {
		m.Flush(0, lineOf(i%1024).Line(), worlds.CLWB, 2)
	}
}

// A buffered store under eADR.
func BenchmarkStoreEADR(b *testing.B) {
	m := worlds.New(worlds.Config{Domain: worlds.EADR, StoreBuffer: 56}, zeros{})
	b.ReportAllocs()
	for i := range b.N {
		m.Store(0, lineOf(i%1024), eight, 1)
	}
}

// open returns a world with n open lines.
func open(n int) *worlds.Memory {
	m := worlds.New(worlds.Config{}, zeros{})
	for i := range n {
		m.Store(0, lineOf(i), eight, 1)
	}
	return m.Cut(zeros{}, worlds.Open)
}

// A load of an open line that comes out in two ways.
func BenchmarkOpenLoad(b *testing.B) {
	m := open(1000)
	var dst [8]byte
	b.ReportAllocs()
	for i := range b.N {
		if len(m.Read(0, lineOf(i%1000), dst[:])) != 2 {
			b.Fatal("not open")
		}
	}
}

// A load of a line that is in the record, of bytes that are decided.
func BenchmarkDecidedLoad(b *testing.B) {
	m := open(1000)
	var dst [8]byte
	b.ReportAllocs()
	for i := range b.N {
		if m.Read(0, lineOf(i%1000)+32, dst[:]) != nil {
			b.Fatal("open")
		}
	}
}

// A fork of a world with 1,000 and with 100,000 open lines, with one choice taken
// in it.
func benchmarkFork(b *testing.B, lines int) {
	m := open(lines)
	var dst [8]byte
	choices := m.Read(0, lineOf(0), dst[:])
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		m.Fork(zeros{}).Narrow(choices[0], 1)
	}
}

func BenchmarkForkAndNarrow1000(b *testing.B)   { benchmarkFork(b, 1000) }
func BenchmarkForkAndNarrow100000(b *testing.B) { benchmarkFork(b, 100_000) }
