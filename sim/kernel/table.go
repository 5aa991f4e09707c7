package kernel

import (
	"cmp"
	"math/bits"
	"slices"
	"strings"

	"zhuque/sim/kernel/errno"
)

// SupportState tells how far a system call works.
type SupportState uint8

const (
	Works   SupportState = iota
	Partly               // works, with limits: Reason says what is missing, and what a caller of that gets
	Always               // always answers Answer, which programs are known to cope with
	Refused              // stops the run
)

func (s SupportState) String() string {
	return [...]string{"works", "works, with limits", "always answers", "stops the run"}[s]
}

// Class tells what a power failure in a call leaves, and what its program gets.
//
// A call takes effect as a whole when it commits. Cut before, nothing of the first try
// lasts and a restart issues it again; cut behind, a restart returns the result that the
// commit recorded. So no call is effective in a way that its result does not tell, and none
// returns EINTR only because the power failed: to a program that does not handle SIGPWR a
// failure cannot be told from none. What that means for each call is its class.
type Class uint8

const (
	// Once: the call changes something. Its effect and its result are one commit.
	Once Class = iota
	// Pure: the call changes nothing but the memory that its caller gave it for the
	// answer. Issued again it gives the same answer: nothing else happens meanwhile.
	Pure
	// Wait is Once for a call that can wait. That it waits, since when and whether
	// somebody has woken it is a commit of its own: a restart waits on, until the same
	// virtual time. If the program handles SIGPWR, the signal ends the wait as any
	// signal does: with EINTR, or where Restart says so and SA_RESTART asks for it, by
	// issuing the call again.
	Wait
	// Count is Wait for a call that may wait when it has moved a part of its bytes. What
	// was moved is part of the commit of the wait; a restart moves the rest. If SIGPWR
	// ends the wait, the call returns the count done.
	Count
	// Final: the call does not return; before the commit it is issued again.
	Final
)

func (c Class) String() string {
	return [...]string{"once", "pure", "wait", "count", "final"}[c]
}

// Call is one row of the table of system calls.
type Call struct {
	Nr     uint64
	Name   string
	Args   string // argument kinds, separated by commas: fd, path, ptr, size, off, flags, mode, num
	State  SupportState
	Class  Class
	Reason string      // what is missing, or why it is refused
	Answer errno.Errno // of a call that always answers the same

	// Restart tells that a signal whose handler has SA_RESTART does not end the call's
	// wait with EINTR.
	Restart bool

	run  func(*call) (uint64, error)
	ints uint8 // bit i: argument i is an int or unsigned int of C, whose upper half is nobody's
}

// restarts sets Restart.
func (r Call) restarts() Call {
	r.Restart = true
	return r
}

// Label says in words how far the call works.
func (r *Call) Label() string {
	if r.State == Always {
		return r.State.String() + " " + r.Answer.Name()
	}
	return r.State.String()
}

// SetsAllRegisters reports whether the system call with a number may change the vector and
// x87 registers of its caller, so that a second issue of it needs them saved.
func SetsAllRegisters(nr uint64) bool {
	switch nr {
	case 15, 59, 322: // rt_sigreturn, execve, execveat
		return true
	case 130, 270, 271, 281, 441: // these replace the signal mask while they wait, and enter a handler themselves
		return true
	}
	return false
}

// calls is the table, ascending by number.
var calls = sortedCalls()

const maxNr = 512

// rowIndex leads from a number to its row in calls, plus one.
var rowIndex = indexCalls(calls)

func sortedCalls() []Call {
	all := slices.Concat(fileCalls(), memoryCalls(), processCalls(), signalCalls(), socketCalls(), shmCalls(), semCalls(), msgCalls(), mqueueCalls(), absentCalls(), rarerFileCalls())
	slices.SortFunc(all, func(a, b Call) int { return cmp.Compare(a.Nr, b.Nr) })
	for i := range all {
		all[i].ints = intsOf(&all[i])
	}
	return all
}

// intsOf returns which arguments of a call are ints of C: flags and modes but those that are longs,
// and the few numbers that handlers do not take apart themselves.
func intsOf(r *Call) (ints uint8) {
	switch r.Name {
	case "mmap", "mremap", "clone":
		return 0
	case "setitimer", "getitimer":
		return 1
	case "readv", "writev", "preadv", "pwritev", "preadv2", "pwritev2", "vmsplice": // how many pieces, to import_iovec
		ints = 1 << 2
	}
	for i, kind := range strings.Split(r.Args, ",") {
		if kind == "flags" || kind == "mode" {
			ints |= 1 << i
		}
	}
	return ints
}

