package start

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// asShown makes the test binary run a shell that shows how it was started.
const asShown = "ZHUQUE_TEST_SHOW_START"

func TestMain(m *testing.M) {
	if os.Getenv(asShown) != "" {
		c := exec.Command("sh", "-c",
			`grep -E "^(SigIgn|SigBlk|Umask)" /proc/self/status; ulimit -s; ulimit -f; echo "again=$`+again+`"`)
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		if err := c.Run(); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// However this process is started, the programs that it runs start alike.
func TestProgramsStartAlike(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	show := func(how string) string {
		c := exec.Command("sh", "-c", how+` exec "$0"`, self)
		c.Env = append(os.Environ(), asShown+"=1")
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %v\n%s", how, err, out)
		}
		return string(out)
	}
	want := show("")
	if !strings.Contains(want, "0022") || strings.Count(want, "0000000000000000\n") != 2 ||
		!strings.Contains(want, "again=\n") {
		t.Errorf("a plain start:\n%s", want)
	}
	for _, how := range []string{"trap '' HUP;",
		"trap '' HUP INT QUIT TERM TSTP TTIN TTOU USR1 PIPE CHLD;", "umask 077;", "umask 000;",
		"ulimit -S -s 1024;", "ulimit -S -f 100;"} {
		if got := show(how); got != want {
			t.Errorf("after %s\n%sexpected\n%s", how, got, want)
		}
	}
}
