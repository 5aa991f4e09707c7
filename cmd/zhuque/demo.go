package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/eadr"
	"zhuque/report"
	"zhuque/scenarios"
	"zhuque/scenarios/figures"
	"zhuque/scenarios/region"
	"zhuque/sim"
	"zhuque/sim/phys"
)

func demoVerb() *cobra.Command {
	var out string
	var workers int
	c := &cobra.Command{
		Use:   "demo",
		Short: "Show the main job on embedded guests, in under a minute",
		Long: `Demo runs the programs that come with the simulator under Zhuque and cuts their
power: at every instruction of a window, before every store that the runtime makes
inside system calls, in fuzzed plans of several failures. Two campaigns are broken
on purpose, a platform without eADR and a runtime that forgets the x87 state, and
must be caught. Then it measures what Zhuque costs while PMEM gets slower.

It prints the campaigns as a table and writes report.html, the figures, and the
data they are drawn from. The exit status is 0 only if every real campaign passed and
every broken one was caught; otherwise it is that of the worst verdict, or 13 when
something broken was not caught.`,
		Example: `  zhuque demo`,
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			folder, err := newRunFolder(out, "demo")
			if err != nil {
				return err
			}
			return demo(folder, workers)
		},
	}
	c.Flags().StringVar(&out, "out", "",
		"directory for the report and the cases (default zhuque-out/demo-N, N counting the runs)")
	c.Flags().IntVar(&workers, "workers", 0, "points judged at the same time (default: one for each CPU)")
	return c
}

// act is one campaign of the demo.
type act struct {
	name, guest string
	strategy    crashinject.Strategy
	tails       uint64
	adr         bool // without eADR
	mutant      string
}

func demoActs() []act {
	calls := crashinject.Strategy{Kind: crashinject.Calls, Points: 4000}
	fuzz := crashinject.Strategy{Kind: crashinject.Fuzz, Points: 300, Seed: 1}
	return []act{
		{name: "counter, every instruction", guest: "counter", strategy: crashinject.Strategy{Kind: crashinject.Every, From: 400_000, To: 499_999}, tails: 4},
		{name: "fpu, every instruction", guest: "fpu", strategy: crashinject.Strategy{Kind: crashinject.Every, From: 300_000, To: 349_999}, tails: 4},
		{name: "list, random points", guest: "list", strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 20_000, Seed: 1}, tails: 8},
		{name: "maps, inside calls", guest: "maps", strategy: calls, tails: 8},
		{name: "files, inside calls", guest: "files", strategy: calls, tails: 8},
		{name: "signals, inside calls", guest: "signals", strategy: calls, tails: 8},
		{name: "list, fuzzed plans", guest: "list", strategy: fuzz, tails: 8},
		{name: "strings, fuzzed plans", guest: "strings", strategy: fuzz, tails: 8},
		{name: "list without eADR", guest: "list", strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 200, Seed: 1}, adr: true},
		{name: "fpu", guest: "fpu", strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 40, Seed: 1}, mutant: "x87-not-saved"},
	}
}

func (a *act) campaign(ctx context.Context, workers int, folder *runFolder) crashinject.Campaign {
	s := crashinject.DefaultSetup()
	s.Guest, s.Program, s.Mutant = scenarios.Guest, crashinject.GuestPrefix+a.guest, a.mutant
	c := crashinject.Campaign{Name: a.name, Setup: s, Strategy: a.strategy,
		Tails: a.tails, Workers: workers, Progress: progress(a.name)}
	if a.adr {
		c.Setup.Domain, c.Expect = eadr.ADR,
			[]result.Share{{Verdict: result.Detected, Reason: "no superblock: magic 0x0", Least: 100, Most: 100}}
	}
	(&firstCase{folder: folder, budget: 20, more: []string{a.guest}}).attach(ctx, &c)
	return c
}

