# Terminals of Python: openpty, a fork in one, settings, and reading both ends.
import fcntl, os, pty, select, signal, struct, termios, tty

def drained(fd):
    out = b''
    while True:
        try:
            data = os.read(fd, 1000)
        except OSError as e:
            return out, e.strerror
        if not data:
            return out, 'end'
        out += data

master, slave = pty.openpty()
print(os.ttyname(slave), os.isatty(master), os.isatty(slave))
os.write(master, b'erased\x7f\x7f!\n')
print(os.read(slave, 100), os.read(master, 100))
fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack('HHHH', 30, 90, 0, 0))
print(os.get_terminal_size(slave))
tty.setraw(slave)
os.write(master, b'\x03\r')
print(os.read(slave, 10), select.select([slave, master], [slave], [], 0)[1] == [slave])
os.close(slave)
print(drained(master))
os.close(master)
pid, fd = pty.fork()
if pid == 0:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    os.execv('/bin/sh', ['sh', '-c', 'read x; echo "got $x on $(tty)"; stty -echo; stty | grep -c -- -echo; exit 3'])
os.write(fd, b'hello\n')
print(drained(fd), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
pid, fd = pty.fork()
if pid == 0:
    os.execv('/bin/sh', ['sh', '-c', 'echo up; exec sleep 1000'])
print(os.read(fd, 100))
os.close(fd)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
