package real

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// redisClient has one connection at a time; it is made anew after an error.
type redisClient struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	resets  int
	ended   <-chan struct{} // closed when the machine is gone
}

// errAnswer tells an answer of the server that is not what was expected from a
// connection that broke.
var errAnswer = errors.New("unexpected answer")

// ask sends a command and returns the line that answers it, without prefix.
func (c *redisClient) ask(command, prefix string) (string, error) {
	if c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err != nil {
			return "", err
		}
		c.conn, c.in = conn, bufio.NewReader(conn)
	}
	if _, err := io.WriteString(c.conn, command); err != nil {
		return "", err
	}
	answer, err := c.line()
	if err != nil {
		return "", err
	}
	rest, ok := strings.CutPrefix(answer, prefix)
	if !ok {
		return "", fmt.Errorf("%w %q to %.40q, expected %q", errAnswer, answer, command, prefix)
	}
	return rest, nil
}

func (c *redisClient) line() (string, error) {
	s, err := c.in.ReadString('\n')
	return strings.TrimSuffix(s, "\r\n"), err
}

func (c *redisClient) set(key, value string) error {
	_, err := c.ask(fmt.Sprintf("*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n", len(key), key, len(value), value), "+OK")
	return err
}

func (c *redisClient) get(key string) (string, error) {
	if _, err := c.ask("GET "+key+"\r\n", "$"); err != nil {
		return "", err
	}
	return c.line()
}

func (c *redisClient) incr(key string) (int, error) {
	answer, err := c.ask("INCR "+key+"\r\n", ":")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(answer)
}

// broken is told of every error: it closes the connection, and reports whether the
// command may be tried again.
func (c *redisClient) broken(err error) bool {
	if c.conn != nil {
		c.conn.Close() // it is broken: what this says does not matter
		c.conn = nil
	}
	c.resets++
	select {
	case <-c.ended:
		return false
	default:
	}
	return !errors.Is(err, errAnswer) && !errors.Is(err, strconv.ErrSyntax)
}

// ledger is what one client knows: the values that were acknowledged, and how often
// its counter was incremented, certainly and at the most.
type ledger struct {
	redisClient
	name        string
	counter     string // its key
	values      map[string]string
	sure, maybe int
	changes     int
}

// work makes at least n changes, and goes on while the power still fails.
func (l *ledger) work(n int, fails func() bool, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 0))
	if err := l.store("counter", "0"); err != nil {
		return err
	}
	for l.counter = range l.values { // it is the only one
	}
	for i := 0; i < n || fails(); i++ {
		l.changes++
		if i%3 < 2 {
			value := strings.Repeat(string(rune('a'+rng.IntN(26))), 1+rng.IntN(300)) + strconv.Itoa(i)
			if err := l.store(strconv.Itoa(rng.IntN(40)), value); err != nil {
				return err
			}
			continue
		}
		switch value, err := l.incr(l.counter); {
		case err == nil && (value <= l.sure || value > l.sure+l.maybe+1):
			return fmt.Errorf("%s became %d after %d acknowledged increments and %d unanswered ones", l.counter, value, l.sure, l.maybe)
		case err == nil:
			l.sure++
		case !l.broken(err):
			return err
		default:
			l.maybe++
		}
	}
	return nil
}

// store sets a value and writes it down once it is acknowledged. A command whose
// connection breaks may be done much later, as the server may have read it: its key
// is never used again.
func (l *ledger) store(key, value string) error {
	for {
		name := fmt.Sprintf("%s-%s-%d", l.name, key, l.resets)
		err := l.set(name, value)
		if err == nil {
			l.values[name] = value
			return nil
		}
		delete(l.values, name)
		if !l.broken(err) {
			return err
		}
	}
}

// audit asks for everything that was acknowledged.
func (l *ledger) audit() error {
	for key, want := range l.values {
		got, err := l.get(key)
		for err != nil && l.broken(err) {
			got, err = l.get(key)
		}
		if err != nil {
			return err
		}
		if key == l.counter {
			if n, err := strconv.Atoi(got); err != nil || n < l.sure || n > l.sure+l.maybe {
				return fmt.Errorf("%s is %q after %d acknowledged increments and %d unanswered ones", key, got, l.sure, l.maybe)
			}
		} else if got != want {
			return fmt.Errorf("%s is %q, acknowledged was %q", key, got, want)
		}
	}
	return nil
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

// redis loses its power again and again while clients on the host talk to it: they see
// resets and try again, and at the end nothing that was acknowledged is missing, and
// nothing was done twice that was asked for once.
func TestRedisUnderFire(t *testing.T) {
	native(t)
	root := software(t)
	const port = 6379
	r := run{name: "redis-under-fire", args: []string{"/usr/bin/redis-server", "--port", strconv.Itoa(port),
		"--save", "", "--appendonly", "yes", "--appendfsync", "always", "--protected-mode", "no"}}
	cuts := 150
	if all() {
		cuts = 10_000
	}
	setup := r.setup(root, r.prepare(t, root))
	setup.Overlay = t.TempDir()
	ports, err := outside.Open([]outside.Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: port}})
	if err != nil {
		t.Fatal(err)
	}
	out := &counted{Ports: ports}
	console := kernel.NewConsole(nil, io.Discard, io.Discard)
	console.Outside = out
	rng := rand.New(rand.NewPCG(7, 7))
	var plan crashinject.Plan
	for range cuts {
		// Closer together the server would only take connections anew.
		plan.Cuts = append(plan.Cuts, crashinject.Cut{After: 100_000 + rng.Uint64N(400_000), Keep: sim.Drain})
	}
	var o crashinject.Outcome
	ended := make(chan struct{})
	go func() {
		var err error
		if o, err = crashinject.CrashPublished(setup, plan, console); err != nil {
			t.Error(err)
		}
		close(ended)
		if err := out.Close(); err != nil {
			t.Error(err)
		}
	}()

	fails := func() bool { return out.failures.Load() < int64(cuts) }
	clients := make([]ledger, 4)
	var wait sync.WaitGroup
	for i := range clients {
		l := &clients[i]
		*l = ledger{redisClient: redisClient{address: out.Addr(0).String(), ended: ended}, name: string(rune('a' + i)), values: map[string]string{}}
		wait.Go(func() {
			if err := l.work(150, fails, uint64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	changes, held, increments, resets := 0, 0, 0, 0
	for i := range clients {
		l := &clients[i]
		if err := l.audit(); err != nil {
			t.Error(err)
		}
		changes, held, increments, resets = changes+l.changes, held+len(l.values), increments+l.sure, resets+l.resets
	}
	_, err = clients[0].ask("SHUTDOWN NOSAVE\r\n", "") // it does not answer
	t.Logf("%d changes, %d keys held, %d increments acknowledged, %d connections reset; %v", changes, held, increments, resets, err)
	<-ended
	if o.Point.Verdict != result.Pass || o.Failures != cuts || resets == 0 {
		t.Errorf("%d failures of %d, %v %s, %v", o.Failures, cuts, o.Point.Verdict, o.Point.Reason, o.Stop)
	}
}
