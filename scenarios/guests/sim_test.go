package guests_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

// setup is a machine with a file tree of its own: the host's /tmp changes while
// the tests run, and its times would be part of what is compared.
func setup(t *testing.T, name string) crashinject.Setup {
	s := crashinject.DefaultSetup()
	s.Guest, s.Program = guests.Guest, crashinject.GuestPrefix+name
	s.Root = t.TempDir()
	if err := os.Mkdir(filepath.Join(s.Root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	s.Stdin = filepath.Join(t.TempDir(), "input")
	if err := os.WriteFile(s.Stdin, []byte(guests.TestInput), 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// In the simulator a guest prints what it prints on a real processor, and
// retires as many instructions, with the cache model and without, wherever its
// memory lies.
func TestSimulatedAsNative(t *testing.T) {
	for _, g := range guests.List() {
		t.Run(g.Name, func(t *testing.T) {
			want, err := os.ReadFile(filepath.Join("testdata", g.Name+".out"))
			if err != nil {
				t.Fatal(err)
			}
			for _, mode := range []struct {
				memory sim.Memory
				model  crashinject.Model
			}{{sim.Zhuque, crashinject.FullModel}, {sim.Zhuque, crashinject.NoModel}, {sim.Native, crashinject.FullModel}, {sim.PMEM, crashinject.NoModel}} {
				s := setup(t, g.Name)
				s.Memory, s.Model = mode.memory, mode.model
				cfg, err := s.Config(nil)
				if err != nil {
					t.Fatal(err)
				}
				m, err := s.Start(cfg)
				if err != nil {
					t.Fatal(err)
				}
				stop := m.Run()
				stdout, stderr := m.Output()
				if !stop.Ended() || stop.ExitCode() != 0 || !bytes.Equal(stdout, want) || len(stderr) != 0 {
					t.Errorf("%+v: %v, printed\n%s%s, want\n%s", mode, stop, stdout, stderr, want)
				}
				if g.Instructions != 0 && m.Retired() != g.Instructions {
					t.Errorf("%+v: %d instructions, want %d", mode, m.Retired(), g.Instructions)
				}
			}
		})
	}
}

// On a v3 processor the guest ymm takes its other path, to the same output.
func TestVectorsOnV3(t *testing.T) {
	want, err := os.ReadFile("testdata/ymm.out")
	if err != nil {
		t.Fatal(err)
	}
	var retired [2]uint64
	for _, level := range []x86.Level{x86.V2, x86.V3} {
		s := setup(t, "ymm")
		s.CPU = level
		cfg, err := s.Config(nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		stop := m.Run()
		if stdout, _ := m.Output(); stop.ExitCode() != 0 || !bytes.Equal(stdout, want) {
			t.Errorf("%v: %v, printed\n%s, want\n%s", level, stop, stdout, want)
		}
		retired[level] = m.Retired()
	}
	if retired[x86.V3]*4 > retired[x86.V2] {
		t.Errorf("%d instructions with vectors, %d without", retired[x86.V3], retired[x86.V2])
	}
}

// Every guest goes on after a failure anywhere as if nothing had been: clean
// cuts at random instructions, a few of them followed to the program's end.
func TestSurvivesCuts(t *testing.T) {
	for _, name := range guests.Names() {
		t.Run(name, func(t *testing.T) {
			c := crashinject.Campaign{Name: name, Setup: setup(t, name), Tails: 3,
				Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 40, Seed: 1}}
			out, err := c.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if p, failed := out.FirstFailure(); failed {
				t.Errorf("%s: %v: %s", p.Plan, p.Verdict, p.Reason)
			}
			if out.Counts.Pass == 0 || out.Points < 30 {
				t.Errorf("%d points: %+v", out.Points, out.Counts)
			}
		})
	}
}

// near is the factor within which a cost comes back.
func near(name string) float64 {
	switch name {
	case "call.clone", "call.fork", "call.exec", "signal", "copy":
		return 1.35 // page faults, frames on the stack and bytes that a cache must fetch come on top
	}
	return 1.08
}

// The program that measures a kernel's costs finds in the simulated machine those of its
// table: what is charged for a call is what a call takes. Threads and processes bring page
// faults and changes of threads of their own.
func TestCostsComeBack(t *testing.T) {
	costs := kernel.DefaultCosts()
	for _, memory := range []sim.Memory{sim.Native, sim.Zhuque} {
		s := setup(t, "hostcost")
		s.Memory, s.Model, s.Clock, s.Cores, s.Args = memory,
			crashinject.TimedModel, crashinject.ModelClock, 2, []string{"60"}
		cfg, err := s.Config(nil)
		if err != nil {
			t.Fatal(err)
		}
		m, err := s.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if stop := m.Run(); !stop.Ended() || stop.ExitCode() != 0 {
			t.Fatal(stop)
		}
		text, _ := m.Output()
		for i, line := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
			name, value, _ := strings.Cut(string(line), " ")
			got, err := strconv.ParseFloat(value, 64)
			if want := float64(costs[i]); err != nil || kernel.Cost(i).Name() != name {
				t.Errorf("line %d: %s", i, line)
			} else if most := near(name); name != "call.other" && (got > most*want+10 || got < want/most-10) {
				t.Errorf("%s memory: %s takes %v ns, the table says %v", memory, name, got, want)
			}
		}
	}
}
