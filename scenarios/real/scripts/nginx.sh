# A server with two workers, its clients, a reload and the end of it all.
mkdir -p logs www
echo '<h1>hello</h1>' >www/index.html
seq 20000 >www/numbers
cat >nginx.conf <<END
worker_processes 2; pid $PWD/nginx.pid; error_log $PWD/logs/error.log; user root;
events { worker_connections 64; }
http {
	log_format plain '"\$request" \$status \$body_bytes_sent'; access_log $PWD/logs/access.log plain;
	client_body_temp_path t1; proxy_temp_path t2; fastcgi_temp_path t3; uwsgi_temp_path t4; scgi_temp_path t5;
	sendfile on; gzip on; gzip_types text/plain; default_type text/plain;
	server {
		listen 127.0.0.1:8080; root $PWD/www;
		location /now { return 200 "from \$server_port\n"; }
		location /proxy { proxy_pass http://127.0.0.1:8080/now; }
	}
}
END
server() { /usr/sbin/nginx -p "$PWD" -c "$PWD/nginx.conf" "$@" 2>>logs/notices; }
get() { curl -sS "$@"; }
at=http://127.0.0.1:8080
server -t && server || exit 1
get $at/
get $at/numbers | sha256sum
get --compressed $at/numbers | sha256sum
get -r 100-119 $at/numbers
get $at/proxy $at/now
get -o /dev/null -w '%{http_code} %{content_type}\n' $at/none
get -d body -o /dev/null -w '%{http_code}\n' $at/
server -s reload; sleep 0.3
get $at/now
server -s quit
while [ -e nginx.pid ]; do sleep 0.05; done
sort logs/access.log # two workers write it: natively in any order
sed -n 's/.*\[error\] [^ ]* [^ ]* //p' logs/error.log
rm -r logs t[1-5]
exit 9
