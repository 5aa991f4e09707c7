/* Programs that write programs: code is made, run, changed while it is hot, changed
 * through another mapping, by another thread, by the kernel, by a child, ahead of itself
 * and across pages. Each part prints what its code returned; the output depends on
 * nothing else. Arguments: the names of parts, none for all.
 *
 * The machine code is written out in bytes with what it says beside it. */
#define _GNU_SOURCE
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

typedef uint64_t u64;
typedef uint32_t u32;
typedef unsigned char byte;
typedef u64 (*code)(u64);

enum { PAGE = 4096 };

static void need(int ok, const char *what)
{
	if (!ok) {
		perror(what);
		exit(1);
	}
}

static byte *map(size_t n, int prot)
{
	byte *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	need(p != MAP_FAILED, "mmap");
	return p;
}

static u64 mix(u64 h, u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15;
	return h ^ h >> 29;
}

static u64 state = 88172645463325252;

static u32 draw(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 32) % n;
}

/* constant writes mov eax, v; ret and returns its length. */
static int constant(byte *at, u32 v)
{
	at[0] = 0xb8;
	memcpy(at + 1, &v, 4);
	at[5] = 0xc3;
	return 6;
}

/* Written, made executable, run, made writable, again. */
static void protection(void)
{
	byte *p = map(PAGE, PROT_READ | PROT_WRITE);
	u64 h = 0;
	for (u32 i = 0; i < 200; i++) {
		constant(p + i % 7, i * 77);
		need(!mprotect(p, PAGE, PROT_READ | PROT_EXEC), "mprotect");
		h = mix(h, ((code)(p + i % 7))(0));
		need(!mprotect(p, PAGE, PROT_READ | PROT_WRITE), "mprotect");
	}
	printf("protection %016lx\n", h);
	munmap(p, PAGE);
}

/* Rewritten while it is hot, in memory that is writable and executable: the immediate
 * of one instruction, an opcode, all of it. */
static void hot(void)
{
	byte *p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	/* mov rax, rdi; add rax, 1; imul rax, rax, 3; ret */
	static const byte body[] = {0x48, 0x89, 0xf8, 0x48, 0x83, 0xc0, 1, 0x48, 0x6b, 0xc0, 3, 0xc3};
	static const byte alu[] = {0xc0, 0xc8, 0xe0, 0xe8, 0xf0}; /* add, or, and, sub, xor */
	memcpy(p, body, sizeof body);
	u64 h = 1;
	for (u32 i = 0; i < 20000; i++) {
		if (i % 7 == 0)
			p[6] = (byte)(i / 7 & 0x7f);
		if (i % 31 == 0)
			p[5] = alu[i / 31 % sizeof alu];
		if (i % 997 == 0)
			memcpy(p, body, sizeof body);
		h = ((code)p)(h) ^ i;
	}
	printf("hot %016lx\n", h);
	munmap(p, PAGE);
}

static sigjmp_buf escape;
static void *volatile fault_at;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	fault_at = info->si_addr;
	siglongjmp(escape, 1);
}

/* An instruction that lies on two pages, at every place where it can be cut: either
 * page is changed, the second one is taken away and given back. */
static void border(void)
{
	struct sigaction act = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
	sigaction(SIGSEGV, &act, &old);
	byte *p = map(2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	u64 h = 2;
	for (int cut = 1; cut < 10; cut++) {
		byte *at = p + PAGE - cut;
		u64 v = 0x1122334455667788;
		at[0] = 0x48; /* mov rax, v; ret */
		at[1] = 0xb8;
		memcpy(at + 2, &v, 8);
		at[10] = 0xc3;
		for (int i = 0; i < 50; i++) {
			at[2 + (i & 7)] += (byte)(i * 5 + cut);
			h = mix(h, ((code)at)(0));
		}
		need(!mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE), "mprotect");
		if (!sigsetjmp(escape, 1)) {
			h = mix(h, ((code)at)(0));
			printf("border: the second page was executed\n");
		}
		h = mix(h, (u64)((byte *)fault_at - p));
		if (cut > 1 && cut < 10)
			p[PAGE] ^= 1; /* of the immediate */
		need(!mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC), "mprotect");
		h = mix(h, ((code)at)(0));
		memset(p, 0xcc, 2 * PAGE);
	}
	printf("border %016lx\n", h);
	munmap(p, 2 * PAGE);
	sigaction(SIGSEGV, &old, NULL);
}

