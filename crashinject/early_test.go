package crashinject

import (
	"errors"
	"strings"
	"testing"

	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
)

// A campaign under which a file of the host changes is the user's to repair, not a bug.
func TestMainLineThatEndsEarly(t *testing.T) {
	for _, c := range []struct {
		stop sim.Stop
		bug  bool
	}{
		{sim.Stop{Reason: sim.Stuck, Err: &vfs.Changed{Path: "/a", Reason: "it is another file"}}, false},
		{sim.Stop{Reason: sim.Stuck, Err: &vfs.HostError{Path: "/a", Err: errors.New("input/output error")}}, false},
		{sim.Stop{Reason: sim.Stuck, Err: errors.New("no such instruction")}, true},
		{sim.Stop{Reason: sim.Exited}, true},
	} {
		if err := early(c.stop, 7); strings.Contains(err.Error(), "BUG") != c.bug ||
			!strings.Contains(err.Error(), "point 7: "+c.stop.String()) {
			t.Errorf("%v: %v", c.stop, err)
		}
	}
}
