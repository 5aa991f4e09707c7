// The micro-benchmarks of figure 5 of Zhuque (USENIX ATC 2023), after Felker's libc-bench and the
// mmap-bench of the paper's artifact: threads that do nothing, a lock that nobody wants, memory and
// files mapped whole or in chunks of 32 pages; and processes of a size. Arguments: the workload and
// how often (threads, rounds of the lock, pages). What is measured lies between the marks 1 and 2. A thread is made as a C library
// makes it: a mapping with a guard page, clone(2), and the mapping taken away after its end.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	SYS_futex = 202, FUTEX_WAIT = 0, O_RDWR_CREAT = 0102,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x100000 | 0x200000,
	PROT_NONE = 0, PROT_READ = 1, PROT_READ_WRITE = 3, MAP_SHARED = 1, MAP_PRIVATE_ANONYMOUS = 0x22,
	PAGE = 4096, GUARD = 2 * PAGE, LARGE = 32 * PAGE + GUARD, SMALL = 2 * PAGE + GUARD,
	BATCH = 50, CHUNK = 32, CALLS = 1000, SYS_setrlimit = 160, RLIMIT_NOFILE = 7, SYS_eventfd = 284,
};

#define MARK(n) __asm__ volatile("nopl 0x7a687571(%0)" ::"r"((u64)(n)) : "memory")

struct thread {
	u8 *at;
	u64 size;
	volatile u32 tid; // cleared by the kernel at the end
};

static volatile u64 ran;

static volatile u32 held; // threads stay until it is cleared, which nobody does

__attribute__((used)) void work(struct thread *t)
{
	(void)t;
	__atomic_add_fetch(&ran, 1, __ATOMIC_SEQ_CST);
	while (held)
		syscall6(SYS_futex, (i64)&held, FUTEX_WAIT, 1, 0, 0, 0);
}

SPAWN_WITH("r9", work, struct thread *)

static u8 *map(u64 size, int protection, int flags, i64 fd, u64 offset)
{
	i64 at = syscall6(SYS_mmap, 0, size, protection, flags, fd, offset);
	CHECK(at > 0);
	return (u8 *)at;
}

// start makes a thread; its own record lies at the top of its mapping, where a C library has it.
static struct thread *start(u64 size)
{
	u8 *at = map(size, PROT_NONE, MAP_PRIVATE_ANONYMOUS, -1, 0);
	CHECK(SYSCALL(SYS_mprotect, at + GUARD, size - GUARD, PROT_READ_WRITE) == 0);
	struct thread *t = (struct thread *)(at + size) - 1;
	t->at = at;
	t->size = size;
	t->tid = 1;
	CHECK(spawn(THREAD, (void *)((u64)t & -64), &t->tid, t) > 0);
	return t;
}

static void await(struct thread *t)
{
	for (u32 tid; (tid = t->tid) != 0;)
		syscall6(SYS_futex, (i64)&t->tid, FUTEX_WAIT, tid, 0, 0, 0);
}

static void join(struct thread *t)
{
	await(t);
	CHECK(SYSCALL(SYS_munmap, t->at, t->size, 0) == 0);
}

// create_join makes and joins one thread after the other, or so many at once.
static void create_join(u64 count, u64 size, u64 batch)
{
	struct thread *list[BATCH];
	CHECK(count % batch == 0);
	for (u64 i = 0; i < count; i += batch) {
		for (u64 k = 0; k < batch; k++)
			list[k] = start(size);
		for (u64 k = 0; k < batch; k++)
			join(list[k]);
	}
}

static void create_only(u64 count)
{
	for (u64 i = 0; i < count; i++)
		start(LARGE);
	while (ran != count)
		__asm__ volatile("pause");
}

static void lock_alone(u64 count)
{
	static volatile u32 lock;
	static u64 sum;
	for (u64 i = 0; i < count; i++) {
		CHECK(__sync_val_compare_and_swap(&lock, 0, 1) == 0);
		sum += i;
		__atomic_exchange_n(&lock, 0, __ATOMIC_SEQ_CST);
	}
	CHECK(sum == count * (count - 1) / 2);
}

static void touch(u8 *at, u64 pages)
{
	for (u64 i = 0; i < pages; i++)
		at[i * PAGE] = 1 + i % 251;
	for (u64 i = 0; i < pages; i++)
		CHECK(at[i * PAGE] == 1 + i % 251);
}

static void unmap(u8 *at, u64 pages) { CHECK(SYSCALL(SYS_munmap, at, pages * PAGE, 0) == 0); }

static i64 file(u64 number, u64 pages)
{
	char name[] = "/tmp/micro-00000";
	for (char *digit = name + sizeof name - 2; number; number /= 10)
		*digit-- = '0' + number % 10;
	i64 fd = SYSCALL(SYS_open, name, O_RDWR_CREAT, 0600);
	CHECK(fd >= 0);
	CHECK(SYSCALL(SYS_ftruncate, fd, pages * PAGE, 0) == 0);
	CHECK(SYSCALL(SYS_unlink, name, 0, 0) == 0);
	return fd;
}

