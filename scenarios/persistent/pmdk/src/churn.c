// Objects come and go in three slots, by the allocator's atomic calls. What is to be freed is
// logged first; the recovery does what the log says.
#include "common.h"

POBJ_LAYOUT_BEGIN(churn);
POBJ_LAYOUT_ROOT(churn, struct root);
POBJ_LAYOUT_TOID(churn, struct thing);
POBJ_LAYOUT_END(churn);

enum { slots = 3 };

struct thing {
	word value, complement;
};

struct root {
	TOID(struct thing) slot[slots];
	TOID(struct thing) freed; // the log: an object without a slot
	word pad[8];
};

static PMEMobjpool *pool;
static struct root *r;

static void fill(struct thing *t, word value)
{
	t->value = value;
	t->complement = ~value;
	pmemobj_persist(pool, t, sizeof *t);
}

static int construct(PMEMobjpool *p, void *t, void *value)
{
	fill(t, *(word *)value);
	return 0;
}

static void make(word s, word value)
{
	if (FAULT(publish_early)) {
		POBJ_ZALLOC(pool, &r->slot[s], struct thing, sizeof(struct thing));
		fill(D_RW(r->slot[s]), value); // blame publish_early
		return;
	}
	must(!POBJ_ALLOC(pool, &r->slot[s], struct thing, sizeof(struct thing), construct, &value));
}

// release frees what the log says and clears the log, in one step. With the fault a recovery may free it
// once more, when it is another object already.
static void release(void)
{
	if (FAULT(double_free)) {
		PMEMoid copy = r->freed.oid;
		pmemobj_free(&copy);
		*(volatile word *)&r->freed.oid.off = 0; // blame double_free
		return;
	}
	POBJ_FREE(&r->freed);
}

static void drop(word s)
{
	volatile PMEMoid *log = &r->freed.oid, *slot = &r->slot[s].oid;
	log->pool_uuid_lo = slot->pool_uuid_lo;
	pmemobj_persist(pool, &r->freed, sizeof r->freed);
	log->off = slot->off;
	pmemobj_persist(pool, &r->freed, sizeof r->freed);
	slot->off = 0;
	pmemobj_persist(pool, &r->slot[s], sizeof r->slot[s]);
	release();
}

static void recover(void)
{
	if (TOID_IS_NULL(r->freed))
		return;
	for (word s = 0; s < slots; s++)
		if (TOID_EQUALS(r->slot[s], r->freed)) {
			*(volatile word *)&r->slot[s].oid.off = 0;
			pmemobj_persist(pool, &r->slot[s], sizeof r->slot[s]);
		}
	release();
}

static void check(void)
{
	word in_slots = 0, in_heap = 0;
	TOID(struct thing) t;
	for (word s = 0; s < slots; s++)
		if (!TOID_IS_NULL(r->slot[s])) {
			must(D_RO(r->slot[s])->value == ~D_RO(r->slot[s])->complement);
			printf("%lu ", D_RO(r->slot[s])->value);
			in_slots++;
		}
	POBJ_FOREACH_TYPE(pool, t)
		in_heap++;
	must(in_slots == in_heap); // none is lost, none is in use and free
	printf("of %lu\n", in_heap);
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "churn");
	r = D_RW(POBJ_ROOT(pool, struct root));
	if (is(argv, "create")) {
		make(0, 7);
	} else if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			word s = i / 2 % slots; // 0, in which there is one, 1, 1, 2, 2, and so on
			if (TOID_IS_NULL(r->slot[s]))
				make(s, 7 * i + 7);
			else
				drop(s);
			done(i);
		}
	} else if (is(argv, "check")) {
		recover();
		check();
	}
	return leave(argv, pool);
}
