package explore

import (
	"context"
	"errors"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/eadr"
)

// pair explores testdata/pair.c: "MODE N" and its recovery.
func pair(t testing.TB, run, recovery string) *Options {
	opt := guest(t, "pair")
	opt.Setup.Args = strings.Fields(run)
	if recovery != "" {
		opt.Recover = command(t, "/pair "+recovery)
	}
	return opt
}

// Each kind of failure comes from the program that has it, and from no right one.
func TestVerdicts(t *testing.T) {
	for _, tc := range []struct {
		run, recovery string
		domain        eadr.Domain
		kinds         string // that are found
	}{
		{"right 3", "show", eadr.ADR, ""},
		{"right 3", "show", eadr.EADR, ""},
		{"right 3", "abort-show", eadr.ADR, ""},
		{"right 3", "pool-show", eadr.ADR, ""},
		{"torn 3", "show", eadr.ADR, "torn"},
		{"torn 3", "show", eadr.EADR, "torn"},
		{"lost 3", "show", eadr.ADR, "lost torn"},
		{"torn 3", "abort-show", eadr.ADR, "signal"},
		{"torn 3", "hang-show", eadr.ADR, "hang"},
		{"torn 3", "exit-show", eadr.ADR, "exit"},
	} {
		opt := pair(t, tc.run, tc.recovery)
		opt.Setup.Domain = tc.domain
		r := explored(t, opt)
		kinds := map[Kind]bool{}
		for _, f := range r.Failures {
			kinds[f.Kind] = true
			if len(f.Stores) == 0 || len(f.Loads) != len(f.Stores) || f.Count == 0 {
				t.Errorf("%s, %s: failure without a cause: %+v", tc.run, tc.recovery, f)
			}
		}
		for _, k := range strings.Fields(tc.kinds) {
			if !kinds[Kind(k)] {
				t.Errorf("%s, %s, %v: no failure of the kind %s", tc.run, tc.recovery, tc.domain, k)
			}
			delete(kinds, Kind(k))
		}
		if len(kinds) != 0 || (r.Verdict == "pass") != (tc.kinds == "") || !r.Exhaustive {
			t.Errorf("%s, %s, %v: verdict %s, too much: %v, exhaustive %t", tc.run, tc.recovery, tc.domain, r.Verdict, kinds, r.Exhaustive)
		}
		if (r.NoPool > 0) != (tc.recovery == "pool-show") {
			t.Errorf("%s, %s: no pool yet in %d worlds", tc.run, tc.recovery, r.NoPool)
		}
	}
}

// What a recovery has read stays so after the next cut.
func TestSecondCutKeepsWhatWasRead(t *testing.T) {
	opt := pair(t, "waste 0", "memo-show")
	r := explored(t, opt)
	if len(r.Failures) != 0 || r.Worlds < 10 {
		t.Errorf("%d worlds, failures %+v", r.Worlds, r.Failures)
	}
}

// A check and an expected output judge, too.
func TestCheckAndOutput(t *testing.T) {
	opt := pair(t, "torn 2", "show")
	opt.Check = command(t, "/pair exit-show")
	if r := explored(t, opt); !has(r, Check) {
		t.Errorf("no failed check: %+v", r.Failures)
	}
	opt = pair(t, "right 2", "show")
	opt.Check, opt.Output = command(t, "/pair exit-show"), []byte("2 2\n")
	if r := explored(t, opt); !has(r, Output) || has(r, Check) || has(r, Torn) {
		t.Errorf("failures %+v", r.Failures)
	}
}

func has(r *Report, k Kind) bool {
	for _, f := range r.Failures {
		if f.Kind == k {
			return true
		}
	}
	return false
}

// What fails without a cut is no crash bug, and what cannot be explored says so.
func TestBaseline(t *testing.T) {
	fails := func(err error) bool { return errors.As(err, new(*BaselineFails)) }
	for _, tc := range []struct {
		opt *Options
		is  func(error) bool
	}{
		{pair(t, "fails", ""), fails},
		{pair(t, "right 2", "fails"), fails},
		{pair(t, "right 0", "pool-show"), func(err error) bool { return fails(err) || errors.As(err, new(*NoPMEM)) }},
		{pair(t, "none", "show"), func(err error) bool {
			var nothing *NoPMEM
			return errors.As(err, &nothing) && nothing.Stop == ""
		}},
		{pair(t, "bad", "show"), func(err error) bool {
			var nothing *NoPMEM
			return errors.As(err, &nothing) && strings.HasPrefix(nothing.Stop, "exited with status 9")
		}},
		{func() *Options {
			o := pair(t, "right 2", "show")
			o.Check = command(t, "/pair fails")
			return o
		}(), fails},
		{func() *Options {
			o := pair(t, "right 2", "show")
			o.Output = []byte("3 3\n")
			return o
		}(), fails},
		{func() *Options {
			o := pair(t, "right 2", "")
			o.Recover = &crashinject.Restart{Program: "/nothing"}
			return o
		}(), func(err error) bool { return err != nil }},
	} {
		if r, err := Explore(context.Background(), tc.opt); !tc.is(err) {
			t.Errorf("%q, %v: %v, report %+v", tc.opt.Setup.Args, tc.opt.Recover, err, r)
		}
	}
}

