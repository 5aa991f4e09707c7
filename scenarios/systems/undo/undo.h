// Undo-log transactions, after libpmemobj of PMDK (github.com/pmem/pmdk, src/libpmemobj/ulog.c, tx.c,
// version 1.12). Before a range is changed for the first time its old content is appended to the
// thread's log and made durable; stores are in place. An entry is
//
//	checksum, address, bytes, old content …
//
// in whole lines. The header slot behind it is cleared first, so that the log ends there; its body is
// streamed, its first line last. The checksum is over the entry and the log's generation: raising
// that by one empties the log, and is the commit.
//
// What differs: blocks come from the region's arenas, whose words are logged like any others,
// where libpmemobj publishes its allocations through a redo log.
enum { LOCKED = 1, IN_FILE = 1, HEADER = 3, RANGES = 128 };

struct log {
	u64 generation, pad[7];
	u64 entry[(LOG - 64) / 8];
};

static struct state {
	u64 words;  // used in the log
	u64 logged; // entries
	u64 ranges;
	struct range {
		u64 at, bytes;
	} range[RANGES];
} states[THREADS];

static struct log *log_of(u64 id) { return (struct log *)region->log[id]; }

static u64 lines(u64 bytes) { return (8 * HEADER + bytes + 63) / 64; }

static u64 checksum(const u64 *e, u64 generation)
{
	u64 sum = mix(generation, e[1]);
	sum = mix(sum, e[2]);
	for (u64 i = 0; i < e[2] / 8; i++)
		sum = mix(sum, e[HEADER + i]);
	return sum | 1;
}

static void remember(struct state *s, u64 at, u64 bytes)
{
	CHECK(s->ranges < RANGES);
	s->range[s->ranges++] = (struct range){at, bytes};
}

// covered reports whether a range has been logged, or is of a block that this operation took.
static int covered(const struct state *s, u64 at, u64 bytes)
{
	for (u64 i = s->ranges; i-- > 0;)
		if (at - s->range[i].at < s->range[i].bytes && at + bytes <= s->range[i].at + s->range[i].bytes)
			return 1;
	return 0;
}

static void snapshot(struct thread *t, u64 *p, u64 bytes)
{
	struct state *s = &states[t->id];
	if (covered(s, (u64)p, bytes))
		return;
	struct log *log = log_of(t->id);
	u64 *e = log->entry + s->words, n = lines(bytes) * 8;
	CHECK((u64 *)(log + 1) >= e + n + 8);
	for (u64 i = 0; i < 8; i++)
		stream(e + n + i, 0);
	sfence();
	static u64 built[THREADS][512];
	u64 *b = built[t->id];
	CHECK(n <= 512);
	b[1] = (u64)p, b[2] = bytes;
	copy(b + HEADER, p, bytes / 8);
	b[0] = checksum(b, load(&log->generation));
	for (u64 i = 8; i < HEADER + bytes / 8; i++)
		stream(e + i, b[i]);
	for (u64 i = 1; i < 8 && i < HEADER + bytes / 8; i++)
		stream(e + i, b[i]);
	stream(e, b[0]);
	sfence();
	s->words += n;
	s->logged++;
	remember(s, (u64)p, bytes);
}

static void next_generation(struct log *log)
{
	store(&log->generation, load(&log->generation) + 1);
	clwb(&log->generation);
	sfence();
}

static void begin(struct thread *t, u64 operation, u64 a, u64 b)
{
	(void)operation, (void)a, (void)b;
	struct state *s = &states[t->id];
	s->words = s->logged = s->ranges = 0;
}

static void end(struct thread *t)
{
	struct state *s = &states[t->id];
	for (u64 i = 0; i < s->ranges; i++)
		flush((void *)s->range[i].at, s->range[i].bytes);
	sfence(); // the ranges
	sfence(); // what libpmemobj publishes of the heap, empty or not
	if (s->logged)
		next_generation(log_of(t->id));
	unlock_all(t);
}

static u64 get(struct thread *t, u64 *p) { (void)t; return load(p); }

static void put(struct thread *t, u64 *p, u64 v)
{
	snapshot(t, p, 8);
	store(p, v);
}

static void set(struct thread *t, u64 *p, const u64 *from, u64 n)
{
	snapshot(t, p, 8 * n);
	copy(p, from, n);
}

static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n)
{
	copy(p, from, n);
	remember(&states[t->id], (u64)p, 8 * n);
}

static void acquired(struct thread *t, u64 n) { (void)t, (void)n; }
static void releasing(struct thread *t, u64 n) { (void)t, (void)n; }

// undo_log takes back what the thread's last operation had changed, the latest first.
static void undo_log(struct log *log)
{
	static u64 *entry[LOG / 64];
	u64 n = 0;
	for (u64 *e = log->entry; e + 8 <= (u64 *)(log + 1) && e[0] && e[2] <= LOG && e[0] == checksum(e, log->generation); e += lines(e[2]) * 8)
		entry[n++] = e;
	if (!n)
		return;
	while (n-- > 0) {
		u64 *e = entry[n];
		copy((u64 *)e[1], e + HEADER, e[2] / 8);
		flush((void *)e[1], e[2]);
	}
	sfence();
	next_generation(log);
}

static void open_system(void)
{
	for (u64 id = 0; id < THREADS; id++)
		undo_log(log_of(id));
}
