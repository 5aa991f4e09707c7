package worlds_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"

	"zhuque/cachemodel/worlds"
	"zhuque/cachemodel/worlds/brute"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// machine is what owns the bytes: a memory, every retired store in it, and the
// record of what a cut may leave of it.
type machine struct {
	bytes map[phys.LineAddr]*[phys.LineSize]byte
	mem   *worlds.Memory
	loads string
}

func (k *machine) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	if b := k.bytes[l]; b != nil {
		*dst = *b
	} else {
		*dst = [phys.LineSize]byte{}
	}
}

func newMachine(cfg worlds.Config) *machine {
	k := &machine{bytes: map[phys.LineAddr]*[phys.LineSize]byte{}}
	k.mem = worlds.New(cfg, k)
	return k
}

// copy returns a machine with bytes of its own and no record.
func (k *machine) copy() *machine {
	c := &machine{bytes: map[phys.LineAddr]*[phys.LineSize]byte{}, loads: k.loads}
	for l, b := range k.bytes {
		d := *b
		c.bytes[l] = &d
	}
	return c
}

func (k *machine) fork() *machine {
	c := k.copy()
	c.mem = k.mem.Fork(c)
	return c
}

// cut starts a machine after a power cut. What is open in its bytes is poison.
func (k *machine) cut(b worlds.Buffers) *machine {
	c := k.copy()
	c.mem = k.mem.Cut(c, b)
	for _, l := range c.mem.OpenLines() {
		c.poison(l)
	}
	return c
}

func (k *machine) poison(l phys.LineAddr) {
	var b [phys.LineSize]byte
	for i := range b {
		b[i] = 0xee
	}
	k.bytes[l] = &b
}

func (k *machine) put(a phys.Addr, data []byte) {
	for i, v := range data {
		b := a + phys.Addr(i)
		if k.bytes[b.Line()] == nil {
			k.bytes[b.Line()] = &[phys.LineSize]byte{}
		}
		k.bytes[b.Line()][b%phys.LineSize] = v
	}
}

func lineOf(i int) phys.Addr { return phys.PMEMBase + phys.Addr(i)*phys.LineSize }

// do executes an instruction that is no load.
func (k *machine) do(o brute.Op, site worlds.Site) {
	a := lineOf(o.Line) + phys.Addr(o.Off)
	if o.Kind <= brute.Weak {
		k.mem.Access(o.Core, a.Line())
	}
	switch o.Kind {
	case brute.Store:
		k.mem.Store(o.Core, a, o.Data, site)
		k.put(a, o.Data)
	case brute.NT:
		k.mem.NTStore(o.Core, a, o.Data, site)
		k.put(a, o.Data)
	case brute.CLFLUSH:
		k.mem.Flush(o.Core, a.Line(), worlds.CLFLUSH, site)
	case brute.Weak:
		k.mem.Flush(o.Core, a.Line(), worlds.CLWB, site)
	case brute.SFENCE:
		k.mem.Fence(o.Core, worlds.SFENCE, site)
	case brute.MFENCE:
		k.mem.Fence(o.Core, worlds.MFENCE, site)
	case brute.Serialize:
		k.mem.Fence(o.Core, worlds.Serialize, site)
	}
}

// run executes instructions and calls end with each world that comes out.
func (k *machine) run(ops []brute.Op, end func(*machine)) {
	for i, o := range ops {
		if o.Kind != brute.Load {
			k.do(o, worlds.Site(i+1))
			continue
		}
		k.mem.Access(o.Core, lineOf(o.Line).Line())
		rest := ops[i+1:]
		k.load(o.Core, lineOf(o.Line)+phys.Addr(o.Off), len(o.Data), func(f *machine, got []byte) {
			f.loads += fmt.Sprintf("%x,", got)
			f.run(rest, end)
		})
		return
	}
	end(k)
}

