// A linked list: each node takes two lines, and is durable before the head leads to it.
#include "pm.h"

struct node {
	volatile word value, next, pad[6], twice, pad2[7];
};

static struct {
	volatile word head, pad[15];
	struct node node[60];
} *list;

static void push(word i)
{
	struct node *n = &list->node[i];
	if (FAULT(publish_early)) {
		list->head = i; // blame publish_early
		persist(&list->head, 8);
	}
	if (FAULT(flush_early))
		persist(n, sizeof *n);
	n->value = 7 * i; // blame missing_flush missing_fence flush_early
	n->next = i - 1;
	n->twice = 14 * i; // blame wrong_range
	if (FAULT(wrong_range))
		persist(n, 64);
	else if (FAULT(missing_fence))
		flush(n, sizeof *n);
	else if (!FAULT(missing_flush) && !FAULT(flush_early))
		persist(n, sizeof *n);
	list->head = i;
	persist(&list->head, 8);
}

int main(int argc, char **argv)
{
	list = pool("/mnt/pmem/list", 8192);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			push(i);
			done(i);
		}
		return 0;
	}
	word n = 0;
	for (word i = list->head; i; i = list->node[i].next, n++)
		if (list->node[i].value != 7 * i || list->node[i].twice != 14 * i)
			abort();
	printf("%lu nodes\n", n);
	return 0;
}
