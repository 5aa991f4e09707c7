# 100 transactions between ten accounts in PostgreSQL's single-user mode.
chown -R 70:70 .
{
	echo "create table account (id int primary key, owner text, balance int);"
	echo "insert into account select n, 'owner ' || n, 100 from generate_series(0, 9) n;"
	for ((i = 0; i < 100; i++)); do
		echo "begin; update account set balance = balance - $((i % 7)) where id = $((i % 10)); update account set balance = balance + $((i % 7)) where id = $(((i + 3) % 10)); commit;"
	done
	echo "select sum(balance), count(*) from account;"
	echo "select * from account order by id;"
} >in.sql
setpriv --reuid=70 --regid=70 --clear-groups /usr/lib/postgresql/15/bin/postgres --single -D data postgres <in.sql
echo "status $?"
