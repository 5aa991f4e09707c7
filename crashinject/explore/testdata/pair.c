// Two counters that must be equal, in persistent memory, and a checksum of them. "MODE N" counts
// to N and says so after each step; "show" is the recovery. Modes: right; lost (says
// so before it is durable); torn (no checksum is looked at by "show"); abort-show, hang-show, exit-show
// are recoveries that cannot cope with a torn record, pool-show one that wants a record; waste flushes for nothing, again flushes one line twice where once would do. "none" touches no persistent memory.
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "zhuque.h"

static volatile struct slot {
	unsigned long a, fill[7], b, fill2[7], sum, fill3[7];
} *slot;
static volatile unsigned long *current;

static void persist(volatile void *p, int n)
{
	for (int i = 0; i < n; i++)
		__asm__ volatile("clwb %0" : "+m"(((volatile char *)p)[64 * i]));
	__asm__ volatile("sfence" : : : "memory");
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	while (!strcmp(how, "loop"))
		;
	if (!strcmp(how, "none"))
		return puts("nothing") < 0;
	if (!strcmp(how, "bad"))
		return 9;
	if (!strcmp(how, "fails"))
		abort();
	int fd = open("/mnt/pmem/pair", O_RDWR | O_CREAT, 0644);
	if (ftruncate(fd, 1 << 13))
		return 9;
	char *p = mmap(0, 1 << 13, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	slot = (void *)p, current = (void *)(p + 4096);
	if (!strcmp(how, "waste")) {
		for (int i = 0; i < 3; i++) {
			slot->a = i;
			persist(slot, 1);
			persist(slot, 1);
		}
		slot->b = 1, slot->a = 9;
		return 0;
	}
	if (!strcmp(how, "again")) { // one flush and fence would do for both stores of the line
		slot->a = 1;
		persist(slot, 1);
		slot->fill[0] = 2;
		persist(slot, 1);
		slot->b = 1; // and here they are for two lines
		slot->a = 2;
		persist(slot, 2);
		slot->a = 3;
		persist(slot, 1);
		puts("acknowledged");
		slot->a = 4;
		persist(slot, 1);
		return 0;
	}
	if (!strcmp(how, "lines")) { // what standard input says: "set A B" or "nothing"
		char line[64];
		for (long a, b; fgets(line, sizeof line, stdin); ) {
			if (sscanf(line, "set %ld %ld", &a, &b) != 2)
				continue;
			slot->a = a;
			slot->b = b; // not with it
			slot->sum = 3 * a;
			*current = 1;
			persist(slot, 3);
			persist(current, 1);
			puts("set");
		}
		return 0;
	}
	if (!strcmp(how, "same") || !strcmp(how, "same-torn")) { // the same stores again leave the same
		for (int i = 0; i < 2 * atoi(argv[2]); i++) {
			slot->a = i % 2;
			persist(slot, 1);
		}
		how += 5;
		if (how[-1] != '-')
			return 0;
	}
	if (!strcmp(how, "note-show")) { // leaves a file beside it
		mkdir("/mnt/pmem/note", 0700);
		rmdir("/mnt/pmem/note");
	}
	if (!strstr(how, "show")) {
		for (int i = 1; i <= atoi(argv[2]); i++) {
			volatile struct slot *s = slot + (strcmp(how, "torn") ? i % 2 : 0);
			s->a = i;
			s->b = i;
			s->sum = i * 3;
			if (strcmp(how, "lost"))
				persist(s, 3);
			*current = strcmp(how, "torn") ? i % 2 + 1 : 1;
			if (!strcmp(how, "lost"))
				printf("%d\n", i);
			persist(current, 1);
			if (!strcmp(how, "lost"))
				persist(s, 3);
			else
				printf("%d\n", i);
		}
		return 0;
	}
	if (!strcmp(how, "memo-show")) { // what one recovery has read, the next one reads
		if (current[16] && current[8] != slot->a)
			return 6;
		current[8] = slot->a;
		persist(current + 8, 1);
		current[16] = 1;
		persist(current + 16, 1);
		return 0;
	}
	if (!strcmp(how, "trust-show")) { // the flag of one recovery may outlive what it stands for
		if (current[16] && !current[8])
			return 6;
		current[8] = 1;
		current[16] = 1;
		persist(current, 3);
		return 0;
	}
	if (!*current) {
		printf("empty\n");
		return strcmp(how, "pool-show") ? 0 : 5;
	}
	volatile struct slot *s = slot + *current - 1;
	if (s->sum != s->a * 3 || s->sum != s->b * 3) {
		if (!strcmp(how, "abort-show"))
			abort();
		while (!strcmp(how, "hang-show"))
			;
		if (!strcmp(how, "exit-show")) {
			fprintf(stderr, "torn\n");
			return 7;
		}
	}
	printf("%lu %lu\n", s->a, s->b);
	return 0;
}
