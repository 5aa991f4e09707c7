// Clobber logging, after Clobber-NVM (Xu, Izraelevitz, Swanson, ASPLOS 2021). An operation begins
// by making its number and arguments durable. Only a word that it has read and then overwrites is
// logged before the store; all other stores are written back at its end. Recovery restores the
// words that were clobbered and executes the operation anew, to its end.
//
// As published the flag that says that an operation is under way is cleared while its stores are
// still being written back: a power failure between the two leaves half an operation. The repaired
// form fences first.
enum { LOCKED = 1, IN_FILE = 1, ENTRIES = 1024, LINES = 1024 };

struct log {
	u64 number, operation, a, b, last, pad[3]; // number of the section, 0 for none: one line, stored last
	struct entry {
		u64 at, old, number, pad; // number is stored last
	} entry[ENTRIES];
};

static struct state {
	u64 number, entries, lines;
	u64 line[LINES];
} states[THREADS];

static struct log *log_of(u64 id) { return (struct log *)region->log[id]; }

// name gives the operation of a log a number, which stays behind: no number is used twice, while an entry has it.
static void name(struct log *log, u64 number)
{
	store(&log->last, number);
	store(&log->number, number);
	clwb(log);
}

static void begin(struct thread *t, u64 operation, u64 a, u64 b)
{
	struct state *s = &states[t->id];
	struct log *log = log_of(t->id);
	s->entries = s->lines = 0;
	store(&log->operation, operation);
	store(&log->a, a);
	store(&log->b, b);
	name(log, ++s->number);
	sfence();
}

static void written(struct state *s, const u64 *p, u64 words)
{
	for (u64 line = LINE(p); line < (u64)(p + words); line += 64) {
		u64 i = s->lines;
		while (i > 0 && i + 8 > s->lines && s->line[i - 1] != line)
			i--;
		if (i > 0 && s->line[i - 1] == line)
			continue;
		CHECK(s->lines < LINES);
		s->line[s->lines++] = line;
	}
}

static u64 get(struct thread *t, u64 *p) { (void)t; return load(p); }

static void put(struct thread *t, u64 *p, u64 v)
{
	struct state *s = &states[t->id];
	struct log *log = log_of(t->id);
	u64 i = s->entries;
	while (i > 0 && log->entry[i - 1].at != (u64)p)
		i--;
	if (i == 0) {
		CHECK(s->entries < ENTRIES);
		struct entry *e = &log->entry[s->entries++];
		store(&e->at, (u64)p);
		store(&e->old, load(p));
		store(&e->number, s->number);
		clwb(e);
		sfence();
	}
	store(p, v);
	written(s, p, 1);
}

static void set(struct thread *t, u64 *p, const u64 *from, u64 n)
{
	copy(p, from, n);
	written(&states[t->id], p, n);
}

static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n) { set(t, p, from, n); }

static void end(struct thread *t)
{
	struct state *s = &states[t->id];
	struct log *log = log_of(t->id);
	for (u64 i = 0; i < s->lines; i++)
		clwb((void *)s->line[i]);
	if (!as_published)
		sfence();
	store(&log->number, 0);
	if (!as_published)
		clwb(log);
	sfence();
	unlock_all(t);
}

static void acquired(struct thread *t, u64 n) { (void)t, (void)n; }
static void releasing(struct thread *t, u64 n) { (void)t, (void)n; }

// restore puts back what an operation under way had overwritten.
static void restore(u64 id)
{
	struct log *log = log_of(id);
	u64 n = 0;
	while (log->number && n < ENTRIES && log->entry[n].number == log->number)
		n++;
	while (n-- > 0) {
		store((u64 *)log->entry[n].at, log->entry[n].old);
		clwb((void *)log->entry[n].at);
	}
}

// All words are restored before the first operation is executed anew: another one may have waited
// for a lock, and its number says nothing about which of the two comes first. Then each gets a new
// number, so that its entries count no more: restored again, after a second power failure, they would take
// back what another operation has done meanwhile.
static void open_system(void)
{
	for (u64 id = 0; id < THREADS; id++) {
		states[id].number = log_of(id)->last;
		restore(id);
	}
	sfence();
	for (u64 id = 0; id < THREADS; id++)
		if (log_of(id)->number)
			name(log_of(id), ++states[id].number);
	sfence();
	for (u64 id = 0; id < THREADS; id++) {
		struct log *log = log_of(id);
		struct thread t = {.id = id};
		if (log->number)
			section(&t, log->operation, log->a, log->b);
	}
}
