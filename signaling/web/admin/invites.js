// @ts-check
/** Invites into a room: made with a link that is shown once, listed, withdrawn. */
import { create } from "../page/dom.js";
import { askFor, showOnce } from "./asking.js";
import { button, chip, moment, once, section } from "./elements.js";
import { PagedList } from "./pages.js";
import { ofRoom } from "./session.js";
import { attempt } from "./telling.js";
import { counted } from "./words.js";

const PAGE = 50;
/** @type {[string, string][]} */
const LIVES = [["3600", "1 hour"], ["86400", "24 hours"], ["604800", "7 days"], ["2592000", "30 days"]];
/** @type {[string, string][]} */
const ROLES = [["member", "Member"], ["moderator", "Moderator"], ["owner", "Owner"]];
/** @type {Record<string, string>} */
const STATES = { open: "open", used_up: "used up", expired: "expired", rejected: "declined", revoked: "revoked" };

/** @param {import("./session.js").Session} session @param {import("./room.js").Place} place @returns {import("./room.js").Part} */
export function invitesPart(session, place) {
  const path = ofRoom(place.id, "invites");
  const list = new PagedList("Invites", (cursor) => session.get(path, { limit: PAGE, cursor }), row, ["No invites.", "An invite link lets people in without a token, even if the room is private or has a password."]);

  /** @param {any} invite */
  function row(invite) {
    const open = invite.state === "open";
    const words = create("div", { className: "grow" },
      create("h3", {}, create("span", { textContent: invite.invitee ? `For ${invite.invitee}` : `For ${counted(invite.max_uses, "person", "people")}` }), chip(STATES[invite.state] ?? invite.state, open ? "good" : ""), ...(invite.role === "member" ? [] : [chip(invite.role)])),
      create("p", { className: "quiet" }, create("span", { textContent: `${invite.uses} of ${invite.max_uses} used · by ${invite.created_by}, ` }), moment(invite.created_at), moment(invite.expires_at, " · until ")));
    const withdraw = button("Revoke", () => once(withdraw, async () => {
      await attempt(() => session.remove(`${path}/${encodeURIComponent(invite.id)}`), "The invite is revoked.");
      await list.show();
    }), { kind: "quiet small", label: `Revoke the invite of ${invite.created_by}, ${invite.uses} of ${invite.max_uses} used` });
    return create("div", { className: "row" }, words, create("div", { className: "acts" }, ...(open ? [withdraw] : [])));
  }

  /** Nobody gives a role that is not below their own, or their own. */
  const roles = ROLES.filter(([role]) => session.is(role, place.owner));
  const make = button("Make an invite", () => {
    /** @type {import("./fields.js").Field[]} */
    const fields = [
      { name: "max_uses", label: "Number of uses", kind: "number", value: 1, min: 1, max: 1000, required: true },
      { name: "expires_in", label: "Works for", kind: "select", options: LIVES, value: "86400" },
      { name: "role", label: "They come in as", kind: "select", options: roles, value: "member" },
      { name: "invitee", label: "Only for the identity", longest: 128, hint: "Leave it empty for anybody with the link." },
    ];
    askFor({ title: "Make an invite", fields, submit: "Make the link" }, async ({ max_uses, expires_in, role, invitee }) => {
      const made = await session.post(path, { max_uses, expires_in: Number(expires_in), role, ...(invitee ? { invitee } : {}) });
      await list.show();
      const link = new URL(`.#${new URLSearchParams({ invite: made.token })}`, location.href.split("#")[0]).href;
      // The dialog that asked is closed first, so that the way back leads to the button.
      setTimeout(() => showOnce({ title: "The invite link", words: "Copy it now: it is shown only once. Anybody who opens it can join.", label: "Link", value: link, copy: "Copy the link" }));
    });
  }, { kind: "primary", picture: "link" });
  list.show();
  return { element: section("Invites", [make], list.element) };
}
