// @ts-check
/** Work that is done again and again while somebody looks: never twice at once, and slower while it fails. */

const SLOWEST = 8;

export class Pulse {
  #timer = 0;
  #running = false;
  #failed = 0;
  #stopped = false;

  /** @param {() => Promise<unknown>} work @param {number} every milliseconds */
  constructor(work, every) {
    this.work = work;
    this.every = every;
    this.onVisible = () => !document.hidden && this.now();
    document.addEventListener("visibilitychange", this.onVisible);
  }

  /** Does it at once, and goes on from there. */
  async now() {
    clearTimeout(this.#timer);
    if (this.#running || this.#stopped) return;
    this.#running = true;
    try {
      await this.work();
      this.#failed = 0;
    } catch {
      this.#failed = Math.min(this.#failed + 1, SLOWEST); // who works tells what went wrong
    } finally {
      this.#running = false;
    }
    if (!this.#stopped && !document.hidden) this.#timer = window.setTimeout(() => this.now(), this.every * (1 + this.#failed));
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    document.removeEventListener("visibilitychange", this.onVisible);
  }
}
