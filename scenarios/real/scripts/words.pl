# Words, regular expressions, numbers, sorting and files in Perl.
use strict;
use warnings;
use List::Util qw(sum max first reduce);
use POSIX qw(floor fmod strtol);

open my $in, '<', 'input.txt' or die "input.txt: $!";
my (%count, %at);
while (my $line = <$in>) {
    $count{$1}++ while $line =~ /(\w+)/g;
    push @{ $at{ length $line } }, $.;
}
close $in;
my @top = sort { $count{$b} <=> $count{$a} || $a cmp $b } keys %count;
printf "%-10s %5d %6.3f%%\n", $_, $count{$_}, 100 * $count{$_} / sum(values %count) for @top[0 .. 11];
print scalar(@top), " ", max(map { length } @top), " ", first { length > 6 } @top;
print "\n", join(',', map { "$_:" . @{ $at{$_} } } (sort { $a <=> $b } keys %at)[0 .. 9]), "\n";

my $text = "2023-07-10 to 2024-02-29";
(my $swapped = $text) =~ s/(\d+)-(\d+)-(\d+)/$3.$2.$1/g;
print "$swapped ", join('|', split /\s*to\s*/, $text), " ", ($text =~ /(?<y>\d{4})(?=-02)/ ? $+{y} : ''), "\n";
print "nested: $1\n" if "f(a(b)c(d(e)))x" =~ /(\((?:[^()]++|(?1))*\))/;
(my $rot = "Hello, World") =~ tr/A-Za-z/N-ZA-Mn-za-m/;
print ucfirst(lc 'PERL'), " $rot ", reverse(1 .. 5), " ", "abc" x 2, "\n";
printf "%s %.15g %.3e %b %o %X %s\n", 1e21, 0.1 + 0.2, 6.02214e23, 37, 511, 3735928559, 9**20;
print unpack("H*", pack("NnCa5d>", 1, 2, 3, "xy", 1.5)), " ", join(',', unpack("(A2)*", "aabbcc")), " ", crypt_free(), "\n";
sub crypt_free { return unpack "%32C*", "checksum" }
print floor(-2.5), " ", fmod(7.5, 2), " ", (strtol("ff", 16))[0], " ", int(-7 / 2), " ", -7 % 3, "\n";
my $f = reduce { $a * $b } 1 .. 20;
print "$f ", join(' ', map { sprintf "%.6f", sin $_ } 1 .. 5), "\n";
local $@;
eval { die { code => 42 } };
print "died with $@->{code}\n";
open my $out, '>', 'perl.out' or die;
printf $out "%04d %s\n", $_, $top[$_] for 0 .. 199;
close $out;
print -s 'perl.out', " ", (stat 'perl.out')[3], " ", join(',', sort glob('*.*')), "\n";
local $SIG{__WARN__} = sub { print "warning: $_[0]" };
my $n = "12abc" + 1;
print STDERR "to standard error\n";
exit 4;
