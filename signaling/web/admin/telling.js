// @ts-check
/** What was done, and what went wrong, told to whoever looks and to whoever listens. */
import { announce } from "../page/announcer.js";
import { dismiss, notify } from "../page/notices.js";
import { problemInWords } from "./words.js";

/** @param {string} sentence */
export function told(sentence) {
  dismiss("problem");
  announce(sentence);
}

/** @param {any} error */
export function wentWrong(error) {
  notify("problem", problemInWords(error));
}

/** Does it, and tells of it either way. @param {() => Promise<unknown>} work @param {string} [done] */
export async function attempt(work, done) {
  try {
    await work();
    if (done) told(done);
    return true;
  } catch (error) {
    wentWrong(error);
    return false;
  }
}
