// @ts-check
/** What this browser remembers between visits: a name and habits, never a token. */

const PREFIX = "parley.";

/** @param {string} key @param {string} [otherwise] */
export function recall(key, otherwise = "") {
  try {
    return localStorage.getItem(PREFIX + key) ?? otherwise;
  } catch {
    return otherwise; // storage is off in this browser: everything works, nothing is remembered
  }
}

/** @param {string} key @param {string} value */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, value);
  } catch {
    // as above
  }
}
