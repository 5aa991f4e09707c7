package kernel

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// BenchmarkCosts shows how the cost of a call grows with what there is beside what it
// is about: open files, mappings, threads. Only the choice of the next thread may
// grow, linearly with the threads.
func BenchmarkCosts(b *testing.B) {
	for _, n := range []int{10, 100, 1000, 10_000} {
		r := newRig(b, nil)
		r.k.proc.rlimits[rlimitNofile] = [2]uint64{1 << 17, 1 << 17}
		at := r.str("/etc/motd")
		for range n {
			r.sys("open", at, 0, 0)
		}
		fds := r.put(make([]byte, 8))
		r.want(0, "pipe", fds)
		rd, wr := uint64(le.Uint32(r.get(fds, 4))), uint64(le.Uint32(r.get(fds+4, 4)))
		ep := uint64(r.sys("epoll_create1", 0))
		buf, event := r.put(make([]byte, 256)), r.put(iov(5, 5))
		r.want(0, "epoll_ctl", ep, 1, rd, event)
		mid := uint64(3 + n/2)
		r.measure(b, fmt.Sprintf("files=%d", n), map[string][][]uint64{
			"getpid":     {{39}},
			"fstat":      {{5, mid, buf}},
			"open-close": {{2, at, 0, 0}, {3, wr + 2}},
			"dup2-low":   {{3, 3}, {33, mid, 3}},
			"pipe":       {{1, wr, buf, 1}, {0, rd, buf, 1}},
			"pipes":      {{22, fds}, {3, wr + 2}, {3, wr + 3}},
			"epoll_wait": {{1, wr, buf, 1}, {232, ep, buf, 4, 0}, {0, rd, buf, 1}},
			"epoll_ctl":  {{233, ep, 2, rd, 0}, {233, ep, 1, rd, event}},
			"eventfd":    {{284, 0}, {3, wr + 2}},
		})
	}
	for _, n := range []int{10, 100, 1000, 10_000} {
		r := newRig(b, nil)
		r.k.proc.rlimits[rlimitNofile] = [2]uint64{1 << 17, 1 << 17}
		fds, buf, event := r.put(make([]byte, 8)), r.put(make([]byte, 256)), r.put(iov(pollIn, 5))
		ep := uint64(r.sys("epoll_create1", 0))
		var rd, wr uint64
		for range n {
			r.want(0, "pipe", fds)
			rd, wr = uint64(le.Uint32(r.get(fds, 4))), uint64(le.Uint32(r.get(fds+4, 4)))
			r.want(0, "epoll_ctl", ep, 1, rd, event)
		}
		lists := map[string][][]uint64{
			"epoll_wait": {{1, wr, buf, 1}, {232, ep, buf, 4, 0}, {0, rd, buf, 1}},
			"epoll_none": {{232, ep, buf, 4, 0}},
			"epoll_ctl":  {{233, ep, 2, rd, 0}, {233, ep, 1, rd, event}},
			"pipe":       {{1, wr, buf, 1}, {0, rd, buf, 1}},
		}
		r.measure(b, fmt.Sprintf("watches=%d", n), lists)
		r.sys("clone", cloneThreadFlags, stackTop-8192, 0, 0, 0)
		r.blocks(initialPID, "epoll_wait", ep, buf, 4, -1)
		b.Run(fmt.Sprintf("watches=%d/boundary", n), func(b *testing.B) {
			for b.Loop() {
				r.c.Retired += 10_000
				r.k.Preempt(r.c.Retired)
			}
		})
	}
	for _, n := range []int{10, 1000, 10_000, 60_000} {
		r := newRig(b, nil)
		for i := range n {
			r.sys("mmap", 0, phys.PageSize, 1+i%2, mapPrivate|mapAnonymous, -1, 0)
		}
		r.want(0, "brk", 0)
		at := uint64(0x2000_0000_0000)
		r.sys("mmap", at, 16*phys.PageSize, 3, mapPrivate|mapAnonymous|mapFixed, -1, 0)
		r.measure(b, fmt.Sprintf("mappings=%d", n), map[string][][]uint64{
			"getpid":      {{39}},
			"mmap-munmap": {{9, at, phys.PageSize, 1, mapPrivate | mapAnonymous | mapFixed, ^uint64(0), 0}, {11, at, phys.PageSize}},
			"mmap-any":    {{9, 0, phys.PageSize, 7, mapPrivate | mapAnonymous, ^uint64(0), 0}, {11, 0, phys.PageSize}},
			"mprotect":    {{10, at + 8*phys.PageSize, phys.PageSize, 1}, {10, at + 8*phys.PageSize, phys.PageSize, 3}},
			"store":       {{14, 0, 0, at + 4*phys.PageSize, 8}},
		})
	}
	for _, n := range []int{1, 16, 64, 256} {
		r := newRig(b, nil)
		for range n - 1 {
			r.sys("clone", cloneThreadFlags, stackTop-8192, 0, 0, 0)
		}
		r.measure(b, fmt.Sprintf("threads=%d", n), map[string][][]uint64{
			"getpid":      {{39}},
			"futex-wake":  {{202, scratch, 1, 1}},
			"write":       {{1, 1, scratch, 0}},
			"sched_yield": {{24}},
			"kill-none":   {{62, initialPID, 0}},
		})
		b.Run(fmt.Sprintf("threads=%d/boundary", n), func(b *testing.B) {
			for b.Loop() {
				r.c.Retired += 10_000
				r.k.Preempt(r.c.Retired)
			}
		})
	}
}

// measure runs each list of calls in turn; a zero address of munmap stands for the
// result of the call before.
func (r *rig) measure(b *testing.B, name string, lists map[string][][]uint64) {
	b.Helper()
	r.k.TakeDirty()
	r.ok(r.k.Release())
	for _, what := range sortedNames(lists) {
		b.Run(name+"/"+what, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				for _, call := range lists[what] {
					last := r.c.R[x86.RAX]
					r.c.R[x86.RAX] = call[0]
					for i, reg := range []int{x86.RDI, x86.RSI, x86.RDX, x86.R10, x86.R8, x86.R9} {
						r.c.R[reg] = 0
						if i+1 < len(call) {
							r.c.R[reg] = call[i+1]
						}
					}
					if call[0] == 11 && call[1] == 0 {
						r.c.R[x86.RDI] = last
					}
					r.c.Retired++
					if o := r.k.Syscall(r.c); o.Stops() {
						b.Fatal(o.Unsupported, o.Err)
					}
					if v := int64(r.c.R[x86.RAX]); v < 0 && v > -4096 {
						b.Fatalf("%v: %d", call, v)
					}
				}
				r.k.TakeDirty()
				r.ok(r.k.Release())
			}
		})
	}
}

func sortedNames(m map[string][][]uint64) []string {
	return slices.Sorted(maps.Keys(m))
}
