// @ts-check
/** The few things that every view asks of the document. */

/**
 * The element with this id; a missing one is a fault of the page, not a state of it.
 * @param {string} id
 * @returns {any}
 */
export function byId(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no #${id}`);
  return element;
}

/**
 * @param {string} tag
 * @param {Record<string, unknown>} [properties]
 * @param {...(Node|string)} children
 * @returns {any}
 */
export function create(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/**
 * An icon of the sheet; what it means is said beside it.
 * @param {string} name
 * @returns {SVGElement}
 */
export function icon(name) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS("http://www.w3.org/2000/svg", "use"));
  setIcon(svg, name);
  return svg;
}

/**
 * Shows another icon of the sheet in an element that has one.
 * @param {Element} element
 * @param {string} name
 */
export function setIcon(element, name) {
  const use = element.querySelector("use");
  const address = `page/icons.svg#${name}`;
  if (use && use.getAttribute("href") !== address) use.setAttribute("href", address);
}

/**
 * A write only where it changes something, so that screen readers hear only news.
 * @param {Element} element
 * @param {string} text
 */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** @param {HTMLElement} element @param {string} name of a data attribute @param {boolean} on */
export function mark(element, name, on) {
  if (on) element.dataset[name] = "";
  else delete element.dataset[name];
}
