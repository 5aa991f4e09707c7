// A linked list whose nodes come from brk and from mmap in turn: built, sorted
// by merging, partly removed and rebuilt, its order and sum checked each round.
#include "guest.h"

struct node {
	struct node *next;
	u64 key, value;
};

struct arena {
	char *at, *end;
};

static struct arena from_brk, from_mmap;
static struct node *free_nodes;

static void *take(struct arena *a, u64 n)
{
	if (a->at + n > a->end) {
		u64 chunk = 16384;
		if (a == &from_brk) {
			u64 now = SYSCALL(SYS_brk, 0, 0, 0);
			CHECK((u64)SYSCALL(SYS_brk, now + chunk, 0, 0) == now + chunk);
			if (a->end != (char *)now)
				a->at = (char *)now;
			a->end = (char *)now + chunk;
		} else {
			i64 p = syscall6(SYS_mmap, 0, chunk, 3, 0x22, -1, 0);
			CHECK(p > 0);
			a->at = (char *)p;
			a->end = a->at + chunk;
		}
	}
	a->at += n;
	return a->at - n;
}

static struct node *new_node(u64 i)
{
	struct node *n = free_nodes;
	if (n) {
		free_nodes = n->next;
		return n;
	}
	return take(i & 1 ? &from_brk : &from_mmap, sizeof *n);
}

static struct node *merge(struct node *a, struct node *b)
{
	struct node *head = 0, **tail = &head;
	while (a && b) {
		struct node **least = a->key <= b->key ? &a : &b;
		*tail = *least;
		tail = &(*least)->next;
		*least = *tail;
	}
	*tail = a ? a : b;
	return head;
}

static struct node *sort(struct node *l)
{
	if (!l || !l->next)
		return l;
	struct node *slow = l, *fast = l->next;
	while (fast && fast->next)
		slow = slow->next, fast = fast->next->next;
	struct node *back = slow->next;
	slow->next = 0;
	return merge(sort(l), sort(back));
}

GUEST("list")
{
	u64 seed = 42, want_sum = 0, count = 0;
	struct node *head = 0;
	for (u64 round = 0; round < 8; round++) {
		for (u64 i = 0; i < 400; i++) {
			struct node *n = new_node(i);
			n->key = next_random(&seed) % 100000;
			n->value = n->key * 3 + 1;
			n->next = head;
			head = n;
			want_sum += n->value;
			count++;
		}
		head = sort(head);
		for (struct node **p = &head; *p;) {
			struct node *n = *p;
			if (n->key % 3 == round % 3) {
				*p = n->next;
				want_sum -= n->value;
				count--;
				n->next = free_nodes;
				free_nodes = n;
			} else
				p = &n->next;
		}
		u64 sum = 0, seen = 0, order = 0;
		for (struct node *n = head; n; n = n->next) {
			CHECK(n->value == n->key * 3 + 1);
			CHECK(!n->next || n->key <= n->next->key);
			sum += n->value;
			order = mix(order, n->key);
			seen++;
		}
		CHECK(sum == want_sum);
		CHECK(seen == count);
		print_hex("order", order);
	}
	print_value("nodes", count);
}
