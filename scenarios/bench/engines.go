package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"time"

	"zhuque/crashinject"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// Names of the engines, by which Comparisons finds them.
const (
	Native          = "native"
	Simulator       = "zhuque, no cache model"
	SimulatorCaches = "zhuque, cache model"
	QEMU            = "qemu-x86_64"
	QEMUSingle      = "qemu-x86_64, an instruction at a time"
	QEMUCaches      = "qemu-x86_64, cache plugin"
	Cachegrind      = "valgrind, cachegrind"
)

// Engines lists what a program can run on here, the missing ones too. plugin is
// QEMU's cache plugin, "" to look where systems put it.
func Engines(plugin string) []Engine {
	list := []Engine{native(), Simulated(false), Simulated(true)}
	return append(append(list, qemu(plugin)...), cachegrind())
}

// Simulated is this simulator under its runtime, as zhuque run starts it.
func Simulated(caches bool) Engine {
	name, model := Simulator, "off"
	if caches {
		name, model = SimulatorCaches, "full"
	}
	return Engine{Name: name, Run: func(ctx context.Context, p Process) (out Outcome, err error) {
		s := crashinject.DefaultSetup()
		s.Guest, s.Program, s.Args, s.Stdin = guests.Guest, p.Program, p.Args, p.Stdin
		if !strings.HasPrefix(s.Program, crashinject.GuestPrefix) {
			if s.Env = p.Env; s.Env == nil {
				s.Env = os.Environ()
			}
			if s.Dir, err = os.Getwd(); err != nil {
				return out, err
			}
		}
		if err := s.Set("model", model); err != nil {
			return out, err
		}
		if p.Client == nil {
			return simulate(ctx, s, nil)
		}
		ports, console, err := publish()
		if err != nil {
			return out, err
		}
		s.Args = listens(s.Args, guestPort)
		out, err = serve(ctx, p.Client, ports.Addr(0).String(),
			func(ctx context.Context) (Outcome, error) { return simulate(ctx, s, console) })
		return out, errors.Join(err, ports.Close())
	}}
}

// simulate runs a program to its end.
func simulate(ctx context.Context, s crashinject.Setup, console *kernel.Console) (out Outcome, err error) {
	runtime.GC() // what the run before left is not this one's
	begin, used := time.Now(), processor()
	cfg, err := s.Config(console)
	if err != nil {
		return out, err
	}
	m, err := s.Start(cfg)
	if err != nil {
		return out, err
	}
	turn := uint64(100_000_000) // instructions between looks at ctx
	if console != nil {
		turn = 2000 // a server that nobody talks to executes few
	}
	stop := m.RunUntil(turn)
	for stop.Reason == sim.Reached && ctx.Err() == nil {
		stop = m.RunUntil(m.Retired() + turn)
	}
	out.Wall, out.Processor = time.Since(begin), processor()-used
	out.Output, _ = m.Output()
	out.Instructions = m.Retired()
	if err := m.Close(); err != nil {
		return out, err
	}
	if !stop.Ended() || stop.ExitCode() != 0 {
		return out, fmt.Errorf("%v", stop)
	}
	return out, nil
}

func native() Engine {
	e := Engine{Name: Native, Run: host(nil, nil)}
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		e.Missing = "needs Linux on x86-64"
	}
	return e
}

