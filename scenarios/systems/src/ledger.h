// A sum, and each thread's part of it: a section adds to both, so that one that is lost alone shows.
static void ledger_insert(struct thread *t, u64 key, u64 seed)
{
	(void)key, (void)seed;
	u64 *sum = (u64 *)region->root[0], *part = sum + 8 * (1 + t->id);
	lock(t, 0);
	put(t, sum, get(t, sum) + 1);
	put(t, part, get(t, part) + 1);
}

static void ledger_find(struct thread *t, u64 key, u64 unused)
{
	(void)key, (void)unused;
	lock(t, 0);
	sink[t->id][0] = get(t, (u64 *)region->root[0]);
}

static void ledger_make(struct thread *t)
{
	region->root[0] = (u64)region->blocks[t->id + THREADS / 2];
}

static void ledger_walk(void)
{
	u64 *sum = (u64 *)region->root[0];
	for (u64 id = 0; id < THREADS; id++)
		found.entries += sum[8 * (1 + id)];
	CHECK(found.entries == *sum);
}
