// A queue with one lock.
struct item {
	u64 next, key, value[WORDS];
};

static void queue_insert(struct thread *t, u64 key, u64 seed)
{
	lock(t, 0);
	struct item new = {0, key, {0}}, *p = take(t, sizeof *p), *last = (struct item *)get(t, &region->root[1]);
	make_value(new.value, seed);
	fresh(t, (u64 *)p, (u64 *)&new, sizeof new / 8);
	put(t, last ? &last->next : &region->root[0], (u64)p);
	put(t, &region->root[1], (u64)p);
}

// queue_find takes the first item out.
static void queue_find(struct thread *t, u64 key, u64 unused)
{
	(void)key, (void)unused;
	lock(t, 0);
	struct item *p = (struct item *)get(t, &region->root[0]);
	if (!p)
		return;
	sink[t->id][0] = read_value(t, p->value);
	u64 next = get(t, &p->next);
	put(t, &region->root[0], next);
	if (!next)
		put(t, &region->root[1], 0);
	give(t, p, sizeof *p);
}

static void queue_make(struct thread *t) { (void)t; }

static void queue_walk(void)
{
	struct item *last = 0;
	for (struct item *p = (struct item *)region->root[0]; p; p = (struct item *)p->next) {
		count_entry(p->key, p->value);
		last = p;
	}
	CHECK(last == (struct item *)region->root[1]);
}
