package kernel

import (
	"zhuque/sim/kernel/errno"
)

// incoming is what a call receives and how.
type incoming struct {
	to    []span // guest memory
	size  uint64
	flags uint32

	n        uint64 // bytes put there
	whole    uint64 // bytes of the datagram, of which the rest is lost
	from     *sockName
	rights   []int // descriptions that came along
	sender   credentials
	attached bool // sender is known
}

// scatter writes data to the guest memory behind the first skip bytes of a list.
func (c *call) scatter(to []span, skip uint64, data []byte) (n int, err error) {
	for _, s := range to {
		had := min(skip, s.n)
		at, left := s.at+had, s.n-had
		skip -= had
		if left = min(left, uint64(len(data)-n)); left == 0 {
			continue
		}
		m, err := c.copyOut(at, data[n:n+int(left)])
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// receive receives on a socket.
func (c *call) receive(d *desc, in *incoming) (uint64, error) {
	s := c.sockOf(d)
	if d.flags&oNonblock != 0 {
		in.flags |= msgDontwait
	}
	switch {
	case in.flags&msgErrqueue != 0:
		return 0, errno.EAGAIN
	case in.flags&msgOOB != 0 && s.tcp() && s.state == sockListening:
		return 0, errno.ENOTCONN
	case in.flags&msgOOB != 0 && s.tcp():
		return 0, errno.EINVAL
	case in.flags&msgOOB != 0:
		return 0, errno.EOPNOTSUPP
	case s.stream():
		n, err := c.receiveStream(d, s, in)
		return c.continues(n, err)
	}
	return c.receiveMessage(d, s, in)
}

// unreadable tells what is in the way of receiving on a stream.
func (s *socket) unreadable() error {
	switch {
	case s.state == sockConnected, s.state == sockClosed, s.state == sockRefused, s.state == sockConnecting:
		return nil
	case s.inet() && s.state == sockIdle && (s.shut&shutRead != 0 || s.err != 0):
		return nil
	case s.inet():
		return errno.ENOTCONN
	}
	return errno.EINVAL
}

func (c *call) receiveStream(d *desc, s *socket, in *incoming) (uint64, error) {
	if err := s.unreadable(); err != nil {
		return 0, err
	}
	skip := c.moved()
	left := in.size - skip
	p := c.received(s)
	if left == 0 && (skip > 0 || len(p.data) > 0) { // no bytes are waited for like any
		return 0, nil
	}
	n, stop := c.upTo(s, min(left, uint64(len(p.data))))
	if in.flags&msgTrunc != 0 && s.tcp() { // the bytes are thrown away
		c.drain(s, int(n))
		return n, nil
	}
	got, err := c.scatter(in.to, skip, p.data[:n])
	stop = stop || uint64(got) < n
	if in.n = uint64(got); got > 0 {
		c.pickUp(s, uint64(got), in)
		if in.flags&msgPeek == 0 {
			c.drain(s, got)
		}
	}
	switch {
	case err != nil:
		return uint64(got), err
	case left > 0 && uint64(got) == left || stop:
		return uint64(got), nil
	case got > 0 && (in.flags&msgWaitall == 0 || in.flags&(msgPeek|msgDontwait) != 0):
		return uint64(got), nil
	}
	if over, err := c.over(s); over {
		return uint64(got), err
	}
	if in.flags&msgDontwait != 0 {
		return 0, errno.EAGAIN
	}
	return uint64(got), c.waitSocket(d, pollIn|pollErr|pollHup|pollRdhup, s.rcvTimeo)
}

// over reports whether nothing comes on a stream any more; the error tells why, once.
func (c *call) over(s *socket) (bool, error) {
	if s.tcp() && s.fin {
		return true, nil
	}
	if err := c.takeError(s); err != nil {
		return true, err
	}
	return s.shut&shutRead != 0 || s.state == sockClosed, nil
}

// upTo bounds the n bytes that one call gets from a stream: it ends behind bytes
// that came with descriptors. stop tells that it does.
func (c *call) upTo(s *socket, n uint64) (m uint64, stop bool) {
	at := c.received(s).taken
	for _, m := range s.messages {
		if len(m.rights) > 0 && m.end-at <= n {
			return m.end - at, true
		}
	}
	return n, false
}

// pickUp takes what came with the next n bytes of a stream.
func (c *call) pickUp(s *socket, n uint64, in *incoming) {
	at := c.received(s).taken
	in.sender, in.attached = s.other, true
	kept := s.messages[:0:0]
	for _, m := range s.messages {
		if m.start >= at+n {
			kept = append(kept, m)
			continue
		}
		in.rights = append(in.rights, m.rights...)
		if m.explicit {
			in.sender = m.sender
		}
		if in.flags&msgPeek != 0 {
			kept = append(kept, m)
		}
	}
	if len(kept) != len(s.messages) {
		s.messages = kept
		c.touchSock(s)
	}
}

// receiveMessage receives one datagram.
func (c *call) receiveMessage(d *desc, s *socket, in *incoming) (uint64, error) {
	if s.kind == sockSeqpacket && s.state != sockConnected {
		return 0, errno.ENOTCONN
	}
	if err := c.takeError(s); err != nil {
		return 0, err
	}
	if len(s.messages) == 0 {
		closed := s.shut&shutRead != 0
		switch {
		case closed && s.kind == sockSeqpacket:
			return 0, nil
		case in.flags&msgDontwait != 0:
			return 0, errno.EAGAIN
		case closed:
			return 0, nil
		}
		return 0, c.waitSocket(d, pollIn|pollErr|pollHup|pollRdhup, s.rcvTimeo)
	}
	m, p := s.messages[0], c.received(s)
	in.whole = m.end - m.start
	n := min(in.whole, in.size)
	got, err := c.scatter(in.to, 0, p.data[:n])
	if err != nil {
		return 0, err
	}
	in.n, in.from = uint64(got), &m.from
	in.rights, in.sender, in.attached = m.rights, m.sender, true
	if in.flags&msgPeek == 0 {
		s.messages = s.messages[1:]
		c.touchSock(s)
		c.drain(s, int(in.whole))
	}
	if in.flags&msgTrunc != 0 {
		return in.whole, nil
	}
	return n, nil
}

// settleRights ends the travel of descriptors that were received: into the table of
// descriptors when a list of their numbers is wanted, else they are closed.
func (c *call) settleRights(in *incoming, want int) (numbers []int) {
	for _, id := range in.rights {
		if len(numbers) < want {
			if num := c.proc.free(0); num < c.fdLimit() {
				c.bind(num, id, in.flags&msgCmsgCloexec != 0)
				numbers = append(numbers, num)
			}
		}
		if in.flags&msgPeek == 0 {
			c.unrefDesc(id)
		}
	}
	return numbers
}

// ancillary writes what came along to the control buffer of recvmsg and returns its
// length and flags.
func (c *call) ancillary(s *socket, in *incoming, h *msghdr) (size uint64, flags uint32, err error) {
	const scmRights, scmCredentials = 1, 2
	var out []byte
	room := int(min(h.room, 1<<16))
	add := func(kind uint32, data []byte) {
		if len(out)+16+len(data) > room {
			flags |= msgCtrunc
			if data = data[:max(0, min(len(data), room-len(out)-16))]; room-len(out) < 16 {
				return
			}
		}
		out = le.AppendUint64(out, uint64(16+len(data)))
		out = le.AppendUint32(le.AppendUint32(out, solSocket), kind)
		out = append(out, data...)
		for len(out)%8 != 0 && len(out) < room {
			out = append(out, 0)
		}
	}
	if s.family == afUnix && in.attached && s.option(solSocket, soPasscred) != 0 {
		add(scmCredentials, in.sender.encode())
	}
	if len(in.rights) > 0 {
		want := max(0, (room-len(out)-16)/4)
		if want < len(in.rights) {
			flags |= msgCtrunc
		}
		var b []byte
		for _, num := range c.settleRights(in, want) {
			b = le.AppendUint32(b, uint32(num))
		}
		if len(b) > 0 {
			add(scmRights, b)
		}
		in.rights = nil
	}
	if len(out) > 0 {
		err = c.store(h.control, out)
	}
	return uint64(len(out)), flags, err
}

func sysRecvfrom(c *call) (uint64, error) {
	d, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	n := min(c.a[2], maxCount)
	in := incoming{to: []span{{c.a[1], n}}, size: n, flags: uint32(c.a[3])}
	got, err := c.receive(d, &in)
	c.settleRights(&in, 0)
	if err == nil && c.a[4] != 0 {
		err = c.putSized(c.a[4], c.a[5], s.senderName(&in))
	}
	return got, err
}

// senderName returns the address that comes with what was received, empty for none.
func (s *socket) senderName(in *incoming) []byte {
	switch {
	case in.from == nil && (s.inet() || in.n == 0 || s.remote.path == ""):
		return nil
	case in.from == nil:
		return s.encode(s.remote)
	case s.family == afUnix && in.from.path == "":
		return nil
	}
	return s.encode(*in.from)
}

func sysRecvmsg(c *call) (uint64, error) {
	d, _, err := c.socket()
	if err != nil {
		return 0, err
	}
	return c.receiveHeader(d, c.a[1], uint32(c.a[2]))
}

// receiveHeader receives where a struct msghdr says.
func (c *call) receiveHeader(d *desc, va uint64, flags uint32) (uint64, error) {
	h, err := c.header(va)
	if err != nil {
		return 0, err
	}
	s := c.sockOf(d)
	in := incoming{flags: flags &^ msgWaitforone}
	if in.to, in.size, err = c.spans(h.iov, h.count); err != nil {
		return 0, err
	}
	n, err := c.receive(d, &in)
	if err != nil {
		c.settleRights(&in, 0)
		return 0, err
	}
	size, told, err := c.ancillary(s, &in, &h)
	if err != nil {
		return 0, err
	}
	if in.whole > in.size {
		told |= msgTrunc
	}
	if s.kind == sockSeqpacket && in.from != nil {
		told |= msgEOR
	}
	told |= flags & msgCmsgCloexec
	if h.name != 0 {
		name := s.senderName(&in)
		if err := c.store(h.name, name[:min(len(name), int(h.nameLen))]); err != nil {
			return 0, err
		}
		if err := c.put32(va+8, uint32(len(name))); err != nil {
			return 0, err
		}
	}
	if err := c.put64(va+40, size); err != nil {
		return 0, err
	}
	return n, c.put32(va+48, told)
}

// sysRecvmmsg receives one message after another. Unlike Linux's, its timeout ends
// the wait for each message, not only the time between two.
func sysRecvmmsg(c *call) (uint64, error) {
	if c.a[4] != 0 {
		_, s, err := c.socket()
		if err != nil {
			return 0, err
		}
		t, err := c.timespecAt(c.a[4])
		if err != nil {
			return 0, err
		}
		was := s.rcvTimeo
		s.rcvTimeo = max(t, 1)
		defer func() { s.rcvTimeo = was }()
	}
	flags := uint32(c.a[3])
	return c.eachMessage(func(i, at uint64) (uint64, bool, error) {
		if i > 0 && flags&msgWaitforone != 0 {
			flags |= msgDontwait
		}
		d, err := c.desc(0) // what came along may have moved the description
		if err != nil {
			return 0, false, err
		}
		n, err := c.receiveHeader(d, at, flags)
		return n, true, err
	})
}

// receiveOn is a read of a socket.
func (c *call) receiveOn(d *desc, to []span) (uint64, error) {
	in := incoming{to: to}
	for _, s := range to {
		in.size += s.n
	}
	n, err := c.receive(d, &in)
	c.settleRights(&in, 0)
	return n, err
}
