"""A tour of Python's extension modules whose results are exact."""
import base64, bisect, collections, csv, datetime, decimal, fractions, hashlib, heapq, hmac
import io, itertools, json, lzma, bz2, math, pickle, random, re, statistics, string, struct, textwrap, zlib

text = open("input.txt").read()
words = text.split()

print("words", len(words), len(set(words)))
for word, n in collections.Counter(words).most_common(10):
    print(f"{word:>12} {n:6d} {n / len(words):.6%}")

doc = [{"id": i, "word": w, "len": len(w), "half": len(w) / 2, "even": i % 2 == 0, "next": None} for i, w in enumerate(words[:400])]
packed = json.dumps(doc, indent=1, sort_keys=True)
assert json.loads(packed) == doc
print("json", len(packed), hashlib.sha1(packed.encode()).hexdigest())

print("re", len(re.findall(r"\b(?:ab|cd)+[ef]?\b", text)), re.sub(r"([a-f])\1+", lambda m: f"<{m[1]}{len(m[0])}>", text[:300]))
print("re", re.split(r"\s+|(?<=a)(?=b)", text[:120]), re.search(r"(?P<first>\w+)", text)["first"])

for layout in "<hHiIqQ", ">hHiIqQ", "=bBxxhi":
    values = [-2, 65533, -123456, 4000000000, -(2**40), 2**63 + 5][: len(struct.unpack(layout, bytes(struct.calcsize(layout))))]
    if layout[0] == "=":
        values = [-1, 255, -2, 70000]
    print("struct", layout, struct.pack(layout, *values).hex(), struct.unpack(layout, struct.pack(layout, *values)))
print("struct", struct.pack("<efd", 1.5, 2.7182818, math.pi).hex(), struct.unpack("<e", b"\xff\x7b"))

data = text.encode()
for name in sorted(hashlib.algorithms_guaranteed):
    h = hashlib.new(name, data)
    print("hash", name, h.hexdigest(20) if name.startswith("shake") else h.hexdigest())
print("hmac", hmac.new(b"key", data, "sha256").hexdigest(), hashlib.pbkdf2_hmac("sha512", b"pw", b"salt", 50).hex())
print("scrypt", hashlib.scrypt(b"pw", salt=b"salt", n=16, r=8, p=1, dklen=24).hex())

for name, pack, unpack in ("zlib", zlib.compress, zlib.decompress), ("bz2", bz2.compress, bz2.decompress), ("lzma", lzma.compress, lzma.decompress):
    small = pack(data)
    assert unpack(small) == data
    print(name, len(small), hashlib.md5(small).hexdigest())
print("crc", zlib.crc32(data), zlib.adler32(data), base64.b85encode(data[:40]))

decimal.getcontext().prec = 60
print("decimal", decimal.Decimal(2).sqrt(), decimal.Decimal(1).exp(), (decimal.Decimal(10) / 7).quantize(decimal.Decimal("1e-20")))
print("fraction", sum(fractions.Fraction(1, n) for n in range(1, 40)))
print("int", pow(3, 5000, 10**40), math.factorial(120), math.isqrt(10**61), (1 << 300).bit_length())

rng = random.Random(12345)
sample = [rng.gauss(0, 1) for _ in range(500)]
print("random", rng.random(), rng.randrange(10**30), rng.sample(range(1000), 8), rng.choices("abc", k=10))
print("statistics", statistics.mean(sample), statistics.stdev(sample), statistics.median(sample))
for f in math.sin, math.cos, math.tan, math.exp, math.expm1, math.atan, math.erf, math.tanh:
    print("math", f.__name__, math.fsum(map(f, sample)).hex())
print("math", math.gamma(7.25), math.lgamma(-2.5), math.hypot(3, 4, 12), math.remainder(17.3, 2.1), math.nextafter(1, 2), math.cbrt(5) if hasattr(math, "cbrt") else "")
print("float", [float(s) for s in ("1e-320", "0.1", "1.7976931348623157e308", "-0.0", "nan")], 0.1 + 0.2, (0.1).hex(), float.fromhex("0x1.8p-3"), round(2.675, 2), f"{1e22:.0f} {123456.789:,.3e}")

table = io.StringIO()
writer = csv.writer(table)
writer.writerows([(i, w, f'"{w}"', f"{i},{w}") for i, w in enumerate(words[:30])])
print("csv", hashlib.md5(table.getvalue().encode()).hexdigest(), [r[3] for r in csv.reader(io.StringIO(table.getvalue()))][:3])

print("datetime", datetime.datetime(2023, 7, 10, tzinfo=datetime.timezone.utc).isoformat(), datetime.date(2024, 2, 29) + datetime.timedelta(366), datetime.date(2023, 7, 10).strftime("%A %j %U"))
print("heap", heapq.nsmallest(5, words), heapq.nlargest(5, words), bisect.bisect(sorted(words), "cab"))
print("pickle", hashlib.md5(pickle.dumps(doc, 5)).hexdigest(), pickle.loads(pickle.dumps(doc)) == doc)
print(textwrap.fill(text[:300], 60))
print("iter", list(itertools.islice(itertools.permutations("abcd"), 5)), list(itertools.accumulate(range(10))), string.Template("$a-$b").substitute(a=1, b="x"))
try:
    {}["missing"]
except KeyError as e:
    print("error", repr(e))
