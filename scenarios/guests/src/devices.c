// The micro-workloads by which memory devices were measured. Arguments: the workload, a size
// in bytes (a region, an access, or what lies between two fences), threads, operations of each.
// What is measured lies between the marks 1 and 2.
#define GUEST_ARGS
#include "guest.h"
#include "spawn.h"

enum {
	MOST = 64, STACK = 4096,
	THREAD = 0x100 | 0x200 | 0x400 | 0x800 | 0x10000 | 0x40000 | 0x200000,
	PROT_READ_WRITE = 3, MAP_PRIVATE_ANONYMOUS_NORESERVE = 0x4022,
};

#define MARK(n) __asm__ volatile("nopl 0x7a687571(%0)" ::"r"((u64)(n)) : "memory")

static inline void sfence(void) { __asm__ volatile("sfence" ::: "memory"); }
static inline void lfence(void) { __asm__ volatile("lfence" ::: "memory"); }
static inline void clwb(u8 *p) { __asm__ volatile("clwb (%0)" ::"r"(p) : "memory"); }

static inline void load64(u8 *p)
{
	__asm__ volatile("movdqa (%0), %%xmm0\nmovdqa 16(%0), %%xmm1\nmovdqa 32(%0), %%xmm2\nmovdqa 48(%0), %%xmm3"
			 ::"r"(p) : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}

static inline void store64(u8 *p)
{
	__asm__ volatile("movdqa %%xmm0, (%0)\nmovdqa %%xmm0, 16(%0)\nmovdqa %%xmm0, 32(%0)\nmovdqa %%xmm0, 48(%0)" ::"r"(p) : "memory");
}

static inline void nt64(u8 *p)
{
	__asm__ volatile("movntdq %%xmm0, (%0)\nmovntdq %%xmm0, 16(%0)\nmovntdq %%xmm0, 32(%0)\nmovntdq %%xmm0, 48(%0)" ::"r"(p) : "memory");
}

enum { LOAD, NT, STORE_CLWB, STORE };

static u64 kind, size, threads, count, random_order, fenced;
static u8 *region[MOST];
static u64 region_bytes;
static u8 stacks[MOST][STACK] __attribute__((aligned(64)));
static struct { volatile u32 tid; u64 id; } __attribute__((aligned(64))) ones[MOST];
static volatile u64 go, ready, done;

static inline void touch(u8 *p)
{
	switch (kind) {
	case LOAD: load64(p); break;
	case NT: nt64(p); break;
	case STORE_CLWB: store64(p); clwb(p); break;
	default: store64(p);
	}
}

// stream makes count accesses of size bytes, in order or at random.
static void stream(u64 id)
{
	u64 at = 0, seed = 88172645463325252 + id * 7919;
	u64 places = region_bytes / size;
	for (u64 i = 0; i < count; i++) {
		u8 *p = region[id] + at;
		for (u64 off = 0; off < size; off += 64)
			touch(p + off);
		if (fenced)
			sfence();
		at = random_order ? (next_random(&seed) >> 11) % places * size : at + size;
		if (at + size > region_bytes)
			at = 0;
	}
}

__attribute__((used)) void work(u64 *id)
{
	__atomic_add_fetch(&ready, 1, __ATOMIC_SEQ_CST);
	while (!go)
		__asm__ volatile("pause");
	stream(*id);
	__atomic_add_fetch(&done, 1, __ATOMIC_SEQ_CST);
}

SPAWN_WITH("r9", work, u64 *)

static void reserve(u64 id, u64 bytes)
{
	i64 p = syscall6(SYS_mmap, 0, bytes, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS_NORESERVE, -1, 0);
	CHECK(p > 0);
	region[id] = (u8 *)p;
}

// together streams with all threads.
static void together(u64 bytes)
{
	region_bytes = bytes;
	for (u64 i = 0; i < threads; i++) { // each begins on another DIMM
		reserve(i, bytes + (MOST << 12));
		region[i] += i << 12;
	}
	for (u64 i = 1; i < threads; i++) {
		ones[i].id = i;
		CHECK(spawn(THREAD, stacks[i] + STACK, &ones[i].tid, &ones[i].id) > 0);
	}
	while (ready != threads - 1)
		__asm__ volatile("pause");
	sfence();
	MARK(1);
	go = 1;
	stream(0);
	while (done != threads - 1)
		__asm__ volatile("pause");
	MARK(2);
	sfence();
}

// next_place visits each of n places once in a round of an odd-step generator; n is at most
// the power of two above it.
static u64 place, places, power;
static inline u64 next_place(void)
{
	do
		place = (place * 5 + 12345) & (power - 1);
	while (place >= places);
	return place;
}

// overhead is what each access of that benchmark takes beside the load: its latencies are so
// much above idle latencies of the same machine.
static inline void overhead(void) { __asm__ volatile(".rept 136\nnop\n.endr"); }

// chase goes round through a region in blocks: writes with one fence a round, or
// dependent reads of what no cache holds.
static void chase(u64 block, int reads)
{
	reserve(0, size < 4096 ? 4096 : size);
	places = size / block;
	for (power = 1; power < places; power *= 2)
		;
	u64 visits = places < count ? places : count;
	u64 rounds = count / visits;
	if (size > 1 << 20)
		for (u64 at = 0; at < size && at < (200ul << 20); at += 4096)
			nt64(region[0] + at);
	sfence();
	for (u64 r = 0; r < 2 * rounds; r++) {
		u64 start = place;
		if (!reads && r >= rounds)
			MARK(1);
		for (u64 i = 0; i < visits; i++) {
			u8 *p = region[0] + next_place() * block;
			for (u64 off = 0; off < block; off += 64)
				if (reads)
					__asm__ volatile("clflushopt (%0)" ::"r"(p + off) : "memory");
				else
					nt64(p + off);
		}
		sfence();
		if (!reads && r >= rounds)
			MARK(2);
		if (!reads)
			continue;
		place = start;
		u64 v = 0;
		lfence();
		if (r >= rounds)
			MARK(1);
		for (u64 i = 0; i < visits; i++) {
			u8 *p = region[0] + next_place() * block + v;
			v = *(volatile u64 *)p & 0x8000000000000000;
			for (u64 off = 64; off < block; off += 64)
				load64(p + off);
			lfence();
			overhead();
		}
		lfence();
		if (r >= rounds)
			MARK(2);
	}
}

// halves writes the first half of each 256 bytes of a region, then the second.
static void halves(void)
{
	reserve(0, size < 4096 ? 4096 : size);
	u64 rounds = 1 + count * 128 / size;
	for (u64 r = 0; r < 2 * rounds; r++) {
		if (r == rounds)
			MARK(1);
		for (u64 half = 0; half < 256; half += 128)
			for (u64 at = half; at < size; at += 256) {
				nt64(region[0] + at);
				nt64(region[0] + at + 64);
				sfence();
			}
	}
	MARK(2);
}

// idle makes single accesses, each waited for, with pauses between them.
static void idle(u64 bytes, int in_order)
{
	reserve(0, bytes);
	u64 seed = 362436069, at = 0;
	for (u64 i = 0; i < count; i++) {
		at = in_order ? at + 64 : (next_random(&seed) >> 11) % (bytes / size) * size;
		u8 *p = region[0] + at;
		if (kind == STORE_CLWB)
			for (u64 off = 0; off < size; off += 64)
				*(volatile u64 *)(p + off);
		for (int k = 0; k < 1000; k++)
			__asm__ volatile("pause");
		lfence();
		MARK(1);
		for (u64 off = 0; off < size; off += 64)
			touch(p + off);
		if (kind == LOAD)
			lfence();
		else
			sfence();
		MARK(2);
	}
}

// intervals writes in order with a fence after every size bytes; late flushes at the fence only.
static void intervals(int late)
{
	reserve(0, 256ul << 20);
	u64 at = 0, end = count * 64;
	MARK(1);
	while (at < end) {
		u64 to = at + size;
		if (to > end)
			to = end;
		for (u64 p = at; p < to; p += 64)
			if (late)
				store64(region[0] + p);
			else
				touch(region[0] + p);
		if (late)
			for (u64 p = at; p < to; p += 64)
				clwb(region[0] + p);
		sfence();
		at = to;
	}
	MARK(2);
}

// overwrite writes the same 256 bytes again and again.
static void overwrite(void)
{
	reserve(0, 4096);
	MARK(1);
	for (u64 i = 0; i < count; i++) {
		for (u64 off = 0; off < 256; off += 64)
			nt64(region[0] + off);
		sfence();
	}
	MARK(2);
}

static u64 argument(u64 i, u64 otherwise)
{
	if (guest_stack[0] <= i)
		return otherwise;
	u64 n = 0;
	for (const char *c = (const char *)guest_stack[1 + i]; *c >= '0' && *c <= '9'; c++)
		n = 10 * n + *c - '0';
	return n;
}

static int is(const char *name)
{
	const char *a = guest_stack[0] > 1 ? (const char *)guest_stack[2] : "read";
	while (*a && *a == *name)
		a++, name++;
	return *a == *name;
}

GUEST("devices")
{
	size = argument(2, 256);
	threads = argument(3, 1);
	count = argument(4, 1000);
	CHECK(threads >= 1 && threads <= MOST && size >= 64 && size % 64 == 0);
	u64 each = (count * size + 4095) & ~4095ul;
	if (is("read")) kind = LOAD, together(each);
	else if (is("ntstore")) kind = NT, together(each);
	else if (is("clwb")) kind = STORE_CLWB, together(each);
	else if (is("ewr.ntstore.seq")) kind = NT, together(each);
	else if (is("ewr.clwb.seq")) kind = STORE_CLWB, together(each);
	else if (is("ewr.store_noflush.seq")) kind = STORE, together(each);
	else if (is("ewr.ntstore.rand")) kind = NT, random_order = 1, together(256ul << 20);
	else if (is("ewr.clwb.rand")) kind = STORE_CLWB, random_order = 1, together(256ul << 20);
	else if (is("ewr.store_noflush.rand")) kind = STORE, random_order = 1, together(256ul << 20);
	else if (is("lens.read64")) chase(64, 1);
	else if (is("lens.write64")) chase(64, 0);
	else if (is("lens.read256")) chase(256, 1);
	else if (is("lens.write256")) chase(256, 0);
	else if (is("halves")) halves();
	else if (is("idle.read_seq")) kind = LOAD, idle(64ul << 20, 1);
	else if (is("idle.read_rand")) kind = LOAD, idle(16ul << 20, 0);
	else if (is("idle.ntstore")) kind = NT, idle(16ul << 20, 0);
	else if (is("idle.store_clwb")) kind = STORE_CLWB, idle(16ul << 20, 0);
	else if (is("fence.ntstore")) kind = NT, intervals(0);
	else if (is("fence.clwb_each64")) kind = STORE_CLWB, intervals(0);
	else if (is("fence.clwb_writesize")) intervals(1);
	else if (is("overwrite")) overwrite();
	else fail("unknown workload");
	print_value("operations", count);
}
