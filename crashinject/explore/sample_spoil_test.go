package explore

import (
	"testing"

	"zhuque/cachemodel/worlds/brute"
	"zhuque/sim/phys"
)

// What is done to a line after it was spoilt, or has become too long, is followed, however much it had
// until then: it is durable when it was flushed after its last store, and by its one core.
func TestSpoiltLineGoesOn(t *testing.T) {
	for had := 1; had < mostOps+3; had++ {
		s := &sample{trails: map[phys.LineAddr]*trail{}, lost: map[phys.LineAddr]bool{}}
		t1 := &trail{}
		s.trails[1], s.order = t1, []phys.LineAddr{1}
		add := func(kind brute.Kind) { s.add(1, brute.Op{Kind: kind}) }
		for range had {
			add(brute.Store)
		}
		s.spoil(1)
		add(brute.Weak)
		add(brute.Store)
		if t1.durable(0, brute.SFENCE) {
			t.Errorf("%d stores before: durable with a store behind the flush", had)
		}
		add(brute.SFENCE)
		add(brute.Weak)
		if !t1.durable(0, brute.SFENCE) || t1.durable(0, brute.Serialize) || t1.durable(1, brute.SFENCE) {
			t.Errorf("%d stores before: durable for a fence %t, for what drains %t, for another core's fence %t", had,
				t1.durable(0, brute.SFENCE), t1.durable(0, brute.Serialize), t1.durable(1, brute.SFENCE))
		}
		if !t1.long || len(t1.ops) > mostOps {
			t.Errorf("%d stores before: %d operations are kept, too long: %t", had, len(t1.ops), t1.long)
		}
	}
}
