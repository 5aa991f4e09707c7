package hostdir

import (
	"bufio"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The test binary is a run that replaces a directory over and over when this is set.
const asWriter = "ZHUQUE_TEST_AS_WRITER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(asWriter); dir != "" {
		write(dir)
	}
	os.Exit(m.Run())
}

const files = 20 // of each state

// state puts the files of state n into a directory: names that both have, and names of its own.
func state(n int) func(*os.Root) error {
	return func(r *os.Root) error {
		if err := r.Mkdir("sub", 0o755); err != nil {
			return err
		}
		for i := range files {
			for _, name := range []string{fmt.Sprintf("both%d", i), fmt.Sprintf("sub/own%d-%d", n, i)} {
				if err := r.WriteFile(name, []byte(strings.Repeat(strconv.Itoa(n), 5000)), 0o644); err != nil {
					return err
				}
			}
		}
		return nil
	}
}

// write replaces a directory until it is killed.
func write(dir string) {
	d, err := Open(dir)
	for n := 0; err == nil; n++ {
		var was string
		if was, err = d.State(); err == nil {
			err = d.Replace(was, state(n%10))
		}
		fmt.Println("replaced")
	}
	fmt.Println(err)
	os.Exit(1)
}

// oneState fails unless a directory holds just one of the states.
func oneState(t *testing.T, dir string) {
	t.Helper()
	seen := map[byte]int{}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	err = Walk(root, ".", func(e Entry) error {
		if e.IsDir() {
			return nil
		}
		text, err := root.ReadFile(e.Path)
		if err != nil {
			return err
		}
		if len(text) != 5000 {
			return fmt.Errorf("%s has %d bytes", e.Path, len(text))
		}
		seen[text[0]]++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for n, count := range seen {
		if len(seen) != 1 || count != 2*files {
			t.Fatalf("a mixture: %d files of state %c, %v in all", count, n, seen)
		}
	}
	if len(seen) == 0 {
		t.Fatal("the directory is empty")
	}
}

// nothingLeft fails if something stands beside a directory or in it that is no state's.
func nothingLeft(t *testing.T, dir string) {
	t.Helper()
	for _, d := range []string{filepath.Dir(dir), dir} {
		all, err := os.ReadDir(d)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range all {
			if strings.HasPrefix(e.Name(), ".") {
				t.Errorf("%s is left in %s", e.Name(), d)
			}
		}
	}
}

// A kill at any moment leaves the old state or the new one: where the directories are
// exchanged always, elsewhere when it has been opened again.
func TestKill(t *testing.T) {
	for _, inside := range []bool{false, true} {
		t.Run(fmt.Sprintf("inside=%v", inside), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(t.TempDir(), "d")
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			d, err := Open(dir)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(d.Replace(Empty, state(9)), d.Close()); err != nil {
				t.Fatal(err)
			}
			self, err := os.Executable()
			if err != nil {
				t.Fatal(err)
			}
			killed := 0
			for range 25 {
				c := exec.Command(self)
				c.Env = append(os.Environ(), asWriter+"="+dir)
				if inside {
					c.Dir = dir
				}
				out, err := c.StdoutPipe()
				if err == nil {
					err = c.Start()
				}
				if err != nil {
					t.Fatal(err)
				}
				line, _ := bufio.NewReader(out).ReadString('\n')
				if line != "replaced\n" {
					t.Fatalf("the writer says %q", line)
				}
				time.Sleep(time.Duration(rand.IntN(20_000)) * time.Microsecond)
				if err := c.Process.Kill(); err != nil {
					t.Fatal(err)
				}
				_ = c.Wait() // it was killed
				killed++
				if !inside {
					oneState(t, dir)
				}
				d, err := Open(dir)
				if err != nil {
					t.Fatal(err)
				}
				if err := d.Close(); err != nil {
					t.Fatal(err)
				}
				oneState(t, dir)
				nothingLeft(t, dir)
			}
			t.Logf("%d kills", killed)
		})
	}
}

// Every step of the journal can be the last: what is there at each is completed or undone.
func TestJournalFromEachStep(t *testing.T) {
	for _, tc := range []struct {
		state string
		moved int // names of the old state, or of the new one, that have moved
		want  byte
	}{{building, 0, '1'}, {complete, 0, '2'}, {complete, 3, '2'}, {placing, 0, '2'}, {placing, 5, '2'}} {
		dir := t.TempDir()
		root, err := os.OpenRoot(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer root.Close()
		if err := state(1)(root); err != nil {
			t.Fatal(err)
		}
		j := &journal{link: journalName + "7"}
		w := &writer{d: &Dir{name: dir, path: dir}, fill: state(2)}
		if err := root.Symlink(building, j.link); err != nil {
			t.Fatal(err)
		}
		if _, err := w.stage(root, j); err != nil {
			t.Fatal(err)
		}
		if tc.state != building {
			if err := j.become(root, tc.state); err != nil {
				t.Fatal(err)
			}
		}
		move := func(from, to string, most int) {
			all, err := names(root, from)
			if err != nil {
				t.Fatal(err)
			}
			for _, e := range all {
				if strings.HasPrefix(e.Name(), ".") || most == 0 {
					continue
				}
				if err := root.Rename(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
					t.Fatal(err)
				}
				most--
			}
		}
		switch tc.state {
		case complete:
			move(".", j.box()+"/"+oldName, tc.moved)
		case placing:
			move(".", j.box()+"/"+oldName, -1)
			move(j.box()+"/"+newName, ".", tc.moved)
		}
		if !Pending(dir) {
			t.Errorf("%+v: nothing is said to be pending", tc)
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
		oneState(t, dir)
		nothingLeft(t, dir)
		if text, err := root.ReadFile("both0"); err != nil || text[0] != tc.want {
			t.Errorf("%+v: state %c, %v", tc, text[0], err)
		}
	}
}

// full mounts a file system of so many KiB, or skips where that is not allowed.
func full(t *testing.T, kib int) string {
	t.Helper()
	at := t.TempDir()
	if err := unix.Mount("tmpfs", at, "tmpfs", 0, fmt.Sprintf("size=%dk", kib)); err != nil {
		t.Skipf("no file system of its own: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(at, unix.MNT_DETACH) })
	return at
}

// A disk that becomes full leaves the old state and nothing else: for a directory on it,
// and for one that is its mount point.
func TestFullDisk(t *testing.T) {
	disk := full(t, 700)
	sub := filepath.Join(disk, "d")
	if err := os.Mkdir(sub, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{sub, disk} {
		if dir == disk {
			if err := os.RemoveAll(sub); err != nil {
				t.Fatal(err)
			}
		}
		d, err := Open(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Replace(Empty, state(1)); err != nil {
			t.Fatal(err)
		}
		was, err := d.State()
		if err != nil {
			t.Fatal(err)
		}
		err = d.Replace(was, func(r *os.Root) error {
			return errors.Join(state(2)(r), r.WriteFile("big", make([]byte, 600<<10), 0o644))
		})
		if !errors.Is(err, unix.ENOSPC) {
			t.Errorf("%s: %v", dir, err)
		}
		oneState(t, dir)
		nothingLeft(t, dir)
		if err := d.Replace(was, state(3)); err != nil {
			t.Errorf("there is room again: %v", err)
		}
		oneState(t, dir)
		if err := d.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// A reader that follows no rule never sees anything but one state, while directories are
// exchanged.
func TestReader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "d")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Replace(Empty, state(0)); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for n := range 15 {
			was, err := d.State()
			if err == nil {
				err = d.Replace(was, state(n%10))
			}
			if err != nil {
				t.Error(err)
			}
		}
	}()
	looks := 0
	for {
		f, err := os.Open(dir) // one directory, whatever its name leads to later
		if err != nil {
			t.Fatal(err)
		}
		first := map[byte]bool{}
		for i := range files {
			fd, err := unix.Openat(int(f.Fd()), fmt.Sprintf("both%d", i), unix.O_RDONLY, 0)
			if err != nil {
				break // the old state is being removed
			}
			b := make([]byte, 1)
			_, _ = unix.Read(fd, b)
			_ = unix.Close(fd)
			first[b[0]] = true
		}
		_ = f.Close()
		if looks++; len(first) > 1 {
			t.Fatalf("a mixture of %v", first)
		}
		select {
		case <-over:
			if st, err := os.Stat(dir); err != nil || st.Mode().Perm() != 0o700 {
				t.Errorf("its mode is %v, %v", st.Mode(), err)
			}
			t.Logf("%d looks", looks)
			return
		default:
		}
	}
}

func TestLockAndChange(t *testing.T) {
	dir := t.TempDir()
	d, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // the lock goes with the new directory
		if other, err := Open(dir); !errors.As(err, new(*InUse)) {
			t.Errorf("a second run has it too: %v, %v", other, err)
		}
		was, err := d.State()
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Replace(was, state(1)); err != nil {
			t.Fatal(err)
		}
	}
	was, err := d.State()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Replace("another state", state(1)); err != nil {
		t.Errorf("what it holds already: %v", err)
	}
	if err := d.Replace("another state", state(2)); !errors.As(err, new(*Changed)) {
		t.Errorf("a change from outside: %v", err)
	}
	for i, change := range []func() error{
		func() error { return os.WriteFile(filepath.Join(dir, "sub", "x"), nil, 0o644) },
		func() error { return os.Chmod(filepath.Join(dir, "both1"), 0o600) },
		func() error { return os.WriteFile(filepath.Join(dir, "both2"), []byte("1"), 0o600) },
		func() error { return os.Rename(filepath.Join(dir, "both3"), filepath.Join(dir, "\xff")) },
		func() error { return os.Symlink("x", filepath.Join(dir, "link")) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		now, err := d.State()
		if err != nil || now == was {
			t.Errorf("change %d is not noticed: %v", i, err)
		}
		was = now
	}
	oldest := filepath.Join(filepath.Dir(dir), d.prefix()+"12")
	if err := os.MkdirAll(filepath.Join(oldest, newName, "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := d.Close(); err != nil {
		t.Fatal(err)
	}
	if d, err = Open(dir); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(oldest); err != nil {
		t.Errorf("a directory without the mark was removed: %v", err)
	}
	_ = d.Close()
}