/* Written through one mapping of a file in memory and run through another; then by
 * the kernel, with pwrite, and shortened and lengthened. */
static void mapped_twice(void)
{
	int fd = memfd_create("code", 0);
	need(fd >= 0 && !ftruncate(fd, 2 * PAGE), "memfd_create");
	byte *w = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	byte *x = mmap(NULL, 2 * PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	need(w != MAP_FAILED && x != MAP_FAILED, "mmap");
	u64 h = 3;
	for (u32 i = 0; i < 3000; i++) {
		constant(w + 64 * (i % 5) + PAGE - 3, i * 3 + 1);
		h = mix(h, ((code)(x + 64 * (i % 5) + PAGE - 3))(0));
		if (i % 5 == 4)
			h = mix(h, ((code)(x + PAGE - 3))(0));
	}
	for (u32 i = 0; i < 100; i++) {
		byte buffer[6];
		constant(buffer, i + 1000);
		need(pwrite(fd, buffer, 6, PAGE - 3) == 6, "pwrite");
		h = mix(h, ((code)(x + PAGE - 3))(0));
		w[PAGE - 2] ^= 0xff;
		h = mix(h, ((code)(x + PAGE - 3))(0));
	}
	need(!ftruncate(fd, PAGE) && !ftruncate(fd, 2 * PAGE), "ftruncate");
	h = mix(h, x[PAGE] + 256 * x[PAGE - 3]);
	constant(w + PAGE, 4711);
	h = mix(h, ((code)(x + PAGE))(0));
	printf("mapped twice %016lx\n", h);
	munmap(w, 2 * PAGE);
	munmap(x, 2 * PAGE);
	close(fd);
}

/* A store to what comes next: the instruction behind it, one further on in the same
 * straight line, with a string instruction, with a push, and to itself. */
static void ahead(void)
{
	byte *p = map(2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	u64 h = 4;
	for (int gap = 0; gap < 40; gap++)
		for (int round = 0; round < 3; round++) {
			byte *at = p + PAGE - 30 + gap; /* the store or what it changes may lie on the next page */
			int n = 0;
			/* mov byte [rip+gap+1], dil; nop...; mov eax, imm; ret */
			at[n++] = 0x40, at[n++] = 0x88, at[n++] = 0x3d;
			u32 disp = gap + 1;
			memcpy(at + n, &disp, 4);
			n += 4;
			for (int i = 0; i < gap; i++)
				at[n++] = 0x90;
			n += constant(at + n, 0x01010101 * (round + 1));
			for (u64 i = 0; i < 4; i++)
				h = mix(h, ((code)at)(i + 7 * gap));
		}
	/* mov rcx, rsp; lea rsp, [rip+12]; push rdi; mov rsp, rcx; then eight bytes that
	 * the push replaces by mov eax, imm; ret */
	static const byte pushes[] = {0x48, 0x89, 0xe1, 0x48, 0x8d, 0x25, 12, 0, 0, 0, 0x57, 0x48, 0x89, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc, 0xcc};
	for (u32 i = 0; i < 100; i++) {
		byte eight[8] = {0};
		u64 word;
		constant(eight, i * i);
		memcpy(&word, eight, 8);
		memcpy(p, pushes, sizeof pushes);
		h = mix(h, ((code)p)(word));
		h = mix(h, ((code)p)(word + (1 << 8)));
	}
	/* mov eax, 0x90; mov ecx, 20; lea rdi, [rip+2]; rep stosb; int3 20 times, which
	 * become nop; ret */
	static const byte strings[] = {0xb8, 0x90, 0, 0, 0, 0xb9, 20, 0, 0, 0, 0x48, 0x8d, 0x3d, 2, 0, 0, 0, 0xf3, 0xaa};
	for (int i = 0; i < 20; i++) {
		byte *at = p + PAGE - 25 + i;
		memcpy(at, strings, sizeof strings);
		memset(at + sizeof strings, 0xcc, 20);
		at[sizeof strings + 20] = 0xc3;
		h = mix(h, ((code)at)(0));
	}
	/* A loop that changes its own increment: mov eax, 0; l: add eax, 1; inc byte [l+2];
	 * dec edi; jnz l; ret */
	static const byte itself[] = {0xb8, 0, 0, 0, 0, 0x83, 0xc0, 1, 0xfe, 0x05, 0xf9, 0xff, 0xff, 0xff, 0xff, 0xcf, 0x75, 0xf3, 0xc3};
	for (u64 n = 1; n < 300; n += 13) {
		memcpy(p, itself, sizeof itself);
		h = mix(h, ((code)p)(n));
	}
	printf("ahead %016lx\n", h);
	munmap(p, 2 * PAGE);
}

/* A jump into the middle of an instruction, whose bytes are another one. */
static void middle(void)
{
	byte *p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	/* test edi, edi; jz to the second b8; mov rax, imm64, whose bytes begin with mov
	 * eax, 7; ret */
	static const byte body[] = {0x85, 0xff, 0x74, 0x02, 0x48, 0xb8, 0xb8, 7, 0, 0, 0, 0xc3, 1, 2, 0xc3};
	memcpy(p, body, sizeof body);
	u64 h = 5;
	for (u64 i = 0; i < 1000; i++) {
		h = mix(h, ((code)p)(i % 3));
		if (i % 10 == 0)
			p[7]++;
	}
	printf("middle %016lx\n", h);
	munmap(p, PAGE);
}

/* Other code at the same address: mapped anew, moved there, read from a pipe. */
static void elsewhere(void)
{
	u64 h = 6;
	byte *p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	for (u32 i = 0; i < 50; i++) {
		need(mmap(p, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == p, "mmap");
		constant(p, i);
		h = mix(h, ((code)p)(0));
		byte *q = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
		constant(q, i + 5000);
		h = mix(h, ((code)q)(0));
		need(mremap(q, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, p) == p, "mremap");
		h = mix(h, ((code)p)(0));
		need(!madvise(p, PAGE, MADV_DONTNEED), "madvise");
		h = mix(h, p[0]);
		int pipes[2];
		byte buffer[6];
		constant(buffer, i * 9);
		need(!pipe(pipes) && write(pipes[1], buffer, 6) == 6 && read(pipes[0], p, 6) == 6, "pipe");
		h = mix(h, ((code)p)(0));
		close(pipes[0]);
		close(pipes[1]);
	}
	printf("elsewhere %016lx\n", h);
	munmap(p, PAGE);
}

/* A child changes its copy of the code, the parent its own; a page that both share
 * is changed by the child. */
static void child(void)
{
	byte *p = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	byte *shared = mmap(NULL, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	need(shared != MAP_FAILED, "mmap");
	constant(p, 1);
	constant(shared, 2);
	u64 h = mix(((code)p)(0), ((code)shared)(0));
	for (int i = 0; i < 5; i++) {
		fflush(stdout);
		pid_t pid = fork();
		need(pid >= 0, "fork");
		if (pid == 0) {
			constant(p, 100 + i);
			constant(shared, 200 + i);
			_exit(((code)p)(0) == 100u + i && ((code)shared)(0) == 200u + i ? 30 + i : 1);
		}
		int status;
		need(waitpid(pid, &status, 0) == pid, "waitpid");
		h = mix(h, status);
		h = mix(h, ((code)p)(0));
		h = mix(h, ((code)shared)(0));
		constant(p, i + 7);
		h = mix(h, ((code)p)(0));
	}
	printf("child %016lx\n", h);
	munmap(p, PAGE);
	munmap(shared, PAGE);
}

/* A compiler: functions of random arithmetic on three registers, compared with an
 * interpreter, in a cache that is used again and again; each calls the next through a
 * jump that is patched when that one has been compiled. */
enum { FUNCTIONS = 24, OPERATIONS = 20, CACHE = 3 * PAGE };
struct operation { byte kind, to, from; u32 imm; };
static struct operation source[FUNCTIONS][OPERATIONS];

static u32 interpret(int f, u32 x)
{
	u32 r[3] = {x, x * 3 + 1, 0x12345678};
	for (int i = 0; i < OPERATIONS; i++) {
		struct operation *o = &source[f][i];
		u32 *to = &r[o->to], from = r[o->from];
		switch (o->kind) {
		case 0: *to += from; break;
		case 1: *to -= from; break;
		case 2: *to ^= from; break;
		case 3: *to *= from; break;
		case 4: *to += o->imm; break;
		case 5: *to = *to << (o->imm & 31) | *to >> (-o->imm & 31); break;
		default: if (from & 1) *to = ~*to; break;
		}
	}
	return r[0];
}

static byte *compile(byte *at, int f)
{
	static const byte number[3] = {0, 1, 2}; /* eax, ecx, edx */
	static const byte start[] = {0x89, 0xf8, 0x8d, 0x4c, 0x7f, 1, 0xba, 0x78, 0x56, 0x34, 0x12}; /* mov eax, edi; lea ecx, [rdi+rdi*2+1]; mov edx, ... */
	memcpy(at, start, sizeof start);
	at += sizeof start;
	for (int i = 0; i < OPERATIONS; i++) {
		struct operation *o = &source[f][i];
		byte to = number[o->to], from = number[o->from];
		switch (o->kind) {
		case 0: *at++ = 0x01, *at++ = 0xc0 | from << 3 | to; break;
		case 1: *at++ = 0x29, *at++ = 0xc0 | from << 3 | to; break;
		case 2: *at++ = 0x31, *at++ = 0xc0 | from << 3 | to; break;
		case 3: *at++ = 0x0f, *at++ = 0xaf, *at++ = 0xc0 | to << 3 | from; break;
		case 4: *at++ = 0x81, *at++ = 0xc0 | to, memcpy(at, &o->imm, 4), at += 4; break;
		case 5: *at++ = 0xc1, *at++ = 0xc0 | to, *at++ = o->imm & 31; break;
		default: /* test from, 1; jz over; not to */
			*at++ = 0xf7, *at++ = 0xc0 | from;
			*at++ = 1, *at++ = 0, *at++ = 0, *at++ = 0;
			*at++ = 0x74, *at++ = 2, *at++ = 0xf7, *at++ = 0xd0 | to;
		}
	}
	*at++ = 0xc3;
	return at;
}

static void compiler(void)
{
	byte *cache = map(CACHE, PROT_READ | PROT_WRITE | PROT_EXEC), *at = cache;
	byte *compiled[FUNCTIONS] = {0};
	u64 h = 7, wrong = 0;
	for (u32 n = 0; n < 4000; n++) {
		int f = draw(FUNCTIONS);
		if (!compiled[f] || n % 100 == 99) { /* new, or another source */
			for (int i = 0; i < OPERATIONS; i++)
				source[f][i] = (struct operation){draw(7), draw(3), draw(3), draw(1 << 30)};
			if (at + 160 > cache + CACHE) { /* full: all are forgotten */
				memset(compiled, 0, sizeof compiled);
				at = cache + draw(64);
			}
			compiled[f] = at;
			at = compile(at, f);
		}
		u32 x = draw(1 << 30), got = ((code)compiled[f])(x), want = interpret(f, x);
		wrong += got != want;
		h = mix(h, got);
	}
	printf("compiler %016lx, %lu wrong\n", h, wrong);
	munmap(cache, CACHE);
}

/* Threads: one runs code until another has changed it; what was changed before a
 * thread began or ended is seen. */
static byte *common;
static atomic_int turn;

static void *patches(void *arg)
{
	u64 rounds = (u64)arg;
	for (u64 i = 0; i < rounds; i++) {
		while (atomic_load(&turn) != (int)(2 * i + 1))
			sched_yield();
		__atomic_store_n(common + 1, (byte)(i + 2), __ATOMIC_SEQ_CST); /* one byte: seen whole or not at all */
	}
	return (void *)((code)common)(0);
}

static void threads(void)
{
	common = map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC);
	constant(common, 1);
	u64 h = 8, rounds = 60;
	pthread_t t;
	need(!pthread_create(&t, NULL, patches, (void *)rounds), "pthread_create");
	for (u64 i = 0; i < rounds; i++) {
		u64 before = ((code)common)(0), after;
		atomic_store(&turn, (int)(2 * i + 1));
		while ((after = ((code)common)(0)) == before)
			sched_yield();
		h = mix(h, before + 1000 * after);
		atomic_store(&turn, (int)(2 * i + 2));
	}
	void *last;
	need(!pthread_join(t, &last), "pthread_join");
	h = mix(h, (u64)last);
	printf("threads %016lx\n", h);
	munmap(common, PAGE);
}

int main(int argc, char **argv)
{
	static const struct { const char *name; void (*run)(void); } parts[] = {
		{"protection", protection}, {"hot", hot}, {"border", border}, {"mapped", mapped_twice}, {"ahead", ahead},
		{"middle", middle}, {"elsewhere", elsewhere}, {"child", child}, {"compiler", compiler}, {"threads", threads},
	};
	for (unsigned i = 0; i < sizeof parts / sizeof *parts; i++) {
		int asked = argc == 1;
		for (int a = 1; a < argc; a++)
			asked |= !strcmp(argv[a], parts[i].name);
		if (asked)
			parts[i].run();
	}
	return 0;
}
