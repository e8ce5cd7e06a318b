// @ts-check
/** Who is in a room now, and what a moderator can do to them. */
import { byId, create, icon, setIcon, setText } from "../page/dom.js";
import { askFor } from "./asking.js";
import { button, chip, face, nothing, once } from "./elements.js";
import { Pulse } from "./pulse.js";
import { makeRoom } from "./rooms.js";
import { ofRoom } from "./session.js";
import { attempt, told, wentWrong } from "./telling.js";
import { counted, problemInWords, sinceInWords } from "./words.js";

const EVERY = 2000;
const MOST = 200;
/** @type {[string, string][]} */
export const DURATIONS = [["", "For good"], ["600", "10 minutes"], ["3600", "1 hour"], ["86400", "1 day"], ["604800", "7 days"], ["2592000", "30 days"]];
const REASON = { name: "reason", label: "Reason", longest: 256, hint: "Shown to the participant, and stored in the audit trail." };

/** @typedef {import("./session.js").Session} Session */
/** @typedef {import("./room.js").Place} Place */

/** @param {Session} session @param {Place} place @returns {import("./room.js").Part} */
export function peoplePart(session, place) {
  const people = new People(session, place);
  people.pulse.now();
  return { element: people.element, close: () => people.pulse.stop() };
}

class People {
  /** @type {Map<string, Person>} */ #rows = new Map();

  /** @param {Session} session @param {Place} place */
  constructor(session, place) {
    this.session = session;
    this.place = place;
    this.count = create("p", { className: "live" }, create("span", { className: "dot" }), create("span", { textContent: "Looking…" }));
    this.list = create("ul", { className: "rows" });
    this.list.setAttribute("aria-label", "People in this room now");
    this.empty = create("div");
    const keep = !place.kept && session.is("operator") ? [button("Store this room", () => makeRoom(session, place.id), { kind: "quiet small", picture: "plus" })] : [];
    this.element = create("section", { className: "part" }, create("header", {}, create("h2", { textContent: "In the room now" }), create("div", { className: "tools" }, this.count, ...keep)), this.list, this.empty);
    this.pulse = new Pulse(() => this.look(), EVERY);
  }

  async look() {
    try {
      const { items, next_cursor: more } = await this.session.get(ofRoom(this.place.id, "participants"), { limit: MOST });
      this.#show(items, more);
      delete this.count.dataset.lost;
    } catch (/** @type {any} */ error) {
      this.count.dataset.lost = "";
      setText(/** @type {Element} */ (this.count.lastElementChild), problemInWords(error));
      throw error;
    }
  }

  /** @param {any[]} items @param {string|null} more */
  #show(items, more) {
    setText(/** @type {Element} */ (this.count.lastElementChild), `${counted(items.length, "person", "people")}${more ? " or more" : ""}, live`);
    const ids = new Set(items.map(({ id }) => id));
    for (const [id, row] of this.#rows) {
      if (ids.has(id)) continue;
      const focused = row.element.contains(document.activeElement);
      row.element.remove();
      this.#rows.delete(id);
      if (focused) byId("view-title").focus({ preventScroll: true });
    }
    for (const person of items) {
      let row = this.#rows.get(person.id);
      if (!row) {
        row = new Person(this, person);
        this.#rows.set(person.id, row);
        this.list.append(row.element);
      }
      row.show(person);
    }
    this.list.hidden = !items.length;
    if (items.length) this.empty.replaceChildren();
    else if (!this.empty.firstChild) this.empty.replaceChildren(nothing("Nobody is here.", "New participants appear at once."));
  }
}

/** One row. */
class Person {
  /** @param {People} people @param {any} person */
  constructor(people, person) {
    this.people = people;
    this.person = person;
    this.shown = person.name || person.identity;
    this.status = create("p", { className: "status" }, icon("quiet"), create("span"));
    this.acts = create("div", { className: "acts" });
    const who = create("div", { className: "grow" },
      create("h3", {}, create("span", { textContent: this.shown }), ...(person.role === "member" ? [] : [chip(person.role)])),
      create("p", { className: "quiet cut" }, create("span", { textContent: `${person.identity} · ` }), create("time", { dateTime: person.joined_at, title: person.joined_at, textContent: sinceInWords(person.joined_at) })),
      this.status);
    this.element = create("li", {}, create("div", { className: "row" }, face(person.identity, person.name), who, this.acts));
    this.element.dataset.identity = person.identity;
    this.buttons = this.#buttons();
    this.acts.append(...Object.values(this.buttons));
  }

