//go:build linux

package vfs

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"zhuque/sim/kernel/errno"
)

// real performs a line of do's language on a host directory: the host's Linux is
// the second implementation.
func real(root, line string) string {
	f := strings.Fields(line)
	var s string
	err := realCall(root, f, &s)
	var e syscall.Errno
	switch {
	case err == nil && s == "":
		return "ok"
	case err == nil:
		return strings.TrimPrefix(s, "=")
	case errors.As(err, &e):
		return errno.Errno(e).Name()
	}
	return err.Error()
}

func realCall(root string, f []string, out *string) error {
	p := root + f[1]
	two := func(flags uint) error { return unix.Renameat2(unix.AT_FDCWD, p, unix.AT_FDCWD, root+f[2], flags) }
	switch f[0] {
	case "create":
		return unix.Mknod(p, unix.S_IFREG|0o644, 0)
	case "mkdir":
		return unix.Mkdir(p, 0o755)
	case "fifo":
		return unix.Mknod(p, unix.S_IFIFO|0o644, 0)
	case "symlink":
		return unix.Symlink(f[2], p)
	case "link":
		return unix.Link(root+f[2], p)
	case "unlink":
		return unix.Unlink(p)
	case "rmdir":
		return unix.Rmdir(p)
	case "chmod":
		return unix.Chmod(p, 0o600)
	case "mv":
		return two(0)
	case "mvnew":
		return two(unix.RENAME_NOREPLACE)
	case "swap":
		return two(unix.RENAME_EXCHANGE)
	case "trunc":
		n, _ := strconv.ParseInt(f[2], 10, 64)
		return unix.Truncate(p, n)
	}
	return realContent(p, f, out)
}

func realContent(p string, f []string, out *string) error {
	buf := make([]byte, 1<<20)
	switch f[0] {
	case "read":
		fd, err := unix.Open(p, unix.O_RDONLY, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		n, err := unix.Read(fd, buf)
		*out = fmt.Sprintf("%q", buf[:max(n, 0)])
		return err
	case "write":
		fd, err := unix.Open(p, unix.O_WRONLY|unix.O_CREAT, 0o644)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		off, _ := strconv.ParseInt(f[2], 10, 64)
		_, err = unix.Pwrite(fd, []byte(f[3]), off)
		return err
	case "readlink":
		n, err := unix.Readlink(p, buf)
		*out = string(buf[:max(n, 0)])
		return err
	case "ls":
		ents, err := os.ReadDir(p)
		*out = "="
		for i, e := range ents {
			*out += map[bool]string{true: " "}[i > 0] + e.Name()
		}
		return err
	}
	var st unix.Stat_t
	get := unix.Lstat
	if f[0] == "stat" {
		get = unix.Stat
	}
	err := get(p, &st)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		st.Size, st.Nlink = 4096, 1
	}
	*out = fmt.Sprintf("%06o %d %d", st.Mode, st.Size, st.Nlink)
	return err
}

// gen draws random calls on a small set of names, so that they collide.
type gen struct{ *rand.Rand }

func (g gen) path() string {
	var b strings.Builder
	for range 1 + g.IntN(3) {
		b.WriteString("/" + []string{"a", "b", "c", "d", "l", ".", "a", "b"}[g.IntN(8)])
	}
	if g.IntN(12) == 0 {
		b.WriteString("/")
	}
	return b.String()
}

func (g gen) line() string {
	one := []string{"create", "mkdir", "mkdir", "unlink", "rmdir", "read",
		"read", "ls", "ls", "stat", "lstat", "chmod", "readlink", "fifo"}
	two := []string{"mv", "mv", "mv", "swap", "mvnew", "link"}
	switch g.IntN(6) {
	case 0, 1:
		return two[g.IntN(len(two))] + " " + g.path() + " " + g.path()
	case 2:
		// Relative, and never up beyond the directory that the host gave us.
		return "symlink " + g.path() + " " + []string{"a", "b/c", "l", "./d", "c/", "nowhere"}[g.IntN(6)]
	case 3:
		size := []int{0, 1, 10, 4095, 4096, 4097, 9000}[g.IntN(7)]
		if g.IntN(2) == 0 {
			return fmt.Sprintf("trunc %s %d", g.path(), size)
		}
		return fmt.Sprintf("write %s %d %s", g.path(), size,
			strings.Repeat(string(rune('a'+g.IntN(26))), 1+g.IntN(30)*g.IntN(300)))
	}
	return one[g.IntN(len(one))] + " " + g.path()
}

