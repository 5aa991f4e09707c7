// Two slots, of which a word says which one counts; it is changed when the other one is durable.
// The pair of numbers in a slot is stored at once, by 16 bytes.
#include "pm.h"

struct slot {
	__m128i pair;
	volatile word pad[6], sum, pad2[7];
};

static struct {
	volatile word current, pad[7];
	struct slot slot[2];
} *p;

static void set(word i)
{
	struct slot *s = &p->slot[FAULT(torn) ? 0 : i % 2];
	if (FAULT(torn)) { // in place: the pair is believed to be atomic
		_mm_store_si128(&s->pair, _mm_set_epi64x(2 * i, i)); // blame torn
		persist(s, 16);
		p->current = 1;
		persist(&p->current, 8);
		return;
	}
	if (FAULT(commit_early))
		p->current = i % 2 + 1; // blame commit_early
	if (FAULT(flush_early))
		persist(s, sizeof *s);
	_mm_store_si128(&s->pair, _mm_set_epi64x(2 * i, i)); // blame missing_flush missing_fence flush_early
	s->sum = 3 * i; // blame wrong_range
	if (FAULT(wrong_range))
		persist(s, 64);
	else if (FAULT(missing_fence))
		flush(s, sizeof *s);
	else if (!FAULT(missing_flush) && !FAULT(flush_early))
		persist(s, sizeof *s);
	if (!FAULT(commit_early))
		p->current = i % 2 + 1;
	persist(&p->current, 8);
}

int main(int argc, char **argv)
{
	p = pool("/mnt/pmem/slots", 4096);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			set(i);
			done(i);
		}
		return 0;
	}
	if (!p->current) {
		puts("empty");
		return 0;
	}
	struct slot *s = &p->slot[p->current - 1];
	volatile word *v = (volatile word *)&s->pair;
	if (v[1] != 2 * v[0] || !FAULT(torn) && s->sum != 3 * v[0])
		abort();
	printf("%lu\n", v[0]);
	return 0;
}
