# A copy of a tree, a second one of what changed, and one over a pipe as if from elsewhere.
mkdir -p a/b/c
cp rows.csv a/b/rows; seq 500 >a/b/c/numbers; ln -s rows a/b/link; ln a/b/rows a/b/hard; chmod 750 a/b; touch -d @1000000000 a a/b a/b/c a/b/rows a/b/c/numbers
touch -h -d @1000000000 a/b/link
rsync -aHi a/ copy; diff -r a copy && echo same
sed -i 's/^4/four/' a/b/c/numbers; rm a/b/hard; echo new >a/new; touch -d @1000000001 a a/b a/new a/b/c a/b/c/numbers
rsync -aHiv --delete --no-whole-file a/ copy | grep -v '^sent\|^total'
cat >there <<'END'
#!/bin/sh
shift
exec "$@"
END
chmod +x there
rsync -aH -e ./there --rsync-path rsync elsewhere:"$PWD/a/" far --exclude c --stats | grep '^Number of .*files'
diff -r a far; stat -c '%n %a %Y' copy/b copy/b/rows copy/b/c/numbers far/new; touch -d @1000000002 a a/b copy copy/b far far/b
exit 2
