package crashinject

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/eadr"
)

var caseSeeds = []string{
	"zhuque-case 1\nprogram \"guest:list\"\narg \"-n\"\nenv \"TERM=dumb\"\nset domain \"adr\"\ncut after 1234 step 3 recovery 7\ntail\nverdict violation\nreason \"after the restart rax is 0x0 instead of 0x1\"\n",
	"# what happened\n\nzhuque-case 1\n  program \"/bin/true\"\ncut after 0\ncut after 1 keep 0 lose-wc\n",
	"zhuque-case 1\nprogram \"a\\n\\x00\\xff\"\narg \"\"\nset cpu \"v3\"\nset memory \"native\"\nset model \"off\"\nset cache \"clx-g1\"\nset seed \"18446744073709551615\"\nset root \"/x y\"\nset energy \"77\"\nset pmem-read \"300\"\nset mutant \"x87-not-saved\"\nset max-instructions \"5\"\ncut after 3 rep 2 energy 5\nverdict pass\n",
	"zhuque-case 2\nprogram \"/bin/list\"\nset domain \"adr\"\ninput check-program \"00ff\"\ncut look 2 world /mnt/pmem/a%20b+0x40=1\ncut after 7 world start+0x0=0\nrestart \"/bin/list\"\nrestart-arg \"walk\"\ncheck \"/bin/check\"\ncheck-arg \"\"\nexpect-status \"3\"\nexpect-output \"4 nodes\\n\"\nstdin \"\\xff\\n\"\nstdout \"pipe\"\nverdict violation\n",
}

func FuzzParseCase(f *testing.F) {
	for _, s := range caseSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCase("f.case", text)
		if err != nil {
			return
		}
		d, err := ParseCase("f.case", c.String())
		if err != nil || !reflect.DeepEqual(c, d) {
			t.Errorf("%q is printed as %q, which reads back as %q, %v", text, c, d, err)
		}
	})
}

