package crashinject

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// No file that a run is about has a time in the guest's future.
func TestClockStartsBehindItsFiles(t *testing.T) {
	root := t.TempDir()
	for _, dir := range []string{"work", "over", "pmem"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := Setup{Root: root, Dir: "/work", Program: "/prog",
		Overlay: filepath.Join(root, "over"), PMEMDir: filepath.Join(root, "pmem")}
	if got := s.start(); got != startWallClock {
		t.Errorf("with files of today it starts at %d", got)
	}
	for i, name := range []string{"prog", "work/a", "over/b", "pmem/c"} {
		at := time.Date(2031+i, 5, 6, 7, 8, 9, 0, time.UTC)
		path := filepath.Join(root, name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
		want := time.Date(2031+i, 5, 7, 0, 0, 0, 0, time.UTC).UnixNano()
		if got := s.start(); int64(got) != want {
			t.Errorf("with %s of %v it starts at %v", name, at, time.Unix(0, int64(got)).UTC())
		}
	}
	s = Setup{Program: GuestPrefix + "hello", Dir: filepath.Join(root, "work")}
	if got := s.start(); got != startWallClock {
		t.Errorf("an embedded guest starts at %d", got)
	}
}
