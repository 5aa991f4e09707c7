package kernel

import (
	"cmp"
	"fmt"
	"hash/crc32"
	"slices"

	"zhuque/sim/kernel/mm"
)

// RecordKind tells what a Record describes. Its numbers are part of the persistent image.
type RecordKind uint8

// The kinds of records, with what A and B of their keys mean.
const (
	KindSystem     RecordKind = 1 + iota // counters, virtual time, the thread that runs
	KindProcess                          // A: process
	KindThread                           // A: thread
	KindAction                           // A: process, B: signal
	KindFD                               // A: process, B: descriptor number
	KindDesc                             // A: open file description
	KindPipe                             // A: pipe
	KindWatch                            // A: description of an epoll instance, B: description watched << 32 | descriptor number
	KindMapping                          // A: address space, B: first address
	KindTimer                            // A: process, B: identity of the timer
	KindSocket                           // A: socket
	KindMark                             // A: description of an inotify instance, B: number of the watch
	KindTerminal                         // A: pseudoterminal
	KindSegment                          // A: segment of shared memory
	KindSemaphores                       // A: set of semaphores
	KindMessages                         // A: queue of messages
	KindMQueue                           // A: POSIX message queue
	KindMessage                          // A: kind of the queue << 32 | queue, B: which of all that it has had
	recordKinds
)

func (k RecordKind) String() string {
	if k < KindSystem || k >= recordKinds {
		return fmt.Sprintf("RecordKind(%d)", uint8(k))
	}
	if row := kinds[k]; row != nil {
		return row.name
	}
	return [...]string{"system", "process", "thread", "action", "descriptor", "description",
		"pipe", "watch", "mapping", "timer", "socket", "mark", "terminal"}[k-KindSystem]
}

// Key names a Record.
type Key struct {
	Kind RecordKind
	A    uint64 // below 1 << 56
	B    uint64
}

// Compare orders keys by kind, then A, then B.
func (k Key) Compare(o Key) int {
	return cmp.Or(cmp.Compare(k.Kind, o.Kind), cmp.Compare(k.A, o.A), cmp.Compare(k.B, o.B))
}

func (k Key) String() string {
	switch k.Kind {
	case KindSystem:
		return "system"
	case KindAction, KindFD, KindTimer:
		return fmt.Sprintf("%v %d of process %d", k.Kind, k.B, k.A)
	case KindWatch:
		return fmt.Sprintf("watch of epoll instance %d for descriptor %d", k.A, uint32(k.B))
	case KindMark:
		return fmt.Sprintf("watch %d of inotify instance %d", k.B, k.A)
	case KindMapping:
		return fmt.Sprintf("mapping at %#x in memory %d", k.B, k.A)
	case KindMessage:
		return fmt.Sprintf("message %d of %v %d", k.B, RecordKind(k.A>>32), uint32(k.A))
	}
	return fmt.Sprintf("%v %d", k.Kind, k.A)
}

// Record is one object of what the processes can see of the kernel: what Zhuque
// makes persistent beside memory and registers. Records are the kernel's whole
// state: Restore builds a kernel from them.
type Record struct {
	Key   Key
	Words []uint64
	// Bytes is what a pipe holds. Words[0] is its position in all that ever went
	// through the pipe, so that it only ever loses bytes at its front and gains
	// them at its end. Not to be changed.
	Bytes []byte
}

// Equal reports whether two records are the same.
func (r Record) Equal(o Record) bool {
	return r.Key == o.Key && slices.Equal(r.Words, o.Words) && slices.Equal(r.Bytes, o.Bytes)
}

// String shows a record for a person: its object's fields, not all bytes of a pipe.
func (r Record) String() string {
	o := newObject(r.Key.Kind)
	if o == nil {
		return fmt.Sprintf("%v %x", r.Key, r.Words)
	}
	c := codec{w: r.Words, decoding: true}
	o.code(&c)
	if err := c.done(); err != nil {
		return fmt.Sprintf("%v %x (%v)", r.Key, r.Words, err)
	}
	text := fmt.Sprintf("%v %+v", r.Key, o)
	if r.Key.Kind == KindPipe {
		text += fmt.Sprintf(", %d bytes unread, checksum %08x", len(r.Bytes), crc32.ChecksumIEEE(r.Bytes))
	}
	return text
}

