// @ts-check
/** What codes and reasons mean, in sentences that say what to do next. */

/** @type {Record<string, string>} why somebody could not get in, or is not heard */
const PROBLEMS = {
  connection_failed: "The server is unreachable. Check your network, and check that the server is running.",
  connection_lost: "The connection to the server broke. Try again.",
  timeout: "The server did not answer in time. Try again.",
  not_connected: "You are not connected right now. Try again in a moment.",
  unauthenticated: "The server does not know this invitation. Ask for a new one.",
  token_invalid: "This invitation is not valid. Ask for a new one.",
  token_expired: "This invitation has expired. Ask for a new one.",
  token_missing: "You need an invitation to join. Paste your link or token.",
  forbidden: "Your invitation is not for this room.",
  invite_invalid: "This invite link no longer works: it is used up, revoked or expired. Ask the sender for a new one.",
  guests_refused: "On this server an invite link alone is not enough. Ask for your own invitation.",
  invite_required: "This room is private. Ask a moderator of the room for an invite link.",
  password_required: "This room has a password. With an invite link you need no password: ask a moderator of the room for one.",
  password_wrong: "The password is wrong. Try again, or ask the person who gave it to you.",
  banned: "You are banned from this room. A moderator can lift the ban.",
  room_closed: "This room has ended. Ask the person who invited you for another one.",
  room_full: "This room is full. Try again when a participant has left.",
  duplicate_identity: "You are in this room already, in another tab or on another device.",
  overloaded: "The server is too busy to accept more people right now. Try again in a minute.",
  rate_limited: "Too many requests at once. Wait a moment, then try again.",
  server_shutdown: "The server is stopping. Try again in a minute.",
  too_large: "That message is too long.",
  media_unreachable: "Voice cannot get through. A firewall may block the server's UDP port. Still trying.",
  microphone_denied: "The browser does not allow this page to use the microphone. Allow it next to the address, then try again.",
  microphone_missing: "No microphone was found. Plug one in, then try again.",
  microphone_busy: "Another program is using the microphone. Close it, then try again.",
  microphone_insecure: "Browsers allow the microphone on https pages and on localhost only. You can still listen.",
  output_unsupported: "This browser cannot choose a loudspeaker. Choose it in the system's settings.",
};

/** @type {Record<string, [string, string]>} how a call ended: a title, and what it means */
const ENDINGS = {
  client_initiated: ["You left the room", "The others can no longer hear you."],
  removed: ["You were removed", "A moderator removed you from this room."],
  banned: ["You cannot come back here", "A moderator banned you from this room."],
  duplicate_identity: ["You joined from somewhere else", "Your call continues in another tab or on another device."],
  session_taken: ["You joined from somewhere else", "Your call continues in another tab or on another device."],
  room_deleted: ["The room was deleted", "The owner of the room or an operator of the server deleted it."],
  idle: ["You were away for too long", "The server closed the call because it heard nothing from your device."],
  server_shutdown: ["The server stopped", "Try again when it is back."],
};
/** @type {Record<string, string>} the act of a moderator that leads to it */
const ENDED_BY = { removed: "kick", banned: "ban" };

/** @param {{code?: string, message?: string, details?: any}} error */
export function problemInWords(error) {
  const words = PROBLEMS[error.code ?? ""] ?? (error.message || "Something went wrong. Try again.");
  return words + untilInWords(error.details?.until);
}

/** @param {string} reason @param {Act} [act] what a moderator did last */
export function endingInWords(reason, act) {
  const [title, words] = ENDINGS[reason] ?? ["The call ended", problemInWords({ code: reason, message: "The server ended it." })];
  const more = act && act.action === ENDED_BY[reason] ? untilInWords(act.until) + whyInWords(act.reason) : "";
  return { title, words: words + more };
}

/** @param {number} count */
export function peopleInWords(count) {
  return count === 1 ? "Just you" : `${count} people`;
}

/** @type {Record<string, string>} what a moderator did to you, or what has come to its end */
const MODERATED = {
  mute: "A moderator muted you.",
  unmute: "A moderator's mute is over: you may speak again.",
  deafen: "A moderator deafened you.",
  undeafen: "A moderator's deafen is over: you hear the others again.",
  give_floor: "You have the floor: you can be heard now.",
  take_floor: "You do not have the floor: you are listening only.",
  move: "A moderator moved you to another room.",
};
const UNTIL_LIFTED = ["mute", "deafen"];
export const BARRED = MODERATED.mute;

/** @typedef {{action: string, reason?: string | null, until?: string}} Act */

/** What a moderator did to you; empty for what ends the call, which is told at its end. @param {Act} act */
export function moderatedInWords({ action, reason, until }) {
  if (!(action in MODERATED)) return "";
  const ends = !until && UNTIL_LIFTED.includes(action) ? " Only a moderator can undo it." : untilInWords(until);
  return MODERATED[action] + ends + whyInWords(reason);
}

/** @param {string} [until] RFC 3339 */
function untilInWords(until) {
  if (!until) return "";
  const end = new Date(until);
  const today = end.toDateString() === new Date().toDateString();
  return ` It ends at ${end.toLocaleString([], today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" })}.`;
}

/** @param {string | null} [reason] */
function whyInWords(reason) {
  return reason ? ` Reason: ${reason}` : "";
}
