package main

import (
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/explore"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
)

func replayVerb() *cobra.Command {
	var form format
	c := &cobra.Command{
		Use:   "replay FILE",
		Short: "Judge one case again",
		Long: `Replay reads a case file (a program, its settings and a plan of power failures),
runs it, and prints the verdict. A case of zhuque explore leads to one memory that a
power cut leaves and to the recovery of it; if that is wrong, the stores and loads that
make it so are named. The exit status is the verdict's. When the file says what the verdict was and it comes out differently, that is a simulator bug.`,
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
	p, why, err := judge(&cs)
	if err != nil {
		return classify(err)
	}
	if err := printJudged(p, why, asJSON); err != nil {
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

// printJudged prints a verdict, and of a world that is wrong why.
func printJudged(p result.Point, why *explore.Failure, asJSON bool) error {
	switch {
	case asJSON && why != nil:
		return writeJSON(os.Stdout, struct {
			result.Point
			Failure *explore.Failure `json:"failure"`
		}{p, why})
	case asJSON:
		return writeJSON(os.Stdout, p)
	}
	text := fmt.Sprintf("%s: %s\n", p.Verdict, p.Plan)
	if p.Reason != "" {
		text += p.Reason + "\n"
	}
	if why != nil {
		text += crashinject.Printable(why.Why())
	}
	_, err := os.Stdout.WriteString(text)
	return err
}

// readCase reads a case file; what is given for one may be endless.
func readCase(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, crashinject.MaxCase+1))
	if err == nil && len(text) > crashinject.MaxCase {
		err = fmt.Errorf("%s is longer than %d bytes: it is no case file", name, crashinject.MaxCase)
	}
	return text, err
}

// judge is Case.Judge, or explore.Replay of a world, with a panic as a verdict.
func judge(cs *crashinject.Case) (p result.Point, why *explore.Failure, err error) {
	defer func() {
		if r := recover(); r != nil {
			p = result.Point{Kind: result.AtInstruction, Verdict: result.SimBug, Reason: fmt.Sprint(r), Plan: cs.Plan.String()}
		}
	}()
	if cs.Plan.OfWorlds() {
		ctx, stop := interruptible()
		defer stop()
		p, why, err = explore.Replay(ctx, cs)
		return p, why, unexplored(err)
	}
	p, err = cs.Judge()
	return p, nil, err
}
