package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/x86"
)

// A side is a kernel with a process in it: this one, or the host's.
type side interface {
	place(b []byte) uint64 // puts bytes where system calls can reach them
	fetch(at uint64, n int) []byte
	call(name string, a ...uint64) int64
	tidy() // what was placed is not needed any more
}

type guestSide struct{ *rig }

func (g guestSide) place(b []byte) uint64         { return g.put(append(b, 0)) }
func (g guestSide) fetch(at uint64, n int) []byte { return g.get(at, n) }
func (g guestSide) tidy()                         { g.next = scratch }
func (g guestSide) call(name string, a ...uint64) int64 {
	args := make([]any, len(a))
	for i := range a {
		args[i] = a[i]
	}
	o := g.raw(name, args...)
	if o.Stops() || o.Again {
		g.Fatalf("%s%x: %+v %v", name, a, o, o.Unsupported)
	}
	return int64(g.c.R[x86.RAX])
}

type hostSide struct{ memory *[][]byte }

func (h hostSide) place(b []byte) uint64 {
	b = append(slices.Clone(b), 0)
	*h.memory = append(*h.memory, b)
	return uint64(uintptr(unsafe.Pointer(&b[0])))
}

func (h hostSide) fetch(at uint64, n int) []byte {
	for _, b := range *h.memory {
		if base := uint64(uintptr(unsafe.Pointer(&b[0]))); base <= at && at+uint64(n) <= base+uint64(len(b)) {
			return slices.Clone(b[at-base:][:n])
		}
	}
	panic("BUG: not placed")
}

func (h hostSide) tidy() { *h.memory = nil }

func (h hostSide) call(name string, a ...uint64) int64 {
	var w [6]uintptr
	for i, v := range a {
		w[i] = uintptr(v)
	}
	r, _, e := unix.RawSyscall6(uintptr(numbers[name]), w[0], w[1], w[2], w[3], w[4], w[5])
	runtime.KeepAlive(h.memory)
	if e != 0 {
		return -int64(e)
	}
	return int64(r)
}

// world is a side with the descriptors that a script opened.
type world struct {
	side
	fds    []uint64
	closed map[int]bool // which of fds the script closed
}

func (w *world) close(i int) string {
	n := w.call("close", w.fds[i])
	w.closed[i] = true
	return result(n)
}

// result shows what a call returned.
func result(n int64) string {
	if n < 0 {
		return errno.Errno(-n).Error()
	}
	return fmt.Sprint(n)
}

func (w *world) open(name string, a ...uint64) string {
	n := w.call(name, a...)
	if n < 0 {
		return result(n)
	}
	w.fds = append(w.fds, uint64(n))
	return "ok"
}

func (w *world) pair(family, kind uint64) string {
	at := w.place(make([]byte, 8))
	n := w.call("socketpair", family, kind, 0, at)
	if n == 0 {
		b := w.fetch(at, 8)
		w.fds = append(w.fds, uint64(le.Uint32(b)), uint64(le.Uint32(b[4:])))
	}
	return result(n)
}

// loopbackAddr is the sockaddr of a port on 127.0.0.1 or ::1; the port in network order.
func loopbackAddr(family uint64, port []byte) []byte {
	b := append([]byte{byte(family), 0}, port...)
	if family == afInet {
		return append(b, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0)
	}
	return append(append(b, make([]byte, 19)...), 1, 0, 0, 0, 0)
}

func (w *world) bindAnywhere(fd, family uint64) string {
	addr := loopbackAddr(family, []byte{0, 0})
	return result(w.call("bind", fd, w.place(addr), uint64(len(addr))))
}

func (w *world) port(fd uint64) []byte {
	at := w.place(make([]byte, 128))
	w.call("getsockname", fd, at, w.place([]byte{128, 0, 0, 0}))
	return w.fetch(at+2, 2)
}

