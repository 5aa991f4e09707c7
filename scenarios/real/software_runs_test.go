package real

import (
	"slices"
	"strings"
)

// unittests is a run of test modules of Python's own, or of parts of them.
func unittests(name string, modules ...string) run {
	return run{name: name, args: append([]string{"/usr/bin/python3.11", "unittests.py", "--without", "udplite,netlink,hops"}, modules...),
		scripts: []string{"unittests.py"}}
}

// andLong marks a run as one of more than 300 million instructions.
func (r run) andLong() run { r.long = true; return r }

func python(name string, exit int) run {
	return run{name: "python-" + name, args: []string{"/usr/bin/python3.11", name + ".py"}, scripts: []string{name + ".py"}, exit: exit, cuts: manyCuts}
}

func tool(name, command string) run {
	return run{name: name, args: strings.Fields(command)}
}

func (r run) with(cuts cutting) run { r.cuts = cuts; return r }

// runs is the table of what real software does in the simulator.
var runs = slices.Concat(pythonRuns, languageRuns, databaseRuns, coreRuns, archiveRuns, cryptoRuns, compilerRuns, jitRuns, serverRuns, terminalRuns, utilityRuns)

var pythonRuns = []run{
	{name: "python-version", args: []string{"/usr/bin/python3.11", "-c", "import sys; print(sys.version, sys.flags, sys.float_info)"}},
	python("modules", 0).with(cutsIfAll), python("db", 0).with(cutsIfAll), python("foreign", 0).with(cutsIfAll), python("files", 0).with(cutsIfAll),
	{name: "python-stdin", args: []string{"/usr/bin/python3.11", "-"}, stdin: "files.py"},
	{name: "python-traceback", args: []string{"/usr/bin/python3.11", "-c", "def f(n): return f(n + 1)\nf(0)"}, exit: 1},
	unittests("python-tests", "test_float.HexFloatTestCase", "test_dict.SubclassMappingTests", "test_zlib.ChecksumTestCase",
		"test_zlib.ExceptionTestCase", "test_json.test_decode", "test_struct.UnpackIteratorTest", "test_math.IsCloseTests", "test_re.ImplementationTest",
		"test_list.ListTest.test_overflow", "test_set.TestBasicOpsTuple", "test_bytes.ByteArraySubclassTest", "test_random.SystemRandom_TestBasicOps.test_choices", "test_hashlib.HashLibTestCase.test_case_sha256_3",
		"test_threading.BarrierTests", "test_socket.BasicTCPTest", "test_socket.BufferIOTest", "test_socket.SendmsgUDPTest"),
	unittests("python-test-json", "test_json").andLong().with(cutsIfAll),
	unittests("python-test-struct", "test_struct").andLong().with(cutsIfAll),
	unittests("python-test-float", "test_float").andLong().with(cutsIfAll),
	unittests("python-test-dict", "test_dict").andLong().with(cutsIfAll),
	unittests("python-test-list", "test_list").andLong().with(cutsIfAll),
	unittests("python-test-set", "test_set").andLong().with(cutsIfAll),
	unittests("python-test-bytes", "test_bytes").andLong().with(cutsIfAll),
	unittests("python-test-math", "test_math").andLong().with(cutsIfAll),
	unittests("python-test-re", "test_re").andLong().with(cutsIfAll),
	unittests("python-test-random", "test_random").andLong().with(cutsIfAll),
	unittests("python-test-hashlib", "test_hashlib").andLong().with(cutsIfAll),
	unittests("python-test-zlib", "test_zlib").andLong().with(cutsIfAll),
	unittests("python-test-threading", "test_threading").andLong().with(cutsIfAll),
	unittests("python-test-socket", "test_socket").andLong().with(cutsIfAll),
	{name: "python-multiprocess", args: []string{"/usr/bin/python3.11", "multiprocess.py", "fork"}, scripts: []string{"multiprocess.py"}, cuts: cutsIfAll},
	{name: "python-multiprocess-spawn", args: []string{"/usr/bin/python3.11", "multiprocess.py", "spawn"}, scripts: []string{"multiprocess.py"}, long: true, cuts: cutsIfAll},
	{name: "python-multiprocess-server", args: []string{"/usr/bin/python3.11", "multiprocess.py", "forkserver"}, scripts: []string{"multiprocess.py"}, long: true, cuts: cutsIfAll},
	{name: "python-thread", args: []string{"/usr/bin/python3.11", "-c", "import threading\nt = threading.Thread(target=print, args=('there',)); t.start(); t.join()"}},
	{name: "python-subprocess", args: []string{"/usr/bin/python3.11", "-c", "import subprocess; print(subprocess.check_output(['/bin/echo', 'child']))"}},
	python("processes", 9).with(fewCuts), python("threads", 0), python("signals", 128+15).with(fewCuts),
	{name: "python-socket", args: []string{"/usr/bin/python3.11", "-c", "import socket\na, b = socket.socketpair(); a.send(b'x'); print(b.recv(1))"}},
}

