// A hash map with linear probing: a token bit of each bucket says that it is taken, and is set
// when key and value are durable.
#include "pm.h"

enum { buckets = 32 };

static struct {
	volatile word tokens, pad[7];
	struct {
		volatile word key, pad[7], value, pad2[7];
	} bucket[buckets];
} *map;

static void put(word key, word value)
{
	word i = key * 11400714819323198485ul >> 59;
	while (map->tokens >> i & 1)
		i = (i + 1) % buckets;
	if (FAULT(commit_early)) {
		map->tokens |= 1ul << i; // blame commit_early
		persist(&map->tokens, 8);
	}
	map->bucket[i].key = key;
	map->bucket[i].value = value; // blame missing_flush missing_fence wrong_range
	if (FAULT(wrong_range))
		persist(&map->bucket[i], 64);
	else if (FAULT(missing_fence))
		flush(&map->bucket[i], 128);
	else if (!FAULT(missing_flush))
		persist(&map->bucket[i], 128);
	if (!FAULT(commit_early)) {
		map->tokens |= 1ul << i;
		persist(&map->tokens, 8);
	}
}

int main(int argc, char **argv)
{
	map = pool("/mnt/pmem/hash", 8192);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			put(3 * i, 5 * i);
			done(i);
		}
		return 0;
	}
	word n = 0, all = 0;
	for (word i = 0; i < buckets; i++)
		if (map->tokens >> i & 1) {
			if (map->bucket[i].key % 3 || map->bucket[i].value * 3 != map->bucket[i].key * 5 || !map->bucket[i].key)
				abort();
			n++;
			all += map->bucket[i].key;
		}
	printf("%lu keys, sum %lu\n", n, all);
	return 0;
}
