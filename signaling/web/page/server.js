// @ts-check
/** What the pages ask of the server besides the call. */
import { ParleyError } from "../parley.js";

/** @typedef {{method?: string, body?: object, token?: string, etag?: string}} Question */

/**
 * The answer to a request: its values, and the entity tag where it has one. Refused with a `ParleyError`.
 * @param {string} path
 * @param {Question} [question] `token` is who asks, where that matters; `etag` is the version that is meant
 * @returns {Promise<{values: any, etag: string}>}
 */
export async function ask(path, { method = "GET", body, token, etag } = {}) {
  const headers = new Headers();
  if (body) headers.set("content-type", "application/json");
  if (token) headers.set("authorization", `Bearer ${token}`);
  if (etag) headers.set("if-match", etag);
  let response;
  try {
    response = await fetch(path, { method, headers, body: body && JSON.stringify(body), cache: "no-store" });
  } catch {
    throw new ParleyError("connection_failed", "The server did not answer.");
  }
  const values = await response.json().catch(() => ({}));
  if (!response.ok) throw new ParleyError(values.code ?? "connection_failed", values.detail ?? values.title ?? "The server refused the request.");
  return { values, etag: response.headers.get("etag") ?? "" };
}

/**
 * The answer to a request with a body. Refused with a `ParleyError`.
 * @param {string} path
 * @param {object} body
 * @param {string} [token] who asks, where that matters
 * @returns {Promise<any>}
 */
export async function post(path, body, token) {
  return (await ask(path, { method: "POST", body, token })).values;
}
