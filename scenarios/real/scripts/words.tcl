# Dictionaries, big numbers, coroutines, events, pipelines and channels.
set f [open input.txt]; set words [split [read $f]]; close $f
foreach w $words { if {$w ne ""} { dict incr counts $w } }
set sorted [lsort -stride 2 -index 1 -integer -decreasing [lsort -stride 2 $counts]]
foreach {w n} [lrange $sorted 0 9] { puts [format "%-10s %5d" $w $n] }
puts [expr {2 ** 200}] ; puts [expr {sqrt(2)}] ; puts [regsub -all {([aeiou])} "vowels marked" {<\1>}]
proc numbers {} { yield; for {set i 0} {1} {incr i} { yield [expr {$i * $i}] } }
coroutine next numbers
puts "[next] [next] [next]"
set p [open "|sort -r" r+]; puts $p "a\nc\nb"; close $p write; puts [read $p]; close $p
puts [exec echo child | tr a-z A-Z]
set status [catch {exec sh -c "exit 3"} message options]
puts "$status $message [lindex [dict get $options -errorcode] end]"
set log {}
proc accept {chan address port} { fconfigure $chan -buffering line; puts $chan "hello from tcl"; close $chan }
set server [socket -server accept -myaddr 127.0.0.1 0]
set client [socket 127.0.0.1 [lindex [fconfigure $server -sockname] 2]]
fileevent $client readable { if {[gets $client line] >= 0} { puts $line } else { set done 1 } }
after 5 { lappend log timer }
vwait done
after 10 { set later 1 }
vwait later
puts $log
exit 5