// load loads and goes on with every outcome.
func (k *machine) load(id int, a phys.Addr, n int, next func(*machine, []byte)) {
	got := make([]byte, n)
	choices := k.mem.Read(id, a, got)
	if choices == nil {
		next(k, got)
		return
	}
	for i := range choices {
		f := k.fork()
		f.mem.Narrow(choices[i], 1)
		f.load(id, a, n, next)
	}
}

// memories calls fn with the persistent memory of every world: the first bytes of
// each line.
func (k *machine) memories(lines int, fn func(string)) {
	var visit func(k *machine, i int, so string)
	visit = func(k *machine, i int, so string) {
		if i == lines*brute.LineBytes/8 {
			fn(k.loads + "/" + so)
			return
		}
		l, off := i/(brute.LineBytes/8), i%(brute.LineBytes/8)*8
		k.load(0, lineOf(l)+phys.Addr(off), 8, func(f *machine, got []byte) { visit(f, i+1, so+string(got)) })
	}
	visit(k, 0, "")
}

// cutWorlds adds to set what a cut now leaves.
func (k *machine) cutWorlds(cfg brute.Config, set map[string]bool) (n int) {
	k.cut(worlds.Open).memories(cfg.Lines, func(s string) { set[s] = true; n++ })
	return n
}

func config(cfg brute.Config) worlds.Config {
	c := worlds.Config{Cores: cfg.Cores, StoreBuffer: cfg.StoreBuffer}
	if cfg.EADR {
		c.Domain = worlds.EADR
	}
	return c
}

// draw draws a program. Every byte that is stored has a number of its own, nearly.
func draw(r *rand.Rand, cfg brute.Config, n int, loads bool) (ops []brute.Op) {
	serial := byte(r.IntN(3))
	for len(ops) < n {
		o := brute.Op{Core: r.IntN(cfg.Cores), Line: r.IntN(cfg.Lines)}
		switch k := r.IntN(20); {
		case k < 8:
			o.Kind = brute.Store
		case k < 10:
			o.Kind = brute.NT
		case k < 11:
			o.Kind = brute.CLFLUSH
		case k < 15:
			o.Kind = brute.Weak
		case k < 17:
			o.Kind = brute.SFENCE
		case k < 18:
			o.Kind = brute.MFENCE + brute.Kind(r.IntN(2))
		case loads:
			o.Kind = brute.Load
		default:
			o.Kind = brute.Store
		}
		if o.Kind <= brute.Load {
			size := [...]int{1, 2, 4, 8, 8, 8, 16}[r.IntN(7)]
			o.Off = r.IntN(brute.LineBytes - size + 1)
			if r.IntN(3) > 0 {
				o.Off &^= 7
				o.Off = min(o.Off, brute.LineBytes-size)
			}
			o.Data = make([]byte, size)
			for i := range o.Data {
				if serial++; r.IntN(8) == 0 {
					serial = byte(r.IntN(4))
				}
				o.Data[i] = serial
			}
		}
		ops = append(ops, o)
	}
	return ops
}

func show(ops []brute.Op) string {
	var b strings.Builder
	for i, o := range ops {
		name := [...]string{"store", "ntstore", "load", "clflush", "clwb", "sfence", "mfence", "serialize"}[o.Kind]
		fmt.Fprintf(&b, "%2d core %d: %s line %d+%d %x\n", i+1, o.Core, name, o.Line, o.Off, o.Data)
	}
	return b.String()
}

func difference(got, want map[string]bool) string {
	for _, s := range brute.Sorted(want) {
		if !got[s] {
			return fmt.Sprintf("missing %x", s)
		}
	}
	for _, s := range brute.Sorted(got) {
		if !want[s] {
			return fmt.Sprintf("too much: %x", s)
		}
	}
	return ""
}

// seeds returns the seeds of the random programs that a test compares: few, or
// WORLDS_PROGRAMS of them from WORLDS_FROM on.
func seeds(few int) (from, to int) {
	if n, err := strconv.Atoi(os.Getenv("WORLDS_PROGRAMS")); err == nil {
		from, _ = strconv.Atoi(os.Getenv("WORLDS_FROM"))
		return from, from + n
	}
	return 0, few
}

