package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
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
		Long: `Figures runs data structures and a server under Zhuque and under comparison systems (an undo
log, a redo-log STM, failure-atomic sections, clobber logging), natively in DRAM and in
persistent memory, and draws their modelled times: SVG, PNG and CSV of each figure,
predictions.csv, and a page with all of them, every parameter and what to think of them.

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
	kept, err := openRuns(folder.dir, &doc, &setup)
	if err != nil {
		return err
	}
	defer kept.file.Close()
	ctx, stop := interruptible()
	defer stop()
	err = figures.Make(ctx, &figures.Options{Names: args, Full: f.full, Setup: setup, Workers: int(f.workers), Known: kept.known, Made: kept.keep}, &doc)
	switch {
	case ctx.Err() != nil:
		return exit(result.StatusInterrupted, "%v; what was run is in %s, and the same command continues from there", context.Cause(ctx), kept.file.Name())
	case errors.As(err, new(*systems.Failed)):
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

// keptRuns is the file of runs that were made: a line that names the machine and the programs,
// then one for each run.
type keptRuns struct {
	file  *os.File
	known map[string]*systems.Cost
}

type keptRun struct {
	Made string        `json:"made,omitempty"` // by what: of the first line
	Name string        `json:"name,omitempty"`
	Cost *systems.Cost `json:"cost,omitempty"`
}

const runsFile = "runs.jsonl"

// openRuns reads the runs of a folder, and opens them for more. A line that a kill has cut
// short is dropped.
func openRuns(dir string, doc *result.Document, setup *crashinject.Setup) (*keptRuns, error) {
	made, err := madeBy(doc, setup)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(dir, runsFile)
	// A link leads to a file that nobody named; a pipe or a device never ends.
	if st, err := os.Lstat(path); err == nil && !st.Mode().IsRegular() {
		return nil, fmt.Errorf("%s: expected a regular file that zhuque figures has written", path)
	}
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	k := &keptRuns{known: map[string]*systems.Cost{}}
	whole := bytes.LastIndexByte(text, '\n') + 1
	if first := `{"made":"` + made + `"}`; whole == 0 && !strings.HasPrefix(first, string(text)) {
		return nil, fmt.Errorf("%s: line 1 is no run: expected a file that zhuque figures has written", path)
	}
	for i, line := range bytes.Split(bytes.TrimSuffix(text[:whole], []byte("\n")), []byte("\n")) {
		if whole == 0 {
			break
		}
		var r keptRun
		if err := json.Unmarshal(line, &r); err != nil || i > 0 && (r.Cost == nil || r.Cost.Operations == 0 || r.Cost.MHz <= 0 || r.Cost.Nanos <= 0) {
			return nil, fmt.Errorf("%s: line %d is no run: expected a file that zhuque figures has written", path, i+1)
		}
		switch {
		case i == 0 && r.Made != made:
			return nil, fmt.Errorf("%s: the runs are of other programs, parameters or another version of zhuque: expected another --out, or none of them there", path)
		case i > 0:
			k.known[r.Name] = r.Cost
		}
	}
	if k.file, err = os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o644); err != nil {
		return nil, err
	}
	if err := errors.Join(k.file.Truncate(int64(whole)), seekEnd(k.file)); err != nil {
		return nil, err
	}
	if whole == 0 {
		return k, k.line(keptRun{Made: made})
	}
	return k, nil
}

func seekEnd(f *os.File) error { _, err := f.Seek(0, 2); return err }

// madeBy is a digest of what decides the runs: the programs, the parameters, the settings
// (a seed, say, or the length of turns), and the simulator.
func madeBy(doc *result.Document, setup *crashinject.Setup) (string, error) {
	h := sha256.New()
	for _, name := range systems.Names() {
		elf, err := systems.Guest(name)
		if err != nil {
			return "", err
		}
		h.Write(elf)
	}
	for _, f := range doc.Environment {
		if f.Name != "host" {
			fmt.Fprintln(h, f.Name, f.Value)
		}
	}
	for _, p := range doc.Params {
		fmt.Fprintln(h, p.Name, p.Value)
	}
	settings := setup.Fields()
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		fmt.Fprintf(h, "%s %q\n", name, settings[name])
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (k *keptRuns) line(r keptRun) error {
	text, err := json.Marshal(r)
	if err == nil {
		_, err = k.file.Write(append(text, '\n'))
	}
	return err
}

// keep writes a run down, and says so.
func (k *keptRuns) keep(done, total int, p figures.Point, c *systems.Cost) error {
	fmt.Fprintf(os.Stderr, "%d of %d: %s\n", done, total, strings.TrimSpace(p.Name()))
	return k.line(keptRun{Name: p.Name(), Cost: c})
}
