// The state of the pipeline, and letters that are sent again. Letters are made up: a demo has none.
import assert from "node:assert/strict";
import type { Browser, Page } from "playwright-core";
import { newContext, newPage, open } from "./browser";

const HOSTILE = '<img src=x onerror="document.title=\'owned\'">';
const letter = (offset: number) => ({
  letter_id: `1/0/${offset}`, topic: "llm.operations", partition: 0, offset, reason_code: "too_long", reason: `model has 300 characters: ${HOSTILE}`, operation_id: null, stored_at: "2026-11-28T00:00:00Z", redriven_at: null, record_timestamp: "2026-11-28T00:00:00Z", bytes: 1_234,
});

async function withLetters(page: Page): Promise<string[][]> {
  const sent: string[][] = [];
  await page.route("**/v1/dead-letters?*", (route) => {
    const cursor = Number(new URL(route.request().url()).searchParams.get("cursor") ?? 0);
    return route.fulfill({ json: { letters: Array.from({ length: 200 }, (_, at) => letter(cursor + at)), next_cursor: cursor < 400 ? String(cursor + 200) : null } });
  });
  await page.route("**/v1/dead-letters/1/0/**", (route) => route.fulfill({ json: { ...letter(0), headers: [["a", HOSTILE], ["b", null]], key_preview: HOSTILE, value_preview: route.request().url().endsWith("content=true") ? "the prompt" : null, decoded: { model: HOSTILE }, fault: null, withheld: ["input_messages"] } }));
  await page.route("**/v1/dead-letters/redrive", (route) => {
    const { letters } = route.request().postDataJSON() as { letters: string[] };
    sent.push(letters);
    return route.fulfill({ json: { redriven: letters.length - 1, already_redriven: 0, refused: [{ letter_id: letters[0], message: "it would be refused again" }] } });
  });
  return sent;
}

export async function lettersAreSentAgainAfterAsking(browser: Browser): Promise<void> {
  const context = await newContext(browser);
  const { page, troubles } = await newPage(context);
  const sent = await withLetters(page);
  await open(page, "#/pipeline?range=24h&zone=UTC");
  await page.getByLabel("Choose 1/0/2", { exact: true }).check();
  await page.getByLabel("Choose 1/0/4", { exact: true }).check();
  await page.getByRole("button", { name: "Send 2 again" }).click();
  await page.getByRole("button", { name: "Cancel" }).click();
  assert.deepEqual(sent, []);
  await page.getByRole("button", { name: "Send 2 again" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Send again", exact: true }).click();
  await page.getByText("1 letter was sent again, 1 was not:").waitFor();
  await page.getByText("it would be refused again").waitFor();
  assert.deepEqual(sent, [["1/0/2", "1/0/4"]]);
  assert.equal(await page.getByLabel("Choose 1/0/2", { exact: true }).isChecked(), true, "what was refused stays chosen");
  assert.equal(await page.getByLabel("Choose 1/0/4", { exact: true }).isChecked(), false);
  assert.deepEqual(troubles, []);
  await context.close();
}

export async function aLetterIsOnlyEverText(browser: Browser): Promise<void> {
  const context = await newContext(browser, { width: 360 });
  const { page, troubles } = await newPage(context);
  await withLetters(page);
  await open(page, "#/pipeline?range=24h&zone=UTC&letter=1/0/0");
  await page.getByRole("dialog").getByText("What can be read of it").waitFor();
  assert.equal(await page.locator('img[src="x"]').count(), 0);
  assert.ok((await page.getByRole("dialog").getByText("onerror").count()) > 2);
  assert.equal(await page.getByText("the prompt").count(), 0, "content is shown when it is asked for");
  await page.getByText("Withheld: input_messages.").waitFor();
  await page.getByRole("button", { name: "Show content" }).click();
  await page.getByText("the prompt").waitFor();
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !location.hash.includes("letter="));
  const region = page.getByRole("region", { name: "Dead letters, newest first" });
  await region.evaluate((element) => element.scrollTo(0, element.scrollHeight));
  await page.waitForFunction(() => [...document.querySelectorAll("table[aria-rowcount]")].some((table) => Number(table.getAttribute("aria-rowcount")) > 300));
  assert.deepEqual(troubles, []);
  await context.close();
}
