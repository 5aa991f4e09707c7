// A linked list that grows at its head, by transactions.
#include "common.h"

POBJ_LAYOUT_BEGIN(list);
POBJ_LAYOUT_ROOT(list, struct root);
POBJ_LAYOUT_TOID(list, struct node);
POBJ_LAYOUT_END(list);

struct node {
	word value;
	TOID(struct node) next;
};

struct root {
	TOID(struct node) head;
	word pad[6];
	word n; // on the next line
};

static PMEMobjpool *pool;
static TOID(struct root) root;

static void push(word i)
{
	TX_BEGIN(pool) {
		TOID(struct node) x = TX_NEW(struct node);
		if (FAULT(wrong_range))
			pmemobj_tx_add_range(root.oid, 0, sizeof(TOID(struct node)));
		else if (!FAULT(missing_tx_add))
			TX_ADD(root);
		D_RW(x)->value = 7 * i;
		D_RW(x)->next = D_RO(root)->head;
		D_RW(root)->head = x; // blame missing_tx_add
		D_RW(root)->n++; // blame missing_tx_add wrong_range
	} TX_ONABORT {
		abort();
	} TX_END
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "list");
	root = POBJ_ROOT(pool, struct root);
	if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			push(i);
			done(i);
		}
	} else {
		word n = 0, top = D_RO(root)->n;
		for (TOID(struct node) x = D_RO(root)->head; !TOID_IS_NULL(x); x = D_RO(x)->next, n++)
			must(D_RO(x)->value == 7 * (top - n));
		must(n == top);
		printf("%lu nodes\n", n);
	}
	return leave(argv, pool);
}