// Check says why a record is none of its kind.
func (r Record) Check() error {
	o := newObject(r.Key.Kind)
	if o == nil {
		return bad("%v: nothing is of this kind", r.Key)
	}
	c := codec{w: r.Words, decoding: true}
	o.code(&c)
	if err := c.done(); err != nil {
		return bad("%v: %v", r.Key, err)
	}
	return nil
}

// Mapping returns the mapping that a record describes.
func (r Record) Mapping() (v mm.VMA, ok bool) {
	if r.Key.Kind != KindMapping {
		return v, false
	}
	m := mapping{mm.VMA{Start: r.Key.B}}
	c := codec{w: r.Words, decoding: true}
	m.code(&c)
	return m.VMA, c.done() == nil
}

// object is something that a Record describes.
type object interface {
	// code passes all fields to c, which reads or sets them.
	code(c *codec)
}

// kindOf is what the kernel's state must know of a kind of object whose records are each
// about one, and which belong to no process.
type kindOf struct {
	name    string
	make    func() object                      // an empty one
	find    func(k *Kernel, key Key) object    // nil when there is none
	keys    func(k *Kernel, add func(Key))     // of all that there are
	restore func(k *restorer, r *Record) error // comes behind the kinds before it
	check   func(k *Kernel) error              // when all are restored; may be nil
}

// kinds has a row for each such kind.
var kinds = [recordKinds]*kindOf{KindSegment: &segmentKind, KindSemaphores: &setKind,
	KindMessages: &queueKind, KindMQueue: &mqueueKind, KindMessage: &messageKind}

// found makes nil of an object that is not there.
func found[T any, P interface {
	*T
	object
}](o P) object {
	if o == nil {
		return nil
	}
	return o
}

// newObject returns an empty object of a kind, nil for an unknown one.
func newObject(k RecordKind) object {
	if k < recordKinds && kinds[k] != nil {
		return kinds[k].make()
	}
	switch k {
	case KindSystem:
		return &system{}
	case KindProcess:
		return &processRecord{}
	case KindThread:
		return &threadRecord{}
	case KindAction:
		return &Action{}
	case KindFD:
		return &slot{}
	case KindDesc:
		return &desc{}
	case KindPipe:
		return &pipe{}
	case KindWatch:
		return &Watch{}
	case KindMapping:
		return &mapping{}
	case KindSocket:
		return &socket{}
	case KindTimer:
		return &timer{}
	case KindMark:
		return &mark{}
	case KindTerminal:
		return &terminal{}
	}
	return nil
}

// codec turns the fields of an object into words, or words into fields, in the
// order in which they are passed to it.
type codec struct {
	w        []uint64
	at       int
	decoding bool
	bad      error
}

// integer is what fits into a word.
type integer interface {
	~int | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64
}

// code passes one number. Decoding one that does not fit is an error.
func code[T integer](c *codec, p *T) {
	if !c.decoding {
		c.w = append(c.w, uint64(*p))
		return
	}
	w := c.next()
	*p = T(w)
	if uint64(*p) != w {
		c.fail("number %d in word %d is out of range", w, c.at-1)
	}
}

func (c *codec) flag(p *bool) {
	v := uint8(0)
	if *p {
		v = 1
	}
	code(c, &v)
	if c.decoding {
		if *p = v == 1; v > 1 {
			c.fail("word %d is no truth value", c.at-1)
		}
	}
}

// count passes the length of a list of at most most entries and returns it.
func (c *codec) count(n, most int) int {
	code(c, &n)
	if c.decoding && (n < 0 || n > most) {
		c.fail("a list of %d entries, at most %d are possible", n, most)
		return 0
	}
	return n
}

func (c *codec) next() uint64 {
	if c.at >= len(c.w) {
		c.fail("it ends after %d words", len(c.w))
		return 0
	}
	c.at++
	return c.w[c.at-1]
}

func (c *codec) fail(format string, a ...any) {
	if c.bad == nil {
		c.bad = fmt.Errorf(format, a...)
	}
}

