package kernel

import (
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
)

// What a program sees of several cores: their number in all places where libraries look
// for it, and where its threads run.
func TestProgramSeesCores(t *testing.T) {
	for _, cores := range []int{1, 2, 5, 64} {
		r := newRig(t, nil)
		r.k.cfg.Cores = cores
		all := r.k.coreMask()
		at := r.put(make([]byte, 8))
		word := func() uint64 { return le.Uint64(r.get(at, 8)) }
		mask := func(v uint64) uint64 { return r.put(le.AppendUint64(nil, v)) }
		if r.want(8, "sched_getaffinity", 0, 8, at); word() != all {
			t.Errorf("%d cores: affinity %#x", cores, word())
		}
		info := string(r.k.procCPUInfo())
		if n := strings.Count(info, "processor\t: "); n != cores {
			t.Errorf("%d cores: /proc/cpuinfo shows %d", cores, n)
		}
		if n := strings.Count(string(r.k.procStatCPU()), "cpu"); n != cores+1 {
			t.Errorf("%d cores: /proc/stat has %d lines", cores, n)
		}
		want := map[int]string{1: "0\n", 2: "0-1\n", 5: "0-4\n", 64: "0-63\n"}[cores]
		if got := string(r.k.coreList()); got != want {
			t.Errorf("%d cores: /sys/devices/system/cpu/online is %q", cores, got)
		}
		set := map[int]string{1: "1", 2: "3", 5: "1f", 64: "ffffffff,ffffffff"}[cores]
		if got := coreSet(all); got != set {
			t.Errorf("%d cores: /sys/devices/system/node/node0/cpumap is %q", cores, got)
		}
		r.want(errno.EINVAL, "sched_setaffinity", 0, 8, mask(^all)) // not one that is there
		last := uint64(1) << (cores - 1)
		r.want(0, "sched_setaffinity", 0, 8, mask(last))
		if r.want(0, "getcpu", at, at+4); word() != uint64(cores-1) {
			t.Errorf("%d cores: bound to the last one, getcpu says %#x", cores, word())
		}
		if r.want(8, "sched_getaffinity", 0, 8, at); word() != last {
			t.Errorf("%d cores: affinity %#x after it was set to %#x", cores, word(), last)
		}
	}
}

// Threads are spread evenly over the cores that they may run on.
func TestCoreOfThreads(t *testing.T) {
	r := newRig(t, nil)
	r.k.cfg.Cores = 6
	count := map[int]int{}
	for tid := range int32(60) {
		count[r.k.CoreOf(&Thread{tid: initialPID + tid})]++
		if got, want := r.k.CoreOf(&Thread{tid: initialPID + tid, affinity: 1<<5 | 1<<2 | 1<<20}), []int{2,
			5}[tid%2]; got != want {
			t.Errorf("thread %d may run on cores 2 and 5, and runs on %d", tid, got)
		}
	}
	for core := range 6 {
		if count[core] != 10 {
			t.Errorf("%d of 60 threads on core %d of 6", count[core], core)
		}
	}
}
