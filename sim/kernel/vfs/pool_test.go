package vfs

import (
	"os"
	"path/filepath"
	"testing"

	"zhuque/sim/mem"
)

// TestPools: what is in the pool directory is in the guest's file system for direct
// access, and what the guest leaves there, through mappings too, is there afterwards.
func TestPools(t *testing.T) {
	pools := plant(t, map[string]string{"old": "first pool", "sub/deep": "second", "gone": "x"})
	fs := newFS(t, Options{Root: plant(t, map[string]string{"mnt/other": "the host's"}), Pools: pools})
	pmem := mem.NewStore()
	fs.SetMemory(pmem)
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
	if fs.Mount(id) != PMEMMount || fs.Mount(walk(t, fs, "/mnt")) != RootMount || fs.Mount(walk(t, fs, "/dev/null")) != DevMount {
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
	if got, err := os.ReadFile(filepath.Join(pools, "new")); err != nil || len(got) != 5000 || string(got[4096:4102]) != "stored" {
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
	fs := newFS(t, Options{Root: plant(t, nil), Pools: pools})
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

func TestBadPools(t *testing.T) {
	if _, err := New(Options{Root: plant(t, nil), Pools: filepath.Join(t.TempDir(), "none")}); err == nil {
		t.Error("a directory that does not exist is taken")
	}
	pools := plant(t, map[string]string{"l@": "/etc/passwd"})
	if _, err := New(Options{Root: plant(t, nil), Pools: pools}); err == nil {
		t.Error("a symbolic link is taken")
	}
}
