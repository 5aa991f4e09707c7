package kernel

import (
	"strings"
	"testing"

	"zhuque/sim/kernel/errno"
)

// A queue without room takes one event that says so, and no more until it is read.
func TestInotifyOverflow(t *testing.T) {
	r := newRig(t, nil)
	r.want(3, "inotify_init1", oNonblock)
	r.want(1, "inotify_add_watch", 3, "/tmp", inCreate|inDelete)
	name := "/tmp/" + strings.Repeat("n", 200)
	const size = inotifyEvent + 208
	for range PipeCapacity/size + 10 {
		r.next = scratch
		r.want(0, "mkdir", name, 0o700)
		r.want(0, "rmdir", name)
	}
	buf := uint64(scratch)
	events, last := 0, []byte(nil)
	for {
		n := r.sys("read", 3, buf, 4096)
		if n == -int64(errno.EAGAIN) {
			break
		}
		for b := r.get(buf, int(n)); len(b) > 0; events++ {
			last, b = b[:eventSize(b)], b[eventSize(b):]
		}
	}
	if events != (PipeCapacity-inotifyEvent)/size+1 || int32(le.Uint32(last)) != -1 || le.Uint32(last[4:]) != inOverflow {
		t.Errorf("%d events, the last is %x", events, last)
	}
	r.next = scratch + 8192
	r.want(0, "mkdir", "/tmp/more", 0o700)
	r.want(inotifyEvent+16, "read", 3, buf, 4096)
}

// A mark without its instance is damage, and one that the instance never handed out too.
func TestInotifyDamagedMarks(t *testing.T) {
	for _, spoil := range []func(*mark){func(m *mark) { m.desc = 1 }, func(m *mark) { m.wd = 9 }} {
		r := newRig(t, nil)
		r.want(3, "inotify_init")
		r.want(1, "inotify_add_watch", 3, "/tmp", inCreate)
		spoil(&r.k.files.marks[0])
		if err := r.k.consistent(); err == nil || !strings.Contains(err.Error(), "watch") {
			t.Errorf("%+v: %v", r.k.files.marks, err)
		}
	}
}
