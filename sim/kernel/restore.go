package kernel

import (
	"fmt"
	"slices"

	"zhuque/sim/kernel/mm"
)

// BadState says that saved records are damaged or do not fit together.
type BadState struct{ Why string }

func (e *BadState) Error() string { return "saved kernel state: " + e.Why }

func bad(format string, a ...any) error { return &BadState{fmt.Sprintf(format, a...)} }

// Restore rebuilds everything from records after a restart. Records may be in any
// order; space makes an empty address space; the file tree has
// forgotten all references (vfs.FS.ForgetRefs); saved is the Schedule of the power
// failure, which counts where it is later than the records'. Nothing is dirty afterwards. An
// error tells which part of the state cannot be: the image is damaged.
func (k *Kernel) Restore(records []Record, space func() *mm.Space, saved Schedule) error {
	list := slices.Clone(records)
	slices.SortFunc(list, func(a, b Record) int { return a.Key.Compare(b.Key) })
	k.procs, k.threads, k.files, k.sys = nil, nil, files{}, system{}
	into := restorer{Kernel: k, space: space}
	for i, r := range list {
		if i > 0 && r.Key == list[i-1].Key {
			return bad("%v is there twice", r.Key)
		}
		if i == 0 || !r.Key.besides(list[i-1].Key) {
			into.alike = 1
			for into.alike < len(list)-i && list[i+into.alike].Key.besides(r.Key) {
				into.alike++
			}
		}
		into.last = i == len(list)-1 || !list[i+1].Key.besides(r.Key)
		if err := into.restore(r); err != nil {
			return err
		}
	}
	k.resume(saved)
	if err := k.consistent(); err != nil {
		return err
	}
	for _, p := range k.procs {
		p.MM.TakeChanges()
		p.held = true
		if p.dead {
			continue
		}
		k.FS.Ref(p.cwd)
		if p.exe != 0 {
			k.FS.Ref(p.exe)
		}
	}
	k.proc, k.thread = k.procs[0], k.threads[0]
	k.MM = k.proc.MM
	k.setCurrent()
	k.LoseOutside()
	k.unref, k.dirty, k.born, k.old = nil, nil, nil, nil
	return nil
}

// restorer rebuilds a kernel, record by record. What it decodes into is part of it,
// so that not each record takes memory of its own.
type restorer struct {
	*Kernel
	space   func() *mm.Space
	alike   int // records of this kind that end up in one list, at most
	codec   codec
	process processRecord
	thread  threadRecord
	mapping mapping
	vmas    []mm.VMA // read, not installed yet
	watches []Watch  // likewise
	last    bool     // no record follows that ends up in the same list
}

// besides reports whether two records end up in the same list.
func (k Key) besides(o Key) bool {
	switch k.Kind {
	case KindAction, KindFD, KindTimer, KindMapping, KindWatch:
		return k.Kind == o.Kind && k.A == o.A
	}
	return k.Kind == o.Kind
}

// read decodes a record into o.
func (k *restorer) read(r *Record, o object) error {
	k.codec = codec{w: r.Words, decoding: true}
	o.code(&k.codec)
	if err := k.codec.done(); err != nil {
		return bad("%v: %v", r.Key, err)
	}
	return nil
}

// appended lengthens a list by v and returns where v is; n is how many more may come.
func appended[T any](list *[]T, v T, n int) *T {
	if len(*list) == cap(*list) {
		*list = slices.Grow(*list, n)
	}
	*list = append(*list, v)
	return &(*list)[len(*list)-1]
}

