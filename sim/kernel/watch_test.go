package kernel

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/kernel/errno"
)

// checkWatches looks at what epoll instances and waiting threads remember: what they do not
// look at has nothing to tell, and who watches is listed where it is watched.
func (r *rig) checkWatches() {
	if _, measuring := r.TB.(*testing.B); measuring {
		return
	}
	r.Helper()
	listed := map[Key][]watcher{}
	for ep := range r.k.files.descs.all() {
		ep.watches.root.Each(func(w watched) bool {
			d := r.k.files.desc(w.Desc)
			if events := r.k.occurred(w.Watch); !bool(w.stirred) && events != 0 {
				r.Errorf("epoll instance %d sleeps on events %#x of descriptor %d, a description of kind %d",
					ep.id, events, w.FD, d.kind)
			}
			for _, key := range r.k.keysOf(d) {
				listed[key] = append(listed[key], watcher{ep.id, Watch{FD: w.FD, Desc: w.Desc}})
			}
			return true
		})
	}
	for _, t := range r.k.threads {
		if t.wait == nil || t.quiet != (quiet{t.wait, r.k.files.changes}) {
			continue
		}
		for _, i := range t.wait.on {
			if d := r.k.files.find(i.desc); d == nil || r.k.has(d, i) {
				r.Errorf("thread %d sleeps on description %d, which is ready", t.tid, i.desc)
			}
		}
	}
	text := func(m map[Key][]watcher) []string {
		var lines []string
		for key, list := range m {
			for _, w := range list {
				lines = append(lines, fmt.Sprint(key, w.epoll, w.watch.FD, w.watch.Desc))
			}
		}
		slices.Sort(lines)
		return lines
	}
	if got, want := text(r.k.files.watchers.of), text(listed); !slices.Equal(got, want) {
		r.Errorf("those who watch are listed as %v, they are %v", got, want)
	}
}

// TestManyWatches does this and that with what several epoll instances watch. rig.raw
// looks at what they remember after every call; here their answers are compared with
// poll's, for watches that are not edge-triggered.
func TestManyWatches(t *testing.T) {
	for seed := range uint64(8) {
		rng := det.Stream(seed, "kernel/watches")
		r := newRig(t, nil)
		fds, buf := r.put(make([]byte, 8)), r.put(make([]byte, 70_000))
		r.want(0, "rt_sigaction", 13, le.AppendUint64(nil, 1), 0, 8) // SIGPIPE is ignored
		var open []uint64
		pair := func(name string, args ...any) {
			r.want(0, name, args...)
			open = append(open, uint64(le.Uint32(r.get(fds, 4))), uint64(le.Uint32(r.get(fds+4, 4))))
		}
		eps := []uint64{uint64(r.sys("epoll_create1", 0)),
			uint64(r.sys("epoll_create1", 0)), uint64(r.sys("epoll_create1", 0))}
		level := map[[2]uint64]uint32{} // events by instance and descriptor
		for range 6 {
			pair("pipe2", fds, oNonblock)
			pair("socketpair", afUnix, sockStream|oNonblock, 0, fds)
			pair("socketpair", afUnix, sockDgram|oNonblock, 0, fds)
			open = append(open, uint64(r.sys("eventfd2", rng.IntN(2), oNonblock)))
			master := uint64(r.sys("open", "/dev/ptmx", oRdwr|oNonblock|oNoctty, 0))
			r.want(0, "ioctl", master, 0x40045431, le.AppendUint32(nil, 0))                              // TIOCSPTLCK
			open = append(open, master, uint64(r.sys("ioctl", master, 0x5441, oRdwr|oNonblock|oNoctty))) // TIOCGPTPEER
		}
		for range 1500 {
			fd, ep := open[rng.IntN(len(open))], eps[rng.IntN(len(eps))]
			size := 1 + rng.IntN(3)*rng.IntN(30_000)
			switch rng.IntN(12) {
			case 0, 1:
				events := uint32(rng.IntN(2))*pollIn | uint32(rng.IntN(2))*pollOut | uint32(rng.IntN(4)/3)*pollRdhup
				op := 1 + 2*rng.IntN(2)
				edge := uint32(rng.IntN(3)/2) * (1 << 31)
				if r.sys("epoll_ctl", ep, op, fd, le.AppendUint64(le.AppendUint32(nil, events|edge), fd)) == 0 {
					if delete(level, [2]uint64{ep, fd}); edge == 0 {
						level[[2]uint64{ep, fd}] = events | pollErr | pollHup
					}
				}
			case 2:
				if r.sys("epoll_ctl", ep, 2, fd, 0) == 0 {
					delete(level, [2]uint64{ep, fd})
				}
			case 3:
				if rng.IntN(20) == 0 {
					r.sys("shutdown", fd, rng.IntN(3))
				}
			case 4:
				if rng.IntN(30) == 0 && len(open) > 5 {
					r.want(0, "close", fd)
					open = slices.DeleteFunc(open, func(o uint64) bool { return o == fd })
					maps.DeleteFunc(level, func(at [2]uint64, _ uint32) bool { return at[1] == fd })
				}
			case 5, 6:
				r.sys("write", fd, buf, max(size, 8))
			case 7, 8:
				r.sys("read", fd, buf, max(size, 8))
			case 9:
				if rng.IntN(20) == 0 {
					r.ok(r.k.Release())
					r.ok(r.reborn(r.k.Records()))
				}
			default:
				r.asPollSays(ep, level, buf)
			}
			if t.Failed() {
				t.Fatalf("seed %d", seed)
			}
		}
	}
}

// asPollSays compares what an epoll instance tells with what poll does.
func (r *rig) asPollSays(ep uint64, level map[[2]uint64]uint32, buf uint64) {
	r.Helper()
	want := map[uint64]uint32{}
	for at, events := range level {
		if at[0] != ep {
			continue
		}
		one := r.put(le.AppendUint64(nil, at[1]|uint64(events)<<32))
		if n := r.sys("poll", one, 1, 0); n > 0 {
			want[at[1]] = uint32(le.Uint16(r.get(one+6, 2)))
		}
	}
	n := r.sys("epoll_wait", ep, buf, 100, 0)
	if n < 0 {
		r.Fatal(errno.Errno(-n))
	}
	got := map[uint64]uint32{}
	for i := range uint64(n) {
		b := r.get(buf+i*epollEvent, epollEvent)
		if fd := le.Uint64(b[4:]); level[[2]uint64{ep, fd}] != 0 {
			got[fd] = le.Uint32(b)
		}
	}
	if !maps.Equal(got, want) {
		r.Errorf("epoll instance %d tells of %x, poll of %x", ep, got, want)
	}
}
