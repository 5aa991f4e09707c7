// A B-tree of at most three keys a node, by transactions: full nodes are split on the way down.
#include "common.h"

enum { order = 4, most = order - 1, made = 5 };

POBJ_LAYOUT_BEGIN(btree);
POBJ_LAYOUT_ROOT(btree, struct root);
POBJ_LAYOUT_TOID(btree, struct node);
POBJ_LAYOUT_END(btree);

struct node {
	word n, key[most];
	TOID(struct node) child[order]; // null in leaves
};

struct root {
	TOID(struct node) top;
};

static PMEMobjpool *pool;
static TOID(struct root) root;

// split moves the upper half of a parent's i-th child, which is full, to a new node.
static void split(TOID(struct node) parent, word i)
{
	TOID(struct node) left = D_RO(parent)->child[i], right = TX_ZNEW(struct node);
	struct node *l = D_RW(left), *r = D_RW(right), *p = D_RW(parent);
	if (!FAULT(missing_tx_add))
		TX_ADD(left);
	if (FAULT(wrong_range)) // its keys, without its children
		pmemobj_tx_add_range(parent.oid, 0, offsetof(struct node, child));
	else
		TX_ADD(parent);
	r->n = 1;
	r->key[0] = l->key[2];
	r->child[0] = l->child[2];
	r->child[1] = l->child[3];
	for (word k = p->n; k > i; k--) {
		p->key[k] = p->key[k - 1];
		p->child[k + 1] = p->child[k];
	}
	p->key[i] = l->key[1];
	p->child[i + 1] = right; // blame wrong_range
	p->n++;
	l->n = 1; // blame missing_tx_add
}

static void insert(word key)
{
	TX_BEGIN(pool) {
		TOID(struct node) x = D_RO(root)->top;
		if (D_RO(x)->n == most) {
			TOID(struct node) top = TX_ZNEW(struct node);
			D_RW(top)->child[0] = x;
			TX_SET(root, top, top);
			split(top, 0);
			x = top;
		}
		for (;;) {
			word i = 0;
			while (i < D_RO(x)->n && D_RO(x)->key[i] < key)
				i++;
			if (TOID_IS_NULL(D_RO(x)->child[0])) {
				TX_ADD(x);
				memmove(D_RW(x)->key + i + 1, D_RO(x)->key + i, (D_RO(x)->n - i) * sizeof(word));
				D_RW(x)->key[i] = key;
				D_RW(x)->n++;
				break;
			}
			if (D_RO(D_RO(x)->child[i])->n == most) {
				split(x, i);
				i += D_RO(x)->key[i] < key;
			}
			x = D_RO(x)->child[i];
		}
	} TX_ONABORT {
		abort();
	} TX_END
}

// walk returns the sum of a tree's keys, which lie between lo and hi, in order; they are counted.
static word walk(TOID(struct node) x, word lo, word hi, word *count)
{
	const struct node *p = D_RO(x);
	word sum = 0;
	must(p && p->n <= most);
	for (word i = 0; i <= p->n; i++) {
		word to = i < p->n ? p->key[i] : hi;
		must(lo <= to && to <= hi);
		if (!TOID_IS_NULL(p->child[0]))
			sum += walk(p->child[i], lo, to, count);
		if (i < p->n) {
			sum += to;
			++*count;
		}
		lo = to + 1;
	}
	return sum;
}

int main(int argc, char **argv)
{
	pool = object_pool(argv, "btree");
	root = POBJ_ROOT(pool, struct root);
	if (is(argv, "create")) {
		TX_BEGIN(pool) {
			TX_SET(root, top, TX_ZNEW(struct node));
		} TX_END
		for (word i = 1; i <= made; i++) // the next one splits a leaf
			insert(10 * i);
	} else if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			insert(10 * (made + i));
			done(i);
		}
	} else {
		word n = 0, sum = walk(D_RO(root)->top, 0, 1000, &n);
		must(sum == 5 * n * (n + 1));
		printf("%lu keys\n", n);
	}
	return leave(argv, pool);
}
