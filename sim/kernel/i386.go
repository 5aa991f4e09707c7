package kernel

import (
	"fmt"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/x86"
)

// System calls of 32-bit Linux, which a 64-bit program reaches with INT 0x80: numbers
// of their own (arch/x86/entry/syscalls/syscall_32.tbl), arguments in EBX, ECX, EDX, ESI,
// EDI and EBP without their upper halves, the result in all of RAX, no register lost. The
// table has those whose arguments mean the same in both. The others, which pass
// structures of 32-bit layout, stop the run.

// i386Numbers leads from the number of a 32-bit call to that of the 64-bit one.
var i386Numbers = map[uint32]uint64{
	1: 60, 3: 0, 4: 1, 5: 2, 6: 3, 8: 85, 9: 86, 10: 87, 12: 80, 15: 90, 19: 8, // exit, read, write, open, close, creat, link, unlink, chdir, chmod, lseek
	20: 39, 27: 37, 29: 34, 33: 21, 36: 162, 37: 62, 38: 82, 39: 83, 40: 84, 41: 32, // getpid, alarm, pause, access, sync, kill, rename, mkdir, rmdir, dup
	42: 22, 45: 12, 57: 109, 60: 95, 63: 33, 64: 110, 65: 111, 66: 112, 83: 88, 85: 89, // pipe, brk, setpgid, umask, dup2, getppid, getpgrp, setsid, symlink, readlink
	91: 11, 94: 91, 118: 74, 125: 10, 132: 121, 133: 81, 143: 73, 144: 26, 147: 124, 148: 75, // munmap, fchmod, fsync, mprotect, getpgid, fchdir, flock, msync, getsid, fdatasync
	158: 24, 183: 79, 199: 102, 200: 104, 201: 107, 202: 108, 219: 28, 220: 217, 224: 186, // sched_yield, getcwd, getuid, getgid, geteuid, getegid, madvise, getdents64, gettid
	252: 231, 258: 218, 270: 234, 295: 257, 296: 258, 301: 263, 302: 264, 304: 266, 305: 267, // exit_group, set_tid_address, tgkill, openat, mkdirat, unlinkat, renameat, symlinkat, readlinkat
	306: 268, 307: 269, 323: 284, 329: 291, 330: 292, 331: 293, 355: 318, 356: 319, // fchmodat, faccessat, eventfd, epoll_create1, dup3, pipe2, getrandom, memfd_create
}

const (
	i386Lseek = 19
	i386Calls = 512 // numbers from here on are no call's
)

// SyscallI386 is Syscall for INT 0x80.
func (k *Kernel) SyscallI386(c *x86.CPU) Outcome {
	cl := k.enter(c)
	for i, r := range [6]int{x86.RBX, x86.RCX, x86.RDX, x86.RSI, x86.RDI, x86.RBP} {
		cl.a[i] = uint64(uint32(c.R[r]))
	}
	n := uint32(c.R[x86.RAX])
	nr, known := i386Numbers[n]
	switch {
	case n >= i386Calls:
		c.R[x86.RAX] = errno.ENOSYS.Result()
		if !k.cfg.DeferSignals {
			cl.deliver()
		}
		return cl.end()
	case !known:
		cl.out.Unsupported = &x86.Unsupported{What: fmt.Sprintf("system call %d of 32-bit Linux (INT 0x80)", n),
			RIP: c.RIP - syscallSize}
		return cl.out
	case n == i386Lseek:
		cl.a[1] = uint64(int64(int32(cl.a[1])))
	}
	return cl.syscall(nr)
}
