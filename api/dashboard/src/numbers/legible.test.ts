import assert from "node:assert/strict";
import { test } from "node:test";
import { legible, legibleText } from "./legible";

test("hidden signs of a name are shown, and all others stay", () => {
  assert.equal(legible("gpt-4o"), "gpt-4o");
  assert.equal(legible("\u202egnp.exe\u2066"), "⟨U+202E⟩gnp.exe⟨U+2066⟩");
  assert.equal(legible("\u200b\u200b"), "⟨U+200B⟩⟨U+200B⟩");
  assert.equal(legible("a\tb\n"), "a⟨U+0009⟩b⟨U+000A⟩");
  for (const name of ["مخطط", "نیم‌فاصله", "👩‍💻", "日本語", "=1+1"]) assert.equal(legible(name), name);
});

test("text keeps its lines and tabs", () => {
  assert.equal(legibleText("a\tb\r\n\u202elive"), "a\tb\r\n⟨U+202E⟩live");
  assert.equal(legibleText("مخطط\nx"), "مخطط\nx");
});
