// @ts-check
/** The API reference: read from the server's own OpenAPI document, by resource, to search and to try. */
import { byId, create, setText } from "../page/dom.js";
import { ask } from "../page/server.js";
import { problemInWords } from "../page/words.js";
import { fits, resourcesOf } from "./document.js";
import { routeElement } from "./route.js";

const bearer = () => byId("bearer").value.trim();

/** @typedef {{element: HTMLElement, routes: {route: import("./document.js").Route, element: HTMLDetailsElement, link: HTMLElement}[], list: HTMLElement}} Group */

/** @param {any} read @returns {Group[]} */
function show(read) {
  setText(byId("version"), read.info.version);
  setText(byId("about"), read.info.description);
  return resourcesOf(read).map(([name, routes], index) => {
    const title = create("h2", { id: `resource-${index}`, textContent: name });
    const rows = routes.map((route) => {
      const link = create("a", { href: `#${route.id}` }, create("span", { className: `method ${route.method.toLowerCase()}`, textContent: route.method }), create("span", { textContent: route.summary.replace(/\.$/, "") }));
      return { route, element: routeElement(route, bearer), link: create("li", {}, link) };
    });
    const element = create("section", { className: "resource" }, title, ...rows.map((row) => row.element));
    element.setAttribute("aria-labelledby", title.id);
    const heading = create("p", { className: "resource-name", id: `links-${index}`, textContent: name });
    const links = create("ul", {}, ...rows.map((row) => row.link));
    links.setAttribute("aria-labelledby", heading.id);
    const list = create("div", {}, heading, links);
    byId("list").append(element);
    byId("resources").append(list);
    return { element, list, routes: rows };
  });
}

/** @param {Group[]} groups */
function search(groups) {
  const typed = byId("search").value.trim();
  let count = 0;
  for (const { element, list, routes } of groups) {
    let here = 0;
    for (const { route, element: row, link } of routes) {
      const hit = fits(route, typed);
      row.hidden = link.hidden = !hit;
      here += Number(hit);
    }
    element.hidden = list.hidden = !here;
    count += here;
  }
  setText(byId("found"), count ? `${count} ${count === 1 ? "route" : "routes"}` : "No route has these words.");
}

/** Opens what the address names. @param {Group[]} groups */
function follow(groups) {
  const id = decodeURIComponent(location.hash.slice(1));
  const row = groups.flatMap(({ routes }) => routes).find(({ route }) => route.id === id);
  if (!row) return;
  if (row.element.hidden) {
    byId("search").value = "";
    search(groups);
  }
  row.element.open = true;
  row.element.scrollIntoView({ block: "start" });
  /** @type {HTMLElement} */ (row.element.firstElementChild).focus({ preventScroll: true });
}

byId("skip").addEventListener("click", (/** @type {MouseEvent} */ event) => {
  event.preventDefault();
  byId("routes").focus();
});
try {
  const { values } = await ask("openapi.json");
  const groups = show(values);
  byId("search").addEventListener("input", () => search(groups));
  addEventListener("hashchange", () => follow(groups));
  search(groups);
  follow(groups);
} catch (/** @type {any} */ error) {
  setText(byId("problem"), problemInWords(error));
}
