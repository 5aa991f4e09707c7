# What bash does without another process.
shopt -s extglob nullglob
declare -A count
mapfile -t lines <input.txt
for w in ${lines[*]:0:40}; do ((count[$w]++)); done
for w in abc a b fed; do echo "$w ${count[$w]:-0}"; done
echo ${#lines[@]} ${#count[@]} "${lines[0]^^}" "${lines[1]//a/<A>}"
for ((i = 0, s = 1; i < 1500; i++)); do ((s = (s * 1103515245 + 12345) & 0x7fffffff)); done
echo $s $((2 ** 40)) $((-7 / 2)) $((-7 % 3)) $((16#ff)) $((1 << 10 | 3))
[[ "key=value" =~ ^([a-z]+)=(.*)$ ]] && echo "${BASH_REMATCH[1]} -> ${BASH_REMATCH[2]}"
printf '%5s|%-5s|%05d|%x|%.3f|%q|%b\n' a b 42 255 3.14159 'a b$' 'x\ty'
printf -v joined '%s,' {a..e}{1..3}
echo "${joined%,}" "${joined:3:5}" "${joined##*,e}" 
f() { local x=$1; ((x <= 1)) && { r=1; return; }; f $((x - 1)); ((r *= x)); }
f 15; echo $r
while IFS=: read -r a b; do echo "[$b]{$a}"; done <<'EOF'
one:two
three:four:five
EOF
case abcde in a*e) echo matched ;; *) echo not ;; esac
trap 'echo "exit trap $?"' EXIT
trap 'echo usr1' USR1
kill -USR1 $$
for i in {1..50}; do echo "line $i"; done >bash.out
exec 3<bash.out; read -r -u 3 x; read -r -u 3 y; exec 3<&-; echo "$x/$y"
echo *.txt *.nothing @(bash|none).out
set -- one "two three" four; echo $# "$2" "${@:2}" "$*"
cd / && pwd && cd - >/dev/null; type -t cd f if; echo ~ "$OLDPWD"
echo "to stderr" >&2; unset nothing; echo "${nothing-default}" "${x:+set}"
test -f bash.out -a ! -d bash.out && [ -s bash.out ] && echo tests
exit 6
