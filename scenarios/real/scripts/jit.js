// For Node.js: functions that become machine code in several stages, are thrown away
// when a type changes, regular expressions and WebAssembly as machine code, and a trap
// that is a page fault.
'use strict';
const fs = require('fs');
const note = (name, ...values) => console.log(name, ...values);
note('node', process.version, process.arch);

let s = 0;
for (let i = 0; i < 2e5; i++) s = (s * 31 + i) % 65521;
note('loop', s);

function add(a, b) { return a + b; }
let mixed = 0;
for (let round = 0; round < 40; round++)
  for (let i = 0; i < 2000; i++) mixed = add(mixed, round < 20 ? i : i + 0.5) % 1e9;
note('types', mixed, add('a', 'b'), add(2n ** 70n, 1n));

class Point { constructor(x, y) { this.x = x; this.y = y; } norm() { return Math.sqrt(this.x * this.x + this.y * this.y); } }
let sum = 0;
for (let i = 0; i < 20000; i++) {
  const p = new Point(i % 17, i % 23);
  if (i === 15000) Point.prototype.norm = function () { return this.x - this.y; }; // what was inlined is no longer true
  sum += p.norm();
}
note('inlined', sum.toFixed(6));

const text = fs.readFileSync('input.txt', 'utf8');
const words = new Map();
for (const [word] of text.matchAll(/\b[a-f]+?(?=\s|$)/g)) words.set(word, (words.get(word) || 0) + 1);
const sorted = [...words].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
note('words', words.size, sorted[0], sorted[sorted.length - 1], text.replace(/(a+)(b+)/g, '$2$1').length, /(ab|cd)+e\1/.exec(text)?.index);

let made = 0;
for (let i = 1; i <= 60; i++) {
  const f = new Function('a', `let s = 0; for (let i = 0; i < 50; i++) s += i * a % ${i + 2}; return s;`);
  for (let j = 0; j < 20; j++) made = (made * 3 + f(j)) % 1000003;
}
note('made', made);

// (memory 1) (func (export "sum") (param i32) (result i32) ...: sums i * i for i below
// the parameter; (func (export "at") (param i32) (result i32) local.get 0 i32.load)
const wasm = new Uint8Array([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, 1, 6, 1, 0x60, 1, 0x7f, 1, 0x7f, 3, 3, 2, 0, 0, 5, 3, 1, 0, 1,
  7, 12, 2, 3, 0x73, 0x75, 0x6d, 0, 0, 2, 0x61, 0x74, 0, 1,
  10, 41, 2, 31, 1, 2, 0x7f, 3, 0x40, 0x20, 2, 0x20, 1, 0x20, 1, 0x6c, 0x6a, 0x21, 2, 0x20, 1, 0x41, 1, 0x6a, 0x22, 1, 0x20, 0, 0x48, 0x0d, 0, 0x0b, 0x20, 2, 0x0b,
  7, 0, 0x20, 0, 0x28, 2, 0, 0x0b]);
const { exports: w } = new WebAssembly.Instance(new WebAssembly.Module(wasm));
let trapped;
try { w.at(1 << 20); } catch (e) { trapped = e.message; }
note('wasm', w.sum(1000), w.sum(100000), w.at(16), trapped);

const sorter = Array.from({ length: 3000 }, (_, i) => i * 7919 % 10007).sort((a, b) => a - b);
note('sort', sorter[0], sorter[1500], sorter[2999], JSON.stringify(sorter).length);
Promise.resolve(5).then((v) => note('later', v)).then(() => setTimeout(() => { note('last'); process.exitCode = 5; }, 1));
