package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// Socket types of socket(2).
const (
	sockStream    = 1
	sockDgram     = 2
	sockRaw       = 3 // SOCK_DGRAM to AF_UNIX
	sockSeqpacket = 5
)

// Address families.
const (
	afUnspec    = 0
	afUnix      = 1
	afInet      = 2
	afInet6     = 10
	afNetlink   = 16
	afPacket    = 17
	afRds       = 21
	afCan       = 29
	afTipc      = 30
	afBluetooth = 31
	afAlg       = 38
	afVsock     = 40
	afQipcrtr   = 42
	afMax       = 46
)

// familiesWithout are the families that programs are known to do without.
var familiesWithout = []int{afNetlink, afPacket, afRds, afCan, afTipc, afBluetooth, afAlg, afVsock, afQipcrtr}

// Protocols of socket(2), which are levels of setsockopt(2) too.
const (
	ipprotoIP     = 0
	ipprotoICMP   = 1
	ipprotoTCP    = 6
	ipprotoUDP    = 17
	ipprotoIPv6   = 41
	ipprotoICMPv6 = 58
)

func familyKnown(family int) bool { return family == afUnix || family == afInet || family == afInet6 }

// typeKnown reports whether a socket of a family may have this type.
func typeKnown(family, t int) bool {
	return t == sockStream || t == sockDgram || family == afUnix && t == sockSeqpacket
}

// socketArgs checks family, type and protocol of socket and socketpair. One of
// familiesWithout is answered as by a Linux built without it.
func (c *call) socketArgs() (kind int, flags uint32, err error) {
	const typeMask = 0xf
	family, protocol := int(int32(c.a[0])), int32(c.a[2])
	kind, flags = int(int32(c.a[1]))&typeMask, uint32(c.a[1])&^typeMask
	if flags&^(oNonblock|oCloexec) != 0 {
		return 0, 0, errno.EINVAL
	}
	switch {
	case familyKnown(family):
	case family == afUnspec, family < 0, family >= afMax, slices.Contains(familiesWithout, family):
		return 0, 0, errno.EAFNOSUPPORT
	default:
		return 0, 0, c.lacks("address family %d", family)
	}
	if kind == 0 || kind > 10 {
		return 0, 0, errno.EINVAL
	}
	if family == afUnix {
		if kind == sockRaw {
			kind = sockDgram
		}
		if protocol != 0 && protocol != afUnix {
			return 0, 0, errno.EPROTONOSUPPORT
		}
		if !typeKnown(family, kind) {
			return 0, 0, errno.ESOCKTNOSUPPORT
		}
		return kind, flags, nil
	}
	const protocols = 263 // IPPROTO_MAX, MPTCP's and one
	switch {
	case protocol < 0 || protocol >= protocols:
		return 0, 0, errno.EINVAL
	case kind == sockRaw, kind == sockDgram && (protocol == ipprotoICMP || protocol == ipprotoICMPv6):
		return 0, 0, errno.EPERM // as for a program without CAP_NET_RAW
	case kind != sockStream && kind != sockDgram:
		return 0, 0, errno.ESOCKTNOSUPPORT
	case protocol != 0 && protocol != map[int]int32{sockStream: ipprotoTCP, sockDgram: ipprotoUDP}[kind]:
		return 0, 0, errno.EPROTONOSUPPORT
	}
	return kind, flags, nil
}

// installSocket opens a descriptor of a socket.
func (c *call) installSocket(s *socket, flags uint32) (int, error) {
	return c.install(desc{kind: FDSocket, flags: oRdwr | flags&oNonblock, socket: s.id}, flags&oCloexec != 0)
}

func sysSocket(c *call) (uint64, error) {
	kind, flags, err := c.socketArgs()
	if err != nil {
		return 0, err
	}
	if c.proc.free(0) >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	num, err := c.installSocket(c.newSocket(int(int32(c.a[0])), kind), flags)
	return uint64(num), err
}

func sysSocketpair(c *call) (uint64, error) {
	kind, flags, err := c.socketArgs()
	switch {
	case err != nil:
		return 0, err
	case int32(c.a[0]) != afUnix:
		return 0, errno.EOPNOTSUPP
	case c.proc.free(c.proc.free(0)+1) >= c.fdLimit():
		return 0, errno.EMFILE
	}
	a, b := c.newSocket(afUnix, kind), c.newSocket(afUnix, kind)
	c.join(a, b)
	x, err := c.installSocket(a, flags)
	if err != nil {
		return 0, err
	}
	y, err := c.installSocket(b, flags)
	if err != nil {
		return 0, err
	}
	out := le.AppendUint32(le.AppendUint32(nil, uint32(x)), uint32(y))
	if err := c.store(c.a[3], out); err != nil {
		return 0, errnoFirst(err, c.closeFD(x), c.closeFD(y))
	}
	return 0, nil
}

