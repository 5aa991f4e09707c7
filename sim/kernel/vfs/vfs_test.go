package vfs

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

// plant makes a host directory: "path" → content, "path/" a directory, "path@" a
// symbolic link.
func plant(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for p, text := range files {
		at := filepath.Join(dir, strings.TrimRight(p, "@/"))
		err := os.MkdirAll(filepath.Dir(at), 0o755)
		switch {
		case err != nil:
		case strings.HasSuffix(p, "/"):
			err = os.MkdirAll(at, 0o755)
		case strings.HasSuffix(p, "@"):
			err = os.Symlink(text, at)
		default:
			err = os.WriteFile(at, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// newFS makes a file tree. Without other hooks there is one process, 1000, and it has
// another thread, 1001.
func newFS(t testing.TB, o Options) *FS {
	t.Helper()
	if o.Process == nil {
		o.Hooks = onProcess(o.Hooks)
	}
	fs, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// newKept is newFS for a tree that may write its host directories.
func newKept(t testing.TB, o Options) *FS {
	t.Helper()
	keep, err := OpenKeep(o.Pools, o.Overlay)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = keep.Close() })
	o.Keep = keep
	return newFS(t, o)
}

func onProcess(h Hooks) Hooks {
	const pid = 1000
	h.Processes = func() []int32 { return []int32{pid} }
	h.Threads = func(int32) []int32 { return []int32{pid, pid + 1} }
	h.Process = func(id int32) (int32, bool) { return pid, id == pid || id == pid+1 }
	files := map[string]func(Task) []byte{"/proc/self": func(Task) []byte { return []byte("1000") }}
	for p, f := range h.Synthetic {
		files[p] = f
	}
	h.Synthetic = files
	return h
}

// do performs one line of a script, composed of the package's calls as a kernel
// would, and returns its result as text.
func do(fs *FS, line string) string {
	f := strings.Fields(line)
	switch err := act(fs, f).(type) {
	case nil:
		return "ok"
	case errno.Errno:
		return err.Name()
	case says:
		return string(err)
	default:
		return fmt.Sprintf("%T", err)
	}
}

type says string

func (s says) Error() string { return string(s) }

func act(fs *FS, f []string) error {
	var p Place
	var err error
	switch f[0] {
	case "read", "write", "trunc", "ls", "stat", "chmod":
		p, err = fs.Locate(Root, f[1], true)
	case "lstat", "readlink":
		p, err = fs.Locate(Root, f[1], false)
	default:
		p, err = fs.Parent(Root, f[1])
	}
	if err != nil {
		return err
	}
	switch f[0] {
	case "create", "fifo", "symlink", "link":
		if p.DirOnly && p.Node == 0 {
			return errno.ENOENT
		}
	case "mkdir", "write":
	default:
		if p.Node == 0 {
			return errno.ENOENT
		}
	}
	switch f[0] {
	case "create":
		_, err = fs.Create(p.Dir, p.Name, 0o644)
	case "mkdir":
		_, err = fs.Mkdir(p.Dir, p.Name, 0o755)
	case "fifo":
		_, err = fs.Mknod(p.Dir, p.Name, ModeFIFO|0o644)
	case "symlink":
		_, err = fs.Symlink(p.Dir, p.Name, f[2])
	case "unlink":
		if n, nerr := fs.node(p.Node); p.DirOnly && nerr == nil && !n.isDir() {
			return errno.ENOTDIR
		}
		err = fs.Unlink(p.Dir, p.Name)
	case "rmdir":
		err = fs.Rmdir(p.Dir, p.Name)
	case "chmod":
		err = fs.Chmod(p.Node, 0o600)
	case "link", "mv", "mvnew", "swap":
		return actTwo(fs, f, p)
	default:
		return actContent(fs, f, p)
	}
	return err
}

func actTwo(fs *FS, f []string, p Place) error {
	from := p
	if f[0] == "link" { // link new old
		old, err := fs.Walk(Root, f[2], false)
		if err != nil {
			return err
		}
		return fs.Link(old, p.Dir, p.Name)
	}
	to, err := fs.Parent(Root, f[2])
	if err != nil {
		return err
	}
	isDir := func(id NodeID) bool { n, err := fs.node(id); return err == nil && n.isDir() }
	swap := f[0] == "swap"
	switch {
	case f[0] == "mvnew" && to.Node != 0:
		return errno.EEXIST
	case swap && to.Node == 0:
		return errno.ENOENT
	case swap && to.DirOnly && !isDir(to.Node), !isDir(from.Node) && (from.DirOnly || to.DirOnly && !swap):
		return errno.ENOTDIR
	}
	flags := map[string]RenameFlags{"mvnew": RenameNoReplace, "swap": RenameExchange}[f[0]]
	return fs.Rename(from.Dir, from.Name, to.Dir, to.Name, flags)
}

func actContent(fs *FS, f []string, p Place) error {
	var off int64
	switch f[0] {
	case "read":
		buf := make([]byte, 1<<20)
		n, err := fs.ReadAt(p.Node, buf, 0)
		if err != nil {
			return err
		}
		return says(fmt.Sprintf("%q", buf[:n]))
	case "write": // write path offset text
		if p.Node == 0 && p.DirOnly {
			return errno.EISDIR
		}
		if p.Node == 0 {
			id, err := fs.Create(p.Dir, p.Name, 0o644)
			if err != nil {
				return err
			}
			p.Node = id
		}
		fmt.Sscan(f[2], &off)
		_, err := fs.WriteAt(p.Node, []byte(f[3]), off)
		return err
	case "trunc":
		fmt.Sscan(f[2], &off)
		return fs.Truncate(p.Node, off)
	case "readlink":
		s, err := fs.Readlink(p.Node)
		if err != nil {
			return err
		}
		return says(s)
	case "ls":
		ents, err := fs.ReadDir(p.Node)
		if err != nil {
			return err
		}
		var s []string
		for _, e := range ents[2:] {
			s = append(s, e.Name)
		}
		return says(strings.Join(s, " "))
	case "stat", "lstat":
		st, err := fs.Stat(p.Node)
		if err != nil {
			return err
		}
		return says(fmt.Sprintf("%06o %d %d", st.Mode, st.Size, st.Nlink))
	}
	return errno.ENOSYS
}

// script runs lines of "call => result".
func script(t *testing.T, fs *FS, text string) {
	t.Helper()
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		call, want, _ := strings.Cut(line, "=>")
		if got := do(fs, strings.TrimSpace(call)); got != strings.TrimSpace(want) {
			t.Errorf("%s => %s; want %s", strings.TrimSpace(call), got, strings.TrimSpace(want))
		}
	}
}

func TestOverlay(t *testing.T) {
	host := plant(t,
		map[string]string{"etc/passwd": "root", "etc/dir/a": "A", "etc/dir/b": "B", "empty/": "", "l@": "etc/passwd"})
	if err := os.WriteFile(filepath.Join(host, "etc/big"), []byte(strings.Repeat("b", 8192)), 0o644); err != nil {
		t.Fatal(err)
	}
	before := tree(t, host)
	script(t, newFS(t, Options{Root: host}), `
		trunc /etc/big 4096 => ok
		trunc /etc/big 4099 => ok
		read /etc/big => "`+strings.Repeat("b", 4096)+`\x00\x00\x00"
		unlink /etc/big => ok
		ls / => dev empty etc l mnt proc sys
		read /etc/passwd => "root"
		write /l 4 :x => ok
		read /etc/passwd => "root:x"
		stat /etc/passwd => 100644 6 1
		trunc /etc/passwd 2 => ok
		trunc /etc/passwd 5 => ok
		read /etc/passwd => "ro\x00\x00\x00"
		unlink /etc/passwd => ok
		read /l => ENOENT
		ls /etc => dir
		create /etc/passwd => ok
		read /etc/passwd => ""
		rmdir /etc/dir => ENOTEMPTY
		mv /etc/dir /empty/moved => ok
		ls /etc => passwd
		ls /empty/moved => a b
		read /empty/moved/a => "A"
		mkdir /etc/dir => ok
		ls /etc/dir => 
		unlink /empty/moved/a => ok
		unlink /empty/moved/b => ok
		rmdir /empty/moved => ok
		rmdir /etc/dir => ok
		mkdir /etc/dir => ok
		ls /etc/dir => 
		mkdir /x => ok
		mkdir /x/y => ok
		mv /x /x/y/z => EINVAL
		swap /x/y /etc => ok
		ls /x/y => dir passwd
		mv /etc /etc => ok
		mvnew /x /l => EEXIST
		link /h /l => ok
		lstat /h => 120777 10 2
		link /d /x => EPERM
		fifo /f => ok
		stat /f => 010644 0 1
		unlink /x => EISDIR
		rmdir /l => ENOTDIR
		mkdir /nope/x => ENOENT
		mkdir /l/x => ENOENT
		create /f/x => ENOTDIR
		mkdir /new/ => ok
		rmdir / => EBUSY
		mv / /x => EBUSY
		rmdir /x/. => EINVAL
		rmdir /x/.. => ENOTEMPTY
		mkdir /x/.. => EEXIST
		mv /dev /y => EBUSY
		rmdir /proc => EBUSY
		create /proc/x => ENOENT
		create /sys/x => EACCES
		unlink /proc/self/root => EPERM
		chmod /sys/bus => EPERM
		create /dev/shm/x => ok
		read /sys/bus/nd/devices/region0/persistence_domain => "cpu_cache\n"
		stat /dev/null => 020666 0 1
	`)
	if d := cmp.Diff(before, tree(t, host)); d != "" {
		t.Errorf("the host changed:\n%s", d)
	}
}

// tree describes a host directory with contents and times.
func tree(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		fi, err := d.Info()
		if err != nil {
			return err
		}
		text := fmt.Sprint(fi.Mode(), fi.ModTime().UnixNano(), " ")
		switch {
		case fi.Mode().IsRegular():
			b, err := os.ReadFile(p)
			if err != nil {
				return err
			}
			text += string(b)
		case fi.Mode()&os.ModeSymlink != 0:
			l, err := os.Readlink(p)
			if err != nil {
				return err
			}
			text += l
		}
		out[p] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// No path leads out of the root, and nothing of the host's kernel is seen.
func TestSandbox(t *testing.T) {
	outside := plant(t, map[string]string{"secret": "SECRET", "dir/secret": "SECRET"})
	host := plant(t, map[string]string{
		"abs@": outside + "/secret", "rel@": strings.Repeat("../", 20) + outside[1:] + "/secret", "d@": outside, "in@": "/a/../../a/file",
		"a/file": "fine", "a/up@": "../../../../a/file", "proc/1/cmdline": "host", "dev/sda": "disk", "loop@": "loop", "ping@": "pong", "pong@": "ping",
		"swap/secret": "mine", "was": "mine"})
	fs := newFS(t, Options{Root: host})
	script(t, fs, `
		read /abs => ENOENT
		read /rel => ENOENT
		read /d/secret => ENOENT
		ls /d/dir => ENOENT
		read /../../..`+outside+`/secret => ENOENT
		read /proc/self/root`+outside+`/secret => ENOENT
		read /proc/self/root/../a/file => "fine"
		read /in => "fine"
		read /a/up => "fine"
		ls /proc => 1000 self
		read /dev/sda => ENOENT
		read /loop => ELOOP
		read /ping => ELOOP
		lstat /loop => 120777 4 1
		read /was => "mine"
		ls /swap => secret
	`)
	// The host's own tree changes under the guest: still nothing gets out.
	for _, name := range []string{"swap", "was"} {
		if err := os.RemoveAll(filepath.Join(host, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(outside, filepath.Join(host, "swap")),
		os.Symlink(outside+"/secret", filepath.Join(host, "was"))); err != nil {
		t.Fatal(err)
	}
	script(t, fs, `
		read /swap/secret => *vfs.Changed
		read /swap/dir/secret => *vfs.Changed
		ls /swap => secret
	`)
	if got := do(newFS(t, Options{Root: host}), "read /was"); got != "ENOENT" {
		t.Errorf("absolute link read as %s", got)
	}
}

func TestWholeHostHidesItsKernel(t *testing.T) {
	if _, err := os.Stat("/proc/self/status"); err != nil {
		t.Skip("this host has no /proc")
	}
	fs := newFS(t, Options{})
	for _, p := range []string{"/proc/1", "/proc/self/status", "/proc/self/environ", "/proc/self/cwd",
		"/proc/self/fd/0", "/sys/kernel", "/dev/mem", "/dev/pts/0", "/proc/self/root/proc/1"} {
		if _, err := fs.Walk(Root, p, true); err != errno.ENOENT {
			t.Errorf("%s: %v", p, err)
		}
	}
	for _, p := range []string{"/proc", "/proc/self", "/sys"} {
		if _, err := New(Options{Root: p}); err == nil {
			t.Errorf("root %s was accepted", p)
		}
	}
}

// A kernel file system of the host that is mounted inside the root looks empty.
// (Mounting one takes rights that a test may lack; that they are recognised shows
// in New's refusal of /proc as a root.)
func TestMountedKernelFSIsEmpty(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, map[string]string{"chroot/proc/1/environ": "HOST"})})
	fs.tree.byID(walk(t, fs, "/chroot/proc")).hidden = true
	script(t, fs, `
		ls /chroot/proc =>
		ls /chroot/proc/1 => ENOENT
		read /chroot/proc/1/environ => ENOENT`)
}

func TestLimits(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, nil), MaxBytes: 3 * phys.PageSize, MaxNodes: 4})
	long := strings.Repeat("n", MaxName+1)
	deep := strings.Repeat("/.", MaxPath/2)
	script(t, fs, `
		create /`+long+` => ENAMETOOLONG
		create /`+long[1:]+` => ok
		read `+deep+` => ENAMETOOLONG
		ls `+deep[:MaxPath-2]+` => dev mnt `+long[1:]+` proc sys
		create /f => ok
		create /g => ok
		create /h => ENOSPC
		trunc /f 68719476736 => ok
		trunc /f 68719476737 => EFBIG
		write /f 68719476736 x => EFBIG
	`)
	id, err := fs.Walk(Root, "/f", true)
	if err != nil {
		t.Fatal(err)
	}
	n, err := fs.WriteAt(id, make([]byte, 5*phys.PageSize), 100)
	if n != 3*phys.PageSize-100 || err != nil {
		t.Errorf("wrote %d, %v; want what fits into three pages", n, err)
	}
	if n, err := fs.WriteAt(id, []byte("x"), 1<<20); n != 0 || err != errno.ENOSPC {
		t.Errorf("wrote %d, %v; want ENOSPC", n, err)
	}
	script(t, fs, `
		trunc /f 0 => ok
		write /f 1000000 x => ok
	`)
	if s := fs.Statfs(); s.Bytes != phys.PageSize {
		t.Errorf("%d bytes in use; want one page", s.Bytes)
	}
}

