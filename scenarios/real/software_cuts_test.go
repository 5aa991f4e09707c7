package real

import (
	"bytes"
	"fmt"
	"testing"

	"zhuque/crashinject"
	"zhuque/sim/kernel"
)

// softwareCuts is how many independent points and how many failures in one run
// each program of the table gets: 60, or 10,000 with ZHUQUE_REAL_ALL. Those with few
// cuts get a fifth of the points, and no failures one after the other.
func softwareCuts() uint64 {
	if all() {
		return 10_000
	}
	return 60
}

// random is independent points all over the run.
func (r run) random() crashinject.Strategy {
	points := softwareCuts()
	if r.cuts == fewCuts && !all() {
		points /= 5
	}
	return crashinject.Strategy{Kind: crashinject.Random, Points: points, Seed: 2}
}

// campaign judges power cuts in a run on some cores: each restarted program is identical
// to the one that never failed, and some go on to their end.
func (r run) campaign(t *testing.T, root string, cores int, first crashinject.Strategy, also ...crashinject.Strategy) {
	t.Helper()
	r.name = fmt.Sprintf("cuts-%d-%s", cores, r.name)
	dir := r.prepare(t, root)
	setup := r.setup(root, dir)
	setup.Cores = cores
	switch r.stdin {
	case "":
	case "input.txt":
		setup.Stdin = root + dir + "/" + r.stdin
	default:
		setup.Stdin = "scripts/" + r.stdin
	}
	tails := uint64(1)
	switch {
	case all():
		tails = 3
	case r.cuts == fewCuts || cores > 1:
		tails = 0
	}
	points := first.Points
	for _, s := range also {
		points += s.Points
	}
	mustPass(t, crashinject.Campaign{Name: r.name, Setup: setup, Workers: 1, Tails: tails, Strategy: first, Also: also}, points)
}

// Random power cuts in Debian's programs, but for those that TestProgramsUnderFire has.
func TestSoftwareCuts(t *testing.T) {
	native(t)
	root := software(t)
	for _, r := range runs {
		if r.cuts == noCuts || r.cuts == cutsIfAll && !all() || underFire(r.name) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			r.campaign(t, root, 1, r.random())
		})
	}
}

// Random power cuts in Go programs, whose runtimes have several threads: in the smallest,
// and in the tests of packages when everything is asked for.
func TestGoCuts(t *testing.T) {
	native(t)
	root := software(t)
	for i := range goPrograms {
		g := &goPrograms[i]
		if underFire("go-" + g.name) {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			if g.pkg != "" && !all() {
				t.Skip("heavy: set ZHUQUE_REAL_ALL=1")
			}
			t.Parallel()
			r := g.run(t, root, false)
			r.campaign(t, root, 1, r.random())
		})
	}
}

// Many power failures one after the other in a single run: who watches the machine
// sees the native run's output, exit status and files.
func TestSoftwareSurvives(t *testing.T) {
	native(t)
	root := software(t)
	for i := range runs {
		r := &runs[i]
		if r.cuts != manyCuts && (r.cuts == noCuts || !all()) {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			again := *r
			again.name = "survives-" + r.name
			dir := again.prepare(t, root)
			before := tree(t, root+dir)
			setup := again.setup(root, dir)
			keepChanges(t, &setup)
			_, _, n := again.simulated(t, root, dir)
			var stdout, stderr bytes.Buffer
			failures := softwareCuts()
			out, err := crashinject.Crash(setup, spread(n, failures), kernel.NewConsole(bytes.NewReader(again.input(t)), &stdout, &stderr))
			if err != nil {
				t.Fatal(err)
			}
			if p := out.Point; p.Verdict.String() != "pass" || uint64(out.Failures) != failures {
				t.Fatalf("after %d failures %v: %s", out.Failures, p.Verdict, p.Reason)
			}
			if err := out.Machine.Close(); err != nil {
				t.Fatal(err)
			}
			got := seen{outcome{out.Stop.ExitCode(), stdout.String(), stderr.String()}, changed(t, before, setup.Overlay, dir)}
			want := again.natively(t, root, dir)
			again.compare(t, &want, &got)
		})
	}
}
