// A linked list without transactions: the allocator fills the node by its constructor, and then
// publishes it, in one step, in the head of the list.
#include "common.h"

POBJ_LAYOUT_BEGIN(atomic);
POBJ_LAYOUT_ROOT(atomic, struct root);
POBJ_LAYOUT_TOID(atomic, struct node);
POBJ_LAYOUT_END(atomic);

struct node {
	TOID(struct node) next;
	word value, pad[8], twice; // on a line of its own
};

struct root {
	TOID(struct node) head;
};

static PMEMobjpool *pool;
static struct root *r;

static int construct(PMEMobjpool *p, void *node, void *value)
{
	volatile struct node *n = node;
	if (FAULT(flush_early))
		pmemobj_persist(p, node, sizeof *n);
	*(TOID(struct node) *)&n->next = r->head;
	n->value = *(word *)value; // blame missing_flush flush_early
	n->twice = 2 * n->value; // blame missing_flush flush_early wrong_range
	if (FAULT(wrong_range))
		pmemobj_persist(p, node, offsetof(struct node, pad));
	else if (!FAULT(missing_flush) && !FAULT(flush_early))
		pmemobj_persist(p, node, sizeof *n);
	return 0;
}

static void push(word value)
{
	if (FAULT(publish_early)) {
		TOID(struct node) before = r->head;
		POBJ_ZNEW(pool, &r->head, struct node);
		struct node *n = D_RW(r->head);
		n->next = before; // blame publish_early
		n->value = value; // blame publish_early
		n->twice = 2 * value; // blame publish_early
		pmemobj_persist(pool, n, sizeof *n);
		return;
	}
	must(!POBJ_NEW(pool, &r->head, struct node, construct, &value));
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "atomic");
	r = D_RW(POBJ_ROOT(pool, struct root));
	if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			push(7 * i);
			done(i);
		}
	} else if (is(argv, "check")) {
		word n = 0;
		for (TOID(struct node) x = r->head; !TOID_IS_NULL(x); x = D_RO(x)->next, n++)
			must(D_RO(x)->value && D_RO(x)->twice == 2 * D_RO(x)->value);
		printf("%lu nodes\n", n);
	}
	return leave(argv, pool);
}
