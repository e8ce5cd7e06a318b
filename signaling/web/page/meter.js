// @ts-check
/** A level meter: the bar moves at once, the number for screen readers twice a second. */

/** A voice at an ordinary distance fills most of the bar. @param {number} level 0 to 1, linear */
export function shownLevel(level) {
  const decibel = 20 * Math.log10(Math.max(level, 1e-4));
  return Math.min(1, Math.max(0, (decibel + 60) / 50));
}

export class Meter {
  #told = 0;

  /** @param {HTMLElement} element with role meter */
  constructor(element) {
    this.element = element;
  }

  /** @param {number} level 0 to 1, linear */
  show(level) {
    const shown = shownLevel(level);
    this.element.style.setProperty("--level", shown.toFixed(3));
    const now = performance.now();
    if (now - this.#told < 500) return;
    this.#told = now;
    this.element.setAttribute("aria-valuenow", String(Math.round(shown * 100)));
  }
}
