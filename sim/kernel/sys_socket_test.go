package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// TestSocketFindsNobody: a UNIX socket exists, and nobody listens anywhere.
func TestSocketFindsNobody(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "socket", afUnix, sockStream|oCloexec|oNonblock, 0)
	r.want(1, "fcntl", 3, 1)
	r.want(oRdwr|oNonblock, "fcntl", 3, 3)
	r.want(errno.ENOENT, "connect", 3, "\x01\x00/tmp/nothing", 15)
	r.want(errno.ENOENT, "connect", 3, "\x01\x00/no/thing", 110)
	r.want(errno.ECONNREFUSED, "connect", 3, "\x01\x00/etc/motd", 12)
	r.want(errno.ECONNREFUSED, "connect", 3, "\x01\x00\x00abstract", 10)
	r.want(errno.EINVAL, "connect", 3, "\x02\x00/etc/motd", 12)
	r.want(errno.EINVAL, "connect", 3, "\x01\x00", 2)
	r.want(errno.EINVAL, "connect", 3, "\x01\x00/x", 111)
	r.want(errno.EFAULT, "connect", 3, uint64(unmapped), 12)
	r.want(errno.ENOTSOCK, "connect", 1, "\x01\x00/etc/motd", 12)
	r.want(errno.EINVAL, "read", 3, scratch, 4)
	r.want(errno.ENOTCONN, "write", 3, scratch, 4)
	r.want(errno.ESPIPE, "lseek", 3, 0, 0)
	r.want(errno.EINVAL, "fsync", 3)
	r.want(0, "fstat", 3, scratch)
	if mode := le.Uint32(r.get(scratch+24, 4)); mode != vfs.ModeSocket|0o777 {
		t.Errorf("mode %#o", mode)
	}
	r.want(1, "poll", iov(3|5<<32), 1, 0)
	r.want(errno.ENOTCONN, "getpeername", 3, scratch, scratch)
	size := r.put([]byte{110, 0, 0, 0})
	r.want(0, "getsockname", 3, scratch, size)
	if got := r.get(size, 4); got[0] != 2 || r.get(scratch, 2)[0] != afUnix {
		t.Errorf("its name has %v bytes", got)
	}
	r.want(0, "getsockopt", 3, 1, 3, scratch, []byte{4, 0, 0, 0})
	if got := r.get(scratch, 1)[0]; got != sockStream {
		t.Errorf("its type is %d", got)
	}
	r.want(errno.EINVAL, "getsockopt", 3, 1, 3, scratch, []byte{0, 0, 0, 255})
	r.want(0, "getsockopt", 3, 1, soPeercred, scratch, []byte{12, 0, 0, 0})
	if got := r.get(scratch, 12); le.Uint32(got) != 0 || le.Uint32(got[4:]) != 1<<32-1 {
		t.Errorf("the peer of a socket without one is %x", got)
	}
	r.stops("getsockopt", 3, 1, 60, scratch, size)
	on := []byte{1, 0, 0, 0}
	r.want(4, "socket", afInet, sockStream, 0)
	r.want(0, "setsockopt", 4, ipprotoIP, ipRecvtos, on, 4)
	r.want(0, "getsockopt", 4, ipprotoIP, ipRecvtos, scratch, size)
	r.want(5, "socket", afInet, sockDgram, 0)
	r.want(0, "setsockopt", 5, ipprotoIP, ipRecvtos, []byte{0, 0, 0, 0}, 4)
	r.stops("setsockopt", 5, ipprotoIP, ipRecvtos, on, 4) // it would add control messages
	r.want(0, "close", 4)
	r.want(0, "close", 5)
	r.want(errno.ENOTSOCK, "getpeername", 0, scratch, scratch)
	r.want(errno.EBADF, "accept4", 77, 0, 0, 0)
	r.want(errno.EINVAL, "listen", 3, 5) // it has no name
	r.want(4, "dup", 3)
	r.want(0, "close", 3)
	r.ok(r.reborn(r.k.Records()))
	r.want(errno.ECONNREFUSED, "connect", 4, "\x01\x00/etc/motd", 12)
	r.want(0, "close", 4)
}

func TestSocketFamilies(t *testing.T) {
	r := newRig(t, nil)
	for _, family := range append(familiesWithout, afUnspec, afMax, -1) {
		r.want(errno.EAFNOSUPPORT, "socket", family, sockStream, 0)
	}
	r.want(errno.EPROTONOSUPPORT, "socket", afUnix, sockStream, 6)
	r.want(errno.ESOCKTNOSUPPORT, "socket", afUnix, 4, 0)
	r.want(errno.EINVAL, "socket", afUnix, sockStream|1<<6, 0)
	r.stops("socket", 4, sockStream, 0)
	r.want(errno.EPERM, "socket", afInet, sockRaw, 1)
	r.want(errno.EPROTONOSUPPORT, "socket", afInet6, sockStream, ipprotoUDP)
	r.want(3, "socket", afUnix, sockRaw, 0)
	r.waits("read", 3, scratch, 1) // would wait for ever
}

