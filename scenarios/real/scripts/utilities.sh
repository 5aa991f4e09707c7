# Small programs about processes, locks, terminals and time.
flock lock -c 'flock -n lock true; echo "held: $?"'
(flock -s 9; flock -s -n lock echo shared; flock -n -E 7 lock true; echo "exclusive: $?") 9>lock
setsid -w sh -c '[ "$(ps -o sid= -p $$)" -eq $$ ] && echo leader'
nohup echo kept 2>&1
timeout -s INT 0.1 sleep 100; echo "timeout: $?"
{ timeout -k 0.1 0.1 sh -c 'trap "" TERM; while :; do sleep 1; done'; } 2>/dev/null; echo "killed: $?"
env -S "A=b sh -c 'echo \$A'"; env -i X=1 env
stdbuf -oL printf 'line\n' | cat
script -qec 'tty; stty size; sh -c "exit 5"' typescript; echo "script: $?"
sed '1d;$d' typescript; rm typescript
sleep 1000 & pid=$!
ps -o comm=,args= -p $pid; pgrep -P $$ -l sleep | cut -d' ' -f2; pkill -P $$ sleep; wait $pid; echo "sleep: $?"
echo $(($(nice -n 5 nice) - $(nice)))
HOME=/tmp top -b -n 1 -p $$ | gawk 'END { print $NF }'
getopt -o ab: --long all,beta: -- -a --beta x rest
mesg 2>&1
exit 8
