package kernel

import (
	"bytes"
	"fmt"
	"strings"

	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
)

// Hooks returns the hooks that the file tree of a kernel must be made with: the
// synthetic paths are all there, their content comes with the kernel.
func Hooks() vfs.Hooks {
	h := (&Kernel{}).hooks()
	h.Texts = steadyTexts
	return h
}

func (k *Kernel) hooks() vfs.Hooks {
	return vfs.Hooks{Now: k.Now, Processes: k.listProcesses, Threads: k.listThreads, Process: k.processOf, FDs: k.listFDs,
		FDInfo: k.fdInfo, Terminal: func(n int) bool { return k.files.numbered(n) != nil }, Caller: k.caller(),
		Synthetic: map[string]func(vfs.Task) []byte{
			"/proc/self":        always(func() []byte { return fmt.Appendf(nil, "%d", k.proc.pid) }),
			"/proc/thread-self": always(func() []byte { return fmt.Appendf(nil, "%d/task/%d", k.proc.pid, k.thread.tid) }),
			"/proc/meminfo":     always(k.procMeminfo),
			"/proc/uptime":      always(func() []byte { return fmt.Appendf(nil, "%d.%02d 0.00\n", k.mono()/second, k.mono()%second/1e7) }),

			"/proc/cpuinfo":                          always(k.procCPUInfo),
			"/proc/stat":                             always(k.procStatCPU),
			"/sys/devices/system/cpu/kernel_max":     always(func() []byte { return fmt.Appendf(nil, "%d\n", k.cfg.Cores-1) }),
			"/sys/devices/system/cpu/online":         always(k.coreList),
			"/sys/devices/system/cpu/possible":       always(k.coreList),
			"/sys/devices/system/cpu/present":        always(k.coreList),
			"/sys/devices/system/node/node0/cpulist": always(k.coreList),
			"/sys/devices/system/node/node0/cpumap":  always(func() []byte { return fmt.Appendf(nil, "%s\n", coreSet(k.coreMask())) }),

			"/proc/sys/kernel/random/boot_id": always(func() []byte { return []byte(uuid(k.cfg.Seed, "boot") + "\n") }),
			"/proc/sys/kernel/random/uuid":    always(func() []byte { return []byte(uuid(k.cfg.Seed, "uuid") + "\n") }),

			"/proc/sysvipc/shm": always(k.procSegments),
			"/proc/sysvipc/sem": always(k.procSets),
			"/proc/sysvipc/msg": always(k.procQueues),

			"/proc/self/exe":     k.link(func(p *Process) vfs.NodeID { return p.exe }),
			"/proc/self/cwd":     k.link(func(p *Process) vfs.NodeID { return p.cwd }),
			"/proc/self/maps":    k.of(view.procMaps),
			"/proc/self/smaps":   k.of(view.procSmaps),
			"/proc/self/cmdline": k.of(view.procCmdline),
			"/proc/self/environ": k.of(view.procEnviron),
			"/proc/self/auxv":    k.of(view.procAuxv),
			"/proc/self/comm":    k.of(view.procComm),
			"/proc/self/status":  k.of(view.procStatus),
			"/proc/self/stat":    k.of(view.procStat),
			"/proc/self/statm":   k.of(view.procStatm),
			"/proc/self/limits":  k.of(view.procLimits),
		},
		Accepts: map[string]func(vfs.Task, []byte) error{"/proc/self/comm": k.rename}}
}

const cpuinfo = `processor	: %d
vendor_id	: GenuineIntel
model name	: Zhuque Sim x86-64
cpu cores	: %d
flags		: fpu tsc msr cx8 sep pge cmov clflush fxsr sse sse2 syscall nx lm clflushopt clwb
clflush size	: 64
cache_alignment	: 64

`

// procCPUInfo is /proc/cpuinfo.
func (k *Kernel) procCPUInfo() (b []byte) {
	for i := range k.cfg.Cores {
		b = fmt.Appendf(b, cpuinfo, i, k.cfg.Cores)
	}
	return b
}

// procStatCPU is /proc/stat: the cores, when the machine started, how many processes it
// has had. There is one account of processor time, and it is not here.
func (k *Kernel) procStatCPU() []byte {
	const idle = " 0 0 0 0 0 0 0 0 0 0\n"
	b := []byte("cpu " + idle)
	for i := range k.cfg.Cores {
		b = fmt.Appendf(b, "cpu%d%s", i, idle)
	}
	return fmt.Appendf(b, "intr 0\nctxt 0\nbtime %d\nprocesses %d\nprocs_running 1\nprocs_blocked 0\n",
		k.cfg.WallBase/second, k.sys.nextTID-initialPID+1)
}

// coreList shows all cores as sysfs does.
func (k *Kernel) coreList() []byte {
	if k.cfg.Cores == 1 {
		return []byte("0\n")
	}
	return fmt.Appendf(nil, "0-%d\n", k.cfg.Cores-1)
}

// coreSet shows a set of cores in hexadecimal, by words of 32 bits.
func coreSet(cores uint64) string {
	if cores>>32 == 0 {
		return fmt.Sprintf("%x", cores)
	}
	return fmt.Sprintf("%x,%08x", cores>>32, uint32(cores))
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

func (v view) procMaps() []byte {
	var b []byte
	for _, m := range mm.Regions(v.p.MM.VMAs()) {
		share, dev := byte('p'), "00:00"
		if m.Shared {
			share = 's'
		}
		name, node := "", vfs.NodeID(0)
		switch m.Kind {
		case mm.Stack:
			name = "[stack]"
		case mm.Heap:
			name = "[heap]"
		case mm.File, mm.Copy, mm.Direct:
			node, dev = m.Node, "08:01"
			name, _ = v.FS.Path(m.Node)
		}
		off := uint64(0)
		if node != 0 {
			off = m.Off
		}
		at := len(b)
		b = fmt.Appendf(b, "%08x-%08x %s%c %08x %s %d ", m.Start, m.End, m.Prot, share, off, dev, uint64(node))
		if name != "" {
			b = append(b, strings.Repeat(" ", max(0, 73-(len(b)-at)))...)
			b = append(b, name...)
		}
		b = append(b, '\n')
	}
	return b
}

func (v view) procCmdline() []byte {
	b := make([]byte, min(v.p.argEnd-v.p.argStart, maxArgs))
	return b[:v.p.MM.Peek(v.p.argStart, b)]
}

func (k *Kernel) procMeminfo() []byte {
	total := uint64(k.cfg.MemTotal) >> 10
	free := total - min(total, k.MM.Mapped()>>10)
	return fmt.Appendf(nil, "MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", total, free, free)
}
