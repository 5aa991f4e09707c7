# A server, its clients, and an append-only file that a second server reads back.
serve() { redis-server --port 0 --unixsocket redis.sock --save "" --appendonly yes --appendfsync always >/dev/null & }
cli() { redis-cli -s redis.sock "$@"; }
ready() { until cli ping >/dev/null 2>&1; do sleep 0.05; done; }
serve; ready
cli set key value; cli incrby n 40; cli incrby n 2; cli get key
cli rpush list a b c d; cli lrange list 1 -2; cli zadd z 2 two 1 one 3.5 more; cli zrange z 0 -1 withscores
seq 1 50 | sed 's/.*/hset h f& &/' | cli | sort | uniq -c; cli hlen h
cli eval 'local s = 0; for _, v in ipairs(redis.call("hvals", KEYS[1])) do s = s + v end; return s' 1 h
printf 'multi\nset a 1\nincr a\nexec\n' | cli; cli get no such thing
cli shutdown nosave; wait $!; echo "server ended with $?"
serve; ready
cli get key; cli get n; cli dbsize; cli hget h f50
cli shutdown nosave; wait $!; rm -rf appendonlydir
exit 5
