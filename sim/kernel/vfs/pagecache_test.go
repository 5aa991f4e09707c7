package vfs

import (
	"slices"
	"strings"
	"testing"

	"zhuque/sim/mem"
)

// TestPageCache: a cut leaves what was synchronized and nothing else, and says what
// it took; the tree that the fork was made of notices nothing.
func TestPageCache(t *testing.T) {
	fs := newFS(t,
		Options{Root: plant(t, map[string]string{"old": "host's bytes", "mnt/x": "", "gone": "x", "kept": "y"})})
	fs.SetMemory(mem.NewStore())
	fs.CacheWrites()
	sync := func(path string) { fs.SyncNode(walk(t, fs, path)) }
	script(t, fs, `
		write /a 0 first => ok
		write /b 0 never => ok
		write /old 0 HOST => ok
		create /mnt/pmem/pool => ok
		trunc /mnt/pmem/pool 4096 => ok
		unlink /gone => ok`)
	pool := walk(t, fs, "/mnt/pmem/pool")
	sync("/a")
	script(t, fs, `
		write /a 0 FIRST, => ok
		write /mnt/pmem/pool 0 direct => ok
		unlink /kept => ok
		mv /b /c => ok
		create /d => ok`)
	f, ok, err := fs.Pin(pool, 0)
	if !ok || err != nil {
		t.Fatal(ok, err)
	}
	fs.pmem.WritablePage(f)[6] = '!'

	cut := fs.Fork()
	cut.SetMemory(fs.pmem)
	lost := cut.LoseUnsynced()
	script(t, cut, `
		read /a => "first"
		read /b => ""
		read /c => ENOENT
		read /d => ENOENT
		read /old => "host's bytes"
		read /kept => "y"
		read /gone => ENOENT`)
	buf := make([]byte, 7)
	if n, err := cut.ReadAt(walk(t, cut, "/mnt/pmem/pool"), buf, 0); n != 7 || err != nil || string(buf) != "direct!" {
		t.Errorf("the pool holds %q, %v", buf, err)
	}
	want := []string{"/a: 5 bytes", "/c: its name", "/d: its name", "/kept: that it was removed or renamed",
		"/old: 12 bytes", "/b: that it was removed or renamed"}
	if !slices.EqualFunc(lost, want, strings.HasPrefix) {
		t.Errorf("lost are %q, want %q", lost, want)
	}
	script(t, fs, `
		read /a => "FIRST,"
		read /c => "never"
		read /kept => ENOENT`)

	fs.SyncAll()
	if lost := fs.LoseUnsynced(); lost != nil {
		t.Errorf("lost after everything was synchronized: %q", lost)
	}
}