// host runs a program on the host, behind the words of another one. count reads
// the engine's own instruction count from standard error; nil: there is none.
func host(before []string, count *regexp.Regexp) func(context.Context, Process) (Outcome, error) {
	var run func(ctx context.Context, p Process) (out Outcome, err error)
	run = func(ctx context.Context, p Process) (out Outcome, err error) {
		if p.Client != nil {
			port, err := freePort()
			if err != nil {
				return out, err
			}
			client := p.Client
			p.Client, p.Args = nil, listens(p.Args, port)
			return serve(ctx, client, fmt.Sprintf("127.0.0.1:%d", port),
				func(ctx context.Context) (Outcome, error) { return run(ctx, p) })
		}
		words := append(append(append([]string{}, before...), p.File), p.Args...)
		cmd := exec.CommandContext(ctx, words[0], words[1:]...)
		cmd.Env = p.Env
		if p.Stdin != "" {
			f, err := os.Open(p.Stdin)
			if err != nil {
				return out, err
			}
			defer f.Close()
			cmd.Stdin = f
		}
		var stdout, stderr bytes.Buffer
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		begin := time.Now()
		err = cmd.Run()
		out.Wall, out.Output = time.Since(begin), stdout.Bytes()
		if cmd.ProcessState != nil {
			out.Processor = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		}
		if err != nil {
			return out, fmt.Errorf("%s: %w: %s", filepath.Base(words[0]), err, complaint(stderr.String()))
		}
		if count != nil {
			m := count.FindSubmatch(stderr.Bytes())
			if m == nil {
				return out, errors.New("no instruction count in what it says")
			}
			out.Instructions, err = strconv.ParseUint(strings.ReplaceAll(string(m[1]), ",", ""), 10, 64)
		}
		return out, err
	}
	return run
}

// complaint is the first line on standard error that is not Valgrind's own.
func complaint(stderr string) string {
	for line := range strings.Lines(stderr) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "==") && !strings.HasPrefix(line, "--") {
			return line
		}
	}
	return "it says nothing"
}

const notInstalled = "not installed"

// qemu lists QEMU's user-mode emulator as it is, translating one instruction at
// a time, and with the cache plugin.
func qemu(plugin string) []Engine {
	list := []Engine{{Name: QEMU}, {Name: QEMUSingle}, {Name: QEMUCaches}}
	path, err := exec.LookPath("qemu-x86_64")
	if err != nil {
		path, err = exec.LookPath("qemu-x86_64-static")
	}
	if err != nil {
		for i := range list {
			list[i].Missing = notInstalled
		}
		return list
	}
	help, _ := exec.Command(path, "-help").Output()
	list[0].Run = host([]string{path}, nil)
	if single := singleFlag(string(help)); single != "" {
		list[1].Run = host([]string{path, single}, nil)
	} else {
		list[1].Missing = "this QEMU has neither -one-insn-per-tb nor -singlestep"
	}
	if plugin == "" {
		plugin = findPlugin()
	}
	switch {
	case plugin == "":
		list[2].Missing = notInstalled
	case !bytes.Contains(help, []byte("-plugin")):
		list[2].Missing = "this QEMU has no plugins"
	default:
		list[2].Run = host([]string{path, "-plugin", plugin}, nil)
	}
	return list
}

// singleFlag finds the flag for one instruction at a time: QEMU renamed it in version 8.1.
func singleFlag(help string) string {
	for _, flag := range []string{"-one-insn-per-tb", "-singlestep"} {
		if strings.Contains(help, flag) {
			return flag
		}
	}
	return ""
}

// findPlugin looks for QEMU's contributed cache plugin.
func findPlugin() string {
	for _, pattern := range []string{
		"/usr/lib/qemu/plugins/libcache.so", "/usr/lib/*/qemu/plugins/libcache.so", "/usr/lib/qemu/libcache.so", "/usr/lib/*/qemu/libcache.so",
		"/usr/lib64/qemu/plugins/libcache.so", "/usr/libexec/qemu/plugins/libcache.so", "/usr/local/lib/qemu/plugins/libcache.so", "/usr/local/lib/*/qemu/plugins/libcache.so",
	} {
		if found, _ := filepath.Glob(pattern); len(found) > 0 {
			return found[0]
		}
	}
	return ""
}

var instructionRefs = regexp.MustCompile(`I\s+refs:\s+([0-9,]+)`)

func cachegrind() Engine {
	path, err := exec.LookPath("valgrind")
	if err != nil {
		return Engine{Name: Cachegrind, Missing: notInstalled}
	}
	return Engine{Name: Cachegrind,
		Run: host([]string{path, "--tool=cachegrind", "--cache-sim=yes", "--cachegrind-out-file=/dev/null"}, instructionRefs)}
}
