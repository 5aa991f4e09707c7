package crashinject

import (
	"os"
	"path/filepath"
	"strings"

	"zhuque/sim/phys"
)

// startWallClock is when runs start, so that a run does not depend on the day it is made
// on: 2028-01-01 00:00:00 UTC, later than the files of today's hosts, whose times would lie
// in the guest's future otherwise.
const startWallClock phys.Nanos = 1830297600 * 1_000_000_000

// day is what a later start is rounded up to.
const day phys.Nanos = 86400 * 1_000_000_000

// start returns the guest's wall-clock time at the first instruction: startWallClock, or the
// first midnight behind the newest of the files that the run is about, where they are later
// than that. These are the program, the working directory, the root and the
// directories of changed and persistent files, with what is directly in them.
func (s *Setup) start() phys.Nanos {
	newest := phys.Nanos(0)
	see := func(info os.FileInfo, err error) {
		if err == nil && info.ModTime().Unix() > 0 {
			newest = max(newest, phys.Nanos(info.ModTime().Unix())*1_000_000_000)
		}
	}
	var dirs []string
	if !strings.HasPrefix(s.Program, GuestPrefix) {
		if filepath.IsAbs(s.Program) {
			see(os.Stat(filepath.Join(s.Root, s.Program)))
		}
		if s.Dir != "" {
			dirs = append(dirs, filepath.Join(s.Root, s.Dir))
		}
	}
	for _, dir := range append(dirs, s.Root, s.Overlay, s.PMEMDir) {
		if dir == "" {
			continue
		}
		see(os.Stat(dir))
		entries, _ := os.ReadDir(dir) // what cannot be read is reported by those who need it
		for _, e := range entries {
			see(e.Info())
		}
	}
	if newest < startWallClock {
		return startWallClock
	}
	return (newest/day + 1) * day
}
