// Loads of every width. "store" leaves four words open that lie in two lines, 16 bytes before and
// behind the border of the lines; "N" loads them N bytes at a time, and prints them.
#include <fcntl.h>
#include <immintrin.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef unsigned long word;

__attribute__((target("avx"))) static void load(const char *from, int width, word *v)
{
	switch (width) {
	case 8:
		for (int i = 0; i < 4; i++)
			v[i] = ((const volatile word *)from)[i];
		return;
	case 16:
		_mm_storeu_si128((__m128i *)v, _mm_loadu_si128((const __m128i *)from));
		_mm_storeu_si128((__m128i *)(v + 2), _mm_loadu_si128((const __m128i *)(from + 16)));
		return;
	case 24: // across the border of the lines
		_mm_storeu_si128((__m128i *)(v + 1), _mm_loadu_si128((const __m128i *)(from + 8)));
		v[0] = ((const volatile word *)from)[0];
		v[3] = ((const volatile word *)from)[3];
		return;
	case 32:
		_mm256_storeu_si256((__m256i *)v, _mm256_loadu_si256((const __m256i *)from));
		return;
	}
	exit(9);
}

// swap compares 16 bytes with what they are not.
static void swap(char *at, word *v)
{
	v[0] = v[1] = ~0ul;
	__asm__ volatile("lock cmpxchg16b %2" : "+a"(v[0]), "+d"(v[1]), "+m"(*(word(*)[2])at) : "b"(0ul), "c"(0ul) : "cc", "memory");
}

int main(int argc, char **argv)
{
	int fd = open("/mnt/pmem/wide", O_RDWR | O_CREAT, 0644);
	if (argc < 2 || ftruncate(fd, 1 << 12))
		return 9;
	char *p = mmap(0, 1 << 12, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	word v[4];
	if (!strcmp(argv[1], "store")) {
		for (int i = 0; i < 4; i++)
			((volatile word *)(p + 48))[i] = i + 1;
		return 0;
	}
	if (!strcmp(argv[1], "swap")) {
		swap(p + 48, v);
		swap(p + 64, v + 2);
	} else {
		load(p + 48, atoi(argv[1]), v);
	}
	printf("%lu %lu %lu %lu\n", v[0], v[1], v[2], v[3]);
	return 0;
}