func (w *world) connectTo(fd, to, family uint64) string {
	addr := loopbackAddr(family, w.port(to))
	return result(w.call("connect", fd, w.place(addr), uint64(len(addr))))
}

// events polls all descriptors, for everything.
func (w *world) events(live []int) string {
	var b []byte
	for _, i := range live {
		b = le.AppendUint32(b, uint32(w.fds[i]))
		b = le.AppendUint32(b, pollIn|pollOut|pollRdhup|pollRdnorm|pollWrnorm|pollWrband)
	}
	at := w.place(b)
	w.call("poll", at, uint64(len(live)), 0)
	out := w.fetch(at, len(b))
	var text strings.Builder
	for i, fd := range live {
		fmt.Fprintf(&text, " %d:%#x", fd, le.Uint16(out[8*i+6:]))
	}
	return text.String()
}

// edges is what an epoll instance tells of now.
func (w *world) edges(ep int) string {
	at := w.place(make([]byte, 12*16))
	n := w.call("epoll_wait", w.fds[ep], at, 16, 0)
	var list []string
	for i := range max(n, 0) {
		e := w.fetch(at+12*uint64(i), 12)
		list = append(list, fmt.Sprintf("%d:%#x", le.Uint64(e[4:]), le.Uint32(e)))
	}
	slices.Sort(list)
	return fmt.Sprint(result(n), list)
}

// duel runs the same script on both sides and compares what it says at every step.
type duel struct {
	testing.TB
	guest, host *world
	log         []string
}

func newDuel(t testing.TB) *duel {
	d := &duel{TB: t, guest: &world{side: guestSide{newRig(t, nil)}, closed: map[int]bool{}},
		host: &world{side: hostSide{new([][]byte)}, closed: map[int]bool{}}}
	t.Cleanup(d.end)
	return d
}

// end closes what the host's side has open.
func (d *duel) end() {
	for i, fd := range d.host.fds {
		if !d.host.closed[i] {
			if err := unix.Close(int(fd)); err != nil {
				d.Errorf("closing descriptor %d: %v", fd, err)
			}
		}
	}
	d.host.fds = nil
}

// both runs f on both sides. What travels through the host's loopback interface may
// need a moment, so the host may try again.
func (d *duel) both(name string, f func(w *world) string) string {
	d.Helper()
	want := f(d.guest)
	d.guest.tidy()
	got := f(d.host)
	for wait := time.Microsecond; got != want && wait < 200*time.Millisecond &&
		(strings.HasPrefix(got, "EAGAIN") || strings.HasPrefix(got, " ") || strings.HasPrefix(got, "0[]")); wait *= 2 {
		time.Sleep(wait)
		got = f(d.host)
	}
	d.host.tidy()
	d.log = append(d.log, fmt.Sprintf("%s: guest %s", name, want))
	if got != want {
		d.Fatalf("%s\n%s: host  %s", strings.Join(d.log, "\n"), name, got)
	}
	return want
}

var sockKinds = []struct {
	name         string
	family, kind uint64
}{
	{"unix stream", afUnix, sockStream}, {"unix seqpacket", afUnix, sockSeqpacket}, {"unix datagram", afUnix, sockDgram},
	{"TCP", afInet, sockStream}, {"TCP over IPv6", afInet6, sockStream}, {"UDP", afInet, sockDgram}, {"UDP over IPv6", afInet6, sockDgram},
}