func (k *machine) points(cfg brute.Config, ops []brute.Op) (at []map[string]bool, looks map[string]bool) {
	looks = map[string]bool{}
	k.mem.Look = func() { k.cutWorlds(cfg, looks) }
	set := map[string]bool{}
	k.cutWorlds(cfg, set)
	at = append(at, set)
	for i, o := range ops {
		if o.Kind == brute.Load {
			k.mem.Access(o.Core, lineOf(o.Line).Line())
			got := make([]byte, len(o.Data))
			k.mem.Read(o.Core, lineOf(o.Line)+phys.Addr(o.Off), got)
		} else {
			k.do(o, worlds.Site(i+1))
		}
		set := map[string]bool{}
		k.cutWorlds(cfg, set)
		at = append(at, set)
	}
	k.mem.Looked()
	return at, looks
}

// size draws how long a program is: long ones are rare, since brute force takes
// most of its time for them.
func size(r *rand.Rand, seed int) int {
	if seed%16 == 0 {
		return 4 + r.IntN(4)
	}
	return 2 + r.IntN(3)
}

func drawConfig(r *rand.Rand, seed int) brute.Config {
	cfg := brute.Config{EADR: seed&1 != 0, Cores: 1 + seed>>1&1, StoreBuffer: r.IntN(4), Lines: 2 + r.IntN(2)}
	if cfg.EADR {
		cfg.StoreBuffer = max(1, cfg.StoreBuffer)
	}
	return cfg
}

// What a cut may leave after each instruction of a random program is what brute
// force finds, and the looks together miss nothing of it.
func TestWorldsAreThoseOfBruteForce(t *testing.T) {
	from, to := seeds(1500)
	for seed := from; seed < to; seed++ {
		r := det.Stream(uint64(seed), "worlds")
		cfg := drawConfig(r, seed)
		ops := draw(r, cfg, size(r, seed), false)
		want := cfg.Run("", ops)
		got, looks := newMachine(config(cfg)).points(cfg, ops)
		all := map[string]bool{}
		for i := range want {
			if d := difference(got[i], want[i]); d != "" {
				t.Fatalf("seed %d, %+v, after %d instructions: %s\n%s", seed, cfg, i, d, show(ops))
			}
			for s := range want[i] {
				all[s] = true
			}
		}
		if d := difference(looks, all); d != "" {
			t.Fatalf("seed %d, %+v, all looks: %s\n%s", seed, cfg, d, show(ops))
		}
	}
	t.Logf("%d programs", to-from)
}

// What the loads of a recovery find and what a second cut in it leaves is what
// brute force finds, which starts one recovery from every memory.
func TestSecondCutsAreThoseOfBruteForce(t *testing.T) {
	from, to := seeds(1000)
	for seed := from; seed < to; seed++ {
		r := det.Stream(uint64(seed), "second cuts")
		cfg := drawConfig(r, seed)
		first, second := draw(r, cfg, size(r, seed), false), draw(r, cfg, size(r, seed), true)
		k := newMachine(config(cfg))
		for i, o := range first {
			k.do(o, worlds.Site(i+1))
		}
		got, want := map[string]bool{}, map[string]bool{}
		k.cut(worlds.Open).run(second, func(k *machine) { k.cutWorlds(cfg, got) })
		at := cfg.Run("", first)
		for image := range at[len(at)-1] {
			all := cfg.Run(brute.Persistent(image[1:]), second)
			for s := range all[len(all)-1] {
				want[s] = true
			}
		}
		if d := difference(got, want); d != "" {
			t.Fatalf("seed %d, %+v: %s\n%s and after the cut\n%s", seed, cfg, d, show(first), show(second))
		}
	}
	t.Logf("%d programs", to-from)
}
