.bail on
create table word(line integer primary key, first text, rest text, n int);
.mode csv
.import rows.csv word
.mode list
select count(*), sum(n), min(first), max(rest) from word;
create index by_first on word(first, n);
analyze;
select first, count(*) c, sum(n), avg(n) from word group by first having c > 40 order by c desc, first limit 10;
select a.line, b.line from word a join word b on b.first = a.rest and b.n > a.n order by 1, 2 limit 10;
with recursive fib(a, b, i) as (values(0, 1, 1) union all select b, a + b, i + 1 from fib where i < 60) select a from fib where i % 10 = 0;
select line, n, sum(n) over (order by line rows 3 preceding), rank() over (partition by first order by n desc) from word where line % 997 = 0;
update word set n = n * 2 where first like 'a%';
delete from word where line % 7 = 0;
begin; delete from word; rollback;
select count(*), sum(n), total(n) / 3, hex(group_concat(substr(first, 1, 1), '')) = '' from word;
select json_group_array(json_object('f', first, 'n', n)) from (select * from word order by line limit 3);
select printf('%08.3f|%x|%s', 3.14159, 255, quote(x'00ff')), round(2.5), 7 / 2, 7 % 3, 1e308 * 10, upper('abc'), date(0, 'unixepoch');
reindex; vacuum;
pragma integrity_check;
pragma page_count;
