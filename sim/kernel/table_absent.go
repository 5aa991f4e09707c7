package kernel

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
		{"programs that confine themselves go on without", []row{{317, "seccomp"}, {444, "landlock_create_ruleset"}, {445, "landlock_add_rule"}, {446, "landlock_restrict_self"}}},
		{"nobody looks on", []row{{298, "perf_event_open"}, {300, "fanotify_init"}, {301, "fanotify_mark"}, {312, "kcmp"}, {321, "bpf"}, {323, "userfaultfd"}}},
	} {
		for _, r := range group.rows {
			list = append(list, noSys(r.nr, r.name, group.why))
		}
	}
	for _, group := range []struct {
		why  string
		rows []row
	}{
		{"no System V IPC", []row{{29, "shmget"}, {30, "shmat"}, {31, "shmctl"}, {64, "semget"}, {65, "semop"}, {66, "semctl"}, {67, "shmdt"},
			{68, "msgget"}, {69, "msgsnd"}, {70, "msgrcv"}, {71, "msgctl"}, {220, "semtimedop"}}},
		{"no message queues", []row{{240, "mq_open"}, {241, "mq_unlink"}, {242, "mq_timedsend"}, {243, "mq_timedreceive"}, {244, "mq_notify"}, {245, "mq_getsetattr"}}},
		{"no tracing", []row{{101, "ptrace"}, {310, "process_vm_readv"}, {311, "process_vm_writev"}}},
		{"there is one of each namespace", []row{{272, "unshare"}, {308, "setns"}}},
		{"the clock is the machine's", []row{{159, "adjtimex"}, {164, "settimeofday"}, {227, "clock_settime"}, {305, "clock_adjtime"}}},
		{"use of execveat is rare", []row{{322, "execveat"}}},
	} {
		for _, r := range group.rows {
			list = append(list, refused(r.nr, r.name, group.why))
		}
	}
	return list
}