// restore enters one record. Records of a process come behind the process's own.
func (k *restorer) restore(r Record) error {
	var p *Process
	switch r.Key.Kind {
	case KindMapping:
		if p = k.inSpace(int(r.Key.A)); p == nil {
			return bad("%v: nobody lives there", r.Key)
		}
	case KindAction, KindFD, KindTimer:
		if p = k.findProcess(int32(r.Key.A)); p == nil {
			return bad("%v: there is no such process", r.Key)
		}
	}
	switch r.Key.Kind {
	case KindSystem:
		return k.read(&r, &k.sys)
	case KindProcess:
		p := &Process{pid: int32(r.Key.A), MM: k.space()}
		k.process = processRecord{p}
		if err := k.read(&r, &k.process); err != nil {
			return err
		}
		if host := k.inSpace(p.space); host != nil && !p.dead {
			p.MM = host.MM
		}
		k.procs = append(k.procs, p)
	case KindThread:
		k.thread = threadRecord{Thread: &Thread{tid: int32(r.Key.A)}}
		if err := k.read(&r, &k.thread); err != nil {
			return err
		}
		t := k.thread.Thread
		if t.proc = k.findProcess(k.thread.pid); t.proc == nil {
			return bad("%v belongs to no process", r.Key)
		}
		k.threads = append(k.threads, t)
	case KindAction:
		if r.Key.B < 1 || r.Key.B >= NSIG {
			return bad("%v: there is no such signal", r.Key)
		}
		return k.read(&r, &p.actions[r.Key.B])
	case KindFD:
		if r.Key.B > 1<<20 {
			return bad("%v: the number is out of range", r.Key)
		}
		return k.read(&r, p.slots.insert(slot{num: int(r.Key.B)}))
	case KindTimer:
		return k.read(&r, appended(&p.timers, timer{id: int(r.Key.B)}, k.alike))
	case KindDesc:
		d := k.files.descs.insert(desc{id: int(r.Key.A)})
		if err := k.read(&r, d); err != nil {
			return err
		}
		if d.node != 0 {
			k.FS.Ref(d.node)
		}
	case KindPipe:
		p := pipe{id: int(r.Key.A), data: slices.Clone(r.Bytes)}
		if len(p.data) > MaxPipe {
			return bad("%v holds %d bytes", r.Key, len(p.data))
		}
		at := appended(&k.files.pipes, p, k.alike)
		if err := k.read(&r, at); err != nil {
			return err
		}
		if len(at.data) > at.capacity() {
			return bad("%v holds %d bytes", r.Key, len(at.data))
		}
		if at.node != 0 {
			k.FS.Ref(at.node)
		}
	case KindWatch:
		d := k.files.find(int(r.Key.A))
		if d == nil {
			return bad("%v: there is no such epoll instance", r.Key)
		}
		w := appended(&k.watches, Watch{}, k.alike)
		if err := k.read(&r, w); err != nil {
			return err
		}
		if watchKey(d.id, *w) != r.Key {
			return bad("%v is about something else", r.Key)
		}
		if k.last {
			d.watches = newWatchSet(k.watches)
			k.watches = nil
		}
	case KindSocket:
		s := &socket{id: int(r.Key.A)}
		if err := k.read(&r, s); err != nil {
			return err
		}
		if s.node != 0 {
			k.FS.Ref(s.node)
		}
		k.files.socks = append(k.files.socks, s)
	case KindTerminal:
		return k.read(&r, appended(&k.files.terms, terminal{id: int(r.Key.A)}, k.alike))
	case KindMark:
		m := appended(&k.files.marks, mark{desc: int(r.Key.A), wd: int32(r.Key.B)}, k.alike)
		return k.read(&r, m)
	case KindMapping:
		k.mapping = mapping{mm.VMA{Start: r.Key.B}}
		if err := k.read(&r, &k.mapping); err != nil {
			return err
		}
		appended(&k.vmas, k.mapping.VMA, k.alike)
		if k.last {
			err := p.MM.Install(k.vmas...)
			k.vmas = k.vmas[:0]
			if err != nil {
				return bad("%v", err)
			}
		}
	default:
		if r.Key.Kind < recordKinds && kinds[r.Key.Kind] != nil {
			return kinds[r.Key.Kind].restore(k, &r)
		}
		return bad("a record of unknown kind %d", uint8(r.Key.Kind))
	}
	return nil
}

// FitsInto enters the mapping of a record into a space and reports whether that
// was possible: for runtimes that are broken on purpose.
func (r Record) FitsInto(s *mm.Space) bool {
	v, ok := r.Mapping()
	return ok && s.Install(v) == nil
}

