package kernel

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
	"zhuque/sim/same"
)

// restored returns a kernel that is made from records on a fork of the rig's file tree. It
// shares no memory with the rig's own and must not run.
func (r *rig) restored(records []Record) (*Kernel, error) {
	fs := r.k.FS.Fork()
	fs.ForgetRefs()
	cfg := r.k.cfg
	cfg.MM, cfg.FS, cfg.Console = nil, fs, r.k.console.Fork(false)
	k := New(cfg)
	k.DeferInOut(r.k.deferring)
	k.noBarrier = r.k.noBarrier
	extents := mm.NewExtents(0, 0)
	err := k.Restore(records, func() *mm.Space {
		cfg := mm.Config{DRAM: r.dram, PMEM: r.pmem, Files: fs, Extents: extents, PMEMSize: 16 << 20, Placement: mm.Placement{Anon: mm.PMEM, PrivateWritable: mm.PMEM}}
		return mm.New(cfg)
	}, Schedule{})
	return k, err
}

// differences is Differences with the mappings as they are.
func differences(want, got *Kernel, limit int) []string {
	d := want.Differences(got, limit)
	for i, p := range want.procs {
		if i < len(got.procs) && !slices.Equal(p.MM.VMAs(), got.procs[i].MM.VMAs()) && !p.dead {
			d = append(d, fmt.Sprintf("procs[%d] has the mappings %v instead of %v", i, got.procs[i].MM.VMAs(), p.MM.VMAs()))
		}
	}
	return d
}

// shadow is the records that a runtime would have.
type shadow map[Key]Record

// fewObjects is up to how many objects every call is checked; of very many a check takes
// long, and one call in a quarter of their number must do.
const fewObjects = 200

// manyCalls is up to how many calls of a test each is checked; then every fifth, except in
// tests that are about nothing else.
const manyCalls = 300

// shadowed returns the present records, nil if the call that follows is not checked.
func (r *rig) shadowed() shadow {
	r.calls++
	if n := r.objects(); n > fewObjects && r.calls%(n/4) != 0 || r.calls > manyCalls && r.calls%5 != 0 && !r.always {
		return nil
	}
	r.earlier, r.k.dirty = r.k.TakeDirty(), nil // what earlier calls have marked does not count for this one
	s := shadow{}
	for _, rec := range r.k.Records() {
		s[rec.Key] = rec
	}
	return s
}

// objects returns about how many records there are.
func (r *rig) objects() int {
	n := r.k.files.descs.n + len(r.k.files.pipes) + len(r.k.files.socks) + len(r.k.files.marks) + len(r.k.threads)
	for _, p := range r.k.procs {
		n += p.slots.n + p.MM.Len() + len(p.timers)
	}
	return n
}

// checkRecords checks behind a call that the records which it has marked, entered into
// those from before it, make the kernel's live objects again.
func (r *rig) checkRecords(before shadow, call string) {
	r.Helper()
	dirty := r.k.TakeDirty()
	r.k.dirty = slices.Clone(dirty)
	r.remark()
	for _, key := range dirty {
		delete(before, key)
		if rec, ok := r.k.Record(key); ok {
			before[key] = rec
		}
	}
	list := make([]Record, 0, len(before))
	for _, rec := range before {
		list = append(list, rec)
	}
	k, err := r.restored(list)
	if err != nil {
		r.Fatalf("%s: what it marked as changed, %v, leaves records that fit no kernel: %v", call, dirty, err)
	}
	if d := differences(r.k, k, 8); len(d) > 0 {
		r.Fatalf("%s: not marked as changed, or in no record: a restart with what is marked, %v, finds: %s", call, dirty, strings.Join(d, "; "))
	}
}

// remark marks again what calls before the last one have marked.
func (r *rig) remark() {
	marked := append(r.earlier, r.k.dirty...)
	slices.SortFunc(marked, Key.Compare)
	r.k.dirty, r.earlier = slices.Compact(marked), nil
}