  /** @param {any} person */
  show(person) {
    this.person = person;
    const [picture, words, kind] = statusOf(person);
    setIcon(this.status, picture);
    setText(/** @type {Element} */ (this.status.lastElementChild), words);
    this.status.dataset.kind = kind;
    const { session, place } = this.people;
    const may = session.is("moderator", place.owner) && session.standsAbove(person.role, place.owner);
    /** @type {[string, string, string][]} */
    const toggles = [
      ["mute", person.mute ? "unmute" : "mute", person.mute ? "Unmute" : "Mute"],
      ["deafen", person.deaf ? "undeafen" : "deafen", person.deaf ? "Undeafen" : "Deafen"],
      ["floor", person.suppressed ? "give_floor" : "take_floor", person.suppressed ? "Give the floor" : "Take the floor"],
    ];
    for (const [name, action, label] of toggles) {
      const toggle = this.buttons[name];
      toggle.dataset.action = action;
      setText(/** @type {Element} */ (toggle.querySelector("span")), label);
      toggle.setAttribute("aria-label", `${label}: ${this.shown}`);
    }
    for (const toggle of Object.values(this.buttons)) toggle.hidden = !may || !session.mayStill(toggle.dataset.action ?? "");
    // The floor is a matter of moderated rooms; who has it there by their role keeps it.
    if (!person.suppressed && !(place.kept?.is_moderated && person.role === "member")) this.buttons.floor.hidden = true;
  }

  /** @returns {Record<string, HTMLButtonElement>} */
  #buttons() {
    const toggle = () => button("", () => {}, { kind: "quiet small" });
    const made = {
      mute: toggle(),
      deafen: toggle(),
      floor: toggle(),
      move: button("Move…", () => this.#move(), { kind: "quiet small", label: `Move… ${this.shown}` }),
      kick: button("Remove…", () => this.#kick(), { kind: "quiet small danger", label: `Remove… ${this.shown}` }),
      ban: button("Ban…", () => this.#ban(), { kind: "quiet small danger", label: `Ban… ${this.shown}` }),
    };
    for (const name of ["move", "kick", "ban"]) made[/** @type {"move"} */ (name)].dataset.action = name;
    for (const one of [made.mute, made.deafen, made.floor]) one.addEventListener("click", () => this.#toggle(one));
    return made;
  }

  /** @param {HTMLButtonElement} pressed */
  #toggle(pressed) {
    const words = pressed.textContent ?? "";
    once(pressed, () => attempt(() => this.#act({ action: pressed.dataset.action ?? "" }), `${words}: ${this.shown}. Done.`));
  }

  #kick() {
    askFor({ title: `Remove ${this.shown}?`, words: "They leave the room at once, and their token no longer lets them in.", fields: [REASON], submit: "Remove", danger: true }, async ({ reason }) => {
      await this.#act({ action: "kick", reason });
      told(`${this.shown} was removed.`);
    });
  }

  #ban() {
    const fields = [{ name: "duration", label: "For how long", kind: /** @type {"select"} */ ("select"), options: DURATIONS, value: "86400" }, REASON];
    askFor({ title: `Ban ${this.shown}?`, words: "They leave the room at once, and cannot come back with any token until the ban ends.", fields, submit: "Ban", danger: true }, async ({ duration, reason }) => {
      await this.#act({ action: "ban", duration: duration && Number(duration), reason });
      told(`${this.shown} was banned.`);
    });
  }

  async #move() {
    const { session, place } = this.people;
    const known = session.is("operator") ? await session.get("rooms", { limit: 100 }).catch((error) => void wentWrong(error)) : null;
    const suggestions = (known?.items ?? []).map((/** @type {any} */ room) => room.id).filter((/** @type {string} */ id) => id !== place.id);
    const fields = [{ name: "room", label: "Id of the other room", required: true, longest: 64, suggestions }, REASON];
    askFor({ title: `Move ${this.shown}`, words: "Their call goes on in the other room, without a new connection.", fields, submit: "Move" }, async ({ room, reason }) => {
      await this.#act({ action: "move", room, reason });
      told(`${this.shown} was moved to ${room}.`);
    });
  }

  /** @param {Record<string, any>} order */
  async #act(order) {
    const { session, place, pulse } = this.people;
    const given = Object.fromEntries(Object.entries(order).filter(([, value]) => value !== null && value !== ""));
    try {
      await session.post(ofRoom(place.id, "moderation"), { ...given, target: this.person.id });
    } catch (/** @type {any} */ error) {
      if (error.code === "forbidden" && session.who.kind === "service") session.refuse(order.action);
      throw error;
    } finally {
      pulse.now();
    }
  }
}

/** @param {any} person @returns {[string, string, string]} a picture, words, and what kind of state it is */
function statusOf({ state, mute, deaf, suppressed, held, self_mute: muted, self_deaf: deafened }) {
  if (state === "reconnecting") return ["reconnect", "Reconnecting", ""];
  if (mute && deaf) return ["shield", "Muted and deafened by a moderator", "barred"];
  if (mute) return ["shield", "Muted by a moderator", "barred"];
  if (deaf) return ["shield", "Deafened by a moderator", "barred"];
  if (suppressed) return ["mic-off", "Listening only", ""];
  if (held) return ["hold", "On hold", ""];
  if (deafened) return ["headphones-off", "Not listening", ""];
  return muted ? ["mic-off", "Muted by themselves", ""] : ["mic", "Can be heard", "open"];
}
