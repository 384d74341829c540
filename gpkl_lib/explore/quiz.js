// "Quiz": a question that answers at once. Nothing is stored or sent.
import { h, KEYS, num, rich, uid } from "./kit/kit.js";

// A number as people write it: 0.5, 0,5, −2, 1e-3, 1/3
function parseNumber(text) {
  const clean = text.trim().replace("−", "-").replace(",", ".");
  const [top, bottom = "1", ...rest] = clean.split("/").map((part) => (part.trim() === "" ? NaN : Number(part)));
  return rest.length ? NaN : top / bottom;
}

function render({ model, el }) {
  const explain = model.get("explain");
  const answer = model.get("answer");
  const id = uid("quiz");
  const verdict = h("p", { class: "gpkl-verdict" });
  const reason = h("p", { class: "gpkl-explain" });
  const feedback = h("div", { class: "gpkl-feedback", role: "status", "aria-live": "polite" }, verdict, reason);
  const tell = (right, text) => {
    feedback.className = `gpkl-feedback ${right === null ? "" : right ? "gpkl-right" : "gpkl-wrong"}`;
    verdict.textContent = text;
    reason.replaceChildren(...(right ? rich(explain) : []));
  };
  const choices = model.get("choices");
  const body = choices.length
    ? choiceForm(choices, answer, tell, id)
    : numberForm(answer, model.get("tolerance"), tell, id);
  el.append(
    h(
      "div",
      { class: "gpkl gpkl-quiz", role: "group", "aria-labelledby": id },
      h("p", { id, class: "gpkl-question" }, rich(model.get("question"))),
      body,
      feedback,
    ),
  );
}

function choiceForm(choices, answer, tell, id) {
  const buttons = choices.map((text, i) =>
    h(
      "button",
      { type: "button", class: "gpkl-choice-button", "aria-pressed": "false", ...KEYS },
      h("span", { class: "gpkl-letter", "aria-hidden": "true" }, "abcdefgh"[i]),
      h("span", {}, rich(text)),
    ),
  );
  buttons.forEach((button, i) =>
    button.addEventListener("click", () => {
      for (const other of buttons) other.setAttribute("aria-pressed", String(other === button));
      button.classList.add(i === answer ? "gpkl-right" : "gpkl-wrong");
      tell(i === answer, i === answer ? "Right." : "Not this one. Try another.");
    }),
  );
  return h("div", { class: "gpkl-choices", role: "group", "aria-labelledby": id }, buttons);
}

function numberForm(answer, tolerance, tell, id) {
  const input = h("input", {
    type: "text",
    inputmode: "decimal",
    autocomplete: "off",
    class: "gpkl-input",
    "aria-labelledby": id,
    ...KEYS,
  });
  const form = h(
    "form",
    { class: "gpkl-answer" },
    input,
    h("button", { type: "submit", class: "gpkl-button", ...KEYS }, "Check"),
  );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const given = parseNumber(input.value);
    input.setAttribute("aria-invalid", String(!Number.isFinite(given)));
    if (!Number.isFinite(given)) return tell(null, "Write a number, such as 0.5 or 1/2.");
    const off = given - answer;
    if (Math.abs(off) <= tolerance) return tell(true, `Right: ${num(answer)}.`);
    return tell(false, off > 0 ? "Too large. Try again." : "Too small. Try again.");
  });
  return form;
}
export default { render };
