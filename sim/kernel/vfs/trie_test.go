package vfs

import (
	"math/rand/v2"
	"testing"
)

// The trie and its forks against built-in maps.
func TestTrieIsAMap(t *testing.T) {
	type pair struct {
		t trie[int]
		m map[uint64]int
		e uint64
	}
	r := rand.New(rand.NewPCG(1, 2))
	keys := []uint64{0, 1, 2, 15, 16, 17, 32, 1 << 60, 1<<60 | 1, 1 << 63, 1<<63 | 16, 12345678901234567, ^uint64(0)}
	for i := range uint64(40) {
		keys = append(keys, i*i*i)
	}
	all := []*pair{{m: map[uint64]int{}, e: epochs.Add(1)}}
	for step := range 20000 {
		p := all[r.IntN(len(all))]
		k := keys[r.IntN(len(keys))]
		switch r.IntN(40) {
		case 0:
			c := &pair{t: p.t, m: map[uint64]int{}, e: epochs.Add(1)}
			p.e = epochs.Add(1)
			for k, v := range p.m {
				c.m[k] = v
			}
			if all = append(all, c); len(all) > 6 {
				all = all[1:]
			}
		default:
			if r.IntN(5) < 2 {
				p.t.del(p.e, k)
				delete(p.m, k)
			} else {
				p.t.set(p.e, k, step)
				p.m[k] = step
			}
		}
		for _, p := range all {
			checkTrie(t, &p.t, p.m, keys[r.IntN(len(keys))])
		}
		if t.Failed() {
			t.Fatalf("after step %d", step)
		}
	}
}

func checkTrie(t *testing.T, tr *trie[int], m map[uint64]int, k uint64) {
	t.Helper()
	if v, ok := tr.get(k); v != m[k] || ok != (has(m, k)) {
		t.Errorf("get(%#x) = %d, %v; want %d", k, v, ok, m[k])
	}
	n := 0
	tr.each(func(k uint64, v int) bool {
		n++
		if m[k] != v || !has(m, k) {
			t.Errorf("each yields %#x: %d; want %d", k, v, m[k])
		}
		return true
	})
	if n != len(m) || tr.n != n {
		t.Errorf("%d entries, n = %d; want %d", n, tr.n, len(m))
	}
}

func has(m map[uint64]int, k uint64) bool { _, ok := m[k]; return ok }

// The order of each must follow from the keys, not from the history.
func TestTrieOrder(t *testing.T) {
	order := func(keys, removed []uint64) (out []uint64) {
		var tr trie[int]
		for _, k := range append(keys, removed...) {
			tr.set(1, k, 0)
		}
		for _, k := range removed {
			tr.del(1, k)
		}
		tr.each(func(k uint64, _ int) bool { out = append(out, k); return true })
		return out
	}
	a := order([]uint64{3, 0x13, 0x113, 7, 0x27, 1 << 62}, nil)
	b := order([]uint64{1 << 62, 0x27, 7, 0x113, 0x13, 3}, []uint64{0x213, 0x10007, 1<<62 | 3})
	if len(a) != 6 || len(b) != 6 {
		t.Fatalf("lost keys: %v, %v", a, b)
	}
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("orders differ: %v, %v", a, b)
		}
	}
}
