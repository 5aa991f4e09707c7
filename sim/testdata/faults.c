/* Raises every processor exception that a program can, with handlers that print
 * what the kernel tells of it: signal, si_code, the next 16 bytes of siginfo,
 * trap number, error code, address of a page fault, AC, RF, DF and TF, and where RIP
 * is. Single steps go on behind the handler, to the end of the code. Freestanding, at
 * fixed addresses: the output depends on the machine only. */
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
static int show; /* print RAX and RCX too */
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
	hex(" flags ", c->eflags & 0x50500);
	hex(" cs ", c->cs);
	if (show) {
		hex(" rax ", c->rax);
		hex(" rcx ", c->rcx);
	}
	text("\n");
	if (sig == 5 && info[2] == 2) /* TRAP_TRACE */
		return;
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
	".globl _start\n_start: and $-16, %rsp\n call start\n");

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

/* flags is PUSHF; OR DWORD [RSP], bit; POPF. */
#define FLAGS(bit) "\x9c\x81\x0c\x24" bit "\x9d"
#define TF FLAGS("\x00\x01\x00\x00")
#define AC FLAGS("\x00\x00\x04\x00")
#define NOTF "\x9c\x81\x24\x24\xff\xfe\xff\xff\x9d" /* AND */

static void steps(void)
{
	T("steps", TF "\x90\x90" NOTF "\x90", 0);
	T("steps to a fault", TF "\x90\x90", 0);
	T("steps and a branch", TF "\xeb\x01\xf4\x75\x01\x90\x90", 0);
	T("steps and a page fault", TF "\x90\x8b\x00", 8);
	T("steps and a division", TF "\x31\xc9\xf7\xf1", 0);
	T("steps and int3", TF "\x90\xcc", 0);
	T("steps and int1", TF "\x90\xf1", 0);
	T("steps and int 4", TF "\x90\xcd\x04", 0);
	T("steps and a system call", TF "\xb8\x18\x00\x00\x00\x0f\x05\x90\x90", 0);
	T("steps and an absent system call", TF "\xb8\x00\x10\x00\x00\x0f\x05\x90\x90", 0);
	T("steps and int 0x80", TF "\xb8\x00\x10\x00\x00\xcd\x80\x90\x90", 0);
	T("steps and pushf", TF "\x9c\x58\x90", 0);
	T("steps and popf that keeps on", TF "\x9c\x9d\x90", 0);
	T("steps and a load of ss", TF "\x8c\xd0\x8e\xd0\x90\x90", 0);
	T("steps and two loads of ss", TF "\x8c\xd0\x8e\xd0\x8e\xd0\x90\x90", 0);
	T("steps, a load of ss and int3", TF "\x8c\xd0\x8e\xd0\xcc", 0);
	T("steps, a load of ss and a fault", TF "\x8c\xd0\x8e\xd0\xf4", 0);
	T("steps and a string", "\x89\xc7" TF "\xb9\x03\x00\x00\x00\xf3\xaa\x90", DATA);
	T("steps and a string of words", "\x89\xc7\x8d\x70\x40" TF "\xb9\x02\x00\x00\x00\xf3\x48\xa5\x90", DATA);
	T("steps and an empty string", "\x89\xc7" TF "\x31\xc9\xf3\xaa\x90", DATA);
	T("steps and a comparison", "\x89\xc7" TF "\xb9\x03\x00\x00\x00\xf2\xae\x90", DATA);
	T("steps and a string into nothing", "\x89\xc7" TF "\xb9\x03\x00\x00\x00\xf3\xab\x90", DATA + 4092);
	T("steps and iretq", "\x54\x59\x6a\x2b\x51\x68\x02\x03\x00\x00\x6a\x33\x48\x8d\x05\x04\x00\x00\x00\x50\x48\xcf\x90\x90\x90", 0);
}

static void alignment(void)
{
	for (u64 i = 0; i < 256; i++)
		((char *)(u64)DATA)[i] = 0;
	T("aligned", AC "\x48\x8b\x08", DATA + 8);
	T("misaligned read", AC "\x8b\x08", DATA + 2);
	T("misaligned write", AC "\x48\x89\x08", DATA + 4);
	T("misaligned word", AC "\x66\x01\x08", DATA + 1);
	T("misaligned across pages", AC "\x8b\x08", DATA + 4095);
	T("misaligned in nothing", AC "\x8b\x08", 1);
	T("misaligned in the kernel", AC "\x8b\x08", 0xffff800000000001);
	T("misaligned in the hole", AC "\x8b\x08", 0x800000000001);
	T("misaligned movups", AC "\x0f\x10\x00", DATA + 8);
	T("misaligned movaps under AC", AC "\x0f\x28\x00", DATA + 8);
	T("misaligned fld", AC "\xdb\x28", DATA + 4);
	T("misaligned push", AC "\x48\x83\xec\x04\x50", 0);
	T("misaligned string", "\x89\xc7" AC "\xb9\x20\x00\x00\x00\xf3\x48\xab", DATA + 4);
	T("a string of bytes", "\x89\xc7" AC "\xb9\x20\x00\x00\x00\xf3\xaa", DATA + 3);
	T("misaligned string from", "\x89\xc6\x8d\xb8\xfd\x00\x00\x00" AC "\xb9\x08\x00\x00\x00\xf3\xa5", DATA + 3);
	T("misaligned step", AC TF "\x90\x8b\x08", DATA + 2);
	T("steps with alignment", AC TF "\x90\x8b\x08\x90", DATA + 4);
}

