// Package bench measures how fast programs run natively, in the simulator and in
// other people's emulators, side by side in one run: the figures of zhuque bench.
// A row is a workload and an engine; either list can be extended without the other.
//
// It looks at the clock, as the model never does, and models nothing. Seconds are
// processor time, which a busy machine changes less than time on the clock: of a
// whole process, its start included, and for the simulator from the making of the
// machine to its end; of a server without its client, except in the simulator, where
// both are one process. A workload with rounds is given so many that a run takes about
// Options.Target, and a quarter of them in a second run: instructions a second are the slope
// between the two, in which no engine's start has a part. Where the two differ by less than
// a tenth of a second, or the work cannot be made longer, there is no slope, and nothing is
// compared. Engines take turns, so that what disturbs one disturbs all.
//
// Instructions are those that the simulator retires for the same work. An engine
// that counts by itself reports its own count beside that.
package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"zhuque/crashinject"
	"zhuque/scenarios/guests"
)

// Workload is a program and what it is given to do.
type Workload struct {
	Name    string
	About   string
	Program string // path, or crashinject.GuestPrefix and the name of an embedded guest
	Args    []string
	Env     []string // nil for that of this process
	Stdin   string   // file, "" for none
	// Rounds is how often the smallest run does the work; "ROUNDS" among Args
	// stands for the number. 0: the work is always the same.
	Rounds uint64
	// Client, for a server, is what it is measured with; "PORT" among Args stands for
	// the port where the server listens.
	Client Client
}

// Workloads are the programs that zhuque bench knows.
func Workloads() []Workload {
	small := func(name, about string, rounds uint64) Workload {
		return Workload{Name: name, About: about, Program: crashinject.GuestPrefix + "bench-" + name,
			Args: []string{"ROUNDS"}, Rounds: rounds}
	}
	return append([]Workload{
		small("sha256", "SHA-256: rotations, logic and additions in registers", 40),
		small("hashmap", "hash map with chains: loads that depend on loads", 10),
		small("nbody", "n-body: SSE2 arithmetic in double precision", 10_000),
	}, software(1)...)
}

// Process is one run of a workload.
type Process struct {
	Program string // as in the workload
	File    string // the executable on the host
	Args    []string
	Env     []string // nil for that of this process
	Stdin   string
	Client  Client
}

// Outcome is what an engine tells of a run.
type Outcome struct {
	Wall         time.Duration // on the clock
	Processor    time.Duration // user and system time, of all threads
	Output       []byte
	Instructions uint64 // the engine's own count, 0 when it has none
}

// Engine runs programs.
type Engine struct {
	Name    string
	Missing string // why it cannot run here, "" when it can
	Run     func(ctx context.Context, p Process) (Outcome, error)
}

// Options are what Measure is asked for.
type Options struct {
	Workloads []Workload
	Engines   []Engine
	Counter   Engine        // the engine whose instruction counts hold for all
	Target    time.Duration // of one run of a workload with rounds
	Repeat    int           // runs that are timed
	Progress  func(line string)
}

// Cell is one workload in one engine.
type Cell struct {
	Program      string    `json:"program"`
	Engine       string    `json:"engine"`
	Missing      string    `json:"missing,omitempty"` // why there is no figure
	Rounds       uint64    `json:"rounds,omitempty"`
	Instructions uint64    `json:"instructions,omitempty"` // as the simulator retires them
	OwnCount     uint64    `json:"own_count,omitempty"`    // as the engine counts them
	Seconds      float64   `json:"seconds,omitempty"`      // of processor time: median of Runs
	WallSeconds  float64   `json:"wall_seconds,omitempty"` // on the clock: median
	Runs         []float64 `json:"runs_seconds,omitempty"` // of processor time
	ShortRounds  uint64    `json:"short_rounds,omitempty"`
	ShortRuns    []float64 `json:"short_runs_seconds,omitempty"`      // of processor time, each beside one of Runs
	PerSecond    float64   `json:"instructions_per_second,omitempty"` // by the slope: median of Slopes
	Slopes       []float64 `json:"slopes,omitempty"`                  // instructions a second, of each pair of runs
	NoSlope      string    `json:"no_slope,omitempty"`                // why there is no speed

	walls []float64
}

// SoftwareTree is where Workloads looks for Debian's programs: scenarios/real/fetch
// unpacks them there, seen from the top of the repository.
const SoftwareTree = ".cache/real/root"

