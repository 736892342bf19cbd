import assert from "node:assert/strict";
import { test } from "node:test";
import { readView, toggled, writeView } from "./view";

const read = (hash: string) => readView(hash, "Europe/Berlin");

test("an address reproduces the view, and the view the address", () => {
  const addresses = [
    "#/cost?range=7d&zone=Asia/Kolkata&provider=openai&provider=anthropic&model=",
    "#/operations?from=2026-11-01T00:00Z&to=2026-11-02T10:07Z&zone=UTC&session_id=a%26b%3Dc&compare=previous&columns=time,cost",
    "#/cost?range=30d&zone=UTC&step=hour&team=search",
    "#/overview?range=24h&zone=UTC&agent_id=%D9%85%D8%AE%D8%B7%D8%B7",
  ];
  for (const address of addresses) {
    const written = writeView(read(address));
    assert.deepEqual(read(written), read(address), address);
    assert.equal(writeView(read(written)), written);
  }
  assert.equal(writeView(read(addresses[0] ?? "")), addresses[0]);
});

test("what makes no sense is not taken", () => {
  const view = read("#/../etc?range=5y&zone=Mars/Base&step=second&from=2026-11-02T00:00Z&to=2026-11-01T00:00Z&provider=openai&provider=openai");
  assert.equal(view.page, "overview");
  assert.deepEqual(view.range, { name: "24h" });
  assert.equal(view.zone, "Europe/Berlin");
  assert.deepEqual(view.unread, ["range=5y", "from=2026-11-02T00:00Z", "to=2026-11-01T00:00Z", "zone=Mars/Base"]);
  assert.deepEqual(read("#/cost?range=7d").unread, []);
  assert.deepEqual(read("#/cost").unread, []);
  assert.equal(view.step, undefined);
  assert.deepEqual(view.filters, { provider: ["openai"] });
  assert.equal(read("").page, "overview");
  for (const range of ["from=-271821-04-20&to=2026-11-01T00:00Z", "from=2026-11-01T00:00Z&to=%2B275760-09-13"]) {
    assert.deepEqual(read(`#/cost?${range}`).range, { name: "24h" }, range);
  }
});

test("values that look like parts of an address stay values", () => {
  const filters = { model: ["a?b#c&d=e/f:g", ""] };
  const view = { ...read(""), filters };
  assert.deepEqual(read(writeView(view)).filters, filters);
});

test("an item may stand behind the page", () => {
  const view = read("#/dashboard/0a1b-2c?range=7d&zone=UTC");
  assert.deepEqual([view.page, view.item], ["dashboard", "0a1b-2c"]);
  assert.equal(writeView(view), "#/dashboard/0a1b-2c?range=7d&zone=UTC");
  for (const hash of ["#/cost", "#/dashboard/", "#/dashboard/a/b", "#/dashboard/%2e%2e"]) assert.equal(read(hash).item, "", hash);
});

test("filters that files are read for stand in the address too, and the outcome by its old name", () => {
  assert.deepEqual(read("#/cost?tag=a:b&tag=a:c&user_id=u&http_status=429").filters, { user_id: ["u"], http_status: ["429"], tag: ["a:b", "a:c"] });
  assert.deepEqual(read("#/operations?success=false&outcome=failure").filters, { outcome: ["failure"] });
});

test("a filter is added and taken away by the same click", () => {
  const once = toggled({}, "provider", "openai");
  assert.deepEqual(once, { provider: ["openai"] });
  assert.deepEqual(toggled(once, "provider", "groq"), { provider: ["openai", "groq"] });
  assert.deepEqual(toggled(once, "provider", "openai"), {});
});
