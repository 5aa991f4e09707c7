// A log whose records carry checksums: a record that is torn ends it.
#include "pm.h"

struct record {
	volatile word a, b, c, sum;
	volatile word pad[4];
};

static struct record *rec;

static word sum(const volatile struct record *r)
{
	word s = 1469598103934665603ul;
	s = (s ^ r->a) * 1099511628211ul;
	s = (s ^ r->b) * 1099511628211ul;
	if (!FAULT(torn))
		s = (s ^ r->c) * 1099511628211ul;
	return s;
}

static void append(word i)
{
	struct record r = {i, 2 * i, 3 * i};
	r.sum = sum(&r);
	if (FAULT(missing_drain)) {
		stream(&rec[i - 1], &r, 32); // blame missing_drain
		return;
	}
	rec[i - 1].a = r.a; // blame missing_flush missing_fence
	rec[i - 1].b = r.b;
	rec[i - 1].sum = r.sum;
	rec[i - 1].c = r.c; // blame torn
	if (FAULT(missing_fence))
		flush(&rec[i - 1], 32);
	else if (!FAULT(missing_flush))
		persist(&rec[i - 1], 32);
}

int main(int argc, char **argv)
{
	rec = pool("/mnt/pmem/sumlog", 4096);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			append(i);
			done(i);
		}
		return 0;
	}
	word n = 0;
	while (n < 60 && rec[n].a && rec[n].sum == sum(&rec[n])) {
		if (rec[n].c != 3 * rec[n].a)
			abort();
		n++;
	}
	printf("%lu records\n", n);
	return 0;
}
