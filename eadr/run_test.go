package eadr

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/phys"
)

var rewrite = flag.Bool("rewrite", false, "rewrite the transcript in testdata")

// sample is an inventory in which every state has work.
var sample = Inventory{
	Cores: 2, BufferedStores: 60, SaveLines: 20,
	DirtyLines: [Levels]int{300, 4000, 9000}, DirtyDRAM: [Levels]int{100, 1000, 2000},
}

// energyUntil is the energy that a full sequence has used when state begins.
func energyUntil(cfg Config, inv Inventory, state State) phys.NanoJoules {
	cfg.Energy = Unlimited
	out := Run(cfg, inv)
	var e phys.NanoJoules
	for _, s := range out.Steps[:state] {
		e += s.Energy
	}
	return e
}

func TestEachStateCanBeTheLast(t *testing.T) {
	for _, tc := range []struct {
		last                             State
		stores, lines, saved             bool // all of them
		registers, wpq, complete, expect bool
	}{
		{last: Interrupt},
		{last: SaveRegisters, stores: true},
		{last: FlushCaches, stores: true},
		{last: DrainWPQ, stores: true},
		{last: DrainDIMM, stores: true, wpq: true},
		{last: MarkComplete, stores: true, lines: true, saved: true, registers: true, wpq: true},
		{last: Off, stores: true, lines: true, saved: true, registers: true, wpq: true, complete: true},
	} {
		t.Run(tc.last.String(), func(t *testing.T) {
			cfg := Default(EADR)
			cfg.Energy = energyUntil(cfg, sample, tc.last)
			if tc.last == Off {
				cfg.Energy += phys.NanoJoules(NumStates) // each step has dropped a fraction
			} else {
				cfg.Energy += (energyUntil(cfg, sample, tc.last+1) - cfg.Energy) / 2
			}
			out := Run(cfg, sample)
			if out.Last != tc.last || Ample(cfg, sample) != (tc.last == Off) {
				t.Fatalf("the energy ended in %v, ample %v", out.Last, Ample(cfg, sample))
			}
			if got := out.StoresDrained == sample.BufferedStores; got != tc.stores {
				t.Errorf("%d of %d stores drained", out.StoresDrained, sample.BufferedStores)
			}
			if got := out.LinesDrained == 13300; got != tc.lines {
				t.Errorf("%d lines drained", out.LinesDrained)
			}
			if got := out.SaveLinesOnPMEM == sample.SaveLines; got != tc.saved {
				t.Errorf("%d save-area lines on the medium", out.SaveLinesOnPMEM)
			}
			if out.RegistersSaved != tc.registers || out.WPQDrained != tc.wpq ||
				out.Complete != tc.complete || out.Clean != tc.complete {
				t.Errorf("registers %v, wpq %v, complete %v, clean %v", out.RegistersSaved, out.WPQDrained, out.Complete, out.Clean)
			}
			if out.EnergyUsed > cfg.Energy {
				t.Errorf("used %d of %d nJ", out.EnergyUsed, cfg.Energy)
			}
		})
	}
}

// Under ADR what the caches hold is lost however much energy there is.
func TestADRLosesTheCaches(t *testing.T) {
	cfg := Default(ADR)
	cfg.Energy = Unlimited
	inv := sample
	inv.QueuedLines = 7
	out := Run(cfg, inv)
	if out.LinesDrained != 0 || out.SaveLinesOnPMEM != 0 || out.RegistersSaved || out.Complete {
		t.Errorf("something of the caches survived: %+v", out)
	}
	if !out.Clean || !out.WPQDrained || out.AcceptedLost != 0 {
		t.Errorf("the queues were not drained: %+v", out)
	}
	if out.Steps[FlushCaches].Result != Skipped || out.Steps[MarkComplete].Result != Skipped {
		t.Errorf("flush %v, mark %v", out.Steps[FlushCaches].Result, out.Steps[MarkComplete].Result)
	}
	cfg.MarkProtected = true
	if out := Run(cfg, inv); !out.Complete || out.RegistersSaved || out.LinesDrained != 0 {
		t.Errorf("with a protected mark: %+v", out)
	}
	cfg.Energy = 0
	if out := Run(cfg, inv); out.AcceptedLost != 7 || out.Clean {
		t.Errorf("without energy: %+v", out)
	}
}

