/* A store to a mapped file that nothing flushes, then one system call on the same file. What
 * of it a power cut leaves is the caller's to look at. Freestanding; argv[1] is the call. */
typedef unsigned long u64;

static long call(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

enum { mapped = 8192, writeback = 0x80003 /* MAP_SYNC | MAP_SHARED_VALIDATE */ };
static const char path[] = "/mnt/pmem/f", other[] = "/mnt/pmem/g";

int main(long argc, char **argv)
{
	char mode = argc > 1 ? argv[1][0] : '0';
	long flags = 0102 | (mode == 'o' ? 04010000 : 0); /* O_RDWR | O_CREAT, O_SYNC */
	long fd = call(2, (long)path, flags, 0600, 0, 0, 0), from = call(2, (long)other, 0102, 0600, 0, 0, 0);
	volatile u64 *p;
	u64 one[2] = {1, 1};
	long zero = 0, at = 1024;
	call(77, fd, mapped, 0, 0, 0, 0);
	call(18, from, (long)one, 8, 0, 0, 0);
	p = (volatile u64 *)call(9, 0, mapped, 3, writeback, fd, 0);
	p[0] = 42;
	p[513] = 43;
	__asm__ volatile("sfence" ::: "memory");
	switch (mode) {
	case 'p': call(18, fd, (long)one, 8, 1024, 0, 0); break;		/* pwrite64, another line */
	case 'l': call(18, fd, (long)one, 16, 8, 0, 0); break;			/* the same line */
	case 'o': call(18, fd, (long)one, 8, 4096 + 1024, 0, 0); break;	/* with O_SYNC, the other page */
	case 'c': call(326, from, (long)&zero, fd, (long)&at, 8, 0); break;	/* copy_file_range */
	case 'h': call(285, fd, 3, 2048, 64, 0, 0); break;			/* fallocate, a hole */
	case 't': call(77, fd, 2000, 0, 0, 0, 0); break;			/* ftruncate */
	case 'm': call(26, (long)p, 4096, 4, 0, 0, 0); break;			/* msync, the first page */
	case 'n': call(26, (long)p + 4096, 4096, 4, 0, 0, 0); break;		/* the second */
	case 'a': call(26, (long)p, 4096, 1, 0, 0, 0); break;			/* MS_ASYNC */
	case 'f': call(74, fd, 0, 0, 0, 0, 0); break;				/* fsync */
	case 'd': call(75, fd, 0, 0, 0, 0, 0); break;				/* fdatasync */
	case 's': call(162, 0, 0, 0, 0, 0, 0); break;				/* sync */
	case 'y': call(306, fd, 0, 0, 0, 0, 0); break;				/* syncfs */
	case 'g': call(74, from, 0, 0, 0, 0, 0); break;				/* fsync of another file */
	}
	for (volatile int i = 0; i < 1000; i++)
		;
	return 0;
}

__asm__(".globl _start\n_start: mov (%rsp), %rdi\n lea 8(%rsp), %rsi\n and $-16, %rsp\n call main\n"
	"mov %eax, %edi\n mov $60, %eax\n syscall\n");
