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
	link := func(id func() vfs.NodeID) func() []byte {
		return func() []byte {
			p, ok := k.FS.Path(id())
			if !ok {
				return []byte("(deleted)")
			}
			return []byte(p)
		}
	}
	return vfs.Hooks{Now: k.Now, FDs: k.listFDs, Synthetic: map[string]func() []byte{
		"/proc/self/exe":     link(func() vfs.NodeID { return k.proc.exe }),
		"/proc/self/cwd":     link(func() vfs.NodeID { return k.proc.cwd }),
		"/proc/self/maps":    k.procMaps,
		"/proc/self/cmdline": k.procCmdline,
		"/proc/self/comm":    func() []byte { return append([]byte(cString(k.thread.comm[:])), '\n') },
		"/proc/self/status":  k.procStatus,
		"/proc/self/stat":    k.procStat,
		"/proc/self/statm":   k.procStatm,
		"/proc/meminfo":      k.procMeminfo,
		"/proc/uptime":       func() []byte { return fmt.Appendf(nil, "%d.%02d 0.00\n", k.mono()/second, k.mono()%second/1e7) },

		"/proc/cpuinfo":                          k.procCPUInfo,
		"/proc/stat":                             k.procStatCPU,
		"/sys/devices/system/cpu/kernel_max":     func() []byte { return fmt.Appendf(nil, "%d\n", k.cfg.Cores-1) },
		"/sys/devices/system/cpu/online":         k.coreList,
		"/sys/devices/system/cpu/possible":       k.coreList,
		"/sys/devices/system/cpu/present":        k.coreList,
		"/sys/devices/system/node/node0/cpulist": k.coreList,

		"/proc/self/environ":              k.procEnviron,
		"/proc/self/auxv":                 k.procAuxv,
		"/proc/self/smaps":                k.procSmaps,
		"/proc/self/limits":               k.procLimits,
		"/proc/sys/kernel/random/boot_id": func() []byte { return []byte(uuid(k.cfg.Seed, "boot") + "\n") },
		"/proc/sys/kernel/random/uuid":    func() []byte { return []byte(uuid(k.cfg.Seed, "uuid") + "\n") },
	}}
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

// procStatCPU is the part of /proc/stat that programs count cores in.
func (k *Kernel) procStatCPU() []byte {
	const idle = " 0 0 0 0 0 0 0 0 0 0\n"
	b := []byte("cpu " + idle)
	for i := range k.cfg.Cores {
		b = fmt.Appendf(b, "cpu%d%s", i, idle)
	}
	return b
}

// coreList shows all cores as sysfs does.
func (k *Kernel) coreList() []byte {
	if k.cfg.Cores == 1 {
		return []byte("0\n")
	}
	return fmt.Appendf(nil, "0-%d\n", k.cfg.Cores-1)
}

func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// listFDs is /proc/self/fd.
func (k *Kernel) listFDs() []vfs.FD {
	var out []vfs.FD
	for _, s := range k.proc.slots {
		switch d := k.files.desc(s.desc); d.kind {
		case FDNode:
			out = append(out, vfs.FD{Num: s.num, Node: d.node})
		case FDPipeRead, FDPipeWrite:
			out = append(out, vfs.FD{Num: s.num, Target: fmt.Sprintf("pipe:[%d]", d.pipe)})
		case FDEvent, FDSemaphore:
			out = append(out, vfs.FD{Num: s.num, Target: "anon_inode:[eventfd]"})
		case FDEpoll:
			out = append(out, vfs.FD{Num: s.num, Target: "anon_inode:[eventpoll]"})
		case FDTimer:
			out = append(out, vfs.FD{Num: s.num, Target: "anon_inode:[timerfd]"})
		case FDSignal:
			out = append(out, vfs.FD{Num: s.num, Target: "anon_inode:[signalfd]"})
		case FDSocket:
			out = append(out, vfs.FD{Num: s.num, Target: fmt.Sprintf("socket:[%d]", d.socket)})
		default:
			if k.console.isTerminal(d.kind) {
				out = append(out, vfs.FD{Num: s.num, Target: "/dev/tty"})
				continue
			}
			out = append(out, vfs.FD{Num: s.num, Target: fmt.Sprintf("pipe:[console%d]", d.kind-FDStdin)})
		}
	}
	return out
}

func (k *Kernel) procMaps() []byte {
	var b []byte
	for _, v := range mm.Regions(k.MM.VMAs()) {
		share, dev := byte('p'), "00:00"
		if v.Shared {
			share = 's'
		}
		name, node := "", vfs.NodeID(0)
		switch v.Kind {
		case mm.Stack:
			name = "[stack]"
		case mm.Heap:
			name = "[heap]"
		case mm.File, mm.Copy, mm.Direct:
			node, dev = v.Node, "08:01"
			name, _ = k.FS.Path(v.Node)
		}
		off := uint64(0)
		if node != 0 {
			off = v.Off
		}
		at := len(b)
		b = fmt.Appendf(b, "%08x-%08x %s%c %08x %s %d ", v.Start, v.End, v.Prot, share, off, dev, uint64(node))
		if name != "" {
			b = append(b, strings.Repeat(" ", max(0, 73-(len(b)-at)))...)
			b = append(b, name...)
		}
		b = append(b, '\n')
	}
	return b
}

func (k *Kernel) procCmdline() []byte {
	b := make([]byte, min(k.proc.argEnd-k.proc.argStart, maxArgs))
	return b[:k.MM.Peek(k.proc.argStart, b)]
}

func (k *Kernel) procStatus() []byte {
	return fmt.Appendf(nil, "Name:\t%s\nState:\tR (running)\nTgid:\t%d\nPid:\t%d\nPPid:\t%d\nUid:\t0\t0\t0\t0\nGid:\t0\t0\t0\t0\nFDSize:\t64\nVmSize:\t%8d kB\nThreads:\t%d\nSigPnd:\t%016x\nSigBlk:\t%016x\n",
		cString(k.thread.comm[:]), k.proc.pid, k.proc.pid, k.proc.ppid, k.MM.Mapped()>>10, len(k.members(k.proc)), k.thread.pending(), k.thread.mask)
}

func (k *Kernel) procStat() []byte {
	ticks := uint64(k.cpuTime() / (second / 100))
	return fmt.Appendf(nil, "%d (%s) R %d %d %d 0 -1 4194304 0 0 0 0 %d 0 0 0 20 0 %d 0 0 %d 0 18446744073709551615 0 0 0 0 0 0 0 0 0 0 0 0 17 0 0 0 0 0 0 0 0 0 0 0 0 0 0\n",
		k.proc.pid, cString(k.thread.comm[:]), k.proc.ppid, k.proc.pgid, k.proc.sid, ticks, len(k.members(k.proc)), k.MM.Mapped())
}

func (k *Kernel) procStatm() []byte {
	return fmt.Appendf(nil, "%d 0 0 0 0 0 0\n", k.MM.Mapped()/blockSize)
}

func (k *Kernel) procMeminfo() []byte {
	total := uint64(k.cfg.MemTotal) >> 10
	free := total - min(total, k.MM.Mapped()>>10)
	return fmt.Appendf(nil, "MemTotal:       %8d kB\nMemFree:        %8d kB\nMemAvailable:   %8d kB\nBuffers:               0 kB\nCached:                0 kB\nSwapTotal:             0 kB\nSwapFree:              0 kB\n", total, free, free)
}
