# Collections, big numbers, regular expressions, fibers, threads, processes, signals and sockets.
require 'socket'
words = File.read('input.txt').split.first(1500)
counts = words.tally.sort_by { |w, n| [-n, w] }
counts.first(5).each { |w, n| puts format('%-10s %5d %x', w, n, w.hash == w.dup.hash ? n : 0) }
p words.grep(/\A([a-c]+)([d-f])\2/).uniq.sort.first(4), (1..60).inject(:*), 2**0.5, Rational(3, 4) + 1
Point = Struct.new(:x, :y) { def +(o) = Point.new(x + o.x, y + o.y) }
p Point.new(1, 2) + Point.new(3, 4)
fiber = Fiber.new { |a| loop { a = Fiber.yield(a * 2) } }
p fiber.resume(4), fiber.resume(5)
queue = Queue.new
threads = 4.times.map { |i| Thread.new { 3.times { |j| queue << i * j; Thread.pass } } }
threads.each(&:join)
p queue.size, Array.new(queue.size) { queue.pop }.sort
r, w = IO.pipe
pid = fork { r.close; w.puts "child of #{words.size} words"; exit!(7) }
w.close
print r.read
Process.wait(pid)
p $?.exitstatus, `echo shell`, $?.success?
server = TCPServer.new('127.0.0.1', 0)
answer = Thread.new { c = server.accept; c.puts c.gets.upcase; c.close }
client = TCPSocket.new('127.0.0.1', server.addr[1])
client.puts 'over tcp'
print client.read
answer.join
trap('USR1') { puts 'signal' }
Process.kill('USR1', $$)
sleep 0.01
begin
  raise ArgumentError, 'raised'
rescue => e
  puts "#{e.class}: #{e.message}"
ensure
  File.write('out.rb.txt', counts.map(&:first).join("\n"))
end
exit 3
