import assert from "node:assert/strict";
import { test } from "node:test";
import { messagesOf, pretty } from "./content";

test("a chat is shown as messages", () => {
  const chat = JSON.stringify([{ role: "user", content: "hi" }, { role: "assistant", parts: [{ type: "text", content: "a" }, { type: "text", content: "b" }] }]);
  assert.deepEqual(messagesOf(chat), [{ role: "user", text: "hi" }, { role: "assistant", text: "a\nb" }]);
});

test("what is more than text is shown whole", () => {
  const [call] = messagesOf(JSON.stringify([{ role: "assistant", content: null, tool_calls: [{ id: "1" }] }])) ?? [];
  assert.match(call?.text ?? "", /tool_calls/);
  const [picture] = messagesOf(JSON.stringify([{ role: "user", content: [{ type: "image", url: "x" }] }])) ?? [];
  assert.match(picture?.text ?? "", /"url": "x"/);
});

test("anything else is shown as it is", () => {
  assert.equal(messagesOf("plain"), undefined);
  assert.equal(messagesOf("[]"), undefined);
  assert.equal(messagesOf('[{"no":"role"}]'), undefined);
  assert.equal(pretty("<b>plain</b>"), "<b>plain</b>");
  assert.equal(pretty('{"a":1}'), '{\n  "a": 1\n}');
});

test("what is nested too deeply, or would grow too much, stays as it was stored", () => {
  const nested = (depth: number) => `${"[".repeat(depth)}${"]".repeat(depth)}`;
  for (const stored of [nested(8_000), nested(101), nested(50), `{"a":${nested(8_000)}}`]) {
    assert.equal(messagesOf(stored), undefined);
    assert.equal(pretty(stored), stored);
  }
  const chat = `[{"role":"user","content":"hi","more":${nested(8_000)}}]`;
  assert.equal(messagesOf(chat), undefined);
  assert.equal(pretty(chat), chat);
  const growing = `[{"role":"user","more":${nested(90)}}]`;
  assert.equal(messagesOf(growing), undefined);
  assert.equal(pretty(growing), growing);
});

test("brackets within text are no depth", () => {
  const said = `\\"${"[".repeat(200)}\\\\`;
  assert.equal(messagesOf(`[{"role":"user","content":"${said}"}]`)?.[0]?.text, `"${"[".repeat(200)}\\`);
});
