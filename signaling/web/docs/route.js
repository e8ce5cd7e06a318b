// @ts-check
/** One route: closed a line, open all that is to know of it. */
import { create } from "../page/dom.js";
import { tryForm } from "./trying.js";

/** @typedef {import("./document.js").Route} Route */
/** @typedef {import("./document.js").Field} Field */

/** @param {Route} route @param {() => string} bearer @returns {HTMLDetailsElement} */
export function routeElement(route, bearer) {
  const { id, method, path, summary } = route;
  const line = create("summary", {}, create("h3", {}, create("span", { className: `method ${method.toLowerCase()}`, textContent: method }), create("code", { className: "path" }, ...breakable(path))), create("span", { className: "summary", textContent: summary }));
  const element = create("details", { className: "route", id }, line);
  element.addEventListener("toggle", () => {
    if (!element.open) return;
    if (element.childElementCount === 1) element.append(contentOf(route, bearer));
    history.replaceState(null, "", `#${id}`);
  });
  return element;
}

/** @param {Route} route @param {() => string} bearer */
function contentOf(route, bearer) {
  const { about, parameters, body, answers } = route;
  const trying = create("details", { className: "trying" }, create("summary", { className: "button", textContent: "Try it" }), tryForm(route, bearer));
  const parts = [];
  if (about) parts.push(create("p", { className: "hint", textContent: about }));
  parts.push(trying);
  if (parameters.length) parts.push(block("Parameters", fieldList(parameters)));
  if (body) parts.push(block("Body", ...(body.about ? [create("p", { className: "hint", textContent: body.about })] : []), fieldList(body.fields)));
  parts.push(block("Answers", answerList(answers)));
  return create("div", { className: "inside" }, ...parts);
}

/** @param {string} title @param {...Node} content */
function block(title, ...content) {
  return create("section", {}, create("h4", { textContent: title }), ...content);
}

/** @param {Field[]} fields @returns {Node} */
function fieldList(fields) {
  const items = fields.map(({ name, type, required, where, about, fields: inside }) => {
    const marks = [create("code", { className: "name", textContent: name }), create("span", { className: "type", textContent: type }), ...(where ? [create("span", { className: "chip", textContent: where })] : []), ...(required ? [create("span", { className: "chip must", textContent: "required" })] : [])];
    return create("li", {}, create("p", {}, ...marks.flatMap((one) => [one, " "])), ...(about ? [create("p", { className: "hint", textContent: about })] : []), ...(inside.length ? [fieldList(inside)] : []));
  });
  return create("ul", { className: "fields" }, ...items);
}

/** @param {import("./document.js").Answer[]} answers */
function answerList(answers) {
  const items = answers.map(({ status, about, codes, media, fields }) => {
    const words = create("p", {}, create("b", { className: `code c${status[0]}`, textContent: status }), " ", ...(codes.length ? codes.flatMap((code) => [create("code", { textContent: code }), " "]) : [create("span", { textContent: about })]));
    if (media && !codes.length && media !== "application/json") words.append(" ", create("span", { className: "chip", textContent: media }));
    if (!fields.length) return create("li", {}, words);
    return create("li", {}, words, create("details", { className: "more" }, create("summary", { textContent: "Its fields" }), fieldList(fields)));
  });
  return create("ul", { className: "answers" }, ...items);
}

/** A path that may break after each slash. @param {string} path */
function breakable(path) {
  return path.split(/(?<=\/)/).flatMap((piece) => [piece, document.createElement("wbr")]);
}
