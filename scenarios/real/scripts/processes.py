"""Other processes: subprocess, os.fork, pipes, signals to children."""
import os, signal, subprocess, sys

print(subprocess.run(["/bin/echo", "child"], capture_output=True, text=True), flush=True)
print(subprocess.run("echo $((6 * 7)); echo err >&2; exit 3", shell=True, capture_output=True), flush=True)
with subprocess.Popen(["sort", "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as p:
    out, _ = p.communicate(b"".join(b"%d\n" % (n * 7919 % 1000) for n in range(20000)))
print(len(out), out[:12], p.returncode)
a = subprocess.Popen(["head", "-n", "40", "rows.csv"], stdout=subprocess.PIPE)
b = subprocess.Popen(["wc", "-lw"], stdin=a.stdout, stdout=subprocess.PIPE)
a.stdout.close()
print(b.communicate()[0].split(), a.wait())
sleeper = subprocess.Popen(["sleep", "60"])
try:
    sleeper.wait(timeout=0.02)
except subprocess.TimeoutExpired as e:
    print(e)
sleeper.send_signal(signal.SIGTERM)
print(sleeper.wait())
for bad in ["/no/such/program"], ["/usr/lib"]:
    try:
        subprocess.run(bad)
    except OSError as e:
        print(type(e).__name__, e)
r, w = os.pipe()
parent = os.getpid()
pid = os.fork()
if pid == 0:
    os.close(r)
    os.write(w, b"from the child of " + (b"its parent" if os.getppid() == parent else b"another"))
    os._exit(7)
os.close(w)
print(os.read(r, 100), os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
children = []
for i in range(5):
    pid = os.fork()
    if pid == 0:
        signal.pause() if i == 2 else os._exit(i)
    children.append(pid)
print([os.waitpid(c, 0)[1] >> 8 for i, c in enumerate(children) if i != 2], os.waitpid(children[2], os.WNOHANG))
os.kill(children[2], signal.SIGKILL)
print(os.waitpid(children[2], 0)[1])
try:
    os.wait()
except ChildProcessError as e:
    print(e)
print(subprocess.check_output(["sh", "-c", "echo $A; umask; pwd"], env={"A": "b"}, cwd="/usr", umask=0o77, start_new_session=True))
print(os.posix_spawn("/bin/true", ["true"], {}) > 0, os.wait()[1], os.system("exit 2") >> 8, os.popen("echo popen").read())
sys.stdout.flush()
os.execv("/bin/sh", ["sh", "-c", "echo last; exit 9"])
