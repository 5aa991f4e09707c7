"""Files, directories, archives."""
import glob, io, mmap, os, shutil, stat, tarfile, tempfile, zipfile

os.makedirs("tree/a/b", exist_ok=True)
for i in range(20):
    with open(f"tree/a/f{i:02d}", "w") as f:
        f.write(f"file {i}\n" * i)
os.rename("tree/a/f03", "tree/a/b/moved")
os.link("tree/a/f04", "tree/hard")
os.symlink("a/f05", "tree/soft")
os.chmod("tree/a/f06", 0o640)
os.truncate("tree/a/f07", 10)
os.utime("tree/a/f08", (1, 2))
os.remove("tree/a/f09")
for root, dirs, names in os.walk("tree"):
    dirs.sort()
    for n in sorted(names):
        s = os.lstat(os.path.join(root, n))
        print(root, n, stat.filemode(s.st_mode), s.st_nlink, s.st_size)
print(os.readlink("tree/soft"), os.stat("tree/soft").st_size, os.path.realpath("tree/soft"))
print(os.stat("tree/a/f08").st_mtime, sorted(glob.glob("tree/**/f1*", recursive=True))[:3])
for bad in (lambda: open("tree/a/f09"), lambda: os.rmdir("tree/a"), lambda: os.mkdir("tree"), lambda: os.listdir("tree/hard"), lambda: open("tree")):
    try:
        bad()
    except OSError as e:
        print(type(e).__name__, e.errno, e.filename)

with open("tree/big", "w+b", buffering=0) as f:
    f.seek(1 << 20)
    f.write(b"end")
    f.seek(-5, os.SEEK_END)
    print(f.tell(), f.read(), os.fstat(f.fileno()).st_size)
    os.pwrite(f.fileno(), b"middle", 5000)
    print(os.pread(f.fileno(), 8, 4999))
with open("tree/big", "rb") as f, mmap.mmap(f.fileno(), 0, access=mmap.ACCESS_READ) as m:
    print(len(m), m.find(b"middle"), m[-3:])

with zipfile.ZipFile("tree.zip", "w", zipfile.ZIP_DEFLATED) as z:
    for i in range(20):
        z.writestr(zipfile.ZipInfo(f"m{i}", (2023, 7, 10, 0, 0, 0)), f"member {i} " * 50)
with zipfile.ZipFile("tree.zip") as z:
    print(z.testzip(), len(z.namelist()), z.getinfo("m3").file_size)
archive = io.BytesIO()
with tarfile.open(fileobj=archive, mode="w:xz") as t:
    for n in sorted(os.listdir("tree/a")):
        info = t.gettarinfo(f"tree/a/{n}")
        info.mtime, info.uid, info.gid, info.uname, info.gname = 0, 0, 0, "", ""
        t.addfile(info, open(f"tree/a/{n}", "rb") if info.isreg() else None)
archive.seek(0)
with tarfile.open(fileobj=archive) as t:
    print(t.getnames()[:4], t.extractfile("tree/a/f02").read())
with tempfile.TemporaryDirectory(dir=".") as d:
    shutil.copytree("tree/a", d + "/copy")
    print(len(os.listdir(d + "/copy")))
r, w = os.pipe()
os.write(w, b"through a pipe")
os.close(w)
print(os.read(r, 100), os.read(r, 1))
shutil.rmtree("tree/a/b")
print(sorted(os.listdir("tree")), os.getcwd(), os.access("tree.zip", os.X_OK))
