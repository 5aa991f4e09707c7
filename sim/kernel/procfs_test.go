package kernel

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/loader"
)

// TestProc: what the files below /proc and /sys say, by pattern.
func TestProc(t *testing.T) {
	r := newRig(t, nil)
	for path, want := range map[string]string{
		"/proc/self/mounts":                      "(?m)^/dev/pmem0 /mnt/pmem ext4 rw.*dax",
		"/proc/self/mountinfo":                   `(?m)^66305 2050 259:0 / /mnt/pmem rw,relatime - ext4 /dev/pmem0`,
		"/proc/self/limits":                      `(?m)^Max open files +1024 +\d+ +files`,
		"/proc/self/smaps":                       `(?m)^10000000-10040000 rw-p .*\nSize: +256 kB$`,
		"/proc/1000/status":                      `(?m)^Pid:\t1000$`,
		"/proc/self/task/1000/comm":              `^.*\n$`,
		"/proc/sys/kernel/random/boot_id":        `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}\n$`,
		"/proc/sys/net/core/somaxconn":           `^4096\n$`,
		"/sys/devices/system/cpu/online":         `^0\n$`,
		"/sys/bus/nd/devices/region0/deep_flush": `^1\n$`,
		"/sys/bus/nd/devices/namespace0.0/mode":  `^memory\n$`,
		"/proc/filesystems":                      `\text4\n`,
	} {
		if got := r.text(path); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%s says %q, want %s", path, got, want)
		}
	}
	if a, b := uuid(1, "boot"), uuid(2, "boot"); a == b || a != uuid(1, "boot") {
		t.Errorf("boot identifiers %s and %s of two seeds", a, b)
	}
}

// TestProcOfOthers: the directories of other processes, of one that has ended, and of
// threads, after a restart too.
func TestProcOfOthers(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "pipe", r.put(make([]byte, 8)))
	r.want(0, "prctl", 15, "first")
	child := r.forked()
	tid := r.sys("clone", cloneThreadFlags, stackTop-8192, 0, 0, 0)
	r.as(child)
	r.want(0, "prctl", 15, "second")
	r.want(0, "close", 3)
	r.want(0, "chdir", "/tmp")
	r.want(3, "eventfd2", 7, oCloexec)
	r.as(initialPID)
	check := func(want map[string]string) {
		t.Helper()
		for path, pattern := range want {
			path = strings.NewReplacer("CHILD", fmt.Sprint(child), "THREAD", fmt.Sprint(tid)).Replace(path)
			if got := r.text(path); !regexp.MustCompile(pattern).MatchString(got) {
				t.Errorf("%s says %q, want %s", path, got, pattern)
			}
		}
	}
	want := map[string]string{
		"/proc/CHILD/comm":                "^second\n$",
		"/proc/CHILD/status":              `(?m)^Name:\tsecond\n(.*\n)*Tgid:\t1001\n(.*\n)*Pid:\t1001\nPPid:\t1000\n(.*\n)*Threads:\t1$`,
		"/proc/CHILD/stat":                `^1001 \(second\) R 1000 1000 1000 0 -1 (\S+ ){43}\S+\n$`,
		"/proc/CHILD/fdinfo/3":            `^pos:\t0\nflags:\t02000002\nmnt_id:\t15\nino:\t\d+\neventfd-count: +7\n$`,
		"/proc/self/fdinfo/4":             `^pos:\t0\nflags:\t01\n`,
		"/proc/1000/task/THREAD/status":   `(?m)^Name:\tfirst\n(.*\n)*Tgid:\t1000\n(.*\n)*Pid:\t1002\n(.*\n)*Threads:\t2$`,
		"/proc/THREAD/status":             `(?m)^Tgid:\t1000\n(.*\n)*Pid:\t1000$`,
		"/proc/self/maps":                 `^10000000-10040000 rw-p`,
		"/proc/thread-self/../../comm":    "^first\n$",
		"/proc/CHILD/task/CHILD/limits":   "Max open files",
		"/proc/1000/task/THREAD/fdinfo/3": "^pos",
	}
	check(want)
	opened := int(r.sys("open", fmt.Sprintf("/proc/%d/status", child), 0, 0))
	r.ok(r.reborn(r.k.Records()))
	check(want)
	buf := r.put(make([]byte, 4096))
	link := func(path, want string) {
		t.Helper()
		n := r.sys("readlink", path, buf, 64)
		if got := string(r.get(buf, int(max(n, 0)))); got != want {
			t.Errorf("%s leads to %q (%d), want %q", path, got, n, want)
		}
	}
	link("/proc/self", "1000")
	link("/proc/thread-self", "1000/task/1000")
	link("/proc/1001/cwd", "/tmp")
	link("/proc/1001/fd/3", "anon_inode:[eventfd]")
	link("/proc/1001/root", "/")
	r.want(0, "stat", "/proc/1001/fd/4", buf)
	r.want(errno.ENXIO, "open", "/proc/1001/fd/3", 0, 0)
	other := int(r.sys("open", "/proc/1001/fd/4", oWronly, 0))
	r.want(1, "write", other, "x", 1)
	r.want(1, "read", 3, buf, 5)
	if n := r.sys("pread64", opened, buf, 4096, 0); n < 500 {
		t.Errorf("the open status reads %d bytes", n)
	}

	r.as(child)
	r.raw("exit_group", 5)
	r.as(initialPID)
	if got := r.text("/proc/1001/stat"); !regexp.MustCompile(`^1001 \(\) Z 1000 .* 1280\n$`).MatchString(got) {
		t.Errorf("the zombie says %q", got)
	}
	r.want(errno.ENOENT, "readlink", "/proc/1001/cwd", buf, 10)
	r.want(int(child), "wait4", -1, 0, 0, 0)
	r.want(errno.ENOENT, "open", "/proc/1001/stat", 0, 0)
	r.want(errno.ESRCH, "pread64", opened, buf, 100, 0)
	r.want(0, "fstat", opened, buf)
}

