// @ts-check
/** Who is signed in, and everything they ask of the server. */
import { ask } from "../page/server.js";

const KEPT = "parley.admin";
const KEY_BEGIN = "parley_";
/** @type {Record<string, number>} */
export const RANK = { member: 0, moderator: 1, owner: 2, operator: 3 };
const REFUSED = ["unauthenticated", "token_invalid", "token_expired", "banned"];

/** @typedef {{kind: "person"|"service", identity: string, name: string, role: string, room: string, grants: Record<string, unknown>}} Who */
/** @typedef {Record<string, string|number|boolean|null|undefined>} Query */

/**
 * What a token says of its bearer, for what is shown only: the server judges it. A key says nothing but its prefix.
 * @param {string} bearer
 * @returns {Who}
 */
export function readBearer(bearer) {
  const nobody = { name: "", room: "", grants: {} };
  if (bearer.startsWith(KEY_BEGIN)) return { ...nobody, kind: "service", identity: `apikey:${bearer.split("_")[1] ?? ""}`, role: "service" };
  try {
    const bytes = Uint8Array.from(atob(bearer.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
    const claims = JSON.parse(new TextDecoder().decode(bytes));
    const grants = claims.video ?? {};
    const granted = grants.roomAdmin ? "moderator" : "member";
    const role = (RANK[claims.role] ?? -1) > RANK[granted] ? claims.role : granted;
    return { kind: "person", identity: String(claims.sub), name: String(claims.name ?? ""), role, room: String(grants.room ?? ""), grants };
  } catch {
    return { ...nobody, kind: "person", identity: "", role: "member" };
  }
}

/** The bearer of an earlier visit in this tab. */
export function keptBearer() {
  try {
    return sessionStorage.getItem(KEPT) ?? "";
  } catch {
    return ""; // storage is off in this browser: signing in lasts until the page is loaded again
  }
}

/** @param {string} bearer nothing forgets it */
export function keepBearer(bearer) {
  try {
    if (bearer) sessionStorage.setItem(KEPT, bearer);
    else sessionStorage.removeItem(KEPT);
  } catch {
    // as above
  }
}

/** The path with a query of what is not empty. @param {string} path @param {Query} [query] */
export function withQuery(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== "" && value !== null && value !== undefined);
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text ? `${path}?${text}` : path;
}

/** The path of a room, and of what belongs to it. @param {string} id @param {...string} rest */
export function ofRoom(id, ...rest) {
  return ["rooms", id, ...rest].map(encodeURIComponent).join("/");
}

export class Session {
  #bearer;
  /** What a 403 has taught: it is not offered again. @type {Set<string>} */ #refused = new Set();

  /**
   * @param {string} bearer
   * @param {(error: any) => void} onLost the server takes this bearer no longer
   * @param {() => Promise<string>} [renew] a fresh token, where there is one to be had
   */
  constructor(bearer, onLost, renew) {
    this.#bearer = bearer;
    this.who = readBearer(bearer);
    this.onLost = onLost;
    this.renew = renew;
  }

  /**
   * @param {string} path below /api/v1
   * @param {import("../page/server.js").Question} [question]
   */
  async ask(path, question = {}) {
    try {
      return await this.#ask(path, question);
    } catch (/** @type {any} */ error) {
      if (error.code === "token_expired" && this.renew) {
        this.#bearer = await this.renew();
        return this.#ask(path, question);
      }
      if (REFUSED.includes(error.code)) this.onLost(error);
      throw error;
    }
  }

  /** @param {string} path @param {Query} [query] */
  async get(path, query) {
    return (await this.ask(withQuery(path, query))).values;
  }

  /** @param {string} path @param {object} [body] */
  async post(path, body) {
    return (await this.ask(path, { method: "POST", body })).values;
  }

  /** @param {string} path */
  async remove(path) {
    await this.ask(path, { method: "DELETE" });
  }

  /** Whether the server lets this bearer read something; of an outage it is known nothing. @param {string} path */
  async opens(path) {
    if (this.#refused.has(path)) return false;
    try {
      await this.get(path);
      return true;
    } catch (/** @type {any} */ error) {
      if (error.code === "forbidden") this.#refused.add(path);
      return error.code !== "forbidden";
    }
  }

  /** @param {string} action that was answered with 403 */
  refuse(action) {
    this.#refused.add(action);
  }

  /** @param {string} action */
  mayStill(action) {
    return !this.#refused.has(action);
  }

  /**
   * Whether the role allows it, in a room of this owner; of a service only its scopes know, which the server asks.
   * @param {string} least
   * @param {string|null} [owner]
   */
  is(least, owner) {
    const { kind, role, identity } = this.who;
    return kind === "service" || RANK[role] >= RANK[least] || (RANK[least] < RANK.operator && Boolean(owner) && owner === identity);
  }

  /** @param {string} role of somebody @param {string|null} [owner] of the room */
  standsAbove(role, owner) {
    const { kind, role: own, identity } = this.who;
    if (kind === "service" || own === "operator") return true;
    return RANK[owner && owner === identity ? "owner" : own] > (RANK[role] ?? RANK.operator);
  }

  /** @param {string} path @param {import("../page/server.js").Question} question */
  #ask(path, question) {
    return ask(`api/v1/${path}`, { ...question, token: this.#bearer });
  }
}
