package main

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/lockstep"
	"zhuque/sim/x86"
)

type lockstepFlags struct {
	setup setupFlags
	form  format
	opt   lockstep.Options
}

func lockstepVerb() *cobra.Command {
	var f lockstepFlags
	c := &cobra.Command{
		Use:   "lockstep [flags] -- PROG ARG…",
		Short: "Compare a program's run with the host's processor, instruction by instruction",
		Long: `Lockstep runs a program in the simulator and, one instruction at a time, on the
processor of this machine, and stops at the first difference in a register or in
memory. System calls are made by the simulator alone and copied, so that the
program has no effect on the host. It runs without a terminal: input is empty,
output is dropped. Needs Linux on x86-64 and permission to trace processes.

A difference is a bug of the simulator: exit status 13. About 20,000
instructions a second are compared.`,
		Example: `  zhuque lockstep -- guest:hello
  zhuque lockstep --max-steps 5000 -- guest:signals
  zhuque lockstep --from 300000 --max-steps 2000 --format json -- guest:fpu`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			setup, err := f.setup.setup(c, args)
			if err != nil {
				return err
			}
			return f.run(setup)
		},
	}
	c.Flags().SetInterspersed(false)
	f.setup.register(c)
	f.form.register(c)
	numberVar(c.Flags(), &f.opt.Max, "max-steps", 1_000_000, "instructions to compare, 0 for all")
	numberVar(c.Flags(), &f.opt.From, "from", 0, "instructions that the simulator makes alone first")
	numberVar(c.Flags(), &f.opt.Every, "memory-every", lockstep.DefaultEvery,
		"instructions between two comparisons of memory")
	return c
}

// lockstepRecord is the JSON form of a run in lockstep.
type lockstepRecord struct {
	Program string            `json:"program"`
	Args    []string          `json:"args,omitempty"`
	Config  map[string]string `json:"config,omitempty"`
	Verdict result.Verdict    `json:"verdict"`
	Seconds float64           `json:"wall_seconds"`
	*lockstep.Report
}

func (f *lockstepFlags) run(setup crashinject.Setup) error {
	asJSON, err := f.form.json()
	if err != nil {
		return err
	}
	if f.opt.Every == 0 {
		return errors.New("--memory-every 0: expected at least 1")
	}
	f.opt.Start = func() (*sim.Machine, error) {
		cfg, err := setup.Config(nil)
		if err != nil {
			return nil, err
		}
		return setup.Start(cfg)
	}
	begin := time.Now()
	if terminal(os.Stderr) {
		f.opt.Progress = func(r *lockstep.Report) {
			fmt.Fprintf(os.Stderr, "\r%d instructions compared, %.0f a second",
				r.Compared, float64(r.Compared)/time.Since(begin).Seconds())
		}
	}
	r, err := lockstep.Run(f.opt)
	if f.opt.Progress != nil {
		fmt.Fprintln(os.Stderr)
	}
	if err != nil {
		return classify(err)
	}
	record := lockstepRecord{setup.Program, setup.Args, setup.Fields(), lockstepVerdict(r), time.Since(begin).Seconds(), r}
	if asJSON {
		err = writeJSON(os.Stdout, record)
	} else {
		_, err = fmt.Print(record.text())
	}
	if err != nil {
		return err
	}
	if record.Verdict == result.Unsupported {
		return exit(record.Verdict.ExitCode(), "%s", r.End)
	}
	return verdict(record.Verdict)
}

func lockstepVerdict(r *lockstep.Report) result.Verdict {
	var unsupported *x86.Unsupported
	switch {
	case r.Difference != nil:
		return result.SimBug
	case errors.As(r.Stop.Err, &unsupported):
		return result.Unsupported
	case r.Stop.Err != nil:
		return result.SimBug
	}
	return result.Pass
}

func (r *lockstepRecord) text() string {
	s := fmt.Sprintf(`%-14s%d instructions from %d, in %.1f s
%-14s%d instructions
%-14s%d
%-14s%d of %d
%-14s%d pages of 4 KiB
%-14s%s
`, "compared", r.Compared, r.From, r.Seconds, "mirrored", r.Mirrored, "exceptions", r.Faults, "forms", len(r.Forms), len(x86.ISA()), "memory", r.Pages, "ended", r.End)
	if r.Difference == nil {
		return s + fmt.Sprintf("%-14s%s\n", "difference", "none")
	}
	return s + "first difference: " + r.Difference.String()
}