// join makes two sockets the ends of one connection.
func (k *Kernel) join(a, b *socket) {
	a.peer, b.peer = b.id, a.id
	a.other, b.other = b.own, a.own
	if a.kind != sockDgram {
		a.state, b.state = sockConnected, sockConnected
	}
	k.alarm(a)
	k.alarm(b)
}

// socket returns the socket in argument 0.
func (c *call) socket() (*desc, *socket, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return nil, nil, err
	case d.kind != FDSocket:
		return nil, nil, errno.ENOTSOCK
	}
	return d, c.sockOf(d), nil
}

func sysBind(c *call) (uint64, error) {
	_, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	b, err := c.sockaddr(c.a[1], c.a[2])
	if err != nil {
		return 0, err
	}
	if s.inet() {
		return 0, c.bindInet(s, b)
	}
	return 0, c.bindUnix(s, b)
}

func sysListen(c *call) (uint64, error) {
	_, s, err := c.socket()
	const somaxconn = 4096
	switch {
	case err != nil:
		return 0, err
	case s.kind == sockDgram:
		return 0, errno.EOPNOTSUPP
	case s.state != sockIdle && s.state != sockListening:
		return 0, errno.EINVAL
	case !s.inet() && s.local.path == "":
		return 0, errno.EINVAL
	}
	if s.inet() && s.state != sockListening {
		if s.local.port == 0 || s.released {
			if err := c.ephemeral(s); err != nil {
				return 0, err
			}
		} else if c.conflict(s, true) {
			return 0, errno.EADDRINUSE
		}
	}
	if s.inet() {
		s.shut = 0
	}
	s.state, s.own = sockListening, c.credentials()
	s.backlog = int(min(uint32(c.a[1]), somaxconn))
	c.touchSock(s)
	c.admit(s)
	c.outside.Recall()
	return 0, nil
}

// admit connects those that wait for room in a listener's queue.
func (k *Kernel) admit(l *socket) {
	for _, s := range slices.Clone(k.files.socks) {
		if s.state == sockConnecting && s.peer == l.id && !k.full(l) {
			k.meet(s, l)
		}
	}
}

// meet connects a socket to a listener: the other end waits to be accepted.
func (k *Kernel) meet(s, l *socket) *socket {
	b := k.newSocket(l.family, l.kind)
	b.parent, b.own, b.options = l.id, l.own, l.options
	b.rcvTimeo, b.sndTimeo = l.rcvTimeo, l.sndTimeo
	b.local, b.remote = l.local, s.local
	if s.inet() {
		b.local = s.remote
	} else {
		s.remote = l.local
	}
	k.join(s, b)
	k.alarm(l)
	return b
}

// sysConnect is connect(2).
func sysConnect(c *call) (uint64, error) {
	d, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	b, err := c.sockaddr(c.a[1], c.a[2])
	switch {
	case err != nil:
		return 0, err
	case len(b) < 2:
		return 0, errno.EINVAL
	case le.Uint16(b) == afUnspec && (s.inet() || s.kind == sockDgram):
		c.disconnect(s)
		return 0, nil
	case s.tcp():
		return 0, c.connectTCP(d, s, b)
	case s.udp():
		return 0, c.connectUDP(s, b)
	}
	return 0, c.connectUnix(d, s, b)
}

// disconnect dissolves a connection.
func (k *Kernel) disconnect(s *socket) {
	switch {
	case s.state == sockListening:
		k.stopListening(s)
	case s.state == sockConnected:
		if p := k.other(s); p != nil {
			k.reset(p)
		}
	case !s.inet() && s.peer != 0:
		k.part(s)
	}
	s.peer, s.shut, s.fin, s.state = 0, 0, false, sockIdle
	s.remote = sockName{}
	if s.family == afInet {
		s.remote.ip = any4
	}
	if s.inet() && !s.placed {
		s.local.ip = s.remote.ip
	}
	if s.udp() && !s.fixed {
		s.local.port = 0
	}
	k.alarm(s)
}

