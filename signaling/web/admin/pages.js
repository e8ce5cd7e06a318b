// @ts-check
/** A list that the server gives page by page. */
import { create } from "../page/dom.js";
import { button, nothing, once } from "./elements.js";
import { problemInWords } from "./words.js";

/** @template T */
export class PagedList {
  #list;
  #foot;
  /** Counts loads, so that an answer that is late is not shown. */
  #turn = 0;

  /**
   * @param {string} label for who cannot see it
   * @param {(cursor: string|undefined) => Promise<{items: T[], next_cursor: string|null}>} load
   * @param {(item: T) => Node} row
   * @param {[string, string?]} empty what an empty list says
   */
  constructor(label, load, row, empty) {
    this.load = load;
    this.row = row;
    this.empty = empty;
    this.#list = create("ul", { className: "rows" });
    this.#list.setAttribute("aria-label", label);
    this.#foot = create("div", { className: "foot" });
    this.element = create("div", {}, this.#list, this.#foot);
    /** @type {T[]} */ this.items = [];
  }

  /** Shows the first page anew. */
  async show() {
    await this.#more(undefined);
  }

  /** @param {string|undefined} cursor */
  async #more(cursor) {
    const turn = (this.#turn += 1);
    try {
      const page = await this.load(cursor);
      if (turn !== this.#turn) return;
      this.items = cursor ? [...this.items, ...page.items] : page.items;
      const rows = page.items.map((item) => create("li", {}, this.row(item)));
      if (cursor) this.#list.append(...rows);
      else this.#list.replaceChildren(...rows);
      this.#list.hidden = !this.items.length;
      this.#foot.replaceChildren(...(this.items.length ? [] : [nothing(...this.empty)]));
      if (page.next_cursor) this.#offerMore(page.next_cursor);
      if (cursor && rows[0]) {
        rows[0].tabIndex = -1;
        rows[0].focus();
      }
    } catch (/** @type {any} */ error) {
      if (turn !== this.#turn) return;
      const again = button("Try again", () => this.#more(cursor), { kind: "small" });
      this.#foot.replaceChildren(create("p", { className: "problem block", textContent: problemInWords(error) }), ...(error.code === "forbidden" ? [] : [again]));
    }
  }

  /** @param {string} cursor */
  #offerMore(cursor) {
    const more = button("Show more", () => once(more, () => this.#more(cursor)), { kind: "quiet" });
    this.#foot.append(more);
  }
}
