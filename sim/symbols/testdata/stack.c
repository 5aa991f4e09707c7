// A program with every kind of frame: recursion, an inlined function, a signal's handler
// on a stack of its own or not, a call from a library.
#include <signal.h>
#include <stdlib.h>
#include <string.h>

volatile int sink;
static char alternate[65536];

__attribute__((noinline)) void stop_here(int n) { sink += n; }

static inline __attribute__((always_inline)) void inner(int n) {
    sink++;
    stop_here(n);
    sink++;
}

static inline __attribute__((always_inline)) void outer(int n) {
    sink += 2;
    inner(n + 1);
    sink += 3;
}

__attribute__((noinline)) int recurse(int depth) {
    char room[48];
    memset(room, depth, sizeof room);
    sink += room[depth & 15];
    if (depth == 0) {
        outer(7);
    } else {
        sink += recurse(depth - 1);
    }
    return room[3] + sink;
}

static void handler(int sig) {
    sink += sig;
    sink += recurse(2);
    sink++;
}

static int compare(const void *a, const void *b) {
    static int once;
    if (!once++) {
        raise(SIGUSR1);
        sink++;
    }
    return *(const int *)a - *(const int *)b;
}

int main(int argc, char **argv) {
    stack_t st = {.ss_sp = alternate, .ss_size = sizeof alternate};
    struct sigaction sa = {.sa_handler = handler, .sa_flags = argc > 1 ? SA_ONSTACK : 0};
    int list[4] = {3, 1, 4, 1};
    sigaltstack(&st, NULL);
    sigaction(SIGUSR1, &sa, NULL);
    qsort(list, 4, sizeof list[0], compare);
    return list[0] - 1;
}
