package vfs

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
)

func walk(t *testing.T, fs *FS, path string) NodeID {
	t.Helper()
	id, err := fs.Walk(Root, path, true)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return id
}

func content(t *testing.T, fs *FS, id NodeID) string {
	t.Helper()
	buf := make([]byte, 1<<20)
	n, err := fs.ReadAt(id, buf, 0)
	if err != nil {
		t.Fatal(err)
	}
	return string(buf[:n])
}

func marshal(t *testing.T, fs *FS) []byte {
	t.Helper()
	b, err := fs.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestForksAreIndependent(t *testing.T) {
	a := newFS(t, Options{Root: plant(t, map[string]string{"f": "host", "d/x": "X"})})
	script(t, a, "write /f 0 AAAA => ok\nwrite /n 0 1 => ok")
	b := a.Fork()
	c := b.Fork()
	script(t, a, "write /f 1 bb => ok\nunlink /n => ok\nmkdir /a => ok\nread /f => \"AbbA\"")
	script(t, b, "read /f => \"AAAA\"\nwrite /f 0 c => ok\nmv /d /e => ok\nls / => dev e f mnt n proc sys")
	script(t, c, "read /f => \"AAAA\"\nread /n => \"1\"\nls / => d dev f mnt n proc sys\nread /d/x => \"X\"")
	script(t, a, "ls / => a d dev f mnt proc sys\nread /f => \"AbbA\"")
}

func TestPagesAreImmutableAndShared(t *testing.T) {
	host := plant(t, map[string]string{"f": strings.Repeat("p", phys.PageSize+10)})
	a, b := newFS(t, Options{Root: host}), newFS(t, Options{Root: host})
	id := walk(t, a, "/f")
	page := func(fs *FS, i uint64) *[phys.PageSize]byte {
		p, ok, err := fs.Page(id, i)
		if err != nil || !ok {
			t.Fatalf("page %d: %v, %v", i, ok, err)
		}
		return (*[phys.PageSize]byte)(p)
	}
	if walk(t, b, "/f") != id || page(a, 0) != page(b, 0) || page(a, 1) != page(a.Fork(), 1) {
		t.Error("the same host page is not one object")
	}
	if p := page(a, 1); p[9] != 'p' || p[10] != 0 {
		t.Error("bytes after the end are not zero")
	}
	if _, ok, err := a.Page(id, 2); ok || err != nil {
		t.Errorf("page after the end: %v, %v", ok, err)
	}
	old := page(a, 0)
	write := func(text string) {
		if _, err := a.WriteAt(id, []byte(text), 0); err != nil {
			t.Fatal(err)
		}
	}
	write("1")
	one := page(a, 0)
	same := page(a, 0)
	write("2")
	two := page(a, 0)
	if old[0] != 'p' || one[0] != '1' || two[0] != '2' || one != same || page(b, 0) != old {
		t.Errorf("handed-out pages changed: %c %c %c", old[0], one[0], two[0])
	}
	f := a.Fork()
	write("3")
	if p := page(f, 0); p != two || p[0] != '2' {
		t.Error("a write to one fork reached the other's page")
	}
}

func TestIdentity(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, map[string]string{"f": "abc", "g": "abd"})})
	f, g := walk(t, fs, "/f"), walk(t, fs, "/g")
	check := func(id NodeID, text string) {
		t.Helper()
		got, err := fs.Identity(id)
		if want := fmt.Sprintf("%x", sha256.Sum256([]byte(text))); got != want || err != nil {
			t.Errorf("identity %s, %v; want that of %q", got, err, text)
		}
	}
	check(f, "abc")
	script(t, fs, "write /g 2 c => ok")
	check(g, "abc")
	script(t, fs, "trunc /g 1 => ok")
	check(g, "a")
	script(t, fs, "write /g 1 z => ok")
	check(g, "az")
	script(t, fs, "trunc /f 5000 => ok")
	check(f, "abc"+strings.Repeat("\x00", 4997))
}

