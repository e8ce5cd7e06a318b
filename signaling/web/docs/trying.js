// @ts-check
/** A form that sends a request, and shows the answer as it came. */
import { create, setText } from "../page/dom.js";

const LONGEST_WAIT = 8000;
const MOST_SHOWN = 200_000;

/** @typedef {import("./document.js").Route} Route */

/** @param {Route} route @param {() => string} bearer @returns {HTMLElement} */
export function tryForm(route, bearer) {
  const { id, parameters, body, method } = route;
  const form = create("form", { className: "try", noValidate: true });
  form.setAttribute("aria-label", `Try ${method} ${route.path}`);
  const fields = parameters.map(({ name, required, where, schema }) => {
    const control = create("input", { id: `${id}-${name}`, name, autocomplete: "off", required, placeholder: schema.default === undefined || schema.default === null ? "" : String(schema.default) });
    control.dataset.where = where;
    return create("div", { className: "field" }, create("label", { htmlFor: control.id, textContent: name }), control);
  });
  if (fields.length) form.append(create("div", { className: "parameters" }, ...fields));
  if (body) {
    const text = create("textarea", { id: `${id}-body`, name: "body", spellcheck: false, value: JSON.stringify(body.example, null, 2) });
    form.append(create("div", { className: "field" }, create("label", { htmlFor: text.id, textContent: "Body, JSON" }), text));
  }
  const problem = create("p", { className: "problem" });
  problem.setAttribute("role", "alert");
  const send = create("button", { className: `button primary${method === "DELETE" ? " danger" : ""}`, textContent: `Send ${method}` });
  const answer = create("div", { className: "answer" });
  answer.setAttribute("role", "status");
  form.append(problem, create("div", {}, send));
  form.addEventListener("submit", async (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const missing = form.querySelector("input:invalid");
    setText(problem, missing ? `${missing.name} has to be filled in.` : "");
    if (missing) return missing.focus();
    if (send.getAttribute("aria-disabled") === "true") return;
    send.setAttribute("aria-disabled", "true");
    answer.replaceChildren(create("p", { className: "hint", textContent: "Sending…" }));
    try {
      answer.replaceChildren(...(await exchange(route, form, bearer())));
    } catch (/** @type {any} */ error) {
      answer.replaceChildren();
      setText(problem, `No answer came: ${error.message}`);
    } finally {
      send.removeAttribute("aria-disabled");
    }
  });
  return create("div", {}, form, answer);
}

/** @param {Route} route @param {HTMLFormElement} form @param {string} bearer */
async function exchange(route, form, bearer) {
  const { path, headers } = addressed(route, form);
  if (bearer) headers.set("authorization", `Bearer ${bearer}`);
  const body = route.body ? /** @type {any} */ (form.elements.namedItem("body")).value : undefined;
  if (body !== undefined) headers.set("content-type", "application/json");
  const cut = new AbortController();
  const timer = setTimeout(() => cut.abort(), LONGEST_WAIT);
  const began = performance.now();
  try {
    const response = await fetch(path, { method: route.method, headers, body, cache: "no-store", signal: cut.signal });
    const took = Math.round(performance.now() - began);
    const { text, whole } = await readSome(response);
    return shown(response, took, path, pretty(text, response.headers.get("content-type") ?? ""), whole);
  } finally {
    clearTimeout(timer);
    cut.abort();
  }
}

/** @param {Route} route @param {HTMLFormElement} form */
function addressed(route, form) {
  let path = route.path.slice(1);
  const query = new URLSearchParams();
  const headers = new Headers();
  for (const control of /** @type {NodeListOf<HTMLInputElement>} */ (form.querySelectorAll("input"))) {
    if (control.dataset.where === "path") path = path.replace(`{${control.name}}`, encodeURIComponent(control.value));
    else if (control.value && control.dataset.where === "query") query.set(control.name, control.value);
    else if (control.value) headers.set(control.name, control.value);
  }
  return { path: query.size ? `${path}?${query}` : path, headers };
}

/** The body, or what came of it in time: a stream of events does not end. @param {Response} response */
async function readSome(response) {
  const reader = response.body?.getReader();
  const decoder = new TextDecoder();
  let text = "";
  try {
    for (let piece = await reader?.read(); piece && !piece.done; piece = await reader?.read()) {
      text += decoder.decode(piece.value, { stream: true });
      if (text.length > MOST_SHOWN) return { text, whole: false };
    }
    return { text, whole: true };
  } catch (/** @type {any} */ error) {
    if (error.name !== "AbortError") throw error;
    return { text, whole: false };
  }
}

/** @param {string} text @param {string} type */
function pretty(text, type) {
  if (!/json/.test(type)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text; // not what it says it is: as it came
  }
}

/** @param {Response} response @param {number} took @param {string} path @param {string} text @param {boolean} whole */
function shown(response, took, path, text, whole) {
  const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`).join("\n");
  const status = create("p", { className: "result" }, create("b", { className: `code c${String(response.status)[0]}`, textContent: String(response.status) }), ` ${response.statusText} · ${took} ms · /${path}`);
  return [
    status,
    create("details", { className: "more" }, create("summary", { textContent: "Headers" }), scrolled("Headers of the answer", headers)),
    ...(text ? [scrolled("Body of the answer", text)] : [create("p", { className: "hint", textContent: "There is no body." })]),
    ...(whole ? [] : [create("p", { className: "hint", textContent: "The answer goes on; the page stopped reading here." })]),
  ];
}

/** @param {string} label @param {string} text */
function scrolled(label, text) {
  const element = create("pre", { tabIndex: 0, textContent: text });
  element.setAttribute("role", "region");
  element.setAttribute("aria-label", label);
  return element;
}
