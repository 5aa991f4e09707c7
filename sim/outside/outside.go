// Package outside is the one way from the host into the machine: published ports.
// A listener on the host's loopback interface takes connections, which appear at the
// guest's listener of a port. There is no way out: the guest accepts, it cannot connect.
//
// Goroutines do the host's input and output. What they have read waits until the
// kernel is entered, and becomes part of that call; what the guest sends leaves
// the machine at Release. A power failure resets every connection. What comes in, and
// when, follows from no seed: a run with published ports cannot be repeated.
//
// It must not be imported by anything under sim.
package outside

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

	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// Published is a port that the host can reach.
type Published struct {
	Host  netip.AddrPort // of the host's loopback interface
	Guest uint16         // TCP port
}

// Parse reads HOST:PORT:GUEST, such as 127.0.0.1:8080:80.
func Parse(text string) (p Published, err error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return p, fmt.Errorf("%q: expected ADDRESS:PORT:GUEST-PORT", text)
	}
	port, err := strconv.ParseUint(text[i+1:], 10, 16)
	if err != nil || port == 0 {
		return p, fmt.Errorf("%q: expected a port of the guest after the last colon", text)
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

// Ports is the host's side of published ports. It is the kernel.Outside of a machine.
type Ports struct {
	// Idle, when set, is called before the machine waits for the host.
	Idle func()

	news atomic.Bool   // something may be there for the kernel
	bell chan struct{} // rings when it is

	mu        sync.Mutex
	listeners []net.Listener
	ports     []Published
	conns     []*hostConn // ascending by number
	last      uint64

	pend []effect // of calls that are not released
}

// hostConn is a connection on the host.
type hostConn struct {
	id    uint64
	port  uint16
	conn  *net.TCPConn
	known bool // the guest has it

	wake    *sync.Cond // of the goroutines, with Ports.mu
	in, out []byte
	inErr   error // io.EOF when the client sends no more
	told    bool  // the guest knows inErr
	finish  bool  // send no more when out is empty
	hangUp  bool  // and close
	dead    bool
}

// effect is something that a call does to a connection of the host.
type effect struct {
	conn          uint64
	data          []byte
	finish, close bool
	abort         bool
}

// Open opens the listeners. Close ends it.
func Open(ports []Published) (*Ports, error) {
	o := &Ports{bell: make(chan struct{}, 1), ports: ports}
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
func (o *Ports) Addr(i int) net.Addr { return o.listeners[i].Addr() }

// ring tells the kernel that there is something new.
func (o *Ports) ring() {
	o.news.Store(true)
	select {
	case o.bell <- struct{}{}:
	default:
	}
}

func (o *Ports) accept(l net.Listener, port uint16) {
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
func (o *Ports) reads(h *hostConn) {
	buf := make([]byte, kernel.PipeCapacity)
	for {
		n, err := h.conn.Read(buf)
		o.mu.Lock()
		h.in = append(h.in, buf[:n]...)
		if err != nil {
			h.inErr = err
		}
		o.ring()
		for len(h.in) >= kernel.PipeCapacity && !h.dead {
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
func (o *Ports) writes(h *hostConn) {
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
func (o *Ports) remove(h *hostConn) {
	h.dead = true
	h.wake.Broadcast()
	if i := slices.Index(o.conns, h); i >= 0 {
		o.conns = slices.Delete(o.conns, i, i+1)
	}
}

// abort resets a connection. o.mu is held.
func (o *Ports) abort(h *hostConn) {
	_ = h.conn.SetLinger(0) // it may be gone already
	_ = h.conn.Close()
	o.remove(h)
}

func (o *Ports) find(id uint64) *hostConn {
	i := slices.IndexFunc(o.conns, func(h *hostConn) bool { return h.id == id })
	if i < 0 {
		return nil
	}
	return o.conns[i]
}

// Reset implements kernel.Outside: every connection is reset, and what calls had
// queued is forgotten. The listeners stay: those of the guest come back.
func (o *Ports) Reset() {
	o.pend = nil
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.conns) {
		o.abort(h)
	}
}

// patience is how long clients have at the end.
const patience = 3 * time.Second

// Close ends everything: clients get what the guest has sent, as long as they take
// it within a few seconds, which all of them have at the same time.
func (o *Ports) Close() error {
	var errs []error
	for _, l := range o.listeners {
		errs = append(errs, l.Close())
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	all := slices.Clone(o.conns)
	last := time.Now().Add(patience) // for all of them together
	for _, h := range all {
		_ = h.conn.SetWriteDeadline(last) // else the write fails at once
		h.hangUp = true
		h.wake.Broadcast()
	}
	for _, h := range all {
		for len(h.out) > 0 && !h.dead {
			h.wake.Wait()
		}
		_ = h.conn.Close()
		o.remove(h)
	}
	return errors.Join(errs...)
}

// Send implements kernel.Outside.
func (o *Ports) Send(id uint64, data []byte) {
	o.pend = append(o.pend, effect{conn: id, data: slices.Clone(data)})
}

// Finish implements kernel.Outside.
func (o *Ports) Finish(id uint64) { o.pend = append(o.pend, effect{conn: id, finish: true}) }

// HangUp implements kernel.Outside.
func (o *Ports) HangUp(id uint64, abort bool) {
	o.pend = append(o.pend, effect{conn: id, close: true, abort: abort})
}

// Room implements kernel.Outside.
func (o *Ports) Room(id uint64) int {
	o.mu.Lock()
	defer o.mu.Unlock()
	h := o.find(id)
	if h == nil {
		return kernel.PipeCapacity // the bytes are lost; an error follows
	}
	used := len(h.out)
	for _, p := range o.pend {
		if p.conn == id {
			used += len(p.data)
		}
	}
	return max(0, kernel.PipeCapacity-used)
}

// Release implements kernel.Outside.
func (o *Ports) Release() {
	if len(o.pend) == 0 {
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

// Publishes implements kernel.Outside.
func (o *Ports) Publishes(port uint16) bool {
	return slices.ContainsFunc(o.ports, func(p Published) bool { return p.Guest == port })
}

// Wait implements kernel.Outside.
func (o *Ports) Wait(most phys.Nanos) phys.Nanos {
	if o.news.Load() {
		return 0
	}
	if o.Idle != nil {
		o.Idle()
	}
	begin := time.Now()
	t := time.NewTimer(time.Duration(most))
	defer t.Stop()
	select {
	case <-o.bell:
		return min(max(phys.Nanos(time.Since(begin)), 0), most)
	case <-t.C:
		return most
	}
}

// Recall implements kernel.Outside.
func (o *Ports) Recall() { o.news.Store(true) }

// News implements kernel.Outside.
func (o *Ports) News() bool { return o.news.Swap(false) }

// Visit implements kernel.Outside.
func (o *Ports) Visit(f func(*kernel.Client)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, h := range slices.Clone(o.conns) {
		c := kernel.Client{ID: h.id, Port: h.port, Known: h.known, Data: h.in}
		if a, ok := h.conn.RemoteAddr().(*net.TCPAddr); ok {
			c.From = uint16(a.Port)
		}
		if h.inErr != nil && !h.told {
			c.Ended, c.Broken = true, !errors.Is(h.inErr, io.EOF)
		}
		f(&c)
		h.known = c.Known
		if c.Taken > 0 {
			h.in = slices.Clone(h.in[c.Taken:])
			h.wake.Broadcast()
		}
		if h.told = h.told || c.Told; c.Told && c.Broken {
			_ = h.conn.Close() // it is broken
			o.remove(h)
		}
	}
}
