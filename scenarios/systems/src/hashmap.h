// A hash map with chains, and a lock for every 16th bucket. As "server" it has one lock for all, as
// memcached 1.2.5 has.
enum { BUCKETS = 1024 };

static int one_lock;

struct pair {
	u64 key, next, value[WORDS];
};

static u64 bucket_of(u64 key) { return mix(7, key) % BUCKETS; }

static u64 *bucket(struct thread *t, u64 key)
{
	lock(t, one_lock ? 0 : bucket_of(key) % LOCKS);
	return (u64 *)region->root[0] + bucket_of(key);
}

static struct pair *in_chain(struct thread *t, u64 *head, u64 key)
{
	struct pair *p = (struct pair *)get(t, head);
	while (p && get(t, &p->key) != key)
		p = (struct pair *)get(t, &p->next);
	return p;
}

static void hashmap_insert(struct thread *t, u64 key, u64 seed)
{
	u64 *head = bucket(t, key);
	struct pair new = {key, get(t, head), {0}}, *p = in_chain(t, head, key);
	make_value(new.value, seed);
	if (p) {
		set(t, p->value, new.value, WORDS);
		return;
	}
	p = take(t, sizeof *p);
	fresh(t, (u64 *)p, (u64 *)&new, sizeof new / 8);
	put(t, head, (u64)p);
}

static void hashmap_find(struct thread *t, u64 key, u64 unused)
{
	(void)unused;
	struct pair *p = in_chain(t, bucket(t, key), key);
	if (p)
		sink[t->id][0] = read_value(t, p->value);
}

static void hashmap_make(struct thread *t)
{
	region->root[0] = (u64)region->blocks[t->id + THREADS / 2];
}

static void hashmap_walk(void)
{
	for (u64 i = 0; i < BUCKETS; i++)
		for (struct pair *p = ((struct pair **)region->root[0])[i]; p; p = (struct pair *)p->next) {
			CHECK(bucket_of(p->key) == i);
			count_entry(p->key, p->value);
		}
}

static void server_insert(struct thread *t, u64 key, u64 seed) { hashmap_insert(t, key, seed); }
static void server_find(struct thread *t, u64 key, u64 unused) { hashmap_find(t, key, unused); }
static void server_walk(void) { hashmap_walk(); }

static void server_make(struct thread *t)
{
	one_lock = 1;
	hashmap_make(t);
}
