# Services over TCP and UNIX sockets, a terminal as an address, and a web server of busybox.
up() { until socat -u OPEN:/dev/null "$1" 2>/dev/null; do sleep 0.05; done; }
socat TCP-LISTEN:7000,bind=127.0.0.1,fork,reuseaddr EXEC:'tr a-z A-Z' & server=$!
up TCP:127.0.0.1:7000
for i in 1 2 3; do echo "request $i" | socat - TCP:127.0.0.1:7000; done
kill $server; wait $server; echo "server: $?"
socat UNIX-LISTEN:s,unlink-close=1 PIPE & while [ ! -S s ]; do sleep 0.05; done
echo echoed | socat - UNIX-CONNECT:s; wait $!
echo 'read x; echo "got $x"; tty' >answer
echo typed | socat - EXEC:'sh answer',pty,echo=0,setsid,ctty | tr -d '\r'
socat -u UDP-RECV:7001,bind=127.0.0.1 OPEN:datagrams,creat & server=$!
until [ -s datagrams ]; do echo datagram | socat -u - UDP-SENDTO:127.0.0.1:7001; sleep 0.1; done
kill $server; wait $server; head -n 1 datagrams; rm datagrams
echo page >index.html
busybox httpd -f -p 127.0.0.1:8000 & server=$!
until busybox wget -q -O - http://127.0.0.1:8000/ 2>/dev/null; do sleep 0.05; done
kill $server; wait $server; echo "httpd: $?"
exit 4