func TestSyntheticFiles(t *testing.T) {
	maps := "old"
	var open []FD
	fs := newFS(t, Options{Root: plant(t, map[string]string{"bin/prog": "ELF"}), Hooks: Hooks{
		FDs: func(t Task) []FD {
			if t.ID != 1000 {
				return nil
			}
			return open
		},
		FDInfo: func(t Task, num int) []byte { return fmt.Appendf(nil, "%v %d", t, num) },
		Synthetic: map[string]func(Task) []byte{
			"/proc/self/maps":   func(Task) []byte { return []byte(maps) },
			"/proc/self/stat":   func(t Task) []byte { return fmt.Append(nil, t) },
			"/proc/self/exe":    func(Task) []byte { return []byte("/bin/prog") },
			"/proc/sys/vm/x":    func(Task) []byte { return []byte("1\n") },
			"/sys/devices/node": func(Task) []byte { return nil },
		}}})
	maps = "new"
	prog, err := fs.Walk(Root, "/bin/prog", false)
	if err != nil {
		t.Fatal(err)
	}
	open = []FD{{Num: 0, Target: "/dev/console"}, {Num: 7, Node: prog}}
	script(t, fs, `
		read /proc/self/maps => "new"
		read /proc/self/exe => "ELF"
		readlink /proc/self/exe => /bin/prog
		read /proc/sys/vm/x => "1\n"
		ls /proc/self/fd => 0 7
		read /proc/self/fd/7 => "ELF"
		read /dev/fd/7 => "ELF"
		readlink /proc/self/fd/7 => /bin/prog
		readlink /proc/self/fd/0 => /dev/console
		read /proc/self/fd/07 => ENOENT
		read /proc/self/fd/1 => ENOENT
		read /dev/stdin/x => ENOTDIR
		write /proc/self/maps 0 x => EPERM
		readlink /proc/self => 1000
		ls /proc => 1000 self sys
		ls /proc/self => exe fd fdinfo maps root stat task
		ls /proc/1000/task => 1000 1001
		ls /proc/self/task/1001 => exe fd fdinfo maps root stat
		read /proc/1000/stat => "{1000 false}"
		read /proc/1001/stat => "{1001 false}"
		read /proc/1000/task/1001/stat => "{1001 true}"
		read /proc/1000/task/1001/../1000/stat => "{1000 true}"
		read /proc/1000/task/1001/../../stat => "{1000 false}"
		read /proc/1000/task/1001/../../../1000/stat => "{1000 false}"
		read /proc/1000/fdinfo/7 => "{1000 false} 7"
		ls /proc/1000/fdinfo => 0 7
		read /proc/1000/fdinfo/8 => ENOENT
		read /proc/1001/fd/7 => ENOENT
		ls /proc/1002 => ENOENT
		ls /proc/01000 => ENOENT
		ls /proc/1000/task/1002 => ENOENT
		ls /proc/1000/task/x => ENOENT
		read /proc/1000/task/1001/task => ENOENT
		unlink /proc/1000/stat => EPERM
		rmdir /proc/1000 => EPERM
		create /proc/1000/x => ENOENT
		ls /proc/4294968296 => ENOENT
	`)
	id, err := fs.Walk(Root, "/dev/stdin", true)
	if _, num, ok := fs.FDLink(id); err != nil || !ok || num != 0 {
		t.Errorf("/dev/stdin is node %#x (%v), no link to descriptor 0", id, err)
	}
	if id, err = fs.Walk(Root, "/dev/urandom", true); err != nil || fs.Device(id) != DevURandom {
		t.Errorf("/dev/urandom: device %d, %v", fs.Device(id), err)
	}
	// A fork must be able to answer for its own kernel.
	c := fs.Fork()
	c.SetHooks(onProcess(
		Hooks{Synthetic: map[string]func(Task) []byte{"/proc/self/maps": func(Task) []byte { return []byte("fork") }}}))
	script(t, c, "read /proc/self/maps => \"fork\"")
	script(t, fs, "read /proc/self/maps => \"new\"")
	for _, p := range []string{"/etc/x", "/proc/../x", "/proc/self/root", "/proc/self/fd/1/..", "proc/x"} {
		if _, err := New(Options{Root: plant(t, nil), Hooks: Hooks{Synthetic: map[string]func(Task) []byte{p: nil}}}); err == nil {
			t.Errorf("synthetic path %q was accepted", p)
		}
	}
}
