"""The sqlite3 module on a file: transactions, indexes, rollback, vacuum."""
import hashlib, sqlite3

words = open("input.txt").read().split()
db = sqlite3.connect("words.db")
db.execute("create table word(id integer primary key, text text not null, len int, share real)")
with db:
    db.executemany("insert into word(text, len, share) values(?, ?, ?)", ((w, len(w), len(w) / 7) for w in words[:3000]))
db.execute("create index by_text on word(text)")
print(db.execute("select count(*), sum(len), avg(share), min(text), max(text) from word").fetchone())
for row in db.execute("select text, count(*) n from word group by text having n > 1 order by n desc, text limit 12"):
    print(row)
try:
    with db:
        db.execute("update word set len = len * 2")
        db.execute("insert into word(text) values(null)")
except sqlite3.IntegrityError as e:
    print("rolled back:", e)
db.create_function("rev", 1, lambda s: s[::-1], deterministic=True)
print(db.execute("select count(*) from word a join word b on a.text = rev(b.text)").fetchone())
with db:
    print("deleted", db.execute("delete from word where id % 3 = 0").rowcount)
db.execute("vacuum")
print(db.execute("pragma integrity_check").fetchone(), db.execute("pragma page_count").fetchone())
print(hashlib.sha256("\n".join(db.iterdump()).encode()).hexdigest())
db.close()
