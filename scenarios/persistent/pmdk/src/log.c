// A log of libpmem alone: records of 128 bytes are copied past the caches, and its length commits.
#include "common.h"

enum { size = 128, records = 8 };

static struct {
	volatile word length, pad[7];
	char record[records][size];
} *p;

static void commit(word i)
{
	p->length = i; // blame commit_early
	pmem_persist((void *)&p->length, sizeof p->length);
}

static void append(word i)
{
	char text[size];
	memset(text, 'a' + i, size);
	if (FAULT(commit_early))
		commit(i);
	char *to = p->record[i - 1];
	if (FAULT(missing_flush) || FAULT(missing_fence))
		pmem_memcpy(to, text, size, PMEM_F_MEM_TEMPORAL | PMEM_F_MEM_NOFLUSH); // blame missing_flush missing_fence
	else
		pmem_memcpy(to, text, size, PMEM_F_MEM_NONTEMPORAL | PMEM_F_MEM_NODRAIN); // blame missing_drain
	if (FAULT(missing_fence))
		pmem_flush(p->record[i - 1], size);
	else if (!FAULT(missing_drain) && !FAULT(missing_flush))
		pmem_drain();
	if (!FAULT(commit_early))
		commit(i);
}

int main(int argc, char **argv)
{
	size_t length;
	int is_pmem;
	int create = is(argv, "create");
	p = pmem_map_file("/mnt/pmem/log", create ? sizeof *p : 0, create ? PMEM_FILE_CREATE : 0, 0600, &length, &is_pmem);
	if (!p || !is_pmem) {
		fprintf(stderr, "%s\n", p ? "this is no persistent memory" : pmem_errormsg());
		return 3;
	}
	if (is(argv, "run")) {
		zhuque_mark(0);
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			append(i);
			done(i);
		}
	} else if (is(argv, "check")) {
		word n = p->length;
		for (word i = 1; i <= n; i++)
			for (word k = 0; k < size; k++)
				must(p->record[i - 1][k] == (char)('a' + i));
		printf("%lu records\n", n);
	}
	return pmem_unmap(p, length);
}
