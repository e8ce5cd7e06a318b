// @ts-check
/** One room: its parts, of which those are shown that the bearer may see. */
import { create, setText } from "../page/dom.js";
import { linkTo } from "../page/invitation.js";
import { bansPart } from "./bans.js";
import { chip, nothing } from "./elements.js";
import { historyPart } from "./history.js";
import { invitesPart } from "./invites.js";
import { peoplePart } from "./people.js";
import { settingsPart } from "./room_settings.js";
import { ofRoom } from "./session.js";
import { trailPart } from "./trail.js";
import { problemInWords } from "./words.js";

/**
 * @typedef {object} Place a room, as far as it is known
 * @property {string} id
 * @property {any} kept its settings; null where nobody keeps it, or where the bearer may not see them
 * @property {string} etag of the settings
 * @property {string|null} owner
 */
/** @typedef {{element: Node, close?: () => void}} Part */
/** @typedef {import("./session.js").Session} Session */

/** @type {{name: string, words: string, least: string, path: string, kept?: boolean, make: (session: Session, place: Place) => Part}[]} */
const PARTS = [
  { name: "people", words: "People", least: "member", path: "participants", make: peoplePart },
  { name: "invites", words: "Invites", least: "moderator", path: "invites", kept: true, make: invitesPart },
  { name: "bans", words: "Bans", least: "moderator", path: "bans", make: bansPart },
  { name: "trail", words: "Audit trail", least: "owner", path: "audit", make: trailPart },
  { name: "history", words: "History", least: "moderator", path: "calls", make: historyPart },
  { name: "settings", words: "Settings", least: "owner", path: "", kept: true, make: settingsPart },
];

/** @param {Session} session @param {string} id @param {string} wanted @returns {import("./main.js").View} */
export function roomView(session, id, wanted) {
  const body = create("div", { className: "room-view" });
  const call = create("a", { className: "button", href: callLink(id), target: "_blank", rel: "noopener", textContent: "Open the call" });
  /** @type {Part | undefined} */ let part;
  let closed = false;
  const close = () => {
    closed = true;
    part?.close?.();
  };
  const open = async () => {
    try {
      const place = await find(session, id);
      const parts = await openParts(session, place);
      if (closed) return;
      const shown = parts.find(({ name }) => name === wanted) ?? parts[0];
      if (!shown) throw { code: "forbidden" };
      if (place.kept) nameIt(place.kept.name);
      part = shown.make(session, place);
      body.replaceChildren(about(place), links(id, parts, shown.name), part.element);
    } catch (/** @type {any} */ error) {
      if (!closed) body.replaceChildren(nothing(problemInWords(error)));
    }
  };
  open();
  return { title: id, section: "rooms", tools: [call], back: { href: "#rooms", words: "All rooms" }, body, close };
}

/** The name in place of the id, once it is known. @param {string} name */
function nameIt(name) {
  const title = document.getElementById("view-title");
  if (title) setText(title, name);
  document.title = `${name} · Parley admin`;
}

/** @param {string} id */
function callLink(id) {
  const link = new URL(linkTo(id));
  link.pathname = link.pathname.replace(/[^/]*$/, "");
  return link.href;
}

/** @param {Session} session @param {string} id @returns {Promise<Place>} */
async function find(session, id) {
  try {
    const { values, etag } = await session.ask(ofRoom(id));
    return { id, kept: values, etag, owner: values.owner };
  } catch (/** @type {any} */ error) {
    if (error.code !== "not_found" && error.code !== "forbidden") throw error;
    return { id, kept: null, etag: "", owner: null };
  }
}

/** @param {Session} session @param {Place} place */
async function openParts(session, place) {
  const asked = PARTS.map(async ({ least, path, kept }) => {
    if ((kept && !place.kept) || !session.is(least, place.owner)) return false;
    return session.who.kind === "person" || !path || session.opens(`${ofRoom(place.id, path)}?limit=1`);
  });
  const open = await Promise.all(asked);
  return PARTS.filter((_, index) => open[index]);
}

/** @param {Place} place */
function about({ id, kept }) {
  const marks = !kept
    ? [chip("ad-hoc")]
    : [
        chip(kept.room_type),
        ...(kept.is_private ? [chip("private")] : []),
        ...(kept.has_password ? [chip("password")] : []),
        ...(kept.is_moderated ? [chip("moderated")] : []),
        ...(kept.is_temporary ? [chip("temporary")] : []),
      ];
  const words = create("p", { className: "about" }, create("span", { className: "quiet", textContent: id }), ...marks);
  return create("div", {}, words, ...(kept?.description ? [create("p", { className: "hint", textContent: kept.description })] : []));
}

/** @param {string} id @param {typeof PARTS} parts @param {string} shown */
function links(id, parts, shown) {
  const items = parts.map(({ name, words }) => {
    const link = create("a", { href: `#${new URLSearchParams({ room: id, part: name })}`, textContent: words });
    if (name === shown) link.setAttribute("aria-current", "page");
    return create("li", {}, link);
  });
  const nav = create("nav", { className: "parts" }, create("ul", {}, ...items));
  nav.setAttribute("aria-label", "Of this room");
  return nav;
}
