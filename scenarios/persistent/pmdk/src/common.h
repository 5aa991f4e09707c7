// What the programs here share. "create" makes the pool, which is not explored; "run N" opens
// it, marks where exploring begins, and performs N operations, each acknowledged by a line;
// "check" is the recovery: it opens the pool, prints what is there, and aborts where that is no
// state that the program ever had.
//
// FAULT(name) is 1 in the build with that fault and 0 in all others, the right one included.
#include <libpmemobj.h>
#include <libpmem.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "zhuque.h"

enum {
	none, missing_tx_add, missing_flush, missing_fence, flush_early, wrong_range, commit_early, publish_early, torn,
	missing_drain, double_free, scribble
};
#ifndef PLANTED
#define PLANTED none
#endif
#define FAULT(name) (PLANTED == name)

typedef unsigned long word;

// done acknowledges an operation by a system call alone: printf takes a lock, which drains what a
// faulty program has not.
static inline void done(word n)
{
	char line[] = "operation 00\n";
	line[10] += n / 10 % 10;
	line[11] += n % 10;
	if (write(1, line, sizeof line - 1) < 0)
		exit(3);
}

static inline void must(int yes)
{
	if (!yes)
		abort();
}

static inline int is(char **argv, const char *what) { return argv[1] && !strcmp(argv[1], what); }

// object_pool makes or opens a pool of libpmemobj. Its name is the layout's.
static inline PMEMobjpool *object_pool(char **argv, const char *name)
{
	char path[64];
	snprintf(path, sizeof path, "/mnt/pmem/%s", name);
	PMEMobjpool *p = is(argv, "create") ? pmemobj_create(path, name, PMEMOBJ_MIN_POOL, 0600) : pmemobj_open(path, name);
	if (!p) {
		fprintf(stderr, "%s: %s\n", path, pmemobj_errormsg());
		exit(3);
	}
	return p;
}

// leave closes the pool, but for the recovery: nothing depends on that, and it takes a quarter of its time.
static inline int leave(char **argv, PMEMobjpool *p)
{
	if (is(argv, "check")) {
		fflush(stdout);
		_exit(0);
	}
	pmemobj_close(p);
	return 0;
}
