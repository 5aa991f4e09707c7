//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"
)

// plantFiles makes files in a directory.
func plantFiles(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// holds checks what a directory holds at its top.
func holds(t *testing.T, dir string, want map[string]string) {
	t.Helper()
	all, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if text, ok := want[e.Name()]; ok {
			if got, err := os.ReadFile(filepath.Join(dir, e.Name())); err != nil || string(got) != text {
				t.Errorf("%s/%s holds %q, %v; expected %q", dir, e.Name(), got, err, text)
			}
			continue
		}
		t.Errorf("%s holds %s, which was not expected", dir, e.Name())
	}
	if len(all) != len(want) {
		t.Errorf("%s holds %d names, expected %d", dir, len(all), len(want))
	}
}

// An image names directories, but only the flags of the command let them be written, and
// only as they were at the last checkpoint.
func TestImageWritesNothingByItself(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "w", writeFileGuest("/mnt/pmem/made"))
	old := map[string]string{"kept": "old"}
	plantFiles(t, dir, map[string]string{"d/kept": "old"})
	d := filepath.Join(dir, "d")
	if err := os.Mkdir(filepath.Join(dir, "o"), 0o755); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "crash", "--at", "3", "--save", "img", "--pmem-dir", "d", "--overlay", "o", "--", "./w").want(t, 0)
	holds(t, d, old)
	zhuque(t, dir, "", "resume", "img").want(t, 0, `the image was made with --pmem-dir "d"`, "--overlay")
	holds(t, d, old)
	holds(t, filepath.Join(dir, "o"), nil)

	plantFiles(t, dir, map[string]string{"d/newer": "mine"})
	zhuque(t, dir, "", "resume", "--pmem-dir", "d", "img").want(t, 11, "changed since the image's last checkpoint")
	holds(t, d, map[string]string{"kept": "old", "newer": "mine"})
	zhuque(t, dir, "", "resume", "--overlay", "d", "img").want(t, 2, "no run wrote")
	if err := os.Remove(filepath.Join(d, "newer")); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "resume", "--pmem-dir", "d", "img").want(t, 0)
	holds(t, d, map[string]string{"kept": "old", "made": "/mnt"})

	// A case names them too.
	c := "zhuque-case 1\nprogram " + `"` + filepath.Join(dir, "w") +
		`"` + "\nset pmem-dir " + `"` + d + `"` + "\ncut after 3\n"
	plantFiles(t, dir, map[string]string{"c.case": c})
	if err := os.Remove(filepath.Join(d, "made")); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "replay", "c.case").want(t, 0)
	holds(t, d, old)
}

// The same run again goes on from its image only where nobody changed the directory, and
// notices that an earlier one had written it already.
func TestPersistentRunKeepsNewerFiles(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "w", writeFileGuest("/mnt/pmem/made"))
	plantFiles(t, dir, map[string]string{"d/kept": "old"})
	d := filepath.Join(dir, "d")
	args := []string{"run", "--image", "img", "--pmem-dir", "d", "--max-instructions", "3", "--", "./w"}
	zhuque(t, dir, "", args...).want(t, 125)
	plantFiles(t, dir, map[string]string{"d/kept": "newer"})
	on := []string{"run", "--image", "img", "--pmem-dir", "d", "--", "./w"}
	zhuque(t, dir, "", on...).want(t, 125, "changed since the image's last checkpoint")
	holds(t, d, map[string]string{"kept": "newer"})
	plantFiles(t, dir, map[string]string{"d/kept": "old"})
	zhuque(t, dir, "", on...).want(t, 0)
	holds(t, d, map[string]string{"kept": "old", "made": "/mnt"})
	zhuque(t, dir, "", on...).want(t, 0, "has ended")
}

// A directory and a new image belong to one run at a time.
func TestHostFilesInUse(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "forever", program(forever, ""))
	plantFiles(t, dir, map[string]string{"d/kept": "old", "other/kept": "old"})
	if err := os.Mkdir(filepath.Join(dir, "o"), 0o755); err != nil {
		t.Fatal(err)
	}
	c := start(t, dir, "run", "--pmem-dir", "d", "--overlay", "o", "--image", "img", "--", "./forever")
	await(t, filepath.Join(dir, "img"))
	for _, flags := range [][]string{{"--pmem-dir", "d"}, {"--overlay", "o"}, {"--image", "img", "--pmem-dir", "other"}} {
		args := append(append([]string{"run"}, flags...), "--", "./forever")
		zhuque(t, dir, "", args...).want(t, 125, "in use by another")
	}
	zhuque(t, dir, "", "crash", "--at", "3", "--pmem-dir", "d", "--", "./forever").want(t, 2, "in use by another")
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	c.status(t)
	zhuque(t, dir, "", "run", "--pmem-dir", "d", "--overlay", "o", "--", "guest:hello").want(t, 0)

	// Of several that start at once one gets the new image.
	list := make([]started, 4)
	for i := range list {
		list[i] = start(t, dir, "run", "--image", "new", "--", "./forever")
	}
	await(t, filepath.Join(dir, "new"))
	losers := make(chan int)
	for _, c := range list {
		go func() { _ = c.Wait(); losers <- c.ProcessState.ExitCode() }()
	}
	for range len(list) - 1 {
		if status := <-losers; status != 125 {
			t.Errorf("a second run ends with status %d", status)
		}
	}
	for _, c := range list {
		_ = c.Process.Kill() // all but one are gone
	}
	<-losers
}
