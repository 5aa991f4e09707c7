package kernel

import (
	"fmt"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// sockName is the address of a socket: of a UNIX one the path, an abstract name
// with its zero byte in front; else an IPv6 address, IPv4 ones mapped, and a port.
type sockName struct {
	ip   [16]byte
	port uint16
	path string
}

func (n *sockName) code(c *codec) {
	for i := 0; i < 16; i += 8 {
		w := le.Uint64(n.ip[i:])
		code(c, &w)
		le.PutUint64(n.ip[i:], w)
	}
	code(c, &n.port)
	c.text(&n.path, maxSockPath)
}

// v4 returns an IPv4 address as an IPv6 one.
func v4(a uint32) [16]byte {
	return [16]byte{10: 0xff, 11: 0xff, 12: byte(a >> 24), 13: byte(a >> 16), 14: byte(a >> 8), 15: byte(a)}
}

var (
	loopback4 = v4(0x7f000001)
	loopback6 = [16]byte{15: 1}
	any4      = v4(0)
	any6      = [16]byte{}
)

// isV4 reports whether an address is a mapped IPv4 one.
func isV4(ip [16]byte) bool { return [12]byte(ip[:12]) == [12]byte{10: 0xff, 11: 0xff} }

// here reports whether an address is one of the loopback interface.
func here(ip [16]byte) bool { return ip == loopback6 || isV4(ip) && ip[12] == 127 }

func wildcard(ip [16]byte) bool { return ip == any4 || ip == any6 }

// destination returns where packets to an address go: to any means to this machine.
func destination(ip [16]byte) [16]byte {
	switch ip {
	case any4:
		return loopback4
	case any6:
		return loopback6
	}
	return ip
}

// sourceFor returns the address that packets to ip come from.
func sourceFor(ip [16]byte) [16]byte {
	if isV4(ip) {
		return loopback4
	}
	return loopback6
}

// covers reports whether a socket bound to its local address gets what is sent to ip.
func (s *socket) covers(ip [16]byte) bool {
	switch l := s.local.ip; {
	case l == ip:
		return true
	case l == any4:
		return isV4(ip)
	case l == any6:
		return !isV4(ip) || s.family == afInet6 && s.option(ipprotoIPv6, ipv6V6only) == 0
	}
	return false
}

// encode returns a name as a struct sockaddr of the socket's family.
func (s *socket) encode(n sockName) []byte {
	b := le.AppendUint16(nil, uint16(s.family))
	if s.family == afUnix {
		if n.path == "" {
			return b
		}
		b = append(b, n.path...)
		if n.path[0] != 0 {
			b = append(b, 0)
		}
		return b
	}
	b = append(b, byte(n.port>>8), byte(n.port))
	if s.family == afInet {
		return append(append(b, n.ip[12:]...), make([]byte, 8)...)
	}
	return append(append(append(b, 0, 0, 0, 0), n.ip[:]...), 0, 0, 0, 0)
}

// sockaddr reads an address argument.
func (c *call) sockaddr(va, size uint64) ([]byte, error) {
	n := int(int32(size))
	if n < 0 || n > 128 {
		return nil, errno.EINVAL
	}
	b := make([]byte, n)
	return b, c.load(va, b)
}

// inetName decodes an address for an IPv4 or IPv6 socket.
func (s *socket) inetName(b []byte) (n sockName, err error) {
	if len(b) < 2 || s.family == afInet && len(b) < 16 {
		return n, errno.EINVAL
	}
	family := le.Uint16(b)
	if s.family == afInet6 && family == afInet && s.udp() && len(b) >= 16 {
		n.ip = v4(uint32(b[4])<<24 | uint32(b[5])<<16 | uint32(b[6])<<8 | uint32(b[7]))
		n.port = uint16(b[2])<<8 | uint16(b[3])
		return n, nil
	}
	if s.family == afInet6 && len(b) < 24 {
		return n, errno.EINVAL
	}
	if int(family) != s.family {
		return n, errno.EAFNOSUPPORT
	}
	n.port = uint16(b[2])<<8 | uint16(b[3])
	if s.family == afInet {
		n.ip = v4(0)
		copy(n.ip[12:], b[4:8])
	} else {
		copy(n.ip[:], b[8:24])
	}
	return n, nil
}

// unixName decodes the address of a UNIX socket, which is not empty.
func unixName(b []byte) (n sockName, err error) {
	if len(b) <= 2 || len(b) > 2+maxSockPath || le.Uint16(b) != afUnix {
		return n, errno.EINVAL
	}
	if b[2] == 0 {
		n.path = string(b[2:])
	} else {
		n.path = cString(b[2:])
	}
	return n, nil
}

// findUnix returns the UNIX socket that a name leads to. Errors: those of the path,
// ECONNREFUSED when nobody is there, EPROTOTYPE when it is of another type.
func (c *call) findUnix(n sockName, kind int) (*socket, error) {
	var id vfs.NodeID
	if n.path[0] != 0 {
		var err error
		if id, err = c.FS.Walk(c.proc.cwd, n.path, true); err != nil {
			return nil, err
		}
		if err = c.FS.Permit(id, vfs.MayWrite); err != nil {
			return nil, err
		}
	}
	for _, s := range c.files.socks {
		if s.family != afUnix || s.parent != 0 || s.local.path == "" {
			continue
		}
		if id != 0 && s.node == id || id == 0 && s.local.path == n.path {
			if s.kind != kind {
				return nil, errno.EPROTOTYPE
			}
			return s, nil
		}
	}
	return nil, errno.ECONNREFUSED
}

// bindUnix gives a UNIX socket a name.
func (c *call) bindUnix(s *socket, b []byte) error {
	if len(b) == 2 && le.Uint16(b) == afUnix {
		return c.autobind(s)
	}
	n, err := unixName(b)
	if err != nil {
		return err
	}
	if s.local.path != "" {
		return errno.EINVAL
	}
	if n.path[0] == 0 {
		if c.abstractTaken(n.path) {
			return errno.EADDRINUSE
		}
		s.local = n
		c.named(s)
		return nil
	}
	pl, err := c.FS.Parent(c.proc.cwd, n.path)
	switch {
	case err != nil:
		return err
	case pl.Node != 0:
		return errno.EADDRINUSE
	}
	id, err := c.FS.Mknod(pl.Dir, pl.Name, vfs.ModeSocket|0o777&^c.proc.umask)
	if err = c.created(pl, id, err); err != nil {
		return err
	}
	c.FS.Ref(id)
	s.local, s.node = n, id
	c.named(s)
	return nil
}

// named lets everybody who will ask for it see the name that a socket has now: the
// other end of a connection, and whoever has a message of it.
func (k *Kernel) named(s *socket) {
	k.touchSock(s)
	for _, o := range k.files.socks {
		if o.peer == s.id {
			o.remote = s.local
			k.touchSock(o)
		}
		if slices.ContainsFunc(o.messages, func(m message) bool { return m.by == s.id }) {
			o.messages = slices.Clone(o.messages) // forks share the old list
			for i := range o.messages {
				if o.messages[i].by == s.id {
					o.messages[i].from = s.local
				}
			}
			k.touchSock(o)
		}
	}
}

func (c *call) abstractTaken(path string) bool {
	for _, s := range c.files.socks {
		if s.family == afUnix && s.parent == 0 && s.local.path == path {
			return true
		}
	}
	return false
}

// autobind gives a UNIX socket an abstract name of five digits, as Linux does.
func (c *call) autobind(s *socket) error {
	for s.local.path == "" {
		c.sys.names++
		c.touchSystem()
		if path := fmt.Sprintf("\x00%05x", c.sys.names&0xfffff); !c.abstractTaken(path) {
			s.local.path = path
			c.named(s)
		}
	}
	return nil
}

// commonPort is the lowest that everybody may have.
const commonPort = 1024

// bindInet gives a socket an address and a port.
func (c *call) bindInet(s *socket, b []byte) error {
	if s.family == afInet && len(b) >= 16 && le.Uint16(b) == afUnspec && le.Uint32(b[4:]) == 0 {
		b[0] = afInet // as Linux has always let through
	}
	n, err := s.inetName(b)
	switch {
	case err != nil:
		return err
	case !wildcard(n.ip) && !here(n.ip):
		return errno.EADDRNOTAVAIL
	case n.port > 0 && n.port < commonPort && !c.thread.who().can(capNetBindService):
		return errno.EACCES
	case s.state != sockIdle && s.state != sockRefused && s.state != sockClosed, s.local.port != 0 && !s.released:
		return errno.EINVAL
	case n.ip != any6 && isV4(n.ip) && s.option(ipprotoIPv6, ipv6V6only) != 0:
		return errno.EINVAL
	}
	was := *s
	s.local = n
	s.placed, s.fixed, s.released = !wildcard(n.ip), n.port != 0, false
	if n.port == 0 {
		err = c.ephemeral(s)
	} else if c.conflict(s, false) {
		err = errno.EADDRINUSE
	}
	if err != nil {
		s.local, s.placed, s.fixed, s.released = was.local, was.placed, was.fixed, was.released
		return err
	}
	c.touchSock(s)
	return nil
}

// conflict reports whether another socket is bound where s is, and both do not
// agree to share. A listener shares by SO_REUSEPORT only.
func (k *Kernel) conflict(s *socket, listens bool) bool {
	for _, o := range k.files.socks {
		if o == s || o.released || !o.inet() || o.kind != s.kind ||
			o.local.port != s.local.port || !o.covers(s.local.ip) && !s.covers(o.local.ip) {
			continue
		}
		both := func(option int32) bool {
			return s.option(solSocket, option) != 0 && o.option(solSocket, option) != 0
		}
		if both(soReusePort) || both(soReuseAddr) && (s.kind == sockDgram || !listens && o.state != sockListening) {
			continue
		}
		if listens && o.state != sockListening {
			continue
		}
		return true
	}
	return false
}

// The ports that are handed out.
const firstPort, lastPort = 32768, 60999

// ephemeral binds a socket to a port that nobody uses: the next in a row, so that
// the same run gets the same ports.
func (k *Kernel) ephemeral(s *socket) error {
	for range lastPort - firstPort + 1 {
		s.local.port = firstPort + uint16(k.sys.ports%(lastPort-firstPort+1))
		k.sys.ports++
		if !k.portTaken(s) {
			s.released = false
			k.touchSystem()
			k.touchSock(s)
			return nil
		}
	}
	s.local.port = 0
	return errno.EADDRINUSE
}

func (k *Kernel) portTaken(s *socket) bool {
	for _, o := range k.files.socks {
		if o != s && !o.released && o.inet() && o.kind == s.kind && o.local.port == s.local.port {
			return true
		}
	}
	return false
}

// listenerAt returns the TCP listener that a connection to an address finds, nil
// for none: of several that share a port, the one with the shortest queue.
func (k *Kernel) listenerAt(to sockName) *socket {
	var best *socket
	var queue int
	for _, s := range k.files.socks {
		if !s.tcp() || s.state != sockListening || s.local.port != to.port || !s.covers(to.ip) {
			continue
		}
		if n := len(k.waiting(s)); best == nil || exact(s, to) > exact(best, to) ||
			exact(s, to) == exact(best, to) && n < queue {
			best, queue = s, n
		}
	}
	return best
}

// exact ranks how closely a socket is bound to an address.
func exact(s *socket, to sockName) int {
	switch {
	case s.local.ip == to.ip:
		return 2
	case isV4(s.local.ip) == isV4(to.ip):
		return 1
	}
	return 0
}

// datagramAt returns the UDP socket that gets a datagram, nil for none: one that is
// connected to the sender before one bound to the very address, of equals the youngest.
func (k *Kernel) datagramAt(from, to sockName) *socket {
	var best *socket
	rank := -1
	for _, s := range k.files.socks {
		if !s.udp() || s.local.port != to.port || !s.covers(to.ip) {
			continue
		}
		r := exact(s, to)
		if s.remote.port != 0 {
			if s.remote.port != from.port || s.remote.ip != from.ip {
				continue
			}
			r += 4
		}
		if r >= rank {
			best, rank = s, r
		}
	}
	return best
}
