package vfs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/sim/hostdir"
	"zhuque/sim/mem"
)

// TestPools: what is in the pool directory is in the guest's file system for direct
// access, and what the guest leaves there, through mappings too, is there afterwards.
func TestPools(t *testing.T) {
	pools := plant(t, map[string]string{"old": "first pool", "sub/deep": "second", "gone": "x"})
	fs := newKept(t, Options{Root: plant(t, map[string]string{"mnt/other": "the host's"}), Pools: pools})
	pmem := mem.NewStore()
	fs.SetMemory(pmem)
	if n := fs.Writes(); n != 0 {
		t.Errorf("%d writes through calls before the first call", n)
	}
	script(t, fs, `
		ls /mnt => other pmem
		read /mnt/pmem/old => "first pool"
		read /mnt/pmem/sub/deep => "second"
		write /mnt/pmem/old 6 POOL => ok
		unlink /mnt/pmem/gone => ok
		create /mnt/pmem/new => ok
		trunc /mnt/pmem/new 5000 => ok
		create /f => ok
		mv /f /mnt/pmem/f => EXDEV
		link /mnt/pmem/f /f => EXDEV
		rmdir /mnt/pmem => EBUSY`)
	id := walk(t, fs, "/mnt/pmem/new")
	if fs.Mount(id) != PMEMMount || fs.Mount(walk(t, fs, "/mnt")) != RootMount ||
		fs.Mount(walk(t, fs, "/dev/null")) != DevMount {
		t.Errorf("mounts: %d, %d", fs.Mount(id), fs.Mount(walk(t, fs, "/mnt")))
	}
	f, ok, err := fs.Pin(id, 1)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	copy(pmem.WritablePage(f)[:], "stored")
	if err := fs.Close(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"old": "first POOL", "sub/deep": "second"} {
		if got, err := os.ReadFile(filepath.Join(pools, name)); err != nil || string(got) != want {
			t.Errorf("%s holds %q, %v", name, got, err)
		}
	}
	if got, err := os.ReadFile(filepath.Join(pools, "new")); err != nil ||
		len(got) != 5000 || string(got[4096:4102]) != "stored" {
		t.Errorf("the new pool holds %d bytes, %v", len(got), err)
	}
	if _, err := os.Stat(filepath.Join(pools, "gone")); err == nil {
		t.Error("a pool that the guest removed is still there")
	}
	again := newFS(t, Options{Root: plant(t, nil), Pools: pools})
	script(t, again, `
		ls /mnt/pmem => new old sub
		stat /mnt/pmem/new => 100644 5000 1`)
}

// A file takes the place of a directory, and a directory that of a file.
func TestPoolOfAnotherKind(t *testing.T) {
	pools := plant(t, map[string]string{"file": "x", "dir/in": "y"})
	fs := newKept(t, Options{Root: plant(t, nil), Pools: pools})
	script(t, fs, `
		unlink /mnt/pmem/file => ok
		mkdir /mnt/pmem/file => ok
		create /mnt/pmem/file/in => ok
		unlink /mnt/pmem/dir/in => ok
		rmdir /mnt/pmem/dir => ok
		create /mnt/pmem/dir => ok
		write /mnt/pmem/dir 0 kept => ok`)
	if err := fs.Close(); err != nil {
		t.Fatal(err)
	}
	again := newFS(t, Options{Root: plant(t, nil), Pools: pools})
	script(t, again, `
		ls /mnt/pmem/file => in
		read /mnt/pmem/dir => "kept"`)
}

