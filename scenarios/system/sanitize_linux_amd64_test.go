package system

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// Programs that gcc builds with AddressSanitizer and ThreadSanitizer, which reserve
// terabytes of address space, find what they are for, and nothing else; what they know
// survives power cuts.
func TestSanitizers(t *testing.T) {
	gcc := testrig.Compiler(t)
	for _, c := range []struct {
		source, flag, prints, finds string
		status                      int
	}{
		{"overflow", "-fsanitize=address", "wrote 1\n", "heap-buffer-overflow", 1},
		{"race", "-fsanitize=thread", "counted to 1\n", "data race", 66},
	} {
		prog := filepath.Join(t.TempDir(), c.source)
		if out, err := exec.Command(gcc, "-g", "-O1", c.flag, "-o", prog,
			"src/sanitize/"+c.source+".c").CombinedOutput(); err != nil {
			t.Fatalf("gcc: %v\n%s", err, out)
		}
		for _, args := range [][]string{nil, {"wrong"}} {
			s := crashinject.DefaultSetup()
			s.Program, s.Args, s.Dir, s.MaxInstructions = prog, args, "/", 100e6
			s.Env = []string{"ASAN_OPTIONS=detect_leaks=0:symbolize=0", "TSAN_OPTIONS=symbolize=0", "PATH=/usr/bin"}
			if len(args) == 0 {
				lastsThrough(t, s, c.prints)
			}
			s.Memory, s.Model = sim.Native, crashinject.NoModel
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
			switch {
			case len(args) == 0 && (stop.Status != 0 || stdout.String() != c.prints):
				t.Errorf("%s: %v, prints %q, standard error %q", c.source, stop, stdout.String(), stderr.String())
			case len(args) > 0 && (stop.Status != c.status || !strings.Contains(stderr.String(), c.finds)):
				t.Errorf("%s with a mistake: %v, prints %q, standard error %q", c.source, stop, stdout.String(), stderr.String())
			}
			_ = m.Close() // nothing of it is kept
		}
	}
}

// lastsThrough loses power three times in one run.
func lastsThrough(t *testing.T, s crashinject.Setup, want string) {
	t.Helper()
	var plan crashinject.Plan
	for range 3 {
		plan.Cuts = append(plan.Cuts, crashinject.Cut{After: 150_000})
	}
	var stdout, stderr bytes.Buffer
	out, err := crashinject.Crash(s, plan, kernel.NewConsole(strings.NewReader(""), &stdout, &stderr))
	if err != nil {
		t.Fatal(err)
	}
	if p := out.Point; p.Verdict != result.Pass || out.Failures != len(plan.Cuts) || stdout.String() != want {
		t.Errorf("after %d failures %v: %s; it prints %q and %q",
			out.Failures, p.Verdict, p.Reason, stdout.String(), stderr.String())
	}
	_ = out.Machine.Close() // nothing of it is kept
}
