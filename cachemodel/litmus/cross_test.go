package litmus

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zhuque/cachemodel/worlds"
	"zhuque/cachemodel/worlds/brute"
)

var bruteKinds = map[Op]brute.Kind{
	Store: brute.Store, NTStore: brute.NT, Load: brute.Load,
	CLFLUSH: brute.CLFLUSH, CLFLUSHOPT: brute.Weak, CLWB: brute.Weak,
	SFENCE: brute.SFENCE, MFENCE: brute.MFENCE, LFENCE: brute.LFENCE,
	Serialize: brute.Serialize, Interrupt: brute.Serialize,
	Xadd: brute.Xadd, Xchg: brute.Xchg, CmpXchg: brute.CmpXchg, If: brute.Branch, Print: brute.Print,
}

// byBruteForce returns the outcomes of a test as the other implementation has them.
func (t *Test) byBruteForce(d worlds.Domain) map[string]bool {
	lines := 0
	for i := range t.Locations {
		l := &t.Locations[i]
		lines = max(lines, (l.Addr+l.Size*l.Count-1)/lineSize+1)
	}
	start := brute.Outcome{Regs: make([]uint64, len(t.regs)), Memory: make([][lineSize]byte, lines)}
	for i := range t.Locations {
		l := &t.Locations[i]
		for k := range l.Size * l.Count {
			start.Memory[(l.Addr+k)/lineSize][(l.Addr+k)%lineSize] = byte(l.Initial >> (8 * (k % l.Size)))
		}
	}
	var tables [][][]brute.Instr
	for _, section := range t.Sections {
		var table [][]brute.Instr
		for _, th := range section {
			var thread []brute.Instr
			for _, in := range th.Instrs {
				b := brute.Instr{Kind: bruteKinds[in.Op], Addr: in.Addr, Size: in.Size, Mem: in.Mem, Reg: in.Reg, Not: in.Not}
				for _, o := range in.Values {
					b.Values = append(b.Values, brute.Value{N: o.value, Reg: o.reg})
				}
				thread = append(thread, b)
			}
			table = append(table, thread)
		}
		tables = append(tables, table)
	}
	set := map[string]bool{}
	for _, o := range (brute.Config{EADR: d == worlds.EADR}).All(tables, start) {
		var values []uint64
		for i := range t.observed {
			values = append(values, t.observed[i].in(&o))
		}
		set[fmt.Sprint(values)] = true
	}
	return set
}

func (o *term) in(b *brute.Outcome) uint64 {
	if o.thread < 0 {
		var v [8]byte
		for i := range o.size {
			v[i] = b.Memory[(o.addr+i)/lineSize][(o.addr+i)%lineSize]
		}
		return binary.LittleEndian.Uint64(v[:])
	}
	switch o.register {
	case "done":
		return b.Done[o.thread]
	case "prints":
		return b.Prints[o.thread]
	}
	return b.Regs[o.index]
}

// Every outcome of every test, and no other, is that of the implementation that
// takes every step in every order.
func TestOutcomesAreThoseOfBruteForce(t *testing.T) {
	for _, test := range files(t) {
		for _, d := range []worlds.Domain{worlds.ADR, worlds.EADR} {
			r, err := test.Explore(d)
			if err != nil {
				t.Error(err)
				continue
			}
			want := test.byBruteForce(d)
			for i := range r.Outcomes {
				k := fmt.Sprint(r.Outcomes[i].Values)
				if !want[k] {
					t.Errorf("%s %v: %s is impossible by brute force", test.Name, d, r.String(&r.Outcomes[i]))
				}
				delete(want, k)
			}
			for _, k := range slices.Sorted(maps.Keys(want)) {
				t.Errorf("%s %v: %v = %s is missing", test.Name, d, test.Names(), k)
			}
		}
	}
}

// drawn returns a random test of two or three threads that observes everything.
func drawn(r *rand.Rand, seed int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "litmus drawn-%d\n{ x=0; y:4=0; z=0 @ x+8; w=0 @ y+4; }\n", seed)
	threads, rows := 2, 2+r.IntN(2)
	if seed%8 == 0 {
		threads, rows = 3, 2
	}
	place := func() string { return []string{"x", "y", "z", "w", "x", "y"}[r.IntN(6)] }
	b.WriteString("P0 | P1" + strings.Repeat(" | P2", threads-2) + " ;\n")
	recovery := seed%4 == 1
	for range rows {
		for i := range threads {
			if i > 0 {
				b.WriteString(" | ")
			}
			b.WriteString(drawnInstr(r, place, 1+r.IntN(3), r.IntN(22)))
		}
		b.WriteString(" ;\n")
	}
	if recovery {
		fmt.Fprintf(&b, "crash\nR0 ;\n%s ;\nr0 = %s ;\n%s ;\n",
			drawnInstr(r, place, 4, r.IntN(22)), place(), drawnInstr(r, place, 5, r.IntN(22)))
	}
	b.WriteString("both: exists (x=1 \\/ y=1 \\/ z=1 \\/ w=1 \\/ P0:done=1 \\/ P1:done=1")
	if recovery {
		b.WriteString(" \\/ R0:r0=1")
	}
	return b.String() + ")\n"
}

func drawnInstr(r *rand.Rand, place func() string, value, kind int) string {
	switch {
	case kind < 7:
		return fmt.Sprintf("%s = %d", place(), value)
	case kind < 9:
		return fmt.Sprintf("movnti %s, %d", place(), value)
	case kind < 11:
		return "if " + place()
	case kind < 15:
		return "clwb " + place()
	case kind < 16:
		return "clflush " + place()
	case kind < 19:
		return "sfence"
	case kind < 20:
		return fmt.Sprintf("lock xadd %s, %d", []string{"x", "z"}[r.IntN(2)], value)
	case kind < 21:
		return "mfence"
	}
	return "print"
}

// The same of random tests.
func TestRandomTestsAreThoseOfBruteForce(t *testing.T) {
	from, to := 0, 150
	if n, err := strconv.Atoi(os.Getenv("WORLDS_PROGRAMS")); err == nil {
		from, _ = strconv.Atoi(os.Getenv("WORLDS_FROM"))
		to = from + n
	}
	for seed := from; seed < to; seed++ {
		test, err := Parse("drawn", drawn(rand.New(rand.NewPCG(uint64(seed), 1)), seed))
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []worlds.Domain{worlds.ADR, worlds.EADR} {
			r, err := test.Explore(d)
			if err != nil {
				t.Fatal(err)
			}
			want := test.byBruteForce(d)
			for i := range r.Outcomes {
				if k := fmt.Sprint(r.Outcomes[i].Values); !want[k] {
					t.Fatalf("seed %d, %v: %s is impossible by brute force:\n%s", seed, d,
						r.String(&r.Outcomes[i]), drawn(rand.New(rand.NewPCG(uint64(seed), 1)), seed))
				}
			}
			if len(r.Outcomes) != len(want) {
				t.Fatalf("seed %d, %v: %d outcomes, by brute force %d:\n%s", seed, d,
					len(r.Outcomes), len(want), drawn(rand.New(rand.NewPCG(uint64(seed), 1)), seed))
			}
		}
	}
	t.Logf("%d tests", to-from)
}
