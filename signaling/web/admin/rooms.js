// @ts-check
/** The rooms: those that are kept, found by name, and those that are in use all the same. */
import { create, icon } from "../page/dom.js";
import { roomFrom } from "../page/invitation.js";
import { askFor } from "./asking.js";
import { button, chip, face, section } from "./elements.js";
import { fieldOf } from "./fields.js";
import { Happenings } from "./happenings.js";
import { PagedList } from "./pages.js";
import { ROOM_TYPES } from "./room_settings.js";
import { ofRoom } from "./session.js";
import { told } from "./telling.js";
import { counted } from "./words.js";

const PAGE = 20;
const FACES = 5;
const MOST_COUNTED = 200;
const TYPING_ENDS = 250;

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session @returns {import("./main.js").View} */
export function roomsView(session) {
  const seesAll = session.is("operator") || Boolean(session.who.grants.roomList);
  const maker = session.is("operator") || Boolean(session.who.grants.roomCreate);
  const tools = maker ? [button("Make a room", () => makeRoom(session), { kind: "primary", picture: "plus" })] : [];
  if (!seesAll) return { title: "Rooms", section: "rooms", tools, body: openOne() };
  const list = new RoomList(session);
  list.show();
  return { title: "Rooms", section: "rooms", tools, body: list.element, close: () => list.close() };
}

/** @param {Session} session @param {string} [id] */
export function makeRoom(session, id = "") {
  const fields = /** @type {import("./fields.js").Field[]} */ ([
    { name: "name", label: "Name", required: true, longest: 64, value: id },
    { name: "id", label: "Id", longest: 64, value: id, hint: "Part of the link: letters, digits, - and _. Leave it empty to make it from the name." },
    { name: "room_type", label: "What it is for", kind: "select", options: ROOM_TYPES, value: "group" },
    { name: "password", label: "Password", kind: "password", hint: "Without a password, anybody with a token for the room can join." },
    { name: "is_private", label: "Private", kind: "check", hint: "People need an invite or the password." },
    { name: "is_moderated", label: "Moderated", kind: "check", hint: "Members only listen until a moderator gives them the floor." },
  ]);
  askFor({ title: "Make a room", fields, submit: "Make the room" }, async (values) => {
    const order = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== null));
    order.id ??= roomFrom(values.name) || undefined;
    const room = await session.post("rooms", order);
    told(`The room ${room.name} is created.`);
    location.hash = new URLSearchParams({ room: room.id }).toString();
  });
}

/** For who may not see them all: the one that they know of. */
function openOne() {
  const field = fieldOf({ name: "room", label: "Id of the room", hint: "You cannot list all rooms of this server. Enter the id of the room that you manage.", longest: 64 });
  const form = create("form", { className: "card line" }, field, create("button", { className: "button primary", textContent: "Open" }));
  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    const room = roomFrom(form.elements.room.value);
    if (room) location.hash = new URLSearchParams({ room }).toString();
    else form.elements.room.focus();
  });
  return form;
}

class RoomList {
  #search = "";
  #timer = 0;
  /** @type {Map<string, HTMLElement>} where it is shown who is in a room */ #here = new Map();

  /** @param {Session} session */
  constructor(session) {
    this.session = session;
    this.list = new PagedList("Rooms", (cursor) => this.#load(cursor), (room) => this.#row(room), ["No rooms here yet.", "Make one, then share its link."]);
    this.others = create("ul", { className: "rows" });
    this.others.setAttribute("aria-label", "Ad-hoc rooms in use");
    this.unkept = section("Ad-hoc rooms in use", [], create("p", { className: "hint", textContent: "The server does not store these rooms: each ends when its last participant leaves." }), this.others);
    this.unkept.hidden = true;
    this.element = create("div", {}, this.#searchField(), create("h2", { className: "unseen", textContent: "Stored rooms" }), this.list.element, this.unkept);
    this.happenings = new Happenings(session, (rooms) => this.#refresh(rooms), () => [...this.#here.keys()]);
  }

  async show() {
    await this.list.show();
    this.happenings.start();
  }

  close() {
    clearTimeout(this.#timer);
    this.happenings.stop();
  }

  #searchField() {
    const field = fieldOf({ name: "search", label: "Find a room by its name", kind: "search", longest: 64 });
    field.classList.add("search");
    field.addEventListener("input", (event) => {
      this.#search = /** @type {HTMLInputElement} */ (event.target).value.trim();
      clearTimeout(this.#timer);
      this.#timer = window.setTimeout(() => {
        this.list.empty = this.#search ? [`No room has “${this.#search}” in its name.`] : ["No rooms here yet."];
        this.#here.clear();
        this.list.show();
      }, TYPING_ENDS);
    });
    return field;
  }

  /** @param {string|undefined} cursor */
  async #load(cursor) {
    const page = await this.session.get("rooms", { search: this.#search, limit: PAGE, cursor });
    queueMicrotask(() => this.#refresh(page.items.map((/** @type {any} */ room) => room.id)));
    return page;
  }

  /** @param {any} room */
  #row(room) {
    const marks = [
      ...(room.is_private ? [chip("private")] : []),
      ...(room.has_password ? [chip("password")] : []),
      ...(room.is_moderated ? [chip("moderated")] : []),
      ...(room.is_temporary ? [chip("temporary")] : []),
    ];
    return this.#line(room.id, room.name, [create("span", { className: "quiet", textContent: room.id }), ...marks], room.description);
  }

  /** @param {string} id @param {string} name @param {Node[]} about @param {string} [description] */
  #line(id, name, about, description = "") {
    const here = create("p", { className: "here" });
    this.#here.set(id, here);
    const link = create("a", { className: "whole", href: `#${new URLSearchParams({ room: id })}`, textContent: name });
    const words = create("div", { className: "grow" }, create("h3", {}, link), create("p", { className: "about" }, ...about));
    if (description) words.append(create("p", { className: "quiet cut", textContent: description }));
    return create("div", { className: "row linked" }, words, here, icon("arrow"));
  }

  /** @param {string[]} rooms */
  async #refresh(rooms) {
    await Promise.all(rooms.map((room) => this.#count(room)));
    const left = [...this.others.children].some((one) => !one.hidden);
    this.unkept.hidden = !left;
  }

  /** @param {string} id */
  async #count(id) {
    const { items, next_cursor: more } = await this.session.get(ofRoom(id, "participants"), { limit: MOST_COUNTED });
    if (!this.#here.has(id)) {
      // A kept room may be on another page of the list, or left out by the search.
      if (!items.length || this.#search || (await this.#isKept(id)) || this.#here.has(id)) return;
      this.others.append(create("li", {}, this.#line(id, id, [chip("ad-hoc")])));
    }
    const place = /** @type {HTMLElement} */ (this.#here.get(id));
    const row = /** @type {HTMLElement} */ (place.closest("li"));
    if (row?.parentElement === this.others) row.hidden = !items.length;
    const words = items.length ? `${counted(items.length, "person", "people")}${more ? " or more" : ""}` : "Empty";
    place.replaceChildren(...items.slice(0, FACES).map((/** @type {any} */ one) => face(one.identity, one.name)), create("span", { textContent: words }));
    place.toggleAttribute("data-busy", items.length > 0);
  }

  /** @param {string} id */
  async #isKept(id) {
    try {
      await this.session.get(ofRoom(id));
      return true;
    } catch (/** @type {any} */ error) {
      return error.code !== "not_found";
    }
  }
}
