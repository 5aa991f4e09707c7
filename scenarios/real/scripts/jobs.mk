# A graph of small jobs that may run side by side, with a job server for a make below.
words := ab cd ef fa bc
all: sums
	cat $^
sums: $(words:%=count-%) below
	cat $(words:%=count-%) below >$@
count-%: rows.csv
	grep -c $* $< >$@
below:
	$(MAKE) -f jobs.mk part-1 part-2 >/dev/null && cat part-1 part-2 >$@
part-%: input.txt
	cut -c $*-9 $< | sort | uniq | tail -n 3 >$@
.PHONY: all
