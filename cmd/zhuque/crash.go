package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

type crashFlags struct {
	setup setupFlags
	form  format
	at    []uint64
	plan  string
	save  string
	stats string
	ports publishFlag
	check restartFlags
}

func crashVerb() *cobra.Command {
	var f crashFlags
	c := &cobra.Command{
		Use:   "crash --at N [--at M …] [flags] -- PROG ARG…",
		Short: "Cut the power at chosen instructions, restart, and run to the end",
		Long: `Crash cuts the power after N instructions, restarts from the PMEM image, cuts
again M instructions later, and so on; then it runs the program to its end.
Standard output is what an observer of the real machine would have seen. After
each restart and at the end the process is compared with a twin that never
failed; the verdict goes to standard error (with --format json, as an object),
and the exit status is the verdict's.

--plan gives the cuts in the words of a case file instead: before an event (at), such
as the third write, inside a system call (step), a string instruction (rep), or the
recovery.

With --publish clients on the host can talk to the program. Such a run happens once
only: there is no twin, and after each restart the process is compared with itself as
it was at the cut. The failure resets the clients' connections; the program is told
so by ECONNRESET, and its listeners are back.

--restart runs a command after each cut instead of bringing the program back: a new
process, inside the machine, on the files that the cut left. The words of the command
are split as a shell does, but no shell runs. What judges is its exit status (0, or
that of --expect-status): another one is a violation. A command that fails after an
orderly end of the program too says nothing about power cuts: exit status 16.

--save stops after the last cut and writes the PMEM image that it left to a
file, which zhuque resume boots in another process.`,
		Example: `  zhuque crash --at 20 -- guest:hello
  zhuque crash --at 5000 --at 5000 --at 1 -- guest:list
  zhuque crash --plan "after 3000 recovery 2; after 100" --format json -- guest:counter
  zhuque crash --plan "after 0 at call:write; after 0 at fence|call:exit_group" -- guest:list
  zhuque crash --at 2000 --domain adr -- guest:list   # exit status 11
  zhuque crash --at 300000 --restart guest:hello -- guest:counter
  zhuque crash --at 500000 --save half.image -- guest:counter`,
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
	f.ports.register(c)
	f.check.register(c)
	c.Flags().Var((*numbers)(&f.at), "at",
		"instructions from the start, or from the last restart, to the next cut; may be repeated")
	c.Flags().StringVar(&f.plan, "plan", "", "the cuts as text")
	c.Flags().StringVar(&f.save, "save", "", "write the image that the last cut leaves to this file, and stop")
	c.Flags().StringVar(&f.stats, "stats", "",
		"write instructions, cycles, speed, digest and counters to this file as JSON")
	return c
}

func crashPlan(at []uint64, text string) (crashinject.Plan, error) {
	var p crashinject.Plan
	switch {
	case text != "" && at != nil:
		return p, errors.New("--at and --plan: expected one of them")
	case text != "":
		p, err := crashinject.ParsePlan(text)
		if err != nil {
			err = fmt.Errorf("--plan: %w", err)
		}
		return p, err
	case at == nil:
		return p, errors.New("no cut: expected --at N or --plan TEXT")
	}
	for _, n := range at {
		p.Cuts = append(p.Cuts, crashinject.Cut{After: n})
	}
	return p, nil
}

func (f *crashFlags) run(setup crashinject.Setup) error {
	asJSON, err := f.form.json()
	if err != nil {
		return err
	}
	plan, err := crashPlan(f.at, f.plan)
	if err != nil {
		return err
	}
	restart, err := f.check.restart(&setup)
	switch {
	case err != nil:
		return err
	case restart != nil && f.save != "":
		return errors.New("--restart and --save: expected one of them, a saved program comes back")
	case restart != nil && len(f.ports) > 0:
		return errors.New("--restart and --publish: expected one of them, the command has no clients")
	}
	if f.save != "" && f.stats != "" {
		return errors.New("--save and --stats: expected one of them, a saved program has not ended")
	}
	if f.save != "" && len(f.ports) > 0 {
		return errors.New("--save and --publish: expected one of them, connections do not outlive this process")
	}
	for _, path := range []string{f.save, f.stats} {
		if err := expectWritable(path); err != nil {
			return err
		}
	}
	release, err := setup.KeepFiles()
	if err != nil {
		return classify(err)
	}
	defer release()
	console, out := streams()
	unpublish, err := f.ports.attach(console)
	if err != nil {
		return fmt.Errorf("--publish: %w", err)
	}
	defer unpublish()
	begin := time.Now()
	o, err := f.crash(setup, plan, restart, console)
	wall := time.Since(begin)
	if out.err != nil {
		return exit(badStatus(out.err), "standard output: %v", out.err)
	}
	if err != nil {
		return classify(err)
	}
	// What could not be written takes the place of no verdict but pass.
	werr := f.finish(&setup, &o, wall)
	if err := f.show(&o, len(plan.Cuts), asJSON); err != nil {
		return err
	}
	if v := o.Point.Verdict; v != result.Pass {
		return errors.Join(verdict(v), told(werr))
	}
	return werr
}

func (f *crashFlags) crash(setup crashinject.Setup, plan crashinject.Plan,
	restart *crashinject.Restart, console *kernel.Console) (crashinject.Outcome, error) {
	switch {
	case restart != nil:
		return crashinject.CrashRestart(setup, plan, restart, console)
	case len(f.ports) > 0:
		return crashinject.CrashPublished(setup, plan, console)
	case f.save == "":
		return crashinject.Crash(setup, plan, console)
	}
	return crashinject.Save(setup, plan, console, func(d *sim.Durable, note string) error {
		return writeFile(f.save, func(w io.Writer) error { return d.WriteTo(w, note) })
	})
}

// finish keeps the guest's files and writes the statistics of a program that ended.
func (f *crashFlags) finish(setup *crashinject.Setup, o *crashinject.Outcome, wall time.Duration) error {
	if f.save != "" {
		return nil
	}
	if o.Machine == nil {
		if o.Left == nil {
			return nil
		}
		for _, what := range o.Left.Lost {
			fmt.Fprintf(os.Stderr, "lost, as it was not synchronized: %s\n", what)
		}
		if err := o.Left.Files.Close(); err != nil {
			return exit(badStatus(err), "%v", err)
		}
		return nil
	}
	if err := o.Machine.Close(); err != nil {
		return exit(badStatus(err), "%v", err)
	}
	if f.stats == "" {
		return nil
	}
	if err := writeStats(f.stats, setup, o.Machine, o.Stop, wall); err != nil {
		return exit(badStatus(err), "--stats: %v", err)
	}
	return nil
}

// crashReport is the JSON form of a crash.
type crashReport struct {
	Verdict      result.Verdict `json:"verdict"`
	Reason       string         `json:"reason,omitempty"`
	Planned      int            `json:"failures_planned"`
	Survived     int            `json:"failures_survived"`
	Instructions uint64         `json:"instructions"`
	ExitStatus   *int           `json:"exit_status,omitempty"` // absent when the program did not end
	Digest       string         `json:"digest,omitempty"`
	Image        string         `json:"image,omitempty"`
	Point        result.Point   `json:"point"` // of the last cut
}

func (f *crashFlags) show(o *crashinject.Outcome, planned int, asJSON bool) error {
	p := o.Point
	if asJSON {
		r := crashReport{Verdict: p.Verdict, Reason: p.Reason,
			Planned: planned, Survived: o.Failures, Image: f.save, Point: p}
		if o.Machine != nil {
			r.Instructions, r.Digest = o.Machine.Retired(), o.Machine.Digest()
		}
		if o.Stop.Ended() {
			status := o.Stop.ExitCode()
			r.ExitStatus = &status
		}
		return writeJSON(os.Stderr, r)
	}
	switch {
	case f.save != "" && p.Verdict != result.Unreached:
		fmt.Fprintf(os.Stderr, "%s: stopped at power failure %d, image in %s; to continue:\n%s\n",
			p.Verdict, o.Failures, f.save, command("zhuque", "resume", f.save))
	case o.Stop.Ended():
		fmt.Fprintf(os.Stderr, "%s: %d of %d power failures survived, then %s %v\n",
			p.Verdict, o.Failures, planned, f.check.who(), o.Stop)
	default:
		fmt.Fprintf(os.Stderr, "%s: %d of %d power failures survived\n", p.Verdict, o.Failures, planned)
	}
	if p.Reason != "" {
		fmt.Fprintln(os.Stderr, p.Reason)
	}
	return nil
}
