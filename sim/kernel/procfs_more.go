package kernel

import (
	"bytes"
	"fmt"
	"strings"

	"zhuque/sim/det"
	"zhuque/sim/kernel/mm"
)

// steadyTexts are the files below /proc and /sys that say the same on every machine
// and at all times.
var steadyTexts = map[string]string{
	"/proc/cmdline":                                      "\n",
	"/proc/filesystems":                                  "nodev\ttmpfs\nnodev\tproc\nnodev\tsysfs\nnodev\tdevtmpfs\n\text4\n",
	"/proc/loadavg":                                      "0.00 0.00 0.00 1/1 1000\n",
	"/proc/mounts":                                       mountTable,
	"/proc/self/cgroup":                                  "0::/\n",
	"/proc/self/io":                                      "rchar: 0\nwchar: 0\nsyscr: 0\nsyscw: 0\nread_bytes: 0\nwrite_bytes: 0\ncancelled_write_bytes: 0\n",
	"/proc/self/loginuid":                                "4294967295\n",
	"/proc/self/mountinfo":                               mountinfo,
	"/proc/self/mounts":                                  mountTable,
	"/proc/self/oom_score":                               "0\n",
	"/proc/self/oom_score_adj":                           "0\n",
	"/proc/self/wchan":                                   "0",
	"/proc/swaps":                                        "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
	"/proc/sys/fs/file-max":                              "1048576\n",
	"/proc/sys/fs/inotify/max_queued_events":             fmt.Sprintf("%d\n", PipeCapacity/inotifyEvent),
	"/proc/sys/fs/inotify/max_user_watches":              fmt.Sprintf("%d\n", maxMarks),
	"/proc/sys/fs/nr_open":                               "1048576\n",
	"/proc/sys/fs/pipe-max-size":                         fmt.Sprintf("%d\n", MaxPipe),
	"/proc/sys/kernel/cap_last_cap":                      "40\n",
	"/proc/sys/kernel/core_pattern":                      "core\n",
	"/proc/sys/kernel/hostname":                          "zhuque\n",
	"/proc/sys/fs/mqueue/msg_default":                    fmt.Sprintf("%d\n", mqUsual),
	"/proc/sys/fs/mqueue/msg_max":                        fmt.Sprintf("%d\n", mqUsual),
	"/proc/sys/fs/mqueue/msgsize_default":                fmt.Sprintf("%d\n", mqUsualSize),
	"/proc/sys/fs/mqueue/msgsize_max":                    fmt.Sprintf("%d\n", mqUsualSize),
	"/proc/sys/fs/mqueue/queues_max":                     fmt.Sprintf("%d\n", mqPlace),
	"/proc/sys/kernel/msgmax":                            fmt.Sprintf("%d\n", msgMax),
	"/proc/sys/kernel/msgmnb":                            fmt.Sprintf("%d\n", msgQueueSize),
	"/proc/sys/kernel/msgmni":                            fmt.Sprintf("%d\n", msgPlace),
	"/proc/sys/kernel/sem":                               fmt.Sprintf("%d\t%d\t%d\t%d\n", semMost, semAll, semOps, semPlace),
	"/proc/sys/kernel/shm_rmid_forced":                   "0\n",
	"/proc/sys/kernel/shmall":                            fmt.Sprintf("%d\n", uint64(shmMax)),
	"/proc/sys/kernel/shmmax":                            fmt.Sprintf("%d\n", uint64(shmMax)),
	"/proc/sys/kernel/shmmni":                            fmt.Sprintf("%d\n", shmPlace),
	"/proc/sys/kernel/ngroups_max":                       "65536\n",
	"/proc/sys/kernel/osrelease":                         kernelRelease + "\n",
	"/proc/sys/kernel/ostype":                            "Linux\n",
	"/proc/sys/kernel/pid_max":                           "32768\n",
	"/proc/sys/kernel/random/entropy_avail":              "256\n",
	"/proc/sys/kernel/random/poolsize":                   "256\n",
	"/proc/sys/kernel/randomize_va_space":                "0\n",
	"/proc/sys/kernel/threads-max":                       "32768\n",
	"/proc/sys/kernel/version":                           kernelVersion + "\n",
	"/proc/sys/net/core/somaxconn":                       "4096\n",
	"/proc/sys/net/ipv4/ip_local_port_range":             "32768\t60999\n",
	"/proc/sys/vm/max_map_count":                         "65530\n",
	"/proc/sys/vm/mmap_min_addr":                         fmt.Sprintf("%d\n", mm.MinAddr),
	"/proc/sys/vm/nr_hugepages":                          "0\n",
	"/proc/sys/vm/overcommit_memory":                     "0\n",
	"/proc/sys/vm/swappiness":                            "60\n",
	"/proc/version":                                      "Linux version " + kernelRelease + " (zhuque) " + kernelVersion + "\n",
	"/proc/vmstat":                                       "pgpgin 0\npgpgout 0\npswpin 0\npswpout 0\npgfault 0\npgmajfault 0\n",
	"/sys/devices/system/node/online":                    "0\n",
	"/sys/devices/system/node/possible":                  "0\n",
	"/sys/fs/cgroup/cgroup.controllers":                  "\n",
	"/sys/kernel/mm/transparent_hugepage/enabled":        "always madvise [never]\n",
	"/sys/kernel/mm/transparent_hugepage/hpage_pmd_size": "2097152\n",
}

