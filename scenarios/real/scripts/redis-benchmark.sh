# Redis under its own benchmark: what it did is the same each time, how long it took is not.
redis-server --port 0 --unixsocket redis.sock --save "" >/dev/null &
cli() { redis-cli -s redis.sock "$@"; }
until cli ping >/dev/null 2>&1; do sleep 0.05; done
redis-benchmark -s redis.sock -n 300 -c 5 -P 3 -r 5 -d 20 -t set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,zadd,mset --csv | cut -d, -f1
cli lrange mylist 0 2; cli llen mylist; cli scard myset
cli info commandstats | sed -n 's/^cmdstat_\([a-z]*\):calls=\([0-9]*\),.*/\1 \2/p' | grep -v 'ping\|info\|config' | sort
cli shutdown nosave
wait $!
echo "server ended with $?"
