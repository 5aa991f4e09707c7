// What every comparison system offers, so that a workload is written once and linked with each.
// A system is one header, included as SYSTEM, that defines what is declared here.
//
// An operation is a function of the workload with two numbers for arguments. section() runs it
// failure-atomically: after a power failure, and open_system(), either all of its stores to the
// region are there or none, and all when section() had returned.
//
//   get(t, p)             a word of the region
//   put(t, p, v)          changes a word, which this operation may have read
//   set(t, p, from, n)    changes n words, which this operation does not read
//   fresh(t, p, from, n)  fills n words of a block that this operation has taken
//   lock(t, n)            takes lock n; all are released at the end of the section
//
// put and set are told apart for the systems that log only what is read and then
// overwritten; there a compiler finds out, here the workload says.
#ifndef SYSTEM_H
#define SYSTEM_H

#define GUEST_ARGS
#include "../../guests/src/guest.h"

enum { THREADS = 32, LOCKS = 64, LOG = 1 << 17, PART = 4 << 20, ROOTS = 16 };

// How a system reaches persistent memory. ADR flushes and fences. In the others the caches are
// persistent: FOF keeps the fences only, UNFENCED keeps neither, PLAIN has no non-temporal
// stores either, so that its log is as persistent as everything else.
enum mode { ADR, FOF, UNFENCED, PLAIN };
static enum mode mode;

// Whether a known weakness of the algorithm as published is kept.
static int as_published;

// An arena holds the blocks of one thread: a bump pointer, and a free list for each size in lines.
struct arena {
	u64 next, free[15];
};

// The region has the same address in every run, so that its pointers stay true.
static struct region {
	u64 whole;     // the region is made
	u64 recovered; // for a system's own use
	u64 pad[6];
	u64 root[ROOTS];
	struct arena arena[THREADS];
	u8 log[THREADS][LOG] __attribute__((aligned(64)));
	u8 blocks[THREADS][PART] __attribute__((aligned(4096)));
} *const region = (struct region *)0x100000000000;

struct thread {
	u64 id;
	void *restart[5]; // where a section that was aborted begins anew
	u64 held, lock[8];
	u64 given; // blocks that are free when the section ends
	struct {
		u64 *block, lines;
	} give[8];
};

static void open_system(void); // recovers the region
static void unlock_all(struct thread *t);
static void begin(struct thread *t, u64 operation, u64 a, u64 b);
static void end(struct thread *t);
static void acquired(struct thread *t, u64 lock);
static void releasing(struct thread *t, u64 lock);
static u64 get(struct thread *t, u64 *p);
static void put(struct thread *t, u64 *p, u64 v);
static void set(struct thread *t, u64 *p, const u64 *from, u64 n);
static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n);

// Operations by number: what a system that executes an operation anew stores of it.
typedef void operation(struct thread *t, u64 a, u64 b);
static operation *const operations[];
static void section(struct thread *t, u64 n, u64 a, u64 b);

#define LINE(p) ((u64)(p) & ~63ul)

static inline void sfence(void)
{
	if (mode <= FOF)
		__asm__ volatile("sfence" ::: "memory");
}

static inline void mfence(void)
{
	if (mode <= FOF)
		__asm__ volatile("mfence" ::: "memory");
}

static inline void clwb(const void *p)
{
	if (mode == ADR)
		__asm__ volatile("clwb (%0)" ::"r"(p) : "memory");
}

static inline void clflush(const void *p)
{
	if (mode == ADR)
		__asm__ volatile("clflush (%0)" ::"r"(p) : "memory");
}

// flush writes back the lines of n bytes.
static inline void flush(const void *p, u64 n)
{
	for (u64 line = LINE(p); line < (u64)p + n; line += 64)
		clwb((void *)line);
}

static inline void store(u64 *p, u64 v) { *(volatile u64 *)p = v; }

static inline u64 load(const u64 *p) { return *(const volatile u64 *)p; }

// stream stores past the caches.
static inline void stream(u64 *p, u64 v)
{
	if (mode == PLAIN)
		store(p, v);
	else
		__asm__ volatile("movnti %1, %0" : "=m"(*p) : "r"(v));
}

static inline void copy(u64 *to, const u64 *from, u64 words)
{
	for (u64 i = 0; i < words; i++)
		store(to + i, from[i]);
}

#include SYSTEM

static volatile struct {
	u32 taken, pad[15];
} locks[LOCKS];

static void lock(struct thread *t, u64 n)
{
	if (!LOCKED)
		return;
	for (u64 i = 0; i < t->held; i++)
		if (t->lock[i] == n)
			return;
	while (__atomic_exchange_n(&locks[n].taken, 1, __ATOMIC_ACQUIRE))
		while (locks[n].taken)
			__asm__ volatile("pause");
	t->lock[t->held++] = n;
	acquired(t, n);
}

static void unlock_all(struct thread *t)
{
	while (t->held) {
		u64 n = t->lock[--t->held];
		releasing(t, n);
		__atomic_store_n(&locks[n].taken, 0, __ATOMIC_RELEASE);
	}
}

// take returns a block of so many bytes, of the thread's own arena.
static void *take(struct thread *t, u64 bytes)
{
	u64 lines = (bytes + 63) / 64;
	struct arena *a = &region->arena[t->id];
	u64 *p = (u64 *)get(t, &a->free[lines]);
	if (p) {
		put(t, &a->free[lines], get(t, p));
		return p;
	}
	u64 next = get(t, &a->next);
	CHECK(next + lines * 64 <= (u64)region->blocks[t->id + 1]);
	put(t, &a->next, next + lines * 64);
	return (void *)next;
}

// give frees a block, at the end of the section: what a section takes and fills may be lost, and
// must not be what it would have to find again.
static void give(struct thread *t, void *block, u64 bytes)
{
	CHECK(t->given < sizeof t->give / sizeof *t->give);
	t->give[t->given].block = block;
	t->give[t->given++].lines = (bytes + 63) / 64;
}

static void free_given(struct thread *t)
{
	for (u64 i = 0; i < t->given; i++) {
		u64 *head = &region->arena[t->id].free[t->give[i].lines];
		put(t, t->give[i].block, get(t, head));
		put(t, head, (u64)t->give[i].block);
	}
}

static __attribute__((noinline)) void section(struct thread *t, u64 n, u64 a, u64 b)
{
	__builtin_setjmp(t->restart);
	t->given = 0;
	begin(t, n, a, b);
	operations[n](t, a, b);
	free_given(t);
	end(t);
}

#endif