static void segments(void)
{
	/* mov sreg, eax; mov eax, sreg; ud2 */
	static const char code[4][7] = {"\x8e\xc0\x8c\xc0\x0f\x0b", "\x8e\xd8\x8c\xd8\x0f\x0b", "\x8e\xe0\x8c\xe0\x0f\x0b", "\x8e\xe8\x8c\xe8\x0f\x0b"};
	static const u64 selectors[] = {0x2b, 0x28, 0x2a, 0x33, 0x30, 0x23, 0x7b, 0x78, 0x08, 0x10, 0x18, 0x1b, 0x40, 0x43, 0x50, 0x53, 0x63, 0x6b, 0x73, 0x83, 0x2f, 0x07, 0x4, 0xfff8, 0x1002b, 0};
	show = 1;
	for (int s = 0; s < 4; s++)
		for (u64 i = 0; i < sizeof selectors / sizeof *selectors; i++)
			try("segment", code[s], 6, selectors[i], 0, 0);
	T("load of ss", "\x8e\xd0\x8c\xd0\x0f\x0b", 0x2b);
	T("load of ss with null", "\x8e\xd0", 0);
	T("load of ss with code", "\x8e\xd0", 0x33);
	T("load of ss with another privilege", "\x8e\xd0", 0x28);
	T("load of cs", "\x8e\xc8", 0x33);
	T("push and pop of fs", "\x6a\x2b\x0f\xa1\x0f\xa0\x58\x0f\x0b", 0);
	T("fs across a system call", "\x8e\xe0\xb8\x18\x00\x00\x00\x0f\x05\x8c\xe0\x31\xc9\x0f\x0b", 0x2b);
	T("arch_prctl clears fs", "\x8e\xe0\xbf\x02\x10\x00\x00\x31\xf6\xb8\x9e\x00\x00\x00\x0f\x05\x8c\xe0\x31\xc9\x0f\x0b", 0x2b);
	T("far jump to nothing", "\xff\x28", (u64)"\0\0\0\0\x53");
	T("far jump to data", "\xff\x28", (u64)"\0\0\0\0\x2b");
	T("far call to the kernel", "\xff\x18", (u64)"\0\0\0\0\x10");
	T("far return to nothing", "\x6a\x53\x50\x48\xcb", 0);
	T("iret to nothing", "\x6a\x53\x6a\x00\x6a\x00\x6a\x53\x50\x48\xcf", 0);
}

static void calls32(void)
{
	const char *m = "a line\n";
	for (int i = 0; i < 8; i++)
		((char *)(u64)DATA)[i] = m[i];
	show = 1;
	T("int 0x80: close", "\x83\xcb\xff\xb9\x07\x00\x00\x00\xcd\x80\x0f\x0b", 6);
	T("int 0x80: write", "\xbb\x01\x00\x00\x00\xb9\x00\x00\x00\x20\xba\x07\x00\x00\x00\xcd\x80\x0f\x0b", 4);
	T("int 0x80: lseek", "\x83\xcb\xff\x83\xc9\xff\xba\x02\x00\x00\x00\xcd\x80\x0f\x0b", 19);
	T("int 0x80: no such call", "\x31\xc9\xcd\x80\x0f\x0b", 999);
	T("int 0x80: upper half of the number", "\x83\xcb\xff\x31\xc9\xcd\x80\x0f\x0b", 0x700000006);
	show = 0;
}

void start(void)
{
	static const int signals[] = {4, 5, 7, 8, 11};
	struct { u64 handler, flags, restorer, mask; } act = {(u64)handler, 4 | 0x04000000 | 0x08000000, (u64)restorer, 0};
	struct { u64 sp, flags, size; } alt = {DATA + 0x10000, 0, 0x10000};
	call6(9, CODE, 4096, 7, 0x32, -1, 0);
	call6(9, DATA, 4096, 3, 0x32, -1, 0);
	call6(9, DATA + 0x10000, 0x10000, 3, 0x32, -1, 0);
	call6(9, NONE, 4096, 0, 0x32, -1, 0);
	long fd = call6(2, (long)"/proc/self/exe", 0, 0, 0, 0, 0);
	call6(9, FILE_, 0x400000, 3, 0x12, fd, 0);
	call6(131, (long)&alt, 0, 0, 0, 0, 0);
	for (int i = 0; i < 5; i++)
		call6(13, signals[i], (long)&act, 0, 8, 0, 0);
	opcodes();
	memory();
	x87();
	sse();
	steps();
	alignment();
	segments();
	calls32();
	call6(231, 0, 0, 0, 0, 0, 0);
}
