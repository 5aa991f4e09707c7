// What the programs here share: a file of persistent memory, flushes by hand, and operations
// that are acknowledged by a line each. "run N" performs N operations, "check" is the recovery:
// it prints what is there, and aborts where that is no state the program ever had.
//
// FAULT(name) is 1 in the build with that fault and 0 in all others, the right one included.
#include <emmintrin.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { none, missing_flush, missing_fence, flush_early, wrong_range, commit_early, publish_early, torn, missing_drain, double_free };
#ifndef PLANTED
#define PLANTED none
#endif
#define FAULT(name) (PLANTED == name)

typedef unsigned long word;

static inline void flush(const volatile void *p, word n)
{
	for (word a = (word)p & ~63ul; a < (word)p + n; a += 64)
		__asm__ volatile("clwb (%0)" : : "r"(a) : "memory");
}

static inline void fence(void) { __asm__ volatile("sfence" : : : "memory"); }

static inline void persist(const volatile void *p, word n)
{
	flush(p, n);
	fence();
}

// stream copies n bytes, a multiple of 8, past the caches.
static inline void stream(volatile void *to, const void *from, word n)
{
	for (word i = 0; i < n / 8; i++)
		_mm_stream_si64((long long *)to + i, ((const long long *)from)[i]);
}

static void *pool(const char *name, word size)
{
	int fd = open(name, O_RDWR | O_CREAT, 0600);
	if (fd < 0 || ftruncate(fd, size))
		exit(3);
	void *p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		exit(3);
	return p;
}

// done acknowledges an operation by a system call alone: printf takes a lock, which drains what a
// faulty program has not.
static void done(word n)
{
	char line[] = "operation 00\n";
	line[10] += n / 10 % 10;
	line[11] += n % 10;
	if (write(1, line, sizeof line - 1) < 0)
		exit(3);
}
