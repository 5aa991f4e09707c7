package explore

import (
	"context"
	"fmt"
	"maps"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/eadr"
	"zhuque/internal/testrig"
)

// guest compiles a program of testdata into a file tree of its own.
func guest(t testing.TB, name string) *Options {
	t.Helper()
	s := crashinject.DefaultSetup()
	s.Root = testrig.EmptyRoot(t)
	out := filepath.Join(s.Root, name)
	if text, err := exec.Command(testrig.Compiler(t), "-O1", "-static", "-pthread", "-I",
		"../../runtime", "-o", out, "testdata/"+name+".c").CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	s.Program, s.Domain = "/"+name, eadr.ADR
	return &Options{Setup: s, Cuts: 2}
}

func command(t testing.TB, words string) *crashinject.Restart {
	t.Helper()
	r, err := crashinject.ParseRestart(words, 0)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func explored(t testing.TB, opt *Options) *Report {
	t.Helper()
	r, err := Explore(context.Background(), opt)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// The laws of the list push, from the mark on: 3n+1 worlds and 2n+1 looks when it is
// right, 2n²+2n+1 and n+1 when the node is not flushed.
func TestLawsOfTheListPush(t *testing.T) {
	opt := guest(t, "push")
	opt.Recover = command(t, "/push walk")
	for n := uint64(1); n <= 6; n++ {
		opt.Setup.Args = []string{"push", fmt.Sprint(n)}
		if r := explored(t, opt); r.Worlds != 3*n+1 || r.Looks != 2*n+1 || len(r.Failures) != 0 || !r.Exhaustive {
			t.Errorf("%d inserts, right: %d worlds, %d looks, %d failures, exhaustive %t: expected %d, %d, 0",
				n, r.Worlds, r.Looks, len(r.Failures), r.Exhaustive, 3*n+1, 2*n+1)
		}
		opt.Setup.Args[0] = "push-wrong"
		if r := explored(t, opt); r.Worlds != 2*n*n+2*n+1 || r.Looks != n+1 || len(r.Failures) == 0 {
			t.Errorf("%d inserts, the node is not flushed: %d worlds, %d looks, %d failures: expected %d, %d",
				n, r.Worlds, r.Looks, len(r.Failures), 2*n*n+2*n+1, n+1)
		}
	}
}

// allowed is one row of the table of litmus tests. acked: among the worlds after the
// acknowledgement.
type allowed struct {
	test      int
	outcome   string
	acked     int
	adr, eadr bool
}

var litmus = []allowed{
	{1, "x=0,y=1,s=0", 0, true, false},
	{2, "x=0,y=1,s=0", 0, false, false},
	{3, "x=0,y=0,s=1", 0, false, false},
	{4, "x=0,y=1,s=0", 0, true, false},
	{5, "x=0,y=1,s=0", 0, false, false},
	{6, "x=0,y=1,s=0", 0, true, false},
	{7, "x=0,y=1,s=0", 0, false, false},
	{8, "x=0,y=1,s=0", 0, true, false},
	{9, "x=0,y=1,s=0", 0, true, false},
	{10, "x=0,y=1,s=0", 0, false, false},
	{11, "x=0,y=1,s=0", 0, true, true},
	{12, "x=0,y=1,s=0", 0, false, false},
	{13, "x=0,y=0,s=0", 1, true, true},
	{14, "x=0,y=0,s=0", 1, true, false},
	{15, "x=16843009,y=0,s=0", 0, false, false},
	{16, "x=-1,y=0,s=0", 0, true, true},
	{16, "x=0,y=0,s=-1", 0, true, true},
	{17, "x=0,y=0,s=0", 1, false, false},
	{17, "x=1,y=0,s=0", 1, true, false},
	{17, "x=2,y=0,s=0", 1, true, true},
	// A file is made between store and fence, or after both; and an acknowledgement.
	{18, "x=0,y=0,s=0", 0, true, true},
	{18, "x=1,y=0,s=0", 0, true, true},
	{18, "x=0,y=0,s=0,flag", 0, true, true},
	{18, "x=1,y=0,s=0,flag", 0, true, true},
	{19, "x=0,y=0,s=0,flag", 0, false, false},
	{19, "x=1,y=0,s=0", 0, true, true},
	{20, "x=1,y=0,s=0", 0, true, true},
	{20, "x=0,y=0,s=0", 1, true, true},
	{21, "x=0,y=1,s=0", 1, true, false},
	{22, "x=0,y=1,s=0,flag", 0, true, false},
}

// The litmus tests as programs of the machine give the table, under both domains.
func TestLitmusAsPrograms(t *testing.T) {
	opt := guest(t, "litmus")
	opt.Recover = command(t, "/litmus")
	for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
		opt.Setup.Domain = domain
		got := map[int]map[string]bool{}
		for _, row := range litmus {
			if got[row.test] == nil {
				answers := map[string]bool{}
				opt.Setup.Args = []string{fmt.Sprint(row.test)}
				opt.seen = func(acked int, a answer) { answers[fmt.Sprintf("%d %s", acked, strings.TrimSpace(a.stdout))] = true }
				explored(t, opt)
				got[row.test] = answers
			}
			want := row.adr
			if domain == eadr.EADR {
				want = row.eadr
			}
			if is := got[row.test][fmt.Sprintf("%d %s", row.acked, row.outcome)]; is != want {
				t.Errorf("%v, test %d: %s after %d acknowledgements: %t, expected %t; worlds %q", domain,
					row.test, row.outcome, row.acked, is, want, slices.Sorted(maps.Keys(got[row.test])))
			}
		}
	}
}
