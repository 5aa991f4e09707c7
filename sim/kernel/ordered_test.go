package kernel

import (
	"slices"
	"testing"

	"zhuque/sim/det"
)

// TestOrdered compares the list with a plain sorted one.
func TestOrdered(t *testing.T) {
	for seed := range uint64(4) {
		rng := det.Stream(seed, "kernel/ordered")
		var o ordered[slot]
		var plain []int
		size := []int{5, 300, 1000, 5000}[seed]
		for step := range 20_000 {
			n := rng.IntN(size)
			at, found := slices.BinarySearch(plain, n)
			switch op := rng.IntN(8); {
			case op < 2+step/5000: // it grows first and shrinks later
				o.remove(n)
				if found {
					plain = slices.Delete(plain, at, at+1)
				}
			case found:
				if s := o.find(n); s == nil || s.num != n {
					t.Fatalf("seed %d, step %d: %d is not found", seed, step, n)
				}
			default:
				if o.find(n) != nil {
					t.Fatalf("seed %d, step %d: %d is found", seed, step, n)
				}
				if s := o.insert(slot{num: n}); s.num != n {
					t.Fatalf("seed %d, step %d: %d is not where it was entered", seed, step, n)
				}
				plain = slices.Insert(plain, at, n)
			}
			free := n
			for at, _ := slices.BinarySearch(plain, free); at < len(plain) && plain[at] == free; at++ {
				free++
			}
			if got := o.free(n); got != free {
				t.Fatalf("seed %d, step %d: free from %d is %d, want %d", seed, step, n, got, free)
			}
			if step%500 != 0 {
				continue
			}
			f := o.fork()
			o.insert(slot{num: size})
			o.remove(size)
			var got []int
			for s := range f.all() {
				got = append(got, s.num)
			}
			if !slices.Equal(got, plain) || f.n != len(plain) || len(plain) > 0 && f.last().num != plain[len(plain)-1] {
				t.Fatalf("seed %d, step %d: %v, want %v", seed, step, got, plain)
			}
		}
	}
}
