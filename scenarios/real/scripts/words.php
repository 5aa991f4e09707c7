<?php
// Arrays, closures, generators, hashes, JSON, regular expressions, streams, processes and sockets.
$words = preg_split('/\s+/', file_get_contents('input.txt'), -1, PREG_SPLIT_NO_EMPTY);
$counts = array_count_values($words);
uksort($counts, fn($a, $b) => [$counts[$b], $a] <=> [$counts[$a], $b]);
foreach (array_slice($counts, 0, 5) as $word => $n) printf("%-10s %5d\n", $word, $n);
echo json_encode(['sum' => array_sum($counts), 'first' => array_key_first($counts), 'pi' => M_PI]), "\n";
foreach (['md5', 'sha256', 'crc32b', 'xxh3'] as $name) echo $name, ' ', hash_file($name, 'rows.csv'), "\n";
function squares(int $n): Generator { for ($i = 0; $i < $n; $i++) yield $i => $i ** 2; }
foreach (squares(5) as $i => $s) echo "$i:$s ";
echo "\n", serialize(['a' => 1.5, 'b' => [true, null]]), "\n";
echo preg_replace_callback('/(\w)(\w*)/', fn($m) => strtoupper($m[1]) . $m[2], 'every word begins'), "\n";
$p = proc_open('tr a-z A-Z', [['pipe', 'r'], ['pipe', 'w']], $pipes);
fwrite($pipes[0], "through a pipe\n");
fclose($pipes[0]);
echo stream_get_contents($pipes[1]), proc_close($p), ' ', shell_exec('echo shell');
$server = stream_socket_server('tcp://127.0.0.1:0');
$client = stream_socket_client('tcp://' . stream_socket_get_name($server, false));
$peer = stream_socket_accept($server);
fwrite($client, "over tcp\n");
echo fgets($peer);
try { intdiv(1, 0); } catch (DivisionByZeroError $e) { echo get_class($e), ': ', $e->getMessage(), "\n"; }
file_put_contents('out.php.txt', implode("\n", array_keys($counts)));
exit(4);
