// Redo-log transactional memory on words, after Mnemosyne's MTM (Volos, Tack, Swift, ASPLOS 2011;
// github.com/snalli/mnemosyne-gcc). A store takes the stripe of its address when it is met, and goes to
// a write set and, as (address, value, mask), to the thread's log, which is streamed in whole lines. An
// operation that meets a stripe of another's, or one that is newer than its start, begins anew.
//
//	commit: commit marker and timestamp, fence; the log's tail, fence: durable
//	then:   stores in place, each line flushed at its last store, fence; tail 0, fence
//
// Recovery replays logs that have a tail, in the order of their timestamps.
//
// As published a stripe is given back at its last store in place, before that store is durable and the
// log is empty. A second operation may overwrite the word, become durable and empty its log; after a
// power failure the first log is still there, and its older value is replayed. The repaired form
// gives the stripes back when the log is empty.
enum { LOCKED = 0, IN_FILE = 1, STRIPES = 1 << 14, WRITES = 2048, READS = 1 << 15, SLOTS = 4096 };

struct log {
	u64 tail, pad[7]; // words of a committed operation, 0 for none
	u64 word[(LOG - 64) / 8];
};

static const u64 MARKER = ~0ul;

static struct state {
	u64 start; // time at which what was read is consistent
	u64 words, chunk[8]; // of the log
	u64 writes;
	struct {
		u64 *at, value;
		u32 own;       // its stripe's place among own
		int last_line; // no later write is to its line
	} write[WRITES];
	struct table {
		u32 slot[SLOTS], round[SLOTS]; // a slot is valid in its round
	} words_at, lines_at; // where the write of an address, and the latest of a line, are
	u32 now;
	u64 owned;
	struct {
		u64 stripe, version;
		u32 last_write;
	} own[WRITES];
	u64 reads;
	struct {
		u32 stripe;
		u64 version;
	} read[READS];
	u64 aborts, pause;
} states[THREADS];

static volatile u64 stripes[STRIPES]; // version << 1, or owner << 1 | 1
static volatile u64 clock;

static struct log *log_of(u64 id) { return (struct log *)region->log[id]; }

static u64 stripe_of(const u64 *p) { return ((u64)p >> 3) * 0x9e3779b97f4a7c15 >> 50; }

static void begin(struct thread *t, u64 operation, u64 a, u64 b)
{
	(void)operation, (void)a, (void)b;
	struct state *s = &states[t->id];
	s->start = clock;
	s->words = s->writes = s->owned = s->reads = 0;
	s->now++;
}

static void give_back(struct state *s, u64 version)
{
	for (u64 i = 0; i < s->owned; i++)
		__atomic_store_n(&stripes[s->own[i].stripe], version ? version << 1 : s->own[i].version, __ATOMIC_RELEASE);
	s->owned = 0;
}

static void __attribute__((noreturn)) abort_operation(struct thread *t)
{
	struct state *s = &states[t->id];
	give_back(s, 0);
	s->aborts++;
	s->pause = s->pause < 256 ? s->pause * 2 + 1 + t->id : 256 + t->id;
	for (u64 i = 0; i < s->pause; i++)
		__asm__ volatile("pause");
	__builtin_longjmp(t->restart, 1);
}

// valid reports whether all that was read is still of its version.
static int valid(struct thread *t)
{
	struct state *s = &states[t->id];
	u64 mine = t->id << 1 | 1;
	for (u64 i = 0; i < s->reads; i++) {
		u64 v = stripes[s->read[i].stripe];
		if (v == s->read[i].version)
			continue;
		if (v != mine)
			return 0;
		u64 j = 0;
		while (s->own[j].stripe != s->read[i].stripe)
			j++;
		if (s->own[j].version != s->read[i].version)
			return 0;
	}
	return 1;
}

// extend moves the start to now, if nothing that was read has changed since.
static void extend(struct thread *t)
{
	u64 now = clock;
	if (!valid(t))
		abort_operation(t);
	states[t->id].start = now;
}

// find returns the slot of an address, whose low bits do not count; it is free where what it tells of
// is of another round.
static u32 *find(struct state *s, struct table *table, u64 at, u64 low, int *found)
{
	u64 i = (at & ~low) * 0x9e3779b97f4a7c15 >> 52;
	for (; table->round[i] == s->now; i = (i + 1) % SLOTS)
		if (((u64)s->write[table->slot[i]].at & ~low) == (at & ~low)) {
			*found = 1;
			return &table->slot[i];
		}
	table->round[i] = s->now;
	*found = 0;
	return &table->slot[i];
}

// written returns the value that this operation has given to a word, or 0.
static u64 *written(struct state *s, const u64 *p)
{
	for (u64 i = (u64)p * 0x9e3779b97f4a7c15 >> 52; s->words_at.round[i] == s->now; i = (i + 1) % SLOTS)
		if (s->write[s->words_at.slot[i]].at == p)
			return &s->write[s->words_at.slot[i]].value;
	return 0;
}