// TestEventfd: values add up, a read takes all of them or, of a semaphore, one.
func TestEventfd(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "eventfd2", 5, oNonblock)
	r.want(8, "write", 3, iov(7), 16)
	r.want(errno.EINVAL, "write", 3, iov(1), 7)
	r.want(errno.EINVAL, "write", 3, iov(^uint64(0)), 8)
	r.want(errno.EAGAIN, "write", 3, iov(^uint64(1)), 8)
	r.want(errno.EINVAL, "read", 3, scratch, 7)
	r.ok(r.reborn(r.k.Records()))
	r.want(8, "read", 3, scratch, 100)
	if v := le.Uint64(r.get(scratch, 8)); v != 12 {
		t.Errorf("the value is %d, want 12", v)
	}
	r.want(errno.EAGAIN, "read", 3, scratch, 8)
	r.want(8, "write", 3, iov(^uint64(1)), 8)
	r.ok(r.reborn(r.k.Records()))
	r.want(1, "poll", iov(3|5<<32), 1, 0)
	r.want(4, "eventfd2", 0, 1)
	r.want(8, "write", 4, iov(2, 7), 16)
	for range 2 {
		r.want(8, "read", 4, scratch, 8)
		if v := le.Uint64(r.get(scratch, 8)); v != 1 {
			t.Errorf("a semaphore gives %d", v)
		}
	}
	r.waits("read", 4, scratch, 8)
}

// TestEpoll: what is ready is told of with its data, once or each time, until its
// description is closed, and all of that again after a restart.
func TestEpoll(t *testing.T) {
	r := newRig(t, nil)
	event := func(events uint32, data uint64) []byte { return le.AppendUint64(le.AppendUint32(nil, events), data) }
	wait := func(want ...uint64) {
		t.Helper()
		r.want(len(want)/2, "epoll_wait", 3, scratch, 8, 0)
		for i := range len(want) / 2 {
			b := r.get(scratch+uint64(12*i), 12)
			if e, d := uint64(le.Uint32(b)), le.Uint64(b[4:]); e != want[2*i] || d != want[2*i+1] {
				t.Errorf("event %d: %#x of %d, want %#x of %d", i, e, d, want[2*i], want[2*i+1])
			}
		}
	}
	const add, del, mod = 1, 2, 3
	r.want(3, "epoll_create1", oCloexec)
	r.want(0, "pipe", scratch+64) // 4, 5
	r.want(6, "open", "/etc/motd", 0, 0)
	r.want(errno.EPERM, "epoll_ctl", 3, add, 6, event(pollIn, 1))
	r.want(errno.EINVAL, "epoll_ctl", 3, add, 3, event(pollIn, 1))
	r.want(errno.EINVAL, "epoll_ctl", 4, add, 5, event(pollIn, 1))
	r.want(errno.ENOENT, "epoll_ctl", 3, mod, 4, event(pollIn, 1))
	r.want(0, "epoll_ctl", 3, add, 4, event(pollIn, 1<<40))
	r.want(errno.EEXIST, "epoll_ctl", 3, add, 4, event(pollIn, 1))
	wait()
	r.waits("epoll_wait", 3, scratch, 8, -1)
	r.want(0, "epoll_ctl", 3, add, 5, event(pollOut|epollOneshot, 5))
	r.want(1, "write", 5, "x", 1)
	r.ok(r.reborn(r.k.Records()))
	wait(pollIn, 1<<40, pollOut, 5)
	wait(pollIn, 1<<40)
	r.want(0, "epoll_ctl", 3, mod, 5, event(pollOut, 6))
	wait(pollIn, 1<<40, pollOut, 6)
	r.want(7, "dup", 4)
	r.want(0, "close", 4)
	wait(pollIn, 1<<40, pollOut, 6) // the description is still open
	r.want(0, "close", 7)
	wait(pollOut|pollErr, 6)
	r.want(0, "epoll_ctl", 3, del, 5, 0)
	wait()
	r.want(0, "epoll_ctl", 3, add, 5, event(0, 6))
	wait(pollErr, 6)
	r.want(0, "close", 3)
	for _, rec := range r.k.Records() {
		if rec.Key.Kind == KindWatch {
			t.Errorf("closed, it still waits: %v", rec)
		}
	}
}
