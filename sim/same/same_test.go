package same

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

//lint:file-ignore U1000 the plans reach the fields by reflection

type level uint8

type inner struct {
	a, b uint32
	s    string
}

type tree struct {
	Item        *inner
	Left, Right *tree
	height      int
}

type piece[T any] struct {
	parts [][]T
	n     int
}

// world has a field of every sort that a plan knows.
type world struct {
	flag    bool
	small   uint8
	n       int64
	f       float64
	k       level
	arr     [3]uint16
	inners  [2]inner
	in      inner
	list    []inner
	plain   []uint64
	ptrs    []*inner
	one     *inner
	two     *inner
	set     []int
	m       map[int]string
	lists   map[string][]int
	cut     piece[inner]
	root    *tree
	value   *inner
	same    *inner
	cache   func()
	derived int
}

var rows = []Row{
	{Type: "same.world", Field: "cache", As: Skipped, Why: "remembers"},
	{Type: "same.world", Field: "derived", As: Derived, Why: "follows"},
	{Type: "same.world", Field: "set", As: AnyOrder, Why: "no order"},
	{Type: "same.world", Field: "lists", As: AnyOrder, Why: "no order"},
	{Type: "same.world", Field: "root", As: Items, Why: "shape"},
	{Type: "same.world", Field: "value", As: Shared, Why: "a value"},
	{Type: "same.world", Field: "same", As: Identity, Why: "of both"},
	{Type: "same.piece", Field: "parts", As: Pieces, Why: "cuts"},
}

var forever = &inner{a: 1}

func newWorld() *world {
	x, y := &inner{1, 2, "x"}, &inner{3, 4, "y"}
	return &world{
		n: 5, f: 1.5, arr: [3]uint16{1, 2, 3}, inners: [2]inner{{1, 1, "i"}, {2, 2, "j"}}, list: []inner{{5, 6, "l"}, {7, 8, "m"}},
		plain: []uint64{1, 2, 3}, ptrs: []*inner{x, y}, one: x, two: y, set: []int{1, 2, 3}, m: map[int]string{1: "a", 2: "b"},
		lists: map[string][]int{"p": {1, 2}, "q": {3}}, cut: piece[inner]{[][]inner{{{1, 0, ""}}, {{2, 0, ""}, {3, 0, ""}}}, 3},
		root: &tree{Item: &inner{a: 2}, Left: &tree{Item: &inner{a: 1}}, height: 2}, value: &inner{a: 9}, same: forever,
	}
}

// Every leaf of a graph counts, and no change of one is told of another.
func TestEveryLeafIsCompared(t *testing.T) {
	p := Must[world](rows)
	want := newWorld()
	if d := p.Compare(want, newWorld(), 8); len(d) > 0 {
		t.Fatalf("twins differ: %v", d)
	}
	got := p.Clone(want)
	if d := p.Compare(want, got, 8); len(d) > 0 {
		t.Fatalf("a clone differs: %v", d)
	}
	met := map[string]bool{}
	p.Each(got, func(l Leaf) {
		met[l.Field] = true
		undo := l.Change()
		d := p.Compare(want, got, 8)
		undo()
		place, _, _ := strings.Cut(l.Path, "[")
		if len(d) == 0 {
			t.Errorf("%s: changed unnoticed", l.Path)
		} else if !strings.HasPrefix(d[0].Path, place) && !strings.HasPrefix(place, "one") && !strings.HasPrefix(place, "ptrs") && !strings.HasPrefix(place, "two") {
			t.Errorf("%s: told as %v", l.Path, d)
		}
	})
	if d := p.Compare(want, got, 8); len(d) > 0 {
		t.Fatalf("the changes were not undone: %v", d)
	}
	for _, f := range p.Fields() {
		if !met[f] {
			t.Errorf("%s: no leaf", f)
		}
	}
}

