// Command plant plants defects in the simulator, one at a time, and reports who notices:
// the campaigns of the registry, else the other guests, else the package's own tests, else
// nobody.
//
// Which defects is drawn from a seed. All of them are compiled into one program, each
// behind a switch, so that a defect costs a run and no build. Nothing in the tree is
// changed: go build reads the planted source from a scratch directory.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"time"
)

// options of the command line.
type options struct {
	n        int
	seed     uint64
	packages string
	run      string
	points   uint64
	jobs     int
	state    string
	dir      string
	json     bool
	list     bool
	bound    time.Duration
}

func main() {
	var o options
	flag.IntVar(&o.n, "n", 100, "how many defects")
	flag.Uint64Var(&o.seed, "seed", 1, "draws them; -n 40 are the first of -n 100")
	flag.StringVar(&o.packages, "packages", strings.Join(folders(), ","), "folders to plant in")
	flag.StringVar(&o.run, "run", "", "only defects whose key matches")
	flag.Uint64Var(&o.points, "points", 40, "crash points of each campaign")
	flag.IntVar(&o.jobs, "jobs", runtime.NumCPU(), "defects judged at the same time")
	flag.StringVar(&o.state, "state", "", "file that keeps what is measured; a second run continues from there")
	flag.StringVar(&o.dir, "dir", "", "scratch directory (default: a temporary one)")
	flag.DurationVar(&o.bound, "bound", 3*time.Minute, "how long campaigns may take with a defect, and again its tests")
	flag.BoolVar(&o.json, "json", false, "print one JSON object")
	flag.BoolVar(&o.list, "list", false, "list the defects and run nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := o.plant(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "plant:", err)
		os.Exit(1)
	}
}

func (o *options) plant(ctx context.Context) error {
	run, err := regexp.Compile(o.run)
	if err != nil {
		return fmt.Errorf("-run: %w", err)
	}
	if flag.NArg() > 0 || o.n < 1 || o.jobs < 1 || o.points < 1 {
		return fmt.Errorf("expected -n, -jobs and -points above 0, and no arguments")
	}
	same, err := equivalents(equivalentsText)
	if err != nil {
		return err
	}
	root, err := moduleRoot()
	if err != nil {
		return err
	}
	sources, err := load(root, strings.Split(o.packages, ","))
	if err != nil {
		return err
	}
	all := sites(sources, run)
	t := table{Seed: o.seed, Points: o.points, Sites: len(all)}
	reserve := draw(all, 2*o.n+20, o.seed)
	if o.list {
		for _, d := range reserve[:min(o.n, len(reserve))] {
			fmt.Printf("%s\t%s\n", d.At, d.Key)
		}
		return nil
	}
	dir := o.dir
	if dir == "" {
		if dir, err = os.MkdirTemp("", "plant"); err != nil {
			return err
		}
		defer os.RemoveAll(dir)
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	over := &overlay{root: root, dir: dir, sources: sources}
	if t.Defects, err = o.measure(ctx, over, reserve, same); err != nil {
		return err
	}
	if o.json {
		t.count()
		return json.NewEncoder(os.Stdout).Encode(t)
	}
	return t.text(os.Stdout)
}

// measure plants and judges defects, o.jobs at the same time.
func (o *options) measure(ctx context.Context, over *overlay,
	reserve []defect, same map[string]string) ([]measured, error) {
	list, err := over.plantAll(o.n, reserve)
	if err != nil {
		return nil, err
	}
	b := bounds{o.points, o.bound, o.bound}
	if err := over.sound(ctx, b); err != nil {
		return nil, err
	}
	known, keep, err := o.openState()
	if err != nil {
		return nil, err
	}
	defer keep.Close()
	out := make([]measured, len(list))
	errs := make(chan error, o.jobs)
	var mu sync.Mutex // of keep, the progress and the building of tests
	next, done := 0, 0
	take := func() (int, bool) {
		mu.Lock()
		defer mu.Unlock()
		next++
		return next - 1, next <= len(list)
	}
	for range o.jobs {
		go func() {
			for {
				i, ok := take()
				if !ok {
					errs <- nil
					return
				}
				m, isKnown := known[list[i].Key]
				if reason := same[list[i].Key]; reason != "" {
					m, isKnown = measured{Key: list[i].Key, Area: list[i].Area,
						Kind: list[i].Kind, At: list[i].At, By: equivalent, How: reason}, true
				}
				if !isKnown {
					var err error
					if m, err = over.judged(ctx, i+1, &list[i], b, &mu); err != nil {
						errs <- err
						return
					}
				}
				mu.Lock()
				out[i] = m
				done++
				fmt.Fprintf(os.Stderr, "%d of %d: %s %s %s (%.1f s): %s\n", done, len(list), m.By, m.Which, m.How, m.Seconds, m.Key)
				if !isKnown {
					json.NewEncoder(keep).Encode(m)
				}
				mu.Unlock()
			}
		}()
	}
	for range o.jobs {
		if e := <-errs; e != nil {
			err = e
		}
	}
	return out, err
}

// judged classifies a defect; the test program is made first where it is missing.
func (o *overlay) judged(ctx context.Context, n int, d *defect, b bounds, building *sync.Mutex) (measured, error) {
	building.Lock()
	err := o.buildTests(d.folder)
	building.Unlock()
	if err != nil {
		return measured{}, err
	}
	return o.classify(ctx, n, d, b)
}

// sound checks that without a defect nothing is noticed.
func (o *overlay) sound(ctx context.Context, b bounds) error {
	for _, args := range [][]string{nil, {"--guests"}} {
		begin := time.Now()
		r := o.run(ctx, 0, b.campaigns, o.dir, o.judge(), append([]string{fmt.Sprintf("--points=%d", b.points)}, args...)...)
		if r.err != nil || r.failed {
			return fmt.Errorf("without a defect the campaigns fail (%v): %s: %s", r.err, r.last("at "), r.why("caught "))
		}
		fmt.Fprintf(os.Stderr, "without a defect: %.1f s\n", time.Since(begin).Seconds())
	}
	return nil
}

// openState returns what the state file has, and the file for more.
func (o *options) openState() (map[string]measured, *os.File, error) {
	name := o.state
	if name == "" {
		name = os.DevNull
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return nil, nil, err
	}
	known, err := readState(f)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", name, err)
	}
	return known, f, nil
}

// moduleRoot is the folder of go.mod.
func moduleRoot() (string, error) {
	out, err := exec.Command("go", "env", "GOMOD").Output()
	if err != nil {
		return "", fmt.Errorf("go env GOMOD: %w", err)
	}
	return filepath.Dir(strings.TrimSpace(string(out))), nil
}
