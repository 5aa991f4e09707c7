// A hash map with chains, by transactions. It grows when it has twice as many keys as buckets.
#include "common.h"

POBJ_LAYOUT_BEGIN(hash);
POBJ_LAYOUT_ROOT(hash, struct root);
POBJ_LAYOUT_TOID(hash, struct table);
POBJ_LAYOUT_TOID(hash, struct entry);
POBJ_LAYOUT_END(hash);

struct entry {
	word key, value;
	TOID(struct entry) next;
};

struct table {
	word buckets;
	TOID(struct entry) bucket[];
};

struct root {
	TOID(struct table) table;
	word keys;
};

static PMEMobjpool *pool;
static TOID(struct root) root;

static word bucket_of(word key, TOID(struct table) t)
{
	return key * 0x9e3779b97f4a7c15 >> 32 & (D_RO(t)->buckets - 1);
}

static TOID(struct table) make(word buckets)
{
	TOID(struct table) t = TX_ZALLOC(struct table, sizeof(struct table) + buckets * sizeof(TOID(struct entry)));
	D_RW(t)->buckets = buckets;
	return t;
}

// grow moves all entries to a table of twice the size.
static void grow(void)
{
	TOID(struct table) old = D_RO(root)->table, t = make(2 * D_RO(old)->buckets);
	for (word b = 0; b < D_RO(old)->buckets; b++)
		for (TOID(struct entry) e = D_RO(old)->bucket[b], next; !TOID_IS_NULL(e); e = next) {
			next = D_RO(e)->next;
			if (!FAULT(missing_tx_add))
				TX_ADD_FIELD(e, next);
			TOID(struct entry) *to = &D_RW(t)->bucket[bucket_of(D_RO(e)->key, t)];
			D_RW(e)->next = *to; // blame missing_tx_add
			*to = e;
		}
	TX_SET(root, table, t);
	TX_FREE(old);
}

static void put(word key, word value)
{
	TX_BEGIN(pool) {
		if (D_RO(root)->keys == 2 * D_RO(D_RO(root)->table)->buckets)
			grow();
		TOID(struct table) t = D_RO(root)->table;
		TOID(struct entry) *b = &D_RW(t)->bucket[bucket_of(key, t)];
		TOID(struct entry) e = TX_NEW(struct entry);
		D_RW(e)->key = key;
		D_RW(e)->value = value;
		D_RW(e)->next = *b;
		if (FAULT(wrong_range)) // of the bucket beside it
			pmemobj_tx_add_range_direct(&D_RW(t)->bucket[bucket_of(key, t) ^ 1], sizeof *b);
		else
			pmemobj_tx_add_range_direct(b, sizeof *b);
		*b = e; // blame wrong_range
		TX_SET(root, keys, D_RO(root)->keys + 1);
	} TX_ONABORT {
		abort();
	} TX_END
}

// get returns the value of a key, 0 for none.
static word get(word key)
{
	TOID(struct table) t = D_RO(root)->table;
	for (TOID(struct entry) e = D_RO(t)->bucket[bucket_of(key, t)]; !TOID_IS_NULL(e); e = D_RO(e)->next)
		if (D_RO(e)->key == key)
			return D_RO(e)->value;
	return 0;
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "hash");
	root = POBJ_ROOT(pool, struct root);
	if (is(argv, "create")) {
		TX_BEGIN(pool) {
			TX_SET(root, table, make(1));
		} TX_END
		put(1, 11);
		put(2, 22); // the next one makes it grow
	} else if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			put(i + 2, 11 * (i + 2));
			done(i);
		}
	} else {
		word keys = D_RO(root)->keys, found = 0;
		for (word b = 0; b < D_RO(D_RO(root)->table)->buckets; b++)
			for (TOID(struct entry) e = D_RO(D_RO(root)->table)->bucket[b]; !TOID_IS_NULL(e); e = D_RO(e)->next)
				must(++found <= keys);
		must(found == keys);
		for (word key = 1; key <= keys; key++)
			must(get(key) == 11 * key);
		printf("%lu keys\n", keys);
	}
	return leave(argv, pool);
}
