package bench

import (
	"context"
	"errors"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata")

// fake is an engine that needs so many instructions to start and for a round, and
// a nanosecond for each.
func fake(name string, start, each uint64, output string) Engine {
	return Engine{Name: name, Run: func(_ context.Context, p Process) (Outcome, error) {
		rounds, err := strconv.ParseUint(p.Args[0], 10, 64)
		n := start + each*rounds
		return Outcome{Wall: time.Duration(2 * n), Processor: time.Duration(n), Output: []byte(output), Instructions: n}, err
	}}
}

func measure(t *testing.T, o Options) []Cell {
	t.Helper()
	o.Repeat, o.Progress = 3, func(string) {}
	if o.Workloads == nil {
		o.Workloads = []Workload{{Name: "work", Program: "/none", Args: []string{"ROUNDS"}, Rounds: 10}}
	}
	cells, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return cells
}

// Rounds grow until a run takes the time aimed at; the instructions of the long
// run follow from those of short ones, and the engine's own count stands beside.
func TestRoundsAndInstructions(t *testing.T) {
	got := measure(t, Options{Counter: fake("counter", 500, 100, "x"),
		Engines: []Engine{fake("twice", 0, 200, "x")}, Target: 2 * time.Second})
	want := []Cell{{Program: "work", Engine: "twice", Rounds: 11_000_000,
		Instructions: 1_100_000_500, OwnCount: 2_200_000_000, Seconds: 2.2, WallSeconds: 4.4,
		Runs: []float64{2.2, 2.2, 2.2}, ShortRounds: 2_750_000,
		ShortRuns: []float64{0.55, 0.55, 0.55}, PerSecond: 5e8, Slopes: []float64{5e8, 5e8, 5e8}}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreUnexported(Cell{}), cmpopts.EquateApprox(1e-9, 0)); diff != "" {
		t.Error(diff)
	}
}

// What an engine takes to start is not in its speed, and nothing is compared by runs that are
// too short to tell.
func TestSlopeLeavesTheStartOut(t *testing.T) {
	start := uint64(300_000_000) // 0.3 s
	engines := []Engine{fake(SimulatorCaches, 0, 200, "x"), fake(Cachegrind, start, 100, "x")}
	got := measure(t, Options{Counter: fake("counter", 500, 100, "x"), Engines: engines, Target: time.Second})
	if list := Comparisons(got); len(list) != 1 || math.Abs(list[0].Ratio-0.5) > 1e-9 {
		t.Errorf("%+v of %+v", list, got)
	}
	got = measure(t, Options{Counter: fake("counter", 500, 100, "x"), Engines: engines, Target: 100 * time.Millisecond})
	if list := Comparisons(got); len(list) != 0 || got[0].NoSlope == "" || got[1].PerSecond != 0 {
		t.Errorf("%+v of %+v", list, got)
	}
}

// Work that is always the same is counted in the one run there is.
func TestWithoutRounds(t *testing.T) {
	w := Workload{Name: "work", Program: "/none", Args: []string{"7"}}
	got := measure(t, Options{Workloads: []Workload{w}, Counter: fake("counter", 1, 2, "x"),
		Engines: []Engine{fake("e", 8, 1, "x")}, Target: time.Hour})
	if c := got[0]; c.Instructions != 15 || c.OwnCount != 15 || c.Rounds != 0 || c.Seconds != 15e-9 {
		t.Errorf("%+v", c)
	}
}

// No figure is given for work that was not done.
func TestEnginesThatDoNotCount(t *testing.T) {
	failing := Engine{Name: "failing",
		Run: func(context.Context, Process) (Outcome, error) { return Outcome{}, errors.New("no luck") }}
	late := fake("late", 1, 1, "x")
	calls, run := 0, late.Run
	late.Run = func(ctx context.Context, p Process) (Outcome, error) {
		if calls++; calls > 2 {
			return Outcome{}, errors.New("worn out")
		}
		return run(ctx, p)
	}
	got := measure(t, Options{Counter: fake("counter", 1, 1, "x"), Target: 1,
		Engines: []Engine{{Name: "absent", Missing: notInstalled}, failing, fake("wrong", 1, 1, "y"), late}})
	for i, want := range []string{notInstalled, "no luck", "prints something else than the simulator", "worn out"} {
		if diff := cmp.Diff(Cell{Program: "work", Engine: got[i].Engine, Missing: want},
			got[i], cmpopts.IgnoreUnexported(Cell{})); diff != "" {
			t.Error(diff)
		}
	}
	if list := Comparisons(got); len(list) != 0 {
		t.Errorf("compared: %v", list)
	}
}

// Rounds that are not alike cannot be counted from shorter runs.
func TestUnequalRounds(t *testing.T) {
	odd := Engine{Name: "odd", Run: func(_ context.Context, p Process) (Outcome, error) {
		n, err := strconv.ParseUint(p.Args[0], 10, 64)
		return Outcome{Instructions: n * n}, err
	}}
	_, err := Measure(t.Context(), Options{Workloads: []Workload{{Name: "work", Args: []string{"ROUNDS"}, Rounds: 10}},
		Counter: odd, Progress: func(string) {}})
	if err == nil || !strings.Contains(err.Error(), "not alike") {
		t.Errorf("%v", err)
	}
}

// The programs do the same natively and in the simulator, and what else is
// installed agrees. An engine that counts instructions by itself finds as many.
func TestRealEngines(t *testing.T) {
	o := Options{Engines: Engines(""), Counter: Simulated(false), Target: 1,
		Repeat: 1, Progress: func(string) {}, Workloads: Workloads()}
	for i := range o.Workloads {
		o.Workloads[i].Rounds = 1
	}
	cells, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	if len(cells) != len(o.Workloads)*len(o.Engines) {
		t.Fatalf("%d cells", len(cells))
	}
	for i, c := range cells {
		e := o.Engines[i%len(o.Engines)]
		switch {
		case c.Missing != e.Missing:
			t.Errorf("%s in %s: %s", c.Program, c.Engine, c.Missing)
		case c.Missing != "":
			t.Logf("%s: %s", c.Engine, c.Missing)
		case c.Instructions == 0 || len(c.Runs) != 1:
			t.Errorf("%+v", c)
		case c.OwnCount != 0 && max(c.OwnCount, c.Instructions)-min(c.OwnCount, c.Instructions) > 20:
			t.Errorf("%s in %s: %d instructions by its own count, expected %d", c.Program, c.Engine, c.OwnCount, c.Instructions)
		}
	}
}

// A server in the simulator answers its client as on the host, and ends when it is asked
// to. A client that fails is no figure, and leaves no server behind.
func TestServers(t *testing.T) {
	t.Chdir("../..")
	o := Options{Engines: Engines("")[:2], Counter: Simulated(false), Target: 1, Repeat: 1, Progress: func(string) {}}
	for _, w := range software(25) {
		if w.Client != nil {
			o.Workloads = append(o.Workloads, w)
		}
	}
	if len(o.Workloads) == 0 {
		if os.Getenv("CI") == "true" || os.Getenv("ZHUQUE_REAL") == "need" {
			t.Fatal("no servers in " + SoftwareTree)
		}
		t.Skip("no servers in " + SoftwareTree)
	}
	cells, err := Measure(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cells {
		if c.Missing != "" && c.Engine == Simulator || c.Missing == "" && c.Instructions < 1_000_000 {
			t.Errorf("%+v", c)
		}
	}
	w := o.Workloads[0]
	broken := errors.New("out of patience")
	p := Process{Program: w.Program, File: w.Program, Args: w.Args, Env: w.Env,
		Client: func(context.Context, string) ([]byte, error) { return nil, broken }}
	for _, e := range o.Engines {
		if _, err := e.Run(t.Context(), p); e.Missing == "" && err == nil {
			t.Errorf("%s: no error", e.Name)
		}
	}
}

// Why an engine failed is what the program said, not its emulator's greeting.
func TestComplaint(t *testing.T) {
	for text, want := range map[string]string{
		"==1== Cachegrind\n==1== \n--1-- warning: L3\nfailed to set rlimit\n==1== I refs: 3\n": "failed to set rlimit",
		"\ncannot open display\nmore\n": "cannot open display",
		"==1== only\n":                  "it says nothing",
	} {
		if got := complaint(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// QEMU's flag for one instruction at a time has two names.
func TestSingleFlag(t *testing.T) {
	for help, want := range map[string]string{
		"-singlestep  QEMU_SINGLESTEP   run in singlestep mode":                "-singlestep",
		"-one-insn-per-tb  QEMU_ONE_INSN_PER_TB\n-singlestep  deprecated name": "-one-insn-per-tb",
		"-strace": "",
	} {
		if got := singleFlag(help); got != want {
			t.Errorf("%q: %q, want %q", help, got, want)
		}
	}
}

func TestFormats(t *testing.T) {
	cells := []Cell{
		{Program: "a", Engine: Native, Rounds: 100, Instructions: 4_000_000, Seconds: 0.5, WallSeconds: 0.75, Runs: []float64{0.25, 0.5, 1}, ShortRounds: 25, PerSecond: 8_000_000, Slopes: []float64{4e6, 8e6, 16e6}},
		{Program: "a", Engine: Simulator, Rounds: 10, Instructions: 400_000, OwnCount: 400_000, Seconds: 0.2, WallSeconds: 0.25, Runs: []float64{0.2}, ShortRounds: 2, PerSecond: 2_000_000, Slopes: []float64{2e6}},
		{Program: "a", Engine: QEMUSingle, Rounds: 10, Instructions: 400_000, Seconds: 0.4, WallSeconds: 0.5, Runs: []float64{0.4}, ShortRounds: 2, PerSecond: 1_000_000, Slopes: []float64{1e6}},
		{Program: "b", Engine: Native, Missing: "needs Linux on x86-64"},
		{Program: "b", Engine: Simulator, Rounds: 10, Instructions: 400_000, OwnCount: 400_000, Seconds: 0.2, WallSeconds: 0.25, Runs: []float64{0.2}, NoSlope: "too short to tell"},
	}
	for name, write := range map[string]func(w *strings.Builder) error{
		"table.txt": func(w *strings.Builder) error { return Text(w, cells) },
		"table.csv": func(w *strings.Builder) error { return CSV(w, cells) },
	} {
		var b strings.Builder
		if err := write(&b); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("testdata", name)
		if *rewrite {
			if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), b.String()); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}
