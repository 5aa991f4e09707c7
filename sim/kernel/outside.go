package kernel

import (
	"slices"

	"zhuque/sim/phys"
)

// Outside is where clients of published ports are, on the host. A connection has a
// number above zero.
type Outside interface {
	// Publishes reports whether a TCP port of the guest is published.
	Publishes(port uint16) bool
	// News reports whether there may be something to take over since it last did.
	News() bool
	// Recall makes News true.
	Recall()
	// Wait waits for news, at most a time, and returns how long.
	Wait(most phys.Nanos) phys.Nanos
	// Visit shows each connection in order of their numbers.
	Visit(f func(*Client))

	// What a call sends or ends happens at Release.
	Send(conn uint64, data []byte)
	Finish(conn uint64) // no more is sent
	HangUp(conn uint64, abort bool)
	Room(conn uint64) int // bytes that Send takes
	Release()
	// Reset forgets what is not released and resets all connections: the power failed.
	Reset()
}

// Client is a connection of the host, as it is shown to the kernel.
type Client struct {
	ID         uint64
	Port, From uint16 // of the guest, and the client's own
	Known      bool   // the guest has it; set by the kernel
	Data       []byte // sent and not taken over
	Ended      bool   // no more follows Data,
	Broken     bool   // for an error

	Taken int  // bytes of Data that the kernel takes over
	Told  bool // the guest knows of the end
}

// nowhere is the Outside of a machine without published ports.
type nowhere struct{}

func (nowhere) Publishes(uint16) bool      { return false }
func (nowhere) News() bool                 { return false }
func (nowhere) Recall()                    {}
func (nowhere) Wait(phys.Nanos) phys.Nanos { return 0 }
func (nowhere) Visit(func(*Client))        {}
func (nowhere) Send(uint64, []byte)        {}
func (nowhere) Finish(uint64)              {}
func (nowhere) HangUp(uint64, bool)        {}
func (nowhere) Room(uint64) int            { return 0 }
func (nowhere) Release()                   {}
func (nowhere) Reset()                     {}

// reachable reports whether the host can still make something happen: a published
// port has a listener, or a connection is open.
func (k *Kernel) reachable() bool {
	return slices.ContainsFunc(k.files.socks, func(s *socket) bool {
		return s.outside != 0 || s.tcp() && s.state == sockListening && k.outside.Publishes(s.local.port)
	})
}

// awaitHost waits for the host, at most for a virtual time. The time that it takes
// passes in the machine too.
func (k *Kernel) awaitHost(most phys.Nanos) {
	if t := k.outside.Wait(most); t > 0 {
		k.sleep(t)
	}
	k.fromOutside()
}

// fromOutside takes over what the host has for the guest. What finds no room stays.
func (k *Kernel) fromOutside() {
	if !k.outside.News() {
		return
	}
	k.outside.Visit(func(c *Client) {
		if !c.Known {
			k.welcome(c)
		}
		if i := slices.IndexFunc(k.files.socks, func(s *socket) bool { return s.outside == c.ID }); i >= 0 {
			k.takeOver(k.files.socks[i], c)
		}
	})
}

// welcome puts a connection of the host into the queue of the guest's listener, when
// there is one with room; else it waits.
func (k *Kernel) welcome(c *Client) {
	to := sockName{ip: loopback4, port: c.Port}
	l := k.listenerAt(to)
	if l == nil {
		to.ip = loopback6
		l = k.listenerAt(to)
	}
	if l == nil || k.full(l) {
		return
	}
	c.Known = true
	s := k.newSocket(l.family, l.kind)
	s.parent, s.own, s.options = l.id, l.own, l.options
	s.rcvTimeo, s.sndTimeo = l.rcvTimeo, l.sndTimeo
	s.local, s.remote = to, sockName{ip: sourceFor(to.ip), port: c.From}
	s.outside, s.state = c.ID, sockConnected
	k.alarm(s)
	k.alarm(l)
}

// takeOver moves what a client has sent to its socket.
func (k *Kernel) takeOver(s *socket, c *Client) {
	if c.Taken = min(len(c.Data), k.roomAt(s)); c.Taken > 0 {
		k.put(s, c.Data[:c.Taken])
	}
	if c.Taken == len(c.Data) && c.Ended {
		c.Told = true
		switch {
		case c.Broken:
			k.reset(s)
		case s.shut&shutWrite != 0:
			s.fin, s.shut, s.state = true, shutBoth, sockClosed
		default:
			s.fin, s.shut = true, s.shut|shutRead
		}
	}
	k.alarm(s) // there may be room, too
}

// LoseOutside resets the connections to a host that saw the machine fail.
func (k *Kernel) LoseOutside() {
	for _, s := range k.files.socks {
		if s.outside != 0 {
			k.reset(s)
		}
	}
}