func TestRemovedWhileOpen(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, map[string]string{"host": "H", "d/": ""})})
	script(t, fs, "write /own 0 O => ok")
	host, own, dir := walk(t, fs, "/host"), walk(t, fs, "/own"), walk(t, fs, "/d")
	for _, id := range []NodeID{host, own, dir} {
		if err := fs.Open(id, false); err != nil {
			t.Fatal(err)
		}
	}
	script(t, fs, "unlink /host => ok\nunlink /own => ok\nrmdir /d => ok\nmkdir /d => ok\nls /d => ")
	if content(t, fs, host)+content(t, fs, own) != "HO" {
		t.Error("a removed file lost its content while open")
	}
	if p, ok := fs.Path(own); ok || p != "/own (deleted)" {
		t.Errorf("path %q, %v", p, ok)
	}
	if s, err := fs.Stat(host); s.Nlink != 0 || err != nil {
		t.Errorf("%d links, %v", s.Nlink, err)
	}
	if _, err := fs.Create(dir, "x", 0); err != errno.ENOENT {
		t.Errorf("creating in a removed directory: %v", err)
	}
	if err := fs.Link(own, Root, "again"); err != errno.ENOENT {
		t.Errorf("linking a removed file: %v", err)
	}
	// The power goes: references are lost, recovery takes one again.
	back, err := Unmarshal(fs.opt, marshal(t, fs))
	if err != nil {
		t.Fatal(err)
	}
	for _, fs := range []*FS{fs, back} {
		fs.ForgetRefs()
		fs.Ref(own)
		fs.Sweep()
		if got := content(t, fs, own); got != "O" {
			t.Errorf("after recovery %q", got)
		}
		if s, err := fs.Stat(host); err == nil && s.Size != 0 {
			t.Errorf("a swept file still has %d bytes", s.Size)
		}
		fs.Unref(own)
		if _, err := fs.Stat(own); err != errno.ESTALE || fs.Statfs().Bytes != 0 {
			t.Errorf("after the last reference: %v, %d bytes in use", err, fs.Statfs().Bytes)
		}
		script(t, fs, "ls / => d dev mnt proc sys")
	}
}

func TestAnonymous(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, nil)})
	id, err := fs.Anonymous("memfd:x", 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if p, ok := fs.Path(id); ok || p != "/memfd:x (deleted)" {
		t.Errorf("path %q, %v", p, ok)
	}
	if err := fs.Link(id, Root, "named"); err != nil {
		t.Fatal(err)
	}
	fs.Unref(id)
	script(t, fs, "stat /named => 100600 0 1\nunlink /named => ok")
	if fs.Statfs().Nodes != 1 { // the root, whose entries changed
		t.Errorf("%d nodes left", fs.Statfs().Nodes)
	}
}

// "The changes of a call above the committed one are undone", also after a fork
// and in the durable form.
func TestCallRollback(t *testing.T) {
	const change = `
		write /f 0 NEW => ok
		unlink /g => ok
		mkdir /h => ok
		mv /d /h/d => ok
		trunc /own 1 => ok`
	for committed, undone := range map[uint64]bool{6: true, 7: false, 9: false} {
		fs := newFS(t, Options{Root: plant(t, map[string]string{"f": "old", "g": "g", "d/x": "X"})})
		fs.BeginCall(6)
		script(t, fs, "write /own 0 six => ok\nwrite /also 0 six => ok")
		fs.BeginCall(7)
		before, err := fs.Digest()
		if err != nil {
			t.Fatal(err)
		}
		script(t, fs, change)
		after, err := fs.Digest()
		if err != nil {
			t.Fatal(err)
		}
		image, err := Unmarshal(fs.opt, marshal(t, fs))
		if err != nil {
			t.Fatal(err)
		}
		second, err := Unmarshal(fs.opt, marshal(t, image))
		if err != nil {
			t.Fatal(err)
		}
		want := map[bool]string{true: before, false: after}[undone]
		for i, fs := range []*FS{fs.Fork(), image, second, fs} {
			if undone { // the call may go on after a fork, or be asked for twice
				script(t, fs, "write /also 0 Z => ok")
			}
			fs.Resolve(committed)
			if got, err := fs.Digest(); got != want || err != nil {
				t.Errorf("committed %d, copy %d: wrong state (undone %v), %v", committed, i, got == before, err)
			}
			script(t, fs, "write /f 0 go => ok") // and goes on working
		}
	}
}

// A call that changed nothing must not resurrect the call before it.
func TestRollbackOfIdleCall(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, nil)})
	fs.BeginCall(1)
	script(t, fs, "create /a => ok")
	fs.BeginCall(2)
	fs.Resolve(1)
	script(t, fs, "ls / => a dev mnt proc sys")
}

