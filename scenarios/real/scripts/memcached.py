"""memcached over a socket in the file tree: clients on several connections, then its end."""
import os, signal, socket, subprocess, time

server = subprocess.Popen(["memcached", "-u", "root", "-U", "0", "-t", "2", "-s", "/tmp/memcached"])
while not os.path.exists("/tmp/memcached"):
    time.sleep(0.01)


def connect():
    s = socket.socket(socket.AF_UNIX)
    while s.connect_ex("/tmp/memcached"):
        time.sleep(0.01)
    return s.makefile("rwb")


def ask(f, text, lines=1):
    f.write(text)
    f.flush()
    return [f.readline() for _ in range(lines)]


clients = [connect() for _ in range(4)]
for i in range(200):
    value = b"%d" % (i * i) * (i % 7 + 1)
    assert ask(clients[i % 4], b"set key%d 0 0 %d\r\n%s\r\n" % (i, len(value), value)) == [b"STORED\r\n"]
print(ask(clients[1], b"get key7\r\n", 3), ask(clients[2], b"get none\r\n"))
print(ask(clients[3], b"set n 0 0 2\r\n40\r\n"), ask(clients[0], b"incr n 2\r\n"), ask(clients[1], b"decr n 50\r\n"))
print(ask(clients[2], b"delete key7\r\n"), ask(clients[2], b"get key7\r\n"), ask(clients[0], b"nonsense\r\n"))
print(ask(clients[0], b"version\r\n"), ask(clients[1], b"gat 100 key12\r\n", 3), flush=True)
server.send_signal(signal.SIGTERM)
print(server.wait())
