"""multiprocessing: pools, queues, pipes, locks and shared memory between processes."""
import multiprocessing as mp, os, sys
from multiprocessing import shared_memory


def square(n):
    return n * n


def adder(counter, lock, n):
    for _ in range(n):
        with lock:
            counter.value += 1


def worker(jobs, results):
    for n in iter(jobs.get, None):
        results.put((n, pow(3, n, 1009)))


def echo(conn):
    while (x := conn.recv()) != "end":
        conn.send(x * 2)
    conn.close()


def fill(name, at):
    block = shared_memory.SharedMemory(name)
    block.buf[at] = at + 1
    block.close()


if __name__ == "__main__":
    method = sys.argv[1]
    mp.set_start_method(method)
    with mp.Pool(3) as pool:
        print(pool.map(square, range(20), chunksize=3), pool.apply_async(square, (12,)).get())
        try:
            pool.apply(square, ("x",))
        except TypeError as e:
            print(e)
    counter, lock = mp.Value("i", 0, lock=False), mp.Lock()
    crowd = [mp.Process(target=adder, args=(counter, lock, 30)) for _ in range(4)]
    jobs, results = mp.Queue(), mp.Queue()
    crowd += [mp.Process(target=worker, args=(jobs, results)) for _ in range(2)]
    for p in crowd:
        p.start()
    for n in [*range(25), None, None]:
        jobs.put(n)
    print(sorted(results.get() for _ in range(25)))
    for p in crowd:
        p.join()
    print(counter.value, [p.exitcode for p in crowd])
    here, there = mp.Pipe()
    p = mp.Process(target=echo, args=(there,))
    p.start()
    for x in 21, "ab", [1, 2]:
        here.send(x)
        print(here.recv())
    here.send("end")
    p.join()
    block = shared_memory.SharedMemory(create=True, size=8)
    parts = [mp.Process(target=fill, args=(block.name, i)) for i in range(4)]
    for p in parts:
        p.start()
    for p in parts:
        p.join()
    print(bytes(block.buf[:4]))
    block.close()
    block.unlink()
    hung = mp.Process(target=echo, args=(there,))
    hung.start()
    hung.terminate()
    hung.join()
    print(hung.exitcode, mp.active_children())
