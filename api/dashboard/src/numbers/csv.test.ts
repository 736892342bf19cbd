import assert from "node:assert/strict";
import { test } from "node:test";
import { csv } from "./csv";

test("what a spreadsheet would compute is kept text", () => {
  const names = ["=1+1", "+1", "-cmd", "@SUM(A1)", "\tx", "\rx", "\nx", "＝1", "＋1", "－1", "＠a"];
  const lines = csv({ columns: ["name"], rows: names.map((name) => [name]) });
  assert.equal(lines, `name\r\n'=1+1\r\n'+1\r\n'-cmd\r\n'@SUM(A1)\r\n'\tx\r\n"'\rx"\r\n"'\nx"\r\n'＝1\r\n'＋1\r\n'－1\r\n'＠a\r\n`);
});

test("amounts stay numbers, also below zero", () => {
  assert.equal(csv({ columns: ["a", "b", "c"], rows: [["-0.0042", -3, null]] }), "a,b,c\r\n-0.0042,-3,\r\n");
});

test("commas, quotes and line ends are quoted", () => {
  assert.equal(csv({ columns: ['a"b'], rows: [["x,y"], ["1\n2"]] }), '"a""b"\r\n"x,y"\r\n"1\n2"\r\n');
});
