# What bash does with other processes.
shopt -s lastpipe
grep -c ab input.txt | tr 0-9 a-j
sort -u input.txt | head -n 300 | sed -n 's/a/A/gp' | cut -c1-20 | tail -n 3
echo "in $(echo "the $(printf '%s' inner)") middle"
n=$(wc -l <rows.csv); echo $n
(cd /usr/lib && exit 9); echo "subshell $?" "$PWD"
for i in 1 2 3; do (sleep 0.0$i; exit $i) & pids[i]=$!; done
for i in 3 1 2; do wait "${pids[i]}"; echo "job $i ended with $?"; done
sleep 100 & kill -TERM $!; { wait $!; } 2>/dev/null; echo "killed: $?"
false | true | exit 5 | cat; echo "${PIPESTATUS[@]}"
set -o pipefail; false | cat; echo "pipefail $?"; set +o pipefail
seq 1 500 | while read -r x; do ((sum += x)); done; echo $sum
diff <(seq 1 10) <(seq 1 2 10); echo "diff $?"
seq 5 | tee >(wc -c >count.out) >/dev/null; wait $!; cat count.out
yes | head -n 2000 | wc -l
trap 'echo interrupted' INT; (kill -INT $$); trap - INT
coproc bc { while read -r a b; do echo $((a * b)); done; }
echo 6 7 >&"${bc[1]}"; read -r x <&"${bc[0]}"; echo "coprocess $x"; eval "exec ${bc[1]}>&-"; wait
cat <<<"here $(basename /a/b/c)" | base64
(echo one; exec echo two; echo never) | nl
{ echo out; echo err >&2; } 2>&1 >/dev/null | sed s/^/caught:/
/no/such/program; echo "status $?"; /usr/lib; echo "status $?"
exec /bin/sh -c 'echo "exec $0 $1"; exit 8' name arg
