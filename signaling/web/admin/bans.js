// @ts-check
/** Bans, from a room or from the whole server: who is banned, for how long, by whom; ban and lift. */
import { create } from "../page/dom.js";
import { askFor } from "./asking.js";
import { button, chip, face, moment, once, section } from "./elements.js";
import { PagedList } from "./pages.js";
import { DURATIONS } from "./people.js";
import { ofRoom } from "./session.js";
import { attempt, told } from "./telling.js";

const PAGE = 50;

/** @typedef {import("./session.js").Session} Session */

/** @param {Session} session @returns {import("./main.js").View} */
export function bansView(session) {
  return { title: "Server bans", section: "bans", body: bans(session, "bans", "the whole server") };
}

/** @param {Session} session @param {import("./room.js").Place} place @returns {import("./room.js").Part} */
export function bansPart(session, place) {
  return { element: bans(session, ofRoom(place.id, "bans"), "this room") };
}

/** @param {Session} session @param {string} path @param {string} where */
function bans(session, path, where) {
  const ended = create("input", { type: "checkbox" });
  const list = new PagedList("Bans", (cursor) => session.get(path, { limit: PAGE, cursor, ended: ended.checked || "" }), row, ["Nobody is banned."]);
  ended.addEventListener("change", () => list.show());

  /** @param {any} ban */
  function row(ban) {
    const over = ban.lifted_at || (ban.expires_at && Date.parse(ban.expires_at) <= Date.now());
    const who = ban.identity ?? "an address";
    const lift = over ? [chip(ban.lifted_at ? "lifted" : "expired")] : [button("Lift", () => once(/** @type {any} */ (lift[0]), () => liftIt(ban)), { kind: "quiet small", label: `Lift the ban of ${who}` })];
    const words = create("div", { className: "grow" },
      create("h3", { textContent: who }),
      create("p", { className: "quiet" }, create("span", { textContent: `by ${ban.created_by}, ` }), moment(ban.created_at), ...(ban.expires_at ? [moment(ban.expires_at, " · until ")] : [create("span", { textContent: " · for good" })])),
      ...(ban.reason ? [create("p", { className: "reason", textContent: `“${ban.reason}”` })] : []));
    return create("div", { className: "row" }, face(who, who), words, create("div", { className: "acts" }, ...lift));
  }

  /** @param {any} ban */
  async function liftIt(ban) {
    await attempt(() => session.remove(`${path}/${encodeURIComponent(ban.id)}`), `The ban of ${ban.identity} is lifted.`);
    await list.show();
  }

  const make = button("Ban an identity", () => {
    /** @type {import("./fields.js").Field[]} */
    const fields = [
      { name: "identity", label: "Identity", required: true, longest: 128, hint: "The identity in their token. They may be absent." },
      { name: "duration", label: "For how long", kind: "select", options: DURATIONS, value: "86400" },
      { name: "reason", label: "Reason", longest: 256 },
    ];
    askFor({ title: `Ban an identity from ${where}`, fields, submit: "Ban", danger: true }, async ({ identity, duration, reason }) => {
      await session.post(path, { identity, ...(duration ? { duration: Number(duration) } : {}), ...(reason ? { reason } : {}) });
      told(`${identity} is banned.`);
      await list.show();
    });
  }, { picture: "shield" });

  list.show();
  const also = create("label", { className: "choice" }, ended, create("span", { textContent: "Include bans that have ended" }));
  return section(`Banned from ${where}`, [also, make], list.element);
}