func demo(folder *runFolder, workers int) error {
	ctx, stop := interruptible()
	defer stop()
	begin := time.Now()
	setup := crashinject.DefaultSetup()
	setup.Guest = scenarios.Guest
	doc, err := document("demo", &setup)
	if err != nil {
		return err
	}
	for _, a := range demoActs() {
		c := a.campaign(ctx, workers, folder)
		res, err := c.Run(ctx)
		if res != nil {
			doc.Campaigns = append(doc.Campaigns, *res)
		}
		if ctx.Err() != nil {
			return errors.Join(exit(result.StatusInterrupted, "%v in %q", context.Cause(ctx), a.name),
				told(demoReport(&doc, folder)))
		}
		if err != nil {
			return errors.Join(classify(fmt.Errorf("%s: %w", a.name, err)), told(demoReport(&doc, folder)))
		}
	}
	if err := measure(&doc); err != nil {
		return err
	}
	quiet := func(int, int, figures.Point, *region.Cost) error { return nil }
	if err := figures.Make(ctx, &figures.Options{Names: []string{"breakdown"}, Setup: setup, Workers: workers, Made: quiet}, &doc); err != nil {
		return err
	}
	werr := demoReport(&doc, folder)
	fmt.Fprintf(os.Stderr, "%.1f s\n", time.Since(begin).Seconds())
	if err := demoVerdict(&doc); err != nil {
		return errors.Join(err, told(werr))
	}
	return unwritten(werr)
}

// demoReport shows what is in doc and writes the report.
func demoReport(doc *result.Document, folder *runFolder) error {
	if len(doc.Campaigns) == 0 {
		return nil
	}
	werr := folder.report(*doc)
	if err := report.Text(os.Stdout, *doc, colour(os.Stdout)); err != nil || werr != nil {
		return errors.Join(err, werr)
	}
	fmt.Printf("\nreport: %s (figures and tables beside it, cases in %s)\n", folder.page(), folder.dir)
	return nil
}

// demoVerdict is the demo's exit status.
func demoVerdict(doc *result.Document) error {
	var real result.Counts
	var missed *result.Campaign
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		switch {
		case c.Mutant == "" && !c.Expect.Valid():
			real = real.Plus(c.Counts)
		case !report.Good(c):
			missed = c
		}
	}
	worst, ok := real.Worst()
	switch {
	case !ok:
		return exit(result.SimBug.ExitCode(), "BUG: nothing was judged")
	case worst != result.Pass:
		return verdict(worst)
	case missed != nil:
		return exit(result.SimBug.ExitCode(),
			"%q is broken on purpose and was not caught: the other passes prove nothing", missed.Name)
	}
	return nil
}

// The cost of Zhuque: each guest in three kinds of memory, while PMEM gets slower.
var (
	costGuests    = []string{"list", "maps", "sha"}
	costLatencies = []phys.Nanos{100, 200, 305, 500, 1000}
	costSystems   = []struct {
		name   string
		memory sim.Memory
	}{{"native", sim.Native}, {"native-on-PMEM", sim.PMEM}, {"Zhuque", sim.Zhuque}}
)

// measure runs the guests uncut and adds the runs at the usual latency and the
// cost at all of them to doc.
func measure(doc *result.Document) error {
	for _, guest := range costGuests {
		cost := result.Overhead{Program: guest}
		for _, latency := range costLatencies {
			native := phys.Cycles(0)
			for _, sys := range costSystems {
				fmt.Fprintf(os.Stderr, "cost of %s: %s, PMEM read latency %d ns\n", guest, sys.name, latency)
				r, err := uncut(guest, sys.memory, latency)
				if err != nil {
					return err
				}
				if sys.memory == sim.Native {
					native = r.Cycles
				}
				cost.Points = append(cost.Points,
					result.OverheadPoint{System: sys.name, PMEMLatencyNanos: float64(latency), Cycles: r.Cycles,
						Instructions: r.Instructions, RelativeToNative: float64(r.Cycles) / float64(native), N: 1})
				if latency == costLatencies[2] {
					r.Name = guest + ", " + sys.name
					doc.Runs = append(doc.Runs, r)
				}
			}
		}
		doc.Overheads = append(doc.Overheads, cost)
	}
	return nil
}

// uncut runs one guest without a failure.
func uncut(guest string, memory sim.Memory, latency phys.Nanos) (result.Run, error) {
	s := crashinject.DefaultSetup()
	s.Guest, s.Program, s.Memory = scenarios.Guest, crashinject.GuestPrefix+guest, memory
	if err := s.Set("pmem-read", fmt.Sprint(uint64(latency))); err != nil {
		return result.Run{}, err
	}
	cfg, err := s.Config(nil)
	if err != nil {
		return result.Run{}, err
	}
	m, err := s.Start(cfg)
	if err != nil {
		return result.Run{}, err
	}
	begin := time.Now()
	stop := m.Run()
	if !stop.Ended() || stop.ExitCode() != 0 {
		return result.Run{}, exit(result.SimBug.ExitCode(), "%s with memory %s: %v", guest, memory, stop)
	}
	return runRecord(&s, m, stop, time.Since(begin))
}
