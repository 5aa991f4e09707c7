package real

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

// program returns a real program's path. Without it the test fails in CI, and
// where ./check has fetched; elsewhere it is skipped with the reason.
func program(t testing.TB, name string) string {
	t.Helper()
	path, err := Path(name)
	if err == nil {
		return path
	}
	if os.Getenv("CI") == "true" || os.Getenv("ZHUQUE_REAL") == "need" {
		t.Fatal(err)
	}
	t.Skip(err)
	return ""
}

// outcome is what a run shows to the outside.
type outcome struct {
	exit           int
	stdout, stderr string
}

func (c Case) run(t *testing.T, command ...string) (o outcome) {
	t.Helper()
	input, err := Input()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range c.Args {
		command = append(command, strings.ReplaceAll(a, "INPUT", input))
	}
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Env = []string{"PATH=/bin", "TZ=UTC", "HOME=/"}
	cmd.Dir = t.TempDir()
	if c.Stdin {
		f, err := os.Open(input)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		cmd.Stdin = f
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && !errors.As(err, new(*exec.ExitError)) {
		t.Fatalf("%q: %v", command, err)
	}
	if ctx.Err() != nil {
		t.Fatalf("%q: not finished in time", command)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

func native(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("runs x86-64 Linux programs natively")
	}
}

// The programs do on this host what the cases say, so that a comparison with
// them means something.
func TestNative(t *testing.T) {
	native(t)
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			o := c.run(t, program(t, c.Program))
			if o.exit != c.Exit || (c.Exit == 0) != (o.stderr == "") && c.Name != "false" && c.Name != "sh" {
				t.Errorf("exit status %d, standard error %q", o.exit, o.stderr)
			}
			if c.Exit == 0 && o.stdout == "" {
				t.Error("no output")
			}
			if c.Name == "sha256sum" {
				sum := sha256.Sum256(inputText())
				if !strings.HasPrefix(o.stdout, hex.EncodeToString(sum[:])) {
					t.Errorf("printed %s, the digest is %x", o.stdout, sum)
				}
			}
		})
	}
}

// In the simulator a real program shows what it shows on the host: the same
// bytes on both streams, the same exit status; with and without the cache model,
// in persistent memory and in DRAM.
func TestSimulatedAsNative(t *testing.T) {
	native(t)
	zhuque := filepath.Join(t.TempDir(), "zhuque")
	if out, err := exec.Command("go", "build", "-o", zhuque, "zhuque/cmd/zhuque").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	for _, c := range Cases {
		t.Run(c.Name, func(t *testing.T) {
			path := program(t, c.Program)
			want := c.run(t, path)
			modes := [][]string{nil, {"--memory", "native", "--model", "off"}}
			if testing.Short() || c.Long {
				modes = modes[1:]
			}
			for _, mode := range modes {
				command := slices.Concat([]string{zhuque, "run", "--env", "TZ=UTC", "--env", "PATH=/bin"}, mode, []string{"--", path})
				begin := time.Now()
				got := c.run(t, command...)
				t.Logf("%q in %.1f s", mode, time.Since(begin).Seconds())
				if got.exit != want.exit || got.stderr != want.stderr {
					t.Errorf("%q: exit status %d, natively %d; standard error %q, natively %q", mode, got.exit, want.exit, got.stderr, want.stderr)
				}
				if got.stdout != want.stdout {
					at := 0
					for at < len(got.stdout) && at < len(want.stdout) && got.stdout[at] == want.stdout[at] {
						at++
					}
					t.Errorf("%q: %d bytes printed, natively %d; different from byte %d on: %.80q, natively %.80q",
						mode, len(got.stdout), len(want.stdout), at, got.stdout[at:], want.stdout[at:])
				}
			}
		})
	}
}

// The input is the same on every machine: its digest is part of the test.
func TestInputIsFixed(t *testing.T) {
	text := inputText()
	sum := sha256.Sum256(text)
	const want = "0efa802f2c380072e2d5f1a016cf39d5f19777fcc19d20ce1f6ef0c158746df4"
	if got := hex.EncodeToString(sum[:]); got != want || len(text) != 1<<20 {
		t.Errorf("%d bytes, digest %s", len(text), got)
	}
}

func TestPathNamesWhatIsMissing(t *testing.T) {
	if _, err := Path("emacs"); err == nil || !strings.Contains(err.Error(), `"busybox"`) {
		t.Errorf("%v", err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go.mod"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	var missing *Missing
	if _, err := Path("busybox"); !errors.As(err, &missing) || missing.Name != "busybox" {
		t.Errorf("%v", err)
	}
}
