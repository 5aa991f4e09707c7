package explore

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject"
	judged "zhuque/crashinject/result"
	"zhuque/eadr"
)

// Each failing world goes through the text of a case, and is judged and explained there as in
// the exploration.
func TestWorldsAreCases(t *testing.T) {
	for _, tc := range []struct {
		run, recovery string
		domain        eadr.Domain
		check         string
		cuts          int // of a failure, at least; 0 for one
	}{
		{"torn 3", "show", eadr.ADR, "", 0},
		{"torn 2", "show", eadr.EADR, "", 0},
		{"lost 3", "show", eadr.ADR, "", 0},
		{"torn 3", "abort-show", eadr.ADR, "", 0},
		{"torn 2", "hang-show", eadr.ADR, "", 0},
		{"torn 2", "show", eadr.ADR, "exit-show", 0},
		{"waste 0", "trust-show", eadr.ADR, "", 2},
		{"same-torn 3", "note-show", eadr.ADR, "", 0},
	} {
		opt := pair(t, tc.run, tc.recovery)
		opt.Setup.Domain = tc.domain
		if tc.check != "" {
			opt.Check = command(t, "/pair "+tc.check)
		}
		cuts := 0
		for opt.Cuts = 2; opt.Cuts > 0; opt.Cuts-- { // with one, one machine stands for many crash points
			for _, f := range explored(t, opt).Failures {
				replayed(t, opt, f)
				cuts = max(cuts, f.Cuts)
			}
		}
		if cuts < max(tc.cuts, 1) {
			t.Errorf("%+v: failures after %d cuts", tc, cuts)
		}
	}
}

// read takes a failure through the text of its case.
func read(t *testing.T, opt *Options, f *Failure) crashinject.Case {
	t.Helper()
	c, err := f.Case(opt)
	if err != nil {
		t.Fatal(err)
	}
	d, err := crashinject.ParseCase("world.case", c.String())
	if err != nil || d.String() != c.String() {
		t.Fatalf("%s\nreads back as\n%s: %v", c, d, err)
	}
	return d
}

func replayed(t *testing.T, opt *Options, f *Failure) {
	t.Helper()
	d := read(t, opt, f)
	p, why, err := Replay(context.Background(), &d)
	if err != nil || p.Verdict != judged.Violation || p.Reason != d.Reason || p.Plan != d.Plan.String() || p.At != f.At {
		t.Fatalf("%s\nis judged %v, %q at %d, %v: expected %q at %d", d, p.Verdict, p.Reason, p.At, err, d.Reason, f.At)
	}
	if why == nil || why.identity() != f.identity() || why.Why() != f.Why() && f.Input == nil {
		t.Errorf("%s\nis explained by\n%v\nand was by\n%s", d, why, f.Why())
	}
	if _, err := d.Judge(); !errors.Is(err, crashinject.ErrOfWorlds) {
		t.Errorf("judged as a case of power cuts under the runtime: %v", err)
	}
}

// A world may be decided before its recovery has started: what a cut left of the program itself.
func TestWorldsOfAProgramAreCases(t *testing.T) {
	opt := files(t, "", "code", "/small", "second")
	code, err := os.ReadFile(filepath.Join("..", "..", "scenarios", "guests", "bin", "hello"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(opt.Setup.Root, "small"), code, 0o755); err != nil {
		t.Fatal(err)
	}
	opt.Recover, opt.Worlds = command(t, "/mnt/pmem/code"), 200
	starts := 0
	for _, f := range explored(t, opt).Failures {
		starts += strings.Count(read(t, opt, f).String(), "world start+0x0=")
		replayed(t, opt, f)
	}
	if starts == 0 {
		t.Error("nothing is decided at the start of a recovery")
	}
}

// What the program read of standard input is in the case.
func TestWorldsOfAnInputAreCases(t *testing.T) {
	opt := pair(t, "lines", "show")
	text := []byte("set 1 1\nnothing \xff \"three\"\nset 2 2\n")
	r, err := Inputs(context.Background(), opt, 0, 1, func(int) []byte { return text })
	if err != nil || len(r.Failures) == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
	for _, f := range r.Failures {
		d := read(t, opt, f)
		if d.Input == nil || *d.Input != string(text) {
			t.Errorf("%s: expected the input", d)
		}
		replayed(t, opt, f)
	}
}

// A world that is not there is unreached, one whose program changed is stale, and what has
// no meaning for one is refused.
func TestWorldsThatAreNotThere(t *testing.T) {
	opt := pair(t, "torn 2", "show")
	f := explored(t, opt).Failures[0]
	for _, tc := range []struct {
		why    string
		change func(*crashinject.Cut)
	}{
		{"no such world", func(c *crashinject.Cut) { c.Look = 9999 }},
		{"no such world", func(c *crashinject.Cut) { c.Worlds[0].Way = 77 }},
		{"no such world", func(c *crashinject.Cut) { c.Worlds = c.Worlds[:0] }},
		{"no such world", func(c *crashinject.Cut) { c.Worlds = append(c.Worlds, c.Worlds[0]) }},
		{"/mnt/pmem/other+0x0 was expected", func(c *crashinject.Cut) { c.Worlds[0].Line = "/mnt/pmem/other+0x0" }},
	} {
		d := read(t, opt, f)
		tc.change(&d.Plan.Cuts[0])
		if p, why, err := Replay(context.Background(), &d); err != nil || p.Verdict != judged.Unreached || !strings.Contains(p.Reason, tc.why) || why != nil {
			t.Errorf("%s: %v, %q, %v: expected unreached, %s", d.Plan, p.Verdict, p.Reason, err, tc.why)
		}
	}
	d := read(t, opt, f)
	d.Setup.Mutant = "x87-not-saved"
	if _, _, err := Replay(context.Background(), &d); err == nil || !strings.Contains(err.Error(), "set mutant") {
		t.Errorf("a mutant of the runtime: %v", err)
	}
	d = read(t, opt, f)
	for range MostCuts {
		d.Plan.Cuts = append(d.Plan.Cuts, crashinject.Cut{After: 1})
	}
	if _, _, err := Replay(context.Background(), &d); err == nil || !strings.Contains(err.Error(), "at most 8") {
		t.Errorf("nine cuts: %v", err)
	}
	d = read(t, opt, f)
	name := opt.Setup.Root + opt.Setup.Program
	code, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, append(code, 0), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Replay(context.Background(), &d); !errors.As(err, new(*crashinject.Stale)) {
		t.Errorf("another program: %v", err)
	}
}

// What is too long for a case is said when it is made, not when it is read.
func TestCasesAreBounded(t *testing.T) {
	opt := pair(t, "torn 2", "show")
	f := *explored(t, opt).Failures[0]
	f.Input = &Input{Text: strings.Repeat("x", crashinject.MaxCase)}
	if _, err := f.Case(opt); err == nil || !strings.Contains(err.Error(), "too long") {
		t.Errorf("16 MiB of standard input: %v", err)
	}
}
