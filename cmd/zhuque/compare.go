package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"zhuque/crashinject/result"
	"zhuque/report"
)

func compareVerb() *cobra.Command {
	var form format
	var slower float64
	c := &cobra.Command{
		Use:   "compare [flags] OLD NEW",
		Short: "Compare what two report folders have measured",
		Long: `Compare prints the values of two reports of sweep, figures or demo side by side, in benchstat's
manner: a table for each figure, with the geometric mean of the ratios. OLD and NEW are
folders, or their results.json. Parameters of the model that differ come first.

A value of one run is the same whenever it is made: any difference is one. Of several seeds
the interval from the smallest to the largest is kept, not the runs: ~ says that the two
overlap, and no p-value is given.

With --fail-above P the exit status is 10 when a value has grown by more than P percent.`,
		Example: `  zhuque compare before after   # exit status 2`,
		Args:    cobra.ExactArgs(2),
	}
	form.register(c)
	c.Flags().Float64Var(&slower, "fail-above", math.Inf(1), "`PERCENT` by which a value may grow (default: any)")
	c.Flags().Lookup("fail-above").DefValue = ""
	c.RunE = func(c *cobra.Command, args []string) error {
		asJSON, err := form.json()
		if err != nil {
			return err
		}
		if !(slower >= 0) {
			return fmt.Errorf("--fail-above %v: expected a number of percent, 0 or more", slower)
		}
		return compare(args[0], args[1], asJSON, slower)
	}
	return c
}

func compare(old, new string, asJSON bool, slower float64) error {
	a, err := loadReport(old)
	if err != nil {
		return err
	}
	b, err := loadReport(new)
	if err != nil {
		return err
	}
	both := report.Compare(&a, &b)
	if len(both.Changes) == 0 {
		return fmt.Errorf("%s and %s have no value in common: expected reports of sweep, figures or demo with the same figures", old, new)
	}
	if asJSON {
		err = writeJSON(os.Stdout, both)
	} else {
		_, err = fmt.Print(both.Text())
	}
	if err != nil {
		return err
	}
	grown := 0
	for i := range both.Changes {
		if ch := &both.Changes[i]; ch.Differs() && ch.New.Value > ch.Old.Value*(1+slower/100) {
			grown++
		}
	}
	if grown > 0 {
		return exit(result.StatusFound, "%d of %d values have grown by more than %v percent", grown, len(both.Changes), slower)
	}
	return nil
}

// loadReport reads the results of a folder, or of the file itself.
func loadReport(path string) (result.Document, error) {
	st, err := os.Stat(path)
	if err != nil {
		return result.Document{}, err
	}
	if st.IsDir() {
		path = filepath.Join(path, "results.json")
	}
	return result.Load(path)
}
