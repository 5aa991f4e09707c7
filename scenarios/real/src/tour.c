/* A tour of the C library, built with musl and with glibc: allocation, printf and
 * strtod of doubles in every format, qsort, stdio files, setjmp, signals to
 * oneself, time. Usage: tour INPUT. The output depends on INPUT only. */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what)
{
	fprintf(stderr, "tour: FAILED: %s (errno %d)\n", what, errno);
	exit(1);
}

#define NEED(cond) ((cond) ? (void)0 : die(#cond))

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static void allocation(void)
{
	enum { N = 300 };
	static unsigned char *p[N];
	static size_t size[N];
	uint64_t sum = 0;
	for (int step = 0; step < 4000; step++) {
		int i = next_random() % N;
		for (size_t j = 0; j < size[i]; j += 97)
			NEED(p[i][j] == (unsigned char)(i + j));
		size_t n = next_random() % (step % 50 ? 2000 : 200000);
		unsigned char *q = realloc(p[i], n + 1);
		NEED(q);
		p[i] = q;
		size[i] = n;
		for (size_t j = 0; j < n; j += 97)
			p[i][j] = (unsigned char)(i + j);
		sum += n;
		if (step % 7 == 0) {
			free(p[i]);
			p[i] = NULL;
			size[i] = 0;
		}
	}
	for (int i = 0; i < N; i++)
		free(p[i]);
	printf("allocated %llu bytes in all\n", (unsigned long long)sum);
}

