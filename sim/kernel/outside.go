package kernel

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"zhuque/sim/phys"
)

// Published ports are the one way from the host into the machine: a listener on the
// host's loopback interface whose connections appear at the guest's listener of a
// port. There is no way out: the guest accepts, it cannot connect.
//
// Goroutines do the host's input and output. What they have read waits until the
// kernel is entered, and becomes part of that call; what the guest sends leaves
// the machine at Release. A power failure resets every connection.

// Published is a port that the host can reach.
type Published struct {
	Host  netip.AddrPort // of the host's loopback interface
	Guest uint16         // TCP port
}

// ParsePublished reads HOST:PORT:GUEST, such as 127.0.0.1:8080:80.
func ParsePublished(text string) (p Published, err error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return p, fmt.Errorf("%q: expected ADDRESS:PORT:GUEST-PORT", text)
	}
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || port == 0 {
		return p, fmt.Errorf("%q: expected a port of the guest behind the last colon", text)
	}
	host, err := netip.ParseAddrPort(text[:i])
	switch {
	case err != nil:
		return p, fmt.Errorf("%q: expected ADDRESS:PORT:GUEST-PORT with an address in figures", text)
	case !host.Addr().IsLoopback():
		return p, fmt.Errorf("%q: %v is not a loopback address, and nothing else can be published", text, host.Addr())
	}
	return Published{host, uint16(port)}, nil
}

// Outside is the host's side of published ports.
type Outside struct {
	// Idle, when set, is called before the machine waits for the host.
	Idle func()

	news atomic.Bool   // something may be there for the kernel
	bell chan struct{} // rings when it is

	mu        sync.Mutex
	listeners []net.Listener
	ports     []Published
	conns     []*hostConn // ascending by number
	last      uint64

	pend []outsideEffect // of calls that are not released
}

// hostConn is a connection on the host.
type hostConn struct {
	id    uint64
	port  uint16
	conn  *net.TCPConn
	known bool // the guest has it

	wake    *sync.Cond // of the goroutines, with Outside.mu
	in, out []byte
	inErr   error // io.EOF when the client sends no more
	told    bool  // the guest knows inErr
	finish  bool  // send no more when out is empty
	hangUp  bool  // and close
	dead    bool
}

// outsideEffect is something that a call does to a connection of the host.
type outsideEffect struct {
	conn          uint64
	data          []byte
	finish, close bool
	abort         bool
}

// NewOutside opens the listeners. Close ends it.
func NewOutside(ports []Published) (*Outside, error) {
	o := &Outside{bell: make(chan struct{}, 1), ports: ports}
	for _, p := range ports {
		l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(p.Host))
		if err != nil {
			_ = o.Close() // nobody is connected yet
			return nil, fmt.Errorf("publishing port %d: %w", p.Guest, err)
		}
		o.listeners = append(o.listeners, l)
		go o.accept(l, p.Guest)
	}
	return o, nil
}

// Addr returns where the i-th published port can be reached.
func (o *Outside) Addr(i int) net.Addr { return o.listeners[i].Addr() }

// ring tells the kernel that there is something new.
func (o *Outside) ring() {
	o.news.Store(true)
	select {
	case o.bell <- struct{}{}:
	default:
	}
}

func (o *Outside) accept(l net.Listener, port uint16) {
	for {
		c, err := l.Accept()
		if err != nil {
			return // it is closed
		}
		o.mu.Lock()
		o.last++
		h := &hostConn{id: o.last, port: port, conn: c.(*net.TCPConn), wake: sync.NewCond(&o.mu)}
		o.conns = append(o.conns, h)
		o.mu.Unlock()
		o.ring()
		go o.reads(h)
		go o.writes(h)
	}
}

// reads takes from the client what the guest has room for.
func (o *Outside) reads(h *hostConn) {
	buf := make([]byte, PipeCapacity)
	for {
		n, err := h.conn.Read(buf)
		o.mu.Lock()
		h.in = append(h.in, buf[:n]...)
		if err != nil {
			h.inErr = err
		}
		o.ring()
		for len(h.in) >= PipeCapacity && !h.dead {
			h.wake.Wait()
		}
		stop := err != nil || h.dead
		o.mu.Unlock()
		if stop {
			return
		}
	}
}

