package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

// Flags of send(2) and recv(2).
const (
	msgOOB         = 0x1
	msgPeek        = 0x2
	msgCtrunc      = 0x8
	msgTrunc       = 0x20
	msgDontwait    = 0x40
	msgEOR         = 0x80
	msgWaitall     = 0x100
	msgErrqueue    = 0x2000
	msgNosignal    = 0x4000
	msgWaitforone  = 0x10000
	msgFastopen    = 0x20000000
	msgCmsgCloexec = 0x40000000
)

const maxIovecs = 1024

// maxUDP is what a UDP datagram carries at most.
const maxUDP = 65507

// outgoing is what a call sends.
type outgoing struct {
	from     []span // guest memory
	data     []byte // or bytes that are no guest memory
	size     uint64
	flags    uint32
	to       []byte // address, nil for none
	rights   []int
	sender   credentials
	explicit bool
}

// bytes returns up to n bytes of what is sent, behind the first skip.
func (c *call) bytes(o *outgoing, skip, n uint64) ([]byte, error) {
	if o.from == nil {
		return o.data[skip:min(skip+n, uint64(len(o.data)))], nil
	}
	var out []byte
	for _, s := range o.from {
		had := min(skip, s.n)
		at, left := s.at+had, s.n-had
		skip -= had
		if left = min(left, n-uint64(len(out))); left == 0 {
			continue
		}
		data, err := c.copyIn(at, int(left))
		if out = append(out, data...); err != nil {
			return out, err
		}
	}
	return out, nil
}

// put appends bytes to what a socket has received.
func (k *Kernel) put(s *socket, data []byte) {
	p := k.received(s)
	p.data = append(p.data[:len(p.data):len(p.data)], data...)
	k.touchPipe(p.id)
	s.news.in++
	k.touchSock(s)
}

// transmit sends on a socket. It is issued again until everything of a stream is sent.
func (c *call) transmit(d *desc, o outgoing) (uint64, error) {
	s := c.sockOf(d)
	if d.flags&oNonblock != 0 {
		o.flags |= msgDontwait
	}
	switch {
	case o.flags&msgOOB != 0 && s.tcp():
		return 0, c.lacks("MSG_OOB")
	case o.flags&msgOOB != 0:
		return 0, errno.EOPNOTSUPP
	case o.flags&msgFastopen != 0 && s.tcp():
		return 0, errno.EOPNOTSUPP
	case s.stream():
		n, err := c.sendStream(d, s, &o)
		return c.continues(n, err)
	}
	return c.sendMessage(d, s, &o)
}

// broken is EPIPE with its signal.
func (c *call) broken(o *outgoing) error {
	if o.flags&msgNosignal == 0 {
		if err := c.Send(c.proc, Queued{Signal: SIGPIPE, Code: siUser, PID: c.proc.pid}); err != nil {
			return err
		}
	}
	return errno.EPIPE
}

// sendable tells what is in the way of sending on a stream.
func (c *call) sendable(s *socket, o *outgoing) error {
	p := c.other(s)
	if s.tcp() {
		switch {
		case s.err == errno.EPIPE:
			s.err = 0
			c.touchSock(s)
			return c.broken(o)
		case s.err != 0:
			return c.takeError(s)
		case s.state == sockConnecting:
			return nil
		case s.state != sockConnected || s.shut&shutWrite != 0:
			return c.broken(o)
		}
		return nil
	}
	switch {
	case o.to != nil && s.state == sockConnected:
		return errno.EISCONN
	case o.to != nil:
		return errno.EOPNOTSUPP
	case s.state != sockConnected:
		return errno.ENOTCONN
	case s.shut&shutWrite != 0:
		return c.broken(o)
	case s.err != 0:
		return c.takeError(s)
	case p == nil || p.shut&shutRead != 0:
		return c.broken(o)
	}
	return nil
}

