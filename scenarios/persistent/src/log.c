// A log without checksums: its length, in a line of its own, is stored when the record is durable.
#include "pm.h"

static struct {
	volatile word length, pad[7];
	struct record {
		volatile word v[16];
	} rec[30];
} *log_;

static void append(word i)
{
	struct record *r = &log_->rec[i - 1];
	if (FAULT(commit_early)) {
		log_->length = i; // blame commit_early
		flush(&log_->length, 8);
	}
	word v[16];
	for (int k = 0; k < 16; k++)
		v[k] = i + k;
	if (FAULT(missing_drain)) {
		stream(r, v, sizeof v); // blame missing_drain
	} else {
		for (int k = 0; k < 16; k++)
			r->v[k] = v[k]; // blame missing_flush missing_fence wrong_range
		if (FAULT(wrong_range))
			persist(r, sizeof r);
		else if (FAULT(missing_fence))
			flush(r, sizeof *r);
		else if (!FAULT(missing_flush))
			persist(r, sizeof *r);
	}
	if (!FAULT(commit_early)) {
		log_->length = i;
		flush(&log_->length, 8);
	}
	fence();
}

int main(int argc, char **argv)
{
	log_ = pool("/mnt/pmem/log", 8192);
	if (argc > 2) {
		for (word i = 1; i <= (word)atoi(argv[2]); i++) {
			append(i);
			done(i);
		}
		return 0;
	}
	for (word i = 1; i <= log_->length; i++)
		for (int k = 0; k < 16; k++)
			if (log_->rec[i - 1].v[k] != i + k)
				abort();
	printf("%lu records\n", log_->length);
	return 0;
}
