// @ts-check
/** Buttons that copy the room's link, and the one that makes an invite. */
import { announce } from "./announcer.js";
import { byId, setIcon, setText } from "./dom.js";
import { linkTo } from "./invitation.js";
import { problemInWords } from "./words.js";

const SAID_FOR = 2000;
const NOT_KEPT = "The server does not store this room, so it has no invite links. Share its plain link.";

/**
 * @typedef {object} Sharing
 * @property {() => string} room
 * @property {() => boolean} open whether the server lets anybody in who has the plain link
 * @property {() => boolean} mayInvite whether this person may make invites
 * @property {(choice: {expires_in: number, max_uses: number}) => Promise<string>} make a link that lets people in
 */

/** @param {HTMLElement} button @param {string} link */
async function copy(button, link) {
  const words = /** @type {Element} */ (button.querySelector("span"));
  try {
    await navigator.clipboard.writeText(link);
  } catch {
    // No clipboard outside secure pages: show the link, chosen, for the keyboard's own copy.
    const field = byId("invite-link");
    if (!byId("invite").open) byId("invite").showModal();
    field.focus();
    field.select();
    return;
  }
  setText(words, "Copied");
  setIcon(button, "check");
  announce("Link copied.");
  setTimeout(() => {
    setText(words, "Copy the link");
    setIcon(button, "copy");
  }, SAID_FOR);
}

/** @param {Sharing} sharing */
function show(sharing) {
  const inviter = sharing.mayInvite();
  byId("invite-link").value = linkTo(sharing.room());
  byId("invite-making").hidden = !inviter;
  setText(byId("invite-problem"), "");
  setText(
    byId("invite-hint"),
    sharing.open() ? "Anybody with this link can join."
    : inviter ? "This link only names the room. Make an invite link for people without their own invitation."
    : "This link only names the room: each person needs their own invitation.",
  );
  byId("invite").showModal();
}

/** @param {Sharing} sharing */
async function make(sharing) {
  const [life, uses, button] = [byId("invite-life"), byId("invite-uses"), byId("invite-make")];
  if (button.getAttribute("aria-disabled") === "true") return;
  setText(byId("invite-problem"), "");
  button.setAttribute("aria-disabled", "true");
  try {
    const link = await sharing.make({ expires_in: Number(life.value), max_uses: Number(uses.value) });
    byId("invite-link").value = link;
    const [long, many] = [life, uses].map((menu) => menu.selectedOptions[0].textContent);
    setText(byId("invite-hint"), `This invite link lets in ${many} for ${long}, without a password.`);
    await copy(byId("invite-copy"), link);
  } catch (/** @type {any} */ error) {
    setText(byId("invite-problem"), error.code === "not_found" ? NOT_KEPT : problemInWords(error));
  } finally {
    button.setAttribute("aria-disabled", "false");
  }
}

/** @param {Sharing} sharing */
export function setUpSharing(sharing) {
  byId("invite-open").addEventListener("click", () => show(sharing));
  byId("invite-make").addEventListener("click", () => make(sharing));
  byId("invite-copy").addEventListener("click", () => copy(byId("invite-copy"), byId("invite-link").value));
  byId("alone-copy").addEventListener("click", () => {
    // Where the plain link lets nobody in, whoever can make one that does is shown how.
    if (sharing.mayInvite() && !sharing.open()) return show(sharing);
    byId("invite-link").value = linkTo(sharing.room());
    copy(byId("alone-copy"), linkTo(sharing.room()));
  });
}
