package main

import (
	"encoding/json"
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
	"zhuque/sim/kernel/errno"
	"zhuque/sim/loader"
)

func runVerb() *cobra.Command {
	var flags setupFlags
	var f runFlags
	c := &cobra.Command{
		Use:   "run [flags] -- PROG ARG…",
		Short: "Run a program without a failure",
		Long: `Run runs a program on the modelled machine. Its standard streams are yours and
its exit status is passed on (128 plus the signal's number when a signal ended it).
PROG is a path in the guest's file tree, looked up in the guest's PATH when it has
no slash, or guest:NAME for a program that comes with the simulator.

--image keeps the machine in a file, checkpoint by checkpoint. When zhuque ends before
the program, in whatever way (kill -9 too), that is a power cut: the same command goes
on with the last checkpoint. Output appears with the checkpoint that contains it, so
that none is lost, and none is repeated where it goes to a regular file (opened for
appending); elsewhere that of one checkpoint may appear twice, and standard error says
so. Standard input must be the same again from its beginning, unless it is a terminal.
An interrupt or SIGTERM brings the file up to date and ends zhuque. SIGPWR tells a
program that handles it.

--publish lets clients on the host's loopback interface connect to the program. Nothing
else leads out of the machine or into it. What clients send, and when, is no part of
the seed: such a run cannot be repeated, and time passes while it waits for them.

Failures of run itself: 125 the simulator (unsupported, bad flags, a bug; the
sentence says which), 126 found but not executable here, 127 not found.`,
		Example: `  zhuque run -- guest:hello
  zhuque run --model off -- guest:sha
  zhuque run --memory native --stats stats.json -- guest:counter
  zhuque run --strace -- guest:files
  zhuque run --image counter.image -- guest:counter
  zhuque run --max-instructions 1000 -- guest:counter   # exit status 125`,
		Args: cobra.ArbitraryArgs,
		RunE: func(c *cobra.Command, args []string) error {
			setup, err := flags.setup(c, args)
			if err != nil {
				return exit(result.StatusSimulator, "%v", err)
			}
			if err := f.check(c); err != nil {
				return exit(result.StatusSimulator, "%v", err)
			}
			release, err := setup.KeepFiles()
			if err != nil {
				return exit(result.StatusSimulator, "%v", err)
			}
			defer release()
			if f.image.file != "" {
				return runPersistent(setup, &f)
			}
			return runGuest(setup, &f)
		},
	}
	c.Flags().SetInterspersed(false)
	c.SetFlagErrorFunc(func(c *cobra.Command,
		err error) error {
		return exit(result.StatusSimulator, "%v", flagError(c, err))
	})
	flags.register(c)
	f.ports.register(c)
	f.image.register(c)
	c.Flags().StringVar(&f.stats, "stats", "",
		"write instructions, cycles, speed, digest and counters to this file as JSON")
	c.Flags().BoolVar(&f.strace, "strace", false, "show every system call on standard error")
	return c
}

// runFlags are the flags of run that are no settings of the machine.
type runFlags struct {
	ports  publishFlag
	image  imageFlags
	stats  string
	strace bool
}

func (f *runFlags) check(c *cobra.Command) error {
	if err := expectWritable(f.stats); err != nil {
		return fmt.Errorf("--stats: %w", err)
	}
	return f.image.check(c)
}

// streams is a console on this process's standard streams.
func streams() (*kernel.Console, *output) {
	out := &output{to: os.Stdout}
	c := kernel.NewConsole(os.Stdin, out, os.Stderr)
	c.SetTerminals(isTerminal(os.Stdin), isTerminal(os.Stdout), isTerminal(os.Stderr))
	return c, out
}

// output shows what the guest writes at once, in the order of its calls, and remembers when
// that failed.
type output struct {
	to  *os.File
	err error
}

// Write implements io.Writer.
func (o *output) Write(b []byte) (n int, err error) {
	n, o.err = o.to.Write(b)
	return n, o.err
}

// traceCalls returns what shows system calls on standard error.
func traceCalls() func(tid int32, nr uint64, args [6]uint64, ret uint64) {
	first := int32(0)
	return func(tid int32, nr uint64, args [6]uint64, ret uint64) {
		if first == 0 {
			first = tid
		}
		who := ""
		if tid != first {
			who = fmt.Sprintf("[%d] ", tid)
		}
		fmt.Fprintln(os.Stderr, who+kernel.FormatCall(nr, args, ret))
	}
}

func runGuest(setup crashinject.Setup, f *runFlags) error {
	console, out := streams()
	unpublish, err := f.ports.attach(console)
	if err != nil {
		return exit(result.StatusSimulator, "--publish: %v", err)
	}
	defer unpublish()
	cfg, err := setup.Config(console)
	if err != nil {
		return startError(err)
	}
	if f.strace {
		cfg.Strace = traceCalls()
	}
	m, err := setup.Start(cfg)
	if err != nil {
		return startError(err)
	}
	begin := time.Now()
	stop := m.Run()
	wall := time.Since(begin)
	closeErr := m.Close()
	if f.stats != "" {
		if err := writeStats(f.stats, &setup, m, stop, wall); err != nil {
			return exit(result.StatusSimulator, "--stats: %v", err)
		}
	}
	switch {
	case out.err != nil:
		return exit(result.StatusSimulator, "standard output: %v", out.err)
	case !stop.Ended():
		return exit(result.StatusSimulator, "%v (after %d instructions)", stop, m.Retired())
	case closeErr != nil:
		return exit(result.StatusSimulator, "%v", closeErr)
	case stop.ExitCode() != 0:
		return &exitError{status: stop.ExitCode()}
	}
	return nil
}

func startError(err error) error {
	var notExec *loader.NotExecutable
	var notFound *kernel.NotFound
	switch {
	case errors.As(err, &notExec):
		return exit(result.StatusNotExecutable, "%v", err)
	case errors.As(err, &notFound) && notFound.Err == errno.EACCES:
		return exit(result.StatusNotExecutable, "%v", err)
	case errors.As(err, &notFound), errors.Is(err, crashinject.ErrNoGuest):
		return exit(result.StatusNotFound, "%v", err)
	}
	return exit(result.StatusSimulator, "%v", err)
}

func writeStats(name string, setup *crashinject.Setup, m *sim.Machine, stop sim.Stop, wall time.Duration) error {
	r, err := runRecord(setup, m, stop, wall)
	if err != nil {
		return err
	}
	return writeFile(name, func(w io.Writer) error { return writeJSON(w, r) })
}

// runRecord is the record of a run that is over.
func runRecord(setup *crashinject.Setup, m *sim.Machine, stop sim.Stop, wall time.Duration) (result.Run, error) {
	counters, err := json.Marshal(m.Counters())
	if err != nil {
		return result.Run{}, err
	}
	t := m.Time()
	return result.Run{
		ElapsedCycles: t.ElapsedCycles, ElapsedNanos: t.ElapsedNanos,
		CoreCycles: t.CoreCycles, Order: t.Order, Stalls: t.Stalls,
		Hits: result.Levels(t.Hits), Misses: result.Levels(t.Misses), MediaBytesWritten: t.MediaBytesWritten,
		Name: command(append([]string{setup.Program}, setup.Args...)...), Program: setup.Program, Args: setup.Args, Config: setup.Fields(),
		Instructions: m.Retired(), Cycles: m.Cycles(), WallSeconds: wall.Seconds(),
		InstructionsPerSecond: float64(m.Retired()) / wall.Seconds(), Digest: m.Digest(),
		ExitStatus: stop.ExitCode(), Counters: counters,
	}, nil
}