// consistent looks for what cannot be, and counts references.
func (k *Kernel) consistent() error {
	if len(k.procs) == 0 || len(k.threads) == 0 {
		return bad("%d processes with %d threads", len(k.procs), len(k.threads))
	}
	if k.sys.current != 0 && k.findThread(k.sys.current) == nil {
		return bad("the current thread %d is not there", k.sys.current)
	}
	for _, t := range k.threads {
		if t.tid < 1 || t.tid > k.sys.nextTID {
			return bad("thread %d of %d", t.tid, k.sys.nextTID)
		}
		if err := checkQueue(t.queue); err != nil {
			return err
		}
	}
	for _, p := range k.procs {
		if err := checkQueue(p.queue); err != nil {
			return err
		}
		for s := range p.slots.all() {
			d := k.files.find(s.desc)
			if d == nil {
				return bad("descriptor %d of process %d has no description", s.num, p.pid)
			}
			d.refs++
		}
	}
	for _, s := range k.files.socks {
		if err := k.checkSocket(s); err != nil {
			return err
		}
	}
	for d := range k.files.descs.all() {
		if err := k.checkDesc(d); err != nil {
			return err
		}
		k.files.list(d)
	}
	known := depths{}
	for d := range k.files.descs.all() {
		if d.kind == FDEpoll && k.nesting(d, known) > maxNesting {
			return bad("epoll instance %d watches itself", d.id)
		}
	}
	if err := k.checkTerms(); err != nil {
		return err
	}
	for _, row := range kinds {
		if row == nil || row.check == nil {
			continue
		}
		if err := row.check(k); err != nil {
			return err
		}
	}
	for _, m := range k.files.marks {
		if d := k.files.find(m.desc); d == nil || d.kind != FDInotify || int64(m.wd) > d.off {
			return bad("watch %d of description %d, which has handed out none", m.wd, m.desc)
		}
	}
	for _, t := range k.threads {
		if w := t.wait; w != nil && w.fifo.pipe != 0 {
			i, ok := k.files.pipeIndex(w.fifo.pipe)
			if !ok {
				return bad("thread %d waits for pipe %d, which is not there", t.tid, w.fifo.pipe)
			}
			k.files.pipes[i].count(w.fifo.kind, 1)
		}
	}
	for _, p := range k.files.pipes {
		if p.readers+p.writers == 0 {
			return bad("pipe %d has no ends", p.id)
		}
		if p.id > k.sys.nextID {
			return bad("pipe %d of %d", p.id, k.sys.nextID)
		}
	}
	return nil
}

func checkQueue(queue []Queued) error {
	for _, q := range queue {
		if q.Signal < 1 || q.Signal >= NSIG {
			return bad("signal %d is pending", q.Signal)
		}
	}
	return nil
}

// checkDesc looks at one description and counts it at its pipe.
func (k *Kernel) checkDesc(d *desc) error {
	switch {
	case d.refs == 0:
		return bad("description %d has no descriptor", d.id)
	case d.id < 1 || d.id > k.sys.nextID:
		return bad("description %d of %d", d.id, k.sys.nextID)
	case d.kind < FDStdin || d.kind >= fdKinds:
		return bad("description %d has the unknown kind %d", d.id, d.kind)
	case d.off < 0 && d.kind != FDEvent && d.kind != FDSemaphore && d.kind != FDSignal:
		return bad("description %d is at offset %d", d.id, d.off)
	case d.kind == FDSocket && k.files.sock(d.socket) == nil:
		return bad("description %d leads to socket %d, which is not there", d.id, d.socket)
	case d.watches.len() > 0 && d.kind != FDEpoll:
		return bad("description %d waits for others and is no epoll instance", d.id)
	}
	for w := range d.watches.all {
		if k.files.find(w.Desc) == nil {
			return bad("epoll instance %d watches description %d", d.id, w.Desc)
		}
		k.watch(d.id, w)
	}
	if !d.isPipe() && d.kind != FDInotify {
		return nil
	}
	i, ok := k.files.pipeIndex(d.pipe)
	if !ok {
		return bad("description %d belongs to no pipe", d.id)
	}
	if d.kind == FDInotify {
		k.files.pipes[i].readers++
	}
	k.files.pipes[i].count(d.kind, 1)
	return nil
}