var languageRuns = []run{
	{name: "musl-shared", args: []string{"/opt/tour-musl-shared", "input.txt"}, cuts: manyCuts},
	{name: "lua", args: []string{"/usr/bin/lua5.4", "words.lua"}, scripts: []string{"words.lua"}, exit: 3, cuts: manyCuts},
	{name: "perl", args: []string{"/usr/bin/perl", "words.pl"}, scripts: []string{"words.pl"}, exit: 4, cuts: cutsIfAll},
	{name: "gawk", args: []string{"/usr/bin/gawk", "-f", "words.awk", "input.txt"}, scripts: []string{"words.awk"}, exit: 5, cuts: manyCuts},
	{name: "bash", args: []string{"/bin/bash", "builtins.bash"}, scripts: []string{"builtins.bash"}, exit: 6, cuts: manyCuts},
	{name: "dash", args: []string{"/bin/dash", "builtins.dash"}, scripts: []string{"builtins.dash"}, exit: 7, cuts: manyCuts},
	{name: "bash-fork", args: []string{"/bin/bash", "-c", "echo $(echo child)"}},
	{name: "dash-fork", args: []string{"/bin/dash", "-c", "echo $(echo child)"}},
	{name: "perl-fork", args: []string{"/usr/bin/perl", "-e", "print `echo child`"}},
	{name: "bash-processes", args: []string{"/bin/bash", "processes.bash"}, scripts: []string{"processes.bash"}, exit: 8, cuts: manyCuts},
	{name: "dash-processes", args: []string{"/bin/dash", "processes.dash"}, scripts: []string{"processes.dash"}, exit: 7, cuts: fewCuts},
	{name: "git", args: []string{"/bin/bash", "git.sh"}, scripts: []string{"git.sh"}, exit: 11, cuts: cutsIfAll},
	{name: "perl-processes", args: []string{"/usr/bin/perl", "processes.pl"}, scripts: []string{"processes.pl"}, exit: 4, cuts: fewCuts},
}

// integrity fills a table in several transactions, one of them taken back, and has
// SQLite check the file.
const integrity = `create table n(a integer primary key, b text unique);
insert into n with recursive c(i) as (select 1 union all select i + 1 from c where i < 400) select i, hex(i * 7919 % 10007) || i from c;
begin; delete from n where a % 3 = 0; rollback;
begin; update n set b = b || 'x' where a % 5 = 0; delete from n where a > 380; commit; vacuum;
pragma integrity_check; select count(*), sum(length(b)), max(b) from n;`

