// @ts-check
/** What the page asks of the server besides the call. */
import { ParleyError } from "../parley.js";

/**
 * The answer to a request with a body. Refused with a `ParleyError`.
 * @param {string} path
 * @param {object} body
 * @param {string} [token] who asks, where that matters
 * @returns {Promise<any>}
 */
export async function post(path, body, token) {
  const headers = new Headers({ "content-type": "application/json" });
  if (token) headers.set("authorization", `Bearer ${token}`);
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body: JSON.stringify(body) });
  } catch {
    throw new ParleyError("connection_failed", "The server did not answer.");
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new ParleyError(answer.code ?? "connection_failed", answer.detail ?? answer.title ?? "The server did not do it.");
  return answer;
}
