package worlds_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// list is the smallest program that is worth exploring: n times {write a node;
// flush it; fence; head = node; flush head; fence}. Head is line 0, node i line i
// with a value and the older node.
type list struct {
	*machine
	flushNode bool
	looks     int
	worlds    int
}

const headSite = 1000

func word(v int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(v)) }

func (l *list) store(a phys.Addr, v int, site worlds.Site) {
	l.mem.Store(0, a, word(v), site)
	l.put(a, word(v))
}

func (l *list) push(i int) {
	node := lineOf(i)
	l.store(node, 100+i, worlds.Site(10*i+1))
	l.store(node+8, i-1, worlds.Site(10*i+2))
	if l.flushNode {
		l.mem.Flush(0, node.Line(), worlds.CLWB, worlds.Site(10*i+3))
	}
	l.mem.Fence(0, worlds.SFENCE, 0)
	l.store(lineOf(0), i, headSite)
	l.mem.Flush(0, lineOf(0).Line(), worlds.CLWB, 0)
	l.mem.Fence(0, worlds.SFENCE, 0)
}

// look cuts the power and walks the list in every world.
func (l *list) look() {
	l.looks++
	k := l.cut(worlds.Open)
	k.load(0, lineOf(0), 8, func(k *machine, b []byte) { l.walk(k, int(b[0])) })
}

func (l *list) walk(k *machine, i int) {
	if i == 0 {
		l.worlds++
		return
	}
	k.load(0, lineOf(i), 8, func(k *machine, _ []byte) {
		k.load(0, lineOf(i)+8, 8, func(k *machine, next []byte) { l.walk(k, int(next[0])) })
	})
}

func pushes(n int, flushNode bool) *list {
	l := &list{machine: newMachine(worlds.Config{}), flushNode: flushNode}
	l.mem.Look = l.look
	for i := 1; i <= n; i++ {
		l.push(i)
	}
	l.mem.Looked()
	return l
}

// The laws of the list push: 3n+1 machines after a cut and 2n+1 looks when it is
// right, 2n²+2n+1 and n+1 with the node's flush missing.
func TestLawsOfListPush(t *testing.T) {
	for n := range 12 {
		right, wrong := pushes(n, true), pushes(n, false)
		if right.worlds != 3*n+1 || right.looks != 2*n+1 {
			t.Errorf("%d pushes: %d worlds of %d looks, want %d of %d", n, right.worlds, right.looks, 3*n+1, 2*n+1)
		}
		if wrong.worlds != 2*n*n+2*n+1 || wrong.looks != n+1 {
			t.Errorf("%d pushes without a flush: %d worlds of %d looks, want %d of %d",
				n, wrong.worlds, wrong.looks, 2*n*n+2*n+1, n+1)
		}
	}
}

// What decided a world is named: the store that is lost, what it lacks, and the
// load that missed it; and such a world is one that no strict machine leaves.
func TestCauseNamesStoreAndFlush(t *testing.T) {
	a, b := lineOf(1), lineOf(2)
	for _, test := range []struct {
		name   string
		do     func(m *worlds.Memory)
		why    worlds.Missing
		flush  worlds.Site
		robust bool
	}{
		{"never flushed", func(*worlds.Memory) {}, worlds.NoFlush, 0, false},
		{"not fenced", func(m *worlds.Memory) { m.Flush(0, a.Line(), worlds.CLWB, 7) }, worlds.NoFence, 7, false},
		{"in order", func(m *worlds.Memory) { m.Flush(0, a.Line(), worlds.CLWB, 7); m.Fence(0, worlds.SFENCE, 8) }, 0, 0, true},
	} {
		k := newMachine(worlds.Config{})
		k.mem.Store(0, a, word(1), 5)
		k.put(a, word(1))
		test.do(k.mem)
		k.mem.Store(0, b, word(1), 6)
		k.put(b, word(1))
		found := false
		k.cut(worlds.Open).load(0, b, 8, func(k *machine, y []byte) {
			k.load(0, a, 8, func(k *machine, x []byte) {
				if y[0] == 0 || x[0] != 0 {
					if !k.mem.Robust() {
						t.Errorf("%s: x=%d y=%d is called not robust", test.name, x[0], y[0])
					}
					return
				}
				found = true
				d := k.mem.Decisions()
				c := k.mem.Cause(d[len(d)-1])
				if c.Line != a.Line() || c.Lost.Site != 5 || c.Why != test.why ||
					c.Flush != test.flush || c.Load != 1 || k.mem.Robust() {
					t.Errorf("%s: cause %+v, robust %v", test.name, c, k.mem.Robust())
				}
			})
		})
		if found == test.robust {
			t.Errorf("%s: x=0 y=1 found: %v", test.name, found)
		}
	}
}

// A fork and its original do not see each other, and lines of both stay as they
// were before either changes them.
func TestForksAreIndependent(t *testing.T) {
	k := newMachine(worlds.Config{StoreBuffer: 2})
	for i := range 100 {
		k.mem.Store(0, lineOf(i), word(i+1), 0)
		k.put(lineOf(i), word(i+1))
	}
	before := k.mem.Digest()
	f := k.fork()
	for i := range 200 {
		f.mem.Store(0, lineOf(i)+8, word(7), 0)
		f.put(lineOf(i)+8, word(7))
		f.mem.Flush(0, lineOf(i).Line(), worlds.CLWB, 0)
	}
	f.mem.Fence(0, worlds.MFENCE, 0)
	if k.mem.Digest() != before {
		t.Error("the original has changed with its fork")
	}
	g := k.fork()
	k.mem.Fence(0, worlds.MFENCE, 0)
	if g.mem.Digest() != before {
		t.Error("the fork has changed with its original")
	}
	if k.mem.Digest() == before {
		t.Error("a drained store buffer leaves the digest as it was")
	}
}

// What is guaranteed needs no memory.
func TestMemoryIsThatOfOpenLines(t *testing.T) {
	k := newMachine(worlds.Config{})
	for i := range 5000 {
		k.mem.Store(0, lineOf(i), word(1), 0)
		k.put(lineOf(i), word(1))
		k.mem.Flush(0, lineOf(i).Line(), worlds.CLFLUSH, 0)
	}
	if want := "adr, generation 0, 0 lines recorded"; fmt.Sprint(k.mem) != want {
		t.Errorf("%v, want %s", k.mem, want)
	}
}