var databaseRuns = []run{
	{name: "sqlite-memory", args: []string{"/usr/bin/sqlite3", ":memory:"}, stdin: "load.sql", cuts: fewCuts},
	{name: "sqlite-integrity", args: []string{"/usr/bin/sqlite3", "numbers.db", integrity}, cuts: manyCuts},
	{name: "sqlite-file", args: []string{"/usr/bin/sqlite3", "words.db"}, stdin: "load.sql"},
	{name: "sqlite-wal", args: []string{"/usr/bin/sqlite3", "words.db", "pragma journal_mode=wal; create table t(a); insert into t values(1); select * from t;"}},
	{name: "memcached-version", args: []string{"/usr/bin/memcached", "--version"}},
	python("memcached", 0).with(fewCuts),
	{name: "redis-version", args: []string{"/usr/bin/redis-server", "--version"}},
	{name: "redis-benchmark", args: []string{"/bin/bash", "redis-benchmark.sh"}, scripts: []string{"redis-benchmark.sh"}},
	{name: "redis", args: []string{"/bin/bash", "redis.sh"}, scripts: []string{"redis.sh"}, exit: 5, cuts: cutsIfAll},
}

var coreRuns = []run{
	tool("sort", "/usr/bin/sort -k2,2 -k1nr input.txt").with(manyCuts), tool("sort-numbers", "/usr/bin/sort -t, -k4,4n -k2,2r -o sorted rows.csv").with(cutsIfAll),
	tool("sort-unique", "/usr/bin/sort -u --parallel=1 -S 1M input.txt rows.csv"),
	{name: "sort-merge", args: []string{"/bin/bash", "-c", "for i in 1 2 3 4 5 6; do cat rows.csv input.txt; done | sort -S 200k --parallel=2 -T . -k2 | sha256sum; ls"}, long: true},
	tool("sort-files", "/usr/bin/sort -S 60k --batch-size=3 -T . -o out input.txt rows.csv").with(fewCuts),
	tool("uniq", "/usr/bin/uniq -c -w 3 rows.csv"), tool("cut", "/usr/bin/cut -d, -f2,4 rows.csv"), tool("wc", "/usr/bin/wc input.txt rows.csv"),
	{name: "tr", args: []string{"/usr/bin/tr", "-s", "a-f ", "A-F\\n"}, stdin: "input.txt"},
	tool("head", "/usr/bin/head -n -100 input.txt"), tool("tail", "/usr/bin/tail -c 1000 input.txt"), tool("tac", "/usr/bin/tac rows.csv"),
	tool("od", "/usr/bin/od -A x -t x2z -v input.txt"), tool("nl", "/usr/bin/nl -b a -w 4 rows.csv"), tool("fold", "/usr/bin/fold -s -w 40 input.txt"),
	tool("pr", "/usr/bin/pr -3 -t -l 60 rows.csv"), tool("fmt", "/usr/bin/fmt -w 50 input.txt"), tool("paste", "/usr/bin/paste -d: input.txt rows.csv"),
	tool("join", "/usr/bin/join -t, -1 1 -2 1 --nocheck-order rows.csv rows.csv"), tool("comm", "/usr/bin/comm --nocheck-order input.txt rows.csv"),
	tool("seq", "/usr/bin/seq -w -s, 0.5 0.25 600"), tool("factor", "/usr/bin/factor 1234567890123456789 18446744073709551617 97"),
	tool("shuf", "/usr/bin/shuf --random-source=input.txt -n 100 rows.csv"), tool("numfmt", "/usr/bin/numfmt --to=iec --format=%.2f 1234567 999 1000000000000"),
	tool("sha256sum", "/usr/bin/sha256sum input.txt rows.csv").with(manyCuts), tool("sha512sum", "/usr/bin/sha512sum input.txt"), tool("b2sum", "/usr/bin/b2sum rows.csv"), tool("md5sum", "/usr/bin/md5sum --tag rows.csv"),
	tool("sum", "/usr/bin/cksum input.txt rows.csv"), tool("base64", "/usr/bin/base64 -w 60 rows.csv"), tool("basenc", "/usr/bin/basenc --base32hex input.txt"),
	tool("date", "/bin/date -u -d @1688947200 +%A,%d-%B-%Y_%T_%j_%U"), tool("expr", "/usr/bin/expr ( 7 + 8 ) * 3"), tool("printf", "/usr/bin/printf %.40Lg|%a|%x|%b\\n 0.1 3.75 255 a\\tb"),
	tool("ls", "/bin/ls -lAR --time-style=full-iso input.txt rows.csv /usr/lib/python3.11/json/decoder.py /etc/bash.bashrc"), tool("ls-names", "/bin/ls -F /usr/bin"),
	tool("stat", "/usr/bin/stat -c %n_%s_%f_%h_%F_%Y rows.csv /bin/bash"),
	tool("cp", "/bin/cp -a /usr/lib/python3.11/json copy"), tool("mv", "/bin/mv -v rows.csv moved"), tool("ln", "/bin/ln -sv input.txt soft"), tool("rm", "/bin/rm -v rows.csv"),
	tool("mkdir", "/bin/mkdir -vpm 750 a/b/c"), tool("truncate", "/usr/bin/truncate -s 100 input.txt"), tool("split", "/usr/bin/split -l 1000 --verbose rows.csv part-"),
	tool("csplit", "/usr/bin/csplit -f cut- rows.csv 100 500 9000"), tool("install", "/usr/bin/install -v -m 640 -D input.txt deep/er/copy"),
	tool("dd", "/bin/dd if=input.txt of=out bs=777 skip=3 seek=5 count=20 conv=ucase status=none").with(manyCuts), tool("no-such-file", "/bin/cat /no/such/file input.txt").exits(1),
	tool("grep", "/bin/grep -nE (ab|cd)+[ef].*\\b(fa|eb) input.txt"), tool("grep-perl", "/bin/grep -oP (?<=a)b+(?!c) input.txt").with(manyCuts), tool("grep-back", "/bin/grep -m 60 -n \\([a-f]\\)\\1[a-c] input.txt"),
	{name: "sed", args: []string{"/bin/sed", "-E", "-i.bak", `s/([a-c]+) ([d-f]+)/\2-\1/g; /^a/d; 5,20{s/e/E/2;y/abc/xyz/}; $!N; P; D`, "input.txt"}},
	tool("find", "/usr/bin/find /usr/lib/python3.11/json /work/find -name decoder.py -size +2k -printf %s_%M_%d\\n"), tool("diff", "/usr/bin/diff -u /usr/lib/python3.11/json/encoder.py /usr/lib/python3.11/json/decoder.py").exits(1),
	tool("cmp", "/usr/bin/cmp -l input.txt rows.csv").exits(1),
}

