package crashinject

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/kernel"
)

// A program that handles SIGPWR and waits when the power fails gets what the class of its
// call says: EINTR, the count done, or with SA_RESTART the wait again.
func TestSIGPWREndsAWait(t *testing.T) {
	const handle = "rt_sigaction 30 {handler %#x restorer 0} 0 8;"
	const saRestorer, saRestart = 0x0400_0000, 0x1000_0000
	noSignal := []string{"clone", "clone3", "vfork"} // the parent of a vfork waits for its child alone
	ended := map[kernel.Class]int{}
	for _, plain := range situations(t) {
		if plain.row.Class != kernel.Wait && plain.row.Class != kernel.Count {
			continue
		}
		for _, flags := range []int{saRestorer, saRestorer | saRestart} {
			s, err := parseSituation(plain.text, fmt.Sprintf(handle, flags))
			if err != nil {
				t.Fatal(err)
			}
			c := callCutter{rig: newRig(t, s.setup(t)), s: &s}
			moved, result, ok := c.interrupted()
			if !ok {
				continue // it does not wait in this situation
			}
			// FUTEX_LOCK_PI (6) goes on whatever the handler's flags are, as futex_lock_pi of Linux does.
			goesOn := s.row.Name == "futex" && strings.Contains(s.text, "futex 0x30000000 6 ")
			want := int64(-4)
			switch {
			case moved > 0:
				want = int64(moved)
			case goesOn, slices.Contains(noSignal, s.row.Name), s.row.Restart && flags&saRestart != 0:
				if result < 0 {
					t.Errorf("%s with flags %#x: %d, expected the call to go on", s.text, flags, result)
				}
				continue
			}
			ended[s.row.Class]++
			if result != want {
				t.Errorf("%s with flags %#x: %d instead of %d after %d were moved", s.text, flags, result, want, moved)
			}
		}
	}
	t.Logf("%v waits were ended", ended)
	if ended[kernel.Wait] < 30 || ended[kernel.Count] < 10 {
		t.Errorf("only %v waits were ended", ended)
	}
}

// interrupted lets the power fail when a call of the row waits, and returns how much it
// had moved and what it returned.
func (c *callCutter) interrupted() (moved uint64, result int64, ok bool) {
	main := c.at(0)
	for _, x := range c.sites() {
		if main.RunUntil(x.at); x.nr != c.s.row.Nr {
			continue
		}
		tid := main.Kernel().Current()
		m := c.cutInCall(main, x.steps)
		t := m.Kernel().Thread(tid)
		if t == nil {
			continue
		}
		messages, bytes, waits := t.Waits()
		if !waits || t.Process().PID() != tid || !m.TellPowerFailure(1) {
			continue
		}
		returned := false
		m.Config().Strace = func(by int32, nr uint64, _ [6]uint64, r uint64) {
			if by == tid && nr == c.s.row.Nr && !returned {
				returned, result = true, int64(r)
			}
		}
		m.Kernel().SetStrace(m.Config().Strace)
		m.RunUntil(main.Retired() + 100_000)
		if moved = bytes; strings.HasSuffix(c.s.row.Name, "mmsg") { // counts messages; a part is one
			moved = messages + min(bytes, 1)
		}
		return moved, result, returned
	}
	return 0, 0, false
}
