// Words of a hundred lines are stored and never flushed; then two of each line N are stored again, in
// order. "long": many stores to one line, with a flush before the last of them; fences; more stores.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { lines = 100 };

static void flush(volatile unsigned long *p) { __asm__ volatile("clflush %0" : "+m"(*p)::"memory"); }
static void fence(void) { __asm__ volatile("sfence" ::: "memory"); }

static void store_long(volatile unsigned long *p)
{
	for (int i = 0; i < 6; i++)
		p[i % 2] = i + 1;
	flush(p);
	p[1] = 7;
	fence();
	flush(p + 8);
	fence();
	for (int i = 0; i < 3; i++) {
		p[1] = 8 + i;
		flush(p);
		fence();
	}
}

int main(int argc, char **argv)
{
	if (argc < 2) // the recovery
		return 0;
	int fd = open("/mnt/pmem/many", O_RDWR | O_CREAT, 0644);
	if (ftruncate(fd, 1 << 16))
		return 9;
	volatile unsigned long *pool = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!strcmp(argv[1], "long")) {
		store_long(pool);
		return 0;
	}
	for (int i = 0; i < lines; i++)
		pool[8 * i] = 1;
	for (int i = 1; i < argc; i++) {
		volatile unsigned long *p = &pool[8 * atoi(argv[i])];
		p[0] = 2;
		p[1] = 3;
		flush(p);
		fence();
	}
	return 0;
}
