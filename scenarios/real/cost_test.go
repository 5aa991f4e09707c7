package real

import (
	"testing"

	"zhuque/crashinject"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// BenchmarkRuntimeCost is what the runtime adds to whole programs: its share of the modelled
// cycles, that of the copy at kernel entry alone, the calls, and megabytes that reached
// persistent memory, without and with its own lines written back. Its figures are exact,
// and not a matter of the host's time.
func BenchmarkRuntimeCost(b *testing.B) {
	root := software(b)
	python := run{name: "cost-python", args: []string{"/usr/bin/python3.11", "-c", "pass"}}
	for _, p := range []struct {
		name  string
		setup func() crashinject.Setup
	}{
		{"python3 -c pass", func() crashinject.Setup { return python.setup(root, python.prepare(b, root)) }},
		{"busybox sort", func() crashinject.Setup { s, _ := workloads[1].setup(b); return s }},
	} {
		for _, flush := range []string{crashinject.FlushNone, crashinject.FlushRuntime} {
			b.Run(p.name+"/flush="+flush, func(b *testing.B) {
				for b.Loop() {
					setup := p.setup()
					cfg, err := setup.Config(nil)
					if err != nil {
						b.Fatal(err)
					}
					rt, err := wpp.New("")
					if err != nil {
						b.Fatal(err)
					}
					if flush == crashinject.FlushRuntime {
						rt.WriteBack()
					}
					m, err := sim.New(cfg, rt)
					if err != nil {
						b.Fatal(err)
					}
					if stop := m.Run(); stop.ExitCode() != 0 {
						b.Fatal(stop)
					}
					spent := rt.Spent()
					// A store, flush or fence of the runtime is a cycle that Cycles does not count.
					all := m.Cycles() + phys.Cycles(spent.Stores+spent.Flushes+spent.Fences)
					b.ReportMetric(100*float64(spent.Entry)/float64(all), "entry-%")
					b.ReportMetric(100*float64(spent.Total())/float64(all), "runtime-%")
					b.ReportMetric(float64(m.Calls()), "calls")
					b.ReportMetric(float64(all)/1e6, "Mcycles")
					b.ReportMetric(phys.LineSize*float64(m.Hierarchy().Stats().PMEMWrites)/1e6, "PMEM-MB")
				}
			})
		}
	}
}
