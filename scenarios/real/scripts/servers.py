# What servers in Python are made of: asyncio, shared memory, timers, epoll and sendfile.
import asyncio, mmap, os, select, signal
from multiprocessing import shared_memory

async def handle(reader, writer):
    writer.write((await reader.readline()).upper())
    await writer.drain()
    writer.close()

async def client(port, i):
    reader, writer = await asyncio.open_connection('127.0.0.1', port)
    writer.write(b'request %d\n' % i)
    answer = await reader.read()
    writer.close()
    return answer

async def main():
    server = await asyncio.start_server(handle, '127.0.0.1', 0)
    port = server.sockets[0].getsockname()[1]
    print(await asyncio.gather(*(client(port, i) for i in range(3))))
    child = await asyncio.create_subprocess_exec('/bin/cat', stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE)
    print(await child.communicate(b'through cat'), child.returncode, await asyncio.to_thread(sum, [1, 2, 3]))
    try:
        await asyncio.wait_for(asyncio.sleep(10), 0.05)
    except asyncio.TimeoutError:
        print('timeout')
    got = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, got.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    print(await got.wait())
    server.close()

asyncio.run(main())
a = shared_memory.SharedMemory(create=True, size=100)
b = shared_memory.SharedMemory(name=a.name)
a.buf[:5] = b'hello'
print(bytes(b.buf[:5]))
b.close(), a.close(), a.unlink()
area = mmap.mmap(-1, 8192)
if os.fork() == 0:
    area[:5] = b'child'
    os._exit(0)
os.wait()
area.resize(16384)
print(area[:5], len(area))
ticks = []
signal.signal(signal.SIGALRM, lambda *_: ticks.append(1))
signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
while len(ticks) < 3:
    signal.pause()
signal.setitimer(signal.ITIMER_REAL, 0)
r, w = os.pipe()
with open('input.txt', 'rb') as f, select.epoll() as poll:
    poll.register(r, select.EPOLLIN | select.EPOLLET)
    print(poll.poll(0), os.sendfile(w, f.fileno(), 100, 5000), poll.poll() == [(r, 1)], poll.poll(0), len(os.read(r, 9999)))
