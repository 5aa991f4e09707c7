// An array of words, each changed alone: what a transaction costs at least.
enum { COUNTERS = 64 };

static void counters_insert(struct thread *t, u64 key, u64 seed)
{
	(void)seed;
	u64 *p = (u64 *)region->root[0] + key % COUNTERS * 8;
	lock(t, key % COUNTERS % LOCKS);
	put(t, p, get(t, p) + 1);
}

static void counters_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	lock(t, key % COUNTERS % LOCKS);
	sink[t->id][0] = get(t, (u64 *)region->root[0] + key % COUNTERS * 8);
}

static void counters_make(struct thread *t)
{
	region->root[0] = (u64)region->blocks[t->id + THREADS / 2];
}

static void counters_walk(void)
{
	for (u64 i = 0; i < COUNTERS; i++)
		found.entries += ((u64 *)region->root[0])[i * 8];
}