// narrow drops what a program left in the upper halves of arguments that are ints.
func (c *call) narrow() {
	if c.row == nil {
		return
	}
	for ints := c.row.ints; ints != 0; ints &= ints - 1 {
		i := bits.TrailingZeros8(ints)
		c.a[i] = uint64(uint32(c.a[i]))
	}
}

func indexCalls(all []Call) (index [maxNr]int16) {
	for i, r := range all {
		if r.Nr >= maxNr || index[r.Nr] != 0 {
			panic("BUG: system call table: number of " + r.Name)
		}
		if (r.run == nil) != (r.State == Always || r.State == Refused) || (r.Answer == 0) != (r.State != Always) || (r.Reason == "") != (r.State == Works) {
			panic("BUG: system call table: state of " + r.Name)
		}
		index[r.Nr] = int16(i + 1)
	}
	return index
}

func row(nr uint64) *Call {
	if nr >= maxNr || rowIndex[nr] == 0 {
		return nil
	}
	return &calls[rowIndex[nr]-1]
}

// Table returns every known system call in ascending order of its number.
func Table() []Call { return slices.Clone(calls) }

// Lookup returns the table row of a system call.
func Lookup(nr uint64) (Call, bool) {
	if r := row(nr); r != nil {
		return *r, true
	}
	return Call{}, false
}

type handler = func(*call) (uint64, error)

func works(nr uint64, name, args string, run handler) Call {
	return Call{Nr: nr, Name: name, Args: args, run: run}
}

func partly(nr uint64, name, args, reason string, run handler) Call {
	return Call{Nr: nr, Name: name, Args: args, State: Partly, Reason: reason, run: run}
}

func (r Call) class(c Class) Call {
	r.Class = c
	return r
}

func answers(nr uint64, name string, answer errno.Errno, why string) Call {
	return Call{Nr: nr, Name: name, State: Always, Class: Pure, Answer: answer, Reason: why}
}

func refused(nr uint64, name, why string) Call {
	return Call{Nr: nr, Name: name, State: Refused, Reason: why}
}