// Fields that a record holds under a condition only, and which are zero otherwise.
var conditional = map[string]string{
	"kernel.schedule.clock":    "of timers",
	"kernel.schedule.next":     "of timers",
	"kernel.schedule.interval": "of timers",
	"kernel.news.in":           "async.told: with O_ASYNC",
	"kernel.news.out":          "async.told: with O_ASYNC",
	"kernel.fifoWait.kind":     "where a FIFO is waited for",
	"kernel.fifoWait.seen":     "where a FIFO is waited for",
	"kernel.desc.kind":         "what is a timer no more has no schedule",
}

// zoo returns a rig whose kernel has objects of every kind.
func zoo(t *testing.T) *rig {
	r := newRig(t, strings.NewReader("input"))
	r.want(0, "setgroups", 2, []byte{1, 0, 0, 0, 2, 0, 0, 0})
	r.want(0, "rt_sigaction", 10, iov(handlerAt, saRestorer, restorerAt, bit(12)), 0, 8)
	r.want(0, "rt_sigprocmask", 0, iov(bit(10)|bit(40)), 0, 8)
	r.want(0, "kill", initialPID, 40)
	r.want(0, "tgkill", initialPID, initialPID, 10)
	r.want(0, "timer_create", 1, append(iov(5, 10), make([]byte, 48)...), r.put(make([]byte, 8)))
	r.want(0, "setitimer", 0, iov(1, 0, 1, 0), 0)
	r.want(3, "timerfd_create", 1, 0)
	r.want(0, "timerfd_settime", 3, 0, iov(5, 0, 5, 0), 0)
	r.want(0, "pipe2", r.put(make([]byte, 8)), 0) // 4, 5
	r.want(3, "write", 5, "abc", 3)
	r.want(0, "fcntl", 4, fSetown, initialPID)
	r.want(0, "fcntl", 4, 4, oAsync)
	r.want(6, "epoll_create1", oCloexec)
	r.want(0, "epoll_ctl", 6, 1, 4, iov(1|1<<31, 7))
	r.want(0, "epoll_ctl", 6, 1, 5, iov(4, 8))
	r.want(7, "inotify_init1", 0)
	r.want(1, "inotify_add_watch", 7, "/tmp", inAllEvents)
	r.want(8, "open", "/dev/ptmx", oRdwr|oNonblock|oNoctty, 0)
	r.want(3, "write", 8, "a\nb", 3)
	r.pairOf(sockDgram, 9) // 9, 10
	at, _, _ := r.message([]byte("x"), carrying(4))
	r.want(1, "sendmsg", 9, at, 0)
	r.want(11, "socket", 2, sockStream, 0)
	r.want(0, "setsockopt", 11, solSocket, 2, []byte{1, 0, 0, 0}, 4)
	r.want(0, "bind", 11, []byte{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 16)
	r.want(0, "listen", 11, 5)
	r.want(12, "socket", 2, sockStream, 0)
	r.want(0, "connect", 12, []byte{2, 0, 0x1f, 0x90, 127, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0}, 16)
	r.want(13, "eventfd2", 5, 0)
	r.want(0, "mknod", "/tmp/fifo", vfs.ModeFIFO|0o600, 0)
	r.want(14, "open", "/tmp/locked", oRdwr|oCreat, 0o600)
	r.want(0, "fcntl", 14, fSetlk, flockBytes(1, 0, 0, 9))
	set, messages := r.ipcZoo()
	for _, c := range [][]any{
		{"semop", set, []byte{1, 0, 0xfd, 0xff, 0, 0x10}, 1},
		{"msgrcv", messages, scratch, 100, 7, 0},
		{"open", "/tmp/fifo", 0, 0},
		{"fcntl", 14, fSetlkw, flockBytes(1, 0, 5, 9)},
		{"poll", []byte{12, 0, 0, 0, 1, 0, 0, 0}, 1, -1},
	} {
		r.as(initialPID)
		r.blocks(r.forked(), c[0].(string), c[1:]...)
	}
	r.as(initialPID)
	return r
}

// Every field that the comparison knows is met among the objects of the zoo, so that the
// tests below try it. A new field that is not fails here until somebody makes it.
func TestZooHasEveryField(t *testing.T) {
	met := map[string]bool{}
	plan.Each(zoo(t).k, func(l same.Leaf) { met[l.Field] = true })
	for _, f := range plan.Fields() {
		if !met[f] {
			t.Errorf("%s: no object of the zoo has it", f)
		}
	}
}

// A change of any field of any object is noticed.
func TestEveryFieldIsCompared(t *testing.T) {
	r := zoo(t)
	c := plan.Clone(r.k)
	if d := r.k.Differences(c, 8); len(d) > 0 {
		t.Fatalf("a clone differs: %s", d)
	}
	plan.Each(c, func(l same.Leaf) {
		undo := l.Change()
		if len(r.k.Differences(c, 1)) == 0 {
			t.Errorf("%s: changed unnoticed", l.Path)
		}
		undo()
	})
	if d := r.k.Differences(c, 8); len(d) > 0 {
		t.Fatalf("the changes were not undone: %s", d)
	}
}

// recordable reports whether a leaf can be changed by itself without making a kernel that
// cannot be walked.
func recordable(l same.Leaf) bool {
	switch {
	case l.As&same.Derived != 0, strings.HasPrefix(l.Field, "kernel.Config."), strings.HasPrefix(l.Field, "mm.Config."), strings.HasPrefix(l.Field, "mm.Placement."):
		return false // the machine's settings come back with the machine
	case l.Value.Kind() == reflect.Pointer:
		return l.Field == "kernel.Thread.wait" || l.Field == "kernel.wait.lock" || l.Field == "kernel.wait.ipc"
	}
	return !unrecorded[l.Field]
}

// saved compares what is in records by itself: not what follows from it.
var saved = func() *same.Plan[Kernel] {
	rows := slices.Clone(unlike)
	for i := range rows {
		if rows[i].As&same.Derived != 0 {
			rows[i].As = same.Skipped
		}
	}
	return same.Must[Kernel](slices.DeleteFunc(rows, func(r same.Row) bool { return r.Type == "kernel.watchers" }))
}()

// Fields that are in no record, as the parts of others or because a list is of them.
var unrecorded = map[string]bool{
	"kernel.socket.outside": true, // a restart resets connections to the host, which saw the failure
	"kernel.Kernel.procs":   true, "kernel.Kernel.threads": true, "kernel.files.pipes": true, "kernel.files.socks": true,
	"kernel.files.marks": true, "kernel.files.terms": true, "kernel.ordered.n": true, "kernel.ordered.pieces": true, "kernel.Process.timers": true,
	"kernel.ipcObjects.segments": true, "kernel.ipcObjects.sets": true, "kernel.ipcObjects.queues": true, "kernel.ipcObjects.mqueues": true, "kernel.mailbox.messages": true,
	"kernel.Console.pos": true, "kernel.Console.ahead": true, "kernel.Console.tty": true, // the world's, which does not fail
	"kernel.Kernel.deferring": true, "kernel.Kernel.noBarrier": true, // the machine's settings
}

// A change of any field of any object is in the records: a restart finds it, or refuses
// what it makes. What is not is on a list, here or in the table, and why.
func TestEveryFieldIsRecorded(t *testing.T) {
	r := zoo(t)
	lost := map[string][2]int{} // by field: how often it came back, and how often not
	c := plan.Clone(r.k)
	plan.Each(c, func(l same.Leaf) {
		if !recordable(l) {
			return
		}
		undo := l.Change()
		defer undo()
		came := func() bool {
			defer func() {
				if p := recover(); p != nil && !isKey[l.Field] {
					t.Errorf("%s: %v", l.Path, p)
				}
			}()
			k, err := r.restored(c.Records())
			return err != nil || len(saved.Compare(c, k, 1)) == 0
		}()
		n := lost[l.Field]
		if came || isKey[l.Field] {
			n[0]++
		} else {
			n[1]++
		}
		lost[l.Field] = n
	})
	for f, n := range lost {
		if why := conditional[f]; n[0] == 0 || n[1] > 0 && why == "" {
			t.Errorf("%s: %d of %d changes are in no record; expected them there, or a row of the table that says Derived or Skipped", f, n[1], n[0]+n[1])
		}
	}
}

// Fields by which objects are found: one that is changed alone makes no kernel.
var isKey = map[string]bool{
	"kernel.Process.pid": true, "kernel.Process.space": true, "kernel.Thread.tid": true, "kernel.desc.id": true, "kernel.slot.num": true, "kernel.slot.desc": true,
	"kernel.pipe.id": true, "kernel.socket.id": true, "kernel.socket.in": true, "kernel.terminal.id": true, "kernel.mark.desc": true, "kernel.mark.wd": true,
	"kernel.segment.id": true, "kernel.semSet.id": true, "kernel.msgQueue.id": true, "kernel.mqueue.id": true, "kernel.ipcMessage.serial": true,
	"kernel.timer.id": true, "kernel.Watch.FD": true, "kernel.Watch.Desc": true,
}

// Of a mapping every field is recorded too.
func TestEveryFieldOfAMappingIsRecorded(t *testing.T) {
	v := mapping{mm.VMA{Start: 4096, End: 8192, Prot: mm.Read, Kind: mm.Anon, Phys: phys.PMEMBase}}
	for i := range reflect.TypeOf(v.VMA).NumField() {
		changed := v
		name := reflect.TypeOf(v.VMA).Field(i).Name
		(same.Leaf{Value: reflect.ValueOf(&changed.VMA).Elem().Field(i)}).Change()
		key := Key{KindMapping, 1, changed.Start}
		got, ok := (&codec{}).encode(key, &changed).Mapping()
		if !ok || got != changed.VMA {
			t.Errorf("%s: %+v comes back as %+v", name, changed.VMA, got)
		}
	}
}

// A fork shares no memory with its original that either of them may change.
func TestForksShareNothing(t *testing.T) {
	r := zoo(t)
	fs := r.k.FS.Fork()
	f := r.k.Fork(func(s *mm.Space) *mm.Space { return s.Fork(r.dram, r.pmem, fs, nil) }, fs, r.con.Fork(false))
	if d := differences(r.k, f, 8); len(d) > 0 {
		t.Errorf("a fork differs: %s", d)
	}
	if c := plan.Common(r.k, f); len(c) > 0 {
		t.Errorf("a fork and its original both lead to %s", strings.Join(c, ", "))
	}
}

// Whatever a fork or its original does, the other stays as it was: in each object, and in
// the file tree.
func TestForksAreIndependent(t *testing.T) {
	for seed := range uint64(4) {
		r := zoo(t)
		r.ipc = seed%2 == 1
		rng := det.Stream(seed, "kernel/aliases")
		for range 50 {
			r.randomCall(rng)
			r.ok(r.k.Release())
		}
		f := r.twin()
		a, b := r, f
		for n := range 150 {
			if n%50 == 0 {
				a, b = b, a
			}
			before, files := plan.Clone(b.k), b.k.FS.Clone()
			row, _ := a.randomCall(rng)
			a.ok(a.k.Release())
			if d := append(before.Differences(b.k, 8), files.Differences(b.k.FS, 8)...); len(d) > 0 {
				t.Fatalf("seed %d, call %d: %s of one changes the other: %s", seed, n, row.Name, strings.Join(d, "; "))
			}
		}
	}
}

// twin returns a rig on a fork of everything.
func (r *rig) twin() *rig {
	f := &rig{TB: r.TB, ipc: r.ipc, host: r.host, next: r.next, dram: r.dram.Fork(), pmem: r.pmem.Fork(), con: r.con.Fork(false), extents: r.extents.Fork()}
	fs := r.k.FS.Fork()
	fs.SetMemory(f.pmem)
	f.k = r.k.Fork(func(s *mm.Space) *mm.Space { return s.Fork(f.dram, f.pmem, fs, f.extents) }, fs, f.con)
	f.attach()
	return f
}