func (r run) exits(status int) run { r.exit = status; return r }

var archiveRuns = []run{
	{name: "gzip", args: []string{"/bin/gzip", "-9", "-n", "-v", "rows.csv"}, cuts: manyCuts},
	{name: "gzip-pipe", args: []string{"/bin/gzip", "-c", "-n", "-1"}, stdin: "input.txt"},
	{name: "xz", args: []string{"/usr/bin/xz", "-T1", "-6", "-k", "input.txt"}, cuts: manyCuts},
	{name: "xz-x86", args: []string{"/usr/bin/xz", "-T1", "--x86", "--lzma2=preset=1", "-c", "/usr/bin/zstd"}, long: true},
	{name: "zstd", args: []string{"/usr/bin/zstd", "-q", "--single-thread", "--no-asyncio", "-9", "rows.csv"}, cuts: manyCuts},
	{name: "zstd-threads", args: []string{"/usr/bin/zstd", "-q", "-c", "rows.csv"}},
	{name: "tar-pipes", args: []string{"/bin/bash", "-c", "tar czf a.tgz -C /usr/lib/python3.11 json && tar xJf <(tar cJf - a.tgz rows.csv) --one-top-level=b && tar tvzf b/a.tgz --full-time | sort && cmp b/rows.csv rows.csv && rm a.tgz b/a.tgz"}},
	{name: "tar", args: []string{"/bin/tar", "-cvf", "out.tar", "--sort=name", "--numeric-owner", "--owner=0", "--group=0", "--mtime=@0", "input.txt", "-C", "/usr/lib/python3.11", "json", "sqlite3"}},
}