// text reads a file of the guest.
func (r *rig) text(path string) string {
	r.Helper()
	id, err := r.k.FS.Walk(vfs.Root, path, true)
	if err != nil {
		r.Errorf("%s: %v", path, err)
		return ""
	}
	r.k.Own()
	buf := make([]byte, 1<<16)
	n, err := r.k.FS.ReadAt(id, buf, 0)
	r.ok(err)
	return string(buf[:n])
}

// TestStartStrings: /proc/self/environ, cmdline and auxv come from the stack.
func TestStartStrings(t *testing.T) {
	for n := range 4 { // every alignment of the vector's end
		r := newRig(t, nil)
		_, err := r.k.MM.Map(mm.MapRequest{Addr: mm.TaskSize - 1<<16,
			Length: 1 << 16, Prot: mm.Read | mm.Write, Fixed: true, Kind: mm.Stack})
		r.ok(err)
		p := &program{img: &loader.Image{}}
		env := []string{"A=1", "B=" + strings.Repeat("x", n)}
		_, err = r.k.pushStart(r.c, "/bin/prog", p, p, []string{"prog", "one"}[:1+n%2], env)
		r.ok(err)
		if got, want := r.text("/proc/self/environ"), strings.Join(env, "\x00")+"\x00"; got != want {
			t.Errorf("environ is %q, want %q", got, want)
		}
		auxv := r.text("/proc/self/auxv")
		if len(auxv) != 304 || le.Uint64([]byte(auxv)) != atHwcap ||
			le.Uint64([]byte(auxv[16:])) != atPagesz || le.Uint64([]byte(auxv[24:])) != 4096 {
			t.Errorf("auxv is %s", fmt.Sprintf("%d bytes, % x", len(auxv), auxv[:min(32, len(auxv))]))
		}
	}
}

// A path through /proc/self/fd leads to a pipe as to any other file: diff(1) looks
// at /dev/fd/63 before it opens it.
func TestStatThroughDescriptorLink(t *testing.T) {
	r := newRig(t, nil)
	fds, byPath, byFD := r.put(make([]byte, 8)), r.put(make([]byte, 144)), r.put(make([]byte, 144))
	r.want(0, "pipe2", fds, 0)
	r.want(0, "fstat", 4, byFD)
	for _, name := range []string{"/proc/self/fd/4", "/dev/fd/4"} {
		r.want(0, "stat", name, byPath)
		if !bytes.Equal(r.get(byPath, 144), r.get(byFD, 144)) {
			t.Errorf("%s: stat gives mode %#o, fstat %#o", name, le.Uint32(r.get(byPath+24, 4)), le.Uint32(r.get(byFD+24, 4)))
		}
		r.want(0, "access", name, 4)
		r.want(errno.EACCES, "access", name, 1)
	}
	r.want(0, "lstat", "/proc/self/fd/4", byPath)
	if mode := le.Uint32(r.get(byPath+24, 4)); mode&vfs.ModeType != vfs.ModeLink {
		t.Errorf("lstat gives mode %#o", mode)
	}
	r.want(errno.ENOENT, "stat", "/proc/self/fd/9", byPath)
}

// The nice value is kept, within its bounds, and only of those who are there.
func TestNice(t *testing.T) {
	r := newRig(t, nil)
	r.want(20, "getpriority", 0, 0)
	r.want(0, "setpriority", 0, 0, 5)
	r.want(15, "getpriority", 0, initialPID)
	r.want(15, "getpriority", 1, 0)
	r.want(0, "setpriority", 2, 0, -77)
	r.want(40, "getpriority", 0, 0)
	r.want(errno.ESRCH, "setpriority", 0, 4321, 1)
	r.want(errno.ESRCH, "getpriority", 1, 4321)
	r.want(errno.EINVAL, "getpriority", 3, 0)
}

// TestAnonymousInodes: what has no name has no type either, and cannot be opened anew.
func TestAnonymousInodes(t *testing.T) {
	r := newRig(t, nil)
	set, buf := r.put(make([]byte, 8)), r.put(make([]byte, 144))
	for i, call := range [][]any{{"eventfd2", 0, 0}, {"eventfd2", 0, 1},
		{"epoll_create1", 0}, {"timerfd_create", 1, 0}, {"signalfd4", -1, set, 8, 0}} {
		r.want(3+i, call[0].(string), call[1:]...)
		r.want(0, "fstat", 3+i, buf)
		if mode := le.Uint32(r.get(buf+24, 4)); mode != 0o600 {
			t.Errorf("%v: the mode is %#o", call, mode)
		}
		r.want(errno.ENXIO, "open", fmt.Sprintf("/proc/self/fd/%d", 3+i), 0, 0)
	}
}

// Arguments that mean nothing are refused as Linux refuses them, by calls that do nothing too.
func TestMeaninglessArguments(t *testing.T) {
	r := newRig(t, nil)
	r.want(errno.EINVAL, "getrandom", scratch, 8, 6)
	r.want(8, "getrandom", scratch, 8, 3)
	for flags, want := range map[int]any{0: errno.EINVAL, 4: errno.EINVAL, 8: errno.EINVAL, 9: errno.EINVAL, 1: 0, 7: 0} {
		r.want(want, "mlockall", flags)
	}
	r.want(errno.ESRCH, "sched_getscheduler", 99999)
	r.want(errno.EINVAL, "sched_getscheduler", -1)
	r.want(0, "sched_getscheduler", initialPID)
	r.want(errno.ESRCH, "sched_getparam", 99999, scratch)
}