const mountTable = `zhuque / tmpfs rw,relatime 0 0
proc /proc proc rw,relatime 0 0
sysfs /sys sysfs ro,relatime 0 0
devtmpfs /dev devtmpfs rw,relatime 0 0
/dev/pmem0 /mnt/pmem ext4 rw,relatime,dax=always 0 0
`

const mountinfo = `2050 2050 8:1 / / rw,relatime - tmpfs zhuque rw
22 2050 0:21 / /proc rw,relatime - proc proc rw
23 2050 0:22 / /sys ro,relatime - sysfs sysfs ro
6 2050 0:5 / /dev rw,relatime - devtmpfs devtmpfs rw
66305 2050 259:0 / /mnt/pmem rw,relatime - ext4 /dev/pmem0 rw,dax=always
`

// uuid is a random identifier that follows from the seed.
func uuid(seed uint64, name string) string {
	rng := det.Stream(seed, "procfs/"+name)
	a, b := rng.Uint64(), rng.Uint64()
	a, b = a&^0xf000|0x4000, b&^(3<<62)|2<<62
	return fmt.Sprintf("%08x-%04x-%04x-%04x-%012x", a>>32, a>>16&0xffff, a&0xffff, b>>48, b&(1<<48-1))
}

// stackEnd is where the strings that a program starts with end; see pushStart.
const stackEnd = mm.TaskSize - 8

// procEnviron is what the process has now where its environment was: between its
// arguments and its file name.
func (v view) procEnviron() []byte {
	if v.p.argEnd == 0 || v.p.argEnd > stackEnd {
		return nil
	}
	b := make([]byte, min(stackEnd-v.p.argEnd, maxArgs))
	b = b[:v.p.MM.Peek(v.p.argEnd, b)]
	return b[:bytes.LastIndexByte(b[:max(0, len(b)-1)], 0)+1]
}

// procAuxv finds the auxiliary vector below the strings, where pushStart put it.
func (v view) procAuxv() []byte {
	const words = 2 * 19
	platform := v.p.argStart - uint64(len("x86_64\x00"))
	random := platform - 16
	for _, end := range [...]uint64{random &^ 15, (random-8)&^15 + 8} {
		b := make([]byte, 8*words)
		if v.p.MM.Peek(end-8*words, b) < len(b) {
			continue
		}
		if tail := b[len(b)-32:]; le.Uint64(tail) == atPlat &&
			le.Uint64(tail[8:]) == platform && le.Uint64(tail[16:]) == atNull {
			return b
		}
	}
	return nil
}

// procSmaps is maps with the sizes that are known without looking at every page.
func (v view) procSmaps() []byte {
	var b []byte
	lines := strings.SplitAfter(string(v.procMaps()), "\n")
	for i, m := range mm.Regions(v.p.MM.VMAs()) {
		b = append(b, lines[i]...)
		b = fmt.Appendf(b, "Size:           %8d kB\nKernelPageSize:        4 kB\nMMUPageSize:           4 kB\nRss:            %8d kB\nPss:            %8d kB\n", m.Size()>>10, 0, 0)
	}
	return b
}

var limitRows = [16]struct{ name, unit string }{
	{"Max cpu time", "seconds"}, {"Max file size", "bytes"}, {"Max data size", "bytes"}, {"Max stack size", "bytes"}, {"Max core file size", "bytes"},
	{"Max resident set", "bytes"}, {"Max processes", "processes"}, {"Max open files", "files"}, {"Max locked memory", "bytes"}, {"Max address space", "bytes"},
	{"Max file locks", "locks"}, {"Max pending signals", "signals"}, {"Max msgqueue size", "bytes"}, {"Max nice priority", ""}, {"Max realtime priority", ""}, {"Max realtime timeout", "us"},
}

func (v view) procLimits() []byte {
	show := func(v uint64) string {
		if v == rlimInfinity {
			return "unlimited"
		}
		return fmt.Sprint(v)
	}
	b := fmt.Appendf(nil, "%-25s %-20s %-20s %-10s\n", "Limit", "Soft Limit", "Hard Limit", "Units")
	for i, r := range limitRows {
		l := v.p.rlimits[i]
		b = fmt.Appendf(b, "%-25s %-20s %-20s %-10s\n", r.name, show(l[0]), show(l[1]), r.unit)
	}
	return b
}
