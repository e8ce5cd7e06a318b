// @ts-check
/** The calls of a room, and who took part in them. */
import { create } from "../page/dom.js";
import { chip, face, moment, section } from "./elements.js";
import { fieldOf } from "./fields.js";
import { PagedList } from "./pages.js";
import { ofRoom } from "./session.js";
import { LEFT, betweenInWords, named } from "./words.js";

const CALLS = 10;
const PEOPLE = 50;

/** @param {import("./session.js").Session} session @param {import("./room.js").Place} place @returns {import("./room.js").Part} */
export function historyPart(session, place) {
  let call = "";
  const calls = new PagedList("Calls", (cursor) => session.get(ofRoom(place.id, "calls"), { limit: CALLS, cursor }), callRow, ["No calls yet."]);
  const who = create("form", { className: "filter" }, fieldOf({ name: "identity", label: "Identity", longest: 128 }), create("button", { className: "button", textContent: "Show" }));
  who.setAttribute("aria-label", "Filter");
  const people = new PagedList("People who were here", (cursor) => session.get(ofRoom(place.id, "participants", "history"), { identity: who.elements.identity.value.trim(), call, limit: PEOPLE, cursor }), personRow, ["Nobody was here."]);
  who.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    people.show();
  });

  /** @param {any} one */
  function callRow(one) {
    const pick = create("button", { type: "button", className: "button quiet small", textContent: "Who was in" });
    pick.setAttribute("aria-label", `Who was in the call of ${one.started_at}`);
    pick.setAttribute("aria-pressed", "false");
    pick.addEventListener("click", () => {
      call = call === one.id ? "" : one.id;
      for (const other of calls.element.querySelectorAll("[aria-pressed]")) other.setAttribute("aria-pressed", String(other === pick && call !== ""));
      people.show();
    });
    const length = one.ended_at ? create("span", { textContent: `${betweenInWords(one.started_at, one.ended_at)}${one.end_reason ? ` · ${named(one.end_reason, LEFT)}` : ""}` }) : chip("going on", "good");
    return create("div", { className: "row" }, create("div", { className: "grow" }, create("h3", {}, moment(one.started_at)), create("p", { className: "quiet" }, length)), create("div", { className: "acts" }, pick));
  }

  calls.show();
  people.show();
  return { element: create("div", {}, section("Calls", [], calls.element), section("Who was here", [], who, people.element)) };
}

/** @param {any} one */
function personRow(one) {
  const stay = one.left_at ? `stayed ${betweenInWords(one.joined_at, one.left_at)}${one.leave_reason ? ` · ${named(one.leave_reason, LEFT)}` : ""}` : "is here";
  const words = create("div", { className: "grow" },
    create("h3", {}, create("span", { textContent: one.name || one.identity }), ...(one.role === "member" ? [] : [chip(one.role)])),
    create("p", { className: "quiet" }, create("span", { textContent: `${one.identity} · ` }), moment(one.joined_at), create("span", { textContent: ` · ${stay}` })),
    ...(one.address ? [create("p", { className: "quiet cut", textContent: `${one.address}${one.user_agent ? ` · ${one.user_agent}` : ""}` })] : []));
  return create("div", { className: "row" }, face(one.identity, one.name), words);
}
