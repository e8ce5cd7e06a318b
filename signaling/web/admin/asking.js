// @ts-check
/** Dialogs: something is asked, confirmed, or shown this once. What was typed is lost by Escape or Cancel only. */
import { create, icon, setText } from "../page/dom.js";
import { button, copyButton, once } from "./elements.js";
import { fieldOf, read } from "./fields.js";
import { problemInWords } from "./words.js";

/** @typedef {import("./fields.js").Field} Field */

let made = 0;

/**
 * Asks, does it, and closes when it is done. What goes wrong is told in the dialog.
 * @param {{title: string, words?: string, fields?: Field[], submit: string, danger?: boolean}} look
 * @param {(values: Record<string, any>) => Promise<unknown>} act
 */
export function askFor({ title, words, fields = [], submit, danger = false }, act) {
  const problem = create("p", { className: "problem block" });
  problem.setAttribute("role", "alert");
  const go = create("button", { className: `button primary${danger ? " danger" : ""}`, textContent: submit });
  const form = create("form", { noValidate: true }, ...(words ? [create("p", { textContent: words })] : []), ...fields.map(fieldOf), problem);
  const dialog = open(title, form);
  form.append(create("div", { className: "choices" }, button("Cancel", () => dialog.close(), { kind: "quiet" }), go));
  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const wrong = wrongOf(form);
    if (wrong) return;
    once(go, async () => {
      setText(problem, "");
      try {
        await act(read(form, fields));
        dialog.close();
      } catch (/** @type {any} */ error) {
        setText(problem, problemInWords(error));
      }
    });
  });
  (form.querySelector("input, select, textarea") ?? form.querySelector(".choices .button")).focus();
}

/**
 * Something that is told once and kept nowhere.
 * @param {{title: string, words: string, label: string, value: string, copy: string}} shown
 */
export function showOnce({ title, words, label, value, copy }) {
  const id = `once-${(made += 1)}`;
  const field = create("input", { id, readOnly: true, value });
  const dialog = open(title, create("p", { textContent: words }), create("div", { className: "field" }, create("label", { htmlFor: id, textContent: label }), field));
  dialog.append(create("div", { className: "choices" }, button("Done", () => dialog.close(), { kind: "quiet" }), copyButton(field, copy)));
  field.focus();
  field.select();
}

/** Marks what is not filled in, and goes to the first. @param {HTMLFormElement} form */
export function wrongOf(form) {
  const wrong = [...form.elements].filter((one) => one instanceof HTMLInputElement && !one.validity.valid);
  for (const one of form.elements) {
    one.removeAttribute("aria-invalid");
    one.parentElement?.querySelector(":scope > .problem")?.remove();
  }
  for (const one of /** @type {HTMLInputElement[]} */ (wrong)) {
    one.setAttribute("aria-invalid", "true");
    const words = create("p", { className: "problem", id: `${one.id}-problem`, textContent: one.validity.valueMissing ? "Fill this in." : one.validationMessage });
    one.setAttribute("aria-errormessage", words.id);
    one.after(words);
  }
  /** @type {HTMLInputElement[]} */ (wrong)[0]?.focus();
  return wrong.length > 0;
}

/** @param {string} title @param {...Node} content @returns {HTMLDialogElement} */
function open(title, ...content) {
  const id = `dialog-${(made += 1)}`;
  const close = create("button", { type: "button", className: "round small" }, icon("close"));
  close.setAttribute("aria-label", "Close");
  const dialog = create("dialog", { className: "dialog" }, create("header", {}, create("h2", { id, textContent: title }), close), ...content);
  dialog.setAttribute("aria-labelledby", id);
  close.addEventListener("click", () => dialog.close());
  const before = document.activeElement;
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (before instanceof HTMLElement && before.isConnected && document.activeElement === document.body) before.focus();
  });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}