static u64 get(struct thread *t, u64 *p)
{
	struct state *s = &states[t->id];
	u64 stripe = stripe_of(p);
	for (;;) {
		u64 before = __atomic_load_n(&stripes[stripe], __ATOMIC_ACQUIRE);
		if (before & 1) {
			if (before >> 1 != t->id)
				abort_operation(t);
			u64 *own = written(s, p);
			return own ? *own : load(p);
		}
		u64 v = __atomic_load_n(p, __ATOMIC_ACQUIRE);
		if (stripes[stripe] != before)
			continue;
		if (before >> 1 > s->start) {
			extend(t);
			continue;
		}
		CHECK(s->reads < READS);
		s->read[s->reads].stripe = stripe;
		s->read[s->reads++].version = before;
		return v;
	}
}

// own takes the stripe of an address, and returns its place among those that are owned.
static u32 own(struct thread *t, u64 *p)
{
	struct state *s = &states[t->id];
	u64 stripe = stripe_of(p), mine = t->id << 1 | 1, v = stripes[stripe];
	while (v != mine) {
		if (v & 1)
			abort_operation(t);
		if (v >> 1 > s->start) {
			extend(t);
			v = stripes[stripe];
			continue;
		}
		if (__atomic_compare_exchange_n(&stripes[stripe], &v, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
			CHECK(s->owned < WRITES);
			s->own[s->owned].stripe = stripe;
			s->own[s->owned].version = v;
			return s->owned++;
		}
	}
	u32 i = s->owned - 1;
	while (s->own[i].stripe != stripe)
		i--;
	return i;
}

static void append(struct thread *t, u64 v)
{
	struct state *s = &states[t->id];
	s->chunk[s->words++ % 8] = v;
	if (s->words % 8)
		return;
	u64 *to = log_of(t->id)->word + s->words - 8;
	CHECK(to + 8 <= (u64 *)(log_of(t->id) + 1));
	for (u64 i = 0; i < 8; i++)
		stream(to + i, s->chunk[i]);
}

static void entry(struct thread *t, u64 at, u64 v)
{
	append(t, at);
	append(t, v);
	append(t, ~0ul);
}

// add puts a first write of an address into the write set, and returns its place.
static u32 add(struct thread *t, u64 *p)
{
	struct state *s = &states[t->id];
	u32 owner = own(t, p), i = s->writes;
	int found;
	CHECK(i < WRITES);
	s->write[i].at = p;
	s->write[i].own = owner;
	s->write[i].last_line = 1;
	u32 *of_line = find(s, &s->lines_at, (u64)p, 63, &found);
	if (found)
		s->write[*of_line].last_line = 0;
	*of_line = i;
	s->own[owner].last_write = i;
	s->writes++;
	return i;
}

static void put(struct thread *t, u64 *p, u64 v)
{
	struct state *s = &states[t->id];
	u64 *old = written(s, p);
	if (old) {
		*old = v;
	} else {
		u32 i = add(t, p);
		int found;
		*find(s, &s->words_at, (u64)p, 7, &found) = i;
		s->write[i].value = v;
	}
	entry(t, (u64)p, v);
}

static void set(struct thread *t, u64 *p, const u64 *from, u64 n)
{
	for (u64 i = 0; i < n; i++)
		put(t, p + i, from[i]);
}

static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n) { set(t, p, from, n); }

static void write_back(struct state *s, u64 version)
{
	for (u32 i = 0; i < s->writes; i++) {
		store(s->write[i].at, s->write[i].value);
		if (s->write[i].last_line)
			clflush(s->write[i].at);
		u32 o = s->write[i].own;
		if (as_published && s->own[o].last_write == i)
			__atomic_store_n(&stripes[s->own[o].stripe], version << 1, __ATOMIC_RELEASE);
	}
}

static void end(struct thread *t)
{
	struct state *s = &states[t->id];
	s->pause = 0;
	if (!s->writes)
		return;
	u64 version = __atomic_add_fetch(&clock, 1, __ATOMIC_ACQ_REL);
	if (version != s->start + 1 && !valid(t))
		abort_operation(t);
	struct log *log = log_of(t->id);
	entry(t, MARKER, version);
	u64 words = s->words;
	while (s->words % 8)
		append(t, 0);
	sfence();
	stream(&log->tail, words);
	sfence();
	write_back(s, version);
	mfence();
	stream(&log->tail, 0);
	mfence();
	if (as_published)
		s->owned = 0;
	give_back(s, version);
}

static void acquired(struct thread *t, u64 n) { (void)t, (void)n; }
static void releasing(struct thread *t, u64 n) { (void)t, (void)n; }

static void replay(struct log *log)
{
	for (u64 i = 0; i + 3 < log->tail; i += 3) {
		store((u64 *)log->word[i], log->word[i + 1]);
		clflush((u64 *)log->word[i]);
	}
}

static u64 timestamp(const struct log *log) { return log->word[log->tail - 2]; }

// oldest returns the log with the least timestamp above one, or 0.
static struct log *oldest(u64 above)
{
	struct log *first = 0;
	for (u64 id = 0; id < THREADS; id++) {
		struct log *log = log_of(id);
		if (log->tail && timestamp(log) > above && (!first || timestamp(log) < timestamp(first)))
			first = log;
	}
	return first;
}

static void open_system(void)
{
	u64 done = 0;
	for (struct log *log; (log = oldest(done)); done = timestamp(log))
		replay(log);
	mfence();
	// In the same order: one that was left while a later one is gone would be replayed over it.
	for (struct log *log; (log = oldest(0));) {
		stream(&log->tail, 0);
		mfence();
	}
}
