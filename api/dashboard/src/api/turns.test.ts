import assert from "node:assert/strict";
import { test } from "node:test";
import { Refused } from "./client";
import { inTurn, patiently } from "./turns";

const { signal } = new AbortController();
const turn = () => new Promise((done) => setImmediate(done));

test("two are asked at once, the others in their order", async () => {
  const begun: number[] = [];
  const ends: (() => void)[] = [];
  const all = [0, 1, 2, 3].map((at) =>
    inTurn(() => {
      begun.push(at);
      return new Promise<number>((done) => ends.push(() => done(at)));
    }, signal),
  );
  await turn();
  assert.deepEqual(begun, [0, 1]);
  ends[1]?.();
  await turn();
  assert.deepEqual(begun, [0, 1, 2]);
  ends[0]?.();
  ends[2]?.();
  await turn();
  ends[3]?.();
  assert.deepEqual(await Promise.all(all), [0, 1, 2, 3]);
});

test("one that nobody waits for any more is not asked, and the next one is", async () => {
  const abort = new AbortController();
  let end = () => undefined as void;
  const first = inTurn(() => new Promise<void>((done) => (end = done)), signal);
  const second = inTurn(() => new Promise<void>(() => undefined), abort.signal).catch(() => "left");
  abort.abort();
  const left = inTurn(() => Promise.resolve("asked"), abort.signal).catch(() => "not asked");
  const last = inTurn(() => Promise.resolve("asked"), signal);
  end();
  await first;
  assert.equal(await left, "not asked");
  assert.equal(await last, "asked");
  assert.equal(await Promise.race([second, Promise.resolve("under way")]), "under way");
});

test("a busy server is asked again, as late as it says and then later still", async () => {
  const waits: number[] = [];
  const wait = (seconds: number) => Promise.resolve(void waits.push(seconds));
  let left = 2;
  const asking = () => (left-- > 0 ? Promise.reject(new Refused(503, "busy", "busy", 2)) : Promise.resolve("answer"));
  assert.equal(await patiently(asking, signal, wait), "answer");
  assert.deepEqual(waits, [2, 4]);
});

test("it gives up after some times, and at once where waiting does not help", async () => {
  let asked = 0;
  const refused = (code: string) => () => {
    asked += 1;
    return Promise.reject(new Refused(503, "no", code));
  };
  await assert.rejects(patiently(refused("busy"), signal, () => Promise.resolve()), Refused);
  assert.equal(asked, 4);
  asked = 0;
  await assert.rejects(patiently(refused("too_slow"), signal, () => Promise.resolve()), Refused);
  assert.equal(asked, 1);
});
