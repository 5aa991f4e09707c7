package balanced

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

// total is a summary: the sum of the numbers.
type total int

func (total) Of(l *total, n int, r *total) total {
	t := total(n)
	if l != nil {
		t += *l
	}
	if r != nil {
		t += *r
	}
	return t
}

type numbers = Node[int, total]

func flat(n *numbers) (list []int) {
	n.Each(func(i int) bool {
		list = append(list, i)
		return true
	})
	return list
}

// check looks at what each node says of its tree.
func check(t *testing.T, n *numbers) (height, length int, sum total) {
	t.Helper()
	if n == nil {
		return 0, 0, 0
	}
	lh, ln, ls := check(t, n.Left)
	rh, rn, rs := check(t, n.Right)
	height, length, sum = 1+max(lh, rh), 1+ln+rn, total(n.Item)+ls+rs
	if lh-rh < -1 || lh-rh > 1 || n.Height() != height || n.Len() != length || n.Sum != sum {
		t.Fatalf("a node with heights %d and %d below it says height %d, %d items, sum %d; there are %d with sum %d",
			lh, rh, n.Height(), n.Len(), n.Sum, length, sum)
	}
	return height, length, sum
}

// Random changes give what a sorted slice gives, and leave older trees alone.
func TestTreesAreSortedLists(t *testing.T) {
	for seed := range uint64(5) {
		rng := rand.New(rand.NewPCG(seed, 1))
		var tree *numbers
		var model []int
		type version struct {
			tree  *numbers
			model []int
		}
		var kept []version
		for range 1500 {
			v := rng.IntN(400)
			at, found := slices.BinarySearch(model, v)
			if got := tree.Find(v, cmp.Compare); (got != nil) != found || found && *got != v {
				t.Fatalf("seed %d: %d is found: %v, expected %t", seed, v, got, found)
			}
			switch op := rng.IntN(10); {
			case op == 0:
				l, r := tree.Split(func(i int) bool { return i < v })
				if !slices.Equal(flat(l), model[:at]) || !slices.Equal(flat(r), model[at:]) {
					t.Fatalf("seed %d: the split at %d of %v", seed, v, model)
				}
				check(t, l)
				check(t, r)
				tree = Concat(l, r)
			case op == 1 && len(model) > 0:
				var first, last int
				first, tree = tree.CutFirst()
				tree = Link(nil, first, tree)
				tree, last = tree.CutLast()
				tree = Link(tree, last, nil)
				if first != model[0] || last != model[len(model)-1] {
					t.Fatalf("seed %d: %d and %d are the ends of %v", seed, first, last, model)
				}
			case op == 2:
				tree = Build[int, total](len(model), func(i int) int { return model[i] })
			case op < 5 && found:
				tree, model = tree.Without(v, cmp.Compare), slices.Delete(slices.Clone(model), at, at+1)
			default:
				tree = tree.With(v, cmp.Compare)
				if !found {
					model = slices.Insert(slices.Clone(model), at, v)
				}
			}
			check(t, tree)
			if got := flat(tree); !slices.Equal(got, model) {
				t.Fatalf("seed %d: %v, expected %v", seed, got, model)
			}
			if rng.IntN(50) == 0 {
				kept = append(kept, version{tree, model})
			}
		}
		for _, v := range kept {
			if got := flat(v.tree); !slices.Equal(got, v.model) {
				t.Fatalf("seed %d: an older tree became %v, it was %v", seed, got, v.model)
			}
		}
	}
}