func (c *call) sendStream(d *desc, s *socket, o *outgoing) (uint64, error) {
	skip := c.moved()
	if err := c.sendable(s, o); err != nil {
		return 0, err
	}
	p, left := c.other(s), o.size-skip
	if left == 0 {
		return 0, nil
	}
	if p == nil && s.outside == 0 && s.state == sockConnected {
		// The other end is gone: the bytes go out, and what comes back is a reset.
		s.err, s.shut, s.state = errno.EPIPE, shutBoth, sockClosed
		c.alarm(s)
		return left, nil
	}
	if s.tcp() && p != nil && p.shut == shutBoth { // it does not listen any more, and says so
		c.reset(s)
		c.reset(p)
		return left, nil
	}
	n := min(left, uint64(c.room(s)))
	var fault error
	if n > 0 {
		var data []byte
		data, fault = c.bytes(o, skip, n)
		if n = uint64(len(data)); n > 0 {
			c.deliverBytes(s, p, data, o, skip == 0)
		}
	}
	switch {
	case fault != nil:
		return n, fault
	case n == left:
		return n, nil
	case o.flags&msgDontwait != 0 && n > 0:
		return n, nil
	case o.flags&msgDontwait != 0:
		return 0, errno.EAGAIN
	}
	return n, c.waitSocket(d, pollOut|pollErr|pollHup, s.sndTimeo)
}

// deliverBytes moves bytes of a stream to the other end.
func (c *call) deliverBytes(s, p *socket, data []byte, o *outgoing, first bool) {
	if s.outside != 0 {
		c.outside.Send(s.outside, data)
		return
	}
	if first && (len(o.rights) > 0 || o.explicit) {
		at := c.received(p)
		start := at.taken + uint64(len(at.data))
		c.attach(p,
			message{start: start, end: start + uint64(len(data)), rights: o.rights, sender: o.sender, explicit: o.explicit})
	}
	if s.tcp() {
		c.work[CostPacket] += uint32(len(data)-1)/loopbackSegment + 1
	}
	c.put(p, data)
}

// loopbackSegment is what one packet carries over the loopback interface: its MTU of 65,536
// less the headers of IPv4 and TCP with a time stamp.
const loopbackSegment = 65_536 - 20 - 32

// attach appends a message to those that a socket has not read.
func (k *Kernel) attach(s *socket, m message) {
	for _, id := range m.rights {
		k.files.desc(id).refs++
	}
	s.messages = append(s.messages[:len(s.messages):len(s.messages)], m)
	k.touchSock(s)
}

// room returns how many bytes a stream takes now.
func (k *Kernel) room(s *socket) int {
	switch p := k.other(s); {
	case s.outside != 0:
		return k.outside.Room(s.outside)
	case p == nil:
		return 0
	default:
		return k.roomAt(p)
	}
}

// roomAt returns how many bytes of a stream a socket can receive now.
func (k *Kernel) roomAt(s *socket) int {
	if len(s.messages) >= maxMessages {
		return 0
	}
	return PipeCapacity - len(k.received(s).data)
}

// takes reports whether a socket can receive a datagram of n bytes.
func (k *Kernel) takes(s *socket, n int) bool {
	return n <= PipeCapacity-len(k.received(s).data) && len(s.messages) < maxMessages/2
}

// sendMessage sends a datagram, whole or not at all.
func (c *call) sendMessage(d *desc, s *socket, o *outgoing) (uint64, error) {
	if s.udp() {
		return c.sendUDP(s, o)
	}
	if err := c.takeError(s); err != nil {
		return 0, err
	}
	switch {
	case s.kind == sockSeqpacket && s.state != sockConnected:
		return 0, errno.ENOTCONN
	case o.size > bufferSizes-32:
		return 0, errno.EMSGSIZE
	case s.shut&shutWrite != 0:
		return 0, c.broken(o)
	case o.size > PipeCapacity:
		return 0, c.lacks("a datagram of %d bytes, at most %d are possible", o.size, PipeCapacity)
	}
	to, err := c.unixTarget(s, o)
	if err == nil && to.shut&shutRead != 0 {
		err = c.broken(o)
	}
	if err != nil {
		s.news.out++ // Linux gives the room back that the message had taken
		c.touchSock(s)
		return 0, err
	}
	data, err := c.bytes(o, 0, o.size)
	if err != nil {
		return 0, err
	}
	if !c.takes(to, len(data)) {
		if o.flags&msgDontwait != 0 {
			return 0, errno.EAGAIN
		}
		if s.kind != sockSeqpacket { // where the other end may wait to be accepted, without a description
			d = c.descOf(to)
		}
		return 0, c.waitQueue(interest{d.id, 0, len(data) + 1}, s.sndTimeo)
	}
	c.deliverMessage(to, data, message{from: s.local, by: s.id, rights: o.rights, sender: o.sender, explicit: o.explicit})
	return o.size, nil
}

