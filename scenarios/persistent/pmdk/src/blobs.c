// Blobs of 192 bytes that pmemobj_memcpy writes past the caches, and a count that says how many are whole.
#include "common.h"

POBJ_LAYOUT_BEGIN(blobs);
POBJ_LAYOUT_ROOT(blobs, struct root);
POBJ_LAYOUT_END(blobs);

enum { size = 192, blobs = 8, past_caches = PMEMOBJ_F_MEM_NONTEMPORAL, in_caches = PMEMOBJ_F_MEM_TEMPORAL };

struct root {
	volatile word count, pad[7];
	char blob[blobs][size];
};

static PMEMobjpool *pool;
static struct root *r;

static void commit(word i)
{
	r->count = i; // blame commit_early
	pmemobj_persist(pool, (void *)&r->count, sizeof r->count);
}

static void add(word i)
{
	char text[size], *blob = r->blob[i - 1];
	memset(text, 'a' + i, size);
	if (FAULT(commit_early))
		commit(i);
	word n = FAULT(wrong_range) ? size / 3 : size; // the rest is not flushed
	pmemobj_memcpy(pool, blob, text, n, past_caches | PMEMOBJ_F_MEM_NODRAIN); // blame missing_drain
	if (FAULT(wrong_range))
		pmemobj_memcpy(pool, blob + n, text, size - n, in_caches | PMEMOBJ_F_MEM_NOFLUSH); // blame wrong_range
	if (!FAULT(missing_drain))
		pmemobj_drain(pool);
	if (!FAULT(commit_early))
		commit(i);
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "blobs");
	char *raw = pmemobj_direct(pmemobj_root(pool, sizeof *r + 64));
	r = (struct root *)(((word)raw + 63) & ~63ul);
	if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			add(i);
			done(i);
		}
	} else if (is(argv, "check")) {
		word n = r->count;
		for (word i = 1; i <= n; i++)
			for (word k = 0; k < size; k++)
				must(r->blob[i - 1][k] == (char)('a' + i));
		printf("%lu blobs\n", n);
	}
	return leave(argv, pool);
}
