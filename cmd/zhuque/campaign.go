package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/report"
	"zhuque/runtime/wpp"
	"zhuque/scenarios"
)

type campaignFlags struct {
	setup    setupFlags
	form     format
	strategy string
	from, to uint64
	points   uint64
	tails    uint64
	workers  int
	out      string
	shrink   int
	check    restartFlags
	ci       ciFlags
	ledger   string
	shard    string
}

var strategies = []string{string(crashinject.Every), string(crashinject.Random), string(crashinject.Fuzz), string(crashinject.Calls),
	string(crashinject.Recovery), string(crashinject.Energy)}

func campaignVerb() *cobra.Command {
	var f campaignFlags
	c := &cobra.Command{
		Use:   "campaign [flags] SCENARIO | [flags] FILE.yaml | [flags] -- PROG ARG…",
		Short: "Judge many crash points of one program",
		Long: `Campaign runs a program once and cuts copies of it: at every instruction of a
stretch (every), at random ones (random), at fuzzed plans of several failures
(fuzz), before every store that the runtime makes inside system calls (calls),
there and again in the recovery (recovery), or with too little energy to finish
the power-fail sequence (energy). Each copy is restarted from its PMEM image and
compared with the program that never failed.

With --restart a command is run after each cut instead, as a new process on the
files that the cut left, and its exit status judges (see zhuque crash).

A scenario is a campaign that is written down: one that comes with the simulator (see zhuque
scenarios), or a file of yours (scenarios/README.md has its form); flags change it. --mutant
alone runs the campaign that exposes the mutant.

A campaign that does not pass writes its first failure to a case file as soon as it
is found, and makes it as small as possible at the end; the last line is the command
that replays it. Cases, report and figures are in the --out directory. Without --out
each run has its own, zhuque-out/NAME-N, and zhuque-out/report.html is the report of
the latest. An interrupt, SIGTERM or SIGHUP ends the campaign with the report so far.

With --out, or --ledger FILE, what was judged is kept in a ledger as the campaign runs
(DIR/ledger.sqlite): the same command continues after a kill, and nothing is judged twice.
--shard I/N judges a part of the campaign, here or on another machine; zhuque merge puts
the ledgers of all parts together. A ledger of another campaign is refused, but the one in
--out, which begins anew then, and when it is complete.

For continuous integration: --budget ends the campaign after a time (the verdict is that
of the points judged until then), --junit, --sarif and --markdown write its failures in the
forms that CI systems show.

The exit status is that of the worst verdict: 0 pass, 10 violation, 11 detected,
12 unsupported, 13 simulator bug, 14 timeout, 15 when no point was reached as its plan
says; 2 for bad input, 3 when all passed but
the report could not be written, 16 when the command of --restart fails without any
cut, 130 when it was interrupted. With --format json standard output is one object; its keys are
verdict, points, one for each verdict, redrawn, points_per_second, seed, digest, and campaign, the
whole record as documented in the package crashinject/result.`,
		Example: `  zhuque campaign --from 1000 --to 3000 -- guest:counter
  zhuque campaign --strategy fuzz --points 50 --seed 7 --format json -- guest:maps
  zhuque campaign --points 200 list-calls
  zhuque campaign --budget 10m --junit junit.xml --sarif zhuque.sarif list-random
  zhuque campaign --mutant x87-not-saved   # exit status 10
  zhuque campaign --strategy random --points 20 --domain adr -- guest:list   # exit status 11`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.setup.register(c)
	f.form.register(c)
	refusePublish(c)
	f.check.register(c)
	f.ci.register(c)
	fl := c.Flags()
	fl.StringVar(&f.strategy, "strategy", string(crashinject.Every), strings.Join(strategies, ", "))
	complete(c, "strategy", words(strategies...))
	numberVar(fl, &f.from, "from", 0, "first crash point, in instructions from the program's first")
	numberVar(fl, &f.to, "to", 0, "last crash point (default: the program's last instruction)")
	numberVar(fl, &f.points, "points", 1000, "how many points; at most so many of calls and recovery")
	numberVar(fl, &f.tails, "tails", 16, "points whose survivor runs on to the program's end, evenly spread")
	fl.IntVar(&f.workers, "workers", 0, "points judged at the same time (default: one for each CPU)")
	fl.StringVar(&f.out, "out", "",
		"directory for report.html, figures, tables and case files (default zhuque-out/NAME-N, N counting the runs)")
	fl.StringVar(&f.ledger, "ledger", "", "`FILE` that keeps what was judged (default: ledger.sqlite in --out, none without)")
	fl.StringVar(&f.shard, "shard", "", "`I/N`: judge the I-th of N parts of the points, counted from 1")
	fl.IntVar(&f.shrink, "shrink", 40, "plans tried to make the first failure smaller")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return append(scenarios.Names(), guestNames()...), cobra.ShellCompDirectiveDefault
	}
	return c
}

