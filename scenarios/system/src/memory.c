/* Calls about memory, with right and wrong arguments: what each answers, and what is left. */
#include "system.h"
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/personality.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <linux/capability.h>

#define P 4096ul
static char *area; /* 16 pages: 4 of memory, a hole of 2, 2 without rights, 2 read-only, 2 shared, 4 of memory */

static void lay(void)
{
	if (area)
		munmap(area, 16 * P);
	area = mmap(area, 18 * P, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	munmap(area + 16 * P, 2 * P);
	mmap(area, 4 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	munmap(area + 4 * P, 2 * P);
	mmap(area + 8 * P, 2 * P, 1, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mmap(area + 10 * P, 2 * P, 3, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	mmap(area + 12 * P, 4 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(area, 7, 4 * P), memset(area + 10 * P, 7, 2 * P), memset(area + 12 * P, 7, 4 * P);
}

/* A result that is an address, as the distance from the area. */
static const char *place(void *p)
{
	static char text[4][40];
	static int next;
	char *t = text[next++ % 4];
	if (p == MAP_FAILED)
		return told(-1);
	if ((char *)p >= area && (char *)p < area + 16 * P)
		sprintf(t, "area+%ld", ((char *)p - area) / P);
	else
		strcpy(t, "elsewhere");
	return t;
}

/* What the pages hold and whether they can be written, a letter each. */
static void look(const char *what)
{
	char text[17] = "", name[32] = "/dev/zero";
	int null = open("/dev/null", O_WRONLY), p[2];
	(void)name;
	pipe(p);
	for (int i = 0; i < 16; i++) {
		char b;
		if (write(p[1], area + i * P, 1) != 1) {
			text[i] = '-';
			continue;
		}
		read(p[0], &b, 1);
		write(p[1], &b, 1);
		int w = read(p[0], area + i * P, 1);
		if (w != 1)
			read(p[0], &b, 1);
		text[i] = w == 1 ? (b ? 'W' : 'w') : (b ? 'R' : 'r');
	}
	close(p[0]), close(p[1]), close(null);
	say("%s: %s", what, text);
}

static long locked(void)
{
	char line[256];
	long kb = -1;
	FILE *f = fopen("/proc/self/status", "r");
	while (f && fgets(line, sizeof line, f))
		sscanf(line, "VmLck: %ld", &kb);
	if (f)
		fclose(f);
	return kb;
}

static const struct { long from, to; } ranges[] = {{0, 4 * P}, {0, 16 * P}, {4 * P, 6 * P}, {6 * P, 8 * P}, {8 * P, 10 * P}, {10 * P, 12 * P}, {12 * P, 16 * P}, {3 * P, 5 * P}, {5 * P, 7 * P}, {0, 0}, {1, P}, {P, P + 1}, {8 * P, 8 * P - 1}};
#define RANGES 13

static void advice(void)
{
	static const int list[] = {0, 1, 2, 4, 8, 9, 10, 11, 16, 17, 18, 19, 20, 21, 22, 23, 24, 26, 99, -1};
	for (int a = 0; a < 20; a++)
		for (int r = 0; r < RANGES; r++)
			for (int lock = 0; lock < 2; lock++) {
				lay();
				if (lock)
					mlock(area, 2 * P), mlock(area + 12 * P, P);
				char text[80];
				sprintf(text, "advice %d for %d%s: %s", list[a], r, lock ? " locked" : "", told(madvise(area + ranges[r].from, ranges[r].to - ranges[r].from, list[a])));
				look(text);
			}
}

static void children(void)
{
	static const int list[] = {MADV_DONTFORK, MADV_DOFORK, MADV_WIPEONFORK, MADV_KEEPONFORK};
	for (int a = 0; a < 4; a++)
		for (int b = 0; b < 4; b++) {
			lay();
			madvise(area, 2 * P, list[a]), madvise(area + P, 2 * P, list[b]), madvise(area + 10 * P, 6 * P, list[b]);
			mlock(area, P);
			pid_t pid = fork();
			if (pid == 0) {
				char text[80];
				sprintf(text, "child after %d and %d, %ld kB locked", list[a], list[b], locked());
				look(text);
				pid = fork();
				if (pid == 0) {
					look("grandchild");
					_exit(0);
				}
				reap(pid);
				_exit(0);
			}
			reap(pid);
			look("parent");
		}
}

static void locks(void)
{
	for (int r = 0; r < RANGES; r++) {
		lay();
		say("lock %d: %s, %ld kB", r, told(mlock(area + ranges[r].from, ranges[r].to - ranges[r].from)), locked());
		say("unlock half: %s, %ld kB", told(munlock(area + ranges[r].from, (ranges[r].to - ranges[r].from) / 2)), locked());
		munlockall();
		say("on fault: %s %s, %ld kB", told(syscall(SYS_mlock2, area + ranges[r].from, ranges[r].to - ranges[r].from, 1)), told(syscall(SYS_mlock2, area, P, 2)), locked());
		say("all of it: %s, %ld kB", told(munlockall()), locked());
	}
	for (int f = 0; f < 9; f++)
		say("lock all %d: %s", f, told(mlockall(f))), munlockall();
	lay();
	mlockall(MCL_FUTURE);
	char *p = mmap(NULL, 3 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	say("new memory: %ld kB", locked());
	munmap(p, P);
	say("less: %ld kB, %s, %ld kB", locked(), told(munlockall()), locked());
	p = mmap(NULL, 3 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0);
	say("locked from the start: %ld kB", locked());
	p = mremap(p, 3 * P, 5 * P, MREMAP_MAYMOVE);
	say("grown: %ld kB", locked());
	munlockall();
	/* another user has a limit */
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){4 * P, 8 * P});
	setuid(1000);
	say("at the limit: %s %ld, above: %s %ld", told(mlock(area, 4 * P)), locked(), told(mlock(area + 12 * P, P)), locked());
	say("again: %s %s", told(mlock(area, 4 * P)), told(mlock(area + P, 4 * P)));
	say("mapped: %s", place(mmap(NULL, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0)));
	munlockall();
	say("all: %s %s", told(mlockall(MCL_CURRENT)), told(mlockall(MCL_FUTURE)));
	say("then: %s, a page %s", place(mmap(NULL, 9 * P, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)), place(mmap(NULL, P, 3, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)));
	munlockall();
	setrlimit(RLIMIT_MEMLOCK, &(struct rlimit){0, 8 * P});
	say("nothing: %s %s %s %s", told(mlock(area, P)), told(mlockall(MCL_CURRENT)), told(munlock(area, P)), place(mmap(NULL, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_LOCKED, -1, 0)));
}

static void maps(void)
{
	int p[2], fds[12], n = 0;
	pipe(p);
	int f = open("file", O_RDWR | O_CREAT | O_TRUNC, 0644);
	ftruncate(f, 3 * P);
	fds[n++] = -1, fds[n++] = f, fds[n++] = open("file", O_RDONLY), fds[n++] = open("file", O_WRONLY), fds[n++] = open("/dev/zero", O_RDONLY);
	fds[n++] = open("/dev/zero", O_RDWR), fds[n++] = open("/dev/null", O_RDWR), fds[n++] = p[0], fds[n++] = p[1], fds[n++] = open(".", O_RDONLY), fds[n++] = open("file", O_PATH), fds[n++] = 99;
	static const int flags[] = {0, MAP_PRIVATE, MAP_SHARED, 3, 4, MAP_PRIVATE | MAP_ANONYMOUS, MAP_SHARED | MAP_ANONYMOUS, 3 | MAP_ANONYMOUS, MAP_ANONYMOUS, MAP_SHARED | MAP_GROWSDOWN | MAP_ANONYMOUS,
	                            MAP_PRIVATE | MAP_GROWSDOWN, MAP_PRIVATE | MAP_HUGETLB, MAP_PRIVATE | MAP_HUGETLB | MAP_ANONYMOUS | 5 << 26, 3 | 0x800000, MAP_SHARED | 0x800000, 3 | MAP_SYNC};
	static const struct { unsigned long at, n, off; } where[] = {{0, P, 0}, {0, 0, 0}, {0, 1, 0}, {0, P, 1}, {0, P, P}, {0, P, -P}, {0, -P, 0}, {0, -1, 0}, {0, 1ul << 50, 0}, {0, P, 100 * P}, {123, P, 0}};
	for (int i = 0; i < n; i++)
		for (int k = 0; k < 16; k++)
			for (int w = 0; w < 11; w++)
				for (int prot = 1; prot < 4; prot += 2) {
					void *q = (void *)syscall(SYS_mmap, where[w].at, where[w].n, prot, flags[k], fds[i], where[w].off);
					char text[120];
					sprintf(text, "map %d flags %d at %d prot %d: %s", i, k, w, prot, place(q));
					if (q != MAP_FAILED) {
						sprintf(text + strlen(text), ", writable %s", told(mprotect(q, where[w].n, 3)));
						munmap(q, where[w].n);
					}
					say("%s", text);
				}
	lay();
	static const unsigned long fixed[] = {0, 1, 0x1000, 0x7ffffffff000, 0x800000000000, -4096ul};
	for (int i = 0; i < 6; i++)
		say("fixed %d: %s %s", i, told(syscall(SYS_mmap, fixed[i], P, 0, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == (long)fixed[i] ? 0 : -1), told(munmap((void *)fixed[i], P)));
	say("not in the place of others: %s %s %s", place(mmap(area + 4 * P, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)), place(mmap(area, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)), place(mmap(area + 1, P, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0)));
	for (int i = 0; i < n; i++)
		close(fds[i]);
	unlink("file");
}

static void changes(void)
{
	static const unsigned long prots[] = {0, 1, 3, 8, 16, 0x1000001, 0x2000001, 0x3000001};
	unsigned char vec[16];
	for (int r = 0; r < RANGES; r++) {
		char text[200];
		unsigned long from = ranges[r].from, n = ranges[r].to - ranges[r].from;
		for (int k = 0; k < 8; k++) {
			lay();
			sprintf(text, "protect %d as %d: %s", r, k, told(syscall(SYS_mprotect, area + from, n, prots[k])));
			look(text);
		}
		lay();
		sprintf(text, "unmap %d: %s", r, told(munmap(area + from, n)));
		look(text);
		lay();
		say("sync %d: %s %s %s %s %s", r, told(msync(area + from, n, MS_SYNC)), told(msync(area + from, n, MS_ASYNC)), told(msync(area + from, n, 0)), told(msync(area + from, n, 5)), told(msync(area + from, n, MS_INVALIDATE)));
		mlock(area, P);
		say("sync %d locked: %s, core %s %s", r, told(msync(area + from, n, MS_INVALIDATE)), told(mincore(area + from, n, vec)), told(mincore(area + from, n, NULL)));
	}
	static const struct { long from, old, new; int flags; long to; } moves[] = {
		{0, 4, 2, 0, 0}, {0, 4, 4, 0, 0}, {0, 2, 3, 0, 0}, {0, 2, 3, 1, 0}, {0, 4, 6, 0, 0}, {0, 4, 7, 0, 0}, {0, 5, 6, 1, 0}, {4, 1, 2, 1, 0}, {6, 2, 1, 0, 0}, {0, 0, 2, 1, 0}, {10, 0, 2, 1, 0}, {0, 2, 0, 1, 0},
		{0, 2, 2, 2, 4}, {0, 2, 2, 3, 4}, {0, 2, 2, 3, 1}, {0, 2, 2, 3, -1}, {12, 2, 2, 3, 0}, {0, 2, 2, 8, 0}, {0, 2, 2, 7, 4}, {0, 2, 3, 5, 4}, {0, 2, 2, 4, 4}, {8, 4, 4, 3, 0}, {10, 2, 3, 1, 0}, {0, 1, 1l << 40, 1, 0}, {0, 2, 1, 3, 4}};
	for (unsigned i = 0; i < sizeof moves / sizeof *moves; i++) {
		lay();
		char text[99];
		void *q = (void *)syscall(SYS_mremap, area + moves[i].from * P, moves[i].old * P, moves[i].new * P, moves[i].flags, area + moves[i].to * P);
		sprintf(text, "move %d: %s", i, place(q));
		look(text);
		if (q != MAP_FAILED && ((char *)q < area || (char *)q >= area + 16 * P))
			munmap(q, moves[i].new * P);
	}
	say("odd: %s %s", place((void *)syscall(SYS_mremap, area + 1, P, P, 0, 0)), place((void *)syscall(SYS_mremap, area, P, P, 3, area + 1)));
}

static void limits(void)
{
	struct rlimit l;
	for (int r = -1; r < 18; r++)
		say("limit %d: %s %s %s", r, told(getrlimit(r, &l)), told(syscall(SYS_prlimit64, 0, r, NULL, NULL)), told(r < 0 || r > 15 ? setrlimit(r, &(struct rlimit){1, 1}) : setrlimit(r, &(struct rlimit){2, 1})));
	say("of nobody: %s %s", told(syscall(SYS_prlimit64, 3999999, 0, NULL, &l)), told(syscall(SYS_prlimit64, -1, 0, NULL, &l)));
	say("faults: %s %s", told(syscall(SYS_getrlimit, 0, NULL)), told(syscall(SYS_setrlimit, 0, NULL)));
	void *now = sbrk(0);
	setrlimit(RLIMIT_DATA, &(struct rlimit){0, RLIM_INFINITY});
	say("no data: %s %d", told(sbrk(1 << 22) == (void *)-1 ? -1 : 0), sbrk(0) == now);
	setrlimit(RLIMIT_DATA, &(struct rlimit){RLIM_INFINITY, RLIM_INFINITY});
	struct utsname u;
	int first = personality(0xffffffff);
	say("personality %x: %x, then %x", first, personality(0x0020008), personality(0xffffffff));
	uname(&u);
	say("machine %s, release 2.6: %d", u.machine, !strncmp(u.release, "2.6.", 4));
	personality(0x0400000);
	pid_t pid = fork();
	if (pid == 0) {
		say("a child's: %x", personality(0xffffffff));
		_exit(0);
	}
	reap(pid);
	personality(0);
}

int main(void)
{
	prctl(PR_SET_DUMPABLE, 1);
	advice(), children(), maps(), changes(), limits(), locks();
	say("the end");
	return 0;
}
