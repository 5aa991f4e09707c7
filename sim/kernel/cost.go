package kernel

import (
	"fmt"

	"zhuque/sim/phys"
)

// What a real kernel takes for what it is asked, where a run is timed. This kernel does its
// work in no time; the machine charges these costs to the core that waits for it. They are the
// same under every memory and runtime, so that two runs differ by what they do themselves.

// Cost is one kind of a kernel's work.
type Cost uint8

// The kinds. Those up to CostOther are entry, work and return of a system call.
const (
	CostNull Cost = iota // a call that only looks something up
	CostClock
	CostRead
	CostWrite
	CostPipe
	CostOpen
	CostClose
	CostStat
	CostMmap
	CostMunmap
	CostMprotect
	CostFutexWake
	CostPoll
	CostSocket // send or receive on a stream of the loopback interface, without its packets
	CostSigaction
	CostSigreturn
	CostClone // of a thread
	CostFork
	CostExec
	CostFsync
	CostOther // any call without a figure of its own

	CostCopy   // 4 KiB between the program and a file, pipe or socket
	CostFault  // a page that is touched for the first time
	CostSwitch // a core's change to another thread
	CostWake   // from a wake-up until the thread that waited runs, on another core
	CostSignal // delivery to a handler
	CostPacket // one packet through the loopback interface, both ways of its stack
	Costs      // how many there are
)

// Causes of a stall that a cost counts for, in sim.Time.
const (
	CauseCall   = "syscall"
	CauseFault  = "page_fault"
	CauseSwitch = "context_switch"
	CauseWake   = "wakeup"
	CauseSignal = "signal"
	CausePacket = "loopback"
)

// costRows are the names, default values and causes. The values were measured by zhuque params
// --measure-host, see costHost.
var costRows = [Costs]struct {
	name  string
	nanos phys.Nanos
	cause string
	what  string
}{
	CostNull:      {"call.null", 109, CauseCall, "getppid"},
	CostClock:     {"call.clock", 156, CauseCall, "clock_gettime as a system call"},
	CostRead:      {"call.read", 216, CauseCall, "pread64 of 1 byte of a file in memory"},
	CostWrite:     {"call.write", 239, CauseCall, "pwrite64 of 1 byte to a file in memory"},
	CostPipe:      {"call.pipe", 192, CauseCall, "write or read of 1 byte, mean"},
	CostOpen:      {"call.open", 514, CauseCall, "open of a file in a directory below the root"},
	CostClose:     {"call.close", 120, CauseCall, "close of a file that stays open elsewhere"},
	CostStat:      {"call.stat", 402, CauseCall, "stat of the same file"},
	CostMmap:      {"call.mmap", 725, CauseCall, "mmap of 64 KiB"},
	CostMunmap:    {"call.munmap", 502, CauseCall, "munmap of 64 KiB untouched"},
	CostMprotect:  {"call.mprotect", 2235, CauseCall, "mprotect of one page, twice"},
	CostFutexWake: {"call.futex_wake", 138, CauseCall, "FUTEX_WAKE where nobody waits"},
	CostPoll:      {"call.poll", 189, CauseCall, "poll of one descriptor that is ready"},
	CostSocket:    {"call.socket", 337, CauseCall, "send or receive of 1 byte on a Unix stream, mean"},
	CostSigaction: {"call.sigaction", 155, CauseCall, "rt_sigaction"},
	CostSigreturn: {"call.sigreturn", 109, CauseCall, "taken as call.null"},
	CostClone:     {"call.clone", 4624, CauseCall, "clone of a thread, its end included"},
	CostFork:      {"call.fork", 22705, CauseCall, "fork of a small process, its end and wait4 included"},
	CostExec:      {"call.exec", 33125, CauseCall, "execve of a small program in a child, beyond call.fork"},
	CostFsync:     {"call.fsync", 115, CauseCall, "fsync of a file in memory: no device"},
	CostOther:     {"call.other", 366, CauseCall, "taken as call.stat"},
	CostCopy:      {"copy", 194, CauseCall, "4 KiB of pread64, beyond its first byte"},
	CostFault:     {"page_fault", 1322, CauseFault, "first store to an anonymous page"},
	CostSwitch:    {"context_switch", 983, CauseSwitch, "sched_yield between two processes on one processor, half, less call.null"},
	CostWake:      {"wakeup", 3507, CauseWake, "two threads that wake each other by futexes on two processors, half of a round"},
	CostSignal:    {"signal", 1011, CauseSignal, "tgkill to oneself with a handler, less call.null and call.sigreturn"},
	CostPacket:    {"loopback_packet", 1584, CausePacket, "UDP datagram of 1 byte to oneself, sent and received, less twice call.socket"},
}

// CostNanos is what each kind takes.
type CostNanos [Costs]phys.Nanos

// DefaultCosts returns the values that are committed.
func DefaultCosts() (c CostNanos) {
	for i, r := range costRows {
		c[i] = r.nanos
	}
	return c
}

// maxCost bounds a cost: a second.
const maxCost = uint64(second)

// Rows lists the costs as parameters.
func (c *CostNanos) Rows() (rows []phys.Row) {
	for i, r := range costRows {
		status := phys.Measured
		if i == int(CostOther) || i == int(CostSigreturn) {
			status = phys.Assumed
		}
		rows = append(rows, phys.Row{Name: "kernel." + r.name, Cell: phys.CellOf(&c[i]), Hi: maxCost, Unit: "ns", Status: status, Source: costHost + ": " + r.what})
	}
	return rows
}

