"""Signals, interval timers and selectors over pipes."""
import os, select, selectors, signal, threading, time

seen = []
for s in signal.SIGUSR1, signal.SIGALRM, signal.SIGVTALRM:
    signal.signal(s, lambda n, frame: seen.append(signal.Signals(n).name))
os.kill(os.getpid(), signal.SIGUSR1)
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
print(seen)
signal.setitimer(signal.ITIMER_VIRTUAL, 0.001)
while "SIGVTALRM" not in seen:
    pass
print(seen, signal.getitimer(signal.ITIMER_VIRTUAL))
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR1])
signal.raise_signal(signal.SIGUSR1)
print(signal.sigpending(), len(seen), signal.sigwait([signal.SIGUSR1]), signal.sigtimedwait([signal.SIGUSR1], 0.001))
signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGUSR1])


def interrupted(n, frame):
    raise TimeoutError("interrupted")


signal.signal(signal.SIGALRM, interrupted)
signal.setitimer(signal.ITIMER_REAL, 0.01)
r, w = os.pipe()
try:
    os.read(r, 1)
except TimeoutError as e:
    print(e)
wake_r, wake_w = os.pipe2(os.O_NONBLOCK)
signal.set_wakeup_fd(wake_w)
threading.Timer(0.01, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGUSR1)).start()
for kind in selectors.SelectSelector, selectors.PollSelector, selectors.EpollSelector:
    with kind() as s:
        s.register(r, selectors.EVENT_READ, "data")
        s.register(wake_r, selectors.EVENT_READ, "wake")
        if kind is selectors.SelectSelector:
            print([k.data for k, _ in s.select(5)], os.read(wake_r, 10) == bytes([signal.SIGUSR1]))
        print(kind.__name__, s.select(0), s.select(0.001))
        os.write(w, b"x")
        print([(k.data, m) for k, m in s.select()], os.read(r, 10))
os.close(w)
print(select.select([r], [], []) == ([r], [], []), os.read(r, 1))
before = time.monotonic()
time.sleep(0.02)
print(0.02 <= time.monotonic() - before, seen.count("SIGUSR1"), flush=True)
signal.signal(signal.SIGTERM, signal.SIG_DFL)
os.kill(os.getpid(), signal.SIGTERM)
