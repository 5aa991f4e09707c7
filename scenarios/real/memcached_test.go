package real

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"zhuque/sim/det"
)

// cacheClient is a client of memcached that speaks its text protocol. A power failure
// resets its connection; whether the command under way is done then, and when, only the
// server knows: it may have read it already, and be at it long after the client has
// another connection.
type cacheClient struct {
	*host
	conn     net.Conn
	in       *bufio.Reader
	resets   int
	opened   bool
	patience time.Time // for the first connection
}

// item is what a key holds.
type item struct {
	value []byte
	flags int
	cas   uint64
}

// reset is a connection that broke before the answer was whole.
type reset struct{ error }

// once has f talk on a connection, a new one when there is none. A reset is returned,
// and the next call has another connection.
func (c *cacheClient) once(f func() error) error {
	for c.conn == nil {
		conn, err := net.Dial("tcp", c.address)
		if err == nil {
			c.conn, c.in, c.opened = conn, bufio.NewReader(conn), true
		} else if errors.Is(err, syscall.ECONNRESET) {
			c.resets++
		} else if c.opened || time.Now().After(c.patience) {
			return err
		} else {
			time.Sleep(10 * time.Millisecond) // the server starts
		}
	}
	err := f()
	if errors.As(err, new(reset)) {
		_ = c.conn.Close() // it is broken
		c.conn = nil
		c.resets++
	}
	return err
}

// do calls f once and again until no reset stands in its way. tries is how often.
func (c *cacheClient) do(f func() error) (tries int, err error) {
	for {
		tries++
		if err = c.once(f); !errors.As(err, new(reset)) {
			return tries, err
		}
	}
}

// send writes a command, with data behind it unless that is nil.
func (c *cacheClient) send(data []byte, format string, args ...any) error {
	text := fmt.Appendf(nil, format+"\r\n", args...)
	if data != nil {
		text = append(append(text, data...), "\r\n"...)
	}
	if _, err := c.conn.Write(text); err != nil {
		return reset{err}
	}
	return nil
}

func (c *cacheClient) line() (string, error) {
	text, err := c.in.ReadString('\n')
	if err != nil {
		return "", reset{err}
	}
	return strings.TrimSuffix(text, "\r\n"), nil
}

// ask sends a command and returns the line that answers it.
func (c *cacheClient) ask(data []byte, format string, args ...any) (string, error) {
	if err := c.send(data, format, args...); err != nil {
		return "", err
	}
	return c.line()
}

// gets reads a key; nil: it is not there.
func (c *cacheClient) gets(key string) (*item, error) {
	line, err := c.ask(nil, "gets %s", key)
	if err != nil || line == "END" {
		return nil, err
	}
	var i item
	var name string
	var size int
	if _, err := fmt.Sscanf(line, "VALUE %s %d %d %d", &name, &i.flags, &size, &i.cas); err != nil || name != key {
		return nil, fmt.Errorf("gets %s: %q", key, line)
	}
	i.value = make([]byte, size+2)
	if _, err := io.ReadFull(c.in, i.value); err != nil {
		return nil, reset{err}
	}
	if line, err = c.line(); err != nil {
		return nil, err
	}
	value, whole := bytes.CutSuffix(i.value, []byte("\r\n"))
	if !whole || line != "END" {
		return nil, fmt.Errorf("gets %s: %d bytes with no end, then %q", key, size, line)
	}
	i.value = value
	return &i, nil
}

// cacheLoad is what some clients do at the same time, and what the server then holds.
type cacheLoad struct {
	*host
	rounds int // of each client, and more while the power still fails
	mu     sync.Mutex
	held   map[string]*item    // nil: deleted
	either map[string][2]*item // what a key held before a command that was not answered, and holds if it was done
	// The counters hold the sum of what was answered, and perhaps what was not.
	sum, perhaps map[string]uint64
	stored       int // how often a set was answered
	broken       int // connections
}

const cacheClients = 6