// deliverMessage puts a datagram into a socket that takes it.
func (k *Kernel) deliverMessage(to *socket, data []byte, m message) {
	p := k.received(to)
	m.start = p.taken + uint64(len(p.data))
	m.end = m.start + uint64(len(data))
	k.attach(to, m)
	k.put(to, data)
}

// unixTarget returns the socket that gets a UNIX datagram.
func (c *call) unixTarget(s *socket, o *outgoing) (*socket, error) {
	if s.kind == sockSeqpacket {
		switch p := c.other(s); {
		case p == nil:
			return nil, c.broken(o)
		default:
			return p, nil
		}
	}
	if o.to != nil {
		n, err := unixName(o.to)
		if err != nil {
			return nil, err
		}
		p, err := c.findUnix(n, s.kind)
		if err == nil && p.peer != 0 && p.peer != s.id {
			err = errno.EPERM
		}
		return p, err
	}
	switch p := c.other(s); {
	case s.peer == 0:
		return nil, errno.ENOTCONN
	case p == nil:
		c.part(s)
		return nil, errno.ECONNREFUSED
	case p.peer != 0 && p.peer != s.id:
		return nil, errno.EPERM
	default:
		return p, nil
	}
}

// part ends the connection of a UNIX datagram socket. What it still held goes with it.
func (k *Kernel) part(s *socket) {
	old := k.other(s)
	s.peer, s.remote = 0, sockName{}
	if n := len(k.received(s).data); n > 0 || len(s.messages) > 0 {
		k.dropMessages(s)
		k.drain(s, n)
		if old != nil && old.peer == s.id {
			old.err = errno.ECONNRESET
			k.alarm(old)
		}
	}
	k.alarm(s)
}

func (c *call) sendUDP(s *socket, o *outgoing) (uint64, error) {
	if s.local.port == 0 {
		if err := c.ephemeral(s); err != nil {
			return 0, err
		}
	}
	to := s.remote
	if o.to != nil {
		n, err := s.inetName(o.to)
		if err != nil {
			return 0, err
		}
		to = n
		to.ip = destination(to.ip)
	}
	switch {
	case o.size > maxUDP:
		return 0, errno.EMSGSIZE
	case o.to == nil && s.remote.port == 0:
		return 0, errno.EDESTADDRREQ
	case to.port == 0:
		return 0, errno.EINVAL
	case !here(to.ip):
		return 0, errno.ENETUNREACH
	}
	if err := c.takeError(s); err != nil {
		return 0, err
	}
	if s.shut&shutWrite != 0 {
		return 0, c.broken(o)
	}
	data, err := c.bytes(o, 0, o.size)
	if err != nil {
		return 0, err
	}
	from := s.local
	if wildcard(from.ip) {
		from.ip = sourceFor(to.ip)
	}
	c.work[CostPacket]++
	s.news.out++ // the loopback interface has taken it, and there is room again
	c.touchSock(s)
	switch p := c.datagramAt(from, to); {
	case p == nil && s.remote.port != 0 && o.to == nil: // the answer is an ICMP message
		s.err = errno.ECONNREFUSED
		c.alarm(s)
	case p != nil && c.takes(p, len(data)): // one that has no room loses it
		c.deliverMessage(p, data, message{from: from, sender: o.sender})
	}
	return o.size, nil
}

