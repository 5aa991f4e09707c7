// The litmus tests of the persistence semantics: "litmus N" runs test N, "litmus" is the
// recovery, which prints what is there. x and y lie on lines of their own, s shares that of x.
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zhuque.h"

static volatile struct {
	unsigned long x, s, fill[6], y, fill2[7], z;
} *p;

#define CLWB(v) __asm__ volatile("clwb %0" : "+m"(p->v) : : "memory")
#define CLFLUSH(v) __asm__ volatile("clflush %0" : "+m"(p->v) : : "memory")
#define SFENCE __asm__ volatile("sfence" : : : "memory")
#define LFENCE __asm__ volatile("lfence" : : : "memory")
#define XADD(v) __sync_fetch_and_add(&p->v, 1)
#define MOVNTI(v, n) __asm__ volatile("movnti %1, %0" : "=m"(p->v) : "r"((unsigned long)(n)) : "memory")
#define MOVUPS(v) __asm__ volatile("pcmpeqd %%xmm0, %%xmm0; movups %%xmm0, %0" : "=m"(p->v) : : "xmm0", "memory")

static void *other(void *test)
{
	if (p->x == 0)
		return 0;
	if ((long)test == 9) {
		p->y = 1;
		CLWB(y);
		SFENCE;
	} else {
		CLWB(x);
		SFENCE;
		p->y = 1;
	}
	return 0;
}

static void threads(long test)
{
	pthread_t t;
	p->x = 1;
	pthread_create(&t, 0, other, (void *)test);
	pthread_join(t, 0);
}

static void print(void)
{
	if (write(1, "done\n", 5) != 5)
		exit(9);
}

int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/litmus", O_RDWR | O_CREAT, 0644);
	if (ftruncate(fd, 4096))
		return 9;
	p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (argc < 2) {
		printf("x=%ld,y=%ld,s=%ld%s\n", (long)p->x, (long)p->y, (long)p->s, access("/mnt/pmem/flag", F_OK) ? "" : ",flag");
		return 0;
	}
	p->z = 0; // the page is there
	CLWB(z);
	SFENCE;
	switch (atoi(argv[1])) {
	case 1: p->x = 1; p->y = 1; break;
	case 2: p->x = 1; CLWB(x); SFENCE; p->y = 1; break;
	case 3: p->x = 1; p->s = 1; break;
	case 4: p->x = 1; CLWB(x); p->y = 1; break;
	case 5: p->x = 1; CLFLUSH(x); p->y = 1; break;
	case 6: CLWB(x); p->x = 1; SFENCE; p->y = 1; break;
	case 7: p->x = 1; CLWB(x); XADD(z); p->y = 1; break;
	case 8: p->x = 1; CLWB(x); LFENCE; p->y = 1; break;
	case 9: case 10: threads(atoi(argv[1])); break;
	case 11: MOVNTI(x, 1); p->y = 1; break;
	case 12: MOVNTI(x, 1); SFENCE; p->y = 1; break;
	case 13: p->x = 1; print(); break;
	case 14: p->x = 1; SFENCE; print(); break;
	case 15: p->x = 0x0101010101010101; break;
	case 16: MOVUPS(x); break;
	case 18: p->x = 1; close(open("/mnt/pmem/flag", O_CREAT | O_RDWR, 0644)); CLWB(x); SFENCE; break;
	case 19: p->x = 1; CLWB(x); SFENCE; close(open("/mnt/pmem/flag", O_CREAT | O_RDWR, 0644)); break;
	case 20: p->x = 1; print(); CLWB(x); SFENCE; break;
	case 21: p->x = 1; p->y = 1; CLWB(y); SFENCE; print(); CLWB(x); SFENCE; break;
	case 22: p->x = 1; p->y = 1; CLWB(y); SFENCE; close(open("/mnt/pmem/flag", O_CREAT | O_RDWR, 0644)); CLWB(x); SFENCE; break;
	case 17: p->x = 1; CLWB(x); p->x = 2; SFENCE; zhuque_mark(1); break;
	}
	return 0;
}
