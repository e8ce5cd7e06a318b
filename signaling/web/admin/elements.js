// @ts-check
/** Small pieces of the document that several parts show. */
import { create, icon, setText } from "../page/dom.js";
import { hueOf, initialsOf } from "../page/faces.js";
import { momentInWords } from "./words.js";

const SAID_FOR = 2000;

/**
 * @param {string} words
 * @param {() => unknown} act
 * @param {{kind?: string, picture?: string, label?: string}} [look] `label` is the whole name where the words are short
 * @returns {HTMLButtonElement}
 */
export function button(words, act, { kind = "", picture, label } = {}) {
  const made = create("button", { type: "button", className: `button ${kind}`.trim() }, ...(picture ? [icon(picture)] : []), create("span", { textContent: words }));
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

/** A button does its work once at a time. @param {HTMLButtonElement} pressed @param {() => Promise<unknown>} work */
export async function once(pressed, work) {
  if (pressed.getAttribute("aria-disabled") === "true") return;
  pressed.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    pressed.removeAttribute("aria-disabled");
  }
}

/** @param {string} words @param {string} [kind] */
export function chip(words, kind = "") {
  return create("span", { className: `chip ${kind}`.trim(), textContent: words });
}

/** Initials in somebody's colour. @param {string} identity @param {string} name */
export function face(identity, name) {
  const made = create("span", { className: "face", textContent: initialsOf(name || identity) });
  made.setAttribute("aria-hidden", "true");
  made.style.setProperty("--hue", String(hueOf(identity)));
  return made;
}

/** @param {string} iso @param {string} [before] */
export function moment(iso, before = "") {
  return create("time", { dateTime: iso, title: iso, textContent: `${before}${momentInWords(iso)}` });
}

/** What a list says that has nothing to show. @param {string} words @param {string} [hint] */
export function nothing(words, hint = "") {
  return create("div", { className: "nothing" }, create("p", { textContent: words }), ...(hint ? [create("p", { className: "hint", textContent: hint })] : []));
}

/** A section with a heading, things to do beside it, and what it has. @param {string} title @param {(Node|string)[]} tools @param {...Node} content */
export function section(title, tools, ...content) {
  return create("section", { className: "part" }, create("header", {}, create("h2", { textContent: title }), create("div", { className: "tools" }, ...tools)), ...content);
}

/** A button that copies what a field holds; without a clipboard it chooses the text. @param {HTMLInputElement} field @param {string} words */
export function copyButton(field, words) {
  const made = button(words, async () => {
    field.focus();
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      setText(/** @type {Element} */ (made.querySelector("span")), "Copied");
      setTimeout(() => setText(/** @type {Element} */ (made.querySelector("span")), words), SAID_FOR);
    } catch {
      // No clipboard outside secure pages: the text is chosen for the keyboard's own copy.
    }
  }, { kind: "primary", picture: "copy" });
  return made;
}
