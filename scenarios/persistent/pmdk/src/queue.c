// A queue in a ring, with no transactions: an element is durable before the tail leads past it.
#include "common.h"
#include <emmintrin.h>

POBJ_LAYOUT_BEGIN(queue);
POBJ_LAYOUT_ROOT(queue, struct root);
POBJ_LAYOUT_END(queue);

enum { slots = 8 };

struct element {
	word value, pad[7], twice, pad2[7]; // two lines
};

// Where the last element is: both words are stored at once, which is not atomic. The count is
// stored by itself, and commits.
struct where {
	word count, last;
};

struct root {
	struct where tail __attribute__((aligned(64)));
	word pad[6];
	struct element at[slots] __attribute__((aligned(64)));
};

static PMEMobjpool *pool;
static struct root *r;

static void commit(word i)
{
	struct where *t = &r->tail;
	if (FAULT(torn)) {
		_mm_store_si128((__m128i *)t, _mm_set_epi64x(7 * i, i)); // blame torn
	} else {
		*(volatile word *)&t->last = 7 * i;
		*(volatile word *)&t->count = i;
	}
	pmemobj_persist(pool, t, sizeof *t);
}

static void put(word i)
{
	volatile struct element *e = &r->at[i % slots];
	if (FAULT(commit_early))
		commit(i);
	if (FAULT(flush_early))
		pmemobj_persist(pool, (void *)e, sizeof *e);
	e->value = 7 * i; // blame missing_flush missing_fence flush_early commit_early
	e->twice = 14 * i; // blame wrong_range
	if (FAULT(wrong_range))
		pmemobj_persist(pool, (void *)e, sizeof(word));
	else if (FAULT(missing_fence))
		pmemobj_flush(pool, (void *)e, sizeof *e);
	else if (!FAULT(missing_flush) && !FAULT(flush_early))
		pmemobj_persist(pool, (void *)e, sizeof *e);
	if (!FAULT(commit_early))
		commit(i);
}

// over overwrites a byte of the pool's header for a while. No recovery that opens the pool gets that far.
static void over(void)
{
	volatile char *uuid = (char *)pool + 32;
	*uuid ^= 1; // blame scribble
	pmemobj_persist(pool, (void *)uuid, 1);
	*uuid ^= 1;
	pmemobj_persist(pool, (void *)uuid, 1);
}

int main(int argc, char **argv)
{
	if (is(argv, "skip"))
		return 0;
	pool = object_pool(argv, "queue");
	// The allocator aligns to 16 bytes: a line more leaves room for our own alignment.
	char *raw = pmemobj_direct(pmemobj_root(pool, sizeof *r + 64));
	r = (struct root *)(((word)raw + 63) & ~63ul);
	if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			put(i);
			if (FAULT(scribble))
				over();
			done(i);
		}
	} else {
		word n = r->tail.count;
		for (word i = n > slots ? n - slots + 1 : 1; i <= n; i++)
			must(r->at[i % slots].value == 7 * i && r->at[i % slots].twice == 14 * i);
		must(r->tail.last == 7 * n || r->tail.last == 7 * (n + 1));
		printf("%lu elements\n", n);
	}
	return leave(argv, pool);
}
