/* Breakpoints and single steps, each of which a handler counts, and on every core
 * what the processor says of its number. Freestanding. Prints the counts, and whether
 * all that tells of a core's number agrees. */
typedef unsigned long u64;
typedef unsigned int u32;

static long call3(long n, long a, long b, long c)
{
	register long r10 __asm__("r10") = 8;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10) : "rcx", "r11", "memory");
	return ret;
}

static volatile u64 breakpoints, others, steps, where;

static void handler(int sig, u32 *info, u64 *context)
{
	u64 rip = context[5 + 16];
	(void)sig;
	if (info[2] == 0x80)
		breakpoints++;
	else if (info[2] == 2)
		steps++;
	else
		others++;
	where = where * 31 + (rip & 0xfff);
}

extern char restorer[];
void stepped(void *buffer);
__asm__(".text\n.balign 4096\n"
	"stepped: int3\n int1\n"
	"pushf; orl $0x100, (%rsp); popf\n"
	"nop\n mov $3, %ecx\n rep stosb\n int3\n mov $39, %eax\n syscall\n"
	"pushf; andl $~0x100, (%rsp); popf\n"
	"nop\n ret\n"
	"restorer: mov $15, %eax\nsyscall\n"
	".globl _start\n_start: and $-16, %rsp\n call start\n");

static u64 wrong_core(void)
{
	u64 set = 0;
	call3(204, 0, 8, (long)&set); /* sched_getaffinity */
	for (int core = 0; core < 64; core++) {
		u64 one = 1ul << core;
		u32 lo, hi, aux, node = ~0u, got = ~0u;
		u64 pid = ~0ul, limit = 0;
		if (!(set & one))
			continue;
		call3(203, 0, 8, (long)&one); /* sched_setaffinity */
		call3(309, (long)&got, (long)&node, 0); /* getcpu */
		__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi), "=c"(aux));
		__asm__ volatile(".byte 0xf3, 0x0f, 0xc7, 0xf8" : "=a"(pid)); /* rdpid rax */
		__asm__ volatile("lsl %1, %0" : "=r"(limit) : "r"(0x7bul));
		if (got != (u32)core || node != 0 || aux != got || pid != got || limit != got)
			return 1;
	}
	return 0;
}

void start(void)
{
	static char buffer[16];
	struct { u64 handler, flags, restorer, mask; } act = {(u64)handler, 4 | 0x04000000, (u64)restorer, 0};
	call3(13, 5, (long)&act, 0);
	stepped(buffer);
	u64 numbers[] = {breakpoints, others, steps, where, wrong_core()};
	for (int i = 0; i < 5; i++) {
		static char line[18] = "................\n";
		for (int d = 0; d < 16; d++)
			line[15 - d] = "0123456789abcdef"[numbers[i] >> 4 * d & 15];
		call3(1, 1, (long)line, 17);
	}
	call3(231, 0, 0, 0);
}
