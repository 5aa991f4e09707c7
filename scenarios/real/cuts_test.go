package real

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/kernel"
)

// cuts is how often the power goes in each program, once as independent points
// and once one after the other in a single run.
const cuts = 1000

// workload is a run whose power fails. Its tree holds the program, a file input
// and an empty /tmp; it runs in the tree's root.
type workload struct {
	name, program string
	args          []string
	size          int    // bytes of the input
	exit          int    // natively
	from          string // the workload whose output is the input, "" for none
	recorded      string // a file with what it prints, where not every host can do all of it
}

var workloads = []workload{
	{name: "sha256sum", program: "busybox", args: []string{"sha256sum", "input"}, size: 1 << 20},
	{name: "sort", program: "busybox", args: []string{"sort", "input"}, size: 1 << 20},
	{name: "awk", program: "busybox", size: 1 << 20, args: []string{"awk",
		`{ n[length($1)] += NR / 3 } END { for (i = 1; i < 10; i++) printf "%d %.10g\n", i, n[i] }`, "input"}},
	{name: "gzip", program: "busybox", args: []string{"gzip", "-c", "-n", "input"}, size: 256 << 10},
	{name: "gunzip", program: "busybox", args: []string{"gzip", "-d", "-c"}, from: "gzip"},
	{name: "sh", program: "busybox", exit: 3, args: []string{"sh", "-c",
		`i=0 s=7; while [ $i -lt 1500 ]; do i=$((i+1)) s=$(((s*31+i)%65521)); case $i in *00) echo $i $s;; esac; done; ` +
			`for w in one two three; do echo ${#w} ${w#*o}; done; exit 3`}},
	{name: "tour-musl", program: "tour-musl", args: []string{"input"}, size: 64 << 10},
	{name: "tour-glibc", program: "tour-glibc", args: []string{"input"}, size: 64 << 10},
	{name: "jit", program: "jit"},
	{name: "faults", program: "faults", recorded: "../../sim/testdata/faults.txt"},
}

// tree makes the workload's file tree, the same to the last file time wherever
// and whenever it is made, and returns it with the file for standard input. The
// host's own /tmp changes while the tests run, and would be part of what is compared.
func (w *workload) tree(t testing.TB) (root, stdin string) {
	t.Helper()
	exe, err := os.ReadFile(program(t, w.program))
	if err != nil {
		t.Fatal(err)
	}
	input := inputText()[:w.size]
	if w.from != "" {
		from := workloads[slices.IndexFunc(workloads, func(o workload) bool { return o.name == w.from })]
		setup, _ := from.setup(t)
		input, _ = uncut(t, setup)
	}
	root = t.TempDir()
	put := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(root, name), data, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put(w.program, exe)
	put("input", input)
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	then := time.Unix(1, 0)
	for _, name := range []string{w.program, "input", "tmp", "."} {
		if err := os.Chtimes(filepath.Join(root, name), then, then); err != nil {
			t.Fatal(err)
		}
	}
	return root, filepath.Join(root, "input")
}

// setup is the workload's machine, and its tree on the host.
func (w *workload) setup(t testing.TB) (setup crashinject.Setup, root string) {
	setup = crashinject.DefaultSetup()
	root, setup.Stdin = w.tree(t)
	setup.Root, setup.Program, setup.Args, setup.Env = root, "/"+w.program, w.args, []string{"PATH=/bin", "TZ=UTC", "HOME=/"}
	return setup, root
}

// native runs the workload on the host's processor, or returns what is recorded of it.
func (w *workload) native(t *testing.T, root string) (stdout, stderr []byte) {
	t.Helper()
	native(t)
	if w.recorded != "" {
		stdout, err := os.ReadFile(w.recorded)
		if err != nil {
			t.Fatal(err)
		}
		return stdout, nil
	}
	stdin, err := os.Open(filepath.Join(root, "input"))
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	cmd := exec.Command("/"+w.program, w.args...)
	cmd.Path = filepath.Join(root, w.program)
	cmd.Dir, cmd.Env, cmd.Stdin = root, []string{"PATH=/bin", "TZ=UTC", "HOME=/"}, stdin
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatal(err)
	}
	if code := cmd.ProcessState.ExitCode(); code != w.exit {
		t.Fatalf("natively: exit status %d, want %d; standard error %q", code, w.exit, diag.Bytes())
	}
	return out.Bytes(), diag.Bytes()
}

