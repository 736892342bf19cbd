// Asks for the token of a server that wants one.
import { keepToken } from "./api";
import { element } from "./element";

export function tokenForm(done: () => void): HTMLElement {
  const input = element("input", { type: "password", autocomplete: "off", required: "", "aria-label": "Token" });
  const form = element(
    "form",
    { id: "token", class: "card welcome" },
    element("h2", {}, "This server asks for its token"),
    element("p", {}, "It is in the file that was named by --token-file. It stays in this tab only."),
    input,
    element("button", { type: "submit" }, "Continue"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    keepToken(input.value);
    done();
  });
  return form;
}