func fileCalls() []Call {
	return []Call{
		works(0, "read", "fd,ptr,size", sysRead).class(Wait).restarts(),
		works(1, "write", "fd,ptr,size", sysWrite).class(Count).restarts(),
		works(2, "open", "path,flags,mode", sysOpen).class(Wait).restarts(),
		works(3, "close", "fd", sysClose),
		works(4, "stat", "path,ptr", sysStat).class(Pure),
		works(5, "fstat", "fd,ptr", sysFstat).class(Pure),
		works(6, "lstat", "path,ptr", sysLstat).class(Pure),
		works(7, "poll", "ptr,num,num", sysPoll).class(Wait),
		works(8, "lseek", "fd,off,num", sysLseek),
		partly(16, "ioctl", "fd,num,ptr", "FIONREAD, FIONBIO, FIOASYNC, FIOCLEX and those of terminals; the settings of the console can be read, not changed", sysIoctl).class(Wait).restarts(),
		works(17, "pread64", "fd,ptr,size,off", sysPread64).class(Pure),
		works(18, "pwrite64", "fd,ptr,size,off", sysPwrite64),
		works(19, "readv", "fd,ptr,num", sysReadv).class(Wait).restarts(),
		works(20, "writev", "fd,ptr,num", sysWritev).class(Count).restarts(),
		works(21, "access", "path,mode", sysAccess).class(Pure),
		works(22, "pipe", "ptr", sysPipe),
		works(23, "select", "num,ptr,ptr,ptr,ptr", sysSelect).class(Wait),
		works(32, "dup", "fd", sysDup),
		works(33, "dup2", "fd,fd", sysDup2),
		works(40, "sendfile", "fd,fd,ptr,size", sysSendfile),
		partly(72, "fcntl", "fd,num,num", "no leases, seals or other signals than SIGIO", sysFcntl).class(Wait).restarts(),
		works(73, "flock", "fd,num", sysFlock).class(Wait).restarts(),
		works(74, "fsync", "fd", sysFsync).class(Pure),
		works(75, "fdatasync", "fd", sysFsync).class(Pure),
		works(76, "truncate", "path,size", sysTruncate),
		works(77, "ftruncate", "fd,size", sysFtruncate),
		works(79, "getcwd", "ptr,size", sysGetcwd).class(Pure),
		works(80, "chdir", "path", sysChdir),
		works(81, "fchdir", "fd", sysFchdir),
		works(82, "rename", "path,path", sysRename),
		works(83, "mkdir", "path,mode", sysMkdir),
		works(84, "rmdir", "path", sysRmdir),
		works(85, "creat", "path,mode", sysCreat).class(Wait).restarts(),
		works(86, "link", "path,path", sysLink),
		works(87, "unlink", "path", sysUnlink),
		works(88, "symlink", "path,path", sysSymlink),
		works(89, "readlink", "path,ptr,size", sysReadlink).class(Pure),
		works(90, "chmod", "path,mode", sysChmod),
		works(91, "fchmod", "fd,mode", sysFchmod),
		works(92, "chown", "path,num,num", sysChown),
		works(93, "fchown", "fd,num,num", sysFchown),
		works(94, "lchown", "path,num,num", sysLchown),
		works(95, "umask", "mode", sysUmask),
		works(132, "utime", "path,ptr", sysUtime),
		works(133, "mknod", "path,mode,num", sysMknod),
		works(137, "statfs", "path,ptr", sysStatfs).class(Pure),
		works(138, "fstatfs", "fd,ptr", sysFstatfs).class(Pure),
		works(162, "sync", "", sysSync).class(Pure),
		answers(170, "sethostname", errno.EPERM, "as without CAP_SYS_ADMIN"),
		answers(171, "setdomainname", errno.EPERM, "as without CAP_SYS_ADMIN"),
		works(213, "epoll_create", "num", sysEpollCreate),
		works(217, "getdents64", "fd,ptr,size", sysGetdents64),
		works(221, "fadvise64", "fd,off,size,num", sysFadvise64).class(Pure),
		works(232, "epoll_wait", "fd,ptr,num,num", sysEpollWait).class(Wait),
		works(233, "epoll_ctl", "fd,num,fd,ptr", sysEpollCtl),
		works(235, "utimes", "path,ptr", sysUtimes),
		works(257, "openat", "fd,path,flags,mode", sysOpenat).class(Wait).restarts(),
		works(258, "mkdirat", "fd,path,mode", sysMkdirat),
		works(259, "mknodat", "fd,path,mode,num", sysMknodat),
		works(260, "fchownat", "fd,path,num,num,flags", sysFchownat),
		works(262, "newfstatat", "fd,path,ptr,flags", sysNewfstatat).class(Pure),
		works(263, "unlinkat", "fd,path,flags", sysUnlinkat),
		works(264, "renameat", "fd,path,fd,path", sysRenameat),
		works(265, "linkat", "fd,path,fd,path,flags", sysLinkat),
		works(266, "symlinkat", "path,fd,path", sysSymlinkat),
		works(267, "readlinkat", "fd,path,ptr,size", sysReadlinkat).class(Pure),
		works(268, "fchmodat", "fd,path,mode", sysFchmodat),
		works(269, "faccessat", "fd,path,mode", sysFaccessat).class(Pure),
		works(270, "pselect6", "num,ptr,ptr,ptr,ptr,ptr", sysSelect).class(Wait),
		works(271, "ppoll", "ptr,num,ptr,ptr,size", sysPpoll).class(Wait),
		works(280, "utimensat", "fd,path,ptr,flags", sysUtimensat),
		works(281, "epoll_pwait", "fd,ptr,num,num,ptr,size", sysEpollWait).class(Wait),
		works(284, "eventfd", "num", sysEventfd),
		partly(285, "fallocate", "fd,mode,off,size", "no collapsed, inserted or unshared ranges: EOPNOTSUPP", sysFallocate),
		works(290, "eventfd2", "num,flags", sysEventfd2),
		works(291, "epoll_create1", "flags", sysEpollCreate1),
		works(292, "dup3", "fd,fd,flags", sysDup3),
		partly(293, "pipe2", "ptr,flags", "no packet mode", sysPipe2),
		works(295, "preadv", "fd,ptr,num,off", sysPreadv).class(Pure),
		works(296, "pwritev", "fd,ptr,num,off", sysPwritev),
		works(306, "syncfs", "fd", sysSyncfs).class(Pure),
		works(316, "renameat2", "fd,path,fd,path,flags", sysRenameat2),
		works(319, "memfd_create", "ptr,flags", sysMemfdCreate),
		works(326, "copy_file_range", "fd,ptr,fd,ptr,size,flags", sysCopyFileRange),
		works(332, "statx", "fd,path,flags,num,ptr", sysStatx).class(Pure),
		works(436, "close_range", "num,num,flags", sysCloseRange),
		partly(437, "openat2", "fd,path,ptr,size", "no resolve flags", sysOpenat2).class(Wait).restarts(),
		works(439, "faccessat2", "fd,path,mode,flags", sysFaccessat2).class(Pure),
		works(441, "epoll_pwait2", "fd,ptr,num,ptr,ptr,size", sysEpollWait).class(Wait),
		works(452, "fchmodat2", "fd,path,mode,flags", sysFchmodat2),
	}
}

