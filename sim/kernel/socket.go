package kernel

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// A socket is an object of its own: one that waits in a listener's queue has no
// description yet. What it has received and nobody has read lies in a pipe that
// nothing else leads to; where one message ends and the next begins, and what else
// came with it, the socket knows. So a connected stream is two pipes.

// sockState is what a socket has come to. Its numbers are part of the persistent image.
type sockState uint8

const (
	sockIdle       sockState = iota // not connected; a datagram socket, connected or not
	sockListening                   // the parent of the connections that wait to be accepted
	sockConnecting                  // waits for room in the queue of a TCP listener, which is its peer
	sockConnected
	sockRefused // a connect that did not wait found nobody
	sockClosed  // a TCP connection that is over
	sockStates
)

// Directions that are shut down.
const (
	shutRead  = 1
	shutWrite = 2
	shutBoth  = shutRead | shutWrite
)

// socket is one socket.
type socket struct {
	id           int
	family, kind int
	state        sockState
	in           int // the pipe that holds what it received
	peer         int // the socket it is connected to, which may be gone; 0 for none
	parent       int // the listener in whose queue it is, 0 once it was accepted
	backlog      int // of a listener: how many may wait
	local        sockName
	remote       sockName
	node         vfs.NodeID // the socket's name in the file tree, 0 for none

	shut     uint8
	fin      bool        // TCP: the other end sends no more
	fixed    bool        // the program chose the port
	placed   bool        // the program chose the address
	released bool        // it did not, and the port is free again, although it still shows
	told     bool        // a connect that did not wait has its result outstanding
	err      errno.Errno // SO_ERROR

	rcvTimeo, sndTimeo phys.Nanos // 0 for none
	options            []sockOption
	own, other         credentials // whose this end is, and the other
	messages           []message   // in order; of a stream only those with something attached
	attrs              attrs
	outside            uint64 // the connection on the host that is its peer, 0 for none
	news               news
}

// credentials is a struct ucred.
type credentials struct{ pid, uid, gid int32 }

// sockOption is a setting that is remembered, ascending by level and name.
type sockOption struct{ level, name, value int32 }

// message is a datagram, or the bytes of a stream that something was sent with.
// Positions are those of the pipe's bytes, counted from its first.
type message struct {
	start, end uint64
	from       sockName
	by         int   // the UNIX socket that sent it, which may be gone
	rights     []int // descriptions that travel with it, each counted as a reference
	sender     credentials
	explicit   bool // the sender said who it is
}

// Bounds of lists, against damaged images and endless queues.
const (
	maxMessages = 512
	maxRights   = 253 // SCM_MAX_FD
	maxOptions  = 128
	maxSockPath = 108
)

func (s *socket) code(c *codec) {
	for _, p := range []*int{&s.family, &s.kind, &s.in, &s.peer, &s.parent, &s.backlog} {
		code(c, p)
	}
	code(c, &s.state)
	s.local.code(c)
	s.remote.code(c)
	code(c, &s.node)
	code(c, &s.shut)
	for _, p := range []*bool{&s.fin, &s.placed, &s.fixed, &s.released, &s.told} {
		c.flag(p)
	}
	code(c, &s.err)
	code(c, &s.rcvTimeo)
	code(c, &s.sndTimeo)
	codeList(c, &s.options, maxOptions, func(o *sockOption) {
		code(c, &o.level)
		code(c, &o.name)
		code(c, &o.value)
	})
	s.own.code(c)
	s.other.code(c)
	codeList(c, &s.messages, maxMessages, func(m *message) { m.code(c) })
	s.attrs.code(c)
	code(c, &s.outside)
	s.news.code(c)
}

func (u *credentials) code(c *codec) {
	code(c, &u.pid)
	code(c, &u.uid)
	code(c, &u.gid)
}

func (m *message) code(c *codec) {
	code(c, &m.start)
	code(c, &m.end)
	m.from.code(c)
	code(c, &m.by)
	codeList(c, &m.rights, maxRights, func(id *int) { code(c, id) })
	m.sender.code(c)
	c.flag(&m.explicit)
}

// codeList passes a list of at most most entries, each of which f passes.
func codeList[T any](c *codec, list *[]T, most int, f func(*T)) {
	n := c.count(len(*list), most)
	if c.decoding {
		*list = nil
		if n > 0 {
			*list = make([]T, n)
		}
	}
	for i := range *list {
		f(&(*list)[i])
	}
}

