# Makes a database cluster as the user postgres: arguments: where.
set -e
cd /work/"$1"
chown 70:70 .
exec /usr/bin/setpriv --reuid=70 --regid=70 --clear-groups /usr/lib/postgresql/15/bin/initdb -D data -U postgres --no-locale -E UTF8 -A trust
