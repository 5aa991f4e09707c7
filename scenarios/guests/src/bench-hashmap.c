// A hash map with chains: each of argv[1] rounds finds every key once, in an order
// that has nothing to do with where the nodes lie, and counts in the node. Then it
// follows a ring of pointers through all of them.
#include "rounds.h"

enum { NODES = 1 << 14, BUCKETS = 1 << 13 };

struct node {
	u64 key, count;
	struct node *next; // in its bucket
	struct node *ring;
};

static struct node nodes[NODES];
static struct node *bucket[BUCKETS];

static u64 key_of(u64 i)
{
	return (i * 0x5851f42d4c957f2d + 0x14057b7ef767814f) ^ i << 40;
}

static u64 hash(u64 key)
{
	key ^= key >> 33;
	key *= 0xff51afd7ed558ccd;
	return (key ^ key >> 33) % BUCKETS;
}

static void insert(struct node *n, u64 key)
{
	struct node **b = &bucket[hash(key)];
	n->key = key;
	n->next = *b;
	*b = n;
}

static struct node *find(u64 key)
{
	struct node *n = bucket[hash(key)];
	while (n && n->key != key)
		n = n->next;
	return n;
}

// scattered is a permutation of the numbers below NODES.
static u64 scattered(u64 i)
{
	return (i * 20077 + 12345) % NODES;
}

GUEST("bench-hashmap")
{
	u64 n = rounds(1), sum = 0;
	for (u64 i = 0; i < NODES; i++) {
		insert(&nodes[i], key_of(i));
		nodes[scattered(i)].ring = &nodes[scattered(i + 1)];
	}
	struct node *at = nodes;
	for (u64 round = 0; round < n; round++) {
		for (u64 i = 0; i < NODES; i++) {
			struct node *found = find(key_of(scattered(i)));
			CHECK(found);
			found->count++;
		}
		for (u64 i = 0; i < NODES; i++) {
			sum += at->count;
			at = at->ring;
		}
	}
	CHECK(at == nodes);
	for (u64 i = 0; i < NODES; i++)
		CHECK(nodes[i].count == n);
	CHECK(sum == n * (n + 1) / 2 * NODES);
	print_hex("sum", mix(sum, n));
}
