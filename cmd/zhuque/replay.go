package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
)

func replayVerb() *cobra.Command {
	var form format
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge one case again",
		Long: `Replay reads a case file (a program, its settings and a plan of power failures),
runs it, and prints the verdict. The exit status is the verdict's. When the file
says what the verdict was and it comes out differently, that is a simulator bug.`,
		Example: `  zhuque campaign --mutant x87-not-saved --out found   # exit status 10
  zhuque replay found/first-violation.case   # exit status 10`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			return replay(args[0], asJSON)
		},
	}
	form.register(c)
	return c
}

func replay(name string, asJSON bool) error {
	text, err := readCase(name)
	if err != nil {
		return err
	}
	cs, err := crashinject.ParseCase(name, string(text))
	if err != nil {
		return err
	}
	cs.Setup.Guest = scenarios.Guest
	p, err := judge(&cs)
	if err != nil {
		return classify(err)
	}
	if asJSON {
		err = writeJSON(os.Stdout, p)
	} else {
		_, err = fmt.Printf("%s: %s\n", p.Verdict, p.Plan)
		if p.Reason != "" {
			fmt.Println(p.Reason)
		}
	}
	if err != nil {
		return err
	}
	switch {
	case !cs.Verdict.Valid():
	case cs.Verdict == p.Verdict && (cs.Reason == "" || cs.Reason == p.Reason):
	case cs.Verdict == p.Verdict:
		return exit(result.SimBug.ExitCode(), "%s: the file gives the reason %q, this run %q", name, cs.Reason, p.Reason)
	default:
		return exit(result.SimBug.ExitCode(), "%s: the file says %s, this run says %s", name, cs.Verdict, p.Verdict)
	}
	return verdict(p.Verdict)
}

// maxCase is above what any case file has, in bytes: what is given for one may be endless.
const maxCase = 4 << 20

func readCase(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxCase+1))
	if err == nil && len(text) > maxCase {
		err = fmt.Errorf("%s is longer than %d bytes: it is no case file", name, maxCase)
	}
	return text, err
}

// judge is Case.Judge with a panic as a verdict.
func judge(cs *crashinject.Case) (p result.Point, err error) {
	defer func() {
		if r := recover(); r != nil {
			p = result.Point{Kind: result.AtInstruction, Verdict: result.SimBug, Reason: fmt.Sprint(r), Plan: cs.Plan.String()}
		}
	}()
	return cs.Judge()
}
