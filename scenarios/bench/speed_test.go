package bench

import (
	"fmt"
	"testing"
)

// BenchmarkGuest is the cost of a guest instruction in each workload, with the
// cache model and without, in processor time.
func BenchmarkGuest(b *testing.B) {
	for _, w := range Workloads() {
		for _, caches := range []bool{false, true} {
			b.Run(fmt.Sprintf("%s/model=%t", w.Name, caches), func(b *testing.B) {
				e := Simulated(caches)
				args := []string{fmt.Sprint(w.Rounds * 2)}
				var instructions uint64
				var seconds float64
				for b.Loop() {
					out, err := e.Run(b.Context(), Process{Program: w.Program, Args: args})
					if err != nil {
						b.Fatal(err)
					}
					instructions += out.Instructions
					seconds += out.Processor.Seconds()
				}
				b.ReportMetric(float64(instructions)/seconds/1e6, "MIPS")
				b.ReportMetric(seconds*1e9/float64(instructions), "ns/instr")
			})
		}
	}
}
