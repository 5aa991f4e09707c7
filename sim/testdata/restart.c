// First run: leaves files, locks and an open deleted file behind, and waits for the
// power to go. Later runs: print what is left of it.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static long ns(int clock)
{
	struct timespec t;
	clock_gettime(clock, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/pool", O_RDWR);
	int first = fd < 0;
	struct stat st;
	unsigned char *r = (unsigned char *)getauxval(AT_RANDOM);

	if (first) {
		fd = open("/mnt/pmem/pool", O_CREAT | O_RDWR, 0644);
		ftruncate(fd, 8192);
	}
	for (int i = 0; first && i < 5; i++)
		dup(open("/tmp", O_RDONLY)); // so that the descriptions have other numbers than later ones
	long *pool = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	int plain = open("/tmp/plain", O_CREAT | O_RDWR | O_APPEND, 0644);
	int lock = flock(plain, LOCK_EX | LOCK_NB);
	struct flock range = {.l_type = F_WRLCK, .l_len = 1};
	int description = first ? open("/tmp/plain", O_RDWR) : plain;
	int record = fcntl(description, F_OFD_SETLK, &range);
	if (pool[0])
		fstat(open("/tmp/gone", O_RDONLY), &st);
	int gone = open("/tmp/gone", O_CREAT | O_RDWR | O_TRUNC, 0644);
	write(gone, argv[0], 4096);
	unlink("/tmp/gone");
	fstat(plain, &st);
	static long cell; // of the process alone
	cell++;
	pool[0]++;
	pool[512] += 10;
	write(plain, "x", 1);
	struct timespec nap = {3, 0};
	if (first)
		nanosleep(&nap, 0);
	printf("run %ld %ld, plain %ld, cell %ld, lock %d %d, random %02x%02x%02x%02x, wall %ld, mono %ld, cpu %d, args %d\n", pool[0], pool[512],
	       (long)st.st_size, cell, lock, record, r[0], r[1], r[2], r[3], ns(CLOCK_REALTIME) / 1000000000, ns(CLOCK_MONOTONIC) / 1000000000,
	       ns(CLOCK_PROCESS_CPUTIME_ID) < 100000000, argc);
	fflush(stdout);
	for (;;)
		pool[1]++;
}