// What the guest leaves is kept as a whole or not at all: names of any bytes, hard links,
// permissions, times, depth; and a socket, FIFO or link refuses before anything is written.
func TestPoolKeepsAllOrNothing(t *testing.T) {
	pools := plant(t, map[string]string{"a.db": "old", "z.db": "old"})
	build := func(t *testing.T) *FS {
		fs := newKept(t, Options{Root: plant(t, nil), Pools: pools})
		script(t, fs, "write /mnt/pmem/a.db 0 new => ok\nwrite /mnt/pmem/z.db 0 new => ok")
		return fs
	}
	fs := build(t)
	at := walk(t, fs, PMEMDir)
	for _, name := range []string{".zhuque-part", "new\nline\x1b[31m", "\xff\xfe",
		strings.Repeat("n", 255), ".zhuque-write-back-1", ".zhuque-write-back-1.new", "zhuque-changes"} {
		id, err := fs.Create(at, name, 0o640)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fs.WriteAt(id, []byte(name), 0); err != nil {
			t.Fatal(err)
		}
	}
	one := walk(t, fs, "/mnt/pmem/a.db")
	if err := fs.Link(one, at, "second"); err != nil {
		t.Fatal(err)
	}
	dir := at
	for range 40 {
		var err error
		if dir, err = fs.Mkdir(dir, strings.Repeat("d", 200), 0o750); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := fs.Create(dir, "bottom", 0o600); err != nil {
		t.Fatal(err)
	}
	if err := fs.Close(); err != nil {
		t.Fatal(err)
	}
	again := newFS(t, Options{Root: plant(t, nil), Pools: pools})
	at = walk(t, again, PMEMDir)
	for _, name := range []string{".zhuque-part", "new\nline\x1b[31m",
		"\xff\xfe", strings.Repeat("n", 255), ".zhuque-write-back-1.new"} {
		id, err := again.Lookup(at, name)
		if err != nil {
			t.Errorf("%q: %v", name, err)
			continue
		}
		text := make([]byte, 300)
		if n, err := again.ReadAt(id, text, 0); err != nil || string(text[:n]) != name {
			t.Errorf("%q holds %q, %v", name, text[:n], err)
		}
		if s, _ := again.Stat(id); s.Mode&0o777 != 0o640 {
			t.Errorf("%q has mode %o", name, s.Mode)
		}
	}
	a, errA := again.Lookup(at, "a.db")
	b, errB := again.Lookup(at, "second")
	if errA != nil || errB != nil || a != b {
		t.Errorf("the two names of a file are two files now: %v, %v", errA, errB)
	}
	bottom := at
	for range 40 {
		var err error
		if bottom, err = again.Lookup(bottom, strings.Repeat("d", 200)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := again.Lookup(bottom, "bottom"); err != nil {
		t.Error(err)
	}
}

func TestPoolRefusesWhatCannotBeKept(t *testing.T) {
	for _, what := range []string{"fifo /mnt/pmem/m => ok", "symlink /mnt/pmem/m /etc => ok"} {
		pools := plant(t, map[string]string{"a.db": "old", "z.db": "old"})
		fs := newKept(t, Options{Root: plant(t, nil), Pools: pools})
		script(t, fs, "write /mnt/pmem/a.db 0 new => ok\n"+what+"\nwrite /mnt/pmem/z.db 0 new => ok")
		err := fs.Close()
		if !errors.As(err, new(*Unkept)) {
			t.Errorf("%s: %v", what, err)
		}
		for _, name := range []string{"a.db", "z.db"} {
			if got, err := os.ReadFile(filepath.Join(pools, name)); err != nil || string(got) != "old" {
				t.Errorf("%s: %s holds %q, %v", what, name, got, err)
			}
		}
	}
}

// Without a Keep nothing is written, one Keep excludes another, and what somebody else
// changed meanwhile stays.
func TestKeep(t *testing.T) {
	pools := plant(t, map[string]string{"a": "old"})
	out := t.TempDir()
	fs := newFS(t, Options{Root: plant(t, nil), Pools: pools, Overlay: out})
	script(t, fs, "write /mnt/pmem/a 0 new => ok\nwrite /f 0 x => ok")
	if err := fs.Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(filepath.Join(pools, "a")); err != nil || string(got) != "old" {
		t.Errorf("a holds %q, %v", got, err)
	}
	if all, err := os.ReadDir(out); err != nil || len(all) > 0 {
		t.Errorf("the overlay holds %v, %v", all, err)
	}
	fs = newKept(t, Options{Root: plant(t, nil), Pools: pools, Overlay: out})
	for _, dirs := range [][2]string{{pools, ""}, {"", out}} {
		if k, err := OpenKeep(dirs[0], dirs[1]); !errors.As(err, new(*hostdir.InUse)) {
			t.Errorf("%q: a second run has it too: %v, %v", dirs, k, err)
		}
	}
	if _, err := OpenKeep(t.TempDir(), "missing"); err == nil {
		t.Error("a missing directory is taken")
	}
	outer := plant(t, map[string]string{"in/x": "x"})
	if _, err := OpenKeep(outer, filepath.Join(outer, "in")); err == nil || !strings.Contains(err.Error(), "within") {
		t.Errorf("an overlay within the pools: %v", err)
	}
	script(t, fs, "write /mnt/pmem/a 0 new => ok")
	if err := os.WriteFile(filepath.Join(pools, "a"), []byte("newer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := fs.Close(); !errors.As(err, new(*hostdir.Changed)) {
		t.Errorf("what somebody else changed: %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(pools, "a")); err != nil || string(got) != "newer" {
		t.Errorf("a holds %q, %v", got, err)
	}
}

// A sparse file costs what it holds, and what does not fit is refused before it is read.
func TestSparsePool(t *testing.T) {
	pools := t.TempDir()
	big := filepath.Join(pools, "big")
	f, err := os.Create(big)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte("end"), 40<<30); err != nil {
		t.Skip(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	fs := newKept(t, Options{Root: plant(t, nil), Pools: pools})
	if s := fs.Statfs(); s.Bytes > 1<<20 {
		t.Errorf("it holds %d bytes", s.Bytes)
	}
	script(t, fs, "write /mnt/pmem/big 5 begin => ok")
	if err := fs.Close(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(big)
	if err != nil || st.Size() != 40<<30+3 || hostBlocks(st) > 1<<20 {
		t.Errorf("%v, %v", st, err)
	}
	if err := os.Truncate(big, int64(MaxFile)+1); err != nil {
		t.Skip(err)
	}
	if _, err := New(Options{Root: plant(t, nil), Pools: pools}); err == nil || !strings.Contains(err.Error(), "at most") {
		t.Errorf("a file of more than %d bytes: %v", MaxFile, err)
	}
	full := plant(t, map[string]string{"a": strings.Repeat("x", 9000)})
	if _, err := New(Options{Root: plant(t, nil), Pools: full, MaxBytes: 8192}); err == nil ||
		!strings.Contains(err.Error(), "no room") {
		t.Errorf("more than fits: %v", err)
	}
}

func TestBadPools(t *testing.T) {
	if _, err := New(Options{Root: plant(t, nil), Pools: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a directory that does not exist is taken")
	}
	pools := plant(t, map[string]string{"l@": "/etc/passwd"})
	if _, err := New(Options{Root: plant(t, nil), Pools: pools}); err == nil {
		t.Error("a symbolic link is taken")
	}
}
