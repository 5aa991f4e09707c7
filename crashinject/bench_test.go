package crashinject

import (
	"fmt"
	"strconv"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
	"zhuque/sim"
)

// BenchmarkPoint is the cost of one clean crash point: cut, restart, compare,
// and one instruction of the main line.
func BenchmarkPoint(b *testing.B) {
	defer paceGC()() // as a campaign does
	for _, guest := range []string{"counter", "list", "files"} {
		b.Run(guest, func(b *testing.B) {
			s := DefaultSetup()
			s.Program = GuestPrefix + guest
			s.Guest = guests.Guest
			v, main := pointAt(b, &s, 10_000)
			b.ReportAllocs()
			for b.Loop() {
				if stop := main.RunUntil(main.Retired() + 1); stop.Reason != sim.Reached {
					v, main = pointAt(b, &s, 10_000)
				}
				if p := v.judge(main, At(main.Retired()), false); p.Verdict != 1 {
					b.Fatal(p)
				}
			}
		})
	}
}

// BenchmarkPointThreads is BenchmarkPoint by the number of threads and cores.
func BenchmarkPointThreads(b *testing.B) {
	defer paceGC()()
	for _, cores := range []int{1, 4, 16} {
		for _, threads := range []int{1, 4, 16} {
			b.Run(fmt.Sprintf("cores=%d/threads=%d", cores, threads), func(b *testing.B) {
				s := guestSetup(b, "crowd")
				s.Args = []string{strconv.Itoa(threads)}
				s.Cores = cores
				v, main := pointAt(b, &s, 10_000)
				b.ReportAllocs()
				for b.Loop() {
					if stop := main.RunUntil(main.Retired() + 1); stop.Reason != sim.Reached {
						v, main = pointAt(b, &s, 10_000)
					}
					if p := v.judge(main, At(main.Retired()), false); p.Verdict != result.Pass {
						b.Fatal(p)
					}
				}
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "points/s")
			})
		}
	}
}

// BenchmarkTurn is what an instruction of four threads costs, by the mean length of a turn.
func BenchmarkTurn(b *testing.B) {
	for _, cores := range []int{1, 4} {
		for _, quantum := range []uint64{20, 200, 5000} {
			b.Run(fmt.Sprintf("cores=%d/quantum=%d", cores, quantum), func(b *testing.B) {
				s := guestSetup(b, "crowd")
				s.Cores, s.Quantum = cores, quantum
				const at, instructions = 10_000, 20_000
				_, main := pointAt(b, &s, at)
				for b.Loop() {
					if stop := main.RunUntil(main.Retired() + instructions); stop.Reason != sim.Reached {
						_, main = pointAt(b, &s, at)
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*instructions), "ns/instruction")
			})
		}
	}
}

func pointAt(b *testing.B, s *Setup, n uint64) (*verifier, *sim.Machine) {
	cfg, err := s.Config(nil)
	if err != nil {
		b.Fatal(err)
	}
	v := &verifier{setup: s, cfg: cfg}
	main, err := v.start()
	if err != nil {
		b.Fatal(err)
	}
	main.RunUntil(n)
	return v, main
}
