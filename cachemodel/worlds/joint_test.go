package worlds_test

import (
	"fmt"
	"testing"

	"zhuque/cachemodel/worlds"
	"zhuque/cachemodel/worlds/brute"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// Crash points that are taken together leave, point by point, the same memories in the same
// number of worlds as when each is taken alone.
func TestJoinedCrashPoints(t *testing.T) {
	r := det.Stream(1, "joined crash points")
	merged := 0
	for n := range 400 {
		cfg := brute.Config{Cores: 1, Lines: 2, StoreBuffer: 1 + n%2, EADR: n%3 == 2}
		wcfg := config(cfg)
		wcfg.Keep = true
		if !cfg.EADR && n%2 == 0 {
			wcfg.StoreBuffer = 0
		}
		k := newMachine(wcfg)
		var joiner worlds.Joiner
		var alone []map[string]int
		add := func(m *machine, mem *worlds.Memory) {
			kept := m.copy()
			kept.mem = mem.Fork(kept)
			set := map[string]int{}
			kept.cut(worlds.Open).memories(cfg.Lines, func(s string) { set[s]++ })
			alone = append(alone, set)
			joiner.Add(kept.mem, kept)
		}
		for i, o := range draw(r, cfg, 3+r.IntN(12), false) {
			if r.IntN(3) == 0 {
				add(k, k.mem)
			}
			if r.IntN(5) == 0 {
				add(k, k.mem.Persisted(k))
			}
			k.do(o, worlds.Site(i+1))
		}
		add(k, k.mem)
		start := k.copy()
		start.mem = joiner.Memory(start)
		for _, l := range start.mem.OpenLines() {
			start.poison(l)
		}
		got := make([]map[string]int, len(alone))
		for i := range got {
			got[i] = map[string]int{}
		}
		visited := joinedMemories(start, cfg.Lines, got)
		total := 0
		for i := range alone {
			for _, n := range alone[i] {
				total += n
			}
			if fmt.Sprint(alone[i]) != fmt.Sprint(got[i]) {
				t.Fatalf("program %d, %+v, point %d of %d: %v joined, %v alone", n, cfg, i, len(alone), got[i], alone[i])
			}
		}
		merged += total - visited
		one := start.copy()
		one.mem = start.mem.Fork(one)
		at := r.IntN(len(alone))
		one.mem.AtPoint(at)
		set := map[string]int{}
		one.memories(cfg.Lines, func(s string) { set[s]++ })
		if fmt.Sprint(set) != fmt.Sprint(alone[at]) {
			t.Fatalf("program %d, point %d decided first: %v, alone %v", n, at, set, alone[at])
		}
	}
	if merged < 1000 {
		t.Errorf("%d worlds were saved", merged)
	}
}

// joinedMemories adds what each world finds to the sets of the points that it stands for,
// and returns how many worlds there are.
func joinedMemories(k *machine, lines int, got []map[string]int) (n int) {
	var visit func(k *machine, i int, so string)
	visit = func(k *machine, i int, so string) {
		if i == lines*brute.LineBytes/8 {
			n++
			k.mem.Robust()
			for _, d := range k.mem.Decisions() {
				k.mem.Cause(d)
			}
			k.mem.Points(func(p int) { got[p]["/"+so]++ })
			return
		}
		l, off := i/(brute.LineBytes/8), i%(brute.LineBytes/8)*8
		k.load(0, lineOf(l)+phys.Addr(off), 8, func(f *machine, b []byte) { visit(f, i+1, so+string(b)) })
	}
	visit(k, 0, "")
	return n
}
