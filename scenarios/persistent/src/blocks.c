// A pool of blocks with a free list. Freeing a block is logged first; the recovery does what the
// log says, once.
#include "pm.h"

enum { blocks = 6 };

static struct {
	volatile word head, pad[7]; // of the free list, 0 for none
	volatile word log, pad2[7]; // block that is being freed, 0 for none
	struct {
		volatile word next, pad[7];
	} block[blocks + 1];
} *p;

static void link_(word b)
{
	p->block[b].next = p->head; // blame missing_flush missing_fence
	if (FAULT(missing_fence))
		flush(&p->block[b], 8);
	else if (!FAULT(missing_flush))
		persist(&p->block[b], 8);
	p->head = b; // blame double_free
	persist(&p->head, 8);
}

static void clear(void)
{
	p->log = 0;
	persist(&p->log, 8);
}

static void recover(void)
{
	if (!p->log)
		return;
	if (p->head != p->log || FAULT(double_free))
		link_(p->log);
	clear();
}

int main(int argc, char **argv)
{
	p = pool("/mnt/pmem/blocks", 4096);
	if (argc > 2) {
		for (word b = 1; b <= (word)atoi(argv[2]); b++) {
			p->log = b;
			persist(&p->log, 8);
			link_(b);
			clear();
			done(b);
		}
		return 0;
	}
	recover();
	word n = 0;
	for (word b = p->head; b; b = p->block[b].next)
		if (++n > blocks)
			abort(); // twice in the list
	printf("%lu free\n", n);
	return 0;
}
