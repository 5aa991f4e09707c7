// A list in persistent memory, by hand: "push N" and "push-wrong N" (the node is not flushed)
// insert at the head; "walk" is the recovery: 3 when a node is not what it was.
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "zhuque.h"

struct node {
	unsigned long next, value; // next: offset in lines, 0 for none
	char fill[48];
};

static void flush(volatile void *p) { __asm__ volatile("clwb %0" : "+m"(*(volatile char *)p)); }
static void fence(void) { __asm__ volatile("sfence" : : : "memory"); }

int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/list", O_RDWR | O_CREAT, 0644);
	if (argc < 2 || ftruncate(fd, 1 << 16))
		return 9;
	volatile struct node *pool = mmap(0, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (!strncmp(argv[1], "push", 4)) {
		int right = !argv[1][4];
		pool[0].next = 0;
		pool[1].next = 0;
		flush(pool);
		fence();
		zhuque_mark(0);
		for (int i = 1; i <= atoi(argv[2]); i++) {
			pool[i].value = 100 + i;
			pool[i].next = pool[0].next;
			if (right)
				flush(pool + i);
			if (right)
				fence();
			pool[0].next = i;
			flush(pool);
			fence();
		}
		return 0;
	}
	for (unsigned long i = pool[0].next; i; i = pool[i].next)
		if (pool[i].value != 100 + i)
			return 3;
	return 0;
}
