"""Calls into C libraries and back."""
import ctypes, ctypes.util

libc, libm = ctypes.CDLL("libc.so.6"), ctypes.CDLL("libm.so.6")
Compare = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
values = (ctypes.c_int * 200)(*[(i * 7919) % 1009 - 500 for i in range(200)])
calls = 0


def compare(a, b):
    global calls
    calls += 1
    return (a[0] > b[0]) - (a[0] < b[0])


libc.qsort(values, len(values), ctypes.sizeof(ctypes.c_int), Compare(compare))
print(list(values)[:20], list(values) == sorted(values), calls > 200)
for name in "sin", "exp", "log1p", "cbrt", "tgamma", "j0":
    f = getattr(libm, name)
    f.restype, f.argtypes = ctypes.c_double, [ctypes.c_double]
    print(name, f(0.75).hex())
libm.sinl.restype, libm.sinl.argtypes = ctypes.c_longdouble, [ctypes.c_longdouble]
print("sinl", libm.sinl(0.75))


class Div(ctypes.Structure):
    _fields_ = [("quot", ctypes.c_long), ("rem", ctypes.c_long)]


libc.ldiv.restype, libc.ldiv.argtypes = Div, [ctypes.c_long, ctypes.c_long]
d = libc.ldiv(-1234567, 1000)
print("ldiv", d.quot, d.rem)
buf = ctypes.create_string_buffer(100)
n = libc.snprintf(buf, len(buf), b"%5.3f|%-6s|%#x|%Le", ctypes.c_double(2.0005), b"abc", 48879, ctypes.c_longdouble(1) if hasattr(ctypes, "c_longdouble") else 1)
print(n, buf.value)


class Bits(ctypes.BigEndianStructure):
    _fields_ = [("a", ctypes.c_uint16, 3), ("b", ctypes.c_uint16, 13), ("c", ctypes.c_float)]


print(bytes(Bits(5, 4097, 1.5)).hex())
ctypes.set_errno(0)
print(ctypes.CDLL(None, use_errno=True).open(b"/no/such/file", 0), ctypes.get_errno())
