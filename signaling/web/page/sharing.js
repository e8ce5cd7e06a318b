// @ts-check
/** Buttons that copy the room's link. */
import { announce } from "./announcer.js";
import { byId, setIcon, setText } from "./dom.js";
import { linkTo } from "./invitation.js";

const SAID_FOR = 2000;

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

/**
 * @param {() => string} room
 * @param {() => boolean} open whether the server lets anybody in who has the link
 */
export function setUpSharing(room, open) {
  byId("invite-open").addEventListener("click", () => {
    byId("invite-link").value = linkTo(room());
    setText(byId("invite-hint"), open() ? "Whoever has it can join." : "It names the room only: each person needs an invitation of their own.");
    byId("invite").showModal();
  });
  for (const button of document.querySelectorAll("[data-copy-link]")) {
    button.addEventListener("click", () => {
      byId("invite-link").value = linkTo(room());
      copy(/** @type {HTMLElement} */ (button), linkTo(room()));
    });
  }
}

/** Close buttons, and a click beside a dialog. */
export function setUpDialogs() {
  for (const dialog of document.querySelectorAll("dialog")) {
    dialog.querySelector("[data-close]")?.addEventListener("click", () => dialog.close());
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  }
}
