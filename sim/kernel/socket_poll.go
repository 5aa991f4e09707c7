package kernel

import (
	"zhuque/sim/kernel/errno"
)

// Poll events beside pollIn and pollOut that come with them.
const (
	pollRdnorm = 0x040
	pollWrnorm = 0x100
	pollWrband = 0x200
)

// has reports whether what a wait is interested in holds.
func (k *Kernel) has(d *desc, i interest) bool {
	switch {
	case i.need == 0:
		return k.ready(d)&i.events != 0
	case d.kind != FDSocket:
		return true
	}
	s := k.sockOf(d)
	if i.need == needBacklog {
		return s.state != sockListening || !k.full(s)
	}
	if s.kind == sockSeqpacket { // it is the one that sends
		s = k.other(s)
	}
	return s == nil || s.shut&shutRead != 0 || k.takes(s, i.need-1)
}

// roomy reports whether what sends to a socket polls as writable: a third of the
// queue is free.
func (k *Kernel) roomy(s *socket) bool {
	if s.stream() {
		return k.roomAt(s) >= PipeCapacity/3
	}
	return k.takes(s, PipeCapacity/3)
}

// writable reports whether sending on a socket would get on without waiting.
func (k *Kernel) writable(s *socket) bool {
	p := k.other(s)
	switch {
	case s.outside != 0:
		return k.outside.Room(s.outside) >= PipeCapacity/3
	case p == nil:
		return true
	}
	return k.roomy(p)
}

// socketReady is ready for sockets.
func (k *Kernel) socketReady(s *socket) uint16 {
	if s.state == sockListening {
		ev := uint16(0)
		if len(k.waiting(s)) > 0 {
			ev = pollIn | pollRdnorm
		}
		if !s.inet() && s.shut&shutRead != 0 {
			ev |= pollIn | pollRdnorm | pollRdhup
		}
		if s.shut == shutBoth {
			ev |= pollHup
		}
		return ev
	}
	ev := uint16(0)
	if s.err != 0 {
		ev |= pollErr
	}
	if s.state == sockConnecting {
		return ev
	}
	connectionless := s.kind == sockDgram
	if s.shut == shutBoth || s.state == sockIdle && !connectionless {
		ev |= pollHup
	}
	if s.shut&shutRead != 0 {
		ev |= pollIn | pollRdnorm | pollRdhup
	}
	if len(k.received(s).data) > 0 || !s.stream() && len(s.messages) > 0 {
		ev |= pollIn | pollRdnorm
	}
	if s.tcp() && s.shut&shutWrite != 0 || k.writable(s) {
		ev |= pollOut | pollWrnorm
		if !s.tcp() {
			ev |= pollWrband
		}
	}
	return ev
}

// newsOf returns what has happened to a description so far.
func (k *Kernel) newsOf(d *desc) news {
	switch d.kind {
	case FDPipeRead, FDPipeWrite, FDPipeBoth, FDInotify:
		return k.files.pipe(d.pipe).news
	case FDMaster, FDTerminal:
		return k.termNews(d)
	case FDSocket:
		return k.sockOf(d).news
	case FDEvent, FDSemaphore:
		return d.news
	case FDQueue:
		return k.files.ipc.mqueue(d.socket).news
	case FDTimer:
		return news{in: uint64(d.timer.next) + k.expired(&d.timer)}
	case FDSignal: // nobody counts signals: an edge too many rather than none
		return news{in: k.clock}
	case FDEpoll:
		var few [8]int
		seen := few[:0]
		return k.newsInside(d, &seen)
	}
	return news{}
}

// peekSocket is peek for a stream that splice reads.
func (c *call) peekSocket(d *desc, n int) ([]byte, error) {
	s := c.sockOf(d)
	if !s.stream() {
		return nil, errno.EINVAL
	}
	if err := s.unreadable(); err != nil {
		return nil, err
	}
	if len(s.messages) > 0 {
		return nil, c.lacks("bytes that came with descriptors or credentials")
	}
	if data := c.received(s).data; len(data) > 0 {
		return data[:min(n, len(data))], nil
	}
	if over, err := c.over(s); over {
		return nil, err
	}
	if d.flags&oNonblock != 0 {
		return nil, errno.EAGAIN
	}
	return nil, c.waitSocket(d, pollIn|pollErr|pollHup|pollRdhup, s.rcvTimeo)
}

// plain is what a transfer from elsewhere sends.
func (c *call) plain(d *desc, data []byte) *outgoing {
	o := &outgoing{data: data, size: uint64(len(data)), sender: c.credentials()}
	if d.flags&oNonblock != 0 {
		o.flags |= msgDontwait
	}
	return o
}
