# A repository and a clone of it: commits, branches, a merge with a conflict, bisection,
# packs, a push through git's own processes.
set -u
export GIT_AUTHOR_NAME=A GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=C GIT_COMMITTER_EMAIL=c@d
export GIT_AUTHOR_DATE='1688947200 +0000' GIT_COMMITTER_DATE='1688947200 +0000' GIT_CONFIG_NOSYSTEM=1 GIT_PAGER=cat
export HOME=$PWD
git config --global init.defaultBranch main
git config --global advice.detachedHead false
git config --global gc.auto 0
git init -q one && cd one || exit 1
for i in 1 2 3 4 5 6; do
	head -n $((i * 40)) ../rows.csv >rows.csv
	echo "line $i" >>log
	git add rows.csv log && git commit -qm "commit $i"
done
git log --oneline --stat | cat
git checkout -qb side HEAD~3 && sed -i '1s/.*/side/' log && git commit -qam side
git checkout -q main && sed -i '1s/.*/main/' log && git commit -qam main
git merge -q side; echo "merge $?"; git diff | cat; git status --short
echo both >log && git commit -qam merged
git bisect start -q HEAD main~5 && git bisect run sh -c 'test $(wc -l <rows.csv) -lt 150' | tail -n 3
git bisect reset -q
git tag -a v1 -m tag && git describe && git rev-parse HEAD^{tree}
git repack -qadf && git count-objects -v | grep -v size && git fsck --strict && git verify-pack -v .git/objects/pack/*.idx | sort | head -n 4
cd .. && git clone -q --no-local one two && cd two && git log --oneline --graph --all | cat
echo more >more && git add more && git commit -qm more && git push -q origin HEAD:other && git -C ../one branch -a && git stash list && git grep -c aa
git archive --format=tar HEAD | tar tf - | sort
cd .. && rm -rf one two .gitconfig
exit 11
