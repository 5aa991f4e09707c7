package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject/result"
	"zhuque/scenarios/bench"
)

type benchFlags struct {
	programs []string
	plugin   string
	format   string
	seconds  float64
	repeat   int
}

func benchVerb() *cobra.Command {
	var f benchFlags
	c := &cobra.Command{
		Use:   "bench [flags]",
		Short: "Measure the speed beside native execution, QEMU and Cachegrind",
		Long: `Bench runs programs natively, in the simulator with the cache model and
without, in qemu-x86_64 (as it is, translating one instruction at a time, with the
cache plugin) and in Cachegrind, in turns, and prints instructions, seconds and
million instructions a second. What is not installed says so. Each engine runs each
program at two lengths, in turns with the others, and instructions a second are the
slope between the two: an engine's start is not in it. Where the two lengths differ by
less than 0.1 s, or the work has one length only, no speed and no ratio is printed.

Instructions are those that the simulator retires; the longer runs of faster
engines are counted from the shorter ones, as every round of a program is the
same. An engine must print what the simulator prints.`,
		Example: `  zhuque bench --programs sha256 --seconds 0.5 --repeat 1
  zhuque bench --programs sha256,nbody --seconds 0.05 --repeat 1 --format csv`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error { return f.run() },
	}
	names := workloadNames(bench.Workloads())
	c.Long += "\n\nDebian's python3, sqlite3, memcached and redis are among the programs where " +
		bench.SoftwareTree + "\nholds them, seen from the working directory: ./check unpacks them there."
	c.Flags().StringSliceVar(&f.programs, "programs", names, "programs to run")
	c.Flags().StringVar(&f.plugin, "qemu-plugin", "",
		"QEMU's cache plugin, `FILE` libcache.so (default: where systems put it)")
	c.Flags().StringVar(&f.format, "format", "text", "text, json or csv")
	c.Flags().Float64Var(&f.seconds, "seconds", 1, "how long one run is made to take, about")
	c.Flags().IntVar(&f.repeat, "repeat", 3, "timed runs of each program in each engine; the median counts")
	complete(c, "programs", words(names...))
	complete(c, "format", words("text", "json", "csv"))
	return c
}

func (f *benchFlags) run() error {
	if !slices.Contains([]string{"text", "json", "csv"}, f.format) {
		return fmt.Errorf("--format %q: expected text, json or csv", f.format)
	}
	if f.repeat < 1 || !(f.seconds > 0 && f.seconds <= 3600) {
		return fmt.Errorf("--repeat %d, --seconds %v: expected at least 1, and more than 0", f.repeat, f.seconds)
	}
	o := bench.Options{Engines: bench.Engines(f.plugin), Counter: bench.Simulated(false),
		Target: time.Duration(f.seconds * float64(time.Second)), Repeat: f.repeat, Progress: func(string) {}}
	known := bench.Workloads()
	for _, name := range f.programs {
		i := slices.IndexFunc(known, func(w bench.Workload) bool { return w.Name == name })
		if i < 0 {
			return fmt.Errorf("--programs %q: expected some of %s", name, strings.Join(workloadNames(known), ", "))
		}
		o.Workloads = append(o.Workloads, known[i])
	}
	if terminal(os.Stderr) {
		o.Progress = func(line string) { fmt.Fprintf(os.Stderr, "\r\x1b[K%s", line) }
		defer fmt.Fprint(os.Stderr, "\r\x1b[K")
	}
	ctx, stop := interruptible()
	defer stop()
	cells, err := bench.Measure(ctx, o)
	if ctx.Err() != nil {
		return exit(result.StatusInterrupted, "%v", context.Cause(ctx))
	}
	if err != nil {
		return classify(err)
	}
	switch f.format {
	case "json":
		return writeJSON(os.Stdout, struct {
			Cells       []bench.Cell       `json:"cells"`
			Comparisons []bench.Comparison `json:"comparisons"`
		}{cells, bench.Comparisons(cells)})
	case "csv":
		return bench.CSV(os.Stdout, cells)
	}
	return bench.Text(os.Stdout, cells)
}

func workloadNames(list []bench.Workload) (names []string) {
	for _, w := range list {
		names = append(names, w.Name)
	}
	return names
}
