package crashinject

import (
	"fmt"
	"strings"
	"testing"

	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// cost runs a situation to its end and returns what the runtime has spent and how many
// lines have reached persistent memory.
func cost(b *testing.B, text, flush string) (spent wpp.Spent, lines uint64) {
	s, err := parseSituation(text, "")
	if err != nil {
		b.Fatal(err)
	}
	setup := s.setup(b)
	cfg, err := setup.Config(nil)
	if err != nil {
		b.Fatal(err)
	}
	rt, err := wpp.New("")
	if err != nil {
		b.Fatal(err)
	}
	if flush == FlushRuntime {
		rt.WriteBack()
	}
	m, err := sim.New(cfg, rt)
	if err != nil {
		b.Fatal(err)
	}
	if stop := m.Run(); !stop.Ended() {
		b.Fatal(stop)
	}
	return rt.Spent(), m.Hierarchy().Stats().PMEMWrites
}

// BenchmarkCallCost is what the runtime adds to one system call, in modelled cycles (all,
// and those of the copy at kernel entry), bytes stored to its tables, and bytes that reach
// persistent memory at once. It is not a matter of the host's time: figures are exact.
func BenchmarkCallCost(b *testing.B) {
	const times = 100
	for _, c := range []struct{ name, text string }{
		{"getpid", "getpid; "},
		{"write", `pwrite64 3 "0123456789" 10 0; `},
		{"mmap", "mmap 0 0x1000 3 0x22 -1 0; "},
		{"munmap", "munmap last 0x1000; mmap 0 0x1000 3 0x22 -1 0; "},
	} {
		for _, flush := range []string{FlushNone, FlushRuntime} {
			b.Run(fmt.Sprintf("%s/flush=%s", c.name, flush), func(b *testing.B) {
				const before = `getpid: getpid; open "/tmp/a" 0x42 0600; write 3 "x" 1; mmap 0 0x1000 3 0x22 -1 0; `
				for b.Loop() {
					with, lines := cost(b, before+strings.Repeat(c.text, 2*times), flush)
					without, fewer := cost(b, before+strings.Repeat(c.text, times), flush)
					each := func(a, b phys.Cycles) float64 { return float64(a-b) / times }
					b.ReportMetric(each(with.Total(), without.Total()), "cycles/round")
					b.ReportMetric(each(with.Entry, without.Entry), "entry-cycles/round")
					b.ReportMetric(8*float64(with.Stores-without.Stores)/times, "stored-B/round")
					b.ReportMetric(phys.LineSize*float64(lines-fewer)/times, "PMEM-B/round")
				}
			})
		}
	}
}
