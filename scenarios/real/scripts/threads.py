"""Threads with locks, conditions, queues and a pool; the printed order is fixed by them."""
import concurrent.futures, queue, sys, threading

sys.setswitchinterval(1e-4)
total, lock = 0, threading.Lock()


def add(n):
    global total
    for _ in range(n):
        with lock:
            total += 1


threads = [threading.Thread(target=add, args=(400 * i,)) for i in range(1, 6)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print("total", total)

work, done = queue.Queue(3), queue.PriorityQueue()


def worker():
    while (n := work.get()) is not None:
        done.put((n, pow(3, n, 10007)))
        work.task_done()
    work.task_done()


pool = [threading.Thread(target=worker, daemon=True) for _ in range(3)]
for t in pool:
    t.start()
for n in [*range(60), None, None, None]:
    work.put(n)
work.join()
print(sum(done.get()[1] * (i + 1) for i in range(60)))

turn, cond = 0, threading.Condition()


def player(me):
    global turn
    for _ in range(4):
        with cond:
            cond.wait_for(lambda: turn % 3 == me)
            print("turn", turn, "player", me)
            turn += 1
            cond.notify_all()


players = [threading.Thread(target=player, args=(i,)) for i in range(3)]
for t in players:
    t.start()
for t in players:
    t.join()

barrier, local = threading.Barrier(4), threading.local()


def meet(i):
    local.value = i
    barrier.wait()
    return local.value * 10


with concurrent.futures.ThreadPoolExecutor(4) as ex:
    print(list(ex.map(meet, range(4))))
    failed = ex.submit(lambda: 1 // 0)
    print(repr(failed.exception()))
event = threading.Event()
timer = threading.Timer(0.01, event.set)
timer.start()
print(event.wait(5), event.is_set(), threading.Event().wait(0.001))
sem = threading.Semaphore(2)
print(sem.acquire(), sem.acquire(timeout=0.01), sem.acquire(blocking=False))
for t in [timer, *pool]:
    t.join()
print(threading.active_count())
