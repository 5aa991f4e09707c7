package real

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// memcached serves with four worker threads.
func memcached(port int) run {
	return run{name: "memcached-published", args: []string{"/usr/bin/memcached", "-A", "-u", "root", "-U", "0", "-t", "4", "-l", "127.0.0.1", "-p", fmt.Sprint(port)}}
}

// The client is right: it says so of memcached on this host.
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
	load := cacheLoad{address: address.String(), rounds: 400}
	load.run(t)
	load.stop()
	if err := cmd.Wait(); err != nil || load.resets != 0 {
		t.Errorf("%v; %d connections reset", err, load.resets)
	}
}

// client is what a program on the host does with a server in the machine.
type client interface {
	run(t *testing.T)
	stop() // may be called again
}

// published runs a server in the machine and its client on the host, with cuts that are
// spread over the first n instructions. It returns how long the run was, and how many
// of the cuts came before its end.
func published(t *testing.T, r run, port uint16, n, cuts uint64, connect func(address string) client) (length uint64, failures int) {
	t.Helper()
	root := software(t)
	o, err := outside.Open([]outside.Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: port}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	}()
	var stdout, stderr bytes.Buffer
	console := kernel.NewConsole(nil, &stdout, &stderr)
	console.Outside = o
	setup := r.setup(root, r.prepare(t, root))
	type end struct {
		out crashinject.Outcome
		err error
	}
	done := make(chan end, 1)
	go func() {
		out, err := crashinject.CrashPublished(setup, spread(n, cuts), console)
		done <- end{out, err}
	}()
	c := connect(o.Addr(0).String())
	c.run(t)
	var e end
	for e.out.Point.Verdict == 0 && e.err == nil {
		c.stop()
		select {
		case e = <-done:
		case <-time.After(50 * time.Millisecond):
		}
	}
	if e.err != nil {
		t.Fatal(e.err)
	}
	if p := e.out.Point; p.Verdict.String() != "pass" || e.out.Stop.ExitCode() != r.exit {
		t.Fatalf("after %d failures %v: %s, %v; standard error %q", e.out.Failures, p.Verdict, p.Reason, e.out.Stop, stderr.String())
	}
	if err := e.out.Machine.Close(); err != nil {
		t.Fatal(err)
	}
	return e.out.Point.At, e.out.Failures
}

// memcached in the machine keeps what clients of the host store, delete, count and
// swap, also when the power fails under it: what was answered is there.
func TestMemcachedPublished(t *testing.T) {
	native(t)
	rounds, cuts := 40, uint64(20)
	if all() {
		rounds, cuts = 400, 1000
	}
	var load *cacheLoad
	connect := func(address string) client {
		load = &cacheLoad{address: address, rounds: rounds}
		return load
	}
	length, _ := published(t, memcached(11211), 11211, 0, 0, connect)
	if load.resets != 0 {
		t.Errorf("without a failure %d connections were reset", load.resets)
	}
	_, failures := published(t, memcached(11211), 11211, length, cuts, connect)
	t.Logf("%d instructions without a failure; %d failures, %d connections reset, %d keys held", length, failures, load.resets, len(load.held))
	if uint64(failures) < cuts/2 || load.resets == 0 {
		t.Errorf("%d failures of %d, %d connections reset", failures, cuts, load.resets)
	}
}
