-- For LuaJIT: loops that become machine code, leave it where types change, are
-- compiled again, call C through machine code made for it, and are called back.
local ffi = require("ffi")
local bit = require("bit")

print(jit.version, jit.arch, (jit.status()))

local function hash(text)
  local h = 0x811c9dc5
  for i = 1, #text do
    h = bit.tobit(bit.bxor(h, text:byte(i)) * 403)
  end
  return bit.tohex(h)
end

local s = 0
for i = 1, 400000 do s = (s * 31 + i) % 65521 end
print("loop", s)

local function add(a, b) return a + b end
local mixed = 0
for round = 1, 60 do -- integers, numbers, strings that are numbers: side exits
  for i = 1, 300 do
    local v = i
    if round % 3 == 1 then v = i + 0.25 elseif round % 20 == 2 then v = tostring(i) end
    mixed = add(mixed, v)
  end
end
print("types", string.format("%.4f", mixed))

local words = {}
for word in io.open("input.txt"):read("*a"):gmatch("%a+") do
  words[word] = (words[word] or 0) + 1
end
local sorted = {}
for word, n in pairs(words) do sorted[#sorted + 1] = string.format("%05d %s", n, word) end
table.sort(sorted)
print("words", #sorted, sorted[#sorted], hash(table.concat(sorted, ",")))

ffi.cdef [[
  typedef struct { double x, y; int n; } point;
  int abs(int);
  size_t strlen(const char *);
  void qsort(void *, size_t, size_t, int (*)(const void *, const void *));
]]
local points = ffi.new("point[100]")
for i = 0, 99 do points[i].x, points[i].y, points[i].n = i / 3, i * 7 % 13, i * 37 % 101 end
local sum = 0
for round = 1, 300 do
  for i = 0, 99 do
    sum = sum + points[i].x * points[i].y + ffi.C.abs(-points[i].n)
    points[i].y = (points[i].y + points[i].x) % 17
  end
end
print("structures", string.format("%.6f", sum), tonumber(ffi.C.strlen(tostring(s))))
local calls = 0
local compare = ffi.cast("int (*)(const void *, const void *)", function(a, b)
  calls = calls + 1
  return ffi.cast("const point *", a).n - ffi.cast("const point *", b).n
end)
ffi.C.qsort(points, 100, ffi.sizeof("point"), compare)
compare:free()
print("callback", calls > 0, points[0].n, points[50].n, points[99].n)

local made = 0
for i = 1, 200 do -- code for code that is made anew
  local f = loadstring("local a = ... local s = 0 for i = 1, 100 do s = s + i * a % " .. (i + 2) .. " end return s")
  made = (made + f(i)) % 1000003
end
jit.flush()
jit.off()
for i = 1, 1000 do made = (made * 3 + i) % 1000003 end
jit.on()
for i = 1, 1000 do made = (made * 3 + i) % 1000003 end
print("made", made, pcall(error, "out of a trace"))
os.exit(3)