func TestLostStoreBuffersDrainNothing(t *testing.T) {
	cfg := Default(EADR)
	cfg.StoreBuffer = LoseStores
	if out := Run(cfg, sample); out.StoresDrained != 0 || !out.Complete {
		t.Errorf("%d stores drained, complete %v", out.StoresDrained, out.Complete)
	}
}

// Address order lets neighbours meet in the DIMM: the medium then writes whole
// 256-byte lines, a quarter of the bytes.
func TestAddressOrderIsFaster(t *testing.T) {
	cfg := Default(EADR)
	cfg.FlushWalk, cfg.Hop = 0, [Levels]phys.Nanos{}
	inv := Inventory{Cores: 1, DirtyLines: [Levels]int{0, 0, 100_000}}
	level := Run(cfg, inv)
	cfg.DrainOrder = AddressOrder
	address := Run(cfg, inv)
	if r := float64(level.FlushTime) / float64(address.FlushTime); r < 3.99 || r > 4.01 {
		t.Errorf("level order takes %.2f times as long", r)
	}
}

// randomCase returns a platform with small buffers and an inventory for it.
func randomCase(r *rand.Rand) (Config, Inventory) {
	c := Default(Domain(r.IntN(2)))
	c.StoreBuffer, c.DrainOrder = StoreBufferPolicy(r.IntN(2)), DrainOrder(orderNames[r.IntN(3)])
	c.MarkProtected = r.IntN(2) == 0
	c.DIMMs, c.WPQLines, c.DIMMLines = 1+r.Uint64N(3), r.Uint64N(4), r.Uint64N(6)
	c.FlushWalk, c.InterruptLatency = phys.Nanos(r.Uint64N(200)), phys.Nanos(r.Uint64N(200))
	c.StoreDrain, c.SaveLine = phys.Nanos(r.Uint64N(9)), phys.Nanos(r.Uint64N(9))
	inv := Inventory{Cores: 1 + r.IntN(3), BufferedStores: r.IntN(20),
		SaveLines: r.IntN(10), QueuedLines: r.IntN(10), WCLines: r.IntN(6)}
	for i := range Levels {
		inv.DirtyLines[i], inv.DirtyDRAM[i] = r.IntN(20), r.IntN(3)
	}
	full := c
	full.Energy = Unlimited
	c.Energy = phys.NanoJoules(r.Uint64N(uint64(Run(full, inv).EnergyUsed)*9/8 + 1))
	return c, inv
}

func TestMoreEnergyNeverDrainsLess(t *testing.T) {
	r := det.Stream(1, t.Name())
	for range 300 {
		cfg, inv := randomCase(r)
		top := cfg.Energy
		var before Outcome
		for i := range phys.NanoJoules(40) {
			cfg.Energy = top * i / 39
			out := Run(cfg, inv)
			if out.LinesDrained < before.LinesDrained || out.WCOnMedium < before.WCOnMedium ||
				out.StoresDrained < before.StoresDrained || out.Last < before.Last ||
				out.SaveLinesOnPMEM < before.SaveLinesOnPMEM || (before.Complete && !out.Complete) ||
				(i > 0 && out.AcceptedLost > before.AcceptedLost) || out.Time < before.Time {
				t.Fatalf("%+v\n%+v\nmore energy (%d nJ) drained less: %+v then %+v", cfg, inv, cfg.Energy, before, out)
			}
			before = out
		}
	}
}

// With the energy that is needed the sequence ends, with a nanojoule less it does not.
func TestNeededIsTheLeast(t *testing.T) {
	r := det.Stream(3, t.Name())
	for range 2_000 {
		cfg, inv := randomCase(r)
		cfg.Energy = Needed(cfg, inv)
		if !Ample(cfg, inv) {
			t.Fatalf("%+v\n%+v\nis not ample", cfg, inv)
		}
		if cfg.Energy--; Ample(cfg, inv) {
			t.Fatalf("%+v\n%+v\nis enough, %d nJ were said to be needed", cfg, inv, cfg.Energy+1)
		}
	}
	if cfg := Default(EADR); Needed(cfg, Inventory{Cores: 1, DirtyDRAM: [Levels]int{1 << 62}}) != Unlimited {
		t.Error("a sequence that no energy lasts for needs less than all")
	}
}

