// Values: 256 bytes that follow from a seed, so that any mixture of two shows.
enum { WORDS = 32 };

static void make_value(u64 *value, u64 seed)
{
	for (u64 i = 0; i < WORDS; i++)
		value[i] = seed * 0x9e3779b97f4a7c15 + i;
}

static u64 seed_of(const u64 *value)
{
	u64 seed = value[0] * 0xf1de83e19937733d; // the inverse
	for (u64 i = 0; i < WORDS; i++)
		CHECK(value[i] == seed * 0x9e3779b97f4a7c15 + i);
	return seed;
}

static u64 read_value(struct thread *t, u64 *p)
{
	u64 value[WORDS];
	for (u64 i = 0; i < WORDS; i++)
		value[i] = get(t, p + i);
	return value[0] + value[WORDS - 1];
}

// What a walk through a structure finds: entries and a sum that their order does not change.
static struct {
	u64 entries, sum;
} found;

static void count_entry(u64 key, const u64 *value)
{
	found.entries++;
	found.sum += mix(mix(1, key), seed_of(value));
}

// A reader's result is used here.
static volatile u64 sink[THREADS][8];
