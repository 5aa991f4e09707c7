package kernel

import (
	"zhuque/sim/kernel/errno"
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
	afUnspec  = 0
	afUnix    = 1
	afInet    = 2
	afInet6   = 10
	afNetlink = 16
	afAlg     = 38
	afMax     = 46
)

// unixType reports whether a UNIX socket may have this type.
func unixType(t int) bool { return t == sockStream || t == sockDgram || t == sockSeqpacket }

// sysSocket makes UNIX sockets, on which nobody inside the machine listens: a C
// library looks for its name service daemon and goes on without. A family that
// programs are known to do without is answered as by a Linux built without it.
func sysSocket(c *call) (uint64, error) {
	const typeMask = 0xf
	family, kind, flags := int32(c.a[0]), int(int32(c.a[1]))&typeMask, uint32(c.a[1])&^typeMask
	if flags&^(oNonblock|oCloexec) != 0 {
		return 0, errno.EINVAL
	}
	switch {
	case family == afUnix:
	case family == afUnspec, family < 0, family >= afMax, family == afInet6, family == afNetlink, family == afAlg:
		return 0, errno.EAFNOSUPPORT
	case family == afInet:
		return 0, c.lacks("AF_INET: there is no network")
	default:
		return 0, c.lacks("address family %d", family)
	}
	if kind == sockRaw {
		kind = sockDgram
	}
	if p := int32(c.a[2]); p != 0 && p != afUnix {
		return 0, errno.EPROTONOSUPPORT
	}
	if !unixType(kind) {
		return 0, errno.ESOCKTNOSUPPORT
	}
	num, err := c.install(desc{kind: FDSocket, flags: oRdwr | flags&oNonblock, socket: kind}, flags&oCloexec != 0)
	return uint64(num), err
}

// sysConnect finds nobody listening at any address.
func sysConnect(c *call) (uint64, error) {
	const maxAddr = 110 // struct sockaddr_un
	d, err := c.socket()
	if err != nil {
		return 0, err
	}
	n := int(int32(c.a[2]))
	if n < 2 || n > maxAddr {
		return 0, errno.EINVAL
	}
	addr := make([]byte, n)
	if err := c.load(c.a[1], addr); err != nil {
		return 0, err
	}
	switch family := le.Uint16(addr); {
	case family == afUnspec && d.socket == sockDgram:
		return 0, nil // it dissolves a connection, and there is none
	case family != afUnix || n == 2:
		return 0, errno.EINVAL
	}
	if addr[2] == 0 { // an abstract name
		return 0, errno.ECONNREFUSED
	}
	path := cString(addr[2:])
	if _, err := c.FS.Walk(c.proc.cwd, path, true); err != nil {
		return 0, err
	}
	return 0, errno.ECONNREFUSED
}

// fromSocket is a read of a socket that is not connected.
func (c *call) fromSocket(d *desc) error {
	switch d.socket {
	case sockStream:
		return errno.EINVAL
	case sockSeqpacket:
		return errno.ENOTCONN
	}
	if d.flags&oNonblock != 0 {
		return errno.EAGAIN
	}
	return c.lacks("waiting for a datagram that nobody sends")
}

// socket returns the socket in argument 0.
func (c *call) socket() (*desc, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return nil, err
	case d.flags&oPath != 0:
		return nil, errno.EBADF
	case d.kind != FDSocket:
		return nil, errno.ENOTSOCK
	}
	return d, nil
}

// sysPeerless is every call that needs a peer, or makes a socket ready for one.
func sysPeerless(c *call) (uint64, error) {
	if _, err := c.socket(); err != nil {
		return 0, err
	}
	return 0, c.lacks("nobody inside the machine listens, so that no socket is connected")
}

// sysGetsockname returns the name of a socket without one.
func sysGetsockname(c *call) (uint64, error) {
	if _, err := c.socket(); err != nil {
		return 0, err
	}
	return 0, c.putSized(c.a[1], c.a[2], []byte{afUnix, 0})
}

func sysGetpeername(c *call) (uint64, error) {
	if _, err := c.socket(); err != nil {
		return 0, err
	}
	return 0, errno.ENOTCONN
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

func sysGetsockopt(c *call) (uint64, error) {
	const solSocket, soType, soError, soAcceptConn, soProtocol, soDomain = 1, 3, 4, 30, 38, 39
	d, err := c.socket()
	if err != nil {
		return 0, err
	}
	v := uint32(0)
	switch option := int32(c.a[2]); {
	case int32(c.a[1]) != solSocket:
		return 0, c.lacks("level %d", int32(c.a[1]))
	case option == soType:
		v = uint32(d.socket)
	case option == soDomain:
		v = afUnix
	case option != soError && option != soAcceptConn && option != soProtocol:
		return 0, c.lacks("option %d", option)
	}
	return 0, c.putOption(v)
}

// putOption writes an option's value, of which the caller may want only a part.
func (c *call) putOption(v uint32) error {
	var b [4]byte
	if err := c.load(c.a[4], b[:]); err != nil {
		return err
	}
	room := int32(le.Uint32(b[:]))
	if room < 0 {
		return errno.EINVAL
	}
	n := min(room, 4)
	if err := c.store(c.a[3], le.AppendUint32(nil, v)[:n]); err != nil {
		return err
	}
	return c.put32(c.a[4], uint32(n))
}
