// @ts-check
/** What codes and reasons mean, in sentences that say what to do next. */

/** @type {Record<string, string>} why somebody could not get in, or is not heard */
const PROBLEMS = {
  connection_failed: "The server cannot be reached. Check your network, and that the server is running.",
  connection_lost: "The connection to the server broke. Try again.",
  timeout: "The server did not answer in time. Try again.",
  not_connected: "There is no connection just now. Try again in a moment.",
  unauthenticated: "The server does not know this invitation. Ask for a new one.",
  token_invalid: "This invitation is not valid. Ask for a new one.",
  token_expired: "This invitation has run out. Ask for a new one.",
  token_missing: "You need an invitation to get in. Paste the link or the token that you were given.",
  forbidden: "Your invitation is not for this room.",
  invite_invalid: "This invite link does not work any more: it was used up or withdrawn, or its time is over. Ask whoever sent it for a new one.",
  guests_refused: "This server lets nobody in by an invite link alone. Ask for an invitation of your own.",
  invite_required: "This room is private. Ask somebody who is there for an invite link.",
  password_required: "This room has a password. An invite link asks for none: somebody who is there can make one.",
  password_wrong: "That is not the password of this room. Try again, or ask whoever gave it to you.",
  banned: "You are banned from this room. Whoever moderates it can let you in again.",
  room_closed: "The time of this room is over. Ask whoever sent you here for another one.",
  room_full: "This room is full. Try again when somebody has left.",
  duplicate_identity: "You are in this room already, in another tab or on another device.",
  overloaded: "The server is too busy for more people just now. Try again in a minute.",
  rate_limited: "That was too much at once. Wait a moment, then try again.",
  server_shutdown: "The server is stopping. Try again in a minute.",
  too_large: "That message is too long.",
  media_unreachable: "Voice cannot get through. A firewall may block the server's UDP port. Still trying.",
  microphone_denied: "The browser does not let this page use the microphone. Allow it beside the address, then try again.",
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
  duplicate_identity: ["You joined from somewhere else", "Your call goes on in another tab or on another device, so this one stopped."],
  session_taken: ["You joined from somewhere else", "Your call goes on in another tab or on another device, so this one stopped."],
  room_deleted: ["The room was closed", "Somebody who runs this server closed it for everybody."],
  idle: ["You were away for long", "The server closed the call because nothing was heard from you."],
  server_shutdown: ["The server stopped", "Try again when it is back."],
};

/** @param {{code?: string, message?: string}} error */
export function problemInWords(error) {
  return PROBLEMS[error.code ?? ""] ?? (error.message || "Something went wrong. Try again.");
}

/** @param {string} reason */
export function endingInWords(reason) {
  const [title, words] = ENDINGS[reason] ?? ["The call ended", problemInWords({ code: reason, message: "The server ended it." })];
  return { title, words };
}

/** @param {number} count */
export function peopleInWords(count) {
  return count === 1 ? "Just you" : `${count} people`;
}

/** @type {Record<string, string>} what a moderator did to you */
export const MODERATED = {
  mute: "A moderator muted you. Only a moderator can undo it.",
  unmute: "A moderator lets you speak again.",
  deafen: "A moderator deafened you. Only a moderator can undo it.",
  undeafen: "A moderator lets you hear again.",
  give_floor: "A moderator gave you the floor: you can be heard now.",
  take_floor: "A moderator took the floor from you: you are listening only.",
  move: "A moderator moved you to another room.",
};
