import assert from "node:assert/strict";
import { test } from "node:test";
import { askQuery, type Question } from "./query";

const question: Question = { measures: ["operations"], span: { from: 0, to: 60_000 }, zone: "UTC", filters: {} };

/** A server that answers when it is told to, and what it was asked. */
function server(): { asked: string[]; answer: (at: number) => void } {
  const asked: string[] = [];
  const answers: (() => void)[] = [];
  const body = () => new Response(JSON.stringify({ groups: [], measures: [] }));
  Object.assign(globalThis, {
    document: { baseURI: "http://here/" },
    sessionStorage: { getItem: () => null },
    fetch: (url: string) => {
      asked.push(new URL(url).searchParams.get("by") ?? "totals");
      return new Promise((done) => answers.push(() => done(body())));
    },
  });
  return { asked, answer: (at) => answers[at]?.() };
}

const turns = () => new Promise((done) => setTimeout(done, 5));

test("what is looked at first goes ahead of the others of its turn", async () => {
  const { asked, answer } = server();
  const later = askQuery({ ...question, by: ["model"] });
  const first = askQuery({ ...question, isFirst: true });
  await turns();
  assert.deepEqual(asked, ["totals"]);
  answer(0);
  await first.answer;
  await turns();
  assert.deepEqual(asked, ["totals", "model"]);
  answer(1);
  await later.answer;
});

test("nobody waits long for a server that does not answer", async () => {
  const { asked } = server();
  const first = askQuery({ ...question, zone: "Asia/Kolkata", isFirst: true });
  askQuery({ ...question, by: ["team"] });
  await new Promise((done) => setTimeout(done, 250));
  assert.deepEqual(asked, ["totals", "team"]);
  first.answer.catch(() => undefined);
});
