package real

import (
	"bytes"
	"testing"

	"zhuque/crashinject"
	"zhuque/sim/kernel"
)

// softwareCuts is how many independent points and how many failures in one run
// each program of the table gets: 60, or 10,000 with ZHUQUE_REAL_ALL.
func softwareCuts() uint64 {
	if all() {
		return 10_000
	}
	return 60
}

// Random power cuts in Debian's programs: each restarted program is identical to
// the one that never failed, and some go on to their end.
func TestSoftwareCuts(t *testing.T) {
	native(t)
	root := software(t)
	for i := range runs {
		r := &runs[i]
		if !r.cuts || r.heavy && !all() {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			cut := run{name: "cuts-" + r.name, args: r.args, stdin: r.stdin, scripts: r.scripts}
			dir := cut.prepare(t, root)
			setup := cut.setup(root, dir)
			if r.stdin != "" {
				setup.Stdin = root + dir + "/" + r.stdin
				if r.stdin != "input.txt" {
					setup.Stdin = "scripts/" + r.stdin
				}
			}
			points, tails := softwareCuts(), uint64(1)
			if all() {
				tails = 3
			}
			mustPass(t, crashinject.Campaign{Name: r.name, Setup: setup, Workers: 1, Tails: tails,
				Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: points, Seed: 2}}, points)
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
		if !r.cuts || r.heavy && !all() {
			continue
		}
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			again := *r
			again.name = "survives-" + r.name
			dir := again.prepare(t, root)
			before := tree(t, root+dir)
			setup := again.setup(root, dir)
			setup.Overlay = t.TempDir()
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
