// @ts-check
/** Push to talk: held is heard. Space anywhere outside a control, or the talk button itself. */

const CONTROLS = "input, textarea, select, button, a, summary, dialog, [contenteditable], [role=slider]";

export class PushToTalk {
  #held = false;
  enabled = false;

  /**
   * @param {HTMLElement} button
   * @param {(held: boolean) => void} onHold
   */
  constructor(button, onHold) {
    this.button = button;
    this.onHold = onHold;
    document.addEventListener("keydown", (event) => this.#keyDown(event));
    document.addEventListener("keyup", (event) => (event.code === "Space" || event.code === "Enter") && this.#hold(false));
    button.addEventListener("pointerdown", (event) => {
      if (!this.enabled || event.button !== 0) return;
      button.setPointerCapture(event.pointerId);
      this.#hold(true);
    });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) {
      button.addEventListener(end, () => this.#hold(false));
    }
    addEventListener("blur", () => this.#hold(false));
    document.addEventListener("visibilitychange", () => document.hidden && this.#hold(false));
  }

  /** @param {boolean} on */
  setEnabled(on) {
    this.#hold(false);
    this.enabled = on;
  }

  /** @param {KeyboardEvent} event */
  #keyDown(event) {
    if (!this.enabled || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {Element} */ (event.target);
    const onButton = target === this.button && (event.code === "Space" || event.code === "Enter");
    if (!onButton && (event.code !== "Space" || target.closest(CONTROLS))) return;
    event.preventDefault();
    if (!event.repeat) this.#hold(true);
  }

  /** @param {boolean} held */
  #hold(held) {
    if (held === this.#held) return;
    this.#held = held;
    this.onHold(held);
  }
}