// TestRunAgainstQueues compares Run with a model that moves one line at a time
// through real queues.
func TestRunAgainstQueues(t *testing.T) {
	r := det.Stream(2, t.Name())
	ends := map[State]int{}
	for range 20_000 {
		cfg, inv := randomCase(r)
		got, want := Run(cfg, inv), dumbRun(cfg, inv)
		if got.Last != want.Last || got.StoresDrained != want.StoresDrained || got.LinesDrained != want.LinesDrained ||
			got.SaveLinesOnPMEM != want.SaveLinesOnPMEM || got.AcceptedLost != want.AcceptedLost ||
			got.WCOnMedium != want.WCOnMedium ||
			got.Complete != want.Complete || got.RegistersSaved != want.RegistersSaved {
			t.Fatalf("%+v\n%+v\ngot  %+v\nwant %+v", cfg, inv, got, want)
		}
		ends[got.Last]++
	}
	for s := Interrupt; s <= Off; s++ {
		if ends[s] == 0 {
			t.Errorf("no case ended in %v: the generator tests nothing there", s)
		}
	}
}

// dumbRun is Run one item at a time.
func dumbRun(c Config, inv Inventory) (out Outcome) {
	const queued, save, combining = -1, -2, -3
	var wpq, dimm, medium []int
	toDIMM := func(l int) {
		if dimm = append(dimm, l); len(dimm) > int(c.DIMMLines*c.DIMMs) {
			medium, dimm = append(medium, dimm[0]), dimm[1:]
		}
	}
	toWPQ := func(l int) {
		if wpq = append(wpq, l); len(wpq) > int(c.WPQLines*c.DIMMs) {
			first := wpq[0]
			wpq = wpq[1:]
			toDIMM(first)
		}
	}
	for range inv.QueuedLines {
		toWPQ(queued)
	}
	left, watts := uint64(c.Energy)*1000, c.PackageWatts+c.DIMMWatts*c.DIMMs
	spend := func(ps uint64) bool {
		if ps*watts > left {
			return false
		}
		left -= ps * watts
		return true
	}
	// The only prices taken over from the implementation are those of a flushed line.
	flush := (&sequence{cfg: &c, inv: &inv}).flushParts()
	out.Last = func() State {
		if !spend(uint64(c.InterruptLatency) * 1000) {
			return Interrupt
		}
		if c.StoreBuffer != LoseStores {
			for out.StoresDrained < inv.BufferedStores {
				if !spend(uint64(c.StoreDrain) * 1000) {
					return Interrupt
				}
				out.StoresDrained = min(out.StoresDrained+inv.Cores, inv.BufferedStores)
			}
			for range inv.WCLines {
				if !spend(c.line()) {
					return Interrupt
				}
				toWPQ(combining)
			}
		}
		rounds := (inv.SaveLines + inv.Cores - 1) / inv.Cores
		if !spend(uint64(c.RegisterSave)*1000 + uint64(rounds)*uint64(c.SaveLine)*1000) {
			return SaveRegisters
		}
		if c.Domain == EADR {
			n := 0
			for i, p := range flush {
				if !spend(p.fixed) {
					return FlushCaches
				}
				for range p.items {
					if !spend(p.each) {
						return FlushCaches
					}
					if n++; i == Levels {
						toWPQ(save)
					} else {
						toWPQ(n)
					}
				}
			}
		}
		watts = c.DrainWatts + c.DIMMWatts*c.DIMMs
		for len(wpq) > 0 {
			if !spend(c.line()) {
				return DrainWPQ
			}
			first := wpq[0]
			wpq = wpq[1:]
			toDIMM(first)
		}
		for len(dimm) > 0 {
			if !spend(c.line()) {
				return DrainDIMM
			}
			medium, dimm = append(medium, dimm[0]), dimm[1:]
		}
		if c.Domain == EADR || c.MarkProtected {
			if !spend(uint64(c.Mark) * 1000) {
				return MarkComplete
			}
			out.Complete = true
		}
		return Off
	}()
	out.AcceptedLost = inv.QueuedLines
	for _, l := range medium {
		switch l {
		case queued:
			out.AcceptedLost--
		case save:
			out.SaveLinesOnPMEM++
		case combining:
			out.WCOnMedium++
		default:
			out.LinesDrained++
		}
	}
	out.RegistersSaved = c.Domain == EADR && out.SaveLinesOnPMEM == inv.SaveLines && out.Last > FlushCaches
	return out
}

