package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/runtime/wpp"
	"zhuque/scenarios"
)

func mutantsVerb() *cobra.Command {
	c := listVerb("mutants", "List the deliberately broken runtimes, or catch them all", `Mutants lists the defects that --mutant plants. zhuque campaign --mutant NAME
runs the campaign named here, which catches it.

With --run the campaigns of all mutants are run, or of those that are named, and
of each is printed at which of its points it was caught. The exit status is 10
if one was not.`,
		[]string{"NAME", "GUEST", "CORES", "STRATEGY", "POINTS", "BROKEN"},
		func() (rows [][]string) {
			for _, m := range wpp.Mutants() {
				rows = append(rows,
					[]string{m.Name, m.Guest, fmt.Sprint(max(m.Cores, 1)), m.Strategy, fmt.Sprint(m.Points), m.Broken})
			}
			return rows
		}, nil)
	c.Example += "\n  zhuque mutants --run x87-not-saved"
	list := c.RunE
	var run bool
	c.Flags().BoolVar(&run, "run", false, "run their campaigns")
	c.Args = cobra.ArbitraryArgs
	c.ValidArgsFunction = func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
		return wpp.MutantNames(), cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		switch {
		case run:
			return catchMutants(c, args)
		case len(args) > 0:
			return fmt.Errorf("%q without --run: expected no names", args)
		}
		return list(c, args)
	}
	return c
}

// caughtMutant is one row of zhuque mutants --run.
type caughtMutant struct {
	Name       string        `json:"name"`
	Guest      string        `json:"guest"`
	Strategy   string        `json:"strategy"`
	Points     uint64        `json:"points"`
	CaughtAt   uint64        `json:"caught_at"` // from 1; 0 when it was not caught
	Violations uint64        `json:"violations"`
	Counts     result.Counts `json:"counts"`
	Verdict    string        `json:"verdict"`
	Broken     string        `json:"broken"`
}

// catchMutants runs the campaigns of the mutants that are named, or of all.
func catchMutants(c *cobra.Command, names []string) error {
	form := format{c.Flag("format").Value.String()}
	asJSON, err := form.json()
	if err != nil {
		return err
	}
	list := wpp.Mutants()
	if len(names) > 0 {
		list = nil
	}
	for _, name := range names {
		m, err := wpp.FindMutant(name)
		if err != nil || name == "" {
			return errors.Join(err, fmt.Errorf("%q: expected the names of mutants, or none for all", name))
		}
		list = append(list, m)
	}
	ctx, stop := interruptible()
	defer stop()
	var rows []caughtMutant
	missed := 0
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', 0)
	if !asJSON {
		fmt.Fprintln(w, "NAME\tGUEST\tSTRATEGY\tPOINTS\tCAUGHT AT\tVIOLATIONS\tVERDICT\tBROKEN")
	}
	for _, m := range list {
		row, err := catch(ctx, m)
		if ctx.Err() != nil {
			return exit(result.StatusInterrupted, "%v in %q", context.Cause(ctx), m.Name)
		}
		if err != nil {
			return classify(fmt.Errorf("%s: %w", m.Name, err))
		}
		rows = append(rows, row)
		if row.CaughtAt == 0 {
			missed++
		}
		if !asJSON {
			fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%d\t%d\t%s\t%s\n", row.Name, row.Guest,
				row.Strategy, row.Points, row.CaughtAt, row.Violations, row.Verdict, row.Broken)
		}
	}
	if asJSON {
		err = writeJSON(os.Stdout, rows)
	} else {
		err = w.Flush()
	}
	if err == nil && missed > 0 {
		err = exit(result.StatusFound, "%d of %d mutants were not caught", missed, len(rows))
	}
	return err
}

// catch runs the campaign of a mutant.
func catch(ctx context.Context, m wpp.Mutant) (caughtMutant, error) {
	setup := crashinject.DefaultSetup()
	setup.Guest = scenarios.Guest
	camp, err := crashinject.Exposing(m, setup)
	if err != nil {
		return caughtMutant{}, err
	}
	camp.Progress = progress(m.Name)
	res, err := camp.Run(ctx)
	if err != nil {
		return caughtMutant{}, err
	}
	row := caughtMutant{Name: m.Name, Guest: m.Guest, Strategy: m.Strategy, Points: res.Points,
		Violations: res.Counts.Violation, Counts: res.Counts, Verdict: "not caught", Broken: m.Broken}
	if p, ok := res.First(result.Violation); ok {
		row.CaughtAt, row.Verdict = p.Index+1, "caught"
	}
	return row, nil
}