func memoryCalls() []Call {
	return []Call{
		partly(9, "mmap", "ptr,size,num,flags,fd,off", "MAP_GROWSDOWN does not grow", sysMmap),
		works(10, "mprotect", "ptr,size,num", sysMprotect),
		works(11, "munmap", "ptr,size", sysMunmap),
		works(12, "brk", "ptr", sysBrk),
		partly(25, "mremap", "ptr,size,size,flags,ptr", "MREMAP_DONTUNMAP of what is neither private memory nor a file: EINVAL", sysMremap),
		works(26, "msync", "ptr,size,flags", sysMsync).class(Pure),
		works(27, "mincore", "ptr,size,ptr", sysMincore).class(Pure),
		partly(28, "madvise", "ptr,size,num", "no huge pages; no MADV_HWPOISON, MADV_SOFT_OFFLINE, MADV_GUARD_INSTALL (EINVAL)", sysMadvise),
		works(149, "mlock", "ptr,size", sysMlock),
		works(150, "munlock", "ptr,size", sysMunlock),
		works(151, "mlockall", "flags", sysMlockall),
		works(152, "munlockall", "", sysMunlockall),
		works(325, "mlock2", "ptr,size,flags", sysMlock2),
		works(329, "pkey_mprotect", "ptr,size,num,num", sysPkeyMprotect),
		works(330, "pkey_alloc", "flags,num", sysPkeyAlloc).class(Pure),
		works(331, "pkey_free", "num", sysPkeyFree).class(Pure),
	}
}

