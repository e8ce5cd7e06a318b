// @ts-check
/** Where a room and a token come from: the address's fragment, or in development the server itself. */
import { ParleyError } from "../parley.js";

/**
 * Reads `#room=x&token=...` and takes the token out of the address bar and the history.
 * @param {Location} [address]
 */
export function takeInvitation(address = location) {
  const fragment = new URLSearchParams(address.hash.slice(1));
  const invitation = { room: fragment.get("room") ?? "", token: fragment.get("token") ?? "" };
  if (fragment.has("token")) keepRoom(invitation.room);
  return invitation;
}

/** Puts the room in the address bar, and nothing else. @param {string} room */
export function keepRoom(room) {
  history.replaceState(null, "", `${location.pathname}#${new URLSearchParams(room ? { room } : {})}`);
}

/** The link that may be shared: it never has a token in it. @param {string} room */
export function linkTo(room) {
  return new URL(`#${new URLSearchParams({ room })}`, location.href).href;
}

/**
 * A room's id from what somebody typed: spaces become hyphens, anything else that an id cannot have goes.
 * @param {string} typed
 */
export function roomFrom(typed) {
  return typed.trim().replace(/\s+/g, "-").replace(/[^A-Za-z0-9_-]/g, "").slice(0, 64);
}

/** What somebody pasted: a token, or a whole link with one in its fragment. @param {string} pasted */
export function tokenFrom(pasted) {
  const text = pasted.trim();
  return new URLSearchParams(text.split("#")[1] ?? "").get("token") ?? text;
}

/** @returns {Promise<{dev: boolean, version?: string, slots?: number}>} */
export async function serverConfig() {
  try {
    const response = await fetch("api/v1/config");
    return response.ok ? await response.json() : { dev: false };
  } catch {
    return { dev: false }; // the join itself will say that the server is not there
  }
}

/**
 * A token from a server in development. Refused with a `ParleyError`.
 * @param {string} name
 * @param {string} room
 * @returns {Promise<string>}
 */
export async function devToken(name, room) {
  let response;
  try {
    response = await fetch("dev/token", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ name, room }),
    });
  } catch {
    throw new ParleyError("connection_failed", "The server did not answer.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new ParleyError(body.code ?? "connection_failed", body.detail ?? body.title ?? "No token was given.");
  return body.token;
}