// A recovery that does not end without a cut is no hang after one: the limit ended it.
func TestEndlessRecovery(t *testing.T) {
	opt := pair(t, "right 2", "loop")
	opt.Setup.MaxInstructions = 100_000
	_, err := Explore(context.Background(), opt)
	var unsound *crashinject.Unsound
	if !errors.As(err, &unsound) || !unsound.Stop.Limited() {
		t.Errorf("%v, expected the instruction limit", err)
	}
}

// A bound stops the exploration, which says so.
func TestBoundOnWorlds(t *testing.T) {
	opt := pair(t, "torn 3", "show")
	opt.Worlds = 5
	for n := uint64(1); n < 8; n++ { // also where a look at a recovery reaches it
		opt := pair(t, "right 2", "")
		opt.Worlds = n
		if r := explored(t, opt); r.Worlds != n || r.Exhaustive {
			t.Errorf("bound %d: %d worlds", n, r.Worlds)
		}
	}
	if r := explored(t, opt); r.Worlds != 5 || r.Exhaustive || !strings.Contains(r.Stopped, "5") || r.Err() != nil {
		t.Errorf("%d worlds, exhaustive %t, stopped %q, error %v", r.Worlds, r.Exhaustive, r.Stopped, r.Err())
	}
}

// The program is its own recovery, and is cut again while it recovers.
func TestProgramAsRecovery(t *testing.T) {
	opt := pair(t, "right 2", "")
	if r := explored(t, opt); len(r.Failures) != 0 || r.Worlds < 20 {
		t.Errorf("%d worlds, failures %+v", r.Worlds, r.Failures)
	}
	once := pair(t, "right 2", "")
	once.Cuts = 1
	if a, b := explored(t, once), explored(t, opt); a.Worlds >= b.Worlds || len(a.Failures) != 0 {
		t.Errorf("%d worlds after one cut, %d after two", a.Worlds, b.Worlds)
	}
}

// What flushes and fences are wasted on, and stores that stay at risk.
func TestPerformanceFindings(t *testing.T) {
	opt := pair(t, "waste 0", "show")
	want := map[string]uint64{"flushed clean": 3, "fence for nothing": 3, "never durable": 2}
	for _, f := range explored(t, opt).Performance {
		if want[f.Kind] < f.Count || f.Address == "" {
			t.Errorf("%s %d times at %s, expected %d", f.Kind, f.Count, f.Place, want[f.Kind])
		}
		if want[f.Kind] -= f.Count; want[f.Kind] == 0 {
			delete(want, f.Kind)
		}
	}
	if len(want) != 0 {
		t.Errorf("not found: %v", want)
	}
	opt.Setup.Domain = eadr.EADR
	clean := uint64(0)
	for _, f := range explored(t, opt).Performance {
		clean += f.Count
		if f.Kind != "flushed clean" {
			t.Errorf("eadr: %+v", f)
		}
	}
	if clean != 6 {
		t.Errorf("under eADR %d flushes are wasted, expected all 6", clean)
	}
}

// Two flushes of one line, with nothing between them that needs the first, could be one.
func TestNotCombined(t *testing.T) {
	count, time := uint64(0), uint64(0)
	for _, f := range explored(t, pair(t, "again 0", "show")).Performance {
		if f.Kind == "not combined" {
			count += f.Count
			time += uint64(f.Time)
		}
	}
	if count != 1 || time == 0 {
		t.Errorf("not combined %d times, %d ns, expected once", count, time)
	}
}

// The same crash points are run once, and counted.
func TestSameCrashPointsRunOnce(t *testing.T) {
	r := explored(t, pair(t, "same 5", "show"))
	if r.Points < r.Looks+5 || r.Looks > 8 {
		t.Errorf("%d crash points run for %d", r.Looks, r.Points)
	}
}

// The world of a failure, run alone, fails alike; also behind a second cut.
func TestOneWorld(t *testing.T) {
	for _, tc := range [][2]string{{"torn 2", "show"}, {"torn 2", "abort-show"}, {"lost 2", "show"}, {"torn 2", ""}} {
		opt := pair(t, tc[0], tc[1])
		r := explored(t, opt)
		again := 0
		for _, f := range r.Failures {
			opt.Only = f.World
			one := explored(t, opt)
			if one.Worlds == 0 || len(one.Failures) == 0 || one.Exhaustive {
				t.Errorf("%q: world %v: %d worlds, %d failures, exhaustive %t", tc, f.World, one.Worlds, len(one.Failures), one.Exhaustive)
				continue
			}
			if g := one.Failures[len(one.Failures)-1]; g.Kind == f.Kind && g.What == f.What && g.identity() == f.identity() {
				again++
			}
		}
		if again != len(r.Failures) || tc[1] != "" && again == 0 {
			t.Errorf("%q: %d of %d failures come again", tc, again, len(r.Failures))
		}
	}
}
