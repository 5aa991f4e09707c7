// A skip list with one lock. A node's height follows from its key, so that an operation that is
// executed anew does the same.
enum { HEIGHT = 8 };

struct tower {
	u64 key, value[WORDS], next[HEIGHT];
};

static u64 height_of(u64 key)
{
	u64 h = 1;
	for (u64 bits = mix(11, key); h < HEIGHT && bits & 1; bits >>= 1)
		h++;
	return h;
}

// towers finds in each level the link that leads to key or behind it.
static struct tower *towers(struct thread *t, u64 key, u64 *link[HEIGHT])
{
	struct tower *at = 0, *next = 0;
	for (int level = HEIGHT - 1; level >= 0; level--) {
		for (;;) {
			link[level] = at ? &at->next[level] : &region->root[level];
			next = (struct tower *)get(t, link[level]);
			if (!next || get(t, &next->key) >= key)
				break;
			at = next;
		}
	}
	return next && get(t, &next->key) == key ? next : 0;
}

static void skiplist_insert(struct thread *t, u64 key, u64 seed)
{
	u64 *link[HEIGHT];
	lock(t, 0);
	struct tower new = {.key = key}, *p = towers(t, key, link);
	make_value(new.value, seed);
	if (p) {
		set(t, p->value, new.value, WORDS);
		return;
	}
	u64 height = height_of(key), bytes = 8 * (1 + WORDS + height);
	p = take(t, bytes);
	for (u64 i = 0; i < height; i++)
		new.next[i] = get(t, link[i]);
	fresh(t, (u64 *)p, (u64 *)&new, bytes / 8);
	for (u64 i = 0; i < height; i++)
		put(t, link[i], (u64)p);
}

static void skiplist_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	u64 *link[HEIGHT];
	lock(t, 0);
	struct tower *p = towers(t, key, link);
	if (p)
		sink[t->id][0] = read_value(t, p->value);
}

static void skiplist_make(struct thread *t) { (void)t; }

static void skiplist_walk(void)
{
	for (u64 level = 0; level < HEIGHT; level++) {
		u64 before = 0;
		for (struct tower *p = (struct tower *)region->root[level]; p; p = (struct tower *)p->next[level]) {
			CHECK(p->key > before && height_of(p->key) > level);
			before = p->key;
			if (level == 0)
				count_entry(p->key, p->value);
		}
	}
}