// run has all clients do their rounds, then reads everything on a new connection.
func (l *cacheLoad) run(t *testing.T) {
	t.Helper()
	l.held, l.either, l.sum, l.perhaps = map[string]*item{}, map[string][2]*item{}, map[string]uint64{}, map[string]uint64{}
	first := l.client()
	for _, key := range []string{"together", "swapped"} {
		if err := first.create(key); err != nil {
			t.Fatal(err)
		}
	}
	var group sync.WaitGroup
	for i := range cacheClients {
		group.Go(func() {
			c := l.client()
			if err := l.work(c, i); err != nil {
				t.Errorf("client %d: %v", i, err)
			}
			l.mu.Lock()
			l.broken += c.resets
			l.mu.Unlock()
		})
	}
	group.Wait()
	if err := l.verify(first); err != nil {
		t.Error(err)
	}
	l.broken += first.resets
	t.Logf("%d sets, %d keys held, %d interrupted, %d increments together", l.stored, len(l.held), len(l.either), l.sum["together"])
}

func (l *cacheLoad) resets() int { return l.broken }

func (l *cacheLoad) farewell() string { return "shutdown\r\n" }

func (l *cacheLoad) client() *cacheClient {
	return &cacheClient{host: l.host, patience: time.Now().Add(time.Minute)}
}

// create makes a counter. What of it is done late finds the counter there.
func (c *cacheClient) create(key string) error {
	tries := 0
	_, err := c.do(func() error {
		tries++
		answer, err := c.ask([]byte("0"), "add %s 0 0 1", key)
		if err == nil && answer != "STORED" && (tries == 1 || answer != "NOT_STORED") {
			err = fmt.Errorf("add %s: %q", key, answer)
		}
		return err
	})
	return err
}

