// Failure-atomic sections with an undo log, after Atlas (Chakrabarti, Boehm, Bhandari, OOPSLA 2014;
// github.com/HewlettPackard/Atlas). A section lasts from the outermost acquire to the outermost release. Each
// store of one is logged before it is made, and written back at once. The log is a chain of entries
//
//	address, old value, next, size:60 | type:4
//
// An acquire names the section that released the lock before. What ends a section is the entry behind
// its last release: the release itself is published while the section's data may still be in the caches.
//
// Recovery undoes the sections without an end, and all that depend on one that is undone: through
// a lock, or as later ones of the same thread. A section that can no longer be undone leaves the log;
// so a name that is not found is of a section that stays. Atlas leaves that to a thread of its own; here a
// section waits at its end for those that it follows, and is durable when it returns.
//
// As published recovery empties the log before what it has undone is flushed: a second power
// failure loses it. The repaired form flushes first.
enum { LOCKED = 1, IN_FILE = 1, DEPENDS = 64 };

enum type { STORE, COPY, ACQUIRE, RELEASE, END };

struct entry {
	u64 at, old;
	struct entry *next;
	u64 kind; // size << 4 | type
};

struct log {
	struct entry *first;
	u64 pad[7];
	u8 room[LOG - 64]; // entries, and the old content of ranges
};

static struct state {
	u64 number, used;
	struct entry *last;
	u64 depends;
	u64 depend[DEPENDS]; // names of sections of others that may still be undone
} states[THREADS];

// A section's name is its thread and its number, of which a thread's are stable up to one.
static u64 name_of(u64 thread, u64 number) { return thread << 48 | number; }
static volatile u64 stable[THREADS];
static volatile u64 released[LOCKS]; // name + 1 of the section that released a lock last

static struct log *log_of(u64 id) { return (struct log *)region->log[id]; }

static void write_through(const void *p)
{
	mfence();
	clflush(p);
	mfence();
}

static u8 *room(struct thread *t, u64 bytes)
{
	struct state *s = &states[t->id];
	u8 *p = log_of(t->id)->room + s->used;
	s->used += (bytes + 31) / 32 * 32;
	CHECK(s->used <= sizeof((struct log *)0)->room);
	return p;
}

// publish appends an entry. One in the line of its predecessor is written back together with the link.
static void publish(struct thread *t, enum type type, u64 at, u64 old, u64 size)
{
	struct state *s = &states[t->id];
	struct entry *e = (struct entry *)room(t, sizeof *e);
	store(&e->at, at);
	store(&e->old, old);
	store((u64 *)&e->next, 0);
	store(&e->kind, size << 4 | type);
	struct entry **link = s->last ? &s->last->next : &log_of(t->id)->first;
	if (LINE(e) != LINE(link))
		write_through(e);
	store((u64 *)link, (u64)e);
	write_through(link);
	s->last = e;
}

static void begin(struct thread *t, u64 operation, u64 a, u64 b)
{
	(void)operation, (void)a, (void)b;
	states[t->id].number++;
}

static void acquired(struct thread *t, u64 n)
{
	struct state *s = &states[t->id];
	u64 name = released[n];
	publish(t, ACQUIRE, n, name, s->number);
	if (name && (name - 1) >> 48 != t->id) {
		CHECK(s->depends < DEPENDS);
		s->depend[s->depends++] = name - 1;
	}
}

static void releasing(struct thread *t, u64 n)
{
	publish(t, RELEASE, n, 0, states[t->id].number);
	released[n] = name_of(t->id, states[t->id].number) + 1;
}

// await_stable waits until no section that this one follows can be undone. They have released their
// locks, and are about to end.
static void await_stable(struct state *s)
{
	for (u64 i = 0; i < s->depends; i++)
		while (stable[s->depend[i] >> 48] < (s->depend[i] & ~(~0ul << 48)))
			__asm__ volatile("pause");
	s->depends = 0;
}

static void end(struct thread *t)
{
	struct state *s = &states[t->id];
	struct log *log = log_of(t->id);
	unlock_all(t);
	publish(t, END, 0, 0, s->number);
	await_stable(s);
	stable[t->id] = s->number;
	store((u64 *)&log->first, 0);
	write_through(&log->first);
	s->last = 0;
	s->used = 0;
}

