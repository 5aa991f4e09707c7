package kernel

import (
	"testing"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Each standard stream is a terminal by itself, also on a fork of the console.
func TestTerminals(t *testing.T) {
	const tcgets, tcsets, winsize = 0x5401, 0x5402, 0x5413
	r := newRig(t, nil)
	r.k.console.SetTerminals(true, false, true)
	r.k.console = r.k.console.Fork(false)
	at := r.put(make([]byte, 144))
	for fd, tty := range []bool{true, false, true} {
		want := any(errno.ENOTTY)
		mode := uint32(vfs.ModeFIFO)
		if tty {
			want, mode = 0, vfs.ModeChar
		}
		r.want(want, "ioctl", fd, tcgets, at)
		if tty {
			if b := r.get(at, 36); le.Uint32(b[12:]) != 0x8a3b || b[17] != 3 {
				t.Errorf("descriptor %d: termios % x", fd, b)
			}
		}
		r.want(want, "ioctl", fd, winsize, at)
		r.want(errno.ENOTTY, "ioctl", fd, tcsets, at)
		r.want(0, "fstat", fd, at)
		if got := le.Uint32(r.get(at+24, 4)) & vfs.ModeType; got != mode {
			t.Errorf("descriptor %d has mode %o, want %o", fd, got, mode)
		}
	}
}