func (c *call) connectTCP(d *desc, s *socket, b []byte) error {
	waited := c.thread.wait != nil
	switch {
	case s.state == sockConnected && (waited || s.told):
		s.told = false
		c.touchSock(s)
		return nil
	case s.state == sockConnected, s.state == sockListening:
		return errno.EISCONN
	case s.state == sockConnecting && !waited:
		return c.connecting(d, s, errno.EALREADY)
	case s.state == sockConnecting:
		return c.connecting(d, s, errno.EINPROGRESS)
	case s.state == sockRefused, s.state == sockClosed && s.told:
		err := c.takeError(s)
		if err == nil {
			err = errno.ECONNABORTED
		}
		s.told = false
		c.disconnect(s)
		return err
	case s.state == sockClosed:
		return errno.EISCONN
	}
	to, err := s.inetName(b)
	if err != nil {
		return err
	}
	to.ip = destination(to.ip)
	if !here(to.ip) || isV4(to.ip) && s.option(ipprotoIPv6, ipv6V6only) != 0 {
		return errno.ENETUNREACH
	}
	if s.local.port == 0 || s.released {
		if err := c.ephemeral(s); err != nil {
			return err
		}
	}
	s.source(to)
	s.remote = to
	l := c.listenerAt(to)
	s.told = d.flags&oNonblock != 0
	switch {
	case l == nil && s.local.port == to.port && s.local.ip == to.ip: // both ends open at once, and are one
		c.join(s, s)
	case l == nil && s.told:
		c.refuse(s)
		return errno.EINPROGRESS
	case l == nil:
		s.release()
		c.disconnect(s)
		return errno.ECONNREFUSED
	case c.full(l):
		s.state, s.peer = sockConnecting, l.id
		c.touchSock(s)
		return c.connecting(d, s, errno.EINPROGRESS)
	}
	if l != nil {
		c.meet(s, l)
	}
	if s.told {
		return errno.EINPROGRESS
	}
	return nil
}

// source fills in the address that a socket sends from.
func (s *socket) source(to sockName) {
	if wildcard(s.local.ip) {
		s.local.ip = sourceFor(to.ip)
	}
}

// connecting waits until a listener has room; a socket that does not wait gets now.
func (c *call) connecting(d *desc, s *socket, now errno.Errno) error {
	if d.flags&oNonblock != 0 {
		s.told = true
		c.touchSock(s)
		return now
	}
	err := c.waitSocket(d, pollOut|pollErr|pollHup, s.sndTimeo)
	if err == errno.EAGAIN {
		return errno.EINPROGRESS
	}
	return err
}

func (c *call) connectUDP(s *socket, b []byte) error {
	to, err := s.inetName(b)
	if err != nil {
		return err
	}
	to.ip = destination(to.ip)
	if !here(to.ip) {
		return errno.ENETUNREACH
	}
	if s.local.port == 0 {
		if err := c.ephemeral(s); err != nil {
			return err
		}
	}
	s.source(to)
	s.remote = to
	c.touchSock(s)
	return nil
}

func (c *call) connectUnix(d *desc, s *socket, b []byte) error {
	n, err := unixName(b)
	if err != nil {
		return err
	}
	l, err := c.findUnix(n, s.kind)
	if err != nil {
		return err
	}
	if s.kind == sockDgram {
		if l.peer != 0 && l.peer != s.id {
			return errno.EPERM
		}
		if s.peer != 0 && s.peer != l.id {
			c.part(s)
		}
		s.peer, s.remote, s.other = l.id, l.local, l.own
		c.alarm(s)
		return nil
	}
	switch {
	case l.state != sockListening, l.shut&shutRead != 0:
		return errno.ECONNREFUSED
	case c.full(l) && d.flags&oNonblock != 0:
		return errno.EAGAIN
	case s.state == sockConnected:
		return errno.EISCONN
	case s.state != sockIdle:
		return errno.EINVAL
	case c.full(l):
		return c.waitQueue(interest{c.descOf(l).id, 0, needBacklog}, s.sndTimeo)
	}
	c.meet(s, l)
	return nil
}

func sysAccept(c *call) (uint64, error) { return c.accept(0) }

func sysAccept4(c *call) (uint64, error) { return c.accept(uint32(c.a[3])) }

