package real

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// redisClient has one connection at a time; it is made anew after an error.
type redisClient struct {
	*host
	conn   net.Conn
	in     *bufio.Reader
	resets int
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
	return !closed(c.ended) && !errors.Is(err, errAnswer) && !errors.Is(err, strconv.ErrSyntax)
}

// ledger is what one client knows: the values that were acknowledged, and how often
// its counter was incremented, certainly and at the most.
type ledger struct {
	redisClient
	name        string
	counter     string // its key
	values      map[string]string
	either      map[string][2]string // what a key held before a command that was not answered, and holds if it was done
	sure, maybe int
	changes     int
}

// work makes at least n changes, and goes on while the power still fails.
func (l *ledger) work(n int, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 0))
	if err := l.store("counter", "0"); err != nil {
		return err
	}
	for l.counter = range l.values { // it is the only one
	}
	for i := 0; i < n || l.fails(); i++ {
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
		if before, ok := l.values[name]; ok {
			l.either[name] = [2]string{before, value}
			delete(l.values, name)
		}
		if !l.broken(err) {
			return err
		}
	}
}

// surely asks for a key until it is answered.
func (l *ledger) surely(key string) (string, error) {
	for {
		if value, err := l.get(key); err == nil || !l.broken(err) {
			return value, err
		}
	}
}

// audit asks for everything that was acknowledged.
func (l *ledger) audit() error {
	for key, want := range l.values {
		got, err := l.surely(key)
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
	for key, list := range l.either {
		got, err := l.surely(key)
		if err != nil {
			return err
		}
		if got != list[0] && got != list[1] {
			return fmt.Errorf("%s is %q, acknowledged was %q, then %q was not answered", key, got, list[0], list[1])
		}
	}
	return nil
}

// redisLoad is clients that change the server at the same time, each its own keys.
type redisLoad struct {
	*host
	clients [4]ledger
}

func redisClients(h *host) *redisLoad {
	load := &redisLoad{host: h}
	for i := range load.clients {
		load.clients[i] = ledger{redisClient: redisClient{host: h}, name: string(rune('a' + i)), values: map[string]string{}, either: map[string][2]string{}}
	}
	return load
}

// run has all clients make their changes, then asks for everything.
func (load *redisLoad) run(t *testing.T) {
	t.Helper()
	var group sync.WaitGroup
	for i := range load.clients {
		group.Go(func() {
			if err := load.clients[i].work(150, uint64(i)); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	changes, held, either, increments := 0, 0, 0, 0
	for i := range load.clients {
		l := &load.clients[i]
		if err := l.audit(); err != nil {
			t.Error(err)
		}
		changes, held, either, increments = changes+l.changes, held+len(l.values), either+len(l.either), increments+l.sure
	}
	t.Logf("%d changes, %d keys held, %d interrupted, %d increments acknowledged", changes, held, either, increments)
}

func (load *redisLoad) resets() (n int) {
	for i := range load.clients {
		n += load.clients[i].resets
	}
	return n
}

func (load *redisLoad) farewell() string { return "SHUTDOWN NOSAVE\r\n" }
