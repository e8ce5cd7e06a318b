// @ts-check
/** What codes, acts and times are called on the admin page. */
import { problemInWords as problemOfCall } from "../page/words.js";

/** @type {Record<string, string>} */
const PROBLEMS = {
  unauthenticated: "The server does not know this token or key.",
  token_invalid: "The server does not accept this token or key. Check that it is complete and belongs to this server.",
  token_expired: "This token has expired. Sign in with a new one.",
  token_missing: "Paste a token or an API key.",
  forbidden: "Your role does not allow that here. An operator or the owner of the room can do it, or give you the role.",
  banned: "You are banned from this server.",
  room_full: "That room is full.",
  room_closed: "That room has ended.",
  duplicate_identity: "This participant is in that room already, with another session.",
  no_such_participant: "This participant is no longer in the room.",
  not_found: "It no longer exists. It may have been deleted.",
  already_exists: "There is a room with this id already. Choose another one.",
  stale: "It changed while you were editing. The page now shows the new version: check it before you save.",
  storage_unavailable: "The database is unreachable at the moment. Calls go on; try again in a minute.",
  overloaded: "The server is too busy right now. Try again in a minute.",
  internal: "The server made an error. See its log.",
};

/** @param {{code?: string, message?: string}} error */
export function problemInWords(error) {
  // What the server says of a wrong field is the better sentence: it names the field.
  return error.code === "bad_message" ? `The server does not accept that: ${error.message}` : (PROBLEMS[error.code ?? ""] ?? problemOfCall(error));
}

/** @type {Record<string, string>} what was done, in the middle of a sentence: somebody ... somebody */
export const ACTS = {
  "participant.mute": "muted",
  "participant.unmute": "unmuted",
  "participant.deafen": "deafened",
  "participant.undeafen": "undeafened",
  "participant.give_floor": "gave the floor to",
  "participant.take_floor": "took the floor from",
  "participant.move": "moved",
  "participant.kick": "removed",
  "participant.ban": "banned",
  "participant.unban": "lifted the ban of",
  "server_ban.create": "banned from the server",
  "server_ban.lift": "lifted the server’s ban of",
  "invite.create": "created",
  "invite.revoke": "revoked",
  "apikey.create": "created",
  "apikey.revoke": "revoked",
};

/** @type {Record<string, string>} */
export const LEFT = {
  client_initiated: "left",
  duplicate_identity: "joined from elsewhere",
  server_shutdown: "the server stopped",
  server_lost: "the server was lost",
  removed: "removed",
  banned: "banned",
  room_deleted: "the room was deleted",
  connection_lost: "the connection broke",
  migration: "moved to another room",
  idle: "away for too long",
  empty: "everybody left",
  scheduled_end: "its scheduled end",
};

/** @param {string} word as `room_deleted` @param {Record<string, string>} names */
export function named(word, names) {
  return names[word] ?? word.replaceAll("_", " ").replace(".", ": ");
}

const MOMENT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const TIME = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** A moment, short where it is today. @param {string} iso */
export function momentInWords(iso) {
  const at = new Date(iso);
  return at.toDateString() === new Date().toDateString() ? `today, ${TIME.format(at)}` : MOMENT.format(at);
}

/** Since when somebody is here. @param {string} iso */
export function sinceInWords(iso) {
  return `since ${momentInWords(iso).replace(/^today, /, "")}`;
}

/** @type {[number, string][]} */
const UNITS = [[86400, "day"], [3600, "hour"], [60, "minute"], [1, "second"]];

/** A stretch of time by its largest unit. @param {number} seconds */
export function stretchInWords(seconds) {
  const [size, unit] = UNITS.find(([size]) => seconds >= size) ?? [1, "second"];
  const count = Math.max(0, Math.round(seconds / size));
  return `${count} ${unit}${count === 1 ? "" : "s"}`;
}

/** @param {string} from @param {string} until */
export function betweenInWords(from, until) {
  return stretchInWords((Date.parse(until) - Date.parse(from)) / 1000);
}

/** @param {number} count @param {string} one @param {string} [more] */
export function counted(count, one, more = `${one}s`) {
  return `${count} ${count === 1 ? one : more}`;
}
