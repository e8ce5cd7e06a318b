// @ts-check
/** The audit trail of a room: who did what to whom. */
import { create } from "../page/dom.js";
import { face, moment, section } from "./elements.js";
import { fieldOf, read } from "./fields.js";
import { PagedList } from "./pages.js";
import { ofRoom } from "./session.js";
import { ACTS, betweenInWords, named } from "./words.js";

const PAGE = 50;
/** From so many pixels on, the filter does not push the trail off the screen. */
const WIDE = 640;
/** @type {[string, string][]} */
const ACTIONS = [
  ["", "Everything"],
  ["participant.mute", "Mute"], ["participant.unmute", "Unmute"], ["participant.deafen", "Deafen"], ["participant.undeafen", "Undeafen"],
  ["participant.give_floor", "Give the floor"], ["participant.take_floor", "Take the floor"], ["participant.move", "Move"],
  ["participant.kick", "Remove"], ["participant.ban", "Ban"], ["participant.unban", "Lift a ban"],
  ["invite.create", "Make an invite"], ["invite.revoke", "Revoke an invite"],
];
/** @type {import("./fields.js").Field[]} */
const FILTER = [
  { name: "action", label: "What was done", kind: "select", options: ACTIONS },
  { name: "actor", label: "By", longest: 128 },
  { name: "target", label: "To", longest: 128 },
  { name: "since", label: "From", kind: "moment" },
  { name: "until", label: "Until", kind: "moment" },
];

/** @param {import("./session.js").Session} session @param {import("./room.js").Place} place @returns {import("./room.js").Part} */
export function trailPart(session, place) {
  const filter = create("form", { className: "filter" }, ...FILTER.map(fieldOf), create("button", { className: "button", textContent: "Show" }));
  filter.setAttribute("aria-label", "Filter");
  const list = new PagedList("Audit trail", (cursor) => session.get(ofRoom(place.id, "audit"), { ...read(filter, FILTER), limit: PAGE, cursor }), row, ["There are no entries.", "The audit trail records every moderation action, who did it and why."]);
  filter.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    list.show();
  });
  list.show();
  const filters = create("details", { className: "filters", open: innerWidth >= WIDE }, create("summary", { textContent: "Filter" }), filter);
  return { element: section("Audit trail", [], filters, list.element) };
}

/** @param {any} act */
function row(act) {
  const sentence = create("p", { className: "sentence" }, create("b", { textContent: act.actor }), ` ${named(act.action, ACTS)} `, create("b", { textContent: targetInWords(act.target) }));
  if (act.details?.room) sentence.append(" to ", create("b", { textContent: act.details.room }));
  if (act.expires_at && !act.action.startsWith("invite.")) sentence.append(` for ${betweenInWords(act.created_at, act.expires_at)}`);
  const words = create("div", { className: "grow" }, sentence, ...(act.reason ? [create("p", { className: "reason", textContent: `“${act.reason}”` })] : []),
    create("p", { className: "quiet" }, moment(act.created_at), create("span", { textContent: ` · as ${act.actor_role}${act.address ? ` · from ${act.address}` : ""}` })));
  return create("div", { className: "row" }, face(act.actor, act.actor), words);
}

/** @param {string} target a person's identity, or what it is */
function targetInWords(target) {
  return target.startsWith("invite:") ? "an invite" : target;
}