// connected makes descriptors 0 and 1 the ends of a connection that never waits.
func (d *duel) connected(family, kind uint64) {
	t := kind | oNonblock
	switch {
	case family == afUnix:
		d.both("socketpair", func(w *world) string { return w.pair(family, t) })
	case kind == sockDgram:
		for range 2 {
			d.both("socket", func(w *world) string { return w.open("socket", family, t, 0) })
			d.both("bind", func(w *world) string { return w.bindAnywhere(w.fds[len(w.fds)-1], family) })
		}
		d.both("connect", func(w *world) string { return w.connectTo(w.fds[0], w.fds[1], family) })
		d.both("connect", func(w *world) string { return w.connectTo(w.fds[1], w.fds[0], family) })
	default:
		for range 2 {
			d.both("socket", func(w *world) string { return w.open("socket", family, t, 0) })
		}
		d.both("bind", func(w *world) string { return w.bindAnywhere(w.fds[0], family) })
		d.both("listen", func(w *world) string { return result(w.call("listen", w.fds[0], 5)) })
		d.both("connect", func(w *world) string { return w.connectTo(w.fds[1], w.fds[0], family) })
		d.both("poll", func(w *world) string { return w.events([]int{0, 1}) })
		d.both("accept", func(w *world) string { return w.open("accept4", w.fds[0], 0, 0, oNonblock) })
		d.both("close", func(w *world) string {
			n := w.call("close", w.fds[0])
			w.fds = []uint64{w.fds[1], w.fds[2]}
			return result(n)
		})
		d.both("connect again", func(w *world) string {
			addr := loopbackAddr(family, []byte{0, 9})
			return result(w.call("connect", w.fds[0], w.place(addr), uint64(len(addr))))
		})
	}
}

// TestSocketsAgainstLinux compares what sockets do with what the host's do: results,
// data, poll events and edges, for random sequences of operations on both ends.
func TestSocketsAgainstLinux(t *testing.T) {
	if _, err := os.Stat("/proc/net/if_inet6"); err != nil {
		t.Skip("the host has no IPv6")
	}
	for _, k := range sockKinds {
		t.Run(k.name, func(t *testing.T) {
			for seed := range uint64(30) {
				d := newDuel(t)
				d.connected(k.family, k.kind)
				walk := &sockWalk{duel: d, rng: rand.New(rand.NewPCG(seed, 1)), family: k.family, kind: k.kind}
				walk.run(40)
				d.end()
			}
		})
	}
}

// sockWalk is a random sequence of operations on a connection.
type sockWalk struct {
	*duel
	rng          *rand.Rand
	family, kind uint64
	closed       [2]bool
	sent         [2]int // bytes since the other end was empty
	serial       byte
	ending       bool // of a TCP connection: when its acknowledgements come is the host's affair
}

func (s *sockWalk) run(steps int) {
	t := s.TB
	s.both("epoll_create1", func(w *world) string { return w.open("epoll_create1", 0) })
	if s.family != afUnix && s.kind == sockStream {
		for i := range 2 {
			s.both("TCP_NODELAY", func(w *world) string {
				return result(w.call("setsockopt", w.fds[i], ipprotoTCP, 1, w.place([]byte{1, 0, 0, 0}), 4))
			})
		}
	}
	for i := range uint64(2) {
		ev := uint32(pollIn|pollOut|pollRdhup) | uint32(s.rng.IntN(2))*epollEdge
		if ev&epollEdge != 0 && s.kind == sockStream && s.family == afUnix {
			ev &^= pollOut // an edge when a segment is used up: here, when bytes are taken
		}
		s.both("epoll_ctl", func(w *world) string {
			return result(w.call("epoll_ctl", w.fds[2], 1, w.fds[i], w.place(le.AppendUint64(le.AppendUint32(nil, ev), i))))
		})
	}
	for range steps {
		i := s.rng.IntN(2)
		if s.closed[i] {
			i = 1 - i
		}
		if s.closed[i] {
			return
		}
		s.step(i)
		if s.rng.IntN(6) == 0 {
			s.restart()
		}
		var live []int
		for j := range 2 {
			if !s.closed[j] {
				live = append(live, j)
			}
		}
		s.both("poll", func(w *world) string { return w.events(live) })
		if s.rng.IntN(2) == 0 && !s.ending {
			s.both("epoll_wait", func(w *world) string { return w.edges(2) })
		}
		if t.Failed() {
			return
		}
	}
}

