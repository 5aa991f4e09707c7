package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject/result"
	"zhuque/report"
)

// ciFlags are the flags of a campaign for continuous integration.
type ciFlags struct {
	budget                 time.Duration
	junit, sarif, markdown string
	annotations            bool
}

// errBudget ends a campaign whose time is used up.
var errBudget = errors.New("the budget is used up")

func (f *ciFlags) register(c *cobra.Command) {
	fl := c.Flags()
	fl.DurationVar(&f.budget, "budget", 0, "end the campaign after this time, such as 10m (default: no limit)")
	fl.StringVar(&f.junit, "junit", "", "write the result to this file as JUnit XML")
	fl.StringVar(&f.sarif, "sarif", "", "write the failures to this file as SARIF 2.1.0")
	fl.BoolVar(&f.annotations, "annotations", os.Getenv("GITHUB_ACTIONS") == "true",
		"write the failures to standard error as annotations of GitHub (default: in a workflow of GitHub's)")
	fl.StringVar(&f.markdown, "markdown", "", "write a summary to this file as Markdown")
}

// files lists what is written, by flag.
func (f *ciFlags) files() []struct {
	flag, name string
	write      func(io.Writer, result.Document) error
} {
	return []struct {
		flag, name string
		write      func(io.Writer, result.Document) error
	}{{"junit", f.junit, report.JUnit}, {"sarif", f.sarif, report.SARIF}, {"markdown", f.markdown, report.Markdown}}
}

// check refuses what cannot be before anything runs.
func (f *ciFlags) check() error {
	if f.budget < 0 {
		return fmt.Errorf("--budget %v: expected a time above 0", f.budget)
	}
	for _, file := range f.files() {
		if err := expectWritable(file.name); err != nil {
			return fmt.Errorf("--%s: %w", file.flag, err)
		}
	}
	return nil
}

// within ends ctx when the budget is used up.
func (f *ciFlags) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.budget == 0 {
		return ctx, func() {}
	}
	return context.WithTimeoutCause(ctx, f.budget, errBudget)
}

func (f *ciFlags) write(doc result.Document) (err error) {
	for _, file := range f.files() {
		if file.name == "" {
			continue
		}
		if e := writeFile(file.name, func(w io.Writer) error { return file.write(w, doc) }); e != nil {
			err = errors.Join(err, fmt.Errorf("--%s: %w", file.flag, e))
		}
	}
	if f.annotations {
		err = errors.Join(err, report.Annotations(os.Stderr, doc))
	}
	return err
}