// text passes a string of at most most bytes, eight to a word.
func (c *codec) text(p *string, most int) {
	n := c.count(len(*p), most)
	b := make([]byte, (n+7)&^7)
	if !c.decoding {
		copy(b, *p)
	}
	for i := 0; i < len(b); i += 8 {
		w := le.Uint64(b[i:])
		code(c, &w)
		le.PutUint64(b[i:], w)
	}
	if c.decoding {
		*p = string(b[:n])
	}
}

// news counts what happened to a description: arrivals, of data or connections, and
// room that others may write into. An edge-triggered watch tells of a description
// when the count has risen since it last did.
type news struct{ in, out uint64 }

func (n *news) code(c *codec) {
	code(c, &n.in)
	code(c, &n.out)
}

// both is a change of state, which concerns everybody.
func (n *news) both() { n.in, n.out = n.in+1, n.out+1 }

func sockKey(id int) Key { return Key{Kind: KindSocket, A: uint64(id)} }

func (k *Kernel) touchSock(s *socket) { k.touch(sockKey(s.id)) }

// alarm notes a change of a socket's state.
func (k *Kernel) alarm(s *socket) {
	s.news.both()
	k.touchSock(s)
}

// sock returns a socket, nil when there is none with that identity.
func (f *files) sock(id int) *socket {
	i, ok := slices.BinarySearchFunc(f.socks, id, func(s *socket, n int) int { return cmp.Compare(s.id, n) })
	if !ok {
		return nil
	}
	return f.socks[i]
}

// sockOf returns the socket of a description.
func (k *Kernel) sockOf(d *desc) *socket {
	s := k.files.sock(d.socket)
	if s == nil {
		panic("BUG: description without its socket")
	}
	return s
}

// descOf returns the description of a socket, nil for one in a listener's queue.
func (k *Kernel) descOf(s *socket) *desc {
	for d := range k.files.descs.all() {
		if d.kind == FDSocket && d.socket == s.id {
			return d
		}
	}
	return nil
}

// newSocket makes a socket with nothing received.
func (k *Kernel) newSocket(family, kind int) *socket {
	s := &socket{id: k.newID(), family: family, kind: kind, in: k.newID(), attrs: k.newAttrs(0o777)}
	s.own = k.credentials()
	if family == afInet {
		s.local.ip, s.remote.ip = v4(0), v4(0)
	}
	k.files.socks = append(k.files.socks, s)
	k.files.pipes = append(k.files.pipes, pipe{id: s.in, readers: 1})
	k.touchSock(s)
	k.touchPipe(s.in)
	return s
}

func (k *Kernel) credentials() credentials {
	u := k.thread.who()
	return credentials{k.proc.pid, int32(u.user.effective), int32(u.group.effective)}
}

// received returns the pipe that holds what a socket has received.
func (k *Kernel) received(s *socket) *pipe { return k.files.pipe(s.in) }

// waiting returns the connections that wait at a listener, in order.
func (k *Kernel) waiting(listener *socket) []*socket {
	var out []*socket
	for _, s := range k.files.socks {
		if s.parent == listener.id {
			out = append(out, s)
		}
	}
	return out
}

// full reports whether a listener takes no further connection: Linux lets one more
// wait than the backlog says.
func (k *Kernel) full(listener *socket) bool { return len(k.waiting(listener)) > listener.backlog }

func (s *socket) inet() bool   { return s.family != afUnix }
func (s *socket) tcp() bool    { return s.inet() && s.kind == sockStream }
func (s *socket) udp() bool    { return s.inet() && s.kind == sockDgram }
func (s *socket) stream() bool { return s.kind == sockStream }

// other returns the socket at the other end, nil when there is none any more.
func (k *Kernel) other(s *socket) *socket {
	if s.peer == 0 || s.state == sockConnecting {
		return nil
	}
	return k.files.sock(s.peer)
}

// closeSocket ends a socket whose last descriptor is closed.
func (k *Kernel) closeSocket(s *socket) {
	switch s.state {
	case sockListening:
		k.stopListening(s)
	case sockConnected:
		k.hangUp(s)
	case sockClosed:
		if s.outside != 0 {
			k.outside.HangUp(s.outside, false)
		}
	}
	k.forgetSocket(s)
}

