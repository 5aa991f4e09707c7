package kernel

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
)

// pairOf makes a pair of sockets of a type, descriptors a and a+1.
func (r *rig) pairOf(kind, a int) {
	r.Helper()
	at := r.put(make([]byte, 8))
	r.want(0, "socketpair", afUnix, kind, 0, at)
	if b := r.get(at, 8); int(le.Uint32(b)) != a || int(le.Uint32(b[4:])) != a+1 {
		r.Fatalf("the pair is %x, want descriptors %d and %d", b, a, a+1)
	}
}

// message places a struct msghdr for one buffer and a control message of n bytes, whose
// place it returns too.
func (r *rig) message(data []byte, control []byte) (at, buffer, ancillary uint64) {
	buffer, ancillary = r.put(data), r.put(control)
	b := iov(0, 0, r.put(iov(buffer, uint64(len(data)))), 1, ancillary, uint64(len(control)), 0)
	return r.put(b), buffer, ancillary
}

// carrying is a control message of descriptors.
func carrying(fds ...uint32) []byte {
	b := le.AppendUint64(nil, uint64(16+4*len(fds)))
	b = le.AppendUint32(le.AppendUint32(b, solSocket), 1)
	for _, fd := range fds {
		b = le.AppendUint32(b, fd)
	}
	return append(b, make([]byte, -len(b)&7)...)
}

// TestRights sends descriptors over sockets, through a restart: what they lead to lives
// in the message, a receiver without room closes it, and so does the end of the socket.
func TestRights(t *testing.T) {
	for _, kind := range []int{sockStream, sockSeqpacket, sockDgram} {
		r := newRig(t, nil)
		r.want(0, "rt_sigaction", SIGPIPE, iov(1, 0, 0, 0), 0, 8)
		r.pairOf(kind, 3)
		r.want(0, "pipe2", scratch+128, oNonblock) // 5, 6
		at, _, _ := r.message([]byte("x"), carrying(5, 5))
		r.want(1, "sendmsg", 3, at, 0)
		r.want(0, "close", 5)
		r.want(3, "write", 6, "abc", 3) // the pipe still has a reader
		r.ok(r.k.Release())
		before := r.k.Records()
		r.ok(r.reborn(before))
		if !slices.EqualFunc(before, r.k.Records(), Record.Equal) {
			t.Fatal("a restart changes what travels")
		}
		at, buffer, ancillary := r.message([]byte("?"), make([]byte, 40))
		r.want(1, "recvmsg", 4, at, msgCmsgCloexec)
		if got := r.get(buffer, 1); got[0] != 'x' {
			t.Errorf("received %q", got)
		}
		c := r.get(ancillary, 24)
		if le.Uint64(c) != 24 || le.Uint32(c[16:]) != 5 || le.Uint32(c[20:]) != 7 {
			t.Errorf("came along: %x", c)
		}
		r.want(1, "fcntl", 7, 1)
		r.want(3, "read", 7, scratch, 9)
		r.want(0, "close", 5)
		r.want(0, "close", 7)
		r.want(errno.EPIPE, "write", 6, "abc", 3) // both are gone

		r.want(0, "pipe2", scratch+128, oNonblock) // 5, 7
		at, _, _ = r.message([]byte("x"), carrying(5))
		r.want(1, "sendmsg", 3, at, 0)
		r.want(0, "close", 5)
		r.want(1, "recvfrom", 4, scratch, 1, 0, 0, 0) // nowhere to put it
		r.want(errno.EPIPE, "write", 7, "abc", 3)

		r.want(0, "pipe2", scratch+128, oNonblock) // 5, 8
		at, _, _ = r.message([]byte("x"), carrying(5))
		r.want(1, "sendmsg", 3, at, 0)
		r.want(0, "close", 5)
		r.want(1, "write", 8, "a", 1)
		r.want(0, "close", 4) // with the message unread
		r.want(errno.EPIPE, "write", 8, "abc", 3)
		r.want(errno.EBADF, "sendmsg", 3, func() uint64 { at, _, _ := r.message([]byte("x"), carrying(99)); return at }(), 0)
	}
}

