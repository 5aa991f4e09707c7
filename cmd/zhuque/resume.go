package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

func resumeVerb() *cobra.Command {
	var flags resumeFlags
	c := &cobra.Command{
		Use:   "resume FILE",
		Short: "Boot a saved PMEM image and run its program to the end",
		Long: `Resume boots the image that crash --save or run --image wrote, under the settings
it was made with, and runs the program to its end. Standard output continues where the power
went; standard input must be the same as before, from its beginning: what the
program had read is skipped. The files that the program had open must be there
and unchanged. The image stays as it is.

Directories of the host are written only where --pmem-dir and --overlay say so here: what
the image was made with does not count, and without the flags what the program leaves is
thrown away. The directory must hold what it did at the image's last checkpoint.

The exit status is 0 when the program ended, in whatever way (standard error says
how); 11 when the image is damaged or was refused, 12 when the program needs
something unsupported, 14 when it waits for ever or the instruction limit was reached.`,
		Example: `  zhuque crash --at 500000 --save half.image -- guest:counter
  zhuque resume half.image`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error { return flags.resume(args[0]) },
	}
	c.Flags().StringVar(&flags.pmemDir, "pmem-dir", "", "write the files of /mnt/pmem back to this host directory")
	c.Flags().StringVar(&flags.overlay, "overlay", "", "keep the guest's file changes in this host directory")
	return c
}

// resumeFlags are the host directories that resume may write.
type resumeFlags struct{ pmemDir, overlay string }

// adapt puts the directories of this command in place of those of the image.
func (f *resumeFlags) adapt(s *crashinject.Setup) error {
	for _, d := range []struct{ flag, here, there, what string }{
		{"pmem-dir", f.pmemDir, s.PMEMDir, "what the program leaves in /mnt/pmem"},
		{"overlay", f.overlay, s.Overlay, "the program's changes of files"},
	} {
		if d.here == "" && d.there != "" {
			fmt.Fprintf(os.Stderr, "zhuque: the image was made with --%s %q: without the flag here, %s will be thrown away\n",
				d.flag, d.there, d.what)
		}
	}
	s.PMEMDir, s.Overlay = f.pmemDir, f.overlay
	_, err := s.KeepFiles() // until this process ends
	return err
}

func (f *resumeFlags) resume(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	console, out := streams()
	m, _, err := crashinject.Resume(bufio.NewReader(file), scenarios.Guest, console, f.adapt)
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
	case stop.Limited(), errors.As(stop.Err, &deadlock):
		return verdict(result.Timeout)
	case errors.As(stop.Err, &unsup):
		return verdict(result.Unsupported)
	}
	return &exitError{status: result.StatusBadInput}
}
