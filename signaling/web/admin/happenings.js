// @ts-check
/** In which rooms something happened: from the server's events, or by asking for all of them where those are closed. */
import { Pulse } from "./pulse.js";

const EVERY = 3000;
const WITHOUT_EVENTS = 15_000;
/** How far back, at the beginning, it is looked for rooms that nobody keeps. */
const LOOK_BACK = 400;
const AT_ONCE = 200;

/** @typedef {import("./session.js").Session} Session */

export class Happenings {
  /** The position of the last event that was seen. @type {number|null} */ #after = null;

  /**
   * @param {Session} session
   * @param {(rooms: string[]) => Promise<unknown>} onRooms
   * @param {() => string[]} known rooms to ask for where nothing tells of events
   */
  constructor(session, onRooms, known) {
    this.session = session;
    this.onRooms = onRooms;
    this.known = known;
    this.pulse = new Pulse(() => this.#look(), EVERY);
  }

  start() {
    this.pulse.now();
  }

  stop() {
    this.pulse.stop();
  }

  async #look() {
    const first = this.#after === null;
    if (first && !(await this.session.opens("events?limit=1"))) {
      this.pulse.every = WITHOUT_EVENTS;
      return this.onRooms(this.known());
    }
    this.#after ??= Math.max(0, (await this.#end()) - LOOK_BACK);
    const page = await this.session.get("events", { after: this.#after, limit: AT_ONCE });
    this.#after = page.next_after;
    const rooms = new Set(page.items.map((/** @type {any} */ one) => one.room).filter(Boolean));
    await this.onRooms([...rooms]);
    if (page.more) await this.#look();
  }

  /** The position of the last event: what a question says that finds nothing, as no room's deletion is of no room. */
  async #end() {
    return (await this.session.get("events?room=&event=room.deleted&limit=1")).next_after;
  }
}
