package main

import (
	"errors"
	"syscall"

	"zhuque/crashinject/result"
	"zhuque/sim/kernel/vfs"
)

// hostFaults are the answers of a host that has no room or does not work, rather than of
// one that was asked for the wrong thing.
var hostFaults = []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT, syscall.EFBIG, syscall.EIO, syscall.EROFS,
	syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.EPIPE, syscall.ENETDOWN, syscall.ENETUNREACH}

// badStatus is the exit status of an error that nothing else is known of: bad input, unless
// the host is to blame.
func badStatus(err error) int {
	if errors.As(err, new(*vfs.HostError)) {
		return result.StatusInfrastructure
	}
	for _, e := range hostFaults {
		if errors.Is(err, e) {
			return result.StatusInfrastructure
		}
	}
	return result.StatusBadInput
}