func TestClosingIsUndoneToo(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, nil)})
	script(t, fs, "write /a 0 kept => ok")
	a := walk(t, fs, "/a")
	fs.Ref(a)
	script(t, fs, "unlink /a => ok")
	fs.BeginCall(5)
	fs.Unref(a)
	fs.Resolve(4)
	if got := content(t, fs, a); got != "kept" {
		t.Errorf("the file is gone although its close was undone: %q", got)
	}
}

func TestChangedHost(t *testing.T) {
	files := map[string]string{"held": "held", "owned": "owned", "link@": "held", "free": "free", "sub/held": "x"}
	for _, c := range []struct {
		name   string
		change func(host string) error
		want   string // path of the *Changed, "" for none
	}{
		{"nothing", func(string) error { return nil }, ""},
		{"a file that nobody held", func(h string) error { return os.WriteFile(h+"/free", []byte("FREE"), 0o644) }, ""},
		{"only the time", func(h string) error { return os.Chtimes(h+"/held", time.Time{}, time.Unix(1, 0)) }, ""},
		{"content", func(h string) error { return os.WriteFile(h+"/held", []byte("HELD"), 0o644) }, "/held"},
		{"content, time kept", func(h string) error {
			fi, err := os.Stat(h + "/owned")
			if err != nil {
				return err
			}
			return errors.Join(os.WriteFile(h+"/owned", []byte("OWNED"), 0o644),
				os.Chtimes(h+"/owned", time.Time{}, fi.ModTime().Add(1)))
		}, "/owned"},
		{"size", func(h string) error { return os.Truncate(h+"/owned", 2) }, "/owned"},
		{"gone", func(h string) error { return os.Remove(h + "/held") }, "/held"},
		{"directory gone", func(h string) error { return os.RemoveAll(h + "/sub") }, "/sub/held"},
		{"kind", func(h string) error { return errors.Join(os.Remove(h+"/held"), os.Mkdir(h+"/held", 0o755)) }, "/held"},
		{"link", func(h string) error { return errors.Join(os.Remove(h+"/link"), os.Symlink("free", h+"/link")) }, "/link"},
	} {
		host := plant(t, files)
		fs := newFS(t, Options{Root: host})
		fs.Ref(walk(t, fs, "/held"))
		fs.Ref(walk(t, fs, "/sub/held"))
		script(t, fs, "chmod /owned => ok\nread /free => \"free\"\nlink /l2 /link => ok")
		image := marshal(t, fs)
		if err := c.change(host); err != nil {
			t.Fatal(err)
		}
		_, err := Unmarshal(Options{Root: host}, image)
		var changed *Changed
		if errors.As(err, &changed) != (c.want != "") ||
			changed != nil && changed.Path != c.want || changed == nil && err != nil {
			t.Errorf("%s: %v; want a change of %q", c.name, err, c.want)
		}
	}
}

