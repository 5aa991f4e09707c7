-- Words, numbers, strings, coroutines and closures in Lua.
local count, order = {}, {}
for line in io.lines("input.txt") do
  for w in line:gmatch("%a+") do
    if not count[w] then count[w] = 0; order[#order + 1] = w end
    count[w] = count[w] + 1
  end
end
table.sort(order, function(a, b) if count[a] ~= count[b] then return count[a] > count[b] end return a < b end)
for i = 1, 12 do print(i, order[i], count[order[i]]) end
print(#order, string.format("%.14g %5.2f %e %q %x %a", math.pi, -2.345, 12345.678, "a\n\"b\"", 48879, 0.1))
print(("key = value"):match("^(%w+)%s*=%s*(%w+)$"), ("abc"):rep(3, "-"), ("hello"):gsub("l", { l = "L" }))
print(string.pack("<i4d", -7, 2.5):byte(1, -1))
print(7 // 2, -7 // 2, 7 % -3, 2 ^ 0.5, 1 << 62, math.maxinteger + 1 == math.mininteger, 10 / 2, 3 | 4, ~0)
local function primes(n)
  return coroutine.wrap(function()
    local sieve = {}
    for i = 2, n do
      if not sieve[i] then coroutine.yield(i) for j = i * i, n, i do sieve[j] = true end end
    end
  end)
end
local sum = 0
for p in primes(5000) do sum = sum + p end
print("primes", sum)
local point = setmetatable({}, { __index = function(_, k) return k .. "!" end, __call = function(_, x) return x * 2 end, __tostring = function() return "point" end })
print(point.x, point(21), tostring(point), select("#", table.unpack({ 1, nil, 3 }, 1, 3)))
print(pcall(error, { code = 1 }) == false, select(2, pcall(function() local x = nil; return x.y end)))
local out = assert(io.open("lua.out", "w"))
for i = 1, 200 do out:write(i, " ", math.sin(i), "\n") end
out:close()
print(os.date("!%Y-%m-%d %H:%M:%S", 1688947200), utf8.char(8364, 0x1F600), #utf8.char(8364))
os.exit(3)