// done returns the first error of decoding; words that are left over are one.
func (c *codec) done() error {
	if c.decoding && c.at != len(c.w) {
		c.fail("it has %d words, %d are expected", len(c.w), c.at)
	}
	return c.bad
}

// encode returns the record of an object. Its words lie behind those that c has
// encoded before, and are the record's alone.
func (c *codec) encode(key Key, o object) Record {
	from := len(c.w)
	o.code(c)
	return Record{Key: key, Words: c.w[from:len(c.w):len(c.w)]}
}

// queued passes a list of pending signals.
func (c *codec) queued(list *[]Queued) {
	n := c.count(len(*list), maxQueued+firstReal-1)
	if c.decoding {
		*list = nil
		if n > 0 {
			*list = make([]Queued, n)
		}
	}
	for i := range *list {
		q := &(*list)[i]
		code(c, &q.Signal)
		code(c, &q.Code)
		code(c, &q.Value)
		code(c, &q.PID)
		code(c, &q.UID)
	}
}

// touch marks a record as changed: made, gone or with other content.
func (k *Kernel) touch(key Key) {
	k.stir(key)
	i, found := slices.BinarySearchFunc(k.dirty, key, Key.Compare)
	if !found {
		k.dirty = slices.Insert(k.dirty, i, key)
	}
}

func (k *Kernel) touchSystem()            { k.touch(Key{Kind: KindSystem}) }
func (k *Kernel) touchProcess(p *Process) { k.touch(p.key()) }
func (k *Kernel) touchThread(t *Thread)   { k.touch(t.key()) }
func (k *Kernel) touchDesc(id int)        { k.touch(descKey(id)) }
func (k *Kernel) touchPipe(id int)        { k.touch(pipeKey(id)) }
func (k *Kernel) touchFD(num int)         { k.touch(k.proc.fdKey(num)) }
func (k *Kernel) touchAction(sig int)     { k.touch(Key{KindAction, uint64(k.proc.pid), uint64(sig)}) }
func descKey(id int) Key                  { return Key{Kind: KindDesc, A: uint64(id)} }
func pipeKey(id int) Key                  { return Key{Kind: KindPipe, A: uint64(id)} }
func watchKey(epoll int, w Watch) Key {
	return Key{KindWatch, uint64(epoll), uint64(w.Desc)<<32 | uint64(uint32(w.FD))}
}
func (p *Process) key() Key                { return Key{Kind: KindProcess, A: uint64(p.pid)} }
func (p *Process) fdKey(num int) Key       { return Key{KindFD, uint64(p.pid), uint64(num)} }
func (p *Process) mapKey(start uint64) Key { return Key{KindMapping, uint64(p.space), start} }
func (t *Thread) key() Key                 { return Key{Kind: KindThread, A: uint64(t.tid)} }

// TakeDirty returns the keys of the records that changed since the last call,
// ascending. Record tells what became of each.
func (k *Kernel) TakeDirty() []Key {
	for _, p := range k.procs {
		for _, ch := range p.MM.TakeChanges() {
			if ch.New != nil {
				k.touch(p.mapKey(ch.New.Start))
			} else {
				k.touch(p.mapKey(ch.Old.Start))
			}
		}
	}
	d := k.dirty
	k.dirty = nil
	return d
}

// Record returns the record with a key; ok is false when there is no such object.
func (k *Kernel) Record(key Key) (r Record, ok bool) {
	return k.record(&codec{w: make([]uint64, 0, usualWords)}, key)
}

// usualWords is about what one record has.
const usualWords = 64

