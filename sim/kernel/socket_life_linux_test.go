package kernel

import (
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
)

// TestLivesOfSocketsAgainstLinux compares what becomes of sockets that are bound, listen,
// connect, accept and close in any order with what becomes of the host's.
func TestLivesOfSocketsAgainstLinux(t *testing.T) {
	for _, k := range sockKinds {
		t.Run(k.name, func(t *testing.T) {
			for seed := range uint64(30) {
				d := newDuel(t)
				l := &sockLife{duel: d, rng: rand.New(rand.NewPCG(seed, 2)), family: k.family, kind: k.kind, seed: seed}
				for range 40 {
					l.step()
					d.both("poll", func(w *world) string { return w.events(l.live) })
				}
				d.end()
			}
		})
	}
}

// sockLife is a random sequence of operations on sockets that are made as it goes.
type sockLife struct {
	*duel
	rng          *rand.Rand
	family, kind uint64
	seed         uint64
	live         []int
}

// name is the address of a socket: what it is bound to, or shall be.
func (l *sockLife) name(w *world, i int) []byte {
	if l.family == afUnix {
		return fmt.Appendf([]byte{afUnix, 0, 0}, "zhuque-%d-%d-%d-%d", os.Getpid(), l.kind, l.seed, i)
	}
	return loopbackAddr(l.family, w.port(w.fds[i]))
}

// guestSocket is a socket of this kernel.
func (l *sockLife) guestSocket(i int) *socket {
	k := l.guest.side.(guestSide).k
	return k.sockOf(k.get(int(l.guest.fds[i])))
}

func (l *sockLife) any() int { return l.live[l.rng.IntN(len(l.live))] }

func (l *sockLife) step() {
	if len(l.live) < 2 || len(l.live) < 7 && l.rng.IntN(6) == 0 {
		if l.both("socket", func(w *world) string { return w.open("socket", l.family, l.kind|oNonblock, 0) }) == "ok" {
			l.live = append(l.live, len(l.guest.fds)-1)
		}
		return
	}
	i, j := l.any(), l.any()
	on := func(what string, f func(w *world, fd uint64) string) string {
		return l.both(fmt.Sprintf("%s %d", what, i), func(w *world) string { return f(w, w.fds[i]) })
	}
	switch l.rng.IntN(14) {
	case 0, 1:
		on("bind", func(w *world, fd uint64) string {
			addr := loopbackAddr(l.family, []byte{0, 0})
			if l.family == afUnix {
				addr = l.name(w, i)
			}
			return result(w.call("bind", fd, w.place(addr), uint64(len(addr))))
		})
	case 2:
		if l.family != afUnix && l.guestSocket(j).released {
			return // Linux may still wait for the last packets of the connection that had the port
		}
		on(fmt.Sprintf("bind to the address of %d", j), func(w *world, fd uint64) string {
			addr := l.name(w, j)
			if l.family != afUnix && addr[2] == 0 && addr[3] == 0 {
				return "it has none"
			}
			return result(w.call("bind", fd, w.place(addr), uint64(len(addr))))
		})
	case 3, 4:
		backlog := l.rng.Uint64N(3)
		if l.family != afUnix {
			backlog += 8 // the host tries again only after a second when a queue is full
		}
		on(fmt.Sprintf("listen, %d may wait", backlog),
			func(w *world, fd uint64) string { return result(w.call("listen", fd, backlog)) })
	case 5, 6, 7:
		on(fmt.Sprintf("connect to %d", j), func(w *world, fd uint64) string {
			addr := l.name(w, j)
			if l.family != afUnix && addr[2] == 0 && addr[3] == 0 {
				return "it has no port"
			}
			return result(w.call("connect", fd, w.place(addr), uint64(len(addr))))
		})
	case 8, 9:
		if on("accept", func(w *world, fd uint64) string { return w.open("accept4", fd, 0, 0, oNonblock) }) == "ok" {
			l.live = append(l.live, len(l.guest.fds)-1)
		}
	case 10:
		on("send", func(w *world, fd uint64) string {
			return result(w.call("sendto", fd, w.place([]byte("hello")), 5, msgNosignal, 0, 0))
		})
	case 11:
		on("receive", func(w *world, fd uint64) string {
			at, from, size := w.place(make([]byte, 9)), w.place(make([]byte, 128)), w.place([]byte{128, 0, 0, 0})
			r := w.call("recvfrom", fd, at, 9, 0, from, size)
			return fmt.Sprintf("%s %x %x %x", result(r), w.fetch(at, int(max(r, 0))), w.fetch(from, 2), w.fetch(size, 4))
		})
	case 12:
		on("names of", func(w *world, fd uint64) string {
			text := ""
			for _, call := range []string{"getsockname", "getpeername"} {
				at, size := w.place(make([]byte, 128)), w.place([]byte{128, 0, 0, 0})
				r := w.call(call, fd, at, size)
				b := w.fetch(at, 28)
				text += fmt.Sprintf("%s %x %x %x, ", result(r), b[:2], b[4:], w.fetch(size, 4))
			}
			for _, option := range []uint64{soError, soAcceptConn, soType, soDomain, soProtocol} {
				at := w.place(make([]byte, 4))
				r := w.call("getsockopt", fd, solSocket, option, at, w.place([]byte{4, 0, 0, 0}))
				text += fmt.Sprintf("%s %x ", result(r), w.fetch(at, 4))
			}
			return text
		})
	case 13:
		if l.rng.IntN(2) == 0 {
			how := l.rng.Uint64N(3)
			if l.family != afUnix && l.guestSocket(i).state == sockIdle {
				return // what Linux makes of a socket that was shut down before it listened is its own affair
			}
			on(fmt.Sprintf("shutdown %d of", how),
				func(w *world, fd uint64) string { return result(w.call("shutdown", fd, how)) })
			return
		}
		on("close", func(w *world, _ uint64) string { return w.close(i) })
		for at, k := range l.live {
			if k == i {
				l.live = append(l.live[:at:at], l.live[at+1:]...)
				break
			}
		}
	}
}
