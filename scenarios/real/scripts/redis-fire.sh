# A server that appends every change to its file, and one client after the other.
redis-server --port 0 --unixsocket redis.sock --save "" --appendonly yes --appendfsync always >/dev/null &
cli() { redis-cli -s redis.sock "$@"; }
until cli ping >/dev/null 2>&1; do sleep 0.05; done
{ seq 1 50 | sed 's/.*/hset h f& &/'; printf 'incrby n 40\nincrby n 2\nget n\nmulti\nset a 1\nincr a\nexec\nrpush list a b c d\nlrange list 1 -2\n'; } | cli | sort | uniq -c
cli eval 'local s = 0; for _, v in ipairs(redis.call("hvals", KEYS[1])) do s = s + v end; return s' 1 h
cli shutdown nosave; wait $!; echo "server ended with $?"
rm -r appendonlydir
exit 5