// TestRightsEndARead: bytes that came with descriptors end a read, as unix(7) has it.
func TestRightsEndARead(t *testing.T) {
	r := newRig(t, nil)
	r.pairOf(sockStream, 3)
	r.want(2, "write", 3, "ab", 2)
	at, _, _ := r.message([]byte("cd"), carrying(1))
	r.want(2, "sendmsg", 3, at, 0)
	r.want(2, "write", 3, "ef", 2)
	r.want(4, "read", 4, scratch, 10)
	r.want(2, "read", 4, scratch, 10)
}

// TestCredentials: with SO_PASSCRED every message says who sent it.
func TestCredentials(t *testing.T) {
	r := newRig(t, nil)
	r.pairOf(sockDgram, 3)
	r.want(0, "setsockopt", 4, solSocket, soPasscred, []byte{1, 0, 0, 0}, 4)
	r.want(1, "write", 3, "x", 1)
	at, _, ancillary := r.message([]byte("?"), make([]byte, 32))
	r.want(1, "recvmsg", 4, at, 0)
	if c := r.get(ancillary, 28); le.Uint32(c[12:]) != 2 || le.Uint32(c[16:]) != initialPID {
		t.Errorf("came along: %x", c)
	}
	r.want(0, "getsockopt", 3, solSocket, soPeercred, scratch, []byte{12, 0, 0, 0})
	if c := r.get(scratch, 12); le.Uint32(c) != initialPID {
		t.Errorf("the other end belongs to %x", c)
	}
}

// TestSocketWaits: what a socket waits for, and that its timeouts end the wait.
func TestSocketWaits(t *testing.T) {
	r := newRig(t, nil)
	r.pairOf(sockStream, 3)
	r.waits("read", 3, scratch, 1)
	r.waits("recvfrom", 3, scratch, 5, msgWaitall, 0, 0)
	r.want(errno.EAGAIN, "recvfrom", 3, scratch, 5, msgDontwait, 0, 0)
	r.want(0, "setsockopt", 3, solSocket, soRcvtimeo, iov(0, 5000), 16)
	begin := r.k.mono()
	r.want(errno.EAGAIN, "read", 3, scratch, 1)
	if took := r.k.mono() - begin; took < 5_000_000 || took > 5_100_000 {
		t.Errorf("the read waited %d ns, want 5 ms", took)
	}
	big := strings.Repeat("x", 60_000)
	for range 2 { // the second fills the queue, and waits with the rest
		r.next = scratch + 4096
		r.prepare("write", 4, big, 60_000)
		r.k.Syscall(r.c)
	}
	if w := r.k.thread.wait; w == nil || w.moved != PipeCapacity-60_000 {
		t.Fatalf("a write of more than there is room for: %v", w)
	}
	r.giveUp()
}

// TestFullConnectionBeforeItIsAccepted: who sends packets to a connection that nobody has
// accepted waits for room, as behind that.
func TestFullConnectionBeforeItIsAccepted(t *testing.T) {
	r := newRig(t, nil)
	const name = "\x01\x00\x00name"
	r.want(3, "socket", afUnix, sockSeqpacket, 0)
	r.want(0, "bind", 3, name, len(name))
	r.want(0, "listen", 3, 0)
	r.want(4, "socket", afUnix, sockSeqpacket, 0)
	r.want(0, "connect", 4, name, len(name))
	for range PipeCapacity / 1024 {
		r.want(1024, "write", 4, scratch, 1024)
	}
	r.want(errno.EAGAIN, "sendto", 4, scratch, 1024, msgDontwait, 0, 0)
	r.waits("write", 4, scratch, 1024)
	tid := r.forked()
	r.raw("write", 4, scratch, 1024)
	r.as(tid)
	r.want(5, "accept", 3, 0, 0)
	if r.k.runnable(r.k.threads[0]) {
		t.Error("the queue is full, and the sender goes on")
	}
	r.want(1024, "read", 5, scratch, 1024)
	if !r.k.runnable(r.k.threads[0]) {
		t.Error("there is room, and the sender waits")
	}
	r.want(0, "close", 5)
	if !r.k.runnable(r.k.threads[0]) {
		t.Error("the other end is gone, and the sender waits")
	}
}