// software are programs of others, which the loader of their own tree starts with the
// libraries of that tree, so that every engine runs the very same files. There are none
// where they were not fetched. Servers get a part of their full load.
func software(part int) []Workload {
	tree, err := filepath.Abs(SoftwareTree)
	if err != nil {
		return nil
	}
	loader := filepath.Join(tree, "lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
	libraries := filepath.Join(tree, "lib/x86_64-linux-gnu") + ":" + filepath.Join(tree, "usr/lib/x86_64-linux-gnu")
	env := []string{"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8", "PYTHONHOME=" + filepath.Join(tree, "usr"),
		"PYTHONHASHSEED=0", "PYTHONDONTWRITEBYTECODE=1"}
	var list []Workload
	command := func(program string, args ...string) []string {
		return append([]string{"--library-path", libraries, filepath.Join(tree, program)}, args...)
	}
	serve := func(name, about string, client Client, program string, args ...string) {
		if _, err := os.Stat(filepath.Join(tree, program)); err == nil {
			list = append(list,
				Workload{Name: name, About: about, Program: loader, Env: env, Args: command(program, args...), Client: client})
		}
	}
	add := func(name, about, program string, args ...string) { serve(name, about, nil, program, args...) }
	add("python-start", "python3: its start", "usr/bin/python3.11", "-c", "pass")
	add("python-json", "python3: 20,000 dictionaries to JSON and back", "usr/bin/python3.11", "-c",
		"import json; d = [{'n': i, 'name': 'item %d' % i, 'half': i / 2, 'odd': i % 2 == 1} for i in range(20000)]; print(json.loads(json.dumps(d)) == d)")
	add("sqlite", "sqlite3: 20,000 rows inserted and summed", "usr/bin/sqlite3", ":memory:",
		"create table t(a integer primary key, b); with recursive c(i) as (select 1 union all select i + 1 from c where i < 20000) "+
			"insert into t select i, i * i % 97 from c; select count(*), sum(b) from t;")
	servers(tree, part, serve, func(program string, args ...string) []string {
		return append([]string{loader}, command(program, args...)...)
	})
	return list
}

// Measure runs every workload in every engine. An engine that prints something
// else than the counter for the same work, or fails, gets a cell that says so.
func Measure(ctx context.Context, o Options) ([]Cell, error) {
	dir, err := os.MkdirTemp("", "zhuque-bench")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	var cells []Cell
	for _, w := range o.Workloads {
		b := benchmark{Options: o, work: w}
		if b.file, err = executable(dir, w.Program); err != nil {
			return nil, err
		}
		if err := b.count(ctx); err != nil {
			return nil, fmt.Errorf("%s: %w", w.Name, err)
		}
		list, err := b.measure(ctx)
		if err != nil {
			return nil, err
		}
		cells = append(cells, list...)
	}
	return cells, nil
}

// executable returns the path of a program, after writing a guest into dir.
func executable(dir, program string) (string, error) {
	name, embedded := strings.CutPrefix(program, crashinject.GuestPrefix)
	if !embedded {
		return program, nil
	}
	elf, err := guests.Guest(name)
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, name)
	return file, os.WriteFile(file, elf, 0o755)
}

// benchmark is the measurement of one workload.
type benchmark struct {
	Options
	work   Workload
	file   string
	output []byte // of the smallest run

	// Instructions are start + rounds*each; without rounds, start.
	start, each uint64
}

func (b *benchmark) run(ctx context.Context, e *Engine, rounds uint64) (Outcome, error) {
	args := slices.Clone(b.work.Args)
	for i, a := range args {
		if a == "ROUNDS" {
			args[i] = strconv.FormatUint(rounds, 10)
		}
	}
	out, err := e.Run(ctx, Process{b.work.Program, b.file, args, b.work.Env, b.work.Stdin, b.work.Client})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return out, err
}

// count finds the number of instructions as a function of the rounds, and checks
// it at a third point.
func (b *benchmark) count(ctx context.Context) error {
	var n [3]uint64
	for i := range n {
		out, err := b.run(ctx, &b.Counter, b.work.Rounds<<i)
		if err != nil {
			return err
		}
		n[i] = out.Instructions
		if i == 0 {
			b.output = out.Output
		}
		if b.work.Rounds == 0 {
			b.start = n[0]
			return nil
		}
	}
	b.each = (n[1] - n[0]) / b.work.Rounds
	b.start = n[0] - b.each*b.work.Rounds
	// The program reads its argument, and the number of digits makes a difference.
	if want := b.instructions(b.work.Rounds << 2); max(want, n[2])-min(want, n[2]) > n[2]/10_000 {
		return fmt.Errorf("BUG: %d instructions for %d rounds, expected %d: the rounds are not alike",
			n[2], b.work.Rounds<<2, want)
	}
	return nil
}