var cryptoRuns = []run{
	tool("openssl-dgst", "/usr/bin/openssl dgst -sha3-256 input.txt rows.csv"), tool("openssl-sha1", "/usr/bin/openssl dgst -sha1 -hmac key rows.csv").with(manyCuts),
	tool("openssl-blake", "/usr/bin/openssl dgst -blake2s256 -r rows.csv"), tool("openssl-ripemd", "/usr/bin/openssl dgst -ripemd160 rows.csv"),
	tool("openssl-aes", "/usr/bin/openssl enc -aes-256-cbc -K 00112233445566778899aabbccddeeff -iv 0f0e0d0c0b0a09080706050403020100 -in rows.csv -out out"),
	tool("openssl-ctr", "/usr/bin/openssl enc -aes-128-ctr -pbkdf2 -S 0011223344556677 -pass pass:secret -a -in input.txt"),
	tool("openssl-chacha", "/usr/bin/openssl enc -chacha20 -K 11 -iv 22 -in input.txt -out out"), tool("openssl-camellia", "/usr/bin/openssl enc -camellia-192-ofb -K 11 -iv 22 -in input.txt -out out"),
	tool("openssl-cmac", "/usr/bin/openssl mac -cipher AES-128-CBC -macopt hexkey:00112233445566778899aabbccddeeff -in rows.csv CMAC"),
	tool("openssl-gmac", "/usr/bin/openssl mac -cipher AES-128-GCM -macopt hexkey:00112233445566778899aabbccddeeff -macopt hexiv:001122334455667788990011 -in rows.csv GMAC"),
	tool("openssl-poly", "/usr/bin/openssl mac -macopt hexkey:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff -in rows.csv Poly1305"),
	tool("openssl-kdf", "/usr/bin/openssl kdf -keylen 64 -kdfopt pass:secret -kdfopt salt:salt -kdfopt n:64 -kdfopt r:8 -kdfopt p:1 SCRYPT"),
	tool("openssl-passwd", "/usr/bin/openssl passwd -6 -salt abcdefgh secret"), tool("openssl-prime", "/usr/bin/openssl prime 340282366920938463463374607431768211507"),
	tool("openssl-curve", "/usr/bin/openssl ecparam -name prime256v1 -check -text -param_enc explicit"), tool("openssl-curve-384", "/usr/bin/openssl ecparam -name secp384r1 -check -noout"),
	tool("openssl-ciphers", "/usr/bin/openssl ciphers -V"),
}

