# What Perl does with other processes.
use strict; use warnings; use IPC::Open2; use IO::Select; use POSIX ":sys_wait_h";
$| = 1;
my $n = `wc -l < rows.csv`; chomp $n; print "rows $n\n";
my @lines = qx(head -n 3 rows.csv); print "lines ", scalar(@lines), " $lines[2]";
print "system ", system("exit 3") >> 8, "\n"; print "killed ", system('kill -9 $$') & 127, "\n";
pipe(my $r, my $w) or die; my $pid = fork() // die;
if (!$pid) { close $r; print $w "child $_\n" for 1 .. 3; close $w; exit 5 }
close $w; print "got $_" while <$r>; waitpid $pid, 0; print "status ", $? >> 8, "\n";
open(my $sort, "|-", "sort", "-rn") or die; print $sort "$_\n" for 3, 11, 7; close $sort;
open(my $seq, "-|", "seq", 1, 4) or die; my $s = 0; $s += $_ while <$seq>; close $seq; print "sum $s\n";
my $p = open2(my $out, my $in, "tr", "a-z", "A-Z"); print $in "two ways\n"; close $in; print <$out>; waitpid $p, 0;
my %kids; for my $i (1 .. 4) { my $k = fork() // die; if (!$k) { select undef, undef, undef, $i / 100; exit $i } $kids{$k} = $i }
my @seen; while ((my $k = wait) > 0) { push @seen, "$kids{$k}:" . WEXITSTATUS($?) } print "reaped @seen\n";
local $SIG{ALRM} = sub { die "alarm\n" }; eval { alarm 1; select undef, undef, undef, 5; alarm 0 }; print "died: $@";
my $hits = 0; local $SIG{USR1} = sub { $hits++ }; kill USR1 => $$ for 1 .. 3; print "signals $hits\n";
exec "/bin/sh", "-c", "echo last; exit 4";