// control decodes the ancillary data of sendmsg.
func (c *call) control(o *outgoing, b []byte) error {
	const scmRights, scmCredentials = 1, 2
	for len(b) >= 16 {
		n := le.Uint64(b)
		level, kind := int32(le.Uint32(b[8:])), int32(le.Uint32(b[12:]))
		if n < 16 || n > uint64(len(b)) {
			return errno.EINVAL
		}
		data := b[16:n]
		switch {
		case level != solSocket:
			return c.lacks("ancillary data of level %d", level)
		case kind == scmRights:
			for ; len(data) >= 4; data = data[4:] {
				d := c.get(int(int32(le.Uint32(data))))
				if d == nil {
					return errno.EBADF
				}
				o.rights = append(o.rights, d.id)
			}
			if len(o.rights) > maxRights {
				return errno.EINVAL
			}
		case kind == scmCredentials:
			if len(data) != 12 {
				return errno.EINVAL
			}
			o.sender = credentials{int32(le.Uint32(data)), int32(le.Uint32(data[4:])), int32(le.Uint32(data[8:]))}
			if c.findProcess(o.sender.pid) == nil {
				return errno.ESRCH
			}
			o.explicit = true
		default:
			return errno.EINVAL
		}
		b = b[min((n+7)&^7, uint64(len(b))):]
	}
	return nil
}

// spans reads an iovec array.
func (c *call) spans(va, count uint64) (list []span, total uint64, err error) {
	if count > maxIovecs {
		return nil, 0, errno.EMSGSIZE
	}
	b := make([]byte, 16*count)
	if err := c.load(va, b); err != nil {
		return nil, 0, err
	}
	for i := range count {
		s := span{le.Uint64(b[16*i:]), le.Uint64(b[16*i+8:])}
		if int64(s.n) < 0 {
			return nil, 0, errno.EINVAL
		}
		s.n = min(s.n, maxCount-total)
		list, total = append(list, s), total+s.n
	}
	return list, total, nil
}

// drain takes n bytes from what a socket received.
func (k *Kernel) drain(s *socket, n int) {
	p := k.received(s)
	was := k.roomy(s) && s.inet()
	p.data, p.taken = p.data[n:], p.taken+uint64(n)
	k.touchPipe(p.id)
	if s.outside != 0 {
		k.outside.Recall()
	}
	if !was && k.roomy(s) {
		k.tellSenders(s)
	}
}

// tellSenders lets those that send to a socket know that there is room: to a stream's, its
// peer alone, to another's, any that has connected to it.
func (k *Kernel) tellSenders(s *socket) {
	senders := k.files.socks
	if s.stream() {
		if senders = nil; s.peer != 0 {
			senders = []*socket{k.files.sock(s.peer)}
		}
	}
	for _, o := range senders {
		if o != nil && o.peer == s.id && o.state != sockConnecting {
			o.news.out++
			k.touchSock(o)
		}
	}
}

// nextRead returns how many bytes FIONREAD promises.
func (k *Kernel) nextRead(s *socket) int {
	switch {
	case s.stream(), s.kind == sockSeqpacket:
		return len(k.received(s).data)
	case len(s.messages) > 0:
		return int(s.messages[0].end - s.messages[0].start)
	}
	return 0
}

func sysSendto(c *call) (uint64, error) {
	d, _, err := c.socket()
	if err != nil {
		return 0, err
	}
	n := min(c.a[2], maxCount)
	o := outgoing{from: []span{{c.a[1], n}}, size: n, flags: uint32(c.a[3]), sender: c.credentials()}
	if c.a[4] != 0 {
		if o.to, err = c.sockaddr(c.a[4], c.a[5]); err != nil {
			return 0, err
		}
	}
	return c.transmit(d, o)
}

func sysSendmsg(c *call) (uint64, error) {
	d, _, err := c.socket()
	if err != nil {
		return 0, err
	}
	return c.sendHeader(d, c.a[1], uint32(c.a[2]))
}