// writes gives the client what the guest has sent.
func (o *Outside) writes(h *hostConn) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		for len(h.out) == 0 && !h.finish && !h.hangUp && !h.dead {
			h.wake.Wait()
		}
		if h.dead {
			return
		}
		if len(h.out) == 0 {
			finish, hangUp := h.finish, h.hangUp
			h.finish = false
			o.mu.Unlock()
			if hangUp {
				_ = h.conn.Close() // the client finds out by itself
			} else if finish {
				_ = h.conn.CloseWrite()
			}
			o.mu.Lock()
			if hangUp {
				o.remove(h)
				return
			}
			continue
		}
		data := slices.Clone(h.out)
		o.mu.Unlock()
		_, err := h.conn.Write(data)
		o.mu.Lock()
		h.out = h.out[len(data):]
		if err != nil {
			h.out, h.inErr = nil, err
			if h.hangUp {
				o.remove(h)
				return
			}
		}
		h.wake.Broadcast()
		o.ring()
	}
}

// remove forgets a connection. o.mu is held.
func (o *Outside) remove(h *hostConn) {
	h.dead = true
	h.wake.Broadcast()
	if i := slices.Index(o.conns, h); i >= 0 {
		o.conns = slices.Delete(o.conns, i, i+1)
	}
}

// abort resets a connection. o.mu is held.
func (o *Outside) abort(h *hostConn) {
	_ = h.conn.SetLinger(0) // it may be gone already
	_ = h.conn.Close()
	o.remove(h)
}

func (o *Outside) find(id uint64) *hostConn {
	i := slices.IndexFunc(o.conns, func(h *hostConn) bool { return h.id == id })
	if i < 0 {
		return nil
	}
	return o.conns[i]
}

// Reset is what a power failure does: every connection is reset, and what calls had
// queued is forgotten. The listeners stay: those of the guest come back.
func (o *Outside) Reset() {
	o.pend = nil
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.conns) {
		o.abort(h)
	}
}

// Close ends everything: clients get what the guest has sent, as long as they take
// it within a few seconds.
func (o *Outside) Close() error {
	var errs []error
	for _, l := range o.listeners {
		errs = append(errs, l.Close())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.conns) {
		_ = h.conn.SetWriteDeadline(time.Now().Add(3 * time.Second)) // else the write fails at once
		h.hangUp = true
		h.wake.Broadcast()
		for len(h.out) > 0 && !h.dead {
			h.wake.Wait()
		}
		_ = h.conn.Close()
		o.remove(h)
	}
	return errors.Join(errs...)
}

// send, shutdown and hangUp queue what a call does; room is what a connection takes.
// Those without an Outside, in a fork of the machine, lead nowhere.

func (o *Outside) send(id uint64, data []byte) {
	if o != nil {
		o.pend = append(o.pend, outsideEffect{conn: id, data: slices.Clone(data)})
	}
}

func (o *Outside) shutdown(id uint64) {
	if o != nil && id != 0 {
		o.pend = append(o.pend, outsideEffect{conn: id, finish: true})
	}
}

func (o *Outside) hangUp(id uint64, abort bool) {
	if o != nil {
		o.pend = append(o.pend, outsideEffect{conn: id, close: true, abort: abort})
	}
}