// A host file that changes while the guest runs stops the run.
func TestChangedWhileRunning(t *testing.T) {
	host := plant(t, map[string]string{"f": "one"})
	fs := newFS(t, Options{Root: host})
	id := walk(t, fs, "/f")
	if err := os.WriteFile(filepath.Join(host, "f"), []byte("three"), 0o644); err != nil {
		t.Fatal(err)
	}
	for name, err := range map[string]error{"open": fs.Open(id, false), "read": readErr(fs, id), "page": pageErr(fs, id)} {
		var changed *Changed
		if !errors.As(err, &changed) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func readErr(fs *FS, id NodeID) error { _, err := fs.ReadAt(id, make([]byte, 9), 0); return err }
func pageErr(fs *FS, id NodeID) error { _, _, err := fs.Page(id, 0); return err }

func TestDamagedImage(t *testing.T) {
	o := Options{Root: plant(t, map[string]string{"d/x": "X"})}
	fs := newFS(t, o)
	script(t, fs, "write /d/x 0 y => ok\nmkdir /m => ok")
	image := marshal(t, fs)
	for i := 0; i < len(image); i += 3 {
		bad := []byte(string(image))
		bad[i] ^= 0x10
		for _, b := range [][]byte{bad, image[:i]} {
			var damage *BadImage
			if _, err := Unmarshal(o, b); !errors.As(err, &damage) {
				t.Fatalf("byte %d: %v", i, err)
			}
		}
	}
}

// FuzzUnmarshal gives damaged images a true checksum: they must be refused, or work.
func FuzzUnmarshal(f *testing.F) {
	o := Options{Root: plant(f, map[string]string{"d/x": "X"})}
	fs := newFS(f, o)
	for _, line := range []string{"write /d/x 0 y", "mkdir /m",
		"mv /d /m/d", "link /k /m/d/x", "symlink /s k", "unlink /k"} {
		if got := do(fs, line); got != "ok" {
			f.Fatal(line, got)
		}
	}
	fs.BeginCall(3)
	do(fs, "mkdir /m/q")
	image, err := fs.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image[len(durableMagic) : len(image)-sha256.Size])
	f.Fuzz(func(t *testing.T, body []byte) {
		b := append([]byte(durableMagic), body...)
		sum := sha256.Sum256(b)
		fs, err := Unmarshal(o, append(b, sum[:]...))
		if err != nil {
			return
		}
		for _, line := range []string{"ls /", "ls /m", "ls /m/d", "read /m/d/x", "mkdir /m/n", "mv /m /z", "unlink /k"} {
			do(fs, line)
		}
		fs.Resolve(0)
		fs.Sweep()
		if _, err := fs.Marshal(); err != nil {
			t.Fatal(err)
		}
	})
}

func TestSync(t *testing.T) {
	host := plant(t, map[string]string{"etc/a": "A", "etc/b": "B", "lib/x": "X", "lib/sub/y": "Y"})
	out := t.TempDir()
	fs := newKept(t, Options{Root: host, Overlay: out})
	script(t, fs, `
		write /etc/a 0 changed => ok
		unlink /etc/b => ok
		mv /lib /usr => ok
		unlink /usr/x => ok
		symlink /escape /etc => ok
		write /sparse 100000 end => ok
		fifo /pipe => ok`)
	for range 2 { // the second replaces the first
		if err := fs.Sync(); err != nil {
			t.Fatal(err)
		}
	}
	got := map[string]string{}
	for p, text := range tree(t, filepath.Join(out, overlayTree)) {
		rel, err := filepath.Rel(filepath.Join(out, overlayTree), p)
		if err != nil {
			t.Fatal(err)
		}
		f := strings.SplitN(text, " ", 3)
		got[rel] = f[2]
		if rel == "sparse" {
			got[rel] = fmt.Sprint(len(f[2]), f[2][100000:])
		}
	}
	want := map[string]string{".": "", "etc": "", "etc/a": "changed", "usr": "",
		"usr/sub": "", "usr/sub/y": "Y", "escape": "/etc", "sparse": "100003end"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("tree (-want +got):\n%s", d)
	}
	list, err := os.ReadFile(filepath.Join(out, overlayList))
	for _, line := range []string{`removed 0000 "/etc/b"`, `removed 0000 "/lib"`,
		`removed 0000 "/usr/x"`, `fifo    0644 "/pipe"`} {
		if err != nil || !strings.Contains(string(list), line+"\n") {
			t.Errorf("%v: no line %s in\n%s", err, line, list)
		}
	}
	if _, err := New(Options{Root: host, Overlay: host}); err == nil {
		t.Error("a directory with foreign files was accepted for the overlay")
	}
}

// Forks may be used from different goroutines (for the race detector).
func TestForksInParallel(t *testing.T) {
	fs := newFS(t, Options{Root: plant(t, map[string]string{"f": "host", "d/x": "X"})})
	script(t, fs, "write /n 0 1 => ok")
	var wg sync.WaitGroup
	for i := range 4 {
		c := fs.Fork()
		wg.Go(func() {
			id := fmt.Sprint(i)
			for _, line := range []string{"write /f 0 " + id, "write /n 0 " + id, "mkdir /d/" + id, "mv /d/x /y"} {
				if got := do(c, line); got != "ok" {
					t.Errorf("fork %s: %s => %s", id, line, got)
				}
			}
			if got, want := do(c, "read /f")+do(c, "read /n")+do(c,
				"ls /d"), fmt.Sprintf("\"%sost\"%q%s", id, id, id); got != want {
				t.Errorf("fork %s reads %s; want %s", id, got, want)
			}
		})
	}
	script(t, fs, "read /f => \"host\"\nwrite /f 0 H => ok\nread /f => \"Host\"")
	wg.Wait()
}
