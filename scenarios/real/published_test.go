package real

import (
	"bytes"
	"context"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// memcached serves with four worker threads, and forgets nothing: where its memory does
// not suffice it says so.
func memcached(port int) run {
	return run{name: "memcached-published", args: []string{"/usr/bin/memcached", "-A", "-M", "-m", "1024", "-u", "root", "-U", "0", "-t", "4", "-l", "127.0.0.1", "-p", strconv.Itoa(port)}}
}

// redis appends every change to a file before it answers.
func redis(port int) run {
	return run{name: "redis-published", args: []string{"/usr/bin/redis-server", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no"}}
}

// host is what a client outside the machine knows of it.
type host struct {
	address string
	fails   func() bool     // the power will fail again
	ended   <-chan struct{} // closed when the machine is gone
}

// client is what a program on the host does with a server in the machine.
type client interface {
	run(t *testing.T)
	resets() int      // how many of its connections broke
	farewell() string // the command that ends the server
}

// stop asks the server to end, which a reset may keep from it.
func (h *host) stop(c client) {
	conn, err := net.Dial("tcp", h.address)
	if err != nil {
		return // it has
	}
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	_, _ = io.WriteString(conn, c.farewell())
	_, _ = io.Copy(io.Discard, conn) // until it is gone
	_ = conn.Close()
}

// The client is right: it says so of memcached on this host, and misses what is gone.
func TestMemcachedNatively(t *testing.T) {
	native(t)
	root := software(t)
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := free.Addr().(*net.TCPAddr)
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	r := memcached(address.Port)
	r.name += "-natively"
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	cmd, err := (&sandbox{Root: root, Dir: r.prepare(t, root), Args: r.args, Env: softwareEnv}).command(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	h := &host{address: address.String(), fails: func() bool { return false }}
	load := &cacheLoad{host: h, rounds: 400}
	load.run(t)
	c := load.client()
	if _, err := c.do(func() error { _, err := c.ask(nil, "delete swapped"); return err }); err != nil {
		t.Error(err)
	}
	if load.verify(c) == nil {
		t.Error("it does not miss what is gone")
	}
	h.stop(load)
	if err := cmd.Wait(); err != nil || load.resets() != 0 {
		t.Errorf("%v; %d connections reset", err, load.resets())
	}
}

// counted counts the power failures that the host has seen.
type counted struct {
	*outside.Ports
	failures atomic.Int64
}

func (c *counted) Reset() {
	c.failures.Add(1)
	c.Ports.Reset()
}

// published runs a server in the machine, whose power fails as planned, and its client
// on the host. The server survives all of it, and ends when it is asked to.
func published(t *testing.T, r run, port uint16, plan crashinject.Plan, connect func(*host) client) {
	t.Helper()
	root := software(t)
	ports, err := outside.Open([]outside.Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: port}})
	if err != nil {
		t.Fatal(err)
	}
	out := &counted{Ports: ports}
	var stdout, stderr bytes.Buffer
	console := kernel.NewConsole(nil, &stdout, &stderr)
	console.Outside = out
	setup := r.setup(root, r.prepare(t, root))
	keepChanges(t, &setup)
	var o crashinject.Outcome
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		var err error
		if o, err = crashinject.CrashPublished(setup, plan, console); err != nil {
			t.Error(err)
		}
		if err := ports.Close(); err != nil {
			t.Error(err)
		}
	}()
	h := &host{address: ports.Addr(0).String(), ended: ended,
		fails: func() bool { return out.failures.Load() < int64(len(plan.Cuts)) && !closed(ended) }}
	c := connect(h)
	c.run(t)
	for !closed(ended) {
		h.stop(c)
		select {
		case <-ended:
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Logf("%d million instructions, %d failures, %d connections reset", o.Point.At/1e6, o.Failures, c.resets())
	if o.Point.Verdict != result.Pass || o.Stop.ExitCode() != r.exit || o.Failures != len(plan.Cuts) {
		t.Fatalf("after %d failures of %d %v: %s, %v; standard error %q", o.Failures, len(plan.Cuts), o.Point.Verdict, o.Point.Reason, o.Stop, stderr.String())
	}
	if (c.resets() != 0) != (o.Failures != 0) {
		t.Errorf("%d failures, %d connections reset", o.Failures, c.resets())
	}
	if err := o.Machine.Close(); err != nil {
		t.Fatal(err)
	}
}

// closed reports whether a channel on which nothing is sent is closed.
func closed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

// memcached in the machine keeps what clients of the host store, delete, count and swap.
func TestMemcachedPublished(t *testing.T) {
	native(t)
	published(t, memcached(11211), 11211, crashinject.Plan{}, func(h *host) client { return &cacheLoad{host: h, rounds: 40} })
}

// Servers lose their power again and again while clients on the host talk to them: those
// see resets and try again, and at the end nothing that was acknowledged is missing, and
// nothing was done twice that was asked for once.
func TestUnderFire(t *testing.T) {
	native(t)
	cuts := 150
	if all() {
		cuts = 10_000
	}
	for _, c := range []struct {
		name    string
		server  func(port int) run
		connect func(*host) client
	}{
		{"memcached", memcached, func(h *host) client { return &cacheLoad{host: h, rounds: 40} }},
		{"redis", redis, func(h *host) client { return redisClients(h) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			const port = 7000
			r := c.server(port)
			r.name += "-under-fire"
			rng := rand.New(rand.NewPCG(7, 7))
			var plan crashinject.Plan
			for range cuts {
				// Closer together the server would only take connections anew.
				plan.Cuts = append(plan.Cuts, crashinject.Cut{After: 100_000 + rng.Uint64N(400_000)})
			}
			published(t, r, port, plan, c.connect)
		})
	}
}
