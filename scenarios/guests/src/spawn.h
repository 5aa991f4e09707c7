// Threads of guests without a C library. Each of the two defines spawn(), which
// starts a thread with clone(2) on a stack of its own; the thread ends with its function.

#define SPAWN_CALL(function) \
	"mov $56, %eax\n" \
	"syscall\n" \
	"test %rax, %rax\n" \
	"jnz 1f\n" \
	"xor %ebp, %ebp\n" \
	function \
	"mov $60, %eax\n" \
	"xor %edi, %edi\n" \
	"syscall\n" \
	"1: ret\n"

// spawn(flags, stack, tid) starts function() in a thread.
#define SPAWN(function) \
	__asm__("spawn: mov %rdx, %r10\n" SPAWN_CALL("call " #function "\n")); \
	i64 spawn(u64 flags, void *stack, volatile u32 *tid);

// spawn(flags, stack, tid, one) starts function(one) in a thread; clone(2) gets one in
// a register too: in r8, where CLONE_SETTLS reads it, or in another.
#define SPAWN_WITH(reg, function, type) \
	__asm__("spawn: mov %rdx, %r10\n" \
		"mov %rcx, %" reg "\n" \
		SPAWN_CALL("mov %" reg ", %rdi\ncall " #function "\n")); \
	i64 spawn(u64 flags, void *stack, volatile u32 *tid, type one);