// msghdr is a struct msghdr; at is where it lies.
type msghdr struct {
	at            uint64
	name, nameLen uint64
	iov, count    uint64
	control, room uint64
}

func (c *call) header(va uint64) (h msghdr, err error) {
	var b [56]byte
	if err := c.load(va, b[:]); err != nil {
		return h, err
	}
	word := func(i int) uint64 { return le.Uint64(b[8*i:]) }
	return msghdr{va, word(0), uint64(uint32(word(1))), word(2), word(3), word(4), word(5)}, nil
}

// sendHeader sends what a struct msghdr describes.
func (c *call) sendHeader(d *desc, va uint64, flags uint32) (uint64, error) {
	h, err := c.header(va)
	if err != nil {
		return 0, err
	}
	o := outgoing{flags: flags, sender: c.credentials()}
	if o.from, o.size, err = c.spans(h.iov, h.count); err != nil {
		return 0, err
	}
	if o.from == nil {
		o.from = []span{}
	}
	if h.name != 0 && h.nameLen != 0 {
		if o.to, err = c.sockaddr(h.name, h.nameLen); err != nil {
			return 0, err
		}
	}
	if h.control != 0 && h.room != 0 {
		if h.room > 1<<16 {
			return 0, errno.ENOBUFS
		}
		b := make([]byte, h.room)
		if err := c.load(h.control, b); err != nil {
			return 0, err
		}
		if s := c.sockOf(d); s.family == afUnix {
			err = c.control(&o, b)
		} else if len(b) >= 16 && le.Uint32(b[8:]) == solSocket {
			err = errno.EINVAL
		} else {
			err = c.lacks("ancillary data on a socket of family %d", s.family)
		}
		if err != nil {
			return 0, err
		}
	}
	return c.transmit(d, o)
}

// sysSendmmsg sends one message after another; it ends with one that a stream took
// only a part of.
func sysSendmmsg(c *call) (uint64, error) {
	return c.eachMessage(func(_, at uint64) (n uint64, whole bool, err error) {
		d, err := c.desc(0)
		if err != nil {
			return 0, false, err
		}
		if n, err = c.sendHeader(d, at, uint32(c.a[3])); err != nil {
			return 0, false, err
		}
		h, err := c.header(at)
		if err != nil {
			return 0, false, err
		}
		_, size, err := c.spans(h.iov, h.count)
		return n, n == size, err
	})
}

// eachMessage does one message after another of an array of struct mmsghdr, which is
// the call's second argument and has as many as the third says. one gets a message's
// number and address and tells how many bytes were moved and whether the call goes on
// behind it. An error counts only when no message was done before it.
func (c *call) eachMessage(one func(i, at uint64) (n uint64, more bool, err error)) (uint64, error) {
	const header, lenAt = 64, 56
	if _, _, err := c.socket(); err != nil {
		return 0, err
	}
	first := uint64(0)
	if w := c.thread.wait; w != nil {
		first = w.messages
	}
	count := min(uint64(uint32(c.a[2])), maxIovecs)
	for i := first; i < count; i++ {
		if w := c.thread.wait; w != nil && i > first {
			next := *w // what was moved so far belongs to the message that is done
			next.moved = 0
			c.thread.wait = &next
		}
		at := c.a[1] + header*i
		n, more, err := one(i, at)
		if err == nil {
			err = c.put32(at+lenAt, uint32(n))
		}
		switch {
		case err == errBlocked:
			c.pause.messages = i
			return 0, err
		case err != nil && i > 0 && !c.fatal(err):
			return i, nil
		case err != nil:
			return 0, err
		case !more:
			return i + 1, nil
		}
	}
	return count, nil
}

// sendOn is a write to a socket.
func (c *call) sendOn(d *desc, from []span) (uint64, error) {
	o := outgoing{from: slices.Clip(from), sender: c.credentials()}
	for _, s := range from {
		o.size += s.n
	}
	if o.from == nil {
		o.from = []span{}
	}
	return c.transmit(d, o)
}
