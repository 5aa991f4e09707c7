package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
)

// restartFlags are the command that judges what a power cut leaves.
type restartFlags struct {
	command string
	status  uint64
	given   func(string) bool
}

func (f *restartFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.command, "restart", "",
		"after each cut run this `COMMAND` on the files that are left, and judge by its exit status")
	numberVar(c.Flags(), &f.status, "expect-status", 0,
		"with --restart: the exit status that the command must have; 128+n for signal n")
	f.given = c.Flags().Changed
}

// restart returns the command, nil without --restart; setup finds its program.
func (f *restartFlags) restart(setup *crashinject.Setup) (*crashinject.Restart, error) {
	switch {
	case !f.given("restart") && f.given("expect-status"):
		return nil, errors.New("--expect-status: expected --restart COMMAND with it")
	case !f.given("restart"):
		return nil, nil
	case f.status > 255:
		return nil, fmt.Errorf("--expect-status %d: expected 0 to 255", f.status)
	}
	r, err := crashinject.ParseRestart(f.command, int(f.status))
	if err != nil {
		return nil, fmt.Errorf("--restart %w", err)
	}
	r.Program = findProgram(setup, r.Program)
	return r, nil
}

// who names what ran to its end.
func (f *restartFlags) who() string {
	if f.command != "" {
		return "the command"
	}
	return "the program"
}
