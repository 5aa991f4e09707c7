package kernel

import "zhuque/sim/kernel/errno"

// absentCalls are those that are not there. ENOSYS is the answer of a Linux that was built
// without them, where programs are known to go on without; the others stop the run.
func absentCalls() (list []Call) {
	type row struct {
		nr   uint64
		name string
	}
	for _, group := range []struct {
		why  string
		rows []row
	}{
		{"programs fall back to signals or fences", []row{{324, "membarrier"}}},
		{"C libraries fall back", []row{{334, "rseq"}}},
		{"programs fall back to plain calls", []row{{206, "io_setup"}, {207, "io_destroy"}, {208, "io_getevents"}, {209, "io_submit"}, {210, "io_cancel"}, {333, "io_pgetevents"},
			{425, "io_uring_setup"}, {426, "io_uring_enter"}, {427, "io_uring_register"}}},
		{"programs fall back to wait and kill", []row{{424, "pidfd_send_signal"}, {434, "pidfd_open"}, {438, "pidfd_getfd"}}},
		{"no other processes", []row{{440, "process_madvise"}, {448, "process_mrelease"}}},
		{"programs fall back to futex", []row{{449, "futex_waitv"}}},
		{"as without CONFIG_NUMA", []row{{237, "mbind"}, {238, "set_mempolicy"}, {239, "get_mempolicy"}, {256, "migrate_pages"}, {279, "move_pages"}, {450, "set_mempolicy_home_node"}}},
		{"as without CONFIG_PRINTK", []row{{103, "syslog"}}},
		{"as without CONFIG_KEYS", []row{{248, "add_key"}, {249, "request_key"}, {250, "keyctl"}}},
		{"as without CONFIG_BLOCK", []row{{251, "ioprio_set"}, {252, "ioprio_get"}}},
		{"programs that confine themselves continue without", []row{{317, "seccomp"}, {444, "landlock_create_ruleset"}, {445, "landlock_add_rule"}, {446, "landlock_restrict_self"}}},
		{"no Linux has it any more", []row{{134, "uselib"}, {156, "_sysctl"}, {174, "create_module"}, {177, "get_kernel_syms"}, {178, "query_module"}, {180, "nfsservctl"}, {181, "getpmsg"}, {182, "putpmsg"},
			{183, "afs_syscall"}, {184, "tuxcall"}, {185, "security"}, {205, "set_thread_area"}, {211, "get_thread_area"}, {212, "lookup_dcookie"}, {214, "epoll_ctl_old"}, {215, "epoll_wait_old"}, {236, "vserver"}}},
		{"as without CONFIG_SYSFS_SYSCALL", []row{{139, "sysfs"}}},
		{"as without CONFIG_MODIFY_LDT_SYSCALL", []row{{154, "modify_ldt"}}},
		{"as without CONFIG_BSD_PROCESS_ACCT", []row{{163, "acct"}}},
		{"as without CONFIG_SWAP", []row{{167, "swapon"}, {168, "swapoff"}}},
		{"as without CONFIG_X86_IOPL_IOPERM", []row{{172, "iopl"}, {173, "ioperm"}}},
		{"as without CONFIG_MODULES", []row{{175, "init_module"}, {176, "delete_module"}, {313, "finit_module"}}},
		{"as without CONFIG_QUOTA", []row{{179, "quotactl"}, {443, "quotactl_fd"}}},
		{"as without CONFIG_KEXEC", []row{{246, "kexec_load"}, {320, "kexec_file_load"}}},
		{"as without CONFIG_SECRETMEM", []row{{447, "memfd_secret"}}},
		{"programs fall back to mount", []row{{428, "open_tree"}, {429, "move_mount"}, {430, "fsopen"}, {431, "fsconfig"}, {432, "fsmount"}, {433, "fspick"}, {442, "mount_setattr"}, {467, "open_tree_attr"}}},
		{"newer than the release that uname tells", []row{{335, "uretprobe"}, {336, "uprobe"}, {451, "cachestat"}, {453, "map_shadow_stack"}, {454, "futex_wake"}, {455, "futex_wait"}, {456, "futex_requeue"}, {457, "statmount"}, {458, "listmount"},
			{459, "lsm_get_self_attr"}, {460, "lsm_set_self_attr"}, {461, "lsm_list_modules"}, {462, "mseal"}, {463, "setxattrat"}, {464, "getxattrat"}, {465, "listxattrat"}, {466, "removexattrat"}, {468, "file_getattr"}, {469, "file_setattr"}}},
		{"nobody looks on", []row{{298, "perf_event_open"}, {300, "fanotify_init"}, {301, "fanotify_mark"}, {312, "kcmp"}, {321, "bpf"}, {323, "userfaultfd"}}},
	} {
		for _, r := range group.rows {
			list = append(list, answers(r.nr, r.name, errno.ENOSYS, group.why))
		}
	}
	list = append(list, answers(136, "ustat", errno.EINVAL, "no such device is mounted: statfs shows the mounts"), answers(153, "vhangup", errno.EPERM, "as without CAP_SYS_TTY_CONFIG"), answers(219, "restart_syscall", errno.EINTR, "nothing is left to restart"))
	for _, group := range []struct {
		why  string
		rows []row
	}{
		{"no tracing", []row{{101, "ptrace"}, {310, "process_vm_readv"}, {311, "process_vm_writev"}}},
		{"there is one of each namespace", []row{{272, "unshare"}, {308, "setns"}}},
		{"the clock is the machine's", []row{{159, "adjtimex"}, {164, "settimeofday"}, {227, "clock_settime"}, {305, "clock_adjtime"}}},
		{"there is no machine beside this one to start", []row{{169, "reboot"}}},
		{"pages of a mapping are in the order of the file", []row{{216, "remap_file_pages"}}},
	} {
		for _, r := range group.rows {
			list = append(list, refused(r.nr, r.name, group.why))
		}
	}
	return list
}