// Validate reports the first value out of its range.
func (c *CostNanos) Validate() error {
	for _, r := range c.Rows() {
		if v := r.Get(); v > r.Hi {
			return fmt.Errorf("%s is %d ns: expected 0 to %d", r.Name, v, r.Hi)
		}
	}
	return nil
}

// Params returns the costs as they are printed.
func (c *CostNanos) Params() (list []phys.Param) {
	def := DefaultCosts()
	for i, r := range c.Rows() {
		if c[i] != def[i] {
			r.Status, r.Source = phys.Assumed, "set for this run: "+costRows[i].what
		}
		list = append(list, r.Param(fmt.Sprintf("%d..%d", r.Lo, r.Hi)))
	}
	return list
}

// Cause returns what a cost counts for among the stalls.
func (c Cost) Cause() string { return costRows[c].cause }

// Name returns the cost's name as a parameter, without what comes before it.
func (c Cost) Name() string { return costRows[c].name }

// costHost is where the default values were measured.
const costHost = "measured by zhuque params --measure-host on an Intel processor of family 6, model 167 under KVM, Linux 6.18"

// Work is how much of each kind was done.
type Work [Costs]uint32

// TakeWork returns what the kernel has done since it was last asked.
func (k *Kernel) TakeWork() Work {
	w := k.work
	k.work = Work{}
	return w
}

// costOf are the kinds of calls with a figure of their own, by number.
var costOf = func() (of [maxNr]Cost) {
	for i := range of {
		of[i] = CostOther
	}
	for kind, names := range map[Cost][]string{
		CostNull: {"getpid", "getppid", "gettid", "getuid", "geteuid", "getgid", "getegid", "sched_yield", "umask", "getpgrp", "getpgid", "getsid", "set_tid_address",
			"set_robust_list", "arch_prctl", "lseek", "getcpu", "alarm", "brk", "rt_sigprocmask", "rt_sigpending", "kill", "tkill", "tgkill", "sigaltstack", "time"},
		CostClock:     {"clock_gettime", "gettimeofday", "clock_getres", "times", "getrusage", "nanosleep", "clock_nanosleep"},
		CostRead:      {"read", "pread64", "readv", "preadv", "preadv2", "sendfile", "copy_file_range", "splice", "getdents64", "getrandom"},
		CostWrite:     {"write", "pwrite64", "writev", "pwritev", "pwritev2", "ftruncate", "fallocate"},
		CostOpen:      {"open", "openat", "openat2", "creat", "mkdir", "mkdirat", "unlink", "unlinkat", "rename", "renameat", "renameat2", "link", "linkat", "symlink", "symlinkat"},
		CostClose:     {"close", "dup", "dup2", "dup3", "fcntl", "ioctl"},
		CostStat:      {"stat", "lstat", "fstat", "newfstatat", "statx", "access", "faccessat", "faccessat2", "readlink", "readlinkat"},
		CostMmap:      {"mmap", "mremap"},
		CostMunmap:    {"munmap", "madvise"},
		CostMprotect:  {"mprotect"},
		CostFutexWake: {"futex"},
		CostPoll:      {"poll", "ppoll", "select", "pselect6", "epoll_wait", "epoll_pwait", "epoll_pwait2", "epoll_ctl"},
		CostSocket:    {"sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg"},
		CostSigaction: {"rt_sigaction"},
		CostSigreturn: {"rt_sigreturn"},
		CostClone:     {"clone", "clone3"},
		CostFork:      {"fork", "vfork"},
		CostExec:      {"execve"},
		CostFsync:     {"fsync", "fdatasync", "msync", "sync_file_range", "syncfs", "sync"},
	} {
		for _, name := range names {
			i := -1
			for j := range calls {
				if calls[j].Name == name {
					i = j
				}
			}
			if i < 0 {
				panic("BUG: no system call " + name)
			}
			of[calls[i].Nr] = kind
		}
	}
	return of
}()

// didCall notes a system call that is over, with its result.
func (c *call) didCall(nr, result uint64) {
	kind := CostNull // an unknown number
	if nr < maxNr {
		kind = costOf[nr]
	}
	const cloneVM = 0x100
	if c.row != nil && c.row.Name == "clone" && c.a[0]&cloneVM == 0 {
		kind = CostFork
	}
	if kind == CostRead || kind == CostWrite {
		if d, err := c.desc(0); err == nil {
			kind = kind.of(d.kind)
		}
	}
	c.work[kind]++
	if c.row != nil && c.row.moves() && int64(result) > 0 {
		c.work[CostCopy] += uint32((result - 1) / phys.PageSize)
	}
}

// of returns the kind of a read or write by what it reads or writes.
func (c Cost) of(k FDKind) Cost {
	switch k {
	case FDPipeRead, FDPipeWrite, FDPipeBoth, FDEvent, FDSemaphore:
		return CostPipe
	case FDSocket:
		return CostSocket
	}
	return c
}

// moves reports whether the result of a call is how many bytes it has moved.
func (r *Call) moves() bool {
	switch costOf[r.Nr] {
	case CostRead, CostWrite, CostSocket:
		return r.Name != "sendmmsg" && r.Name != "recvmmsg" && r.Name != "ftruncate" && r.Name != "fallocate"
	}
	return false
}