func (b *benchmark) instructions(rounds uint64) uint64 { return b.start + rounds*b.each }

func (b *benchmark) measure(ctx context.Context) ([]Cell, error) {
	cells := make([]Cell, len(b.Engines))
	for i := range b.Engines {
		e := &b.Engines[i]
		b.Progress(b.work.Name + ": " + e.Name)
		cells[i] = Cell{Program: b.work.Name, Engine: e.Name, Missing: e.Missing}
		if e.Missing != "" {
			continue
		}
		if err := b.calibrate(ctx, e, &cells[i]); err != nil {
			return nil, err
		}
	}
	for n := range b.Repeat {
		b.Progress(fmt.Sprintf("%s: run %d of %d", b.work.Name, n+1, b.Repeat))
		for i := range cells {
			c := &cells[i]
			if c.Missing != "" {
				continue
			}
			if err := b.time(ctx, &b.Engines[i], c); ctx.Err() != nil {
				return nil, err
			} else if err != nil {
				c.Missing = err.Error()
			}
		}
	}
	for i := range cells {
		c := &cells[i]
		c.conclude(b.instructions(c.Rounds), (c.Rounds-c.ShortRounds)*b.each)
	}
	return cells, nil
}

// time runs the work once at each length.
func (b *benchmark) time(ctx context.Context, e *Engine, c *Cell) error {
	if c.ShortRounds = c.Rounds / 4; c.ShortRounds > 0 {
		out, err := b.run(ctx, e, c.ShortRounds)
		if err != nil {
			return err
		}
		c.ShortRuns = append(c.ShortRuns, out.Processor.Seconds())
	}
	out, err := b.run(ctx, e, c.Rounds)
	if err != nil {
		return err
	}
	c.Runs, c.walls = append(c.Runs, out.Processor.Seconds()), append(c.walls, out.Wall.Seconds())
	c.OwnCount = out.Instructions
	return nil
}

// leastSlope is the smallest difference of two runs, in seconds, that carries a figure: ten
// ticks of the coarsest clock that counts a process's time.
const leastSlope = 0.1

// conclude fills in what follows from the runs; more instructions are in a long run than in
// a short one.
func (c *Cell) conclude(instructions, more uint64) {
	if c.Missing != "" || len(c.Runs) == 0 {
		*c = Cell{Program: c.Program, Engine: c.Engine, Missing: c.Missing}
		return
	}
	c.Instructions = instructions
	c.Seconds, c.WallSeconds = median(c.Runs), median(c.walls)
	if c.ShortRounds == 0 {
		c.NoSlope = "of one length only"
		return
	}
	for i := range c.Runs {
		seconds := c.Runs[i] - c.ShortRuns[i]
		if seconds < leastSlope {
			c.NoSlope, c.Slopes = "too short to tell", nil
			return
		}
		c.Slopes = append(c.Slopes, float64(more)/seconds)
	}
	c.PerSecond = median(c.Slopes)
}

func median(list []float64) float64 {
	s := slices.Sorted(slices.Values(list))
	n := len(s)
	return (s[(n-1)/2] + s[n/2]) / 2
}

// calibrate checks what the engine prints and finds how many rounds it does in
// the time aimed at, beyond what the smallest run takes: its start. A failure of the engine becomes the cell's.
func (b *benchmark) calibrate(ctx context.Context, e *Engine, c *Cell) error {
	const step = 50 // the most that one run is longer than the one before
	c.Rounds = b.work.Rounds
	var start time.Duration
	for {
		out, err := b.run(ctx, e, c.Rounds)
		switch {
		case ctx.Err() != nil:
			return err
		case err != nil:
			c.Missing = err.Error()
			return nil
		case c.Rounds == b.work.Rounds && !bytes.Equal(out.Output, b.output):
			c.Missing = "prints something else than the simulator"
			return nil
		case b.work.Rounds == 0:
			return nil
		case c.Rounds == b.work.Rounds:
			start = out.Processor
		}
		work := out.Processor - start
		if work >= b.Target {
			return nil
		}
		factor := min(float64(b.Target)/float64(max(work, 1)), step)
		c.Rounds = round(max(float64(c.Rounds)*factor, float64(c.Rounds+1)))
		if factor < step/10 {
			return nil
		}
	}
}

// round keeps two significant digits, rounding up.
func round(v float64) uint64 {
	unit := uint64(1)
	n := uint64(v)
	for n/unit >= 100 {
		unit *= 10
	}
	return (n + unit - 1) / unit * unit
}
