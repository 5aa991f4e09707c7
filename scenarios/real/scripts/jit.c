/* For tcc -run, which compiles into memory and jumps there; each function that this
 * program makes for itself is another piece of such code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static unsigned fib(unsigned n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

static int compare(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }

int main(int argc, char **argv)
{
	static char text[4000];
	static char *words[2000];
	int n = 0;
	FILE *f = fopen(argv[1], "r");
	if (!f || argc != 2)
		return 1;
	text[fread(text, 1, sizeof text - 1, f)] = 0;
	for (char *w = strtok(text, " \n"); w; w = strtok(NULL, " \n"))
		words[n++] = w;
	qsort(words, n, sizeof *words, compare);
	printf("%u %d %s %s %.17g\n", fib(17), n, words[0], words[n - 1], fib(10) / 7.0);
	unsigned char *p = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned sum = 0;
	for (int i = 0; i < 100; i++) {
		p[0] = 0xb8; /* mov eax, i; ret */
		memcpy(p + 1, &i, 4);
		p[5] = 0xc3;
		sum = sum * 31 + ((unsigned (*)(void))p)();
	}
	printf("%u\n", sum);
	return 6;
}