// campaign builds the campaign from a scenario or from a program, and the flags.
func (f *campaignFlags) campaign(c *cobra.Command, args []string) (camp crashinject.Campaign, err error) {
	given := c.Flags().Changed
	switch {
	case len(args) == 0 && given("mutant"):
		if camp, err = f.mutant(c); err != nil {
			return camp, err
		}
	case len(args) == 0:
		return camp, errors.New("nothing to run: expected the name of a scenario, or -- PROG ARG…")
	case c.ArgsLenAtDash() == -1:
		if len(args) > 1 {
			return camp, fmt.Errorf("%q: expected one scenario, or -- PROG ARG…", args)
		}
		s, err := scenario(args[0])
		if err != nil {
			return camp, err
		}
		if camp, err = s.Campaign(); err != nil {
			return camp, err
		}
		before := camp.Setup.Fields()
		if err := f.setup.apply(c, &camp.Setup); err != nil {
			return camp, err
		}
		switch {
		case !maps.Equal(before, camp.Setup.Fields()): // another machine, of which the scenario says nothing
			camp.Expect, camp.Prints = nil, nil
		case given("strategy") || given("points") || given("seed") || given("from") || given("to"):
			camp.Expect = result.Loosened(camp.Expect)
		}
	case c.ArgsLenAtDash() > 0:
		return camp, fmt.Errorf("%q before --: expected either a scenario, or -- PROG ARG…", args[0])
	default:
		if camp.Setup, err = f.setup.setup(c, args); err != nil {
			return camp, err
		}
		camp.Name, camp.Tails = command(args...), f.tails
		camp.Strategy = crashinject.Strategy{Kind: crashinject.Every}
	}
	if f.shard != "" {
		if camp.Shard, err = crashinject.ParseShard(f.shard); err != nil {
			return camp, fmt.Errorf("--%w", err)
		}
		if f.ledger == "" && f.out == "" {
			return camp, errors.New("--shard without a ledger: its part could not be merged; expected --ledger FILE or --out DIR")
		}
	}
	if camp.Restart, err = f.check.restart(&camp.Setup); err != nil {
		return camp, err
	}
	if given("tails") {
		camp.Tails = f.tails
	}
	if given("seed") || camp.Strategy.Seed == 0 {
		camp.Strategy.Seed = camp.Setup.Seed
	}
	return camp, f.layOut(&camp.Strategy, given)
}

// scenario is the one of a file, or one that comes with the simulator.
func scenario(name string) (scenarios.Scenario, error) {
	if ext := filepath.Ext(name); ext == ".yaml" || ext == ".yml" {
		return scenarios.Load(name)
	}
	s, err := scenarios.Find(name)
	if err != nil {
		err = fmt.Errorf("%w%s", err, meant(name, append(scenarios.Names(), guestNames()...)))
	}
	return s, err
}

// mutant is the campaign that exposes the mutant of --mutant.
func (f *campaignFlags) mutant(c *cobra.Command) (camp crashinject.Campaign, err error) {
	m, err := wpp.FindMutant(*f.setup.values["mutant"])
	if err != nil {
		return camp, fmt.Errorf("--%w", err)
	}
	if m.Name == "" {
		return camp, errors.New("--mutant \"\": expected a mutant's name, a scenario, or -- PROG ARG…")
	}
	setup, err := f.setup.setup(c, []string{crashinject.GuestPrefix + m.Guest})
	if err != nil {
		return camp, err
	}
	if camp, err = crashinject.Exposing(m, setup); err != nil {
		return camp, err
	}
	return camp, f.setup.apply(c, &camp.Setup)
}

// layOut changes a strategy as the flags that were given say.
func (f *campaignFlags) layOut(s *crashinject.Strategy, given func(string) bool) (err error) {
	if given("strategy") {
		if s.Kind, err = crashinject.ParseStrategy(f.strategy); err != nil {
			return fmt.Errorf("--%w", err)
		}
	}
	if given("from") {
		s.From = f.from
	}
	if given("to") {
		s.To = f.to
	}
	switch {
	case given("points") && s.Kind == crashinject.Every:
		return errors.New("--points with strategy every: expected --from and --to, or another strategy")
	case given("points"), s.Points == 0 && s.Kind != crashinject.Every && s.Kind != crashinject.Calls:
		s.Points = f.points
	}
	return nil
}

func (f *campaignFlags) run(c *cobra.Command, args []string) error {
	asJSON, err := f.form.json()
	if err != nil {
		return err
	}
	camp, err := f.campaign(c, args)
	if err != nil {
		return err
	}
	if f.workers < 0 || f.shrink < 0 {
		return errors.New("--workers and --shrink: expected a whole number that is not negative")
	}
	if err := f.ci.check(); err != nil {
		return err
	}
	camp.Workers = f.workers
	camp.Progress = progress(camp.Name)
	folder, err := newRunFolder(f.out, camp.Name)
	if err != nil {
		return err
	}
	ctx, stop := interruptible()
	defer stop()
	ctx, spent := f.ci.within(ctx)
	defer spent()
	(&firstCase{folder: folder, budget: f.shrink}).attach(ctx, &camp)
	keep, err := f.keep(&camp, folder)
	if err != nil {
		return err
	}
	res, err := camp.Run(ctx)
	kept := keep.Close()
	switch {
	case (res == nil || res.Points == 0) && errors.Is(context.Cause(ctx), errBudget):
		return exit(result.Timeout.ExitCode(), "%v before the first point was judged", errBudget)
	case res == nil && ctx.Err() != nil:
		return exit(result.StatusInterrupted, "%v before the first point", context.Cause(ctx))
	case res == nil:
		return classify(err)
	}
	return campaignStatus(ctx, res, err, errors.Join(f.write(&camp, res, folder, asJSON), kept))
}

