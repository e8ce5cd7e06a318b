// @ts-check
/** Things that the person should know or do, above all else: at most one of each kind. */
import { byId, create } from "./dom.js";

/** @type {Map<string, HTMLElement>} */
const shown = new Map();

/**
 * @param {string} kind
 * @param {string} words
 * @param {{label: string, act: () => void}} [action]
 */
export function notify(kind, words, action) {
  if (shown.get(kind)?.dataset.words === words) return;
  dismiss(kind);
  const notice = create("div", { className: "notice" }, create("p", { textContent: words }));
  notice.dataset.words = words;
  const button = create("button", { type: "button", className: "button small", textContent: action?.label ?? "Close" });
  button.addEventListener("click", () => {
    dismiss(kind);
    action?.act();
  });
  notice.append(button);
  byId("notices").append(notice);
  shown.set(kind, notice);
}

/** @param {string} kind */
export function dismiss(kind) {
  const notice = shown.get(kind);
  if (!notice) return;
  const focused = notice.contains(document.activeElement);
  notice.remove();
  shown.delete(kind);
  if (focused) byId(byId("notices").dataset.beside ?? "room-title").focus({ preventScroll: true });
}

export function dismissAll() {
  for (const kind of [...shown.keys()]) dismiss(kind);
}
