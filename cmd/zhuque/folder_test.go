//go:build unix

package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zhuque/crashinject/result"
)

// started is a command that runs.
type started struct {
	*exec.Cmd
	errs *bytes.Buffer
}

// start runs the command in a process of its own and does not wait for it.
func start(t *testing.T, dir string, args ...string) started {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := started{exec.CommandContext(t.Context(), self, args...), new(bytes.Buffer)}
	c.Dir, c.Stderr = dir, c.errs
	c.Env = append(os.Environ(), asCommand+"=1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c
}

// status waits for the end.
func (c started) status(t *testing.T) int {
	t.Helper()
	_ = c.Wait() // the state has it
	return c.ProcessState.ExitCode()
}

// await waits until a file is there.
func await(t *testing.T, pattern string) string {
	t.Helper()
	for range 3000 {
		if found, err := filepath.Glob(pattern); err == nil && len(found) > 0 {
			return found[0]
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("no %s after half a minute", pattern)
	return ""
}

// longFailing is a campaign that takes minutes and fails early.
var longFailing = []string{"campaign", "--mutant", "x87-not-saved", "--strategy", "every", "--", "guest:fpu"}

// What is found is kept, whatever ends the campaign: SIGKILL leaves the case, the signals
// that ask for the end the report too, and nothing is left half written.
func TestEndedCampaignKeepsItsFailure(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT} {
		t.Run(sig.String(), func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			c := start(t, dir, longFailing...)
			found := await(t, filepath.Join(dir, "zhuque-out", "fpu-1", "first-violation.case"))
			if err := c.Process.Signal(sig); err != nil {
				t.Fatal(err)
			}
			status := c.status(t)
			zhuque(t, dir, "", "replay", found).want(t, 10)
			if sig == syscall.SIGKILL {
				return
			}
			if status != 130 || !strings.Contains(c.errs.String(), "interrupted") {
				t.Errorf("exit status %d, expected 130; standard error: %.2000s", status, c.errs)
			}
			doc, err := result.Load(filepath.Join(dir, "zhuque-out", "fpu-1", "results.json"))
			if err != nil || doc.Campaigns[0].Counts.Violation == 0 {
				t.Errorf("the report so far: %v", err)
			}
			if left, _ := filepath.Glob(filepath.Join(dir, "zhuque-out", "*", ".*")); len(left) > 0 {
				t.Errorf("left half written: %q", left)
			}
		})
	}
}

// Under nohup a hang-up does not end the campaign.
func TestIgnoredHangUpStaysIgnored(t *testing.T) {
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "sh",
		append([]string{"-c", `trap '' HUP; exec "$@"`, "sh", self}, longFailing...)...)
	c.Dir, c.Env = dir, append(os.Environ(), asCommand+"=1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, filepath.Join(dir, "zhuque-out", "fpu-1", "*.case"))
	if err := c.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	time.Sleep(300 * time.Millisecond)
	if err := c.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // the state has it
	if doc, err := result.Load(filepath.Join(dir, "zhuque-out", "fpu-1", "results.json")); err != nil ||
		c.ProcessState.ExitCode() != 130 {
		t.Errorf("%v, %d campaigns, exit status %d", err, len(doc.Campaigns), c.ProcessState.ExitCode())
	}
}

// Each run has a folder of its own, the report of the latest stands above them, and of an
// earlier one nothing is left there.
func TestRunFolders(t *testing.T) {
	dir := t.TempDir()
	out := func(name ...string) string { return filepath.Join(append([]string{dir, "zhuque-out"}, name...)...) }
	r := zhuque(t, dir, "", "campaign", "--points", "3", "--mutant", "x87-not-saved").want(t, 10)
	if last := lastLine(r.stdout); last != "zhuque replay zhuque-out/fpu-1/first-violation.case" {
		t.Errorf("the last line is %q", last)
	}
	zhuque(t, dir, "", "campaign", "--points", "4", "--mutant", "x87-not-saved").want(t, 10)
	for _, name := range []string{out("fpu-1", "first-violation.case"),
		out("fpu-2", "report.html"), out("cut-fpu-x87-not-saved.svg")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	zhuque(t, dir, "", "campaign", "--from", "10", "--to", "12", "--", "guest:hello").want(t, 0)
	one, err1 := os.ReadFile(out("hello-1", "report.html"))
	two, err2 := os.ReadFile(out("report.html"))
	if err1 != nil || err2 != nil || !bytes.Equal(one, two) {
		t.Errorf("the report above is not that of the latest run: %v, %v", err1, err2)
	}
	if _, err := os.Stat(out("cut-fpu-x87-not-saved.svg")); err == nil {
		t.Error("a figure of an earlier run is beside the latest report")
	}
	if left, _ := filepath.Glob(out("*.case")); len(left) > 0 {
		t.Errorf("cases outside of a run's folder: %q", left)
	}
}

// A second run into a folder keeps the first one's case.
func TestSecondRunKeepsCase(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", "campaign", "--points", "3", "--mutant", "x87-not-saved", "--out", "o").want(t, 10)
	first, err := os.ReadFile(filepath.Join(dir, "o", "first-violation.case"))
	if err != nil {
		t.Fatal(err)
	}
	r := zhuque(t, dir, "", "campaign", "--strategy", "random", "--points", "3",
		"--mutant", "fs-base-not-saved", "--out", "o", "--", "guest:tls").want(t, 10)
	if last := lastLine(r.stdout); last != "zhuque replay o/first-violation-2.case" {
		t.Errorf("the last line is %q", last)
	}
	if now, err := os.ReadFile(filepath.Join(dir, "o", "first-violation.case")); err != nil || !bytes.Equal(now, first) {
		t.Errorf("the first run's case is %q, %v", now, err)
	}
}

// A file size limit stands for a full disk: the verdict stays the exit status, and what
// could not be written is said; where all passes it is status 3.
func TestFullDiskHidesNoVerdict(t *testing.T) {
	full := func(t *testing.T, args ...string) ran {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), "sh",
			append([]string{"-c", `{ (ulimit -f 0; exec "$@"); echo "status $?"; } 2>&1 | cat`, "sh", self}, args...)...)
		c.Dir, c.Env = t.TempDir(), append(os.Environ(), asCommand+"=1")
		out, err := c.Output()
		if err != nil {
			t.Fatal(err)
		}
		return ran{stdout: string(out)}
	}
	for _, tc := range []struct {
		status string
		args   []string
	}{
		{"status 11", []string{"campaign", "--strategy", "random", "--points", "3", "--domain", "adr", "--", "guest:list"}},
		{"status 10", []string{"campaign", "--points", "3", "--mutant", "x87-not-saved"}},
		{"status 3", []string{"campaign", "--from", "10", "--to", "12", "--", "guest:hello"}},
		{"status 3", []string{"campaign", "--from", "10", "--to", "12", "--out", "o", "--", "guest:hello"}},
		{"status 3", []string{"crash", "--at", "20", "--save", "x.image", "--", "guest:hello"}},
		{"status 3", []string{"crash", "--at", "20", "--stats", "x.json", "--", "guest:hello"}},
		{"status 11", []string{"crash", "--at", "2000", "--domain", "adr", "--stats", "x.json", "--", "guest:list"}},
	} {
		r := full(t, tc.args...)
		if lastLine(r.stdout) != tc.status || !strings.Contains(r.stdout, "file too large") && tc.args[0] == "campaign" {
			t.Errorf("%q: expected %s and the reason:\n%s", tc.args, tc.status, r.stdout)
		}
	}
}
