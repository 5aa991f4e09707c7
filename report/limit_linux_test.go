package report

import (
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestTheKernelRefusesToWrite makes the operating system itself fail in the
// middle of a file: a child process writes a report under a file size limit that
// results.json still fits.
func TestTheKernelRefusesToWrite(t *testing.T) {
	const limit = 96 << 10
	if dir := os.Getenv("ZHUQUE_TEST_LIMITED"); dir != "" {
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
			t.Fatal(err)
		}
		fmt.Println("ERROR:", WriteAll(dir, smallDocument()))
		return
	}
	dir := filepath.Join(t.TempDir(), "out")
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheKernelRefusesToWrite$")
	cmd.Env = append(os.Environ(), "ZHUQUE_TEST_LIMITED="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !strings.Contains(string(out), "report.html: file too large") || !strings.Contains(string(out), "incomplete") {
		t.Errorf("the child said:\n%s", out)
	}
	files := filesIn(t, dir)
	if files["results.json"] == nil || files["report.html"] != nil {
		t.Errorf("results.json has %d bytes, report.html %d; expected the first whole and the second absent",
			len(files["results.json"]), len(files["report.html"]))
	}
	for name := range files {
		if strings.HasSuffix(name, ".tmp") {
			t.Errorf("%s was left behind", name)
		}
	}
}
