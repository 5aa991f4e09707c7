package kernel

import (
	"cmp"
	"math"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// Options of setsockopt(2) that mean something here.
const (
	solSocket = 1

	soReuseAddr   = 2
	soType        = 3
	soError       = 4
	soBroadcast   = 6
	soSndbuf      = 7
	soRcvbuf      = 8
	soKeepalive   = 9
	soLinger      = 13
	soReusePort   = 15
	soPasscred    = 16
	soPeercred    = 17
	soRcvlowat    = 18
	soSndlowat    = 19
	soRcvtimeo    = 20
	soSndtimeo    = 21
	soAcceptConn  = 30
	soPeersec     = 31
	soSndbufForce = 32
	soRcvbufForce = 33
	soProtocol    = 38
	soDomain      = 39
	soRcvtimeoNew = 66
	soSndtimeoNew = 67
	ipv6V6only    = 26
	ipTTL         = 2
	ipRecvttl     = 12
	ipRecvtos     = 13
	v6Recvlimit   = 51 // IPV6_RECVHOPLIMIT
	v6Recvclass   = 66 // IPV6_RECVTCLASS
	tcpMaxseg     = 2
	tcpInfo       = 11

	lingerAbort = 1 // value of soLinger, as it is kept: seconds + 1; 0 for off
)

// plain is an option that can be set and read and changes nothing here.
type plain struct {
	initial int32 // its value when it was not set
	boolean bool  // any value but 0 becomes 1
	bounds  [2]int32
}

// takes reports whether an option may have a value; bounds that are alike are none.
func (p *plain) takes(v int32) bool {
	return p.bounds[0] == p.bounds[1] || v >= p.bounds[0] && v <= p.bounds[1]
}

// harmless are the plain options. Bounds: tcp(7), ip(7), net/ipv4/tcp.c.
var harmless = map[sockOption]plain{
	{level: solSocket, name: soReuseAddr}:   {boolean: true},
	{level: solSocket, name: soBroadcast}:   {boolean: true},
	{level: solSocket, name: soKeepalive}:   {boolean: true},
	{level: solSocket, name: soReusePort}:   {boolean: true},
	{level: solSocket, name: soPasscred}:    {boolean: true},
	{level: solSocket, name: soRcvlowat}:    {initial: 1},
	{level: solSocket, name: 5}:             {boolean: true},                      // SO_DONTROUTE
	{level: solSocket, name: 10}:            {boolean: true},                      // SO_OOBINLINE
	{level: solSocket, name: 12}:            {},                                   // SO_PRIORITY
	{level: solSocket, name: 46}:            {bounds: [2]int32{0, math.MaxInt32}}, // SO_BUSY_POLL
	{level: ipprotoTCP, name: 1}:            {boolean: true},                      // TCP_NODELAY
	{level: ipprotoTCP, name: 3}:            {boolean: true},                      // TCP_CORK
	{level: ipprotoTCP, name: 4}:            {initial: 7200, bounds: [2]int32{1, 32767}},
	{level: ipprotoTCP, name: 5}:            {initial: 75, bounds: [2]int32{1, 32767}},
	{level: ipprotoTCP, name: 6}:            {initial: 9, bounds: [2]int32{1, 127}},
	{level: ipprotoTCP, name: 7}:            {initial: 6, bounds: [2]int32{1, 127}},   // TCP_SYNCNT
	{level: ipprotoTCP, name: 8}:            {initial: 60},                            // TCP_LINGER2
	{level: ipprotoTCP, name: 9}:            {},                                       // TCP_DEFER_ACCEPT
	{level: ipprotoTCP, name: 12}:           {initial: 1, boolean: true},              // TCP_QUICKACK
	{level: ipprotoTCP, name: 18}:           {bounds: [2]int32{0, math.MaxInt32}},     // TCP_USER_TIMEOUT
	{level: ipprotoIP, name: 1}:             {},                                       // IP_TOS
	{level: ipprotoIP, name: 2}:             {initial: 64, bounds: [2]int32{-1, 255}}, // IP_TTL
	{level: ipprotoIP, name: 10}:            {initial: 1, bounds: [2]int32{0, 5}},     // IP_MTU_DISCOVER
	{level: ipprotoIP, name: 11}:            {boolean: true},                          // IP_RECVERR
	{level: ipprotoIP, name: ipRecvttl}:     {boolean: true},
	{level: ipprotoIP, name: ipRecvtos}:     {boolean: true},
	{level: ipprotoIP, name: 15}:            {boolean: true},                          // IP_FREEBIND
	{level: ipprotoIP, name: 24}:            {boolean: true},                          // IP_BIND_ADDRESS_NO_PORT
	{level: ipprotoIPv6, name: 16}:          {initial: 64, bounds: [2]int32{-1, 255}}, // IPV6_UNICAST_HOPS
	{level: ipprotoIPv6, name: 23}:          {initial: 1, bounds: [2]int32{0, 5}},     // IPV6_MTU_DISCOVER
	{level: ipprotoIPv6, name: 25}:          {boolean: true},                          // IPV6_RECVERR
	{level: ipprotoIPv6, name: v6Recvlimit}: {boolean: true},
	{level: ipprotoIPv6, name: v6Recvclass}: {boolean: true},
	{level: ipprotoIPv6, name: 67}:          {bounds: [2]int32{-1, 255}}, // IPV6_TCLASS
	{level: ipprotoIPv6, name: 26}:          {boolean: true},             // IPV6_V6ONLY
}

// attaches reports whether an option adds control messages to datagrams. A stream has none.
func attaches(level, name int32) bool {
	return level == ipprotoIP && (name == ipRecvttl || name == ipRecvtos) ||
		level == ipprotoIPv6 && (name == v6Recvlimit || name == v6Recvclass)
}

// bufferSizes is what SO_SNDBUF and SO_RCVBUF say first. What a socket really holds
// is always PipeCapacity.
const bufferSizes = 212992

// option returns a setting's value, its initial one when it was not set.
func (s *socket) option(level, name int32) int32 {
	i, ok := slices.BinarySearchFunc(s.options, sockOption{level, name, 0}, compareOptions)
	if ok {
		return s.options[i].value
	}
	return harmless[sockOption{level: level, name: name}].initial
}

func compareOptions(a, b sockOption) int {
	return cmp.Or(cmp.Compare(a.level, b.level), cmp.Compare(a.name, b.name))
}

func (k *Kernel) setOption(s *socket, o sockOption) {
	i, ok := slices.BinarySearchFunc(s.options, o, compareOptions)
	list := slices.Clone(s.options)
	if ok {
		list[i] = o
	} else {
		list = slices.Insert(list, i, o)
	}
	s.options = list
	k.touchSock(s)
}

// hasLevel reports whether options of a level make sense for a socket.
func (s *socket) hasLevel(level int32) bool {
	switch level {
	case ipprotoTCP:
		return s.tcp()
	case ipprotoIP:
		return s.inet()
	case ipprotoIPv6:
		return s.family == afInet6
	}
	return level == solSocket
}

func sysSetsockopt(c *call) (uint64, error) {
	_, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	level, name, size := int32(c.a[1]), int32(c.a[2]), int32(c.a[4])
	if size < 0 {
		return 0, errno.EINVAL
	}
	if !s.hasLevel(level) {
		return 0, s.unknownLevel(false)
	}
	if level == solSocket {
		if size < 4 {
			return 0, errno.EINVAL
		}
		if _, err := c.word(c.a[3]); err != nil { // whatever the option is
			return 0, err
		}
		switch name {
		case soRcvtimeo, soSndtimeo, soRcvtimeoNew, soSndtimeoNew:
			return 0, c.setTimeout(s, name, size)
		case soLinger:
			return 0, c.setLinger(s, size)
		}
	}
	h, known := harmless[sockOption{level: level, name: name}]
	var b [4]byte
	one := level == ipprotoIP && size >= 1 && size < 4 // may be a single byte
	switch {
	case one:
		err = c.load(c.a[3], b[:1])
	case size < 4:
		return 0, errno.EINVAL
	default:
		err = c.load(c.a[3], b[:])
	}
	v := int32(le.Uint32(b[:]))
	switch {
	case err != nil:
		return 0, err
	case level == solSocket && (name == soSndbuf || name == soRcvbuf || name == soSndbufForce || name == soRcvbufForce):
		if name >= soSndbufForce {
			name += soSndbuf - soSndbufForce
		}
		c.setOption(s, sockOption{level, name, 2 * min(max(v, 1152), bufferSizes)})
		return 0, nil
	case !known && level == solSocket && (name == soType || name == soError || name == soDomain ||
		name == soProtocol || name == soAcceptConn || name == soPeercred || name == soSndlowat):
		return 0, errno.ENOPROTOOPT
	case !known && name > lastOption[level]:
		return 0, errno.ENOPROTOOPT
	case !known:
		return 0, c.lacks("option %d of level %d", name, level)
	case !h.takes(v), level == ipprotoIP && name == ipTTL && v == 0:
		return 0, errno.EINVAL
	case v == -1 && h.bounds[0] == -1:
		v = h.initial
	case v != 0 && s.kind == sockDgram && attaches(level, name):
		return 0, c.lacks("option %d of level %d of datagrams", name, level)
	case level == ipprotoIPv6 && name == ipv6V6only && s.local.port != 0:
		return 0, errno.EINVAL
	case h.boolean && v != 0:
		v = 1
	}
	c.setOption(s, sockOption{level, name, v})
	return 0, nil
}

// unknownLevel is the answer to options of a level that a socket has not.
func (s *socket) unknownLevel(get bool) error {
	if s.family == afUnix || get && s.family == afInet {
		return errno.EOPNOTSUPP
	}
	return errno.ENOPROTOOPT
}

// lastOption is the highest number of an option that Linux 6.1 has, by level: what is above
// is no option of any kind.
var lastOption = map[int32]int32{solSocket: 75, ipprotoTCP: 37, ipprotoIP: 50, ipprotoIPv6: 80}

func (c *call) setTimeout(s *socket, name, size int32) error {
	if size < 16 {
		return errno.EINVAL
	}
	sec, err := c.u64(c.a[3])
	if err != nil {
		return err
	}
	us, err := c.u64(c.a[3] + 8)
	switch {
	case err != nil:
		return err
	case us >= 1e6:
		return errno.EDOM
	case int64(sec) < 0:
		sec, us = 0, 1
	}
	t := phys.Nanos(min(sec, maxSleep))*second + phys.Nanos(us)*1000
	if name == soRcvtimeo || name == soRcvtimeoNew {
		s.rcvTimeo = t
	} else {
		s.sndTimeo = t
	}
	c.touchSock(s)
	return nil
}

// setLinger keeps a struct linger as one number.
func (c *call) setLinger(s *socket, size int32) error {
	if size < 8 {
		return errno.EINVAL
	}
	v, err := c.u64(c.a[3])
	if err != nil {
		return err
	}
	o := sockOption{level: solSocket, name: soLinger}
	if int32(v) != 0 {
		o.value = min(max(int32(v>>32), 0), 1<<30) + 1
	}
	c.setOption(s, o)
	return nil
}

func sysGetsockopt(c *call) (uint64, error) {
	_, s, err := c.socket()
	if err != nil {
		return 0, err
	}
	level, name := int32(c.a[1]), int32(c.a[2])
	if !s.hasLevel(level) {
		return 0, s.unknownLevel(true)
	}
	if level == solSocket {
		if data, ok := c.socketLevel(s, name); ok {
			return 0, c.putOption(data)
		}
	}
	if level == ipprotoTCP && name == tcpMaxseg {
		const loopbackMSS = 65483
		return 0, c.putOption(le.AppendUint32(nil, loopbackMSS))
	}
	if _, known := harmless[sockOption{level: level, name: name}]; !known {
		if level == solSocket && (name == soPeersec || name == 59) || name > lastOption[level] { // SO_PEERGROUPS
			return 0, errno.ENOPROTOOPT
		}
		return 0, c.lacks("option %d of level %d", name, level)
	}
	return 0, c.putOption(le.AppendUint32(nil, uint32(s.option(level, name))))
}

// socketLevel returns what options that are no plain settings say.
func (c *call) socketLevel(s *socket, name int32) (data []byte, ok bool) {
	v := int32(0)
	switch name {
	case soType:
		v = int32(s.kind)
	case soDomain:
		v = int32(s.family)
	case soProtocol:
		if s.tcp() {
			v = ipprotoTCP
		} else if s.udp() {
			v = ipprotoUDP
		}
	case soAcceptConn:
		if s.state == sockListening {
			v = 1
		}
	case soError:
		v = int32(s.err)
		if s.err != 0 {
			s.err = 0
			c.touchSock(s)
		}
	case soSndlowat:
		v = 1
	case soSndbuf, soRcvbuf:
		if v = s.option(solSocket, name); v == 0 {
			v = bufferSizes
		}
	case soLinger:
		if l := s.option(solSocket, soLinger); l != 0 {
			return le.AppendUint32([]byte{1, 0, 0, 0}, uint32(l-1)), true
		}
		return make([]byte, 8), true
	case soRcvtimeo, soRcvtimeoNew:
		return timeval(s.rcvTimeo), true
	case soSndtimeo, soSndtimeoNew:
		return timeval(s.sndTimeo), true
	case soPeercred:
		u := s.other
		if s.inet() || s.peer == 0 {
			u = credentials{0, -1, -1}
		}
		return u.encode(), true
	default:
		return nil, false
	}
	return le.AppendUint32(nil, uint32(v)), true
}

func (u credentials) encode() []byte {
	b := le.AppendUint32(nil, uint32(u.pid))
	return le.AppendUint32(le.AppendUint32(b, uint32(u.uid)), uint32(u.gid))
}

// putOption writes an option's value, of which the caller may want only a part.
func (c *call) putOption(data []byte) error {
	var b [4]byte
	if err := c.load(c.a[4], b[:]); err != nil {
		return err
	}
	room := int32(le.Uint32(b[:]))
	if room < 0 {
		return errno.EINVAL
	}
	n := min(int(room), len(data))
	if err := c.store(c.a[3], data[:n]); err != nil {
		return err
	}
	return c.put32(c.a[4], uint32(n))
}
