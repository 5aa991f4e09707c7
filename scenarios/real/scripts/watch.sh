# Who waits for files to change: tail and inotifywait.
shown() { until grep -qs "$1" "$2"; do sleep 0.02; done; }
echo first >log
tail -f log >followed & tail=$!
shown first followed; echo second >>log; shown second followed; kill $tail; wait $tail; echo "tail -f: $?"
tail -F log >retried 2>said & tail=$!
shown second retried; mv log log.1; shown inaccessible said; echo third >log; shown third retried; kill $tail; wait $tail
cat followed retried said
mkdir -p d/e
inotifywait -m -r -q -o events --format '%w%f %e' d & watcher=$!
until echo >d/probe && grep -qs probe events; do sleep 0.02; done
echo >d/e/a; mv d/e/a d/b; mkdir d/f; chmod 600 d/b; rm d/b; rmdir d/f; ln -s x d/link
shown link events; kill $watcher; wait $watcher
sed -n '/e\/a/,$p' events
inotifywait -q -t 1 log; echo "in vain: $?"
rm events said followed retried
