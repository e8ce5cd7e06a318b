// @ts-check
/** API keys of services: made and shown once, listed, withdrawn. For operators with a token. */
import { create } from "../page/dom.js";
import { askFor, showOnce } from "./asking.js";
import { button, chip, moment } from "./elements.js";
import { wordsIn } from "./fields.js";
import { PagedList } from "./pages.js";

/** @type {[string, string][]} */
const SCOPES = [
  ["token.issue", "Issue tokens"], ["room.*", "Create, read, change and delete rooms"], ["participant.*", "List participants, and moderate them"],
  ["ban.*", "List bans"], ["invite.*", "Invite people"], ["audit.read", "Read the audit trail"], ["message.*", "Send and read messages"],
  ["event.read", "Read events"], ["webhook.*", "Manage webhooks"], ["*", "All permissions of a service"],
];
/** @type {[string, string][]} */
const LIVES = [["", "For good"], ["86400", "1 day"], ["2592000", "30 days"], ["7776000", "90 days"], ["31536000", "1 year"]];

/** @param {import("./session.js").Session} session @returns {import("./main.js").View} */
export function keysView(session) {
  const list = new PagedList("API keys", () => session.get("api-keys"), row, ["No keys yet.", "A service uses its key instead of a participant’s token."]);

  /** @param {any} key */
  function row(key) {
    const over = key.revoked_at ? "revoked" : key.expires_at && Date.parse(key.expires_at) <= Date.now() ? "expired" : "";
    const words = create("div", { className: "grow" },
      create("h3", {}, create("span", { textContent: key.name }), chip(over || "active", over ? "" : "good")),
      create("p", { className: "about" }, create("code", { textContent: `parley_${key.prefix}_…` }), ...key.scopes.map((/** @type {string} */ scope) => chip(scope)), ...(key.rooms ?? []).map((/** @type {string} */ room) => chip(`room ${room}`))),
      create("p", { className: "quiet" }, create("span", { textContent: `by ${key.created_by}, ` }), moment(key.created_at), ...(key.expires_at ? [moment(key.expires_at, " · until ")] : []), ...(key.used_at ? [moment(key.used_at, " · last used ")] : [create("span", { textContent: " · never used" })])));
    const withdraw = button("Revoke…", () => {
      askFor({ title: `Revoke ${key.name}?`, words: "It stops working at once. Services that use it fail until they get another one.", submit: "Revoke", danger: true }, async () => {
        await session.remove(`api-keys/${encodeURIComponent(key.id)}`);
        await list.show();
      });
    }, { kind: "quiet small danger", label: `Revoke… ${key.name}` });
    return create("div", { className: "row" }, words, create("div", { className: "acts" }, ...(over ? [] : [withdraw])));
  }

  const make = button("Make a key", () => {
    /** @type {import("./fields.js").Field[]} */
    const fields = [
      { name: "name", label: "Name", required: true, longest: 64, hint: "The name of the service." },
      ...SCOPES.map(([scope, label], index) => (/** @type {import("./fields.js").Field} */ ({ name: `scope-${index}`, label, kind: "check", hint: scope }))),
      { name: "others", label: "Other scopes", hint: "Such as participant.mute; docs/permissions.md lists them all." },
      { name: "rooms", label: "Only in these rooms", hint: "Ids, separated by spaces. Empty: all rooms." },
      { name: "ttl", label: "Holds", kind: "select", options: LIVES, value: "" },
    ];
    askFor({ title: "Make an API key", fields, submit: "Make the key" }, async (values) => {
      const scopes = [...SCOPES.filter((_, index) => values[`scope-${index}`]).map(([scope]) => scope), ...wordsIn(values.others)];
      if (!scopes.length) throw { code: "bad_message", message: "choose what it may do" };
      const rooms = wordsIn(values.rooms);
      const made = await session.post("api-keys", { name: values.name, scopes, ...(rooms.length ? { rooms } : {}), ...(values.ttl ? { ttl: Number(values.ttl) } : {}) });
      await list.show();
      setTimeout(() => showOnce({ title: "The key", words: "Copy it now: it is shown only once, and the server stores only its hash.", label: "API key", value: made.key, copy: "Copy the key" }));
    });
  }, { kind: "primary", picture: "plus" });
  list.show();
  return { title: "API keys", section: "keys", tools: [make], body: create("div", {}, create("h2", { className: "unseen", textContent: "Keys of services" }), list.element) };
}
