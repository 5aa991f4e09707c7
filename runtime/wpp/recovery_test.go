package wpp

import (
	"fmt"
	"math"
	"testing"

	"zhuque/sim"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// size is how large a process is that recovers.
type size struct {
	footprint   phys.Bytes // memory that it has touched
	threads     int
	mappings    int
	descriptors int // open, besides the three of the console
}

// cutProcess returns what a power cut leaves of a process of some size.
func cutProcess(t testing.TB, s size) *cutImage {
	t.Helper()
	r := fresh(t)
	m := guestUnder(t, r, "crowd", fmt.Sprint(s.threads), fmt.Sprint(s.descriptors))
	for n := uint64(500); len(m.Kernel().Threads()) < s.threads ||
		s.descriptors > 0 && m.Calls() <= uint64(s.descriptors); n += 500 {
		if stop := m.RunUntil(n); stop.Reason != sim.Reached {
			t.Fatalf("%d threads after %d instructions: %v", len(m.Kernel().Threads()), n, stop)
		}
	}
	p := m.Kernel().Processes()[0]
	at, frames := uint64(1<<40), phys.Addr(DataBase+1<<32)
	add := func(bytes phys.Bytes, prot mm.Prot) mm.VMA {
		v := mm.VMA{Start: at, End: at + uint64(bytes), Prot: prot, Kind: mm.Anon, Phys: frames}
		at, frames = at+uint64(bytes), frames+phys.Addr(bytes)
		return v
	}
	list := []mm.VMA{add(s.footprint, mm.Read|mm.Write)}
	for i := p.MM.Len() + 1; i < s.mappings; i++ {
		list = append(list, add(phys.PageSize, mm.Read|mm.Prot(i&1)*mm.Exec))
	}
	if err := p.MM.Install(list...); err != nil {
		t.Fatal(err)
	}
	page := &mem.Page{1, 2, 3}
	for f := list[0].Phys.Frame(); f < (list[0].Phys + phys.Addr(s.footprint)).Frame(); f++ {
		m.Durable().PMEM.Share(f, page)
	}
	if err := r.collect(m, keys(m)); err != nil {
		t.Fatal(err)
	}
	for _, rec := range r.log {
		r.put(m, rec.off, rec.value)
	}
	r.fence(m)
	d, _ := m.PowerCut(sim.Cut{})
	cfg := *m.Config()
	cfg.PMEMSize = 8 << 30 // the process has more than what it maps here
	return &cutImage{t: t, d: d, cfg: &cfg}
}

// recovered boots the image and returns how many bytes of PMEM the recovery read and wrote.
func (c *cutImage) recovered() (read, written uint64) {
	c.t.Helper()
	d := *c.d
	d.PMEM, d.Files = c.d.PMEM.Fork(), c.d.Files.Fork()
	rt := fresh(c.t)
	m, err := sim.Boot(&d, c.cfg, rt, sim.BootOptions{})
	if err != nil {
		c.t.Fatal(err)
	}
	defer m.Free()
	return rt.RecoveryRead(), 8 * m.CallSteps()
}

// A recovery reads what describes the process, once, and not its memory: the PMEM that it
// reads grows with threads, mappings and descriptors by a constant for each, and not with the
// footprint.
func TestRecoveryReadsWhatDescribesTheProcess(t *testing.T) {
	cost := func(s size) uint64 {
		read, written := cutProcess(t, s).recovered()
		if written > 1024 {
			t.Errorf("%+v: the recovery writes %d bytes", s, written)
		}
		return read
	}
	const page, gib = phys.PageSize, 1 << 30
	base := cost(size{page, 1, 10, 0})
	if large := cost(size{4 * gib, 1, 10, 0}); large != base {
		t.Errorf("with 4 KiB it reads %d bytes, with 4 GiB %d", base, large)
	}
	for _, n := range []int{1000, 100_000} {
		got, want := cost(size{page, 1, n, 0})-base, uint64(n-10)*2*cellSize
		if got != want {
			t.Errorf("%d mappings more: it reads %d bytes more, expected two cells each, %d", n-10, got, want)
		}
	}
	for _, n := range []int{999, 9999} {
		got, want := cost(size{page, 1, 10, n})-base, uint64(n/3)*7*cellSize
		if got != want {
			t.Errorf("%d descriptors more: it reads %d bytes more, expected seven cells for three, %d", n, got, want)
		}
	}
	two, many := cost(size{page, 2, 10, 0}), cost(size{page, 64, 10, 0})
	if each := float64(many-base) / 63; math.Abs(each-float64(two-base)) > 2*cellSize {
		t.Errorf("a second thread costs %d bytes, one of 63 more %.0f", two-base, each)
	}
}

// BenchmarkRecovery restarts processes of several sizes. A restart is the whole of sim.Boot;
// the floor is that of a process of a page.
func BenchmarkRecovery(b *testing.B) {
	const page, mib, gib = phys.PageSize, 1 << 20, 1 << 30
	for _, s := range []size{
		{page, 1, 10, 0}, {mib, 1, 10, 0}, {64 * mib, 1, 10, 0}, {gib, 1, 10, 0}, {4 * gib, 1, 10, 0},
		{page, 4, 10, 0}, {page, 16, 10, 0}, {page, 64, 10, 0},
		{page, 1, 100, 0}, {page, 1, 1000, 0}, {page, 1, 10_000, 0}, {page, 1, 100_000, 0},
		{page, 1, 10, 1}, {page, 1, 10, 100}, {page, 1, 10, 1000}, {page, 1, 10, 10_000}, {page, 1, 10, 100_000},
		{4 * gib, 64, 100_000, 100_000},
	} {
		b.Run(fmt.Sprintf("bytes=%d/threads=%d/mappings=%d/descriptors=%d", s.footprint, s.threads, s.mappings, s.descriptors), func(b *testing.B) {
			c := cutProcess(b, s)
			var read, written uint64
			for b.Loop() {
				read, written = c.recovered()
			}
			b.ReportMetric(float64(read), "PMEM-read-B")
			b.ReportMetric(float64(written), "PMEM-written-B")
		})
	}
}