// What a plan takes for the same, and what not.
func TestTreatments(t *testing.T) {
	p := Must[world](rows)
	for name, c := range map[string]struct {
		change func(*world)
		want   string // "" for none
	}{
		"skipped":              {func(w *world) { w.cache = func() {} }, ""},
		"order of a set":       {func(w *world) { w.set = []int{3, 1, 2} }, ""},
		"order in a map":       {func(w *world) { w.lists["p"] = []int{2, 1} }, ""},
		"member of a set":      {func(w *world) { w.set = []int{1, 1, 2} }, "set[2] is nothing instead of there"},
		"cuts of a list":       {func(w *world) { w.cut.parts = [][]inner{{{1, 0, ""}, {2, 0, ""}}, {{3, 0, ""}}} }, ""},
		"end of a cut list":    {func(w *world) { w.cut.parts = w.cut.parts[:1] }, "cut.parts[1] is nothing instead of there"},
		"shape of a tree":      {func(w *world) { w.root = &tree{Item: w.root.Left.Item, Right: &tree{Item: w.root.Item}} }, ""},
		"item of a tree":       {func(w *world) { w.root = &tree{Item: &inner{a: 1}} }, "root[1] is nothing instead of there"},
		"equal value":          {func(w *world) { w.value = &inner{a: 9} }, ""},
		"equal, not the same":  {func(w *world) { w.same = &inner{a: 1} }, "same is another instead of one object"},
		"sharing given up":     {func(w *world) { c := *w.one; w.one = &c }, "one is another that is met elsewhere instead of one object"},
		"sharing made":         {func(w *world) { w.two = w.one; w.ptrs[1] = w.one }, "ptrs[1] is another that is met elsewhere instead of one object"},
		"key of a map":         {func(w *world) { delete(w.m, 1) }, "m[1] is nothing instead of there"},
		"key too many":         {func(w *world) { w.m[7] = "" }, "m[7] is there instead of nothing"},
		"length":               {func(w *world) { w.plain = w.plain[:2] }, "plain is 2 entries instead of 3 entries"},
		"inner string":         {func(w *world) { w.inners[1].s = "k" }, `inners[1].s is "k" instead of "j"`},
		"empty and nil":        {func(w *world) { w.set = nil }, "set is 0 entries instead of 3 entries"},
		"behind a pointer":     {func(w *world) { w.ptrs[0].b = 16 }, "ptrs[0].b is 0x10 instead of 0x2"},
		"behind a lost object": {func(w *world) { w.one, w.ptrs[0] = nil, nil }, "ptrs[0] is nothing instead of there"},
	} {
		got := newWorld()
		c.change(got)
		d := p.Compare(newWorld(), got, 1)
		if text := strings.Trim(fmt.Sprint(d), "[]"); len(d) > 1 ||
			len(d) == 0 && c.want != "" || len(d) == 1 && d[0].String() != c.want {
			t.Errorf("%s: %q, want %q", name, text, c.want)
		}
	}
}

// A great many objects are told apart as few are.
func TestManyObjects(t *testing.T) {
	p := Must[world](rows)
	many := func() *world {
		w := newWorld()
		for range 10 * fewPairs {
			w.ptrs = append(w.ptrs, &inner{a: 1})
		}
		return w
	}
	if d := p.Compare(many(), many(), 8); len(d) > 0 {
		t.Errorf("twins differ: %v", d)
	}
	got := many()
	got.ptrs[200] = got.ptrs[100]
	if d := p.Compare(many(), got, 8); len(d) != 1 || !strings.HasPrefix(d[0].Path, "ptrs[200]") {
		t.Errorf("two that have become one: %v", d)
	}
}

// A table that does not fit is refused.
func TestTablesAreChecked(t *testing.T) {
	without := func(i int) []Row { return slices.Delete(slices.Clone(rows), i, i+1) }
	for want, list := range map[string][]Row{
		"values of type func() cannot be compared": without(0),
		"there is no such field":                   append(slices.Clone(rows), Row{Type: "same.world", Field: "gone", As: Skipped, Why: "?"}),
		"no reason is given":                       append(slices.Clone(rows), Row{Type: "same.world", Field: "n", As: Skipped}),
		"two rows":                                 append(slices.Clone(rows), rows[1]),
	} {
		if _, err := New[world](list); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", want, err)
		}
	}
}

// Memory that two graphs both lead to is told, unless it is never changed.
func TestCommon(t *testing.T) {
	p := Must[world](rows)
	w := newWorld()
	if c := p.Common(w, p.Clone(w)); len(c) > 0 {
		t.Errorf("a clone shares %v", c)
	}
	flat := *w
	want := "[cut.parts ([][]same.inner) list ([]same.inner) lists (map[string][]int) m (map[int]string) one (*same.inner) plain ([]uint64) ptrs ([]*same.inner) root (*same.tree) set ([]int) two (*same.inner)]"
	if c := fmt.Sprint(p.Common(w, &flat)); c != want {
		t.Errorf("a flat copy shares %v", c)
	}
}

// BenchmarkCompare is what a graph of some thousand values costs.
func BenchmarkCompare(b *testing.B) {
	p := Must[world](rows)
	a := newWorld()
	for range 1000 {
		a.list = append(a.list, inner{1, 2, "three"})
	}
	c := p.Clone(a)
	b.ReportAllocs()
	for b.Loop() {
		if len(p.Compare(a, c, 8)) > 0 {
			b.Fatal("differ")
		}
	}
}