// TestTranscript keeps whole sequences readable; -rewrite makes testdata/sequences.txt anew.
func TestTranscript(t *testing.T) {
	var b bytes.Buffer
	for _, d := range []Domain{ADR, EADR} {
		for _, o := range []DrainOrder{LevelOrder, AddressOrder, LRUFirstOrder} {
			inv := sample
			inv.QueuedLines = 40
			for _, percent := range []phys.NanoJoules{100, 60, 5} {
				cfg := Default(d)
				cfg.DrainOrder = o
				cfg.Energy = energyUntil(cfg, inv, Off)*percent/100 + phys.NanoJoules(NumStates)
				out := Run(cfg, inv)
				fmt.Fprintf(&b,
					"%v, %v order, %d %% of the energy: ends in %v, %d of %d lines, registers saved %v, complete %v, clean %v\n",
					d, o, percent, out.Last, out.LinesDrained, out.LinesDirty, out.RegistersSaved, out.Complete, out.Clean)
				for s, step := range out.Steps {
					fmt.Fprintf(&b, "  %-15v %-12v %6d of %6d %9d ns %12d nJ\n",
						State(s), step.Result, step.Items, step.Of, step.Time, step.Energy)
				}
			}
		}
	}
	const name = "testdata/sequences.txt"
	if *rewrite {
		if err := os.WriteFile(name, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), want) {
		t.Errorf("the sequence differs from %s (go test ./eadr -rewrite accepts it):\n%s", name, b.Bytes())
	}
}

func TestNamesParseBack(t *testing.T) {
	for _, d := range []Domain{ADR, EADR} {
		if got, err := ParseDomain(d.String()); got != d || err != nil {
			t.Errorf("%v: %v, %v", d, got, err)
		}
	}
	for _, o := range []DrainOrder{LevelOrder, AddressOrder, LRUFirstOrder} {
		if got, err := ParseDrainOrder(string(o)); got != o || err != nil {
			t.Errorf("%v: %v, %v", o, got, err)
		}
	}
	if ADR.Detected() != "memory_controller" || EADR.Detected() != "cpu_cache" {
		t.Errorf("%s, %s", ADR.Detected(), EADR.Detected())
	}
	if _, err := ParseDomain("eADR2"); err == nil || err.Error() != `domain "eADR2": expected adr or eadr` {
		t.Errorf("%v", err)
	}
}

func TestValidateNamesTheBadValue(t *testing.T) {
	good := Default(EADR)
	if err := good.Validate(); err != nil {
		t.Error(err)
	}
	for want, bad := range map[string]func(*Config){
		"power: power.dimms is 0: expected 1 to 64":                                 func(c *Config) { c.DIMMs = 0 },
		"power: power.write_bandwidth is 5 B/s: expected 1000000 to 10000000000000": func(c *Config) { c.WriteBandwidth = 5 },
		"power: domain(9), drain: not a known choice":                               func(c *Config) { c.Domain = 9 },
		"power: power.flush_walk is 1000000001 ns: expected 0 to 1000000000":        func(c *Config) { c.FlushWalk = 1_000_000_001 },
	} {
		c := Default(EADR)
		bad(&c)
		if err := c.Validate(); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

func TestParamsAreTheValuesUsed(t *testing.T) {
	c := Default(EADR)
	c.Scatter = 2
	seen := false
	for _, p := range c.Params() {
		if p.Name == "power.scatter" {
			seen = true
			if p.Value != 2 || p.Status != phys.Assumed {
				t.Errorf("%+v", p)
			}
		}
		if p.Source == "" || p.Range == "" {
			t.Errorf("%s has no source or range", p.Name)
		}
	}
	if !seen {
		t.Error("power.scatter is missing")
	}
}

func TestRunDoesNotAllocate(t *testing.T) {
	cfg := Default(EADR)
	if n := testing.AllocsPerRun(100, func() { Run(cfg, sample) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkRun(b *testing.B) {
	cfg := Default(EADR)
	for b.Loop() {
		Run(cfg, sample)
	}
}