// campaignStatus is the answer of a campaign: what ended it early, else the verdict of its
// points. A file that could not be written (werr) is told of, but takes the place of no
// verdict but pass.
func campaignStatus(ctx context.Context, res *result.Campaign, err, werr error) error {
	if errors.Is(context.Cause(ctx), errBudget) && res.Points > 0 {
		fmt.Fprintf(os.Stderr, "zhuque: %v after %d points; the verdict is that of these\n", errBudget, res.Points)
		err = nil
	} else if ctx.Err() != nil {
		err = exit(result.StatusInterrupted, "%v after %d points", context.Cause(ctx), res.Points)
	}
	worst, ok := res.Counts.Worst()
	var unkept *exitError
	switch {
	case err != nil && (!errors.As(err, &unkept) || unkept.status != result.StatusInfrastructure):
		return errors.Join(classify(err), told(werr))
	case !ok:
		return exit(result.SimBug.ExitCode(), "BUG: no point was judged")
	case len(res.Expected) > 0 && !worst.Worse(res.Expect):
		if wrong := res.AsExpected(); wrong != nil {
			return errors.Join(exit(result.Violation.ExitCode(), "not what the scenario expects: %v", wrong),
				told(err), told(werr))
		}
		return errors.Join(&exitError{status: worst.ExitCode()}, told(err), told(werr))
	case worst != result.Pass:
		return errors.Join(&exitError{status: worst.ExitCode()}, told(err), told(werr))
	}
	return unwritten(werr)
}

// told is an error as words alone, which decides no exit status.
func told(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(err.Error())
}

// unwritten gives an error of writing results its exit status.
func unwritten(err error) error {
	if err == nil {
		return nil
	}
	return exit(result.StatusInfrastructure, "%v", err)
}

// write shows a campaign on standard output and writes its report.
func (f *campaignFlags) write(camp *crashinject.Campaign, res *result.Campaign, folder *runFolder, asJSON bool) error {
	doc, err := document(res.Name, &camp.Setup, *res)
	if err != nil {
		return err
	}
	if asJSON {
		err = writeJSON(os.Stdout, summary(res))
	} else {
		err = report.Text(os.Stdout, doc, colour(os.Stdout))
	}
	err = errors.Join(err, folder.report(doc), f.ci.write(doc))
	if asJSON && res.Replay != "" {
		fmt.Fprintln(os.Stderr, res.Replay)
	}
	return err
}

// campaignSummary is the JSON form of a campaign on standard output: the totals
// flat, the record below.
type campaignSummary struct {
	Verdict         result.Verdict   `json:"verdict"` // the worst; that of the exit status
	Points          uint64           `json:"points"`
	Pass            uint64           `json:"pass"`
	Violation       uint64           `json:"violation"`
	Detected        uint64           `json:"detected"`
	Unsupported     uint64           `json:"unsupported"`
	SimBug          uint64           `json:"simbug"`
	Timeout         uint64           `json:"timeout"`
	Unreached       uint64           `json:"unreached"`
	Redrawn         uint64           `json:"redrawn"`
	PointsPerSecond float64          `json:"points_per_second"`
	Seed            uint64           `json:"seed"`
	Digest          string           `json:"digest"`
	Campaign        *result.Campaign `json:"campaign"`
}

func summary(r *result.Campaign) campaignSummary {
	c := r.Counts
	worst, ok := c.Worst()
	if !ok {
		worst = result.SimBug // nothing was judged
	}
	return campaignSummary{Verdict: worst, Points: r.Points, Pass: c.Pass,
		Violation: c.Violation, Detected: c.Detected, Unsupported: c.Unsupported,
		SimBug: c.SimBug, Timeout: c.Timeout, Unreached: c.Unreached, Redrawn: r.Redrawn,
		PointsPerSecond: r.PointsPerSecond, Seed: r.Seed, Digest: r.Digest, Campaign: r}
}

// progress shows a line on standard error, rewritten in place on a terminal.
func progress(name string) func(done, total uint64) {
	live := colour(os.Stderr)
	begin := time.Now()
	last := begin
	ended := false
	return func(done, total uint64) {
		end := done == total
		if end && ended {
			return // a slow host looks once more between the last point and the end
		}
		ended = end
		if !live && !end && time.Since(last) < 5*time.Second {
			return
		}
		last = time.Now()
		rate := float64(done) / max(time.Since(begin).Seconds(), 1e-9)
		line := fmt.Sprintf("%s: %d of %d points, %.0f points/s", name, done, total, rate)
		if live {
			fmt.Fprintf(os.Stderr, "\r\x1b[K%s", line)
			if end {
				fmt.Fprintln(os.Stderr)
			}
			return
		}
		fmt.Fprintln(os.Stderr, line)
	}
}