static u64 get(struct thread *t, u64 *p) { (void)t; return load(p); }

static void put(struct thread *t, u64 *p, u64 v)
{
	publish(t, STORE, (u64)p, load(p), 8);
	store(p, v);
	write_through(p);
}

static void set(struct thread *t, u64 *p, const u64 *from, u64 n)
{
	u64 *old = (u64 *)room(t, 8 * n);
	copy(old, p, n);
	mfence();
	for (u64 line = LINE(old); line < (u64)(old + n); line += 64)
		clflush((void *)line);
	mfence();
	publish(t, COPY, (u64)p, (u64)old, 8 * n);
	copy(p, from, n);
	mfence();
	for (u64 line = LINE(p); line < (u64)(p + n); line += 64)
		clflush((void *)line);
	mfence();
}

static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n) { set(t, p, from, n); }

// What recovery knows of a section.
enum { SECTIONS = 1024 };
static struct section {
	u64 name, after; // after: name + 1 of the one before, of the same thread
	struct entry *from, *to; // its entries, to is the one behind
	int ended, undo;
} sections[SECTIONS];

static u64 collect(void)
{
	u64 n = 0;
	for (u64 id = 0; id < THREADS; id++) {
		struct section *s = 0;
		u64 before = 0;
		for (struct entry *e = log_of(id)->first; e; e = e->next) {
			if (!s) {
				CHECK(n < SECTIONS);
				s = &sections[n++];
				*s = (struct section){.after = before, .from = e};
			}
			if ((e->kind & 15) == ACQUIRE)
				s->name = name_of(id, e->kind >> 4);
			s->to = e->next;
			if ((e->kind & 15) == END) {
				s->ended = 1;
				before = s->name + 1;
				s = 0;
			}
		}
	}
	return n;
}

// follows reports whether a section comes right after another, by a lock or in its thread.
static int follows(const struct section *s, const struct section *other)
{
	if (s->after == other->name + 1)
		return 1;
	for (struct entry *e = s->from; e != s->to; e = e->next)
		if ((e->kind & 15) == ACQUIRE && e->old == other->name + 1)
			return s != other;
	return 0;
}

static void undo_section(struct section *s)
{
	static struct entry *list[LOG / 32];
	u64 n = 0;
	for (struct entry *e = s->from; e != s->to; e = e->next)
		list[n++] = e;
	while (n-- > 0) {
		struct entry *e = list[n];
		u64 size = e->kind >> 4;
		if ((e->kind & 15) == STORE)
			store((u64 *)e->at, e->old);
		else if ((e->kind & 15) == COPY)
			copy((u64 *)e->at, (u64 *)e->old, size / 8);
		else
			continue;
		if (!as_published)
			for (u64 line = LINE(e->at); line < e->at + size; line += 64)
				clflush((void *)line);
	}
}

// spread marks what follows a section that is undone, and reports whether it marked any.
static int spread(u64 n)
{
	for (u64 i = 0; i < n; i++)
		for (u64 j = 0; j < n; j++)
			if (sections[i].undo && !sections[j].undo && follows(&sections[j], &sections[i]))
				return sections[j].undo = 1;
	return 0;
}

// latest returns a section to undo that none follows which is still to be undone, or 0.
static struct section *latest(u64 n)
{
	for (u64 i = 0; i < n; i++) {
		u64 j = 0;
		while (j < n && !(sections[j].undo && follows(&sections[j], &sections[i])))
			j++;
		if (sections[i].undo && j == n)
			return &sections[i];
	}
	return 0;
}

// recover_sections undoes what is to be undone. Then a word says that only the logs are left: of several logs
// some may be gone when the power fails again.
static void recover_sections(void)
{
	u64 n = collect();
	for (u64 i = 0; i < n; i++)
		sections[i].undo = !sections[i].ended;
	while (spread(n))
		;
	for (struct section *s; (s = latest(n));) {
		undo_section(s);
		s->undo = 0;
	}
	mfence();
	store(&region->recovered, 1);
	write_through(&region->recovered);
}

static void open_system(void)
{
	if (!region->recovered)
		recover_sections();
	for (u64 id = 0; id < THREADS; id++) {
		store((u64 *)&log_of(id)->first, 0);
		clflush(&log_of(id)->first);
	}
	mfence();
	store(&region->recovered, 0);
	write_through(&region->recovered);
}
