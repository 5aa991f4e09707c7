package sockets

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/outside"
)

// build builds one of the programs into a file tree of nothing but it and /tmp.
func build(t *testing.T, name string) (root string) {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("runs x86-64 programs natively")
	}
	root = t.TempDir()
	to := filepath.Join(root, name)
	cmd := exec.Command("go", "build", "-o", to, "zhuque/scenarios/sockets/talk")
	if name == "sockets" {
		cmd = exec.Command(testrig.Compiler(t), "-O2", "-static", "-pthread", "-o", to, "src/sockets.c")
	}
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := os.Mkdir(filepath.Join(root, "tmp"), 0o777); err != nil {
		t.Fatal(err)
	}
	then := time.Unix(1, 0) // file times are part of what is compared
	for _, f := range []string{name, "tmp", "."} {
		if err := os.Chtimes(filepath.Join(root, f), then, then); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func setup(root, name string, args ...string) crashinject.Setup {
	s := crashinject.DefaultSetup()
	s.Root, s.Program, s.Args = root, "/"+name, args
	return s
}

var programs = []string{"sockets", "talk"}

// In the simulator the programs print what they print on the host.
func TestSameAsNative(t *testing.T) {
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			root := build(t, name)
			var want bytes.Buffer
			cmd := exec.Command(filepath.Join(root, name))
			cmd.Stdout, cmd.Env = &want, []string{}
			if err := cmd.Run(); err != nil {
				t.Fatal(err)
			}
			for seed := range uint64(3) { // other interleavings
				s := setup(root, name)
				s.Seed = seed
				var got, diag bytes.Buffer
				cfg, err := s.Config(kernel.NewConsole(nil, &got, &diag))
				if err != nil {
					t.Fatal(err)
				}
				m, err := s.Start(cfg)
				if err != nil {
					t.Fatal(err)
				}
				if stop := m.Run(); stop.Reason != sim.Exited || stop.Status != 0 {
					t.Fatalf("%v; standard error %q", stop, diag.String())
				}
				if got.String() != want.String() || want.Len() == 0 {
					t.Errorf("seed %d: it prints\n%s\nand natively\n%s", seed, got.String(), want.String())
				}
			}
		})
	}
}

// Through power failures at random instructions and before the stores that the runtime
// makes inside calls, the programs are what they would be without.
func TestPowerFailures(t *testing.T) {
	for _, name := range programs {
		t.Run(name, func(t *testing.T) {
			root := build(t, name)
			for _, s := range []crashinject.Strategy{
				{Kind: crashinject.Random, Points: 40, Seed: 1}, {Kind: crashinject.Calls, Points: 100, Seed: 1}, {Kind: crashinject.Recovery, Points: 20, Seed: 1},
			} {
				c := crashinject.Campaign{Name: name, Setup: setup(root, name), Tails: 8, Strategy: s}
				out, err := c.Run(context.Background())
				if err != nil {
					t.Fatal(err)
				}
				if p, failed := out.FirstFailure(); failed || out.Points == 0 || out.Counts.Pass != out.Points {
					t.Errorf("%v: %d points: %+v; first failure %s: %v: %s", s, out.Points, out.Counts, p.Plan, p.Verdict, p.Reason)
				}
			}
		})
	}
}

// publish makes a console with port 8080 of the guest on a free port of the host.
func publish(t *testing.T) (*kernel.Console, string) {
	t.Helper()
	o, err := outside.Open([]outside.Published{{Host: netip.MustParseAddrPort("127.0.0.1:0"), Guest: 8080}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.Close(); err != nil {
			t.Error(err)
		}
	})
	c := kernel.NewConsole(nil, io.Discard, io.Discard)
	c.Outside = o
	return c, o.Addr(0).String()
}

// ask is a client: it tries again when the connection is reset, and returns the number
// that the server gave the request.
func ask(t *testing.T, client *http.Client, address, body string) (number, resets int) {
	for {
		text, err := post(client, "http://"+address+"/upper", body)
		if err == nil {
			count, rest, _ := strings.Cut(text, " ")
			if rest != strings.ToUpper(body) {
				t.Errorf("%d bytes came back, or others, of %d", len(rest), len(body))
			}
			n, err := strconv.Atoi(count)
			if err != nil {
				t.Error(err)
			}
			return n, resets
		}
		var broken *net.OpError
		if !errors.As(err, &broken) && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || resets > 10 {
			t.Error(err)
			return 0, resets
		}
		resets++
	}
}

func post(client *http.Client, url, body string) (string, error) {
	r, err := client.Post(url, "text/plain", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	b, err := io.ReadAll(r.Body)
	return string(b), errors.Join(err, r.Body.Close())
}

// A client on the host talks to a server in the machine, also when the power fails: it
// sees its connection reset, and the server goes on counting where it was.
func TestPublished(t *testing.T) {
	root := build(t, "talk")
	for name, cuts := range map[string][]uint64{"uncut": nil, "while it starts": {200_000},
		"while it serves": {3_000_000, 1_000_000, 1_000_000}} {
		t.Run(name, func(t *testing.T) {
			console, address := publish(t)
			var plan crashinject.Plan
			for _, n := range cuts {
				plan.Cuts = append(plan.Cuts, crashinject.Cut{After: n})
			}
			done := make(chan crashinject.Outcome, 1)
			go func() {
				out, err := crashinject.CrashPublished(setup(root, "talk", "127.0.0.1:8080"), plan, console)
				if err != nil {
					out.Point.Reason += err.Error()
				}
				done <- out
			}()
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			last, resets := 0, 0
			for i := range 20 {
				n, r := ask(t, client, address, strings.Repeat("body ", 1+i*2500))
				if n <= last {
					t.Fatalf("request %d came as number %d, the one before as %d", i, n, last)
				}
				last, resets = n, resets+r
			}
			if _, err := post(client, "http://"+address+"/quit", ""); err != nil {
				t.Logf("the server ended before it could answer: %v", err)
			}
			out := <-done
			if out.Point.Verdict != result.Pass || out.Failures != len(cuts) || out.Stop.ExitCode() != 3 {
				t.Errorf("%d failures, %v %s, %v", out.Failures, out.Point.Verdict, out.Point.Reason, out.Stop)
			}
			if last != 20 && resets == 0 {
				t.Errorf("20 requests were counted as %d although none was tried again", last)
			}
			t.Logf("%d requests served, %d connections reset", last, resets)
		})
	}
}
