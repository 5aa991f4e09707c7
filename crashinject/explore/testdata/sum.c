// A log of N lines behind a word with their sum, all without a fence: the recovery reads every line,
// and each may be there or not. "log N" writes it; "walk N HOW" fails where HOW says: "first" when the
// first line alone is lost, "last" when the last one alone is there, "pair" when of the first
// two lines one is lost, of the next two one, and so on.
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static int pairs(const unsigned long *seen, int n)
{
	for (int i = 0; i + 1 < n; i += 2)
		if (seen[i] == seen[i + 1])
			return 0;
	return 1;
}

int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/log", O_RDWR | O_CREAT, 0644), n = argc > 2 ? atoi(argv[2]) : 0, there = 0;
	if (n < 2 || n > 64 || ftruncate(fd, 1 << 16))
		return 9;
	volatile unsigned long *pool = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!strcmp(argv[1], "log")) {
		for (int i = 0; i < n; i++)
			pool[8 * i] = 1;
		return 0;
	}
	unsigned long seen[64];
	for (int i = 0; i < n; i++)
		there += seen[i] = pool[8 * i];
	if (argc < 4)
		return 0;
	if (!strcmp(argv[3], "first"))
		return !seen[0] && there == n - 1;
	if (!strcmp(argv[3], "last"))
		return seen[n - 1] && there == 1;
	return pairs(seen, 8);
}
