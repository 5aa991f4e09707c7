// Data structures with values of 256 bytes, over a comparison system. Arguments:
//
//	STRUCTURE MODE WORKLOAD THREADS OPERATIONS LOADED   runs a workload, between the marks 1 and 2
//	STRUCTURE MODE iPERCENT THREADS OPERATIONS LOADED   so many of 100 operations store a value, keys are uniform
//	STRUCTURE MODE steps OPERATIONS                     marks each operation of one thread
//	STRUCTURE MODE crowd THREADS OPERATIONS             threads that insert, silently
//	STRUCTURE MODE check                                recovers, and prints what is there
//
// MODE is adr, fof, unfenced or plain, with -published for the algorithm's form as published.
// Workloads: load inserts; a, b, c, d and f mix as those of YCSB (Cooper et al., SoCC 2010), with keys
// after Zipf's law with exponent 1; a queue's reads take the first item out.
#include "system.h"
#include "../../guests/src/spawn.h"
#include "value.h"
#include "btree.h"
#include "counters.h"
#include "hashmap.h"
#include "ledger.h"
#include "queue.h"
#include "rbtree.h"
#include "reservation.h"
#include "skiplist.h"

#define MARK(n) __asm__ volatile("nopl 0x7a687571(%0)" ::"r"((u64)(n)) : "memory")

#define ALL(X) X(btree) X(counters) X(hashmap) X(ledger) X(queue) X(rbtree) X(reservation) X(server) X(skiplist)

static const struct {
	const char *name;
	void (*make)(struct thread *t);
	void (*walk)(void);
} structures[] = {
#define STRUCTURE(s) {#s, s##_make, s##_walk},
	ALL(STRUCTURE)
};

static void change(struct thread *t, u64 key, u64 seed);

// An operation's number is twice its structure's place, and one more for find; the last one finds, then inserts.
static operation *const operations[] = {
#define OPERATIONS(s) s##_insert, s##_find,
	ALL(OPERATIONS) change
};
enum { CHANGE = 2 * sizeof structures / sizeof *structures, MOST_KEYS = 1 << 14, STACK = 1 << 16 };

static u64 structure, threads, count, loaded, inserts;
static char workload;
static int marks;
static struct thread thread[THREADS];
static u8 stacks[THREADS][STACK] __attribute__((aligned(64)));
static struct { volatile u32 tid; u64 id; } __attribute__((aligned(64))) ones[THREADS];
static volatile u64 go, ready, done;
static double law[MOST_KEYS]; // of Zipf: sum of the weights up to a key

static void change(struct thread *t, u64 key, u64 seed)
{
	operations[2 * structure + 1](t, key, 0);
	operations[2 * structure](t, key, seed);
}

// Keys are spread over the whole range: key i is the i-th of a permutation.
static u64 key_of(u64 i) { return (i + 1) * 0x9e3779b1 % 0xfffffffb + 1; }

static void insert(struct thread *t, u64 i, u64 seed) { section(t, 2 * structure, key_of(i), seed); }