// work is one client: its own keys, which it reads back at once, a counter of its own,
// and the two that everybody changes.
func (l *cacheLoad) work(c *cacheClient, me int) error {
	r := det.Stream(uint64(me), "memcached client")
	counter := fmt.Sprintf("counter-%d", me)
	if err := c.create(counter); err != nil {
		return err
	}
	var keys [13]string
	for n := 0; n < l.rounds || l.fails(); n++ {
		key := &keys[n%len(keys)]
		value := make([]byte, 1+r.IntN(300)*(1+40*(n%10/9)))
		for i := range value {
			value[i] = byte(r.Uint32())
		}
		renamed := 0
		rename := func() {
			renamed++
			*key = fmt.Sprintf("key-%d-%d-%d", me, n, renamed)
		}
		if *key == "" {
			rename()
		}
		steps := []func() error{
			func() error { return l.store(c, key, rename, &item{value: value, flags: n}, n%5 == 4) },
			func() error { return l.count(c, counter, uint64(r.IntN(1000))) },
			func() error { return l.count(c, "together", uint64(1+me)) },
			func() error { return l.swap(c, "swapped") },
		}
		if n%7 == 6 {
			steps = append(steps, func() error { return l.remove(c, key, rename) })
		}
		for _, step := range steps {
			if err := step(); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlessReset runs one command for a key, behind which it holds after. Nobody knows when
// what a reset came between will be done: the next commands are for another key.
func (l *cacheLoad) unlessReset(c *cacheClient, key *string, rename func(), after *item, f func() error) (done bool, err error) {
	if err = c.once(f); errors.As(err, new(reset)) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.either[*key] = [2]*item{l.held[*key], after}
		delete(l.held, *key)
		rename()
		return false, nil
	}
	return err == nil, err
}

// store sets a key, with an answer or without, and reads it back.
func (l *cacheLoad) store(c *cacheClient, key *string, rename func(), i *item, quiet bool) error {
	set := func() error {
		if quiet {
			if err := c.send(i.value, "set %s %d 0 %d noreply", *key, i.flags, len(i.value)); err != nil {
				return err
			}
		} else if answer, err := c.ask(i.value, "set %s %d 0 %d", *key, i.flags, len(i.value)); err != nil {
			return err
		} else if answer != "STORED" {
			return fmt.Errorf("set %s: %q", *key, answer)
		}
		return c.holds(*key, i)
	}
	for {
		if done, err := l.unlessReset(c, key, rename, i, set); err != nil {
			return err
		} else if done {
			l.mu.Lock()
			defer l.mu.Unlock()
			l.held[*key] = i
			l.stored++
			return nil
		}
	}
}

// remove deletes a key.
func (l *cacheLoad) remove(c *cacheClient, key *string, rename func()) error {
	done, err := l.unlessReset(c, key, rename, nil, func() error {
		answer, err := c.ask(nil, "delete %s", *key)
		if err == nil && answer != "DELETED" {
			err = fmt.Errorf("delete %s: %q", *key, answer)
		}
		return err
	})
	if done {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.held[*key] = nil
	}
	return err
}

// holds reads a key and compares; want nil: it is not there.
func (c *cacheClient) holds(key string, want *item) error {
	got, err := c.gets(key)
	switch {
	case err != nil:
		return err
	case got == nil && want == nil:
		return nil
	case got == nil || want == nil:
		return fmt.Errorf("%s: there: %t, expected %t", key, got != nil, want != nil)
	case got.flags != want.flags || !bytes.Equal(got.value, want.value):
		return fmt.Errorf("%s holds flags %d and %d bytes %.40q, expected %d and %d bytes %.40q",
			key, got.flags, len(got.value), got.value, want.flags, len(want.value), want.value)
	}
	return nil
}

// count adds to a counter.
func (l *cacheLoad) count(c *cacheClient, key string, by uint64) error {
	var after uint64
	tries, err := c.do(func() error {
		answer, err := c.ask(nil, "incr %s %d", key, by)
		if err == nil {
			_, err = fmt.Sscanf(answer, "%d", &after)
		}
		return err
	})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sum[key] += by
	l.perhaps[key] += by * uint64(max(tries-1, 0))
	if key != "together" && (after < l.sum[key] || after > l.sum[key]+l.perhaps[key]) {
		err = errors.Join(err, fmt.Errorf("incr %s: %d, expected %d and at most %d more", key, after, l.sum[key], l.perhaps[key]))
	}
	return err
}

// swap adds one to a number that others change too, by compare and swap.
func (l *cacheLoad) swap(c *cacheClient, key string) error {
	tries, answered := 0, false
	for !answered {
		n, err := c.do(func() error {
			old, err := c.gets(key)
			if err != nil {
				return err
			}
			if old == nil {
				return fmt.Errorf("%s is not there", key)
			}
			var number uint64
			if _, err := fmt.Sscanf(string(old.value), "%d", &number); err != nil {
				return fmt.Errorf("%s holds %q", key, old.value)
			}
			next := fmt.Append(nil, number+1)
			answer, err := c.ask(next, "cas %s 0 0 %d %d", key, len(next), old.cas)
			if err == nil && answer != "STORED" && answer != "EXISTS" {
				err = fmt.Errorf("cas %s: %q", key, answer)
			}
			answered = err == nil && answer == "STORED"
			return err
		})
		if err != nil {
			return err
		}
		tries += n - 1
	}
	l.mu.Lock()
	l.sum[key]++
	l.perhaps[key] += uint64(tries)
	l.mu.Unlock()
	return nil
}

// verify reads everything that the clients left.
func (l *cacheLoad) verify(c *cacheClient) error {
	var errs []error
	for key, want := range l.held {
		_, err := c.do(func() error { return c.holds(key, want) })
		errs = append(errs, err)
	}
	for key, list := range l.either {
		_, err := c.do(func() error {
			err := c.holds(key, list[0])
			if err != nil && !errors.As(err, new(reset)) {
				err = c.holds(key, list[1])
			}
			return err
		})
		errs = append(errs, err)
	}
	for key, sum := range l.sum {
		var number uint64
		_, err := c.do(func() error {
			i, err := c.gets(key)
			if err == nil && i == nil {
				return fmt.Errorf("%s is not there", key)
			}
			if err == nil {
				_, err = fmt.Sscanf(string(i.value), "%d", &number)
			}
			return err
		})
		if err == nil && (number < sum || number > sum+l.perhaps[key]) {
			err = fmt.Errorf("%s is %d, expected %d and at most %d more", key, number, sum, l.perhaps[key])
		}
		errs = append(errs, err)
	}
	threads := ""
	_, err := c.do(func() error {
		line, err := c.ask(nil, "stats")
		for err == nil && line != "END" {
			if strings.HasPrefix(line, "STAT threads ") {
				threads = line
			}
			line, err = c.line()
		}
		return err
	})
	if errs = append(errs, err); threads != "STAT threads 4" {
		errs = append(errs, fmt.Errorf("it says %q", threads))
	}
	return errors.Join(slices.DeleteFunc(errs, func(err error) bool { return err == nil })...)
}