// hangUp tells the other end of a connection that this one is gone. It is a reset
// when something was not read, or when SO_LINGER asks for one.
func (k *Kernel) hangUp(s *socket) {
	unread := len(k.received(s).data) > 0 || len(s.messages) > 0
	p := k.other(s)
	abort := unread || s.option(solSocket, soLinger) == lingerAbort
	if s.outside != 0 {
		k.outside.HangUp(s.outside, abort)
	}
	switch {
	case p == nil || p.kind == sockDgram:
		return
	case !p.inet():
		p.shut = shutBoth
		if unread || s.parent != 0 {
			p.err = errno.ECONNRESET
		}
	case abort || s.parent != 0:
		k.reset(p)
	default:
		k.finish(s, p)
	}
	k.alarm(p)
}

// finish ends one direction of a TCP connection: from writes no more.
func (k *Kernel) finish(from, to *socket) {
	to.fin = true
	to.shut |= shutRead
	from.shut |= shutWrite
	if from.fin && to.fin {
		from.state, to.state = sockClosed, sockClosed
		from.shut, to.shut = shutBoth, shutBoth
		from.release()
		to.release()
	}
	k.alarm(from)
	k.alarm(to)
}

// release gives back the port of a TCP connection that is over, unless the program
// chose it.
func (s *socket) release() { s.released = !s.fixed }

// reset ends a TCP connection with an error, as an incoming reset does.
func (k *Kernel) reset(s *socket) {
	s.err = errno.ECONNRESET
	if s.fin {
		s.err = errno.EPIPE
	}
	s.shut, s.state, s.outside = shutBoth, sockClosed, 0
	s.release()
	k.alarm(s)
}

// stopListening turns away everybody who waits at a listener.
func (k *Kernel) stopListening(l *socket) {
	for _, s := range k.waiting(l) {
		k.hangUp(s)
		k.forgetSocket(s)
	}
	l.state = sockIdle
	l.release()
	for _, s := range k.files.socks {
		if s.state == sockConnecting && s.peer == l.id {
			k.refuse(s)
		}
	}
	k.alarm(l)
}

// refuse ends a connect that did not wait.
func (k *Kernel) refuse(s *socket) {
	s.state, s.err, s.shut, s.peer = sockRefused, errno.ECONNREFUSED, shutBoth, 0
	s.release()
	k.alarm(s)
}

// forgetSocket removes a socket with what it has not read.
func (k *Kernel) forgetSocket(s *socket) {
	if len(s.messages) > 0 && !s.inet() {
		k.tellSenders(s)
	}
	k.dropMessages(s)
	if s.node != 0 {
		k.unref = append(k.unref, s.node)
	}
	i := slices.IndexFunc(k.files.pipes, func(p pipe) bool { return p.id == s.in })
	k.files.pipes = slices.Delete(k.files.pipes, i, i+1)
	k.touchPipe(s.in)
	i = slices.Index(k.files.socks, s)
	k.files.socks = slices.Delete(k.files.socks, i, i+1)
	k.touchSock(s)
}

// dropMessages forgets all messages that were not read.
func (k *Kernel) dropMessages(s *socket) {
	gone := s.messages
	s.messages = nil
	for _, m := range gone {
		for _, id := range m.rights {
			k.unrefDesc(id)
		}
	}
}

// fork returns a copy for a fork of the machine. Lists are never changed in place.
func (s *socket) fork() *socket {
	c := *s
	return &c
}

// checkSocket looks at one restored socket and counts what it refers to.
func (k *Kernel) checkSocket(s *socket) error {
	i, ok := k.files.pipeIndex(s.in)
	switch {
	case s.id < 1 || s.id > k.sys.nextID:
		return bad("socket %d of %d", s.id, k.sys.nextID)
	case !familyKnown(s.family) || !typeKnown(s.family, s.kind) || s.state >= sockStates || s.shut > shutBoth:
		return bad("socket %d of family %d and type %d in state %d", s.id, s.family, s.kind, s.state)
	case !ok:
		return bad("socket %d has no pipe", s.id)
	}
	if l := k.files.sock(s.parent); s.parent != 0 && (l == nil || l.state != sockListening) {
		return bad("socket %d waits at socket %d, which does not listen", s.id, s.parent)
	}
	p := &k.files.pipes[i]
	p.readers++
	for _, m := range s.messages {
		if m.start > m.end || m.start < p.taken && !s.stream() || m.end > p.taken+uint64(len(p.data)) {
			return bad("socket %d: a message from %d to %d", s.id, m.start, m.end)
		}
		for _, id := range m.rights {
			d := k.files.find(id)
			if d == nil {
				return bad("socket %d: description %d, which was sent to it, is not there", s.id, id)
			}
			d.refs++
		}
	}
	return nil
}
