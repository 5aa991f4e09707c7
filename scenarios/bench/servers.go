package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// Client is what a program on this host does with a server, in whatever engine that
// runs: it tries until the server answers, has its work done, and asks it to end. It
// returns what the server answered.
//
// The seconds of such a workload are the server's. In the simulator, which is one
// process with its client, they are those of both. What comes in when is not the same
// in any two runs, so instructions differ a little from one to the next.
type Client func(ctx context.Context, address string) ([]byte, error)

// guestPort is where servers listen in the simulator.
const guestPort = 11211

// listens replaces "PORT" among the arguments.
func listens(args []string, port uint16) []string {
	out := make([]string, len(args))
	for i, a := range args {
		out[i] = strings.ReplaceAll(a, "PORT", fmt.Sprint(port))
	}
	return out
}

// freePort finds a port of the loopback interface that nobody has.
func freePort() (uint16, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return uint16(l.Addr().(*net.TCPAddr).Port), l.Close()
}

// servers are those among the programs of a tree, with a part of the full load. add
// makes a workload, tool the words that start another program of the tree.
func servers(tree string, part int, add func(name, about string, client Client, program string, args ...string),
	tool func(program string, args ...string) []string) {
	add("memcached", "memcached, 4 threads: 20,000 values set and read by 4 connections",
		memcachedClient(50/part), "usr/bin/memcached",
		"-A", "-u", "root", "-U", "0", "-t", "4", "-c", "64", "-l", "127.0.0.1", "-p", "PORT")
	benchmark := tool("usr/bin/redis-benchmark", "-n", fmt.Sprint(20_000/part),
		"-c", "8", "-P", "8", "-t", "set,get,incr,lpush,hset", "--csv")
	if _, err := os.Stat(filepath.Join(tree, "usr/bin/redis-benchmark")); err == nil {
		add("redis", "redis-server: redis-benchmark, 20,000 each of set, get, incr, lpush, hset",
			redisClient(benchmark), "usr/bin/redis-server",
			"--port", "PORT", "--bind", "127.0.0.1", "--save", "", "--daemonize", "no", "--loglevel", "warning")
	}
}

// reach connects to a server that may not listen yet.
func reach(ctx context.Context, address string) (net.Conn, error) {
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			context.AfterFunc(ctx, func() { _ = c.Close() }) // who talks sees an error
		}
		if err == nil || ctx.Err() != nil || time.Since(begin) > time.Minute {
			return c, err
		}
	}
}

// memcachedClient sets values and reads them again, a hundred commands at a time.
func memcachedClient(batches int) Client {
	const conns, size = 4, 100
	return func(ctx context.Context, address string) ([]byte, error) {
		var answers [conns]bytes.Buffer
		var list [conns]net.Conn
		var in [conns]*bufio.Reader
		for i := range list {
			c, err := reach(ctx, address)
			if err != nil {
				return nil, err
			}
			defer c.Close()
			list[i], in[i] = c, bufio.NewReader(c)
		}
		for batch := range batches {
			for i, c := range list {
				var text bytes.Buffer
				for n := range size {
					value := fmt.Sprintf("value %d of batch %d", n*n, batch)
					fmt.Fprintf(&text, "set key-%d-%d-%d 0 0 %d\r\n%s\r\nget key-%d-%d-%d\r\n",
						i, batch, n, len(value), value, i, batch, n)
				}
				if _, err := c.Write(text.Bytes()); err != nil {
					return nil, err
				}
			}
			for i := range list {
				for ends := 0; ends < size; {
					line, err := in[i].ReadBytes('\n')
					if err != nil {
						return nil, err
					}
					answers[i].Write(line)
					if string(line) == "END\r\n" {
						ends++
					}
				}
			}
		}
		if _, err := io.WriteString(list[0], "shutdown\r\n"); err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, list[0]) // until the server is gone
		var all []byte
		for i := range answers {
			all = append(all, answers[i].Bytes()...)
		}
		return all, nil
	}
}

// redisClient runs Redis's own benchmark, natively. Its rates are the client's, and left out.
func redisClient(command []string) Client {
	return func(ctx context.Context, address string) ([]byte, error) {
		c, err := reach(ctx, address)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		if _, err := io.WriteString(c, "PING\r\n"); err != nil {
			return nil, err
		}
		in := bufio.NewReader(c)
		if line, err := in.ReadString('\n'); err != nil || line != "+PONG\r\n" {
			return nil, fmt.Errorf("redis-server answers %q, %w", line, err)
		}
		host, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		cmd := exec.CommandContext(ctx, command[0], append(append([]string{}, command[1:]...), "-h", host, "-p", port)...)
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("redis-benchmark: %w", err)
		}
		var names []byte
		for line := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(line, ",")
			names = append(names, name+"\n"...)
		}
		if _, err := io.WriteString(c, "DBSIZE\r\n"); err != nil {
			return nil, err
		}
		size, err := in.ReadBytes('\n')
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(c, "SHUTDOWN NOSAVE\r\n"); err != nil {
			return nil, err
		}
		_, _ = io.Copy(io.Discard, c) // until the server is gone
		return append(names, size...), nil
	}
}

// serve runs a server and its client. What the client was answered is the output.
func serve(ctx context.Context, client Client, address string,
	server func(context.Context) (Outcome, error)) (Outcome, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var answers []byte
	done := make(chan error, 1)
	go func() {
		var err error
		if answers, err = client(ctx, address); err != nil {
			cancel(err) // the server waits for nobody
		}
		done <- err
	}()
	out, err := server(ctx)
	// A client that still waits for the server is too late.
	defer time.AfterFunc(10*time.Second, func() { cancel(errServerEnded) }).Stop()
	if failed := <-done; failed != nil && err == nil {
		err = fmt.Errorf("client: %w", failed)
	}
	out.Output = answers
	return out, err
}

var errServerEnded = errors.New("the server ended before its client")

// publish opens the way into the simulator for a client of a server.
func publish() (*outside.Ports, *kernel.Console, error) {
	o, err := outside.Open([]outside.Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: guestPort}})
	if err != nil {
		return nil, nil, err
	}
	c := kernel.NewConsole(nil, io.Discard, io.Discard)
	c.Outside = o
	return o, c, nil
}