func processCalls() []Call {
	const kept = "kept and told; the turns of threads do not heed policies and priorities"
	return []Call{
		works(24, "sched_yield", "", sysSchedYield),
		works(35, "nanosleep", "ptr,ptr", sysNanosleep).class(Wait),
		works(36, "getitimer", "num,ptr", sysGetitimer).class(Pure),
		works(37, "alarm", "num", sysAlarm),
		works(38, "setitimer", "num,ptr,ptr", sysSetitimer),
		works(39, "getpid", "", sysGetpid).class(Pure),
		partly(56, "clone", "flags,ptr,ptr,ptr,ptr", "threads, and processes that share nothing, or everything until they run another program", sysClone).class(Wait),
		works(57, "fork", "", sysFork),
		works(58, "vfork", "", sysVfork).class(Wait),
		works(59, "execve", "path,ptr,ptr", sysExecve),
		works(322, "execveat", "fd,path,ptr,ptr,flags", sysExecveat),
		works(60, "exit", "num", sysExit).class(Final),
		works(61, "wait4", "num,ptr,flags,ptr", sysWait4).class(Wait).restarts(),
		works(63, "uname", "ptr", sysUname).class(Pure),
		works(96, "gettimeofday", "ptr,ptr", sysGettimeofday).class(Pure),
		works(97, "getrlimit", "num,ptr", sysGetrlimit).class(Pure),
		partly(98, "getrusage", "num,ptr", "processor time, and what is mapped now as the largest size", sysGetrusage).class(Pure),
		works(99, "sysinfo", "ptr", sysSysinfo).class(Pure),
		works(100, "times", "ptr", sysTimes).class(Pure),
		works(102, "getuid", "", sysGetuid).class(Pure),
		works(104, "getgid", "", sysGetgid).class(Pure),
		works(105, "setuid", "num", sysSetuid),
		works(106, "setgid", "num", sysSetgid),
		works(107, "geteuid", "", sysGeteuid).class(Pure),
		works(108, "getegid", "", sysGetegid).class(Pure),
		works(109, "setpgid", "num,num", sysSetpgid),
		works(110, "getppid", "", sysGetppid).class(Pure),
		works(111, "getpgrp", "", sysGetpgrp).class(Pure),
		works(112, "setsid", "", sysSetsid),
		works(113, "setreuid", "num,num", sysSetreuid),
		works(114, "setregid", "num,num", sysSetregid),
		works(115, "getgroups", "num,ptr", sysGetgroups).class(Pure),
		partly(116, "setgroups", "num,ptr", "at most 1024 groups", sysSetgroups),
		works(117, "setresuid", "num,num,num", sysSetresuid),
		works(118, "getresuid", "ptr,ptr,ptr", sysGetresuid).class(Pure),
		works(119, "setresgid", "num,num,num", sysSetresgid),
		works(120, "getresgid", "ptr,ptr,ptr", sysGetresgid).class(Pure),
		works(121, "getpgid", "num", sysOwnPID).class(Pure),
		works(122, "setfsuid", "num", sysSetfsuid),
		works(123, "setfsgid", "num", sysSetfsgid),
		works(124, "getsid", "num", sysOwnPID).class(Pure),
		works(125, "capget", "ptr,ptr", sysCapget).class(Pure),
		works(126, "capset", "ptr,ptr", sysCapset),
		partly(135, "personality", "num", "of what is kept only PER_LINUX32, UNAME26 and READ_IMPLIES_EXEC change what calls do", sysPersonality),
		works(140, "getpriority", "num,num", sysGetpriority).class(Pure),
		partly(141, "setpriority", "num,num,num", kept, sysSetpriority),
		partly(142, "sched_setparam", "num,ptr", kept, sysSchedSetscheduler),
		works(143, "sched_getparam", "num,ptr", sysSchedGetparam).class(Pure),
		partly(144, "sched_setscheduler", "num,num,ptr", kept, sysSchedSetscheduler),
		works(145, "sched_getscheduler", "num", sysSchedGetscheduler).class(Pure),
		works(146, "sched_get_priority_max", "num", sysSchedPriority).class(Pure),
		works(147, "sched_get_priority_min", "num", sysSchedPriority).class(Pure),
		works(148, "sched_rr_get_interval", "num,ptr", sysSchedRRGetInterval).class(Pure),
		partly(157, "prctl", "num,num,num,num,num", "no seccomp, no PR_SET_MM, PR_SET_VMA, PR_SET_PTRACER, memory without huge pages and newer options (EINVAL); RDTSC as a fault stops the run", sysPrctl),
		works(158, "arch_prctl", "num,ptr", sysArchPrctl),
		partly(160, "setrlimit", "num,ptr", "no CPU, CORE, RSS, LOCKS, SIGPENDING, RTTIME; a stack has its size from the start: the rest is enforced", sysSetrlimit),
		works(186, "gettid", "", sysGettid).class(Pure),
		works(201, "time", "ptr", sysTime).class(Pure),
		partly(202, "futex", "ptr,num,num,ptr,ptr,num", "locks with priority inheritance lend no priority, which nothing heeds", sysFutex).class(Wait).restarts(),
		works(203, "sched_setaffinity", "num,size,ptr", sysSchedSetaffinity),
		works(204, "sched_getaffinity", "num,size,ptr", sysSchedGetaffinity).class(Pure),
		works(218, "set_tid_address", "ptr", sysSetTidAddress),
		works(222, "timer_create", "num,ptr,ptr", sysTimerCreate),
		works(223, "timer_settime", "num,flags,ptr,ptr", sysTimerSettime),
		works(224, "timer_gettime", "num,ptr", sysTimerGettime).class(Pure),
		works(225, "timer_getoverrun", "num", sysTimerGetoverrun).class(Pure),
		works(226, "timer_delete", "num", sysTimerDelete),
		works(283, "timerfd_create", "num,flags", sysTimerfdCreate),
		works(286, "timerfd_settime", "fd,flags,ptr,ptr", sysTimerfdSettime),
		works(287, "timerfd_gettime", "fd,ptr", sysTimerfdGettime).class(Pure),
		works(228, "clock_gettime", "num,ptr", sysClockGettime).class(Pure),
		works(229, "clock_getres", "num,ptr", sysClockGetres).class(Pure),
		works(230, "clock_nanosleep", "num,flags,ptr,ptr", sysClockNanosleep).class(Wait),
		works(231, "exit_group", "num", sysExitGroup).class(Final),
		works(247, "waitid", "num,num,ptr,flags,ptr", sysWaitid).class(Wait).restarts(),
		works(273, "set_robust_list", "ptr,size", sysSetRobustList),
		works(274, "get_robust_list", "num,ptr,ptr", sysGetRobustList).class(Pure),
		partly(302, "prlimit64", "num,num,ptr,ptr", "no CPU, CORE, RSS, LOCKS, SIGPENDING, RTTIME; a stack has its size from the start: the rest is enforced", sysPrlimit64),
		works(309, "getcpu", "ptr,ptr", sysGetcpu).class(Pure),
		partly(435, "clone3", "ptr,size", "as clone", sysClone3).class(Wait),
		partly(314, "sched_setattr", "num,ptr,flags", kept, sysSchedSetattr),
		works(315, "sched_getattr", "num,ptr,size,flags", sysSchedGetattr).class(Pure),
		works(318, "getrandom", "ptr,size,flags", sysGetrandom),
	}
}

