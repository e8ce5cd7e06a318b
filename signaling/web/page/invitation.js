// @ts-check
/** Where a room, a token or an invite come from: the address's fragment, or in development the server itself. */
import { post } from "./server.js";

/**
 * Reads `#room=x&token=...` or `#invite=...`, and takes a token out of the address bar and the history at once. An invite
 * stays there until it is used, so that the page can be loaded again.
 * @param {Location} [address]
 */
export function takeInvitation(address = location) {
  const fragment = new URLSearchParams(address.hash.slice(1));
  const [room, token, invite] = ["room", "token", "invite"].map((name) => fragment.get(name) ?? "");
  if (fragment.has("token")) keepRoom(room);
  return { room, token, invite };
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

/** What somebody pasted: a token, or a whole link with a token or an invite in its fragment. @param {string} pasted */
export function givenIn(pasted) {
  const text = pasted.trim();
  const fragment = new URLSearchParams(text.split("#")[1] ?? "");
  const invite = fragment.get("invite") ?? "";
  return { invite, token: fragment.get("token") ?? (invite ? "" : text) };
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
  return (await post("dev/token", { name, room })).token;
}
