# A terminal multiplexer: a window with a program in it, keys, a second window, the end.
export TERM=screen
t() { tmux -f /dev/null -S "$PWD/tmux.sock" "$@"; }
# Lines are joined by bars: what is typed is shown twice, by the terminal and by cat.
until_shown() { for _ in $(seq 100); do t capture-pane -p -t "$1" | tr '\n' '|' | grep -q "$2" && return; sleep 0.05; done; echo "never: $2"; }
t new-session -d -x 60 -y 10 -s work -n first 'echo in tmux; exec cat'
until_shown work 'in tmux'
t send-keys -t work 'some keys' Enter; until_shown work 'some keys|some keys'
t capture-pane -p -t work | head -n 3
t new-window -t work -n second 'stty size; read x; echo "got $x"; exec sleep 1000'
until_shown work:1 '10 60\|9 60'; t send-keys -t work:1 hello Enter; until_shown work:1 'got hello'
t capture-pane -p -t work:1 | head -n 3
t list-windows -t work -F '#{window_index} #{window_name} #{pane_tty}'
t kill-server
while [ -e tmux.sock ] && t ls >/dev/null 2>&1; do sleep 0.05; done
rm -f tmux.sock
exit 7