// restart ends the power of the guest's side, which must not show.
func (s *sockWalk) restart() {
	r := s.guest.side.(guestSide).rig
	s.log = append(s.log, "restart")
	r.ok(r.k.Release())
	before := r.k.Records()
	r.ok(r.reborn(before))
	if diff := cmp.Diff(before, r.k.Records()); diff != "" {
		s.Fatalf("what a restart restores is not what was there:\n%s", diff)
	}
}

func (s *sockWalk) step(i int) {
	switch s.rng.IntN(16) {
	case 0, 1, 2, 3, 4:
		n := s.rng.IntN(900)
		if s.sent[i]+n > 4000 { // so much every kernel takes
			return
		}
		s.sent[i] += n
		s.serial++
		data := make([]byte, n)
		for j := range data {
			data[j] = s.serial + byte(j)
		}
		s.both(fmt.Sprintf("send %d bytes on %d", n, i), func(w *world) string {
			return result(w.call("sendto", w.fds[i], w.place(data), uint64(n), msgNosignal, 0, 0))
		})
	case 5, 6, 7, 8, 9:
		n, flags := s.rng.IntN(1200), uint64(0)
		if s.rng.IntN(4) == 0 {
			flags = msgPeek
		}
		if s.rng.IntN(4) == 0 && s.kind != sockStream {
			flags |= msgTrunc
		}
		got := s.both(fmt.Sprintf("receive %d bytes on %d, flags %#x", n, i, flags), func(w *world) string {
			at := w.place(make([]byte, n))
			r := w.call("recvfrom", w.fds[i], at, uint64(n), flags, 0, 0)
			return fmt.Sprintf("%s %x", result(r), w.fetch(at, min(n, int(max(r, 0)))))
		})
		if strings.HasPrefix(got, "EAGAIN") {
			s.sent[1-i] = 0
		}
	case 10:
		s.both(fmt.Sprintf("readv on %d", i), func(w *world) string {
			a, b := w.place(make([]byte, 7)), w.place(make([]byte, 50))
			r := w.call("readv", w.fds[i], w.place(iov(a, 7, b, 50)), 2)
			return fmt.Sprintf("%s %x %x", result(r), w.fetch(a, 7), w.fetch(b, 50))
		})
	case 11:
		s.both(fmt.Sprintf("SO_ERROR of %d", i), func(w *world) string {
			at := w.place(make([]byte, 4))
			r := w.call("getsockopt", w.fds[i], solSocket, soError, at, w.place([]byte{4, 0, 0, 0}))
			return fmt.Sprintf("%s %x", result(r), w.fetch(at, 4))
		})
	case 12:
		s.both(fmt.Sprintf("FIONREAD of %d", i), func(w *world) string {
			at := w.place(make([]byte, 4))
			r := w.call("ioctl", w.fds[i], 0x541b, at)
			return fmt.Sprintf("%s %x", result(r), w.fetch(at, 4))
		})
	case 13:
		s.both(fmt.Sprintf("getpeername of %d", i), func(w *world) string {
			at, size := w.place(make([]byte, 128)), w.place([]byte{128, 0, 0, 0})
			r := w.call("getpeername", w.fds[i], at, size)
			return fmt.Sprintf("%s %x %x", result(r), w.fetch(at, 2), w.fetch(size, 4))
		})
	case 14:
		if s.rng.IntN(3) == 0 {
			s.ending = s.family != afUnix && s.kind == sockStream
			how := s.rng.Uint64N(3)
			s.both(fmt.Sprintf("shutdown %d of %d", how, i),
				func(w *world) string { return result(w.call("shutdown", w.fds[i], how)) })
		}
	case 15:
		if s.rng.IntN(5) == 0 {
			s.closed[i] = true
			s.ending = s.family != afUnix && s.kind == sockStream
			s.both(fmt.Sprintf("close %d", i), func(w *world) string { return w.close(i) })
		}
	}
}