// start returns the program before its first instruction.
func start(t testing.TB, setup *crashinject.Setup) *sim.Machine {
	t.Helper()
	cfg, err := setup.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := setup.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// uncut runs a program without a failure and returns its output and its length
// in instructions.
func uncut(t testing.TB, setup crashinject.Setup) (stdout []byte, instructions uint64) {
	t.Helper()
	m := start(t, &setup)
	if stop := m.Run(); !stop.Ended() {
		t.Fatalf("%s: %v", setup.Program, stop)
	}
	stdout, _ = m.Output()
	return stdout, m.Retired()
}

// A thousand random cuts of each real program: after each the restarted program
// is identical to the one that never failed; some go on to the end.
func TestRandomCuts(t *testing.T) {
	for i := range workloads {
		w := &workloads[i]
		t.Run(w.name, func(t *testing.T) {
			setup, _ := w.setup(t)
			tails := uint64(2) // each costs a run
			if all() {
				tails = 6
			}
			campaign := crashinject.Campaign{Name: w.name, Setup: setup, Tails: tails,
				Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: cuts, Seed: 1}}
			mustPass(t, campaign, cuts)
		})
	}
}

// mustPass runs a campaign all of whose points must pass.
func mustPass(t *testing.T, c crashinject.Campaign, points uint64) {
	t.Helper()
	out, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d points of %d instructions in %.1f s", out.Points, out.Instructions, out.WallSeconds)
	if p, failed := out.FirstFailure(); failed || out.Counts.Pass != points || out.Points != points {
		t.Errorf("%d points: %+v; first failure %s: %v: %s", out.Points, out.Counts, p.Plan, p.Verdict, p.Reason)
	}
}

// A clean cut at each of a million consecutive instructions of sha256sum, its
// reads of the file among them.
func TestEveryOfAMillionInstructions(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute and more")
	}
	const from, points = 2_000_000, 1_000_000
	setup, _ := workloads[0].setup(t)
	mustPass(t, crashinject.Campaign{Name: "sha256sum", Setup: setup, Tails: 4,
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: from, To: from + points - 1}}, points)
}

// A thousand power failures one after the other in a single run: who watches the
// machine sees the native run's output and exit status.
func TestThousandFailuresInOneRun(t *testing.T) {
	for i := range workloads {
		w := &workloads[i]
		t.Run(w.name, func(t *testing.T) {
			setup, root := w.setup(t)
			wantOut, wantErr := w.native(t, root)
			_, n := uncut(t, setup)
			stdin, err := os.Open(setup.Stdin)
			if err != nil {
				t.Fatal(err)
			}
			defer stdin.Close()
			var stdout, stderr bytes.Buffer
			out, err := crashinject.Crash(setup, spread(n, cuts), kernel.NewConsole(stdin, &stdout, &stderr))
			if err != nil {
				t.Fatal(err)
			}
			if p := out.Point; p.Verdict.String() != "pass" || out.Failures != cuts {
				t.Fatalf("after %d failures %v: %s", out.Failures, p.Verdict, p.Reason)
			}
			if out.Stop.ExitCode() != w.exit || !bytes.Equal(stderr.Bytes(), wantErr) {
				t.Errorf("%v, natively status %d; standard error %q, natively %q", out.Stop, w.exit, stderr.Bytes(), wantErr)
			}
			if !bytes.Equal(stdout.Bytes(), wantOut) || len(wantOut) == 0 {
				t.Errorf("%d bytes printed, natively %d", stdout.Len(), len(wantOut))
			}
		})
	}
}

// spread is a plan of clean cuts over n instructions, each somewhere in a part of its own.
func spread(n, cuts uint64) (plan crashinject.Plan) {
	r := det.Stream(1, "a thousand failures")
	at := uint64(0)
	for i := range cuts {
		lo, hi := n*i/cuts, n*(i+1)/cuts
		next := lo + r.Uint64N(hi-lo)
		plan.Cuts = append(plan.Cuts, crashinject.Cut{After: next - at})
		at = next
	}
	return plan
}

// Decompression gives back what was compressed, both runs in the simulator.
func TestCompressedAndBack(t *testing.T) {
	at := slices.IndexFunc(workloads, func(w workload) bool { return w.name == "gunzip" })
	setup, _ := workloads[at].setup(t)
	got, _ := uncut(t, setup)
	if want := inputText()[:workloads[at-1].size]; !bytes.Equal(got, want) {
		t.Errorf("%d bytes came back of %d", len(got), len(want))
	}
}
