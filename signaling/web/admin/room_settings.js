// @ts-check
/** The settings of a room: changed by field, of the version that was read; and its end. */
import { create, setText } from "../page/dom.js";
import { askFor, wrongOf } from "./asking.js";
import { button, once, section } from "./elements.js";
import { fieldOf, read } from "./fields.js";
import { ofRoom } from "./session.js";
import { told } from "./telling.js";
import { problemInWords } from "./words.js";

/** @type {[string, string][]} */
export const ROOM_TYPES = [
  ["group", "A group"], ["party", "A party"], ["raid", "A raid"], ["guild", "A guild"], ["private", "A private talk"],
  ["global", "Announcements: only moderators speak"], ["proximity", "People who are near each other"],
];
/** @type {[string, string][]} */
const PRESETS = [["low", "Low: least bandwidth"], ["standard", "Standard"], ["high", "High"], ["music", "Music"]];
/** @type {[string, string][]} */
const DUPLICATES = [["", "Server default"], ["kick_old", "The newer one stays"], ["reject_new", "The older one stays"]];
const USUAL_DAYS = 30;

/** @typedef {import("./fields.js").Field} Field */

/** @param {any} room @param {boolean} anyOwner @returns {[string, Field[]][]} */
function groupsOf(room, anyOwner) {
  const history = room.settings.message_history;
  return [
    ["What it is", [
      { name: "name", label: "Name", value: room.name, required: true, longest: 64 },
      { name: "description", label: "Description", kind: "area", value: room.description, longest: 1000 },
      { name: "room_type", label: "What it is for", kind: "select", options: ROOM_TYPES, value: room.room_type },
      ...(anyOwner ? [{ name: "owner", label: "Owner", value: room.owner, longest: 128, hint: "An identity. The owner has all permissions in the room." }] : []),
    ]],
    ["Who comes in", [
      { name: "is_private", label: "Private", kind: "check", value: room.is_private, hint: "People need an invite or the password." },
      { name: "password", label: room.has_password ? "New password" : "Password", kind: "password", longest: 256, hint: room.has_password ? "The room has a password. Leave this empty to keep it." : "The room has no password." },
      ...(room.has_password ? [/** @type {Field} */ ({ name: "no_password", label: "Remove the password", kind: "check" })] : []),
      { name: "max_participants", label: "Maximum participants", kind: "number", value: room.max_participants, min: 1, max: 10_000, required: true },
      { name: "duplicate_identity", label: "If an identity joins twice", kind: "select", options: DUPLICATES, value: room.duplicate_identity ?? "" },
    ]],
    ["How they talk", [
      { name: "is_moderated", label: "Moderated", kind: "check", value: room.is_moderated, hint: "Members only listen until a moderator gives them the floor." },
      { name: "quality_preset", label: "Sound", kind: "select", options: PRESETS, value: room.quality_preset },
      { name: "allow_recording", label: "May be recorded", kind: "check", value: room.allow_recording },
      { name: "keep_messages", label: "Store chat messages", kind: "check", value: history?.keep },
      { name: "message_days", label: "Days to store them", kind: "number", value: history?.days ?? USUAL_DAYS, min: 1, max: 3650 },
    ]],
    ["How long it lasts", [
      { name: "scheduled_end", label: "Ends at", kind: "moment", value: room.scheduled_end },
      { name: "is_temporary", label: "Temporary", kind: "check", value: room.is_temporary, hint: "The server deletes it when it has been empty for a while." },
      { name: "empty_timeout", label: "Empty for, seconds", kind: "number", value: room.empty_timeout, min: 0, max: 2_592_000, required: true },
    ]],
    ["Where it belongs", [
      { name: "guild_id", label: "Guild", value: room.guild_id, longest: 64 },
      { name: "region", label: "Region", value: room.region, longest: 64 },
    ]],
  ];
}

/** The fields that are to change, as the server names them. @param {any} room @param {Record<string, any>} values */
export function changesOf(room, { password, no_password: without, keep_messages: keep, message_days: days, ...values }) {
  const wanted = { ...values, description: values.description ?? "" };
  const changes = Object.fromEntries(Object.entries(wanted).filter(([name, value]) => !same(value, room[name], name)));
  if (password) changes.password = password;
  else if (without) changes.password = null;
  const before = room.settings.message_history;
  if (keep !== Boolean(before?.keep) || (keep && (days ?? USUAL_DAYS) !== (before?.days ?? USUAL_DAYS))) {
    changes.settings = { ...room.settings, message_history: { keep, days: days ?? USUAL_DAYS } };
  }
  return changes;
}

/** @param {any} now @param {any} before @param {string} name */
function same(now, before, name) {
  // The browser's field of a moment has minutes only.
  if (name === "scheduled_end" && now && before) return Math.abs(Date.parse(now) - Date.parse(before)) < 60_000;
  return now === (before ?? null);
}

/** @param {import("./session.js").Session} session @param {import("./room.js").Place} place @returns {import("./room.js").Part} */
export function settingsPart(session, place) {
  const groups = groupsOf(place.kept, session.is("operator"));
  const fields = groups.flatMap(([, some]) => some);
  const problem = create("p", { className: "problem block" });
  problem.setAttribute("role", "alert");
  const save = create("button", { className: "button primary", textContent: "Save" });
  const form = create("form", { className: "settings", noValidate: true },
    create("div", { className: "groups" }, ...groups.map(([title, some]) => create("fieldset", { className: "card" }, create("legend", { textContent: title }), ...some.map(fieldOf)))),
    problem, create("div", { className: "bottom" }, save));
  form.addEventListener("submit", (/** @type {SubmitEvent} */ event) => {
    event.preventDefault();
    if (wrongOf(form)) return;
    once(save, async () => {
      setText(problem, "");
      try {
        await store(changesOf(place.kept, read(form, fields)));
      } catch (/** @type {any} */ error) {
        if (error.code === "stale") await again().catch(() => {});
        setText(problem, problemInWords(error));
      }
    });
  });

  /** @param {Record<string, any>} changes */
  async function store(changes) {
    if (!Object.keys(changes).length) return told("Nothing was changed.");
    const { values, etag } = await session.ask(ofRoom(place.id), { method: "PATCH", body: changes, etag: place.etag });
    Object.assign(place, { kept: values, etag, owner: values.owner });
    told("The settings are saved.");
    setText(save, "Saved");
    setTimeout(() => setText(save, "Save"), 2000);
    form.elements.password.value = "";
  }

  /** What somebody else has made of it. */
  async function again() {
    const { values, etag } = await session.ask(ofRoom(place.id));
    Object.assign(place, { kept: values, etag, owner: values.owner });
    const fresh = groupsOf(values, session.is("operator")).flatMap(([, some]) => some);
    for (const { name, kind, value } of fresh) {
      const control = form.elements.namedItem(name);
      if (control && kind === "check") control.checked = Boolean(value);
      else if (control && kind !== "moment") control.value = value ?? "";
    }
  }

  const remove = button("Delete this room…", () => {
    askFor({ title: `Delete ${place.kept.name}?`, words: "All participants are removed at once. The settings, invites and bans are deleted; the history stays.", submit: "Delete the room", danger: true }, async () => {
      await session.ask(ofRoom(place.id), { method: "DELETE" });
      told(`${place.kept.name} is deleted.`);
      location.hash = "rooms";
    });
  }, { kind: "quiet danger" });
  const end = section("Delete the room", [], create("p", { className: "hint", textContent: "This cannot be undone." }), remove);
  return { element: create("div", {}, form, end) };
}
