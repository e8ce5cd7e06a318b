// @ts-check
/** A face for somebody without a picture: initials, and a colour that stays with the identity. */

/** @param {string} name */
export function initialsOf(name) {
  const words = name.trim().split(/[\s._-]+/).filter(Boolean);
  const letters = words.length > 1 ? [words[0], words[words.length - 1]] : [words[0] ?? "?"];
  return letters.map((word) => [...word][0].toLocaleUpperCase()).join("");
}

/** Degrees on the colour wheel. @param {string} identity */
export function hueOf(identity) {
  let hash = 2166136261;
  for (const letter of identity) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 16777619);
  return ((hash >>> 0) % 24) * 15;
}
