package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/report"
	"zhuque/scenarios/figures"
	"zhuque/scenarios/region"
	"zhuque/scenarios/systems"
)

// figuresFlags are the flags of figures that are no settings.
type figuresFlags struct {
	setup   setupFlags
	format  format
	quick   bool
	full    bool
	out     string
	workers uint64

	python, memcached string
}

func figuresVerb() *cobra.Command {
	var f figuresFlags
	var list strings.Builder
	for _, n := range figures.Names() {
		fmt.Fprintf(&list, "  %-11s %s\n", n[0], n[1])
	}
	c := &cobra.Command{
		Use:   "figures [flags] [NAME…]",
		Short: "Draw what persistence costs, beside what one would use instead",
		Long: `Figures runs micro-benchmarks, Python programs, data structures and a server under Zhuque and
under comparison systems (an undo log, a redo-log STM, failure-atomic sections, clobber
logging), natively in DRAM and in persistent memory, and draws their modelled times: SVG, PNG,
PDF and CSV of each figure, predictions.csv, and a page with all of them, every parameter and
what to think of them. NAME.pdf is as wide as a column of a USENIX paper, NAME-wide.pdf as
both.

` + list.String() + `
--quick, the default, takes minutes; --full has more threads, values and operations. Runs
are kept in runs.jsonl of the folder: with the same --out they are not made again, after an
interruption say. Each workload checks itself: one that fails is an error (exit status 16),
and nothing is drawn.`,
		Example: `  zhuque figures breakdown`,
		Args:    cobra.ArbitraryArgs,
		RunE:    func(c *cobra.Command, args []string) error { return f.run(c, args) },
	}
	f.setup.registerSome(c, func(s *crashinject.Setting) bool { return s.Name == "preset" || s.Name == "set" })
	f.format.register(c)
	c.Flags().BoolVar(&f.quick, "quick", false, "small runs, up to 4 threads (the default)")
	c.Flags().BoolVar(&f.full, "full", false, "large runs, up to 16 threads")
	c.Flags().StringVar(&f.out, "out", "", "directory for figures, tables, page and runs; without it one of its own in "+defaultOut)
	numberVar(c.Flags(), &f.workers, "workers", uint64(runtime.NumCPU()), "runs made at once")
	c.Flags().StringVar(&f.python, "python", "/usr/bin/python3", "the python3 of the figure python, which is left out where there is none")
	c.Flags().StringVar(&f.memcached, "memcached", "/usr/bin/memcached", "the memcached of the figure memcached, likewise")
	c.ValidArgsFunction = func(*cobra.Command, []string, string) (names []string, _ cobra.ShellCompDirective) {
		for _, n := range figures.Names() {
			names = append(names, n[0])
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
	return c
}

func (f *figuresFlags) run(c *cobra.Command, args []string) error {
	asJSON, err := f.format.json()
	if err != nil {
		return err
	}
	if f.quick && f.full {
		return errors.New("--quick and --full: expected one of them")
	}
	if f.workers < 1 || f.workers > 256 {
		return fmt.Errorf("--workers %d: expected 1 to 256", f.workers)
	}
	if err := figures.Check(args); err != nil {
		return err
	}
	setup, err := f.setup.setup(c, []string{crashinject.GuestPrefix + systems.Prefix + "native"})
	if err != nil {
		return err
	}
	programs, err := f.programs(c, args, setup.Root)
	if err != nil {
		return err
	}
	folder, err := newRunFolder(f.out, "figures")
	if err != nil {
		return err
	}
	if err := folder.make(); err != nil {
		return err
	}
	doc, err := document("figures", &setup)
	if err != nil {
		return err
	}
	kept, err := openRuns(folder.dir, &doc, &setup, programs)
	if err != nil {
		return err
	}
	defer kept.close()
	ctx, stop := interruptible()
	defer stop()
	err = figures.Make(ctx, &figures.Options{Names: args, Full: f.full, Setup: setup, Workers: int(f.workers), Python: f.python, Memcached: f.memcached, Known: kept.known, Made: kept.keep}, &doc)
	switch {
	case ctx.Err() != nil:
		return exit(result.StatusInterrupted, "%v; what was run is in %s, and the same command continues from there", context.Cause(ctx), kept.file.Name())
	case errors.As(err, new(*region.Failed)):
		return exit(result.StatusBaseline, "%v", err)
	case err != nil:
		return err
	}
	werr := folder.report(doc)
	if asJSON {
		err = writeJSON(os.Stdout, doc)
	} else if err = report.Text(os.Stdout, doc, colour(os.Stdout)); err == nil && werr == nil {
		fmt.Printf("\nreport: %s (figures and tables beside it)\n", folder.page())
	}
	return errors.Join(err, unwritten(werr))
}

// programs lists the files of programs that no guest is, and forgets those that are not there unless
// they were asked for. All are named, whatever is drawn: kept runs of some figures are of use to others.
func (f *figuresFlags) programs(c *cobra.Command, names []string, root string) (files []string, err error) {
	for flag, program := range map[string]*string{"python": &f.python, "memcached": &f.memcached} {
		file := filepath.Join(cmp.Or(root, "/"), *program)
		_, err := os.Stat(file)
		switch {
		case err == nil:
			files = append(files, file)
		case c.Flags().Changed(flag) || slices.Contains(names, flag):
			return nil, fmt.Errorf("--%s: %w", flag, err)
		default:
			*program = ""
		}
	}
	slices.Sort(files)
	return files, nil
}
