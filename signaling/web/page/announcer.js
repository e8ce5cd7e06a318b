// @ts-check
/** Tells screen readers what happened, politely: sentences of one moment are read together. */
import { byId } from "./dom.js";

const GATHER_FOR = 700;

/** @type {string[]} */
let waiting = [];

/** @param {string} sentence */
export function announce(sentence) {
  waiting.push(sentence);
  if (waiting.length > 1) return;
  setTimeout(() => {
    byId("announcer").textContent = waiting.length > 4 ? `${waiting.length} changes in the room.` : waiting.join(" ");
    waiting = [];
  }, GATHER_FOR);
}
