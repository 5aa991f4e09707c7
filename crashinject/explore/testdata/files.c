// How a recovery comes to bytes that are not decided: by calls, by running them, by mapping
// them. "store", "part", "code FILE" and "outside" are programs; the others recoveries.
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static void persist(volatile void *p)
{
	__asm__ volatile("clwb (%0); sfence" : : "r"(p) : "memory");
}

static volatile char *map(const char *name, long size)
{
	int fd = open(name, O_RDWR | O_CREAT, 0755);
	if (fd < 0 || ftruncate(fd, size))
		_exit(9);
	return mmap(0, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
}

int main(int argc, char **argv)
{
	char b[8] = "", text[4096];
	if (!strcmp(argv[1], "store")) { // two lines of one page, neither flushed
		volatile char *p = map("/mnt/pmem/f", 4096);
		p[0] = 1;
		p[64] = 1;
		p[128] = 1;
		return 0;
	}
	if (!strcmp(argv[1], "read-one")) { // one line by a call
		int fd = open("/mnt/pmem/f", O_RDONLY);
		pread(fd, b, 1, 64);
		printf("%d\n", b[0]);
		return 0;
	}
	if (!strcmp(argv[1], "write-one")) { // over one line, and then that one is read
		int fd = open("/mnt/pmem/f", O_RDWR | O_CREAT, 0600);
		pwrite(fd, "x", 1, 64);
		pread(fd, b, 1, 64);
		printf("%d\n", b[0]);
		return 0;
	}
	if (!strcmp(argv[1], "read-all")) {
		int fd = open("/mnt/pmem/f", O_RDONLY);
		read(fd, text, sizeof text);
		printf("%d %d %d\n", text[0], text[64], text[128]);
		return 0;
	}
	if (!strcmp(argv[1], "code")) { // a program comes line by line into persistent memory
		int from = open(argv[2], O_RDONLY);
		long size = lseek(from, 0, SEEK_END);
		volatile char *p = map("/mnt/pmem/code", size);
		char *q = mmap(0, size, PROT_READ, MAP_PRIVATE, from, 0);
		for (long i = 0; i < size; i += 64) {
			memcpy((char *)p + i, q + i, size - i < 64 ? size - i : 64);
			if (i != 64 * (argc > 3)) // one line is not flushed
				persist(p + i);
		}
		return 0;
	}
	if (!strcmp(argv[1], "outside")) {
		volatile char *p = map("/mnt/pmem/f", 4096), *q = map("/tmp/g", 4096);
		q[0] = 1;
		p[0] = 1;
		persist(p);
		return 0;
	}
	return 8;
}