func (o *Outside) room(id uint64) int {
	if o == nil {
		return 0
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.find(id)
	if h == nil {
		return PipeCapacity // the bytes are lost; an error follows
	}
	used := len(h.out)
	for _, p := range o.pend {
		if p.conn == id {
			used += len(p.data)
		}
	}
	return max(0, PipeCapacity-used)
}

// release lets the effects of committed calls out.
func (o *Outside) release() {
	if o == nil || len(o.pend) == 0 {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.pend {
		h := o.find(p.conn)
		switch {
		case h == nil:
		case p.abort:
			o.abort(h)
		default:
			h.out = append(h.out, p.data...)
			h.finish = h.finish || p.finish
			h.hangUp = h.hangUp || p.close
			h.wake.Broadcast()
		}
	}
	o.pend = o.pend[:0]
}

// reachable reports whether the host can still make something happen: a published
// port has a listener, or a connection is open.
func (k *Kernel) reachable() bool {
	if k.outside == nil {
		return false
	}
	for _, s := range k.files.socks {
		if s.outside != 0 || s.tcp() && s.state == sockListening && k.published(s) {
			return true
		}
	}
	return false
}

func (k *Kernel) published(l *socket) bool {
	return slices.ContainsFunc(k.outside.ports, func(p Published) bool { return p.Guest == l.local.port })
}

// awaitHost waits for the host, at most for a virtual time. The time that it takes
// passes in the machine too.
func (k *Kernel) awaitHost(most phys.Nanos) {
	o := k.outside
	if !o.news.Load() {
		if o.Idle != nil {
			o.Idle()
		}
		begin := time.Now()
		var over <-chan time.Time
		if most != forever {
			t := time.NewTimer(time.Duration(most))
			defer t.Stop()
			over = t.C
		}
		select {
		case <-o.bell:
			k.sleep(min(max(phys.Nanos(time.Since(begin)), 0), most))
		case <-over:
			k.sleep(most)
		}
	}
	k.fromOutside()
}

// fromOutside takes over what the host has for the guest. What finds no room stays.
func (k *Kernel) fromOutside() {
	o := k.outside
	if o == nil || !o.news.Swap(false) {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.conns) {
		if !h.known {
			k.welcome(h)
		}
		if s := k.outsideSocket(h.id); s != nil {
			k.takeOver(s, h)
		}
	}
}

func (k *Kernel) outsideSocket(id uint64) *socket {
	i := slices.IndexFunc(k.files.socks, func(s *socket) bool { return s.outside == id })
	if i < 0 {
		return nil
	}
	return k.files.socks[i]
}

// welcome puts a connection of the host into the queue of the guest's listener, when
// there is one with room; else it waits.
func (k *Kernel) welcome(h *hostConn) {
	to := sockName{ip: loopback4, port: h.port}
	l := k.listenerAt(to)
	if l == nil {
		to.ip = loopback6
		l = k.listenerAt(to)
	}
	if l == nil || k.full(l) {
		return
	}
	h.known = true
	from := sockName{ip: sourceFor(to.ip)}
	if a, ok := h.conn.RemoteAddr().(*net.TCPAddr); ok {
		from.port = uint16(a.Port)
	}
	s := k.newSocket(l.family, l.kind)
	s.parent, s.own, s.options = l.id, l.own, l.options
	s.rcvTimeo, s.sndTimeo = l.rcvTimeo, l.sndTimeo
	s.local, s.remote, s.outside, s.state = to, from, h.id, sockConnected
	k.alarm(s)
	k.alarm(l)
}

// takeOver moves what a client has sent to its socket.
func (k *Kernel) takeOver(s *socket, h *hostConn) {
	o := k.outside
	if n := min(len(h.in), k.roomAt(s)); n > 0 {
		k.put(s, h.in[:n])
		h.in = slices.Clone(h.in[n:])
		h.wake.Broadcast()
	}
	if len(h.in) == 0 && h.inErr != nil && !h.told {
		h.told = true
		if errors.Is(h.inErr, io.EOF) {
			s.fin, s.shut = true, s.shut|shutRead
			if s.shut == shutBoth {
				s.state = sockClosed
			}
		} else {
			k.reset(s)
			_ = h.conn.Close() // it is broken
			o.remove(h)
		}
	}
	s.news.out++ // there may be room
	k.alarm(s)
}

// recall asks for what had no room at a socket, or found no listener.
func (o *Outside) recall() {
	if o != nil {
		o.news.Store(true)
	}
}

// LoseOutside resets the connections to a host that saw the machine fail.
func (k *Kernel) LoseOutside() {
	for _, s := range k.files.socks {
		if s.outside != 0 {
			k.reset(s)
		}
	}
}
