// No system: stores are stores. Under the Zhuque runtime, or where all of the machine's memory
// survives (whole-system persistence), that is all it takes; elsewhere nothing survives.
enum { LOCKED = 1, IN_FILE = 0 };

static void open_system(void) {}
static void begin(struct thread *t, u64 operation, u64 a, u64 b) { (void)t, (void)operation, (void)a, (void)b; }
static void end(struct thread *t) { unlock_all(t); }
static void acquired(struct thread *t, u64 n) { (void)t, (void)n; }
static void releasing(struct thread *t, u64 n) { (void)t, (void)n; }
static u64 get(struct thread *t, u64 *p) { (void)t; return load(p); }
static void put(struct thread *t, u64 *p, u64 v) { (void)t; store(p, v); }
static void set(struct thread *t, u64 *p, const u64 *from, u64 n) { (void)t; copy(p, from, n); }
static void fresh(struct thread *t, u64 *p, const u64 *from, u64 n) { (void)t; copy(p, from, n); }
