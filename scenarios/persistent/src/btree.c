// The leaves of a B+-tree, in a chain: each has a word of bits for its slots. A full leaf is split: the
// upper half goes to a new leaf, which is durable before the old one leads to it and gives up the
// half. That is one word: the number of the next leaf and the bits.
#include "pm.h"

enum { slots = 4, leaves = 12 };

static struct leaf {
	volatile word state, pad[7]; // bits of slots, and next leaf << 8
	volatile word key[slots], pad2[8 - slots];
} *leaf;
static volatile word *used; // leaves that were ever taken: lost ones are only lost room

static void split(word l)
{
	word n = ++*used;
	persist(used, 8);
	struct leaf *from = &leaf[l], *to = &leaf[n];
	if (FAULT(publish_early)) {
		from->state = 3 | n << 8; // blame publish_early
		persist(from, 8);
	}
	to->key[0] = from->key[2]; // blame missing_flush missing_fence
	to->key[1] = from->key[3];
	to->state = 3 | (from->state >> 8 == n ? 0 : from->state >> 8 << 8); // blame wrong_range
	if (FAULT(wrong_range))
		persist(to->key, 16);
	else if (FAULT(missing_fence))
		flush(to, sizeof *to);
	else if (!FAULT(missing_flush))
		persist(to, sizeof *to);
	if (!FAULT(publish_early)) {
		from->state = 3 | n << 8;
		persist(from, 8);
	}
}

static void insert(word key)
{
	word l = 0;
	while (leaf[l].state >> 8 && leaf[leaf[l].state >> 8].key[0] <= key)
		l = leaf[l].state >> 8;
	if ((leaf[l].state & 15) == 15) {
		split(l);
		insert(key);
		return;
	}
	word i = leaf[l].state & 1 ? leaf[l].state & 2 ? leaf[l].state & 4 ? 3 : 2 : 1 : 0;
	if (FAULT(commit_early)) {
		leaf[l].state |= 1ul << i; // blame commit_early
		persist(&leaf[l].state, 8);
	}
	leaf[l].key[i] = key;
	persist(&leaf[l].key[i], 8);
	if (!FAULT(commit_early)) {
		leaf[l].state |= 1ul << i;
		persist(&leaf[l].state, 8);
	}
}

int main(int argc, char **argv)
{
	used = pool("/mnt/pmem/btree", 4096);
	leaf = (struct leaf *)(used + 8);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			insert(10 * i);
			done(i);
		}
		return 0;
	}
	word n = 0, last = 0;
	for (word l = 0, hops = 0;; l = leaf[l].state >> 8) {
		if (++hops > leaves)
			abort();
		for (int i = 0; i < slots; i++)
			if (leaf[l].state >> i & 1) {
				if (leaf[l].key[i] <= last)
					abort();
				last = leaf[l].key[i];
				n++;
			}
		if (!(leaf[l].state >> 8))
			break;
	}
	printf("%lu keys up to %lu\n", n, last);
	return 0;
}
