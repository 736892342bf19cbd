import assert from "node:assert/strict";
import { test } from "node:test";
import { EventReader, waitBefore } from "./events";

const TEXT = 'event: operation\ndata: {"a": "b: c"}\n\n: alive\n\nevent: gap\r\ndata: one\r\ndata: two\r\n\r\ndata:plain\n\nevent: nothing\n\nid: 7\ndata\n\n';
const EVENTS = [
  { name: "operation", data: '{"a": "b: c"}' },
  { name: "gap", data: "one\ntwo" },
  { name: "message", data: "plain" },
  { name: "message", data: "" },
];

test("events are read whatever pieces the text comes in", () => {
  for (const size of [1, 2, 3, 7, 1_000]) {
    const reader = new EventReader();
    const found = [];
    for (let at = 0; at < TEXT.length; at += size) found.push(...reader.take(TEXT.slice(at, at + size)));
    assert.deepEqual(found, EVENTS, `pieces of ${size}`);
  }
});

test("an event that is not whole is none", () => {
  assert.deepEqual(new EventReader().take("event: operation\ndata: half"), []);
});

test("attempts wait longer and longer, up to half a minute", () => {
  assert.deepEqual([0, 1, 2, 3, 20].map((attempt) => waitBefore(attempt, 1)), [0.5, 1, 2, 4, 30]);
  assert.equal(waitBefore(3, 0), 2);
});
