// What is shown while there is no operation: how to send the first one.
import { hasToken } from "./api";
import { element } from "./element";

export function welcome(): HTMLElement {
  const command = [
    `curl ${location.origin}/v1/operations \\`,
    "  -H 'content-type: application/json' \\",
    ...(hasToken() ? ['  -H "authorization: Bearer $TOKEN" \\'] : []),
    `  -d '{"provider": "openai", "model": "gpt-5-mini", "input_tokens": 1200, "output_tokens": 85, "latency_us": 900000}'`,
  ].join("\n");
  const copy = element("button", { type: "button" }, "Copy");
  copy.addEventListener("click", () => {
    navigator.clipboard.writeText(command).then(
      () => (copy.textContent = "Copied"),
      () => (copy.textContent = "Select the text to copy it"),
    );
  });
  return element(
    "section",
    { id: "welcome", class: "card welcome" },
    element("h2", {}, "No operations yet"),
    element("p", {}, "This page fills by itself. Send the first operation:"),
    element("pre", {}, command),
    copy,
    element(
      "p",
      { class: "muted" },
      "Or start with synthetic ones: opstream up --demo. The fields of an operation are described at ",
      element("a", { href: "/v1/openapi.json" }, "/v1/openapi.json"),
      ".",
    ),
  );
}
