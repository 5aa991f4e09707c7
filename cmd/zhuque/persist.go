package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim"
)

// imageFlags are what run keeps its machine in.
type imageFlags struct {
	file  string
	every uint64
	fsync bool
}

func (f *imageFlags) register(c *cobra.Command) {
	c.Flags().StringVar(&f.file, "image", "",
		"keep the machine in this file, or continue with the one that is in it: whatever ends zhuque is a power cut")
	numberVar(c.Flags(), &f.every, "checkpoint", crashinject.DefaultEvery,
		"with --image: instructions between two checkpoints, at most")
	c.Flags().BoolVar(&f.fsync, "fsync", false,
		"with --image: survive a failure of the host too, not of zhuque alone (slower)")
}

// check says what does not go together.
func (f *imageFlags) check(c *cobra.Command) error {
	switch {
	case f.file == "" && (c.Flags().Changed("checkpoint") || f.fsync):
		return errors.New("--checkpoint and --fsync: expected --image FILE with them")
	case f.every == 0:
		return errors.New("--checkpoint 0: expected a number of instructions above zero")
	}
	return nil
}

// runPersistent runs a program whose machine stands in a file.
func runPersistent(setup crashinject.Setup, f *runFlags) error {
	var asked signals
	p := &crashinject.Persistent{Path: f.image.file, Every: f.image.every, Sync: f.image.fsync,
		Tell: func(format string, a ...any) { fmt.Fprintf(os.Stderr, "zhuque: "+format+"\n", a...) }}
	p.AtRest = func() { os.Exit(leave(p, &asked)) }
	console := p.Console(os.Stdin, os.Stdout, os.Stderr,
		[3]bool{isTerminal(os.Stdin), isTerminal(os.Stdout), isTerminal(os.Stderr)})
	outside, unpublish, err := f.ports.open(p.Rest)
	if err != nil {
		return exit(result.StatusSimulator, "--publish: %v", err)
	}
	defer unpublish()
	if outside != nil {
		console.Outside = p.Outside(outside)
	}
	cfg, err := setup.Config(console)
	if err != nil {
		return startError(err)
	}
	if f.strace {
		cfg.Strace = traceCalls()
	}
	asked.watch(p.Interrupt)
	if err := p.Open(setup, cfg); err != nil {
		return startError(err)
	}
	begin := time.Now()
	stop, err := p.Run()
	wall := time.Since(begin)
	switch {
	case err != nil:
		return exit(result.StatusSimulator, "%v", err)
	case stop.Reason == sim.Reached:
		return &exitError{status: leave(p, &asked)}
	case stop.Reason == sim.OutOfBudget:
		return exit(result.StatusSimulator,
			"%v (after %d instructions); a higher --max-instructions continues it", stop, p.Retired())
	case stop.Reason == sim.OutOfEvents:
		return exit(result.StatusSimulator,
			"%v (after %d instructions); a higher --max-events continues it", stop, p.Retired())
	case !stop.Ended():
		return exit(result.StatusSimulator, "%v (after %d instructions); %s holds the last checkpoint",
			stop, p.Retired(), f.image.file)
	}
	m := p.Machine()
	switch {
	case f.stats == "":
	case m == nil:
		fmt.Fprintln(os.Stderr, "zhuque: --stats: the program ended in an earlier run, there is nothing to count")
	default:
		if err := writeStats(f.stats, &setup, m, stop, wall); err != nil {
			return exit(result.StatusSimulator, "--stats: %v", err)
		}
	}
	if stop.ExitCode() != 0 {
		return &exitError{status: stop.ExitCode()}
	}
	return nil
}

// leave says how an interrupted run goes on, and returns its exit status.
func leave(p *crashinject.Persistent, asked *signals) int {
	fmt.Fprintf(os.Stderr, "zhuque: stopped by %v after %d instructions; %s holds the process; to continue:\n%s\n",
		asked.first, p.Retired(), p.Path, thisCommand())
	return 128 + int(asked.first)
}

// signals are those that ask this process to end.
type signals struct{ first syscall.Signal }

// watch calls ask at the first signal; a second one ends the process at once. What whoever
// started this process had it ignore (nohup) stays ignored. stop ends the watch.
func (s *signals) watch(ask func()) (stop func()) {
	var list []os.Signal
	for _, sig := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(sig) {
			list = append(list, sig)
		}
	}
	c, quit := make(chan os.Signal, 1), make(chan struct{})
	if len(list) == 0 {
		return func() {} // Notify would take an empty list for all signals
	}
	signal.Notify(c, list...)
	go func() {
		select {
		case got := <-c:
			signal.Stop(c)
			if sig, ok := got.(syscall.Signal); ok {
				s.first = sig
			}
			ask()
		case <-quit:
		}
	}()
	return sync.OnceFunc(func() { signal.Stop(c); close(quit) })
}
