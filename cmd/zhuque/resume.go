package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

func resumeVerb() *cobra.Command {
	return &cobra.Command{
		Use:   "resume FILE",
		Short: "Boot a saved PMEM image and run its program to the end",
		Long: `Resume boots the image that crash --save or run --image wrote, under the settings
it was made with, and runs the program to its end. Standard output goes on where the power
went; standard input must be the same as before, from its beginning: what the
program had read is skipped. The files that the program had open must be there
and unchanged. The image stays as it is.

The exit status is 0 when the program ended, in whatever way (standard error says
how); 11 when the image is damaged or was refused, 12 when the program needs
something unsupported, 14 when it waits for ever or the instruction limit was reached.`,
		Example: `  zhuque crash --at 500000 --save half.image -- guest:counter
  zhuque resume half.image`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return resume(args[0]) },
	}
}

func resume(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	console, out := streams()
	m, _, err := crashinject.Resume(bufio.NewReader(f), guests.Guest, console)
	if err != nil {
		return classify(fmt.Errorf("%s: %w", name, err))
	}
	at := m.Retired()
	stop := m.Run()
	if err := errors.Join(out.err, m.Close()); err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "resumed at instruction %d: %v\n", at, stop)
	return stopStatus(stop)
}

// stopStatus is the exit status of a program's end for verbs other than run.
func stopStatus(stop sim.Stop) error {
	var unsup *x86.Unsupported
	var deadlock *kernel.Deadlock
	switch {
	case stop.Ended():
		return nil
	case stop.Reason == sim.OutOfBudget, errors.As(stop.Err, &deadlock):
		return verdict(result.Timeout)
	case errors.As(stop.Err, &unsup):
		return verdict(result.Unsupported)
	}
	return &exitError{status: exitBadInput}
}
