package kernel

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
)

// testdata/errors.txt is what Linux answers to calls with arguments that do not fit. Each
// line is a call and then who gets which answer:
//
//	lseek fd 5 99 = EINVAL: timerfd eventfd …; EBADF: path closed
//
// For fd each descriptor of openers is put in turn; a line without one has the answer alone.
// go test ./sim/kernel -run TestErrors -rewrite records it anew from the host's Linux.
// Linux 6.18 recorded it; lines on which versions differ are not in it.
var rewrite = flag.Bool("rewrite", false, "record testdata/errors.txt from this host")

const errorsFile = "testdata/errors.txt"

// asked is what makes system calls: the simulator's kernel, or the host's.
type asked interface {
	// call makes a call; the result is negative for an error.
	call(name string, args ...uint64) int64
	// place puts bytes where calls find them, and returns the address.
	place(b []byte) uint64
	// path is the name of a file in a directory of the side's own.
	path(name string) string
}

// openers make one descriptor of each kind, in this order.
var openers = []struct {
	kind string
	open func(s maker) int64
}{
	{"timerfd", func(s maker) int64 { return s.call("timerfd_create", 1, oNonblock) }},
	{"eventfd", func(s maker) int64 { return s.call("eventfd2", 3, oNonblock) }},
	{"epoll", func(s maker) int64 { return s.call("epoll_create1", 0) }},
	{"inotify", func(s maker) int64 { return s.call("inotify_init1", oNonblock) }},
	{"signalfd", func(s maker) int64 {
		return s.call("signalfd4", ^uint64(0), s.place([]byte{0, 2, 0, 0, 0, 0, 0, 0}), 8, oNonblock)
	}},
	{"reader", func(s maker) int64 { return s.pair("pipe2", 0) }},
	{"writer", func(s maker) int64 { return s.pair("pipe2", 1) }},
	{"stream", func(s maker) int64 { return s.call("socket", 2, 1|oNonblock, 0) }},
	{"pair", func(s maker) int64 { return s.pair("socketpair", 0) }},
	{"dir", func(s maker) int64 { return s.call("open", s.name(""), oDirectory, 0) }},
	{"null", func(s maker) int64 { return s.call("open", s.text("/dev/null"), oRdwr, 0) }},
	{"zero", func(s maker) int64 { return s.call("open", s.text("/dev/zero"), oRdwr, 0) }},
	{"file", func(s maker) int64 { return s.call("open", s.name("file"), oRdwr, 0) }},
	{"wronly", func(s maker) int64 { return s.call("open", s.name("file"), oWronly, 0) }},
	{"rdonly", func(s maker) int64 { return s.call("open", s.name("file"), 0, 0) }},
	{"path", func(s maker) int64 { return s.call("open", s.name("file"), oPath, 0) }},
	{"closed", func(maker) int64 { return 999 }},
	{"negative", func(maker) int64 { return -1 }},
}

// maker is a side with what openers and lines need of it.
type maker struct {
	asked
	words map[string]uint64
}

func (m maker) text(s string) uint64 { return m.place(append([]byte(s), 0)) }
func (m maker) name(s string) uint64 { return m.text(m.path(s)) }

// pair makes two descriptors and returns one of them.
func (m maker) pair(name string, which int) int64 {
	at := m.place(make([]byte, 8))
	var r int64
	if name == "pipe2" {
		r = m.call(name, at, oNonblock)
	} else {
		r = m.call(name, 1, 1|oNonblock, 0, at)
	}
	if r < 0 {
		return r
	}
	return int64(m.words["pair"]) + int64(which) // by the numbers that were free, see askAll
}

// answer is one side's answer to a line for one descriptor.
func (m maker) answer(line string, fd int64) string {
	f := strings.Fields(line)
	args := make([]uint64, len(f)-1)
	for i, a := range f[1:] {
		switch v, ok := m.words[a]; {
		case a == "fd":
			args[i] = uint64(fd)
		case ok:
			args[i] = v
		case a[0] == '"':
			args[i] = m.name(strings.Trim(a, `"`))
		default:
			n, err := strconv.ParseInt(a, 0, 64)
			if err != nil {
				panic(fmt.Sprintf("%s: %q is no argument", line, a))
			}
			args[i] = uint64(n)
		}
	}
	r := m.call(f[0], args...)
	if r < 0 {
		return errno.Errno(-r).Name()
	}
	return strconv.FormatInt(r, 10)
}

// askAll runs all lines on a side.
func askAll(s asked, lines []string) []string {
	m := maker{asked: s, words: map[string]uint64{}}
	m.words["buf"], m.words["bad"], m.words["NULL"] = s.place(make([]byte, 4096)), 8, 0
	m.words["late"] = s.place(append(make([]byte, 8), 0, 0xca, 0x9a, 0x3b, 0, 0, 0, 0, 0, 0, 0, 0)) // {0, 1e9}
	m.words["zeros"] = s.place(make([]byte, 64))
	m.words["vector"] = s.place(le64(m.words["buf"], 8))
	m.call("close", uint64(m.call("open", m.name("file"), oCreat|oRdwr, 0o600)))
	var fds []int64
	for _, o := range openers {
		next := m.call("dup", 0)
		if next >= 0 {
			m.call("close", uint64(next))
		}
		m.words["pair"] = uint64(next)
		fds = append(fds, o.open(m))
	}
	m.words["file"] = uint64(fds[12])
	var out []string
	for _, line := range lines {
		call, _, _ := strings.Cut(line, " = ")
		if !slices.Contains(strings.Fields(call), "fd") {
			out = append(out, call+" = "+m.answer(call, 0))
			continue
		}
		var order []string
		by := map[string][]string{}
		for i, o := range openers {
			a := m.answer(call, fds[i])
			if by[a] == nil {
				order = append(order, a)
			}
			by[a] = append(by[a], o.kind)
		}
		for i, a := range order {
			order[i] = a + ": " + strings.Join(by[a], " ")
		}
		out = append(out, call+" = "+strings.Join(order, "; "))
	}
	return out
}

func le64(words ...uint64) []byte {
	var b []byte
	for _, w := range words {
		b = le.AppendUint64(b, w)
	}
	return b
}

// rigAsked is the simulator's kernel.
type rigAsked struct{ *rig }

func (r rigAsked) call(name string, args ...uint64) int64 {
	list := make([]any, len(args))
	for i, a := range args {
		list[i] = a
	}
	res := r.sys(name, list...)
	r.ok(r.k.Release())
	return res
}

func (r rigAsked) place(b []byte) uint64   { return r.put(b) }
func (r rigAsked) path(name string) string { return "/tmp/" + name }

func TestErrors(t *testing.T) {
	text, err := os.ReadFile(errorsFile)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if *rewrite {
		lines = askAll(hostAsked(t), lines)
		if err := os.WriteFile(errorsFile, []byte(strings.Join(lines, "\n")+"\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	r := newRig(t, nil)
	r.want(0, "rt_sigaction", SIGPIPE, iov(1, 0, 0, 0), 0, 8) // SIG_IGN
	for i, got := range askAll(rigAsked{r}, lines) {
		if got != lines[i] {
			t.Errorf("line %d: Linux answers\n\t%s\nand the model\n\t%s", i+1, lines[i], got)
		}
	}
}
