// @ts-check
/** Invites: what one is for, coming in by it, and making one. All are refused with a `ParleyError`. */
import { ParleyError } from "../parley.js";
import { post } from "./server.js";

/** Roles that may invite. */
const INVITERS = new Set(["moderator", "owner", "operator"]);

/** @param {string} [role] */
export function mayInvite(role) {
  return INVITERS.has(role ?? "");
}

/**
 * What an invite is for; that does not use it.
 * @param {string} invite
 * @param {string} token of the person, if there is one
 * @returns {Promise<{room: string, room_name: string}>}
 */
export function lookAtInvite(invite, token) {
  return show("preview", { token: invite }, token);
}

/**
 * A token for the room of an invite.
 * @param {string} invite
 * @param {string} name
 * @param {string} token of the person, if there is one
 * @returns {Promise<{token: string, room: string, room_name: string}>}
 */
export function acceptInvite(invite, name, token) {
  return show("accept", { token: invite, name }, token);
}

/**
 * A link that lets people in, for so many seconds and so many people.
 * @param {string} room
 * @param {{expires_in: number, max_uses: number}} choice
 * @param {string} token of whoever invites
 * @returns {Promise<string>}
 */
export async function makeInvite(room, choice, token) {
  const made = await post(`api/v1/rooms/${encodeURIComponent(room)}/invites`, choice, token);
  return new URL(`#${new URLSearchParams({ invite: made.token })}`, location.href).href;
}

/** @param {string} what @param {object} body @param {string} token */
async function show(what, body, token) {
  try {
    return await post(`api/v1/invites/${what}`, body, token);
  } catch (/** @type {any} */ error) {
    throw error.code === "unauthenticated" && !token ? new ParleyError("guests_refused", error.message) : error;
  }
}
