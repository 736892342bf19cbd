import assert from "node:assert/strict";
import { test } from "node:test";
import type { QueryAnswer } from "../api/query";
import { gaps, origin, originOfList } from "./notes";

const answer: QueryAnswer = {
  from: "2026-11-26T00:00:00Z", to: "2026-11-27T00:00:00Z", zone: "Asia/Kolkata", complete_to: "2026-11-27T03:00:00Z", source: "windows",
  percentile_error: 0.01, dimensions: ["provider"], measures: [{ name: "cost_usd", unit: "usd" }, { name: "unpriced", unit: "operations" }],
  groups: [{ dimensions: { provider: "a" }, totals: { cost_usd: "1", unpriced: 2 } }, { dimensions: { provider: null }, totals: { cost_usd: "1", unpriced: 3 } }],
  left_out: 4, unattributed: 0,
};
const now = Date.parse("2026-11-27T03:00:10Z");

test("a panel of several answers is as complete as the least complete", () => {
  const older = { ...answer, complete_to: "2026-11-27T02:59:00Z", source: "files" as const };
  assert.equal(origin([answer, older], now), "complete to 08:29:00 · Asia/Kolkata · from windows and files");
  assert.equal(origin([{ ...answer, complete_to: null }], now), "Asia/Kolkata · from windows");
  assert.equal(origin([answer, { ...answer, complete_to: null }], now), "Asia/Kolkata · from windows", "of one it is not known");
  assert.equal(origin([], now), "");
});

test("what was read from files is said, of all answers together", () => {
  const files = { ...answer, source: "files" as const, scanned: { files: 12, operations: 4_096, bytes: 1_234_567, milliseconds: 35 } };
  assert.equal(origin([files], now), "complete to 08:30:00 · Asia/Kolkata · from files · 12 files, 4.1\u00a0k operations, 1.2\u00a0MB read in 35\u00a0ms");
  const one = { ...files, scanned: { files: 1, operations: 10, bytes: 0, milliseconds: 1_200 } };
  assert.match(origin([one], now), /· 1 file, 10 operations read in 1.2.s$/);
  assert.match(origin([files, one, answer], now), /from files and windows · 13 files, 4.1.k operations, 1.2.MB read in 1.2.s$/);
});

test("lists say the same of themselves, as far as it is known", () => {
  const scanned = { files: 1, operations: 10, bytes: 0, milliseconds: 35 };
  const complete_to = "2026-11-27T03:00:00Z";
  assert.equal(originOfList({ complete_to, zone: "Asia/Kolkata", source: "files", scanned }, now, "UTC"), "complete to 08:30:00 · Asia/Kolkata · from files · 1 file, 10 operations read in 35\u00a0ms");
  assert.equal(originOfList({ complete_to, scanned }, now, "UTC"), "complete to 03:00:00 · UTC · from files · 1 file, 10 operations read in 35\u00a0ms");
  assert.equal(originOfList({ complete_to: null, source: "the database" }, now, "UTC"), "UTC · from the database");
});

test("the error of percentiles is said where there are some", () => {
  const measures = [{ name: "latency_p95_us" as const, unit: "microseconds" }];
  assert.match(origin([{ ...answer, measures }], now), /percentiles ±1.%/);
  const { percentile_error: _, ...without } = answer;
  assert.match(origin([without, { ...answer, measures }], now), /percentiles ±1.%/, "also where another answer has none");
});

test("what is left out and unpriced is said once", () => {
  assert.deepEqual(gaps([answer, answer]), [
    { text: "4 smaller providers are not shown by name.", isSerious: false },
    { text: "5 operations have no price and are in no cost.", isSerious: true },
  ]);
  assert.deepEqual(gaps([answer], { isOneOfMany: true }).map(({ isSerious }) => isSerious), [false, false], "a warning in each of many panels is none");
  assert.deepEqual(gaps([{ ...answer, left_out: 0, groups: [] }]), []);
  assert.deepEqual(gaps([answer], { isEmpty: true }).map(({ text }) => text), ["5 operations have no price and are in no cost."], "of what is not drawn nothing is left out");
  const others = { dimensions: {}, totals: { unpriced: 6 } };
  assert.equal(gaps([{ ...answer, others }])[1]?.text, "11 operations have no price and are in no cost.", "those left out too");
  assert.equal(gaps([{ ...answer, left_out: 1, groups: [] }])[0]?.text, "1 smaller provider is not shown by name.");
});
