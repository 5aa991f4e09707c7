package outside

import (
	"net"
	"net/netip"
	"testing"
	"time"

	"zhuque/sim/kernel"
)

// Clients that do not read keep the end waiting once, not one after the other.
func TestCloseWaitsOnce(t *testing.T) {
	o, err := Open([]Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: 80}})
	if err != nil {
		t.Fatal(err)
	}
	const clients = 5
	for range clients {
		c, err := net.Dial("tcp", o.Addr(0).String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	for known := 0; known < clients; time.Sleep(time.Millisecond) {
		known = 0
		o.Visit(func(c *kernel.Client) { c.Known = true; known++ })
	}
	for id := range uint64(clients) {
		o.Send(id+1, make([]byte, 32<<20)) // more than sockets hold
	}
	o.Release()
	begin := time.Now()
	if err := o.Close(); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took < patience/2 || took >= 3*patience {
		t.Errorf("the end took %v with %d clients that do not read", took, clients)
	}
}
