%% A thousand processes in a ring, a monitor, tables, binaries, and an exit status.
-module(processes).
-export([main/1]).

ring(0, First) -> First ! done;
ring(N, First) ->
    Next = spawn_link(fun() -> receive go -> ring(N - 1, First) end end),
    Next ! go.

main(_) ->
    Self = self(),
    spawn(fun() -> ring(1000, Self) end),
    receive done -> io:format("around~n") end,
    {Pid, Ref} = spawn_monitor(fun() -> exit(reason) end),
    receive {'DOWN', Ref, process, Pid, Why} -> io:format("~p~n", [Why]) end,
    {ok, Text} = file:read_file("input.txt"),
    Table = ets:new(words, [ordered_set]),
    [ets:update_counter(Table, W, 1, {W, 0}) || W <- binary:split(Text, [<<" ">>, <<"\n">>], [global, trim_all])],
    io:format("~p ~p ~p~n", [ets:info(Table, size), ets:first(Table), erlang:md5(Text)]),
    {ok, Server} = gen_tcp:listen(0, [binary, {active, false}, {ip, {127, 0, 0, 1}}]),
    {ok, Port} = inet:port(Server),
    spawn(fun() -> {ok, C} = gen_tcp:connect({127, 0, 0, 1}, Port, []), gen_tcp:send(C, "over tcp"), gen_tcp:close(C) end),
    {ok, Peer} = gen_tcp:accept(Server),
    {ok, Data} = gen_tcp:recv(Peer, 0),
    io:format("~s ~s~p~n", [Data, os:cmd("echo shell"), lists:sum([X * X || X <- lists:seq(1, 100)])]),
    halt(6).
