package explore

import (
	"testing"

	"zhuque/cachemodel/worlds/brute"
	"zhuque/sim/phys"
)

// What is done to a line after it was spoilt is added to it, however little it had until then.
func TestSpoiltLineGoesOn(t *testing.T) {
	for had := range mostOps + 2 {
		s := &sample{trails: map[phys.LineAddr]*trail{1: {}}}
		for range had {
			s.add(1, brute.Op{})
		}
		s.spoil(1)
		s.add(1, brute.Op{Off: 8})
		if ops := s.trails[1].ops; len(ops) > mostOps || ops[len(ops)-1].Off != 8 {
			t.Errorf("%d operations before: %d are kept, the last %+v", had, len(ops), ops[len(ops)-1])
		}
	}
}
