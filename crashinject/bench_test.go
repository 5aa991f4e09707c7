package crashinject

import (
	"testing"

	"zhuque/scenarios/guests"
	"zhuque/sim"
)

// BenchmarkPoint is the cost of one clean crash point: cut, restart, compare,
// and one instruction of the main line.
func BenchmarkPoint(b *testing.B) {
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
