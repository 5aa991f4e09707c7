# memcached with four worker threads, and connections that each have one of them.
memcached -u root -U 0 -t 4 -l 127.0.0.1 -p 11211 & server=$!
until exec {c[0]}<>/dev/tcp/127.0.0.1/11211; do sleep 0.01; done 2>/dev/null
for i in 1 2 3 4 5; do exec {c[i]}<>/dev/tcp/127.0.0.1/11211; done
ask() { printf '%s\r\n' "${@:2}" >&"${c[$1]}"; read -r answer <&"${c[$1]}"; answer=${answer%$'\r'}; }
for i in {0..119}; do
	ask $((i % 6)) "set key$i 0 0 $((4 + ${#i}))" "word$i"; [[ $answer = STORED ]] || echo "set $i: $answer"
done
for i in {0..119..7}; do ask $(((i + 1) % 6)) "get key$i"; read -r word <&"${c[(i + 1) % 6]}"; echo "$answer ${word%?}"; read -r <&"${c[(i + 1) % 6]}"; done
ask 0 'set n 0 0 1' 0
for i in {0..59}; do for k in 0 1 2 3 4 5; do ((i % 6 == k)) && printf 'incr n %d\r\n' $i >&"${c[k]}"; done; done
for k in 0 1 2 3 4 5; do for i in {0..9}; do read -r answer <&"${c[k]}"; done; done
ask 3 'incr n 0'; echo "sum $answer"
ask 4 'delete key7'; ask 5 'get key7'; echo "$answer"
kill $server; wait $server; echo "server ended with $?"
exit 4