// readable keeps the comparison from waiting on a FIFO, and from what is the
// kernel's part there.
func readable(fs *FS, line string) bool {
	f := strings.Fields(line)
	if f[0] != "read" && f[0] != "write" && f[0] != "trunc" {
		return true
	}
	id, err := fs.Walk(Root, f[1], true)
	if err != nil {
		return !strings.HasSuffix(f[1], "/") || f[0] != "write"
	}
	n, err := fs.node(id)
	return err == nil && n.kind() != ModeFIFO && (f[0] != "write" || !strings.HasSuffix(f[1], "/"))
}

// Random calls give the results that Linux gives, while the tree is forked,
// rolled back and sent through its durable form in between.
func TestAgainstLinux(t *testing.T) {
	start := map[string]string{"a/b/c": "deep", "a/l@": "b/c",
		"b/a": strings.Repeat("x", 5000), "b/d/": "", "c": "file", "l@": "a"}
	outside := plant(t, nil)
	if got := real(outside, "mvnew /x /y"); got != "ENOENT" {
		t.Skipf("this host's file system has no renameat2: %s", got)
	}
	old := syscall.Umask(0)
	defer syscall.Umask(old)
	for seed := range uint64(25) {
		guest, host := plant(t, start), plant(t, start)
		before := tree(t, guest)
		o := Options{Root: guest}
		fs := newFS(t, o)
		g := gen{rand.New(rand.NewPCG(seed, 7))}
		var log []string
		for call := range uint64(400) {
			line := g.line()
			if !readable(fs, line) {
				continue
			}
			disturb(t, &fs, o, g, call)
			got, want := do(fs, line), real(host, line)
			if strings.HasPrefix(line, "ls ") {
				got = withoutSynthetic(got)
			}
			if log = append(log, line[:min(len(line), 60)]); got != want && !excused(got, want) {
				t.Fatalf("seed %d: %.60s => %.80s; Linux says %.80s\nafter\n%s",
					seed, line, got, want, strings.Join(log[max(0, len(log)-8):], "\n"))
			}
		}
		if after := tree(t, guest); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Fatalf("seed %d changed the host directory", seed)
		}
	}
}

// withoutSynthetic drops the directories that only the guest's root has.
func withoutSynthetic(names string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(names, " "), func(s string) bool {
		return s == "dev" || s == "mnt" || s == "proc" || s == "sys"
	}), " ")
}

// excused accepts another error than Linux's: where two are due at once, the order
// of its checks is not followed.
func excused(got, want string) bool {
	errs := func(s string) bool { return strings.HasPrefix(s, "E") && !strings.Contains(s, " ") }
	return errs(got) && errs(want)
}

// disturb does what must make no difference.
func disturb(t *testing.T, fs **FS, o Options, g gen, call uint64) {
	garble := func(fs *FS) {
		for range 3 {
			if line := g.line(); readable(fs, line) {
				do(fs, line)
			}
		}
	}
	switch g.IntN(12) {
	case 0:
		garble((*fs).Fork())
	case 1:
		f := (*fs).Fork()
		garble(*fs)
		*fs = f
	case 2:
		(*fs).BeginCall(call + 1)
		garble(*fs)
		(*fs).Resolve(call)
	case 3:
		(*fs).BeginCall(call + 1)
		garble(*fs)
		fallthrough
	case 4:
		back, err := Unmarshal(o, marshal(t, *fs))
		if err != nil {
			t.Fatal(err)
		}
		back.Resolve(call)
		*fs = back
	}
}

func TestHostSpecialFiles(t *testing.T) {
	host := plant(t, map[string]string{"f": ""})
	if err := unix.Mkfifo(filepath.Join(host, "fifo"), 0o644); err != nil {
		t.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: filepath.Join(host, "sock")}); err != nil {
		t.Skip("no socket can be made here: ", err)
	}
	fs := newFS(t, Options{Root: host})
	for path, typ := range map[string]uint32{"/fifo": ModeFIFO, "/sock": ModeSocket} {
		id := walk(t, fs, path)
		if st, err := fs.Stat(id); err != nil || st.Mode&ModeType != typ {
			t.Errorf("%s: mode %o, %v", path, st.Mode, err)
		}
		if err := fs.Open(id, false); err != errno.ENXIO {
			t.Errorf("open %s: %v", path, err)
		}
	}
	// A FIFO that takes a file's place must not be waited for.
	id := walk(t, fs, "/f")
	if err := os.Rename(filepath.Join(host, "fifo"), filepath.Join(host, "f")); err != nil {
		t.Fatal(err)
	}
	if _, err := fs.tree.sum(fs.tree.byID(id)); err == nil {
		t.Error("a FIFO passed for the file whose place it took")
	}
}
