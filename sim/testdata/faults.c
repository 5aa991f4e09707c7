/* Raises every processor exception that a program can, with handlers that print
 * what the kernel tells of it: signal, si_code, the next 16 bytes of siginfo,
 * trap number, error code, address of a page fault, RF, DF and TF, and where RIP
 * is. Freestanding, at fixed addresses: the output depends on the machine only. */
typedef unsigned long u64;
typedef unsigned int u32;

static long call6(long n, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
	long ret;
	__asm__ volatile("syscall" : "=a"(ret) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
	return ret;
}

static void text(const char *s)
{
	long n = 0;
	while (s[n])
		n++;
	call6(1, 1, (long)s, n, 0, 0, 0);
}

static void hex(const char *name, u64 v)
{
	char b[20];
	int i = 19;
	b[i] = 0;
	do
		b[--i] = "0123456789abcdef"[v & 15];
	while (v >>= 4);
	text(name);
	text(b + i);
}

enum { CODE = 0x10000000, DATA = 0x20000000, NONE = 0x30000000, FILE_ = 0x40000000 };

u64 start_rip, recover_rsp;
extern char recover[];

struct context {
	u64 flags, link, stack[3];
	u64 r8, r9, r10, r11, r12, r13, r14, r15, rdi, rsi, rbp, rbx, rdx, rax, rcx, rsp, rip, eflags, cs, err, trapno, oldmask, cr2;
};

static void handler(int sig, u32 *info, struct context *c)
{
	hex(" signal ", sig);
	hex(" code ", info[2]);
	hex(" errno ", info[1]);
	hex(" addr ", *(u64 *)(info + 4));
	hex(" lsb ", *(u64 *)(info + 6));
	hex(" trapno ", c->trapno);
	hex(" err ", c->err);
	if (c->trapno == 14)
		hex(" cr2 ", c->cr2);
	hex(" rip ", c->rip - start_rip);
	hex(" flags ", c->eflags & 0x10500);
	hex(" cs ", c->cs & 0xffff);
	text("\n");
	c->rip = (u64)recover;
	c->rsp = recover_rsp;
	c->eflags = 0x202;
}

extern char restorer[];
void try_(u64 rip, u64 rax, u64 rsp);
__asm__(".text\nrestorer: mov $15, %eax\nsyscall\n"
	"try_: push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
	"mov %rsp, recover_rsp(%rip)\n"
	"mov %rsi, %rax\n"
	"test %rdx, %rdx\n jz 1f\n mov %rdx, %rsp\n1:\n"
	"mov %rdi, %rcx\n xor %edx, %edx\n xor %ebx, %ebx\n cld\n jmp *%rcx\n"
	"recover: fninit\n push $0x1f80\n ldmxcsr (%rsp)\n pop %rcx\n"
	"pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n ret\n"
	".globl _start\n_start: mov %rsp, %rdi\n and $-16, %rsp\n call start\n");

/* try runs bytes, at the end of mapped memory if asked, with RAX and RSP. */
static void try(const char *name, const char *code, int n, u64 rax, u64 rsp, int end)
{
	char *at = (char *)(u64)CODE + (end ? 4096 - n : 256);
	for (int i = 0; i < 64 && at + i < (char *)(u64)CODE + 4096; i++)
		at[i] = i < n ? code[i] : (char)0xf4; /* then HLT */
	text(name);
	text(":");
	start_rip = (u64)at;
	try_((u64)at, rax, rsp);
}

#define T(name, code, rax) try(name, code, sizeof(code) - 1, rax, 0, 0)
#define STACK(name, code, rax, rsp) try(name, code, sizeof(code) - 1, rax, rsp, 0)
#define END(name, code) try(name, code, sizeof(code) - 1, 0, 0, 1)

static void x87(void)
{
	u64 *d = (u64 *)(u64)DATA;
	/* control word at [rax], operands at [rax+8] and [rax+16] */
	static const struct { const char *name; u64 a, b; const char *code; int n; } c[] = {
		{"x87 invalid", 0, 0, "\xd9\x28\xdd\x40\x08\xdc\x70\x10\x9b", 9},
		{"x87 divide", 0x3ff0000000000000, 0, "\xd9\x28\xdd\x40\x08\xdc\x70\x10\x9b", 9},
		{"x87 overflow", 0x7fe0000000000000, 0, "\xd9\x28\xdd\x40\x08\xd9\x58\x10\x9b", 9},
		{"x87 underflow", 0x0010000000000000, 0, "\xd9\x28\xdd\x40\x08\xd9\x58\x10\x9b", 9},
		{"x87 denormal", 1, 0, "\xd9\x28\xdd\x40\x08\xdc\x40\x08\x9b", 9},
		{"x87 inexact", 0x3ff0000000000000, 0x4008000000000000, "\xd9\x28\xdd\x40\x08\xdc\x70\x10\x9b", 9},
		{"x87 stack", 0, 0, "\xd9\x28\xdd\xd8\x9b", 5},
	};
	for (u64 i = 0; i < sizeof c / sizeof *c; i++) {
		d[0] = 0x340;
		d[1] = c[i].a;
		d[2] = c[i].b;
		try(c[i].name, c[i].code, c[i].n, DATA, 0, 0);
	}
}

static void sse(void)
{
	u64 *d = (u64 *)(u64)DATA;
	static const struct { const char *name; u64 a, b; const char *code; int n; } c[] = {
		{"sse invalid", 0, 0, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
		{"sse divide", 0x3ff0000000000000, 0, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
		{"sse overflow", 0x7fe0000000000000, 0x0010000000000000, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
		{"sse underflow", 0x0010000000000000, 0x7fe0000000000000, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
		{"sse denormal", 1, 0x3ff0000000000000, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
		{"sse inexact", 0x3ff0000000000000, 0x4008000000000000, "\x0f\xae\x10\xf2\x0f\x10\x40\x08\xf2\x0f\x5e\x40\x10", 13},
	};
	for (u64 i = 0; i < sizeof c / sizeof *c; i++) {
		d[0] = 0;
		d[1] = c[i].a;
		d[2] = c[i].b;
		try(c[i].name, c[i].code, c[i].n, DATA, 0, 0);
	}
}

static void memory(void)
{
	const u64 hole = 0x800000000000, kernel = 0xffff800000000000, last = 0x7ffffffff000;
	T("read of nothing", "\x8a\x08", 0);
	T("write of nothing", "\x88\x08", 16);
	T("read and write of nothing", "\x00\x08", 16);
	T("jump to nothing", "\xff\xe0", 0x1234);
	T("call of nothing", "\xff\xd0", 0x1234);
	T("read of what is protected", "\x8b\x08", NONE);
	T("write of what is protected", "\x89\x08", NONE + 4);
	T("write of code", "\x88\x08", (u64)restorer);
	T("execution of data", "\xff\xe0", DATA);
	T("read across the end", "\x48\x8b\x08", DATA + 4093);
	T("write across the end", "\x48\x89\x08", DATA + 4093);
	T("read behind the file", "\x8b\x08", FILE_ + 0x200000);
	T("write behind the file", "\x89\x08", FILE_ + 0x200000);
	T("read of the kernel", "\x8b\x08", kernel + 8);
	T("write of the kernel", "\x89\x08", kernel + 8);
	T("jump to the kernel", "\xff\xe0", kernel + 8);
	T("read of the last page", "\x8b\x08", last);
	T("read into the hole", "\x48\x8b\x08", hole - 4);
	T("read of the hole", "\x8b\x08", hole);
	T("write of the hole", "\x89\x08", hole + 64);
	T("jump to the hole", "\xff\xe0", hole);
	T("call of the hole", "\xff\xd0", hole);
	STACK("push to the hole", "\x50", 0, hole + 64);
	STACK("pop from the hole", "\x58", 0, hole + 64);
	STACK("push to nothing", "\x50", 0, 0x1008);
	STACK("pop from nothing", "\x58", 0, 0x1008);
	STACK("return from nothing", "\xc3", 0, 0x1008);
	T("return to the hole", "\x50\xc3", hole);
	T("return to the kernel", "\x50\xc3", kernel);
	T("misaligned movaps", "\x0f\x28\x00", DATA + 8);
	T("misaligned movntps", "\x0f\x2b\x00", DATA + 4);
	T("misaligned fxsave", "\x0f\xae\x00", DATA + 8);
	T("reserved bits of mxcsr", "\x0f\xae\x10", (u64)"\0\0\1\0\0\0\0\xff" + 4);
	T("string into nothing", "\x48\x89\xc7\xb9\x10\x00\x00\x00\xf3\xaa", DATA + 4090);
}

static void opcodes(void)
{
	T("ud2", "\x0f\x0b", 0);
	T("push es", "\x06", 0);
	T("locked register", "\xf0\x01\xc8", 0);
	T("locked move", "\xf0\x89\x08", DATA);
	T("divide by zero", "\x31\xc9\xf7\xf1", 0);
	T("divide by zero, 64 bits", "\x31\xc9\x48\xf7\xf9", 5);
	T("quotient too large", "\xba\x05\x00\x00\x00\xb9\x02\x00\x00\x00\xf7\xf1", 0);
	T("int3", "\xcc", 0);
	T("int 3", "\xcd\x03", 0);
	T("int1", "\xf1", 0);
	T("int 4", "\xcd\x04", 0);
	T("int 0x21", "\xcd\x21", 0);
	T("hlt", "\xf4", 0);
	T("cli", "\xfa", 0);
	T("in", "\xec", 0);
	T("outs", "\x6e", 0);
	T("rdmsr", "\x0f\x32", 0);
	T("mov from cr0", "\x0f\x20\xc0", 0);
	T("mov from cr1", "\x0f\x20\xc8", 0);
	T("mov to dr7", "\x0f\x23\xf8", 0);
	T("lgdt", "\x0f\x01\x10", DATA);
	T("std, then ud2", "\xfd\x0f\x0b", 0);
	T("fifteen bytes", "\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x0f\x0b", 0);
	T("sixteen bytes", "\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x90", 0);
	END("cut off opcode", "\x0f");
	END("cut off modrm", "\x48\x8b");
	END("cut off immediate", "\x48\xb8\x01\x02");
	END("cut off prefixes", "\x66\x66\x66");
	END("sixteen bytes at the end", "\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x90");
	END("fifteen prefixes at the end", "\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e");
	END("fourteen prefixes at the end", "\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e\x2e");
	END("running over the end", "\x90");
}

void start(u64 *sp)
{
	static const int signals[] = {4, 5, 7, 8, 11};
	struct { u64 handler, flags, restorer, mask; } act = {(u64)handler, 4 | 0x04000000 | 0x08000000, (u64)restorer, 0};
	struct { u64 sp, flags, size; } alt = {DATA + 0x10000, 0, 0x10000};
	call6(9, CODE, 4096, 7, 0x32, -1, 0);
	call6(9, DATA, 4096, 3, 0x32, -1, 0);
	call6(9, DATA + 0x10000, 0x10000, 3, 0x32, -1, 0);
	call6(9, NONE, 4096, 0, 0x32, -1, 0);
	long fd = call6(2, (long)sp[1], 0, 0, 0, 0, 0);
	call6(9, FILE_, 0x400000, 3, 0x12, fd, 0);
	call6(131, (long)&alt, 0, 0, 0, 0, 0);
	for (int i = 0; i < 5; i++)
		call6(13, signals[i], (long)&act, 0, 8, 0, 0);
	opcodes();
	memory();
	x87();
	sse();
	call6(231, 0, 0, 0, 0, 0, 0);
}
