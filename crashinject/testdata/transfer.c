// Keeps two balances and a log record in a file of persistent memory. "run" moves money as
// it should be done, "wrong" writes no record first; "check" repairs by the record and
// looks at the sum: 0 right, 3 wrong, 4 no pool. "hang" never ends after a cut, "abort" aborts.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct pool {
	volatile long ready, a, b, valid, old_a, old_b;
} *p;

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "run";
	int fd = open("/mnt/pmem/bank", O_RDWR | O_CREAT, 0644);
	if (ftruncate(fd, 4096))
		return 9;
	p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!strncmp(how, "run", 3) || !strcmp(how, "wrong")) {
		if (!p->ready) {
			p->a = 100000;
			p->ready = 1;
		}
		for (int i = 0; i < 200; i++) {
			if (how[0] == 'r') {
				p->old_a = p->a;
				p->old_b = p->b;
				p->valid = 1;
			}
			p->a -= 10;
			p->b += 10;
			p->valid = 0;
		}
		if (!strcmp(how, "run+fail"))
			p->a = 5;
		puts("done");
		return 0;
	}
	if (!p->ready)
		return 4;
	if (p->valid) {
		while (!strcmp(how, "hang"))
			;
		if (!strcmp(how, "abort"))
			abort();
		p->a = p->old_a;
		p->b = p->old_b;
		p->valid = 0;
	}
	if (p->a + p->b != 100000) {
		fprintf(stderr, "the sum is %ld\n", p->a + p->b);
		return 3;
	}
	printf("%ld and %ld\n", p->a, p->b);
	return 0;
}