// TestBacklog: a listener whose queue is full makes UNIX clients wait and TCP ones stay
// in the middle of connecting, until somebody is accepted.
func TestBacklog(t *testing.T) {
	r := newRig(t, nil)
	for i, name := range []string{"\x01\x00\x00name", "\x02\x00\x27\x0f\x7f\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00"} {
		tcp := i == 1
		family := int(name[0])
		r.want(3, "socket", family, sockStream|oNonblock, 0)
		r.want(0, "bind", 3, name, len(name))
		r.want(0, "listen", 3, 0)
		result := any(0)
		if tcp {
			result = errno.EINPROGRESS
		}
		r.want(4, "socket", family, sockStream|oNonblock, 0)
		r.want(result, "connect", 4, name, len(name))
		r.want(5, "socket", family, sockStream|oNonblock, 0)
		if !tcp {
			result = errno.EAGAIN
		}
		r.want(result, "connect", 5, name, len(name))
		r.want(6, "socket", family, sockStream, 0)
		r.waits("connect", 6, name, len(name))
		if tcp {
			r.want(errno.EALREADY, "connect", 5, name, len(name))
			r.want(0, "poll", iov(5|pollOut<<32), 1, 0)
		}
		r.want(7, "accept4", 3, 0, 0, 0)
		if tcp {
			r.want(1, "poll", iov(5|pollOut<<32), 1, 0)
		}
		r.want(0, "connect", 5, name, len(name))
		if tcp {
			r.want(errno.EISCONN, "connect", 5, name, len(name))
		}
		r.want(0, "close", 3)
		r.want(errno.ECONNRESET, "read", 5, scratch, 1) // it was not accepted
		for fd := 4; fd < 8; fd++ {
			r.want(0, "close", fd)
		}
	}
	for _, rec := range r.k.Records() {
		if rec.Key.Kind == KindSocket || rec.Key.Kind == KindPipe {
			t.Errorf("left over: %v", rec)
		}
	}
}

// TestPathNames: a name in the file tree is a node that outlives its socket and is
// no socket any more then.
func TestPathNames(t *testing.T) {
	r := newRig(t, nil)
	const name = "\x01\x00/tmp/door"
	r.want(3, "socket", afUnix, sockStream, 0)
	r.want(0, "bind", 3, name, len(name)+1)
	r.want(errno.EINVAL, "bind", 3, name, len(name)+1)
	r.want(4, "socket", afUnix, sockStream, 0)
	r.want(errno.EADDRINUSE, "bind", 4, name, len(name)+1)
	r.want(errno.ECONNREFUSED, "connect", 4, name, len(name)+1)
	r.want(0, "listen", 3, 5)
	r.ok(r.k.Release())
	r.ok(r.reborn(r.k.Records()))
	r.want(0, "rename", "/tmp/door", "/tmp/gate")
	r.want(errno.ENOENT, "connect", 4, name, len(name)+1)
	r.want(0, "connect", 4, "\x01\x00/tmp/gate", len(name)+1)
	r.want(errno.ENXIO, "open", "/tmp/gate", oRdwr, 0)
	size := r.put([]byte{99, 0, 0, 0})
	r.want(0, "getpeername", 4, scratch, size)
	if got := string(r.get(scratch, len(name)+1)); got != name+"\x00" || r.get(size, 1)[0] != byte(len(name)+1) {
		t.Errorf("the peer is %q", got)
	}
	r.want(5, "socket", afUnix, sockDgram, 0)
	r.want(errno.EPROTOTYPE, "connect", 5, "\x01\x00/tmp/gate", len(name)+1)
	r.want(0, "close", 3)
	r.want(0, "access", "/tmp/gate", 0)
	r.want(errno.ECONNREFUSED, "connect", 5, "\x01\x00/tmp/gate", len(name)+1)
}