// anonymous, of_file and of_files map pages a chunk at a time: of nothing, of one file, of a file each.
static void anonymous(u64 pages, u64 chunk)
{
	CHECK(pages % chunk == 0);
	for (u64 i = 0; i < pages; i += chunk) {
		u8 *at = map(chunk * PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
		touch(at, chunk);
		unmap(at, chunk);
	}
}

static void of_file(u64 pages, u64 chunk)
{
	i64 fd = file(0, pages);
	CHECK(pages % chunk == 0);
	for (u64 i = 0; i < pages; i += chunk) {
		u8 *at = map(chunk * PAGE, PROT_READ_WRITE, MAP_SHARED, fd, i * PAGE);
		touch(at, chunk);
		unmap(at, chunk);
	}
	CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
}

static void of_files(u64 pages)
{
	CHECK(pages % CHUNK == 0);
	for (u64 i = 0; i < pages; i += CHUNK) {
		i64 fd = file(i / CHUNK, CHUNK);
		u8 *at = map(CHUNK * PAGE, PROT_READ_WRITE, MAP_SHARED, fd, 0);
		touch(at, CHUNK);
		unmap(at, CHUNK);
		CHECK(SYSCALL(SYS_close, fd, 0, 0) == 0);
	}
}

// hold_memory, hold_mappings, hold_threads and hold_descriptors make a process of a size, for a
// power cut at mark 2: so many pages written, mappings that no neighbour joins, threads that wait,
// event counters.
static void hold_memory(u64 pages)
{
	u8 *at = map(pages * PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
	for (u64 i = 0; i < pages * PAGE; i += 64)
		*(u64 *)(at + i) = i + 1;
}

static void hold_mappings(u64 n)
{
	u8 *at = map(n * PAGE, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0);
	for (u64 i = 0; i < n; i += 2)
		CHECK(SYSCALL(SYS_mprotect, at + i * PAGE, PAGE, PROT_READ) == 0);
}

static void hold_threads(u64 n)
{
	held = 1;
	for (u64 i = 0; i < n; i++)
		start(SMALL);
	while (ran != n)
		__asm__ volatile("pause");
}

static void hold_descriptors(u64 n)
{
	u64 limit[2] = {n + 64, n + 64}; // more than are open
	CHECK(SYSCALL(SYS_setrlimit, RLIMIT_NOFILE, limit, 0) == 0);
	for (u64 i = 0; i < n; i++)
		CHECK(SYSCALL(SYS_eventfd, 0, 0, 0) >= 0);
}

// call_every makes calls that only look something up, with n rounds of arithmetic before each.
static void call_every(u64 n)
{
	u64 sum = 1;
	for (u64 i = 0; i < CALLS; i++) {
		for (u64 k = 0; k < n; k++)
			sum = mix(sum, k);
		CHECK(SYSCALL(SYS_getpid, 0, 0, 0) > 0);
	}
	CHECK(sum != 0);
}

static int is(const char *name)
{
	const char *given = (const char *)guest_stack[2];
	while (*name && *name == *given)
		name++, given++;
	return *name == *given;
}

static void measured(u64 n)
{
	if (is("createjoin_serial1"))
		create_join(n, LARGE, 1);
	else if (is("createjoin_serial2"))
		create_join(n, LARGE, BATCH);
	else if (is("create_serial1"))
		create_only(n);
	else if (is("uselesslock"))
		lock_alone(n);
	else if (is("createjoin_minimal1"))
		create_join(n, SMALL, 1);
	else if (is("createjoin_minimal2"))
		create_join(n, SMALL, BATCH);
	else if (is("anon_slab"))
		anonymous(n, n);
	else if (is("anon_chunks"))
		anonymous(n, CHUNK);
	else if (is("file_slab"))
		of_file(n, n);
	else if (is("file_chunks"))
		of_file(n, CHUNK);
	else if (is("files_chunks"))
		of_files(n);
	else if (is("hold_memory"))
		hold_memory(n);
	else if (is("hold_mappings"))
		hold_mappings(n);
	else if (is("hold_threads"))
		hold_threads(n);
	else if (is("hold_descriptors"))
		hold_descriptors(n);
	else if (is("call_every"))
		call_every(n);
	else
		fail("the workload is none of this program's");
}

GUEST("micro")
{
	if (guest_stack[0] == 1) {
		// Every workload once, briefly.
		create_join(4, LARGE, 1);
		create_join(BATCH, SMALL, BATCH);
		lock_alone(100);
		anonymous(64, CHUNK);
		of_file(64, CHUNK);
		of_files(64);
		hold_memory(8);
		hold_mappings(8);
		hold_descriptors(8);
		call_every(3);
		print_value("threads", ran);
		return;
	}
	CHECK(guest_stack[0] == 3);
	u64 n = 0;
	for (const char *c = (const char *)guest_stack[3]; *c >= '0' && *c <= '9'; c++)
		n = 10 * n + *c - '0';
	CHECK(n > 0 || is("call_every"));
	MARK(1);
	measured(n);
	MARK(2);
	print_value("done", n);
}
