package main

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"zhuque/crashinject/result"
	"zhuque/scenarios/validate"
)

func validateVerb() *cobra.Command {
	var families []string
	var out string
	var f format
	var rows bool
	c := &cobra.Command{
		Use:   "validate [flags]",
		Short: "Compare the timed model with published measurements",
		Long: `Validate runs the micro-workloads by which memory devices were measured as guest code on
the timed model, each under the preset that its row names, and prints the factor between
model and measurement: the geometric mean of each family, its worst row and its goal.
--rows prints every row, --out writes them as CSV. Rows without a counterpart are
listed as absent, and parameters that were fitted to these rows as fitted.

Exit status: 0 when every family reaches its goal, 10 when one does not.`,
		Example: `  zhuque validate --family "write amplification"
  zhuque validate --family "idle latency" --out validation --format json  # exit status 10`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			json, err := f.json()
			if err != nil {
				return err
			}
			ctx, cancel := interruptible()
			defer cancel()
			r, err := validate.Run(ctx, families, runtime.NumCPU(), nil)
			switch {
			case errors.Is(err, context.Canceled):
				return exit(result.StatusInterrupted, "interrupted")
			case err != nil:
				return exit(result.StatusBadInput, "%v", err)
			}
			if out != "" {
				if err := writeValidation(out, r); err != nil {
					return err
				}
			}
			if json {
				err = writeJSON(os.Stdout, r)
			} else {
				err = printValidation(os.Stdout, r, rows)
			}
			if err == nil && !r.OK() {
				err = &exitError{status: result.StatusFound}
			}
			return err
		},
	}
	c.Flags().StringArrayVar(&families, "family", nil, "compare this family only; may be repeated")
	c.Flags().StringVar(&out, "out", "", "write rows.csv and result.json to this directory")
	c.Flags().BoolVar(&rows, "rows", false, "print every row")
	complete(c, "family", validate.Names)
	f.register(c)
	return c
}

func writeValidation(dir string, r *validate.Result) error {
	if err := os.MkdirAll(dir, 0o777); err != nil {
		return err
	}
	if err := writeFile(filepath.Join(dir, "result.json"), func(w io.Writer) error { return writeJSON(w, r) }); err != nil {
		return err
	}
	return writeFile(filepath.Join(dir, "rows.csv"), func(w io.Writer) error {
		table := csv.NewWriter(w)
		table.Write([]string{"id", "family", "preset", "x", "x_unit", "measured", "modelled", "unit", "factor"})
		number := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
		for _, row := range r.Rows {
			table.Write([]string{row.ID, row.Family, row.Preset, number(row.X), row.XUnit,
				number(row.Measured), number(row.Modelled), row.Unit, number(row.Factor)})
		}
		table.Flush()
		return table.Error()
	})
}

func printValidation(to io.Writer, r *validate.Result, rows bool) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	if rows {
		fmt.Fprintln(w, "row\tx\tmeasured\tmodelled\tunit\tfactor")
		for _, row := range r.Rows {
			fmt.Fprintf(w, "%s\t%g %s\t%.4g\t%.4g\t%s\t%.2f\n", row.ID,
				row.X, row.XUnit, row.Measured, row.Modelled, row.Unit, row.Factor)
		}
	}
	fmt.Fprintln(w, "family\trows\tfactor\tworst\tgoal\t")
	for _, f := range r.Families {
		ok := "ok"
		if !f.OK {
			ok = "not reached"
		}
		fmt.Fprintf(w, "%s\t%d\t%.3f\t%.2f\t%.2f\t%s\n", f.Name, f.Rows, f.Geomean, f.Worst, f.Goal, ok)
	}
	fmt.Fprintf(w, "all\t%d\t%.3f\n", len(r.Rows), r.Geomean)
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(to, "\nfitted parameters:")
	for _, p := range r.Fitted {
		fmt.Fprintf(w, "%s\t%g %s\t%s\n", p.Name, p.Value, p.Unit, p.Source)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nabsent, without a counterpart: %d verified rows\n", len(r.Absent))
	for _, id := range r.Absent {
		fmt.Fprintln(to, " ", id)
	}
	return nil
}
