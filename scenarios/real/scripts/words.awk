# Words, fields, arrays, numbers and functions in gawk.
function gcd(a, b) { return b ? gcd(b, a % b) : a }
BEGIN { PROCINFO["sorted_in"] = "@ind_str_asc"; CONVFMT = "%.9g" }
{
	lines++; chars += length($0)
	for (i = 1; i <= NF; i++) { n[$i]++; by[length($i)]++ }
	if (match($0, /([abc]+)d([ef]+)/, m)) hits[m[1] "-" m[2]]++
}
END {
	print lines, chars, length(n), length(hits)
	for (k in by) printf "%2d %6d %.8g\n", k, by[k], by[k] / chars
	for (k in hits) if (hits[k] > 3) print k, hits[k]
	print gcd(123456, 7890), 2 ** 0.5, exp(1), atan2(1, 2), int(-3.7), sin(0.5), log(10), substr("hello", 2, 3), index("abc", "c")
	print gensub(/(a)(b)/, "\\2\\1", "g", "abab"), toupper("x"), sprintf("%c%5.1f|%-5s|%x|%e", 65, 3.14159, "ab", 255, 12345.6789), strtonum("0x1f")
	n2 = split("q w e r t y", parts, " "); for (i = n2; i > 0; i--) printf("%s%s", parts[i], (i > 1 ? "," : "\n"))
	print and(12, 10), or(12, 10), xor(12, 10), lshift(1, 20), 1e300 * 1e10, -log(0), 100000000000000000000
	for (i = 0; i < 100; i++) print i, i * i > "awk.out"
	close("awk.out")
	while ((getline line < "awk.out") > 0) sum += split(line, x, " ") + x[2]
	print sum; printf "diagnostic\n" > "/dev/stderr"; exit 5
}