static u64 zipf(u64 *random)
{
	double want = (next_random(random) >> 11) * (law[loaded - 1] / (1ul << 53));
	u64 low = 0, high = loaded - 1;
	while (low < high) {
		u64 middle = (low + high) / 2;
		if (law[middle] <= want)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

// step does one operation: a new key is the n-th of the thread.
static void step(struct thread *t, u64 n, u64 *random)
{
	static const u8 reads[] = {['a'] = 50, ['b'] = 95, ['c'] = 100, ['d'] = 95, ['f'] = 50};
	u64 dice = (next_random(random) >> 11) % 100, new = loaded + n * threads + t->id;
	if (workload == 'l') {
		insert(t, new, new);
	} else if (workload == 'i') {
		u64 i = next_random(random) % loaded;
		section(t, 2 * structure + (dice >= inserts), key_of(i), i);
	} else if (dice < reads[(u8)workload]) {
		u64 i = zipf(random);
		section(t, 2 * structure + 1, key_of(workload == 'd' ? loaded - 1 - i : i), 0);
	} else if (workload == 'd') {
		insert(t, new, new);
	} else {
		u64 i = zipf(random);
		section(t, workload == 'f' ? CHANGE : 2 * structure, key_of(i), i);
	}
}

static void operate(u64 id)
{
	u64 random = 88172645463325252 + id * 7919;
	for (u64 n = 0; n < count; n++)
		step(&thread[id], n, &random);
}

static void fill_in(u64 id)
{
	for (u64 i = id; i < loaded; i += threads)
		insert(&thread[id], i, i);
}

static void wait_for(volatile u64 *what, u64 value)
{
	while (*what != value)
		__asm__ volatile("pause");
}

__attribute__((used)) void work(u64 *id)
{
	fill_in(*id);
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	wait_for(&go, 1);
	operate(*id);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

SPAWN_WITH("r9", work, u64 *)

static void together(void)
{
	CHECK(threads >= 1 && threads <= THREADS / 2 && loaded >= 1 && loaded <= MOST_KEYS);
	enum { THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000 };
	for (u64 i = 0; i < MOST_KEYS && i < loaded; i++)
		law[i] = (i ? law[i - 1] : 0) + 1.0 / (i + 1);
	for (u64 i = 1; i < threads; i++) {
		ones[i].id = i;
		CHECK(spawn(THREAD, stacks[i] + STACK, &ones[i].tid, &ones[i].id) > 0);
	}
	fill_in(0);
	wait_for(&ready, threads - 1);
	if (marks)
		MARK(1);
	go = 1;
	operate(0);
	wait_for(&done, threads - 1);
	if (marks)
		MARK(2);
}

// steps inserts, and overwrites or takes out every third time.
static void steps(void)
{
	loaded = 1;
	MARK(0);
	for (u64 n = 0; n < count; n++) {
		if (n % 3 == 2)
			section(&thread[0], CHANGE, key_of(n / 2), n + 100);
		else
			insert(&thread[0], n, n);
		MARK(n + 1);
	}
}

static u64 number(const char *s)
{
	u64 v = 0;
	CHECK(*s);
	for (; *s; s++) {
		CHECK(*s >= '0' && *s <= '9' && v < 1ul << 40);
		v = v * 10 + *s - '0';
	}
	return v;
}

// begins reports whether s is word, or word and a dash with more.
static int begins(const char *s, const char *word)
{
	while (*word && *s == *word)
		s++, word++;
	return !*word && (!*s || *s == '-');
}

static void choose(const char *name, const char *how)
{
	static const char *const modes[] = {"adr", "fof", "unfenced", "plain"};
	u64 m = 0;
	while (structure < sizeof structures / sizeof *structures && !begins(name, structures[structure].name))
		structure++;
	CHECK(structure < sizeof structures / sizeof *structures);
	while (m < 4 && !begins(how, modes[m]))
		m++;
	CHECK(m < 4);
	mode = m;
	as_published = begins(how + length(modes[m]), "-published") && how[length(modes[m])];
}

static void map_region(void)
{
	i64 fd = -1;
	u64 bytes = sizeof *region, flags = 0x4032; // private, anonymous, at this address, no reserve
	if (IN_FILE) {
		fd = syscall6(SYS_open, (i64) "/mnt/pmem/region", 0102, 0600, 0, 0, 0);
		CHECK(fd >= 0 && SYSCALL(SYS_ftruncate, fd, bytes, 0) == 0);
		flags = 0x11;
	}
	CHECK(syscall6(SYS_mmap, (i64)region, bytes, 3, flags, fd, 0) == (i64)region);
}

static void make_region(void)
{
	for (u64 id = 0; id < THREADS; id++) {
		region->arena[id].next = (u64)region->blocks[id];
		flush(&region->arena[id], sizeof region->arena[id]);
	}
	structures[structure].make(&thread[0]);
	flush(region->root, sizeof region->root);
	sfence();
	store(&region->whole, 1);
	clwb(&region->whole);
	sfence();
}

static void report(void)
{
	structures[structure].walk();
	print_value("entries", found.entries);
	print_hex("sum", found.sum);
}

GUEST("structures")
{
	u64 words = guest_stack[0];
	const char **arg = (const char **)guest_stack + 1;
	CHECK(words >= 4 && words <= 7);
	CHECK(begins(arg[3], "check") == (words == 4) && begins(arg[3], "steps") == (words == 5) && begins(arg[3], "crowd") == (words == 6));
	choose(arg[1], arg[2]);
	for (u64 id = 0; id < THREADS; id++)
		thread[id].id = id;
	map_region();
	if (!region->whole)
		make_region();
	open_system();
	switch (words) {
	case 5:
		count = number(arg[4]);
		steps();
		break;
	case 6:
		workload = 'l', loaded = 1;
		threads = number(arg[4]), count = number(arg[5]);
		together();
		return; // without a line: it would acknowledge what no order of several threads follows from
	case 7:
		workload = arg[3][0], marks = 1;
		threads = number(arg[4]), count = number(arg[5]), loaded = number(arg[6]);
		if (workload == 'i')
			inserts = number(arg[3] + 1);
		else
			CHECK(begins(arg[3], "load") || (workload >= 'a' && workload <= 'f' && workload != 'e' && !arg[3][1]));
		CHECK(inserts <= 100);
		together();
	}
	report();
}