// record is Record with words of c.
func (k *Kernel) record(c *codec, key Key) (r Record, ok bool) {
	if key.Kind < recordKinds && kinds[key.Kind] != nil {
		if o := kinds[key.Kind].find(k, key); o != nil {
			return c.encode(key, o), true
		}
		return r, false
	}
	switch key.Kind {
	case KindSystem:
		return c.encode(key, &k.sys), true
	case KindPipe:
		i, ok := k.files.pipeIndex(int(key.A))
		if !ok {
			return r, false
		}
		r = c.encode(key, &k.files.pipes[i])
		r.Bytes = k.files.pipes[i].data
		return r, true
	case KindDesc:
		if d := k.files.find(int(key.A)); d != nil {
			return c.encode(key, d), true
		}
		return r, false
	case KindWatch:
		d := k.files.find(int(key.A))
		if d == nil {
			return r, false
		}
		w, ok := d.watches.find(Watch{FD: int(int32(key.B)), Desc: int(key.B >> 32)})
		if !ok {
			return r, false
		}
		return c.encode(key, &w), true
	case KindSocket:
		if s := k.files.sock(int(key.A)); s != nil {
			return c.encode(key, s), true
		}
		return r, false
	case KindTerminal:
		if t := k.files.term(int(key.A)); t != nil {
			return c.encode(key, t), true
		}
		return r, false
	case KindMark:
		i, ok := k.files.mark(int(key.A), int32(key.B))
		if !ok {
			return r, false
		}
		return c.encode(key, &k.files.marks[i]), true
	case KindThread:
		if t := k.findThread(int32(key.A)); t != nil {
			return c.encode(key, &threadRecord{t, t.proc.pid}), true
		}
		return r, false
	}
	p := k.findProcess(int32(key.A))
	if key.Kind == KindMapping {
		p = k.inSpace(int(key.A))
	}
	if p == nil {
		return r, false
	}
	return p.record(c, key)
}

// inSpace returns the first process that lives in an address space.
func (k *Kernel) inSpace(id int) *Process {
	for _, p := range k.procs {
		if p.space == id && !p.dead {
			return p
		}
	}
	return nil
}

// record is Record for what belongs to a process.
func (p *Process) record(c *codec, key Key) (r Record, ok bool) {
	switch key.Kind {
	case KindProcess:
		return c.encode(key, &processRecord{p}), true
	case KindAction:
		if a := &p.actions[key.B]; *a != (Action{}) {
			return c.encode(key, a), true
		}
	case KindFD:
		if s := p.slot(int(key.B)); s != nil {
			return c.encode(key, s), true
		}
	case KindTimer:
		if t := p.timer(int(key.B)); t != nil {
			return c.encode(key, t), true
		}
	case KindMapping:
		if v, ok := p.MM.Find(key.B); ok && v.Start == key.B {
			return c.encode(key, &mapping{v}), true
		}
	}
	return r, false
}

// Records returns all records, ascending by key.
func (k *Kernel) Records() []Record {
	out := k.Objects()
	for _, p := range k.procs {
		if k.inSpace(p.space) != p {
			continue // it lives in another process's memory
		}
		for _, v := range p.MM.VMAs() {
			r, _ := k.Record(p.mapKey(v.Start))
			out = append(out, r)
		}
	}
	return out
}

// Objects returns all records but those of mappings, ascending by key.
func (k *Kernel) Objects() []Record {
	out := make([]Record, 0, 16)
	c := &codec{w: make([]uint64, 0, 3*usualWords)}
	add := func(key Key) {
		r, ok := k.record(c, key)
		if !ok {
			panic(fmt.Sprintf("BUG: no record of %v", key))
		}
		out = append(out, r)
	}
	add(Key{Kind: KindSystem})
	for _, p := range k.procs {
		add(p.key())
		for sig := range p.actions {
			if p.actions[sig] != (Action{}) {
				add(Key{KindAction, uint64(p.pid), uint64(sig)})
			}
		}
		for s := range p.slots.all() {
			add(p.fdKey(s.num))
		}
		for i := range p.timers {
			add(p.timerKey(p.timers[i].id))
		}
	}
	for _, t := range k.threads {
		add(t.key())
	}
	for d := range k.files.descs.all() {
		add(descKey(d.id))
		for w := range d.watches.all {
			add(watchKey(d.id, w))
		}
	}
	for i := range k.files.pipes {
		add(pipeKey(k.files.pipes[i].id))
	}
	for _, s := range k.files.socks {
		add(sockKey(s.id))
	}
	for i := range k.files.terms {
		add(termKey(k.files.terms[i].id))
	}
	for i := range k.files.marks {
		add(k.files.marks[i].key())
	}
	for _, row := range kinds {
		if row != nil {
			row.keys(k, add)
		}
	}
	slices.SortFunc(out, func(a, b Record) int { return a.Key.Compare(b.Key) })
	return out
}
