# PostgreSQL's server and psql on a UNIX socket: 100 transactions between ten accounts.
bin=/usr/lib/postgresql/15/bin
chown -R 70:70 .
as() { setpriv --reuid=70 --regid=70 --clear-groups "$@"; }
setpriv --reuid=70 --regid=70 --clear-groups $bin/postgres -D data -k "$PWD" -c listen_addresses= -c log_destination=stderr 2>server.log &
server=$!
for ((i = 0; i < 100; i++)); do
	as $bin/psql -h "$PWD" -U postgres -c "select 1" >/dev/null 2>&1 && break
	sleep 0.1
done
{
	echo "create table account (id int primary key, owner text, balance int);"
	echo "insert into account select n, 'owner ' || n, 100 from generate_series(0, 9) n;"
	for ((i = 0; i < 100; i++)); do
		echo "begin; update account set balance = balance - $((i % 7)) where id = $((i % 10)); update account set balance = balance + $((i % 7)) where id = $(((i + 3) % 10)); commit;"
	done
	echo "select sum(balance), count(*) from account;"
	echo "select * from account order by id;"
} >in.sql
as $bin/psql -h "$PWD" -U postgres -X -q -v ON_ERROR_STOP=1 <in.sql
echo "psql $?"
kill -INT $server
wait $server
echo "server $?"
