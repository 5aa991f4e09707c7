package start

import (
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// again is set in the environment of a process that has started over.
const again = "ZHUQUE_STARTED_OVER"

const umask = 0o022

// limits are the soft limits; one that is higher than the hard one is that.
var limits = map[int]uint64{
	unix.RLIMIT_STACK: 8 << 20,
	unix.RLIMIT_FSIZE: unix.RLIM_INFINITY,
	unix.RLIMIT_CPU:   unix.RLIM_INFINITY,
	unix.RLIMIT_AS:    unix.RLIM_INFINITY,
	unix.RLIMIT_DATA:  unix.RLIM_INFINITY,
}

func init() {
	if os.Getenv(again) != "" {
		_ = os.Unsetenv(again) // it is no business of the programs
		return
	}
	if defined() {
		return
	}
	if err := over(); err != nil {
		fmt.Fprintln(os.Stderr, "a defined start is not to be had:", err)
		os.Exit(1)
	}
}

// defined reports whether the process started as it should.
func defined() bool {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return true // nothing can be told, and nothing mended
	}
	for line := range strings.Lines(string(text)) {
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimSpace(value)
		switch name {
		case "SigIgn", "SigBlk":
			if strings.Trim(value, "0") != "" {
				return false
			}
		case "Umask":
			if value != fmt.Sprintf("%04o", umask) {
				return false
			}
		}
	}
	for what, want := range limits {
		var l unix.Rlimit
		if unix.Getrlimit(what, &l) == nil && l.Cur != min(want, l.Max) {
			return false
		}
	}
	return true
}

// over starts the process over.
func over() error {
	runtime.LockOSThread() // the signal mask is the thread's
	// A signal that is caught is at its default in what is executed. Go takes them all but
	// those that were ignored.
	signal.Notify(make(chan os.Signal, 1))
	var none unix.Sigset_t
	if err := unix.PthreadSigmask(unix.SIG_SETMASK, &none, nil); err != nil {
		return err
	}
	syscall.Umask(umask)
	for what, want := range limits {
		var l unix.Rlimit
		if err := unix.Getrlimit(what, &l); err != nil {
			continue // a kernel that does not know it
		}
		l.Cur = min(want, l.Max)
		if err := unix.Setrlimit(what, &l); err != nil {
			return err
		}
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return syscall.Exec(self, os.Args, append(os.Environ(), again+"=1"))
}
