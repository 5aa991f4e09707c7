package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"zhuque/cachemodel/litmus"
	"zhuque/cachemodel/worlds"
	"zhuque/crashinject/result"
)

func litmusVerb() *cobra.Command {
	form := format{"text"}
	var quiet bool
	c := &cobra.Command{
		Use:   "litmus FILE…",
		Short: "Run litmus tests of persistency in all ways, and compare them with what they expect",
		Long: `Litmus runs small tests of what a power cut may leave: every interleaving of their
threads, every moment at which a buffered store becomes visible, a line is written
back, a flush completes or the power fails. It prints each outcome with one of the
shortest ways to it, under ADR and under eADR, and whether the test's conditions hold.

  litmus NAME
  "what it shows"
  { x=0; y=0 @ x+8; z:4=0; w[2]=0; }
   P0     | P1           ;
   x = 1  | if x         ;
   clwb x | z = 1        ;
   sfence | w = {1, 2}   ;
  adr: exists (x=0 /\ z=1)
  eadr: never (x=0 /\ z=1)
  both: forall (P0:done=0 \/ x=1)

A location has 8 bytes on a line of its own, unless :SIZE, [WORDS] or @ LOCATION+OFFSET
say otherwise. Instructions: LOCATION = VALUE, rN = LOCATION, movnti and movntdq
LOCATION, VALUE, clflush, clflushopt, clwb, sfence, mfence, lfence, [rN =] lock xadd,
xchg and lock cmpxchg LOCATION, VALUE…, cpuid, interrupt, print (an acknowledgement
that drains nothing), and if LOCATION or if rN, with = VALUE or != VALUE: without it,
other than 0; the thread ends where it does not hold. A line "crash" and another table
make a recovery, which starts from every memory that the cut may leave. Conditions ask
for locations and for THREAD:REGISTER; prints and done are registers of each thread.

Exit status: 0 when all conditions hold, 10 when one does not, 2 for bad input.`,
		Example: `  zhuque litmus my.litmus
  zhuque litmus --format json my.litmus`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, files []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			report := litmusReport{Tests: []litmusTest{}}
			for _, file := range files {
				t, err := runLitmus(file)
				if err != nil {
					return err
				}
				report.Tests = append(report.Tests, t)
				if !asJSON {
					if _, err := io.WriteString(os.Stdout, t.text(quiet)); err != nil {
						return err
					}
				}
			}
			return report.finish(asJSON)
		},
	}
	form.register(c)
	c.Flags().BoolVarP(&quiet, "quiet", "q", false, "print one line for each test, and what does not hold")
	return c
}

type litmusReport struct {
	Tests []litmusTest `json:"tests"`
}

// litmusTest is one test in the report. The maps are by domain.
type litmusTest struct {
	Name     string                      `json:"name"`
	File     string                      `json:"file"`
	About    string                      `json:"about,omitempty"`
	Outcomes map[string][]litmusOutcome  `json:"outcomes"`
	Expected map[string][]litmusExpected `json:"expected"`
	States   map[string]int              `json:"states"`
	OK       bool                        `json:"ok"`
}

type litmusOutcome struct {
	Values  map[string]uint64 `json:"values"`
	Witness []string          `json:"witness"`

	text string
}

type litmusExpected struct {
	Condition string `json:"condition"`
	Line      int    `json:"line"`
	OK        bool   `json:"ok"`
}

// runLitmus runs the test in a file.
func runLitmus(file string) (t litmusTest, err error) {
	f, err := os.Open(file)
	if err != nil {
		return t, fmt.Errorf("read a litmus test: %w", err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, litmus.MaxBytes+1))
	if err != nil {
		return t, fmt.Errorf("read a litmus test: %w", err)
	}
	test, err := litmus.Parse(file, string(text))
	if err != nil {
		return t, err
	}
	t = litmusTest{Name: test.Name, File: file, About: test.Title(), OK: true, Outcomes: map[string][]litmusOutcome{},
		Expected: map[string][]litmusExpected{}, States: map[string]int{}}
	for _, d := range litmusDomains {
		r, err := test.Explore(d)
		if err != nil {
			return t, err
		}
		t.add(r)
	}
	return t, nil
}

var litmusDomains = []worlds.Domain{worlds.ADR, worlds.EADR}

func (t *litmusTest) add(r *litmus.Result) {
	d := r.Domain.String()
	names := r.Test.Names()
	t.States[d] = r.States
	t.Outcomes[d], t.Expected[d] = []litmusOutcome{}, []litmusExpected{}
	for i := range r.Outcomes {
		o := litmusOutcome{Values: map[string]uint64{}, Witness: r.Outcomes[i].Witness, text: r.String(&r.Outcomes[i])}
		for k, v := range r.Outcomes[i].Values {
			o.Values[names[k]] = v
		}
		t.Outcomes[d] = append(t.Outcomes[d], o)
	}
	for i := range r.Test.Conditions {
		if c := &r.Test.Conditions[i]; c.In(r.Domain) {
			e := litmusExpected{c.String(), c.Line, r.Holds(c)}
			t.Expected[d] = append(t.Expected[d], e)
			t.OK = t.OK && e.OK
		}
	}
}

// text is the test's part of the report for people.
func (t *litmusTest) text(quiet bool) string {
	var b strings.Builder
	word := map[bool]string{true: "ok", false: "FAIL"}
	fmt.Fprintf(&b, "%-4s %s\n", word[t.OK], t.Name)
	if !quiet && t.About != "" {
		fmt.Fprintf(&b, "     %s\n", t.About)
	}
	for _, domain := range litmusDomains {
		d := domain.String()
		width := 0
		for _, o := range t.Outcomes[d] {
			width = max(width, len(o.text))
		}
		if !quiet {
			fmt.Fprintf(&b, "  %s: %d outcomes of %d states\n", d, len(t.Outcomes[d]), t.States[d])
			for _, o := range t.Outcomes[d] {
				fmt.Fprintf(&b, "    %-*s  %s\n", width, o.text, strings.Join(o.Witness, "; "))
			}
		}
		for _, e := range t.Expected[d] {
			if !quiet || !e.OK {
				fmt.Fprintf(&b, "    %-4s %s:%d: %s: %s\n", word[e.OK], t.File, e.Line, d, e.Condition)
			}
		}
	}
	return b.String()
}

// finish prints the end of the report and returns the exit status.
func (r *litmusReport) finish(asJSON bool) error {
	failed := 0
	for i := range r.Tests {
		if !r.Tests[i].OK {
			failed++
		}
	}
	var err error
	if asJSON {
		err = writeJSON(os.Stdout, r)
	} else {
		_, err = fmt.Printf("%d tests, %d not as expected\n", len(r.Tests), failed)
	}
	if err == nil && failed > 0 {
		err = &exitError{status: result.StatusFound}
	}
	return errors.Join(err)
}
