// @ts-check
/** Fields of forms, from what they are called and what they hold. */
import { create } from "../page/dom.js";

/**
 * @typedef {object} Field
 * @property {string} name
 * @property {string} label
 * @property {"text"|"password"|"search"|"number"|"select"|"check"|"area"|"moment"|"note"} [kind]
 * @property {any} [value]
 * @property {string} [hint]
 * @property {[string, string][]} [options] values with their words
 * @property {boolean} [required]
 * @property {number} [min]
 * @property {number} [max]
 * @property {number} [longest]
 * @property {string[]} [suggestions]
 */

let made = 0;

/** @param {Field} field @returns {HTMLElement} */
export function fieldOf(field) {
  const id = `field-${(made += 1)}`;
  if (field.kind === "check") return checkOf(field, id);
  const control = controlOf(field);
  control.id = id;
  control.name = field.name;
  if (field.required) control.required = true;
  const parts = [create("label", { htmlFor: id, textContent: field.label }), control];
  if (field.suggestions?.length) {
    const list = create("datalist", { id: `${id}-known` }, ...field.suggestions.map((value) => create("option", { value })));
    control.setAttribute("list", list.id);
    parts.push(list);
  }
  if (field.hint) {
    parts.push(create("p", { className: "hint", id: `${id}-hint`, textContent: field.hint }));
    control.setAttribute("aria-describedby", `${id}-hint`);
  }
  return create("div", { className: "field" }, ...parts);
}

/**
 * What was filled in: text trimmed, numbers as numbers, nothing where a field is empty.
 * @param {HTMLFormElement} form
 * @param {Field[]} fields
 * @returns {Record<string, any>}
 */
export function read(form, fields) {
  return Object.fromEntries(fields.filter(({ kind }) => kind !== "note").map((field) => [field.name, valueOf(/** @type {any} */ (form.elements.namedItem(field.name)), field)]));
}

/** A list of words that somebody typed. @param {string|null} text */
export function wordsIn(text) {
  return (text ?? "").split(/[\s,]+/).filter(Boolean);
}

/** @param {Field} field @param {string} id */
function checkOf({ name, label, hint, value }, id) {
  const words = create("span", {}, create("b", { textContent: label }), ...(hint ? [create("small", { textContent: hint })] : []));
  return create("label", { className: "choice" }, create("input", { type: "checkbox", id, name, checked: Boolean(value) }), words);
}

/** @param {Field} field @returns {any} */
function controlOf({ kind = "text", value = "", options = [], min, max, longest }) {
  if (kind === "select") {
    const menu = create("select", {}, ...options.map(([option, words]) => create("option", { value: option, textContent: words })));
    menu.value = value ?? "";
    return menu;
  }
  if (kind === "area") return create("textarea", { value: value ?? "", ...(longest ? { maxLength: longest } : {}) });
  const type = kind === "moment" ? "datetime-local" : kind;
  const input = create("input", { type, autocomplete: kind === "password" ? "new-password" : "off", ...(longest ? { maxLength: longest } : {}) });
  if (kind === "number") Object.assign(input, { min, max, step: 1 });
  input.value = kind === "moment" && value ? localMoment(value) : (value ?? "");
  return input;
}

/** @param {HTMLInputElement} control @param {Field} field */
function valueOf(control, { kind }) {
  if (kind === "check") return control.checked;
  const text = kind === "password" ? control.value : control.value.trim();
  if (text === "") return null;
  if (kind === "number") return Number(text);
  return kind === "moment" ? new Date(text).toISOString() : text;
}

/** As the browser's own field writes it. @param {string} iso */
function localMoment(iso) {
  const at = new Date(iso);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}
