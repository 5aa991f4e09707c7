package system

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/kernel"
)

// build compiles a program of this folder into a fresh root directory with a /work.
func build(t *testing.T, name string) (root string) {
	t.Helper()
	gcc := testrig.Compiler(t)
	for _, source := range []string{name + ".c", "system.h"} { // so that go test knows what a cached result depends on
		if _, err := os.Stat("src/" + source); err != nil {
			t.Fatal(err)
		}
	}
	root = t.TempDir()
	for _, dir := range []string{"tmp", "work"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command(gcc, "-static", "-O1", "-o",
		filepath.Join(root, "prog"), "src/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, out)
	}
	return root
}

// natively returns what the program prints on this host.
func natively(t *testing.T, root string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(root, "prog"))
	cmd.Dir, cmd.Env, cmd.WaitDelay = t.TempDir(), []string{}, time.Second // children that hang keep the pipe open
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("natively: %v\n%s", err, out)
	}
	return string(out)
}

func setupOf(root string) crashinject.Setup {
	s := crashinject.DefaultSetup()
	s.Root, s.Dir, s.Program, s.MaxInstructions = root, "/work", "/prog", 200e6
	return s
}

// simulated returns what the program prints here.
func simulated(t *testing.T, s crashinject.Setup) (out string, instructions uint64) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cfg, err := s.Config(kernel.NewConsole(strings.NewReader(""), &stdout, &stderr))
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := m.Run()
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	if stop.Reason != sim.Exited || stop.Status != 0 {
		t.Errorf("%v after %d instructions; standard error %q", stop, m.Retired(), stderr.String())
	}
	return stdout.String(), m.Retired()
}

// same reports the first line that differs.
func same(t *testing.T, where, got, want string) {
	t.Helper()
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(g), len(w)) {
		a, b := "(the end)", "(the end)"
		if i < len(g) {
			a = g[i]
		}
		if i < len(w) {
			b = w[i]
		}
		if a != b {
			t.Errorf("%s: line %d is %q, natively %q", where, i+1, a, b)
			return
		}
	}
}

// programs are the sources, with how many lines each prints at least.
var programs = map[string]int{"locks": 16, "fifos": 26, "jobs": 66, "owners": 21, "notify": 50,
	"terminals": 105, "timing": 60, "policies": 155, "inherit": 48, "identity": 1800, "memory": 5000}

// Each program prints here what it prints natively: with one core and with several,
// with and without the runtime, and through many power failures in one run; and at
// random power cuts the restarted machine is identical to the one that never failed.
func TestAsNative(t *testing.T) {
	for name, lines := range programs {
		t.Run(name, func(t *testing.T) {
			if asRoot := name == "policies" || name == "identity" || name == "memory"; asRoot && os.Geteuid() != 0 {
				t.Skip("natively it must be root")
			}
			root := build(t, name)
			want := natively(t, root)
			if strings.Count(want, "\n") < lines {
				t.Fatalf("natively it prints %q", want)
			}
			plain := setupOf(root)
			plain.Memory, plain.Model = sim.Native, crashinject.NoModel
			out, n := simulated(t, plain)
			same(t, "one core", out, want)
			plain.Cores, plain.Seed = 3, 7
			out, _ = simulated(t, plain)
			same(t, "three cores", out, want)
			if t.Failed() {
				return
			}

			survives(t, root, want, n)
			cuts(t, name, root)
		})
	}
}

// survives loses power often in one run.
func survives(t *testing.T, root, want string, instructions uint64) {
	t.Helper()
	const failures = 100
	var plan crashinject.Plan
	rng, at := det.Stream(1, "system"), uint64(0)
	for i := range uint64(failures) {
		lo, hi := instructions*i/failures, instructions*(i+1)/failures
		next := lo + rng.Uint64N(hi-lo)
		plan.Cuts = append(plan.Cuts, crashinject.Cut{After: next - at})
		at = next
	}
	var stdout, stderr bytes.Buffer
	out, err := crashinject.Crash(setupOf(root), plan, kernel.NewConsole(strings.NewReader(""), &stdout, &stderr))
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Point; p.Verdict != result.Pass || out.Failures != failures {
		t.Errorf("after %d failures %v: %s", out.Failures, p.Verdict, p.Reason)
	}
	if err := out.Machine.Close(); err != nil {
		t.Fatal(err)
	}
	same(t, "after many failures", stdout.String(), want)
}

// cuts loses power once, at many places.
func cuts(t *testing.T, name, root string) {
	t.Helper()
	const points = 60
	c := crashinject.Campaign{Name: name, Setup: setupOf(root), Workers: 1, Tails: 4,
		Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: points, Seed: 3}}
	out, err := c.Run(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if p, failed := out.FirstFailure(); failed || out.Counts.Pass != points {
		t.Errorf("%d points: %+v; first failure %s: %v: %s", out.Points, out.Counts, p.Plan, p.Verdict, p.Reason)
	}
}