// TestNoWayOut: addresses that are not of this machine cannot be reached or taken.
func TestNoWayOut(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "socket", afInet, sockStream, 0)
	r.want(4, "socket", afInet, sockDgram, 0)
	r.want(5, "socket", afInet6, sockStream, 0)
	for _, ip := range []string{"\x08\x08\x08\x08", "\x0a\x00\x00\x01", "\xff\xff\xff\xff", "\xe0\x00\x00\x01"} {
		addr := "\x02\x00\x00\x50" + ip + "\x00\x00\x00\x00\x00\x00\x00\x00"
		r.want(errno.ENETUNREACH, "connect", 3, addr, 16)
		r.want(errno.ENETUNREACH, "connect", 4, addr, 16)
		r.want(errno.ENETUNREACH, "sendto", 4, "x", 1, 0, addr, 16)
		r.want(errno.EADDRNOTAVAIL, "bind", 3, addr, 16)
	}
	global := "\x0a\x00\x00\x50\x00\x00\x00\x00\x20\x01" + strings.Repeat("\x00", 14) + "\x00\x00\x00\x00"
	r.want(errno.ENETUNREACH, "connect", 5, global, 28)
	r.want(errno.EADDRNOTAVAIL, "bind", 5, global, 28)
}

// TestNestedEpoll: an instance inside another tells of what the inner one would tell
// of; none may watch itself.
func TestNestedEpoll(t *testing.T) {
	r := newRig(t, nil)
	const add, mod = 1, 3
	event := func(events uint32, data uint64) []byte { return le.AppendUint64(le.AppendUint32(nil, events), data) }
	r.want(3, "epoll_create1", 0)
	r.want(4, "epoll_create1", 0)
	r.pairOf(sockStream, 5)
	r.want(0, "epoll_ctl", 3, add, 4, event(pollIn|epollEdge, 1))
	r.want(0, "epoll_ctl", 4, add, 5, event(pollIn, 2))
	r.want(errno.ELOOP, "epoll_ctl", 4, add, 3, event(pollIn, 3))
	r.want(errno.EINVAL, "epoll_ctl", 3, add, 3, event(pollIn, 3))
	r.want(0, "epoll_wait", 3, scratch, 4, 0)
	for range 2 {
		r.want(1, "write", 6, "x", 1)
		r.ok(r.k.Release())
		r.ok(r.reborn(r.k.Records()))
		r.want(1, "epoll_wait", 3, scratch, 4, 0)
		r.want(0, "epoll_wait", 3, scratch, 4, 0) // no news
		r.want(1, "epoll_wait", 4, scratch, 4, 0)
	}
	inner := 4
	for n := 7; n <= 10; n++ { // 4 inside 7 inside 8 inside 9 inside 10
		r.want(n, "epoll_create1", 0)
		r.want(0, "epoll_ctl", n, add, inner, event(pollIn, 9))
		inner = n
	}
	r.want(11, "epoll_create1", 0)
	r.want(errno.ELOOP, "epoll_ctl", 11, add, 10, event(pollIn, 9))
	r.want(errno.EINVAL, "epoll_ctl", 3, mod, 4, event(pollIn|epollExclusive, 1))
	r.want(errno.EINVAL, "epoll_ctl", 3, add, 6, event(pollIn|epollExclusive|epollOneshot, 1))
	r.want(0, "epoll_ctl", 3, add, 6, event(pollIn|epollExclusive, 1))
	r.want(errno.EINVAL, "epoll_ctl", 3, mod, 6, event(pollIn, 1))
}

// TestEpollTurns: with room for one event everybody who is ready has a turn.
func TestEpollTurns(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "epoll_create1", 0)
	for i := range 3 {
		r.want(4+i, "eventfd2", 1, 0)
		r.want(0, "epoll_ctl", 3, 1, 4+i, le.AppendUint64(le.AppendUint32(nil, pollIn), uint64(4+i)))
	}
	seen := ""
	for range 6 {
		r.want(1, "epoll_wait", 3, scratch, 1, 0)
		seen += fmt.Sprint(r.get(scratch+4, 1)[0])
	}
	if seen != "456456" {
		t.Errorf("turns in the order %s", seen)
	}
}