func signalCalls() []Call {
	return []Call{
		works(13, "rt_sigaction", "num,ptr,ptr,size", sysRtSigaction),
		works(14, "rt_sigprocmask", "num,ptr,ptr,size", sysRtSigprocmask),
		works(15, "rt_sigreturn", "", sysRtSigreturn),
		works(34, "pause", "", sysPause).class(Wait),
		works(62, "kill", "num,num", sysKill),
		works(127, "rt_sigpending", "ptr,size", sysRtSigpending).class(Pure),
		works(128, "rt_sigtimedwait", "ptr,ptr,ptr,size", sysRtSigtimedwait).class(Wait),
		works(129, "rt_sigqueueinfo", "num,num,ptr", sysRtSigqueueinfo),
		works(130, "rt_sigsuspend", "ptr,size", sysRtSigsuspend).class(Wait),
		works(282, "signalfd", "fd,ptr,size", sysSignalfd),
		works(289, "signalfd4", "fd,ptr,size,flags", sysSignalfd4),
		works(131, "sigaltstack", "ptr,ptr", sysSigaltstack),
		works(200, "tkill", "num,num", sysTkill),
		works(234, "tgkill", "num,num,num", sysTgkill),
		works(297, "rt_tgsigqueueinfo", "num,num,num,ptr", sysRtTgsigqueueinfo),
	}
}

func socketCalls() []Call {
	const messages = "no out-of-band data; ancillary data: descriptors and credentials; a datagram has at most 64 KiB"
	return []Call{
		partly(41, "socket", "num,num,num", "AF_UNIX, and TCP and UDP over the loopback interface, the only one. AF_NETLINK, AF_PACKET, AF_ALG, AF_VSOCK and others of modules: "+
			"EAFNOSUPPORT, with which C libraries, audit and coreutils cope; raw sockets: EPERM; UDP-Lite: EPROTONOSUPPORT. Families that nobody looks for stop the run", sysSocket),
		works(42, "connect", "fd,ptr,size", sysConnect).class(Wait).restarts(),
		works(43, "accept", "fd,ptr,ptr", sysAccept).class(Wait).restarts(),
		partly(44, "sendto", "fd,ptr,size,flags,ptr,size", messages, sysSendto).class(Count).restarts(),
		partly(45, "recvfrom", "fd,ptr,size,flags,ptr,ptr", messages, sysRecvfrom).class(Count).restarts(),
		partly(46, "sendmsg", "fd,ptr,flags", messages, sysSendmsg).class(Count).restarts(),
		partly(47, "recvmsg", "fd,ptr,flags", messages, sysRecvmsg).class(Count).restarts(),
		works(48, "shutdown", "fd,num", sysShutdown),
		works(49, "bind", "fd,ptr,size", sysBind),
		works(50, "listen", "fd,num", sysListen),
		works(51, "getsockname", "fd,ptr,ptr", sysGetsockname).class(Pure),
		works(52, "getpeername", "fd,ptr,ptr", sysGetpeername).class(Pure),
		works(53, "socketpair", "num,num,num,ptr", sysSocketpair),
		partly(54, "setsockopt", "fd,num,num,ptr,size", "the usual options of the socket, IP, IPv6 and TCP levels; buffers keep their size", sysSetsockopt),
		partly(55, "getsockopt", "fd,num,num,ptr,ptr", "the usual options of the socket, IP, IPv6 and TCP levels; no TCP_INFO", sysGetsockopt),
		works(288, "accept4", "fd,ptr,ptr,flags", sysAccept4).class(Wait).restarts(),
		partly(299, "recvmmsg", "fd,ptr,num,flags,ptr", messages, sysRecvmmsg).class(Count).restarts(),
		partly(307, "sendmmsg", "fd,ptr,num,flags", messages, sysSendmmsg).class(Count).restarts(),
	}
}
