define(`fib', `ifelse($1, 0, 0, $1, 1, 1, `ifdef(`fib_$1', `fib_$1', `define(`fib_$1', eval(fib(decr($1)) + fib(decr(decr($1)))))fib_$1')')')dnl
fib(n) format(`%05d', eval(n ** 2)) translit(`letters', `a-z', `A-Z')
define(`repeat', `ifelse($1, 0, , `$2`'repeat(decr($1), `$2')')')dnl
repeat(5, `again ')
esyscmd(`echo shell')syscmd(`exit 3')sysval
