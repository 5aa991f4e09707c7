// The whole run-time library of the guests: entry point, system calls, printing,
// checks. Everything is in this header, so that a guest is one translation unit.
#ifndef GUEST_H
#define GUEST_H

typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;
typedef long i64;

enum {
	SYS_read = 0, SYS_write = 1, SYS_open = 2, SYS_close = 3, SYS_lseek = 8, SYS_mmap = 9, SYS_mprotect = 10,
	SYS_munmap = 11, SYS_brk = 12, SYS_rt_sigaction = 13, SYS_rt_sigprocmask = 14, SYS_mremap = 25,
	SYS_getpid = 39, SYS_exit = 60, SYS_kill = 62, SYS_ftruncate = 77, SYS_rename = 82, SYS_mkdir = 83,
	SYS_rmdir = 84, SYS_unlink = 87, SYS_rt_sigpending = 127, SYS_sigaltstack = 131, SYS_arch_prctl = 158,
	SYS_getdents64 = 217, SYS_exit_group = 231,
};

static inline i64 syscall6(i64 n, i64 a, i64 b, i64 c, i64 d, i64 e, i64 f)
{
	register i64 r10 __asm__("r10") = d;
	register i64 r8 __asm__("r8") = e;
	register i64 r9 __asm__("r9") = f;
	i64 r;
	__asm__ volatile("syscall"
			 : "=a"(r)
			 : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return r;
}

#define SYSCALL(n, a, b, c) syscall6(n, (i64)(a), (i64)(b), (i64)(c), 0, 0, 0)

static const char *guest_name;

static u64 length(const char *s)
{
	u64 n = 0;
	while (s[n])
		n++;
	return n;
}

static void put_bytes(int fd, const char *p, u64 n)
{
	while (n) {
		i64 k = SYSCALL(SYS_write, fd, p, n);
		if (k <= 0)
			SYSCALL(SYS_exit_group, 3, 0, 0);
		p += k;
		n -= k;
	}
}

static void fail(const char *what)
{
	put_bytes(2, guest_name, length(guest_name));
	put_bytes(2, ": FAILED: ", 10);
	put_bytes(2, what, length(what));
	put_bytes(2, "\n", 1);
	SYSCALL(SYS_exit_group, 1, 0, 0);
	__builtin_unreachable();
}

#define TEXT2(x) #x
#define TEXT(x) TEXT2(x)
#define CHECK(cond) ((cond) ? (void)0 : fail("line " TEXT(__LINE__) ": " #cond))

// A line of output is put together here and leaves in one write.
static struct {
	u64 n;
	char text[256];
} out_line;

static void say(const char *s)
{
	while (*s)
		out_line.text[out_line.n++] = *s++;
}

static void say_number(u64 v, int base, int width)
{
	char digits[24];
	int n = 0;
	do {
		digits[n++] = "0123456789abcdef"[v % base];
		v /= base;
	} while (v || n < width);
	while (n)
		out_line.text[out_line.n++] = digits[--n];
}

static void say_end(void)
{
	say("\n");
	put_bytes(1, out_line.text, out_line.n);
	out_line.n = 0;
}

static void print_value(const char *label, u64 v)
{
	say(guest_name);
	say(": ");
	say(label);
	say(" ");
	say_number(v, 10, 1);
	say_end();
}

static void print_hex(const char *label, u64 v)
{
	say(guest_name);
	say(": ");
	say(label);
	say(" 0x");
	say_number(v, 16, 16);
	say_end();
}

// next_random is a xorshift generator: every guest seeds its own.
static u64 next_random(u64 *state)
{
	u64 x = *state;
	x ^= x << 13;
	x ^= x >> 7;
	x ^= x << 17;
	return *state = x;
}

// mix folds a value into a checksum.
static u64 mix(u64 sum, u64 v)
{
	sum ^= v;
	sum *= 0x9e3779b97f4a7c15;
	return sum ^ sum >> 29;
}

static void guest_main(void);

#define GUEST(name)                                     \
	static void guest_main(void);                   \
	__attribute__((used)) void guest_start(void)    \
	{                                               \
		guest_name = name;                      \
		guest_main();                           \
		SYSCALL(SYS_exit_group, 0, 0, 0);       \
	}                                               \
	static void guest_main(void)

// A guest that reads its arguments defines GUEST_ARGS before it includes this
// header; guest_stack is then argc, followed by argv.
#ifdef GUEST_ARGS
static u64 *guest_stack __attribute__((used));
#define KEEP_STACK "	mov %rsp, guest_stack(%rip)\n"
#else
#define KEEP_STACK
#endif

__asm__(".globl _start\n"
	"_start:\n" KEEP_STACK
	"	xor %ebp, %ebp\n"
	"	and $-16, %rsp\n"
	"	call guest_start\n"
	"	hlt\n");

#endif
