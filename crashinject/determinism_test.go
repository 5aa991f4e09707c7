package crashinject

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
)

// childRoot is set in the environment of a second process of TestTwoProcesses: the
// root directory of its guests.
const childRoot = "CRASHINJECT_TEST_ROOT"

// account runs campaigns and programs and returns the digests of all of it.
func account(t *testing.T, root string, workers int) string {
	t.Helper()
	var b strings.Builder
	for _, row := range []struct {
		guest string
		Strategy
	}{
		{"files", Strategy{Kind: Fuzz, Points: 15, Seed: 7}},
		{"maps", Strategy{Kind: Recovery, Points: 40}},
		{"signals", Strategy{Kind: Random, Points: 30, Seed: 7}},
		{"list", Strategy{Kind: Energy, Points: 20, Seed: 7}},
	} {
		s := guestSetup(t, row.guest)
		s.Root, s.Seed = root, 7
		r := (&Campaign{Setup: s, Strategy: row.Strategy, Workers: workers, Tails: 2}).mustRun(t)
		fmt.Fprintf(&b, "%s %s %s\n", row.guest, r.Strategy, r.Digest)
		rig := newRig(t, s)
		m := rig.at(rig.base.instructions / 3)
		fmt.Fprintf(&b, "%s after %d %s, cycles %d\n", row.guest, m.Retired(), m.Digest(), m.Cycles())
		stop := m.Run()
		files, err := m.Durable().Files.Digest()
		fmt.Fprintf(&b, "%s %v %s, files %s %v, cycles %d\n", row.guest, stop, m.Digest(), files, err, m.Cycles())
	}
	return b.String()
}

// One seed gives one result: in two processes with different environments and
// numbers of processors, with one worker and with three.
func TestTwoProcesses(t *testing.T) {
	if root := os.Getenv(childRoot); root != "" {
		fmt.Printf("account:\n%s", account(t, root, 1))
		return
	}
	root := testrig.EmptyRoot(t)
	want := account(t, root, 3)
	for _, env := range [][]string{
		{"GOMAXPROCS=1", "TZ=Asia/Kathmandu", "LANG=C"},
		{"GOMAXPROCS=4", "TZ=UTC", "LANG=tr_TR.UTF-8", "PADDING=" + strings.Repeat("x", 3000)},
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestTwoProcesses$", "-test.count=1")
		cmd.Env = append(env, childRoot+"="+root, "HOME="+root, "TMPDIR="+t.TempDir())
		cmd.Dir = t.TempDir()
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("second process: %v\n%s", err, out)
		}
		_, got, _ := strings.Cut(string(out), "account:\n")
		if got, _, _ = strings.Cut(got, "PASS\n"); got != want {
			t.Errorf("with %v\n%sinstead of\n%s", env[:3], got, want)
		}
	}
}

func TestSeedsDiffer(t *testing.T) {
	s := guestSetup(t, "counter")
	a := (&Campaign{Setup: s, Strategy: Strategy{Kind: Random, Points: 10, Seed: 1}}).mustRun(t)
	b := (&Campaign{Setup: s, Strategy: Strategy{Kind: Random, Points: 10, Seed: 2}}).mustRun(t)
	if a.PointsDigest == b.PointsDigest {
		t.Error("two seeds give the same crash points")
	}
}

// What changes on the host while a campaign runs is not taken for something that
// the program did.
func TestHostFilesMayChangeDuringACampaign(t *testing.T) {
	s := guestSetup(t, "files")
	r := newRig(t, s)
	tmp := filepath.Join(s.Root, "tmp")
	if err := os.WriteFile(filepath.Join(tmp, "new"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	if p := r.plan(parse(t, "after 15846 step 1")); p.Verdict != result.Pass || !p.Tail {
		t.Errorf("%v: %s", p.Verdict, p.Reason)
	}
}

// A campaign that is stopped early says so and keeps what it has.
func TestStoppedCampaign(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	c := Campaign{Setup: guestSetup(t, "list"), Strategy: Strategy{Kind: Random, Points: 5000, Seed: 1}}
	r, err := c.Run(ctx)
	if err == nil || r == nil || r.Points == 5000 || r.Counts.Total() != r.Points {
		t.Errorf("%+v, %v", r, err)
	}
	if n := runtime.NumGoroutine(); n > 20 {
		t.Errorf("%d goroutines are left", n)
	}
}

// A hundred power failures in one run leave what a watcher saw unchanged.
func TestAHundredFailuresOnOneConsole(t *testing.T) {
	for _, guest := range []string{"maps", "files", "upper", "signals"} {
		s := guestSetup(t, guest)
		if guest == "upper" {
			s.Stdin = filepath.Join(t.TempDir(), "in")
			if err := os.WriteFile(s.Stdin, bytes.Repeat([]byte("Out of the ashes.\n"), 4000), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		r := newRig(t, s)
		wantOut, wantErr := r.base.end.Stdout, r.base.end.Stderr
		cfg, err := s.Config(nil)
		if err != nil {
			t.Fatal(err)
		}
		console := cfg.Console
		var plan Plan
		every := r.base.instructions / 150
		for i := range 100 {
			c := Cut{After: every}
			switch i % 4 {
			case 1:
				c.Step = uint64(i)
			case 3:
				c.Recovery = []uint64{2, 1}
			}
			plan.Cuts = append(plan.Cuts, c)
		}
		// Every fourth failure falls into the next call, wherever that is.
		at, calls := uint64(0), r.base.calls
		for i := range plan.Cuts {
			c := &plan.Cuts[i]
			for c.Step != 0 && len(calls) > 0 && calls[0].at < at+c.After {
				calls = calls[1:]
			}
			if c.Step != 0 && len(calls) > 0 && calls[0].at < at+2*c.After {
				c.After, c.Step = calls[0].at-at, 1+c.Step%calls[0].steps
			} else {
				c.Step = 0
			}
			at += c.After
			if c.Step != 0 {
				at++
			}
		}
		out, err := Crash(s, plan, console)
		if err != nil {
			t.Fatal(err)
		}
		gotOut, gotErr := console.Output()
		if out.Point.Verdict != result.Pass || out.Failures != 100 || out.Stop != r.base.end.Stop {
			t.Errorf("%s: %v after %d failures, %v: %s", guest, out.Point.Verdict, out.Failures, out.Stop, out.Point.Reason)
		}
		if !bytes.Equal(gotOut, wantOut) || !bytes.Equal(gotErr, wantErr) || len(wantOut) == 0 {
			t.Errorf("%s: output %.200q\ninstead of %.200q", guest, gotOut, wantOut)
		}
	}
}