var compilerRuns = []run{
	{name: "cc1", args: []string{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-O2", "-Wall", "queue.c", "-o", "queue.s"}, scripts: []string{"queue.c"}, cuts: cutsIfAll},
	{name: "cc1-O3", args: []string{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "-O3", "-march=x86-64-v3", "-g", "queue.c", "-o", "queue.s"}, scripts: []string{"queue.c"}, long: true},
	{name: "cc1-error", args: []string{"/usr/lib/gcc/x86_64-linux-gnu/12/cc1", "-quiet", "words.lua"}, scripts: []string{"words.lua"}, exit: 1},
	{name: "as", args: []string{"/usr/bin/as", "-o", "queue.o", "queue.s"}, scripts: []string{"queue.s"}},
	tool("objdump", "/usr/bin/objdump -d -M intel --no-show-raw-insn /bin/true"), tool("readelf", "/usr/bin/readelf -W -a /bin/dash"),
	{name: "make", args: []string{"/usr/bin/make", "-j2"}, scripts: []string{"Makefile", "queue.c"}},
	{name: "make-jobs", args: []string{"/usr/bin/make", "-f", "jobs.mk", "-j3", "--no-print-directory"}, scripts: []string{"jobs.mk"}, cuts: fewCuts},
	{name: "make-fail", args: []string{"/usr/bin/make", "fail"}, scripts: []string{"Makefile"}, exit: 2},
	tool("strings", "/usr/bin/strings -n 8 /bin/dash"), tool("nm", "/usr/bin/nm -D --defined-only /lib/x86_64-linux-gnu/libm.so.6"),
}

// jitRuns make machine code and run it. So does grep-perl, whose expressions PCRE2 compiles.
var jitRuns = []run{
	{name: "luajit", args: []string{"/usr/bin/luajit", "jit.lua"}, scripts: []string{"jit.lua"}, exit: 3, cuts: manyCuts},
	{name: "tcc-run", args: []string{"/usr/bin/tcc", "-run", "jit.c", "input.txt"}, scripts: []string{"jit.c"}, exit: 6, cuts: manyCuts},
	{name: "sbcl", args: []string{"/usr/bin/sbcl", "--noinform", "--no-sysinit", "--no-userinit", "--disable-debugger", "--load", "jit.lisp"}, scripts: []string{"jit.lisp"}, exit: 4, cuts: fewCuts},
	{name: "node", args: []string{"/usr/bin/node", "jit.js"}, scripts: []string{"jit.js"}, exit: 5, long: true},
}

func shell(name string, exit int, cuts cutting) run {
	return run{name: name, args: []string{"/bin/bash", name + ".sh"}, scripts: []string{name + ".sh"}, exit: exit, cuts: cuts}
}

// serverRuns are servers with their clients, and languages that servers are written in.
var serverRuns = []run{
	shell("nginx", 9, cutsIfAll), shell("sockets", 4, cutsIfAll), shell("ssh", 3, noCuts).andLong(), shell("rsync", 2, cutsIfAll),
	python("servers", 0).with(noCuts).andLong(),
	{name: "ruby", args: []string{"/usr/bin/ruby3.1", "--disable-gems", "words.rb"}, scripts: []string{"words.rb"}, exit: 3, cuts: cutsIfAll},
	{name: "php", args: []string{"/usr/bin/php8.2", "-n", "words.php"}, scripts: []string{"words.php"}, exit: 4, cuts: fewCuts},
	{name: "tcl", args: []string{"/usr/bin/tclsh8.6", "words.tcl"}, scripts: []string{"words.tcl"}, exit: 5, cuts: cutsIfAll},
	{name: "erlang", args: []string{"/usr/bin/escript", "processes.erl"}, scripts: []string{"processes.erl"}, exit: 6, long: true},
}

var terminalRuns = []run{
	python("terminal", 0).with(cutsIfAll), shell("tmux", 7, cutsIfAll),
	{name: "expect", args: []string{"/usr/bin/expect", "terminal.exp"}, scripts: []string{"terminal.exp"}, exit: 6, cuts: fewCuts},
}

var utilityRuns = []run{
	shell("watch", 0, fewCuts), shell("utilities", 8, cutsIfAll),
	{name: "bc", args: []string{"/usr/bin/bc", "-l"}, stdin: "numbers.bc", cuts: manyCuts},
	{name: "ed", args: []string{"/bin/ed", "-s", "input.txt"}, stdin: "edit.ed", cuts: manyCuts},
	{name: "vim", args: []string{"/usr/bin/vim.tiny", "-es", "-u", "NONE", "-c", `1,200s/\v([a-c]+) ([d-f]+)/\2-\1/g`, "-c", "1,200g/^a/normal ddp", "-c", "2,9!sort -r", "-c", "w out", "-c", "%print", "-c", "cquit", "input.txt"}, exit: 1, cuts: cutsIfAll},
	{name: "jq", args: []string{"/bin/bash", "-c", `head -n 300 rows.csv | jq -Rnc '[inputs | split(",") | {(.[1]): (.[3] | tonumber)}] | add | to_entries | sort_by(-.value, .key) | .[:20][]'`}, long: true},
	{name: "m4", args: []string{"/usr/bin/m4", "-Dn=30", "-"}, stdin: "fib.m4", cuts: manyCuts},
	{name: "patch", args: []string{"/bin/bash", "-c", "sed '7d;s/^100,/one hundred,/;$a end' rows.csv > new; diff -u --label old --label new rows.csv new > p; cp rows.csv old; patch -b old p; cmp old new && patch -R old < p && cmp old rows.csv"}, cuts: fewCuts},
}