static void doubles(void)
{
	static const double v[] = { 0.1, -0.0, 1e300, 4.9406564584124654e-324, 2.2250738585072014e-308, 1.7976931348623157e308,
				    123456789.125, 1.0 / 3, 1e22, 1e23, 9007199254740993.0, INFINITY, -INFINITY, 6.02214076e23 };
	char text[64];
	for (size_t i = 0; i < sizeof v / sizeof *v; i++) {
		printf("%a %.17g %.3f %e %g %.0f\n", v[i], v[i], fabs(v[i]) < 1e30 ? v[i] : 0, v[i], v[i], fmod(v[i] < 1e15 ? v[i] : 1.5, 10));
		snprintf(text, sizeof text, "%.17g", v[i]);
		double back = strtod(text, NULL);
		NEED(memcmp(&back, &v[i], sizeof back) == 0);
		snprintf(text, sizeof text, "%a", v[i]);
		back = strtod(text, NULL);
		NEED(memcmp(&back, &v[i], sizeof back) == 0);
	}
	for (int i = 0; i < 300; i++) {
		union {
			uint64_t bits;
			double d;
		} u = { next_random() }, w;
		if (!isfinite(u.d))
			continue;
		snprintf(text, sizeof text, "%.17g", u.d);
		w.d = strtod(text, NULL);
		NEED(w.bits == u.bits);
		if (i % 30 == 0)
			printf("%s %a\n", text, u.d);
	}
	long double third = 1.0L / 3, big = 1e4000L;
	printf("%.21Lf %.20Le %.18Lg %La\n", third, big, third * third, third);
	printf("%Lf\n", strtold("12345678901234567.25", NULL));
	for (int i = 1; i < 8; i++)
		printf("%.6f %.6f %.6f %.6f\n", sqrt(i), floor(-i / 3.0), ldexp(i, -i), round(i * 1.5));
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sorting(void)
{
	enum { N = 6000 };
	static uint32_t v[N];
	uint64_t sum = 0, after = 0;
	for (int i = 0; i < N; i++)
		sum += v[i] = (uint32_t)next_random();
	qsort(v, N, sizeof *v, by_number);
	for (int i = 0; i < N; i++) {
		NEED(i == 0 || v[i - 1] <= v[i]);
		after += v[i];
	}
	NEED(sum == after);
	uint32_t *hit = bsearch(&v[N / 2], v, N, sizeof *v, by_number);
	NEED(hit && *hit == v[N / 2]);
	printf("sorted, median %u\n", v[N / 2]);
}

/* words sorts the words of the input and prints how often the first ones come. */
static void words(const char *path)
{
	FILE *f = fopen(path, "r");
	NEED(f);
	static char *text;
	size_t n = 0, room = 0, lines = 0, count = 0;
	int c;
	while ((c = getc(f)) != EOF && n < 65536) {
		if (n == room) {
			room = room ? 2 * room : 64;
			NEED(text = realloc(text, room + 1));
		}
		lines += c == '\n';
		text[n++] = (char)c;
	}
	NEED(!ferror(f) && fclose(f) == 0);
	NEED(n);
	text[n] = 0;
	char **list = NULL;
	for (char *w = strtok(text, " \n\t"); w; w = strtok(NULL, " \n\t")) {
		if (count % 256 == 0)
			NEED(list = realloc(list, (count + 256) * sizeof *list));
		list[count++] = w;
	}
	qsort(list, count, sizeof *list, by_text);
	printf("%zu bytes, %zu lines, %zu words\n", n, lines, count);
	size_t shown = 0;
	for (size_t i = 0, run = 1; i < count && shown < 5; i++, run++)
		if (i + 1 == count || strcmp(list[i], list[i + 1]) != 0) {
			printf("%s %zu\n", list[i], run);
			run = 0;
			shown++;
		}
	free(list);
	free(text);
}

static void files(void)
{
	char name[] = "/tmp/tour-XXXXXX", line[80];
	int fd = mkstemp(name);
	NEED(fd >= 0);
	FILE *f = fdopen(fd, "w+");
	NEED(f);
	for (int i = 0; i < 400; i++)
		NEED(fprintf(f, "line %d %.3f\n", i, i / 7.0) > 0);
	NEED(fflush(f) == 0);
	long size = ftell(f);
	rewind(f);
	int read = 0, number;
	double value;
	while (fgets(line, sizeof line, f)) {
		NEED(sscanf(line, "line %d %lf", &number, &value) == 2 && number == read);
		NEED(fabs(value - read / 7.0) < 0.001);
		read++;
	}
	NEED(read == 400);
	NEED(fseek(f, -10, SEEK_END) == 0 && fread(line, 1, 10, f) == 10);
	NEED(unlink(name) == 0 && fclose(f) == 0);
	NEED(fopen(name, "r") == NULL && errno == ENOENT);
	printf("file of %ld bytes, %s\n", size, strerror(ENOENT));
}

static jmp_buf out;
static sigjmp_buf again;
static volatile sig_atomic_t usr1;

static void deep(int n)
{
	volatile char room[200];
	room[0] = (char)n;
	if (n == 0)
		longjmp(out, 42);
	deep(n - 1);
	room[1] = room[0];
}

static void on_usr1(int sig)
{
	(void)sig;
	usr1++;
}

static void on_segv(int sig)
{
	(void)sig;
	siglongjmp(again, 7);
}

static void jumps_and_signals(void)
{
	int r = setjmp(out);
	if (r == 0)
		deep(50);
	NEED(r == 42);
	struct sigaction a = { .sa_handler = on_usr1 };
	NEED(sigaction(SIGUSR1, &a, NULL) == 0);
	sigset_t set;
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	NEED(sigprocmask(SIG_BLOCK, &set, NULL) == 0);
	NEED(kill(getpid(), SIGUSR1) == 0 && usr1 == 0);
	NEED(sigprocmask(SIG_UNBLOCK, &set, NULL) == 0 && usr1 == 1);
	for (int i = 0; i < 20; i++)
		NEED(raise(SIGUSR1) == 0);
	a.sa_handler = on_segv;
	NEED(sigaction(SIGSEGV, &a, NULL) == 0);
	int caught = 0;
	for (int i = 0; i < 3; i++)
		if (sigsetjmp(again, 1) == 0)
			*(volatile int *)(uintptr_t)(8 * (i + 1)) = 1;
		else
			caught++;
	NEED(caught >= 1);
	printf("signals %d\n", (int)usr1);
}

static void clocks(void)
{
	struct timespec a, b, pause = { 0, 1000000 };
	NEED(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
	NEED(nanosleep(&pause, NULL) == 0);
	NEED(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
	NEED((b.tv_sec - a.tv_sec) * 1000000000LL + b.tv_nsec - a.tv_nsec >= 1000000);
	time_t t = 1000000000;
	char text[64];
	NEED(strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %a %j", gmtime(&t)));
	printf("%s\n", text);
	NEED(time(NULL) > 0);
}

int main(int argc, char **argv)
{
	if (argc != 2) {
		fprintf(stderr, "usage: tour INPUT\n");
		return 2;
	}
	allocation();
	doubles();
	sorting();
	words(argv[1]);
	files();
	jumps_and_signals();
	clocks();
	puts("done");
	return ferror(stdout) || fflush(stdout) ? 1 : 0;
}