func TestCaseSeedsParse(t *testing.T) {
	for _, s := range caseSeeds {
		if _, err := ParseCase("f.case", s); err != nil {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// What is wrong with a case file is told with its name and line.
func TestBadCasesAreRefusedWithTheirPlace(t *testing.T) {
	const head = "zhuque-case 1\n"
	for text, want := range map[string]string{
		"":                                       `f.case:1: the file is empty: expected "zhuque-case 2"`,
		"zhuque-case 3\n":                        `f.case:1: "zhuque-case 3": expected "zhuque-case 2"`,
		head + "program \"a\"\n":                 "f.case:3: no cut",
		head + "cut after 1\n":                   "f.case:3: no program",
		head + "program a\n":                     "f.case:2: program a: expected a string in double quotes",
		head + "program `a`\n":                   "expected a string in double quotes",
		head + "\n# x\ncut after x\n":            `f.case:4: "after" "x": expected a whole number`,
		head + "set domain \"dram\"\n":           "f.case:2: domain \"dram\": expected adr or eadr",
		head + "set colour \"red\"\n":            `setting "colour": expected one of clock, cores`,
		head + "set seed \"-1\"\n":               `seed "-1": expected a whole number`,
		head + "set mutant \"x\"\n":              `mutant "x": expected one of`,
		head + "verdict fine\n":                  `verdict "fine": expected one of pass`,
		head + "tail 3\n":                        "tail takes nothing",
		head + "check-arg \"a\"\n":               "check-arg before check",
		head + "check \"\"\n":                    `check "": expected a program`,
		head + "check \"a\"\ncheck \"b\"\n":      "f.case:3: duplicate check",
		head + "restart-status \"1\"\n":          "restart-status before restart",
		head + "expect-status \"256\"\n":         "expected a whole number from 0 to 255",
		head + "expect-output 4\n":               "expected a string in double quotes",
		head + "stdout \"file\"\n":               "expected pipe",
		head + "cut look 2 world f=1\n":          "f.case:2: \"world\" \"f=1\": expected FILE+OFFSET=N",
		head + "colour \"red\"\n":                `"colour": expected one of program`,
		head + strings.Repeat("x", 1<<20) + "\n": "f.case:2:",
	} {
		if c, err := ParseCase("f.case", text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.60q gives %+v, %v: expected an error with %q", text, c, err, want)
		}
	}
}

// What belongs to worlds is refused in other cases, and the other way round.
func TestCasesOfWorldsAndOthersAreToldApart(t *testing.T) {
	const head = "zhuque-case 2\nprogram \"guest:list\"\n"
	for text, want := range map[string]string{
		"cut after 5\ncheck \"/bin/check\"\n":                    "belong to a world",
		"cut after 5\nexpect-output \"\"\n":                      "belong to a world",
		"cut after 5\nstdin \"\"\n":                              "belong to a world",
		"cut look 5\n":                                           "expected a case file for zhuque replay",
		"cut after 5 world f+0x0=1\n":                            "cut 1: a world begins with \"look N\"",
		"cut look 5\ncut look 6\n":                               "cut 2: look counts crash points of the program",
		"cut look 5 keep 1\n":                                    "cut 1: a world takes the words",
		"cut look 5\ntail\n":                                     "tail: a world's recovery",
		"cut look 5\nrestart \"/bin/a\"\nrestart-status \"1\"\n": "is expect-status",
	} {
		c, err := ParseCase("f.case", head+text)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		_, judged := c.Judge()
		fits := c.WorldFits()
		if !strings.Contains(fmt.Sprint(judged, fits), want) || judged == nil {
			t.Errorf("%q: judged as a plan of power cuts %v, as a world %v: expected an error with %q", text, judged, fits, want)
		}
	}
}

// A case that went through its text form is judged as before.
func TestCasesReplay(t *testing.T) {
	for _, row := range []struct {
		guest, mutant, plan string
		adr, tail           bool
		want                result.Verdict
	}{
		{guest: "list", plan: "after 62 step 3; after 900; after 5 recovery 2", tail: true, want: result.Pass},
		{guest: "fpu", mutant: "x87-not-saved", plan: "after 2116", want: result.Violation},
		{guest: "tls", mutant: "fs-base-not-saved", plan: "after 50000 recovery 2", tail: true, want: result.Violation},
		{guest: "list", plan: "after 3000", adr: true, want: result.Detected},
		{guest: "files", plan: "after 20000; after 100 energy 60000000", want: result.Detected},
	} {
		c := Case{Setup: guestSetup(t, row.guest), Plan: parse(t, row.plan), Tail: row.tail}
		c.Setup.Mutant = row.mutant
		if row.adr {
			c.Setup.Domain = eadr.ADR
		}
		p, err := c.Judge()
		if err != nil {
			t.Fatalf("%+v: %v", row, err)
		}
		if p.Verdict != row.want || (p.Reason == "") != (p.Verdict == result.Pass) || p.Plan != row.plan {
			t.Errorf("%+v: judged %v, %q, plan %q", row, p.Verdict, p.Reason, p.Plan)
		}
		c.Verdict, c.Reason = p.Verdict, p.Reason
		d, err := ParseCase("f.case", c.String())
		if err != nil {
			t.Fatalf("%s: %v", c, err)
		}
		d.Setup.Guest = c.Setup.Guest
		again, err := d.Judge()
		if err != nil || !reflect.DeepEqual(p, again) || d.Verdict != p.Verdict || d.Reason != p.Reason {
			t.Errorf("%s\njudged first %+v\nthen %+v, %v", c, p, again, err)
		}
	}
}

// A plan of many failures that exposes a planted bug shrinks to one plain cut,
// and one instruction earlier is too early.
func TestShrinkFindsTheSmallestPlan(t *testing.T) {
	c := Case{Setup: guestSetup(t, "fpu"), Plan: parse(t,
		"after 40 recovery 1; after 2000 rep 3; after 100 step 4 recovery 2"), Verdict: result.Violation, Tail: true}
	c.Setup.Mutant = "x87-not-saved"
	small, err := c.Shrink(t.Context(), 300)
	if err != nil {
		t.Fatal(err)
	}
	if len(small.Plan.Cuts) != 1 || !small.Plan.Cuts[0].plain() || small.Reason == "" {
		t.Fatalf("shrunk to %q: %s", small.Plan, small.Reason)
	}
	n := small.Plan.Cuts[0].After
	if n == 0 || n > 2000 {
		t.Errorf("the x87 state is lost after %d instructions: expected the first that changes it", n)
	}
	r := newRig(t, small.Setup)
	if p := r.plan(At(n)); p.Verdict != result.Violation {
		t.Errorf("%q: %v", small.Plan, p.Verdict)
	}
	if p := r.plan(At(n - 1)); p.Verdict != result.Pass {
		t.Errorf("one instruction before %q: %v: %s", small.Plan, p.Verdict, p.Reason)
	}
}
