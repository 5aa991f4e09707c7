package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// Who notices a defect, the first of these.
const (
	byScenarios = "scenarios" // a campaign of the registry
	byGuests    = "guests"    // the other guests
	byTests     = "tests"     // the package's own tests
	byNothing   = "nothing"
	equivalent  = "equivalent" // nobody can: see equivalents.txt
)

// measured is what became of a defect.
type measured struct {
	Key     string  `json:"key"`
	Area    string  `json:"area"`
	Kind    string  `json:"kind"`
	At      string  `json:"at"`
	By      string  `json:"caught_by"`
	Which   string  `json:"which,omitempty"` // scenario, guest or test
	How     string  `json:"how,omitempty"`   // what it said, or why nobody can notice
	Seconds float64 `json:"seconds"`
}

// bounds of the runs that judge a defect.
type bounds struct {
	points          uint64
	campaigns, test time.Duration
}

// classify finds out who notices the defect with a number.
func (o *overlay) classify(ctx context.Context, n int, d *defect, b bounds) (m measured, err error) {
	m = measured{Key: d.Key, Area: d.Area, Kind: d.Kind, At: d.At, By: byNothing}
	begin := time.Now()
	defer func() { m.Seconds = float64(time.Since(begin).Milliseconds()) / 1000 }()
	points := fmt.Sprintf("--points=%d", b.points)
	for _, step := range []struct {
		by   string
		args []string
	}{{byScenarios, []string{points}}, {byGuests, []string{points, "--guests"}}} {
		r := o.run(ctx, n, b.campaigns, filepath.Dir(o.judge()), o.judge(), step.args...)
		if r.err != nil {
			return m, r.err
		}
		if r.failed {
			m.By, m.Which, m.How = step.by, r.last("at "), r.why("caught ")
			return m, nil
		}
	}
	r := o.run(ctx, n, b.test, filepath.Join(o.root, filepath.FromSlash(d.folder)),
		o.tests(d.folder), "-test.failfast", "-test.timeout=0")
	if r.err != nil {
		return m, r.err
	}
	if r.failed {
		m.By, m.Which = byTests, d.folder
		if _, name, ok := strings.Cut(r.out, "--- FAIL: "); ok {
			m.Which += " " + strings.Fields(name)[0]
		}
		m.How = r.why("panic: ")
	}
	return m, nil
}

// outcome is what a run with a defect did.
type outcome struct {
	out    string
	failed bool
	late   bool  // it was ended at its bound
	err    error // it did not run
}

// run runs a program with a defect active, for at most as long as bound. Longer is a
// failure: without a defect it takes a small part of that.
func (o *overlay) run(ctx context.Context, n int, bound time.Duration, dir, name string, args ...string) (r outcome) {
	ctx, cancel := context.WithTimeout(ctx, bound)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Env = append(environment(), fmt.Sprintf("%s=%d", activeVariable, n), "GOMEMLIMIT=2GiB", "GOTRACEBACK=single")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	r.out = out.String()
	var exit *exec.ExitError
	switch {
	case ctx.Err() == context.DeadlineExceeded:
		r.failed, r.late = true, true
	case ctx.Err() != nil:
		r.err = ctx.Err()
	case errors.As(err, &exit):
		r.failed = true
	case err != nil:
		r.err = err
	}
	return r
}

// last returns what follows the last line's beginning.
func (r *outcome) last(begin string) string {
	text := ""
	for line := range strings.Lines(r.out) {
		if rest, ok := strings.CutPrefix(line, begin); ok {
			text = strings.TrimSpace(rest)
		}
	}
	return text
}

// why says how a run failed.
func (r *outcome) why(begin string) string {
	if r.late {
		return "it does not end"
	}
	if text := r.last(begin); text != "" {
		return oneLine(text)
	}
	for _, begin := range []string{"panic: ", "fatal error: "} {
		if text := r.last(begin); text != "" {
			return oneLine(begin + text)
		}
	}
	return ""
}

// tests is the test program of a package.
func (o *overlay) tests(folder string) string {
	return filepath.Join(o.dir, strings.ReplaceAll(folder, "/", "+")+".test")
}

// buildTests makes a package's test program, unless it was made.
func (o *overlay) buildTests(folder string) error {
	if _, err := os.Stat(o.tests(folder)); err == nil {
		return nil
	}
	if out, err := o.build("test", "-c", "-vet=off", "-o", o.tests(folder), "./"+folder); err != nil {
		return fmt.Errorf("go test -c ./%s: %w\n%s", folder, err, out)
	}
	return nil
}
