// Zhuque runs unmodified Linux programs on a modelled machine with persistent
// memory, cuts the power at any instruction, and proves that they come back the
// same. One file holds one verb; nothing here decides anything about a machine.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

// exitError carries an exit status to main. An empty message prints nothing.
type exitError struct {
	status  int
	message string
}

func (e *exitError) Error() string { return e.message }

func exit(status int, format string, a ...any) error {
	return &exitError{status, fmt.Sprintf(format, a...)}
}

func main() { os.Exit(execute(root(), os.Args[1:])) }

// execute runs one command line and returns its exit status.
func execute(root *cobra.Command, args []string) (status int) {
	defer func() {
		if r := recover(); r != nil {
			fmt.Fprintf(os.Stderr, "zhuque: simulator bug: %v\n%s", r, debug.Stack())
			status = result.SimBug.ExitCode()
			if len(args) > 0 && args[0] == "run" {
				status = result.StatusSimulator
			}
		}
	}()
	root.SetArgs(args)
	err := root.Execute()
	if err == nil {
		return 0
	}
	var e *exitError
	if !errors.As(err, &e) {
		e = &exitError{status: badStatus(err)}
	}
	// The message is that of the whole error: e may be one of several that were joined.
	if message := strings.Trim(err.Error(), "\n"); message != "" {
		fmt.Fprintln(os.Stderr, "zhuque: "+message)
	}
	return e.status
}

func root() *cobra.Command {
	c := &cobra.Command{
		Use:   "zhuque",
		Short: "Cut the power at any instruction of an unmodified program, and prove that it comes back the same",
		Long: `Zhuque runs unmodified Linux x86-64 programs on a modelled machine: processor,
store buffer, caches, eADR and persistent memory, under a whole-process-persistence
runtime. It cuts the power where you say, restarts from what persistent memory
holds, and compares the recovered process with one that never failed.

zhuque statuses lists the exit statuses. The verb run passes on the guest's status.`,
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	c.SetFlagErrorFunc(flagError)
	c.Version = version().Version
	c.SetVersionTemplate("zhuque {{.Version}}\n")
	c.AddCommand(runVerb(), crashVerb(), campaignVerb(), ledgerVerb(), mergeVerb(), exploreVerb(), replayVerb(), demoVerb(), lockstepVerb(), benchVerb(), resumeVerb(), imageVerb(),
		scenariosVerb(), mutantsVerb(), litmusVerb(), isaVerb(), syscallsVerb(), paramsVerb(), statusesVerb(), sweepVerb(), figuresVerb(), compareVerb(), validateVerb(), versionVerb())
	return c
}

// interruptible returns a context that a signal which asks to end ends, with Interrupted as
// its cause; a second one ends the process.
func interruptible() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(context.Background())
	var asked signals
	stop := asked.watch(func() { cancel(&Interrupted{asked.first}) })
	return ctx, func() { stop(); cancel(nil) }
}

// Interrupted says which signal ended a run early.
type Interrupted struct{ Signal os.Signal }

func (e *Interrupted) Error() string { return fmt.Sprintf("interrupted (%v)", e.Signal) }

// classify gives an error from starting or running a program its exit status.
func classify(err error) error {
	var (
		e       *exitError
		unsound *crashinject.Unsound
		unsup   *x86.Unsupported
		refused *sim.Detected

		deadlock *kernel.Deadlock
		baseline *crashinject.BaselineFails
	)
	switch {
	case err == nil || errors.As(err, &e):
		return err
	case errors.As(err, &baseline):
		os.Stderr.Write(baseline.Stderr)
		return exit(result.StatusBaseline, "%v", err)
	case errors.As(err, &refused):
		return exit(result.Detected.ExitCode(), "%v", err)
	case errors.As(err, &unsound) && (unsound.Stop.Limited() || errors.As(unsound.Stop.Err, &deadlock)):
		return exit(result.Timeout.ExitCode(), "%v", err)
	case errors.As(err, &unsound) && errors.As(unsound.Stop.Err, &unsup), errors.As(err, &unsup):
		return exit(result.Unsupported.ExitCode(), "%v", err)
	case strings.Contains(err.Error(), "BUG: "):
		return exit(result.SimBug.ExitCode(), "%v", err)
	}
	return exit(badStatus(err), "%v", err)
}

// verdict turns a verdict into an exit status; the message has been printed.
func verdict(v result.Verdict) error {
	if v == result.Pass {
		return nil
	}
	return &exitError{status: v.ExitCode()}
}