func (c *call) accept(flags uint32) (uint64, error) {
	if _, err := c.desc(0); err != nil {
		return 0, err
	}
	if flags&^(oNonblock|oCloexec) != 0 {
		return 0, errno.EINVAL
	}
	d, l, err := c.socket()
	switch {
	case err != nil:
		return 0, err
	case l.kind == sockDgram:
		return 0, errno.EOPNOTSUPP
	case l.state != sockListening:
		return 0, errno.EINVAL
	case c.proc.free(0) >= c.fdLimit():
		return 0, errno.EMFILE
	}
	queue := c.waiting(l)
	if len(queue) == 0 {
		if d.flags&oNonblock != 0 {
			return 0, errno.EAGAIN
		}
		if l.shut&shutRead != 0 {
			return 0, errno.EINVAL
		}
		return 0, c.waitSocket(d, pollIn|pollErr|pollHup, l.rcvTimeo)
	}
	s := queue[0]
	if c.a[1] != 0 {
		if err := c.putSized(c.a[1], c.a[2], s.encode(s.remote)); err != nil {
			return 0, err
		}
	}
	s.parent = 0
	c.touchSock(s)
	num, err := c.installSocket(s, flags)
	c.admit(l)
	c.outside.Recall()
	return uint64(num), err
}

func sysShutdown(c *call) (uint64, error) {
	_, s, err := c.socket()
	how := uint32(c.a[1])
	switch {
	case err != nil:
		return 0, err
	case how > 2:
		return 0, errno.EINVAL
	}
	bits := uint8(how + 1)
	if s.tcp() {
		s.told = false
	}
	p := c.other(s)
	switch {
	case s.tcp() && s.state == sockListening:
		if bits&shutRead != 0 {
			c.stopListening(s)
		}
		return 0, nil
	case s.tcp() && s.state != sockConnected, s.udp() && s.remote.port == 0:
		s.shut |= bits // all the same
		c.alarm(s)
		return 0, errno.ENOTCONN
	case s.tcp() && bits&shutWrite != 0 && s.shut&shutWrite == 0:
		if s.outside != 0 {
			c.outside.Finish(s.outside)
		}
		s.shut |= bits
		if p != nil {
			c.finish(s, p)
		} else if s.fin { // the other end is gone: both directions are closed
			s.state, s.shut = sockClosed, shutBoth
		}
	default:
		s.shut |= bits
		if p != nil && !s.inet() && s.kind != sockDgram {
			p.shut |= bits>>1 | bits<<1&shutWrite // what one end does not read, the other cannot write
			c.alarm(p)
		}
	}
	c.alarm(s)
	return 0, nil
}

func sysGetsockname(c *call) (uint64, error) {
	_, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	return 0, c.putSized(c.a[1], c.a[2], s.encode(s.local))
}

func sysGetpeername(c *call) (uint64, error) {
	_, s, err := c.socket()
	switch {
	case err != nil:
		return 0, err
	case s.tcp() && s.state != sockConnected, s.udp() && s.remote.port == 0, !s.inet() && s.peer == 0:
		return 0, errno.ENOTCONN
	}
	return 0, c.putSized(c.a[1], c.a[2], s.encode(s.remote))
}

// putSized writes a result of which the caller says at size how much it can take,
// and is told there how much there is.
func (c *call) putSized(va, size uint64, data []byte) error {
	var b [4]byte
	if err := c.load(size, b[:]); err != nil {
		return err
	}
	room := int32(le.Uint32(b[:]))
	if room < 0 {
		return errno.EINVAL
	}
	if err := c.store(va, data[:min(len(data), int(room))]); err != nil {
		return err
	}
	return c.put32(size, uint32(len(data)))
}

// waitSocket waits until a description has one of some poll events, at most as long
// as SO_RCVTIMEO or SO_SNDTIMEO says.
func (c *call) waitSocket(d *desc, events uint16, timeout phys.Nanos) error {
	return c.waitQueue(interest{d.id, events, 0}, timeout)
}

// waitQueue is waitSocket for any interest.
func (c *call) waitQueue(on interest, timeout phys.Nanos) error {
	if timeout == 0 {
		return c.waitFor(wait{on: []interest{on}, deadline: forever})
	}
	row := *c.row
	row.Restart = false // signal(7): such a call is never restarted
	c.row = &row
	err := c.waitFor(wait{on: []interest{on}, deadline: c.after(timeout)})
	if err == errTimeout {
		return errno.EAGAIN
	}
	return err
}

// takeError returns and clears a socket's pending error, nil for none.
func (c *call) takeError(s *socket) error {
	if s.err == 0 {
		return nil
	}
	err := s.err
	s.err = 0
	c.touchSock(s)
	return err
}
