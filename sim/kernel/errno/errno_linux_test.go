package errno

import (
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// The host's Linux has the same names for the same numbers.
func TestNamesAndNumbers(t *testing.T) {
	named := 0
	for e := range Errno(200) {
		if int(e) >= len(table) || table[e].name == "" {
			continue
		}
		named++
		want := unix.ErrnoName(syscall.Errno(e))
		if want == "ENOTSUP" { // the same number; strace and the kernel's sources say
			want = "EOPNOTSUPP"
		}
		if e.Name() != want || table[e].text == "" {
			t.Errorf("%d is %s %q; Linux says %s", uint16(e), e.Name(), table[e].text, want)
		}
	}
	if named < 80 {
		t.Errorf("only %d numbers have names", named)
	}
	if got := ENOENT.Result(); int64(got) != -2 {
		t.Errorf("ENOENT is returned as %#x", got)
	}
	if got := Errno(4000).Error(); got != "errno 4000" {
		t.Errorf("an unknown number prints as %q", got)
	}
}
