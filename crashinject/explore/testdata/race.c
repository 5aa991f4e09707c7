// A thread acts on what another has stored before that is durable: "late"; or after: "right".
// "read" is the recovery.
#include <fcntl.h>
#include <stdio.h>
#include <pthread.h>
#include <sys/mman.h>
#include <string.h>
#include <unistd.h>
volatile long *x, *y;
static volatile int ready;
static void *second(void *a)
{
	while (!ready)
		;
	if (!*x) // seen
		return 0;
	*y = 1; // dependent
	__asm__ volatile("clwb (%0); sfence" :: "r"(y) : "memory");
	return 0;
}
int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/thr", O_RDWR | O_CREAT, 0600);
	ftruncate(fd, 4096);
	x = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	y = x + 8;
	if (!strcmp(argv[1], "read")) {
		printf("%ld %ld\n", *x, *y);
		return 0;
	}
	pthread_t t;
	pthread_create(&t, 0, second, 0);
	*x = 1; // early
	if (!strcmp(argv[1], "late")) {
		ready = 1;
		for (volatile int i = 0; i < 10000; i++)
			;
	}
	__asm__ volatile("clwb (%0); sfence" :: "r"(x) : "memory");
	ready = 1;
	pthread_join(t, 0);
	return 0;
}
